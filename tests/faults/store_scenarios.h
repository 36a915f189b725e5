/* SPDX-License-Identifier: MIT */
/*
 * store_scenarios.h - what the fault tests interrupt: deliveries, opens and commits,
 * each with what must hold afterwards, however far it got.
 */
#pragma once

#include "store_help.h"

/* More steps than any scenario has: a test that gets there would never end. */
#define STEPS_MAX 2000

/*
 * A scenario: what is there before, what is done, and what must hold afterwards.
 * run says what it was told: bit i for acknowledgement i.
 */
struct scenario {
	const char *name;
	void (*prepare)(struct help *h);
	unsigned int (*run)(struct help *h);
	/* killed: the process died, or its disk did for good; else it went on after one fault. */
	void (*check)(struct help *h, unsigned int acknowledged, bool killed);
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

/* The call that failed in the last run, for checks that depend on it; "none" otherwise. */
extern const char *scenario_fault;

/* Empties the scratch directory; each step begins with the same. */
void scenario_afresh(struct help *h);

/* A path below the scratch directory, in static memory (four are kept). */
char *scenario_path(struct help *h, const char *name);

/* Parts of them, for tests of their own. In the maildrop are then 1.a to 5.e. */
#define SCENARIO_MESSAGES 5
void scenario_prepare_messages(struct help *h);
void scenario_prepare_indexed(struct help *h);
unsigned int scenario_run_deliver(struct help *h);
void scenario_check_deliver(struct help *h, unsigned int acknowledged, bool killed);
unsigned int scenario_run_commit(struct help *h, const uint32_t *marks); /* 0 ends them */
unsigned int scenario_run_commit_one(struct help *h);
unsigned int scenario_run_commit_three(struct help *h);
