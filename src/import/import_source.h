/* SPDX-License-Identifier: MIT */
/*
 * import_source.h - one mailbox at an old server: what import_run() asks of it. Each kind
 * of server is a row of functions behind this.
 *
 * Everything may block. Errors are negative errno, with *err naming file and line, or
 * host and command.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"
#include "import/import_listing.h"
#include "import/import_server.h"
#include "import/import_text.h"

struct import_source;

struct import_source_ops {
	/* All messages, in the server's order, into an empty listing. Once. */
	int (*list)(struct import_source *s, struct import_listing *l, struct err *err);
	/*
	 * One of them, in whatever line ends it has there. -ENOENT: it is gone meanwhile.
	 * *ret_arrived may be left at 0: not known, or as the listing says.
	 */
	int (*fetch)(struct import_source *s, const struct import_listing *l,
		     const struct import_message *m, struct import_text *to, uint64_t *ret_arrived,
		     struct err *err);
	void (*close)(struct import_source *s);
};

struct import_source {
	const struct import_source_ops *ops;
	bool is_maildir; /* the two that follow are its directory's */
	uint64_t device;
	uint64_t inode;
};

/* Where to look, and with whose rights. */
struct import_place {
	const char *path; /* absolute, below LIMIT_PATH octets */
	uint32_t uid;     /* UINT32_MAX: ours */
	uint32_t gid;
};

/*
 * A Maildir that Dovecot serves, by its dovecot-uidlist. uidl_format is Dovecot's
 * pop3_uidl_format. A mailbox that isn't there is an empty one.
 */
int import_dovecot_open(const struct import_place *place, const char *uidl_format,
			struct import_source **ret_source, struct err *err);

/* One of Courier's, by its courierpop3dsizelist. */
int import_courier_open(const struct import_place *place, struct import_source **ret_source,
			struct err *err);

/* One of qmail-pop3d's: the names are the UIDLs, the files' times the order. */
int import_qmail_open(const struct import_place *place, struct import_source **ret_source,
		      struct err *err);

/*
 * Mail spools, a file for each user: popa3d's, whose UIDLs are made of the header; those of the
 * University of Washington's ipop3d, with X-UID; and qpopper's, with X-UIDL. They are
 * locked from opening to closing: -EAGAIN when somebody else has one locked for long. A spool
 * that isn't there is an empty one.
 */
int import_popa3d_open(const struct import_place *place, struct import_source **ret_source,
		       struct err *err);
int import_uw_open(const struct import_place *place, struct import_source **ret_source,
		   struct err *err);
int import_qpopper_open(const struct import_place *place, struct import_source **ret_source,
			struct err *err);

/* A maildrop at a POP3 server. Nothing there is changed. */
int import_pop3_source(const struct import_server *server, struct import_source **ret_source,
		       struct err *err);

/*
 * A folder at an IMAP server, which calls it so. uidl_format is how its POP3 makes UIDLs, as
 * Dovecot's pop3_uidl_format, of %u and %v alone. Nothing there is changed.
 */
int import_imap_open(const struct import_server *server, const char *folder,
		     const char *uidl_format, struct import_source **ret_source, struct err *err);

/*
 * A mailbox of a Dovecot that is running, in whatever form it keeps it (sdbox, mdbox, ...), by
 * doveadm. config is Dovecot's configuration, or NULL for the one it finds; user is who it
 * knows him as.
 */
int import_doveadm_open(const char *config, const char *user, struct import_source **ret_source,
			struct err *err);

static inline void import_source_close(struct import_source *s)
{
	if (s != NULL)
		s->ops->close(s);
}
