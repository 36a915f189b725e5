/* SPDX-License-Identifier: MIT */
/*
 * guard.h - who has guessed passwords, and how long the next guess has to wait.
 *
 * Wrong passwords are counted by address (IPv4: itself; IPv6: its /64, and more patiently
 * its /48), by user, and by the two together, and are half forgotten after an hour. A
 * guess then waits before it is looked at, so that hanging up early teaches nothing.
 *
 * Nobody is locked out: a password that is right gets in after the wait, and from an
 * address where this user was let in before (within six weeks) neither what others have
 * done there nor what others have tried elsewhere makes it wait. The same wrong password again,
 * by a mail program that nobody has told the new one, counts once.
 *
 * Guessing that is too slow or too widely spread for that is noticed by the number of
 * different addresses that fail for one user, and of users that fail at one address, in two to
 * four days.
 *
 * Everything is in tables of fixed size, some 17 MB when all are full. Names and addresses are
 * in them as keyed hashes only, so nobody can choose whose record theirs competes with; and
 * it is the record with the least in it that goes. One thread. Times are clock_mono_ms().
 *
 * BUGS: of SCRAM, APOP and CRAM-MD5 it can't be told whether the password is the same again;
 * from the sixth time on each counts an eighth.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/span.h"

struct guard;

/* NULL when there is no memory. */
struct guard *guard_new(void);
void guard_free(struct guard *g);

/* Somebody at an address who says to be a user. */
struct guard_who {
	uint64_t user;
	uint64_t address; /* 0: of this machine, whose programs ask for many: not counted */
	uint64_t network; /* 0: none */
	uint64_t pair;
};

/*
 * user: one spelling for each user, existing or not. remote: a numeric address or any other
 * word. local: it is on this machine.
 */
void guard_who_init(struct guard *g, struct guard_who *who, struct span user, const char *remote,
		    bool local);

/* How long the next guess has to wait: 0 to max_ms. */
uint64_t guard_wait_ms(struct guard *g, const struct guard_who *who, uint64_t max_ms,
		       uint64_t now_ms);

/* The password was right. */
void guard_let_in(struct guard *g, const struct guard_who *who, uint64_t now_ms);

/* What is worth an operator's attention; each is told when its number has doubled again. */
struct guard_alarm {
	unsigned addresses; /* about so many have failed for this user; 0: nothing to tell */
	unsigned users;     /* about so many users have failed at this address; 0: nothing */
	unsigned failures;  /* of the one with the larger number */
};

/*
 * It was wrong. False: it was the same as before, and isn't counted. wrong: the password, or
 * empty when it isn't known.
 */
bool guard_failed(struct guard *g, const struct guard_who *who, const char *wrong, uint64_t now_ms,
		  struct guard_alarm *ret_alarm);
