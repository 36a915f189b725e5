/* SPDX-License-Identifier: MIT */
#include "import/import_listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void import_listing_init(struct import_listing *l)
{
	*l = (struct import_listing){0};
	buf_init(&l->_text, IMPORT_TEXT_MAX);
}

void import_listing_done(struct import_listing *l)
{
	free(l->v);
	buf_done(&l->_text);
	*l = (struct import_listing){0};
}

int import_listing_add(struct import_listing *l, const struct import_message *m, struct span name)
{
	const size_t at = l->_text.n;
	int r;

	if (l->n == IMPORT_MESSAGES_MAX)
		return -EOVERFLOW;
	if (l->n == l->_cap) {
		const size_t cap = l->_cap == 0 ? 64 : 2 * l->_cap;
		struct import_message *const v = reallocarray(l->v, cap, sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		l->v = v;
		l->_cap = cap;
	}
	r = buf_put(&l->_text, name);
	if (r < 0)
		return r;
	l->v[l->n] = *m;
	l->v[l->n].name_at = at;
	l->v[l->n].name_n = (uint32_t)name.n;
	l->n++;
	return 0;
}

int import_listing_set_uidl(struct import_listing *l, size_t i, struct span uidl)
{
	const size_t at = l->_text.n;
	const int r = buf_put(&l->_text, uidl);

	if (r == 0) {
		l->v[i].uidl_at = at;
		l->v[i].uidl_n = (uint32_t)uidl.n;
	}
	return r;
}

static struct span text(const struct import_listing *l, size_t at, size_t n)
{
	return n == 0 ? span_of("", 0) : span_of(l->_text.p + at, n);
}

struct span import_uidl(const struct import_listing *l, const struct import_message *m)
{
	return text(l, m->uidl_at, m->uidl_n);
}

struct span import_name(const struct import_listing *l, const struct import_message *m)
{
	return text(l, m->name_at, m->name_n);
}

static int by_order(const void *a, const void *b, void *ctx)
{
	const struct import_message *const x = a;
	const struct import_message *const y = b;
	const struct span p = import_name(ctx, x);
	const struct span q = import_name(ctx, y);
	int r;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	r = memcmp(p.p, q.p, p.n < q.n ? p.n : q.n);
	return r != 0 ? r : (p.n > q.n) - (p.n < q.n);
}

void import_listing_sort(struct import_listing *l)
{
	if (l->n > 0)
		qsort_r(l->v, l->n, sizeof(*l->v), by_order, l);
}

void import_flags(struct span flags, char ret_flags[static IMPORT_FLAGS_MAX + 1])
{
	static const char known[] = "DFPRST"; /* draft, flagged, passed, replied, seen, trashed */
	size_t n = 0;

	for (const char *k = known; *k != '\0'; k++) {
		if (span_find(flags, *k) < flags.n)
			ret_flags[n++] = *k;
	}
	ret_flags[n] = '\0';
}
