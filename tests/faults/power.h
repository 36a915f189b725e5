/* SPDX-License-Identifier: MIT */
/*
 * power.h - a disk that loses power. A tree of files is watched while something
 * works on it: what it looks like at each moment, and what is synced. Afterwards the
 * tree is put, for one moment after the other, into the state that a machine could
 * find it in if power was lost then:
 *
 *	a directory has the entries that it had when it was last synced, and
 *	a file the octets that it had when it was last synced,
 *
 * as far as they didn't get to the disk by themselves, which a file system may let
 * happen to some of them and not to others, in any order. Which, the test says.
 *
 * Files keep their inodes. No more than one tree at a time; failures fail the test.
 */
#pragma once

#include <stdbool.h>

/* What reaches the disk at once, though nobody syncs it. */
enum power_early {
	POWER_NEW = 1 << 0,    /* entries of directories called new, ... */
	POWER_CUR = 1 << 1,    /* ... cur, */
	POWER_TMP = 1 << 2,    /* ... tmp, */
	POWER_OTHER = 1 << 3,  /* ... and of all others */
	POWER_OCTETS = 1 << 4, /* what is written into files */
	POWER_LENGTH = 1 << 5, /* how long files are; what isn't synced in them is zeros */
};

/* Watches root and what is below it, all of which is on the disk. power_stop() ends that. */
void power_watch(const char *root);
void power_stop(void);

/*
 * From the first moment on, power_next() puts the tree into the next state that
 * differs from the one before, and at last into the state of the last moment: then
 * power_at_end() is true. False after that.
 */
void power_begin(unsigned int early);
bool power_next(void);
bool power_at_end(void);

/* Forgets all of it. The tree stays as it is. */
void power_done(void);
