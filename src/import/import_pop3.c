/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "import/import_source.h"

struct pop3_source {
	struct import_source base;
	struct import_pop3 *session;
};

static struct pop3_source *of(struct import_source *s)
{
	return (struct pop3_source *)s;
}

static int list(struct import_source *s, struct import_listing *l, struct err *err)
{
	return import_pop3_list(of(s)->session, l, err);
}

static int fetch(struct import_source *s, const struct import_listing *l,
		 const struct import_message *m, struct import_text *to, uint64_t *ret_arrived,
		 struct err *err)
{
	(void)l;
	return import_pop3_retrieve(of(s)->session, (uint32_t)m->at, to, ret_arrived, err);
}

static void close_source(struct import_source *s)
{
	import_pop3_close(of(s)->session);
	free(s);
}

static const struct import_source_ops ops = {.list = list, .fetch = fetch, .close = close_source};

int import_pop3_source(const struct import_server *server, struct import_source **ret_source,
		       struct err *err)
{
	struct pop3_source *const s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return err_sys(err, ENOMEM, "cannot connect to %s", server->host);
	s->base.ops = &ops;
	r = import_pop3_open(server, &s->session, err);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret_source = &s->base;
	return 0;
}
