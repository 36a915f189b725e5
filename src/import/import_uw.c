/* SPDX-License-Identifier: MIT */
/*
 * ipop3d of the University of Washington's imap, and what reads spools with the same library
 * (c-client). UIDs are in the messages:
 *
 *	X-IMAP: UIDVALIDITY LAST-UID	in a message of its own, the first, that nobody is shown
 *	X-IMAPbase: the same		or in the first message, if there is none such
 *	X-UID: UID			in each that has been seen
 *
 * A UIDL is both, in hexadecimal. A message without a UID will get the next one when the
 * server looks, so it has it here already. UIDs that don't grow make the server begin with new
 * ones; then nothing that clients know is of use.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "import/import_mbox.h"

struct memory {
	uint32_t uid_validity; /* 0: not known, or of no use */
	uint32_t last_uid;
	uint32_t previous; /* message's UID */
	bool first;        /* message is being read, */
	bool is_internal;  /* and it is none */
	uint32_t uid;      /* of this message; 0: it has none */
	bool broken;
};

static void *new_memory(void)
{
	struct memory *const s = calloc(1, sizeof(*s));

	if (s != NULL)
		s->first = true;
	return s;
}

static void begin(void *memory)
{
	struct memory *const s = memory;

	s->is_internal = false;
	s->uid = 0;
}

static bool skip_field(struct span *line, const char *name)
{
	const struct span prefix = span_str(name);

	if (line->n < prefix.n || memcmp(line->p, prefix.p, prefix.n) != 0)
		return false;
	span_skip(line, prefix.n);
	return true;
}

static bool take_number(struct span *s, uint32_t *ret)
{
	uint64_t v;
	size_t n = 0;

	while (s->n > 0 && s->p[0] == ' ')
		span_skip(s, 1);
	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (!num_parse_u64(span_of(s->p, n), UINT32_MAX, &v))
		return false;
	span_skip(s, n);
	*ret = (uint32_t)v;
	return true;
}

static void take_base(struct memory *s, struct span line, bool is_internal)
{
	uint32_t uid_validity;
	uint32_t last;

	if (!s->first || s->uid_validity != 0 || !take_number(&line, &uid_validity) ||
	    uid_validity == 0 || !take_number(&line, &last))
		return;
	s->uid_validity = uid_validity;
	s->last_uid = last;
	s->is_internal = is_internal;
}

static void take_uid(struct memory *s, struct span line)
{
	uint32_t uid = 0;

	if (s->uid_validity == 0 || s->is_internal)
		return;
	(void)take_number(&line, &uid);
	if (s->uid != 0 || uid <= s->previous) {
		s->broken = true;
		s->uid = 0;
		return;
	}
	s->uid = s->previous = uid;
	if (uid > s->last_uid)
		s->last_uid = uid;
}

static void header(void *memory, const struct mbox_event *e)
{
	struct memory *const s = memory;
	struct span line = mbox_line(e->text);

	if (!e->begins)
		return;
	if (skip_field(&line, "X-IMAP:"))
		take_base(s, line, true);
	else if (skip_field(&line, "X-IMAPbase:"))
		take_base(s, line, false);
	else if (skip_field(&line, "X-UID:"))
		take_uid(s, line);
}

static bool end(void *memory, const struct mbox_flags *flags, struct import_message *m,
		struct out *uidl)
{
	struct memory *const s = memory;
	const bool internal = s->is_internal;

	(void)uidl;
	s->first = false;
	if (internal)
		return false;
	if (s->uid == 0)
		s->uid = s->previous = ++s->last_uid;
	/* What is marked deleted takes a UID, and isn't shown. */
	m->order = m->order << 32 | s->uid;
	return !flags->deleted;
}

static int finish(void *memory, struct import_listing *l)
{
	const struct memory *const s = memory;
	char text[2 * 8 + 1];
	int r = 0;

	if (s->uid_validity == 0 || s->broken)
		return 0;
	for (size_t i = 0; i < l->n && r == 0; i++) {
		(void)snprintf(text, sizeof(text), "%08x%08x", s->uid_validity,
			       (uint32_t)l->v[i].order);
		r = import_listing_set_uidl(l, i, span_str(text));
	}
	return r;
}

static bool hides(struct span line)
{
	static const char *const own[] = {
		"Status:", "X-Status:", "X-Keywords:", "X-UID:", "X-IMAP:", "X-IMAPbase:"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (span_starts_with_nocase(line, span_str(own[i])))
			return true;
	}
	return false;
}

static const struct mbox_flavour flavour = {
	.rule = {.with_date = true},
	.new = new_memory,
	.free = free,
	.begin = begin,
	.header = header,
	.end = end,
	.finish = finish,
	.hides = hides,
	.sends_status = true,
};

int import_uw_open(const struct import_place *place, struct import_source **ret_source,
		   struct err *err)
{
	return import_mbox_open(place, &flavour, ret_source, err);
}
