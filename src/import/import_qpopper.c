/* SPDX-License-Identifier: MIT */
/*
 * qpopper writes each message's UIDL into its header, when it has listed it and the client has
 * said QUIT:
 *
 *	X-UIDL: ;I"!!=Ml"!^_9"!p(\"!
 *
 * and takes one that was there before for its own, whoever wrote it. Old versions wrote 32
 * hexadecimal digits.
 */
#include <stdlib.h>
#include <string.h>

#include "import/import_mbox.h"

struct memory {
	size_t n;
	char uidl[MBOX_UIDL_MAX];
};

static void *new_memory(void)
{
	return calloc(1, sizeof(struct memory));
}

static void begin(void *memory)
{
	struct memory *const s = memory;

	s->n = 0;
}

static void header(void *memory, const struct mbox_event *e)
{
	static const struct span name = SPAN_LIT("X-UIDL:");
	struct memory *const s = memory;
	struct span value = mbox_line(e->text);

	if (!e->begins || s->n > 0 || !span_starts_with_nocase(value, name))
		return;
	span_skip(&value, name.n);
	while (value.n > 0 && (value.p[0] == ' ' || value.p[0] == '\t'))
		span_skip(&value, 1);
	while (value.n > 0 && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
		value.n--;
	s->n = value.n < sizeof(s->uidl) ? value.n : sizeof(s->uidl);
	memcpy(s->uidl, value.p, s->n);
}

static bool end(void *memory, const struct mbox_flags *flags, struct import_message *m,
		struct out *uidl)
{
	const struct memory *const s = memory;

	(void)flags;
	(void)m;
	(void)out_put(uidl, span_of(s->uidl, s->n));
	return true;
}

static const struct mbox_flavour flavour = {
	.rule = {.after_blank = true, .with_date = true},
	.new = new_memory,
	.free = free,
	.begin = begin,
	.header = header,
	.end = end,
};

int import_qpopper_open(const struct import_place *place, struct import_source **ret_source,
			struct err *err)
{
	return import_mbox_open(place, &flavour, ret_source, err);
}
