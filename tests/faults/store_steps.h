/* SPDX-License-Identifier: MIT */
/*
 * store_steps.h - decides what each system call of the store does (see
 * store/store_sys.h), for tests that kill the process or break the disk there.
 */
#pragma once

#include <stdbool.h>

enum steps_mode {
	STEPS_OFF,       /* all calls work */
	STEPS_KILL,      /* the process is killed at step number n */
	STEPS_FAIL,      /* step n fails, those after it work */
	STEPS_FAIL_FROM, /* step n fails, and all after it */
	STEPS_FULL_FROM, /* from step n on, what needs space fails with ENOSPC */
	STEPS_MEET,      /* at step n somebody else does something: see steps_meet() */
	STEPS_WATCH,     /* at every step somebody else looks: see steps_meet() */
};

/* Starts counting again from 1. */
void steps_set(enum steps_mode mode, unsigned int n, int sys_errno);

/* As said by the last steps_set(): how many steps there were, and did step n come? */
unsigned int steps_count(void);
bool steps_hit(void);
/* The call that was hit. */
const char *steps_hit_call(void);

/* What the other one does, between two calls of ours. */
void steps_meet(void (*other)(void *arg), void *arg);

/* Who is told of each file and directory that was synced, with the same arg; NULL: nobody. */
void steps_on_sync(void (*synced)(void *arg, int fd));

/* Every call of this name fails with this errno, whatever the mode; NULL ends it. */
void steps_forbid(const char *call, int sys_errno);
