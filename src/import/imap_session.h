/* SPDX-License-Identifier: MIT */
/*
 * imap_session.h - a session with an IMAP server (RFC 3501) that reads one folder and changes
 * nothing in it. It blocks; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "import/imap_reader.h"
#include "import/import_listing.h"
#include "import/import_server.h"
#include "import/import_text.h"

struct imap_session;

/*
 * Connects, logs in and opens the folder for reading alone (EXAMINE). folder is called as the
 * server calls it (modified UTF-7). Errors as import_pop3_open(); -ENOENT: there is no such
 * folder.
 */
int imap_session_open(const struct import_server *server, const char *folder,
		      struct imap_session **ret_session, struct err *err);

uint32_t imap_session_uid_validity(const struct imap_session *s);

/* Adds all messages to an empty listing: UID (at), octets (bytes), arrival and flags. */
int imap_session_list(struct imap_session *s, struct import_listing *l, struct err *err);

/* -ENOENT: it is gone meanwhile. */
int imap_session_fetch(struct imap_session *s, uint32_t uid, struct import_text *to,
		       struct err *err);

/* Says LOGOUT. NULL is fine. */
void imap_session_close(struct imap_session *s);
