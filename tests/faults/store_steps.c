/* SPDX-License-Identifier: MIT */
#include "store_steps.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* As store/store_sys.h declares it, which isn't for outsiders. */
bool store_step(const char *call, bool after);
void store_synced(int fd);

static struct {
	enum steps_mode mode;
	unsigned int n;
	int sys_errno;
	unsigned int count;
	bool hit;
	const char *call;
	void (*other)(void *arg);
	void (*synced)(void *arg, int fd);
	void *arg;
	const char *forbidden;
	int forbidden_errno;
} steps;

void steps_set(enum steps_mode mode, unsigned int n, int sys_errno)
{
	steps.mode = mode;
	steps.n = n;
	steps.sys_errno = sys_errno;
	steps.count = 0;
	steps.hit = false;
	steps.call = "none";
}

unsigned int steps_count(void)
{
	return steps.count;
}

bool steps_hit(void)
{
	return steps.hit;
}

const char *steps_hit_call(void)
{
	return steps.call;
}

void steps_meet(void (*other)(void *arg), void *arg)
{
	steps.other = other;
	steps.arg = arg;
}

void steps_on_sync(void (*synced)(void *arg, int fd))
{
	steps.synced = synced;
}

void store_synced(int fd)
{
	if (steps.synced != NULL)
		steps.synced(steps.arg, fd);
}

void steps_forbid(const char *call, int sys_errno)
{
	steps.forbidden = call;
	steps.forbidden_errno = sys_errno;
}

static bool needs_space(const char *call)
{
	static const char *const calls[] = {"creat",  "tmpfile",  "pwrite",          "mkdirat",
					    "linkat", "renameat", "copy_file_range", "fsync"};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strcmp(calls[i], call) == 0)
			return true;
	}
	return false;
}

bool store_step(const char *call, bool after)
{
	bool fail = false;

	if (steps.forbidden != NULL && !after && strcmp(call, steps.forbidden) == 0) {
		errno = steps.forbidden_errno;
		return false;
	}
	steps.count++;
	switch (steps.mode) {
	case STEPS_OFF:
		return true;
	case STEPS_KILL:
		if (steps.count == steps.n)
			(void)raise(SIGKILL);
		return true;
	case STEPS_MEET:
		if (steps.count == steps.n) {
			steps.hit = true;
			steps.other(steps.arg);
		}
		return true;
	case STEPS_WATCH:
		steps.other(steps.arg);
		return true;
	case STEPS_FAIL:
		fail = steps.count == steps.n;
		break;
	case STEPS_FAIL_FROM:
		fail = steps.count >= steps.n;
		break;
	case STEPS_FULL_FROM:
		fail = steps.count >= steps.n && !after && needs_space(call);
		break;
	}
	if (fail) {
		if (!steps.hit)
			steps.call = call;
		steps.hit = true;
		errno = steps.sys_errno;
	}
	return !fail;
}
