/* SPDX-License-Identifier: MIT */
/*
 * state.h - what is remembered from one session to the next: which messages of which
 * account are stored here, and which of them are still to be deleted on the server. An
 * SQLite database of one row for each message.
 *
 * What a function has changed is on disk when it returns. Calls block, on the disk and
 * on other programs that have the file open (up to a minute). One thread for each
 * struct state; several may have the same file open.
 *
 * A negative errno comes with *err, which names the file: -EBUSY when others keep it
 * locked, -ENOSPC, -EIO, and -EPROTO for a database that isn't ours or is a newer
 * version's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "client/message_key.h"

struct state;

/* The file is made, with the folders above it, when it isn't there. */
int state_open(const char *path, struct state **ret_state, struct err *err);
void state_close(struct state *s);

/* The number of the account with this identity; it is added if it is new. */
int state_account(struct state *s, const char *identity, const char *name, int64_t *ret_account,
		  struct err *err);

/*
 * A line of text that is remembered for an account, "" at first: what login.h wants to
 * know about the last session. -ENOBUFS when it doesn't fit.
 */
int state_login(struct state *s, int64_t account, char *ret_text, size_t cap, struct err *err);
int state_set_login(struct state *s, int64_t account, const char *text, struct err *err);

/* The number of the Maildir with this path; 0: nothing was ever stored there. */
int state_maildir(struct state *s, const char *path, int64_t *ret_maildir, struct err *err);

/* Whether there is one with that name or identity. */
int state_has_account(struct state *s, const char *account, bool *ret_has, struct err *err);

/*
 * No two sessions of an account may run at once, in whatever programs. -EBUSY: another
 * one does. The lock goes with state_close() or the process, however that ends.
 */
int state_lock(struct state *s, int64_t account, struct err *err);

/*
 *	STATE_STORED ──► STATE_PENDING ──► STATE_GONE
 *
 * Stored: file and row are on disk; before that there is no row. Pending: it shall be
 * deleted on the server; DELE may have been sent, but no session's end was confirmed.
 * Gone: QUIT was answered +OK, or it isn't in the server's list any more. Rows stay for
 * a while, for servers say +OK and keep the message, or show an old list for a day.
 */
enum state_status { STATE_STORED, STATE_PENDING, STATE_GONE };

struct state_message {
	int64_t id;
	struct message_key key;
	struct header_digest header;
	uint64_t octets; /* as LIST said */
	enum state_status status;
	int64_t stored_at; /* seconds since 1970 */
	int64_t maildir;   /* where: state_maildir()'s number */
	bool vanished;     /* it wasn't in the last complete list */
	bool elsewhere;    /* another program has it: header and octets aren't known */
};

/*
 * The messages of an account with that UIDL, up to cap of them, from the oldest; *ret_n
 * may be 0.
 */
int state_find(struct state *s, int64_t account, struct span uidl, struct state_message *ret_found,
	       size_t cap, size_t *ret_n, struct err *err);

/* Those that also have that header; with an empty UIDL, all that have the header. */
int state_find_header(struct state *s, int64_t account, struct span uidl,
		      const struct header_digest *header, struct state_message *ret_found,
		      size_t cap, size_t *ret_n, struct err *err);

/* Whether one with that key is there. */
int state_has_key(struct state *s, int64_t account, const struct message_key *key, bool *ret_has,
		  struct err *err);

/* Whether any of the account's messages has a UIDL. */
int state_has_uidls(struct state *s, int64_t account, bool *ret_has, struct err *err);

/* What can't be added one by one, because each time would wait for the disk. */
int state_begin(struct state *s, struct err *err);
int state_commit(struct state *s, struct err *err);
void state_abort(struct state *s);

/* In a transaction. A message that is stored in that Maildir, in the file with its key. */
struct state_stored {
	struct message_key key;
	struct header_digest header;
	struct span uidl;
	uint64_t octets;
	bool pending;        /* to be deleted */
	const char *maildir; /* absolute */
};

int state_add(struct state *s, int64_t account, const struct state_stored *stored, int64_t *ret_id,
	      struct err *err);

/*
 * In a transaction. A message that another program has fetched and put we don't know where:
 * it is known by its UIDL alone, and isn't shown by state_each().
 */
int state_add_elsewhere(struct state *s, int64_t account, const struct message_key *key,
			struct span uidl, struct err *err);

/* In a transaction: what LIST says now, after its header was found to be the same. */
int state_set_octets(struct state *s, int64_t id, uint64_t octets, struct err *err);

/* In a transaction. */
int state_set_status(struct state *s, int64_t id, enum state_status status, struct err *err);

/*
 * In a transaction. Compares the account's rows with the server's complete list, in
 * which the rows ids[] were found: the others have vanished, and those of them that
 * were to be deleted are gone.
 */
int state_compare(struct state *s, int64_t account, const int64_t *ids, size_t n, int64_t now,
		  struct err *err);

/*
 * In a transaction. Forgets what vanished before that time and isn't where it was
 * stored any more, as there() says.
 */
int state_forget(struct state *s, int64_t account, int64_t before,
		 bool (*there)(void *ctx, const struct message_key *key), void *ctx,
		 struct err *err);

/* One row of state_each(). Strings live until the callback returns. */
struct state_row {
	int64_t id;
	const char *account;
	struct message_key key;
	int64_t stored_at; /* seconds since 1970 */
	const char *maildir;
};

/*
 * Shows all messages of the account with that name or identity (NULL: of all), in the
 * order in which they were stored. A callback that returns not 0 ends it, with that.
 */
int state_each(struct state *s, const char *account,
	       int (*each)(void *ctx, const struct state_row *row), void *ctx, struct err *err);

/* The same for the one message with that id; there may be none. */
int state_row(struct state *s, int64_t id, int (*each)(void *ctx, const struct state_row *row),
	      void *ctx, struct err *err);
