/* SPDX-License-Identifier: MIT */
/*
 * maildrop_rules.h - what an operator may set about maildrops, for all in the
 * configuration and for one user in the user's row: how large it may grow, what DELE
 * means, which folders are in it. Auth puts the two together and storage obeys.
 *
 * The struct has a fixed shape and no pointers: it travels as it is in a grant
 * (server/ipc.h) and in struct store_owner. Zeroed it is a maildrop without rules.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/out.h"
#include "base/span.h"

enum maildrop_dele {
	MAILDROP_DELE_DELETE, /* gone with QUIT, as RFC 1939 has it */
	MAILDROP_DELE_HIDE,   /* listed no more, and kept for a while */
	MAILDROP_DELE_TRASH,  /* moved into a folder */
	MAILDROP_DELES
};

/* What a device may be called: letters in lower case, digits, and '-', '_', '.' between them. */
#define MAILDROP_DEVICE_MAX 63

struct maildrop_rules {
	uint64_t quota_octets;   /* as LIST counts them; 0: any number */
	uint64_t quota_messages; /* 0: any number */
	uint32_t dele;           /* enum maildrop_dele */
	uint32_t dele_days;      /* HIDE and TRASH: days until it is gone for good; 0: never */
	uint32_t newest;         /* only so many are listed; 0: all */
	uint32_t expire_days;    /* EXPIRE; 0: the server deletes nothing by itself */
	uint32_t login_delay;    /* seconds from one login to the next; 0: none */
	uint32_t device_days;    /* a message goes after so many days though a device lacks it */
	uint32_t recent_offer;   /* days that a login as recent:user shows; 0: there is none */
	char trash[64];    /* a folder, as Maildir++ names it without its first dot; "": Trash */
	char folders[128]; /* what makes up the maildrop, "INBOX Junk"; "": INBOX */
	/* Of one session; not to be set. */
	char device[MAILDROP_DEVICE_MAX + 1]; /* whose view it is; "": no device's */
	uint32_t
		recent_days; /* only what came in so many days, and nothing is deleted; 0: not so */
};

/*
 * True for one that may have come from anywhere: every string ended, every enum in
 * range, the device a device's name or none.
 */
bool maildrop_rules_check(const struct maildrop_rules *r);

/*
 * True when name can be a device's, in capitals or not; ret_device is what it is called then. It
 * becomes part of file names.
 */
bool maildrop_device_name(struct span name, char ret_device[MAILDROP_DEVICE_MAX + 1]);

static inline bool maildrop_rules_has_quota(const struct maildrop_rules *r)
{
	return r->quota_octets != 0 || r->quota_messages != 0;
}

/* One that can be set. The names are the same in the configuration and in a user's row. */
struct maildrop_rule {
	const char *name;
	const char *what; /* what its value looks like: "a number" */
	bool obeyed;      /* false: nothing obeys it yet, so it can't be set either */
};

/* Number i from 0, or NULL past the end. */
const struct maildrop_rule *maildrop_rule(unsigned i);

/*
 * Sets one. -ENOENT: there is no rule of this name; -EINVAL, with *err saying what
 * the value should be. *r is untouched then.
 */
int maildrop_rules_set(struct maildrop_rules *r, struct span name, struct span value,
		       struct err *err);

/* Writes the value of rule i as maildrop_rules_set() reads it. False when there is no room. */
bool maildrop_rules_put(struct out *out, const struct maildrop_rules *r, unsigned i);

/*
 * How far users' own rules may go. CAPA is asked before anybody knows who the user is, and
 * RFC 2449 wants a promise then that holds for every user.
 */
struct maildrop_bounds {
	uint32_t login_delay; /* seconds at most */
	uint32_t expire_days; /* at least, unless never; 0: never */
};

/* What goes further is brought back. */
void maildrop_rules_bound(struct maildrop_rules *r, const struct maildrop_bounds *b);

/* What a user's row says; the rest is as the configuration says. Zeroed: nothing. */
struct maildrop_own_rules {
	uint32_t given; /* bit i: rule i is */
	uint32_t wrong; /* not 0: one of them couldn't be understood, so nobody knows what is meant
			 */
	struct maildrop_rules rules;
};

/*
 * Adds one, by the name of a rule or by one that another server has for the same:
 *
 *	userdb_quota_rule, quota_rule	Dovecot's, "*:storage=1G:messages=1000"
 *
 * Results as of maildrop_rules_set(); -EINVAL is remembered as wrong. What another
 * server's value says and no rule can say is left out.
 */
int maildrop_own_rules_set(struct maildrop_own_rules *own, struct span name, struct span value,
			   struct err *err);

/*
 * Adds all the "name=value" among words with spaces (or NULs) between. Words that are
 * no rule are somebody else's. -EINVAL for the first that is wrong, and goes on.
 */
int maildrop_own_rules_read(struct maildrop_own_rules *own, struct span words, struct err *err);

/* What is given takes the place of what r says. */
void maildrop_rules_override(struct maildrop_rules *r, const struct maildrop_own_rules *own);
