/* SPDX-License-Identifier: MIT */
#include "import/import_verify.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

const char *import_difference_word(enum import_difference d)
{
	static const char *const words[IMPORT_DIFFERENCES] = {
		[IMPORT_MISSING] = "missing",
		[IMPORT_EXTRA] = "extra",
		[IMPORT_ORDER] = "order",
		[IMPORT_SIZE] = "size",
	};

	return words[d];
}

static int compare_uidls(struct span a, struct span b)
{
	const int r = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return r != 0 ? r : (a.n > b.n) - (a.n < b.n);
}

static int by_uidl(const void *a, const void *b, void *ctx)
{
	const struct import_listing *const l = ctx;
	const size_t i = *(const size_t *)a;
	const size_t k = *(const size_t *)b;
	const int r = compare_uidls(import_uidl(l, &l->v[i]), import_uidl(l, &l->v[k]));

	return r != 0 ? r : (i > k) - (i < k);
}

/* Places of a listing's messages, sorted by UIDL; NULL: no memory. */
static size_t *sorted(const struct import_listing *l)
{
	size_t *const order = calloc(l->n + 1, sizeof(*order));

	if (order == NULL)
		return NULL;
	for (size_t i = 0; i < l->n; i++)
		order[i] = i;
	qsort_r(order, l->n, sizeof(*order), by_uidl, (void *)l);
	return order;
}

/*
 * The first in order with this UIDL that isn't taken; l->n when there is none. *taken counts,
 * where the first of those with one UIDL stands in order, how many of them are.
 */
static size_t take(const struct import_listing *l, const size_t *order, size_t *taken,
		   struct span uidl)
{
	size_t from = 0;
	size_t to = l->n;

	while (from < to) {
		const size_t middle = from + (to - from) / 2;

		if (compare_uidls(import_uidl(l, &l->v[order[middle]]), uidl) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	if (from == l->n)
		return l->n;

	const size_t at = from + taken[from];

	if (at == l->n || !span_eq(import_uidl(l, &l->v[order[at]]), uidl))
		return l->n;
	taken[from]++;
	return order[at];
}

struct comparing {
	import_difference_seen *seen;
	void *ctx;
	struct import_comparison *result;
};

static void tell(const struct comparing *c, enum import_difference what, struct span uidl,
		 const struct import_message *old, const struct import_message *now)
{
	c->result->differences[what]++;
	c->seen(c->ctx, what, uidl, old, now);
}

static void compare(const struct comparing *c, const struct import_listing *old,
		    const struct import_listing *now, const size_t *order, size_t *taken, bool *met)
{
	size_t last = 0; /* one behind the place of the furthest that was met */

	for (size_t i = 0; i < old->n; i++) {
		const struct import_message *const m = &old->v[i];
		const struct span uidl = import_uidl(old, m);
		const size_t at = take(now, order, taken, uidl);

		if (at == now->n) {
			tell(c, IMPORT_MISSING, uidl, m, NULL);
			continue;
		}
		met[at] = true;
		if (at < last)
			tell(c, IMPORT_ORDER, uidl, m, &now->v[at]);
		else
			last = at + 1;
		if (m->bytes != now->v[at].bytes)
			tell(c, IMPORT_SIZE, uidl, m, &now->v[at]);
	}
	for (size_t i = 0; i < now->n; i++) {
		if (!met[i])
			tell(c, IMPORT_EXTRA, import_uidl(now, &now->v[i]), NULL, &now->v[i]);
	}
}

int import_compare(const struct import_listing *old, const struct import_listing *now,
		   import_difference_seen *seen, void *ctx, struct import_comparison *ret,
		   struct err *err)
{
	const struct comparing c = {.seen = seen, .ctx = ctx, .result = ret};
	size_t *const order = sorted(now);
	size_t *const taken = calloc(now->n + 1, sizeof(*taken));
	bool *const met = calloc(now->n + 1, sizeof(*met));
	int r = 0;

	*ret = (struct import_comparison){.old_count = old->n, .new_count = now->n};
	if (order == NULL || taken == NULL || met == NULL)
		r = err_sys(err, ENOMEM, "cannot compare");
	else
		compare(&c, old, now, order, taken, met);
	free(order);
	free(taken);
	free(met);
	return r;
}
