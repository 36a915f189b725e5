/* SPDX-License-Identifier: MIT */
#include "auth/login_times.h"

#include <stdlib.h>

#include "base/rand.h"

/* As in cache.c: a set is all that is looked at, so there is nothing to grow. */
enum { WAYS = 4, SETS = LOGIN_TIMES_MAX / WAYS };

struct entry {
	uint64_t tag; /* of user and device */
	uint64_t at_ms;
};

struct login_times {
	uint64_t seed;
	struct entry entries[SETS][WAYS];
};

struct login_times *login_times_new(void)
{
	struct login_times *t = calloc(1, sizeof(*t));

	if (t != NULL)
		t->seed = rand_u64() | 1;
	return t;
}

void login_times_free(struct login_times *t)
{
	free(t);
}

static uint64_t add(uint64_t h, const char *s)
{
	/* With its NUL, so that no two pairs are the same octets. */
	do
		h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	while (*s++ != '\0');
	return h;
}

static uint64_t tag_of(const struct login_times *t, const char *user, const char *device)
{
	const uint64_t h = add(add(t->seed, user), device);

	return (h ^ h >> 32) * t->seed;
}

static size_t set_of(uint64_t tag)
{
	return (size_t)(tag >> 40) % SETS;
}

uint64_t login_times_get(const struct login_times *t, const char *user, const char *device)
{
	const uint64_t tag = tag_of(t, user, device);
	const struct entry *set = t->entries[set_of(tag)];

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].at_ms != 0 && set[i].tag == tag)
			return set[i].at_ms;
	}
	return 0;
}

void login_times_put(struct login_times *t, const char *user, const char *device, uint64_t now_ms)
{
	const uint64_t tag = tag_of(t, user, device);
	struct entry *set = t->entries[set_of(tag)];
	struct entry *to = &set[0];

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].at_ms != 0 && set[i].tag == tag) {
			to = &set[i];
			break;
		}
		if (set[i].at_ms < to->at_ms)
			to = &set[i];
	}
	*to = (struct entry){.tag = tag, .at_ms = now_ms};
}
