/* SPDX-License-Identifier: MIT */
/*
 * stored_mail.h - finds the files of stored messages, wherever in their Maildir mail
 * readers have put them and whatever flags they have.
 */
#pragma once

#include "base/err.h"
#include "client/message_key.h"

/* One Maildir at a time is looked at. Zero it. */
struct stored_mail {
	char *maildir;             /* Owned */
	struct stored_file *files; /* by key. Owned */
	size_t n;
	size_t _cap;
};

/*
 * A descriptor of the file with that key in that Maildir. -ENOENT when it isn't there
 * any more; otherwise as reading the Maildir went.
 */
int stored_mail_open(struct stored_mail *m, const char *maildir, const struct message_key *key,
		     struct err *err);

void stored_mail_done(struct stored_mail *m);
