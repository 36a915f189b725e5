/* SPDX-License-Identifier: MIT */
#include "server/sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "server/sandbox_priv.h"

/* Newer than the headers of some systems that we build on. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif
#define CREATE_RULESET_VERSION 1U

/* Landlock's right to connect (linux/landlock.h). */
#define CONNECT_TCP (UINT64_C(1) << 1)

#ifndef RESTANTE_UNSEALED

/* struct landlock_ruleset_attr of the newest kernel that we know. */
struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

/* What each version of Landlock can forbid; bits of a newer one would be refused. */
static struct ruleset everything(long version)
{
	struct ruleset r = {.fs = (UINT64_C(1) << 13) - 1};

	if (version >= 2)
		r.fs |= UINT64_C(1) << 13; /* refer */
	if (version >= 3)
		r.fs |= UINT64_C(1) << 14; /* truncate */
	if (version >= 4)
		r.net = 3; /* bind, connect */
	if (version >= 5)
		r.fs |= UINT64_C(1) << 15; /* ioctl on devices */
	if (version >= 6)
		r.scoped = 3; /* abstract sockets, signals */
	return r;
}

static void say_missing(const struct sandbox_profile *p, const char *what, int error)
{
	log_event(LOG_LEVEL_WARN, "sandbox-partial", log_str("profile", p->name),
		  log_str("missing", what), log_str("error", strerror(error)),
		  log_str("consequence", "ignored"));
}

static int limit_files(const struct sandbox_profile *p, struct err *err)
{
	const long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
				     CREATE_RULESET_VERSION);

	if (version < 0) {
		say_missing(p, "landlock", errno);
		return 0;
	}

	struct ruleset rules = everything(version);

	rules.fs &= ~p->files_left;
	if (p->may_connect)
		rules.net &= ~CONNECT_TCP;

	const int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0U);

	if (fd < 0)
		return err_sys(err, errno, "cannot make a Landlock rule set");

	const long r = syscall(SYS_landlock_restrict_self, fd, 0U);
	const int error = errno;

	(void)close(fd);
	return r < 0 ? err_sys(err, error, "cannot enter Landlock") : 0;
}

/* raise(3), for an abort(), but nobody else. */
static int limit_signals(scmp_filter_ctx filter, const struct sandbox_profile *p)
{
	const bool allow = p->then == SCMP_ACT_ALLOW;
	const struct scmp_arg_cmp to = {0, allow ? SCMP_CMP_EQ : SCMP_CMP_NE,
					(scmp_datum_t)getpid(), 0};

	return seccomp_rule_add_array(filter, p->then, SCMP_SYS(tgkill), 1, &to);
}

static int add_rules(scmp_filter_ctx filter, const struct sandbox_profile *p,
		     const struct sandbox_rule *rule)
{
	int r = 0;

	for (; rule != NULL && r == 0 && rule->name != NULL; rule++) {
		const int number = seccomp_syscall_resolve_name(rule->name);

		/* One that this machine doesn't have needs no rule. */
		if (number != __NR_SCMP_ERROR)
			r = seccomp_rule_add_array(filter, rule->then != 0 ? rule->then : p->then,
						   number, rule->n_args, rule->args);
	}
	return r;
}

static int limit_calls(const struct sandbox_profile *p, struct err *err)
{
	const scmp_filter_ctx filter = seccomp_init(p->otherwise);
	int r;

	if (filter == NULL)
		return err_sys(err, ENOMEM, "cannot make a seccomp filter");
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A tree of comparisons: the filter runs at every system call. */
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = limit_signals(filter, p);
	if (r == 0)
		r = add_rules(filter, p, p->rules);
	if (r == 0)
		r = add_rules(filter, p, p->more);
	if (r == 0)
		r = add_rules(filter, p, p->system);
	if (r < 0) {
		seccomp_release(filter);
		return err_sys(err, -r, "cannot make a seccomp filter");
	}
	r = seccomp_load(filter);
	seccomp_release(filter);
	if (r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP) {
		say_missing(p, "seccomp", -r);
		return 0;
	}
	return r < 0 ? err_sys(err, -r, "cannot enter seccomp") : 0;
}

int sandbox_enter(const struct sandbox_profile *p, struct err *err)
{
	int r = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "cannot set no_new_privs");
	if (p->limits_files)
		r = limit_files(p, err);
	return r < 0 ? r : limit_calls(p, err);
}

#else

int sandbox_enter(const struct sandbox_profile *p, struct err *err)
{
	(void)err;
	log_event(LOG_LEVEL_WARN, "sandbox-off", log_str("profile", p->name),
		  log_str("reason", "built for coverage or with sanitizers"));
	return 0;
}

#endif
