/* SPDX-License-Identifier: MIT */
/*
 * import_server.h - an old server that is reached by the network, and a user's session
 * there: what it shows its POP3 clients, listed and retrieved. Nothing is changed or deleted.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "import/import_listing.h"
#include "import/import_text.h"

enum import_tls {
	IMPORT_TLS_IMPLICIT, /* from the first octet */
	IMPORT_TLS_STARTTLS, /* asked for before anything else, or nothing happens */
	IMPORT_TLS_NONE,     /* the operator has said that passwords may go in clear */
};

/* Strings are borrowed. */
struct import_server {
	const char *host;
	uint16_t port; /* 0: the protocol's own */
	enum import_tls tls;
	const char *cafile; /* NULL: the system's certificates */
	const char *user;
	const char *password;
};

struct import_pop3;

/*
 * Connects and logs in, in the best way that the server offers. -EACCES: it refuses the
 * password; -EAGAIN: not now (somebody is logged in); -EKEYREJECTED: TLS isn't as asked;
 * otherwise as the network says.
 */
int import_pop3_open(const struct import_server *server, struct import_pop3 **ret_session,
		     struct err *err);

/*
 * The same over a socket to a program that has logged in already, called name in errors. fd is
 * the session's from here on, also when that fails.
 */
int import_pop3_attach(int fd, const char *name, struct import_pop3 **ret_session, struct err *err);

/*
 * Adds all messages to an empty listing: UIDL, octets (bytes) and number (at).
 * -EOPNOTSUPP: the server has no UIDLs, so its clients know messages by something else.
 */
int import_pop3_list(struct import_pop3 *s, struct import_listing *l, struct err *err);

/*
 * Retrieves one, by its number. *ret_arrived is what the trace in its header says, or 0.
 * -ENOENT: the server refuses this one.
 */
int import_pop3_retrieve(struct import_pop3 *s, uint32_t number, struct import_text *to,
			 uint64_t *ret_arrived, struct err *err);

/* Says QUIT. NULL is fine. */
void import_pop3_close(struct import_pop3 *s);
