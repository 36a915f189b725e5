/* SPDX-License-Identifier: MIT */
/*
 * A folder at an IMAP server. What its POP3 clients know is made of UIDVALIDITY and UID by most
 * servers; how, the operator says in the form of Dovecot's pop3_uidl_format.
 */
#include <errno.h>
#include <stdlib.h>

#include "import/dovecot_format.h"
#include "import/imap_session.h"
#include "import/import_source.h"

#define UIDL_ROOM 512

struct imap_source {
	struct import_source base;
	struct imap_session *session;
	const char *uidl_format; /* Borrowed */
};

static struct imap_source *of(struct import_source *s)
{
	return (struct imap_source *)s;
}

static int list(struct import_source *base, struct import_listing *l, struct err *err)
{
	struct imap_source *const s = of(base);
	struct dovecot_values values = {.uid_validity = imap_session_uid_validity(s->session)};
	int r = imap_session_list(s->session, l, err);

	for (size_t i = 0; i < l->n && r == 0; i++) {
		char text[UIDL_ROOM];
		struct out out = {.p = text, .cap = sizeof(text)};

		values.uid = (uint32_t)l->v[i].at;
		if (!dovecot_format(s->uidl_format, &values, &out, err))
			return -EINVAL;
		r = import_listing_set_uidl(l, i, out_span(&out));
		if (r < 0)
			return err_sys(err, -r, "cannot list the messages");
	}
	import_listing_sort(l);
	return r;
}

static int fetch(struct import_source *s, const struct import_listing *l,
		 const struct import_message *m, struct import_text *to, uint64_t *ret_arrived,
		 struct err *err)
{
	(void)l;
	*ret_arrived = m->arrived;
	return imap_session_fetch(of(s)->session, (uint32_t)m->at, to, err);
}

static void close_source(struct import_source *s)
{
	imap_session_close(of(s)->session);
	free(s);
}

static const struct import_source_ops ops = {.list = list, .fetch = fetch, .close = close_source};

int import_imap_open(const struct import_server *server, const char *folder,
		     const char *uidl_format, struct import_source **ret_source, struct err *err)
{
	const struct dovecot_values some = {.uid = 1, .uid_validity = 1};
	char text[UIDL_ROOM];
	struct out out = {.p = text, .cap = sizeof(text)};
	struct imap_source *s;
	int r;

	/* Said before a password goes out. */
	if (!dovecot_format(uidl_format, &some, &out, err))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_sys(err, ENOMEM, "cannot connect to %s", server->host);
	s->base.ops = &ops;
	s->uidl_format = uidl_format;
	r = imap_session_open(server, folder, &s->session, err);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret_source = &s->base;
	return 0;
}
