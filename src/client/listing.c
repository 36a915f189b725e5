/* SPDX-License-Identifier: MIT */
#include "client/listing.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int grow(void **array, size_t *cap, size_t first, size_t size)
{
	const size_t more_cap = *cap == 0 ? first : 2 * *cap;
	void *const more = reallocarray(*array, more_cap, size);

	if (more == NULL)
		return -ENOMEM;
	*array = more;
	*cap = more_cap;
	return 0;
}

int listing_add(struct listing *l, uint32_t number, uint64_t octets)
{
	if (l->n == LISTING_MAX)
		return -EOVERFLOW;
	if (l->n == l->_cap) {
		void *array = l->messages;
		const int r = grow(&array, &l->_cap, 64, sizeof(*l->messages));

		if (r < 0)
			return r;
		l->messages = array;
	}
	l->messages[l->n++] = (struct message){.number = number, .octets = octets};
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t x = ((const struct message *)a)->number;
	const uint32_t y = ((const struct message *)b)->number;

	return (x > y) - (x < y);
}

int listing_sort(struct listing *l)
{
	bool sorted = true;

	for (size_t i = 1; i < l->n && sorted; i++)
		sorted = l->messages[i - 1].number < l->messages[i].number;
	if (sorted)
		return 0;
	qsort(l->messages, l->n, sizeof(*l->messages), by_number);
	for (size_t i = 1; i < l->n; i++) {
		if (l->messages[i - 1].number == l->messages[i].number)
			return -EPROTO;
	}
	return 0;
}

static struct message *find(struct listing *l, uint32_t number)
{
	const struct message wanted = {.number = number};

	/* Nearly always they are 1, 2, 3. */
	if (number >= 1 && number <= l->n && l->messages[number - 1].number == number)
		return &l->messages[number - 1];
	return l->n == 0 ? NULL
			 : bsearch(&wanted, l->messages, l->n, sizeof(*l->messages), by_number);
}

static int keep_uidl(struct listing *l, struct message *m, struct span uidl)
{
	while (l->_uidls_cap - l->_uidls_n < uidl.n) {
		void *array = l->_uidls;
		const int r = grow(&array, &l->_uidls_cap, 4096, 1);

		if (r < 0)
			return r;
		l->_uidls = array;
	}
	if (uidl.n > 0)
		memcpy(l->_uidls + l->_uidls_n, uidl.p, uidl.n);
	m->uidl_at = l->_uidls_n;
	m->uidl_n = (uint32_t)uidl.n;
	l->_uidls_n += uidl.n;
	return 0;
}

int listing_set_uidl(struct listing *l, uint32_t number, struct span uidl)
{
	char digest[8 + 64 + 1];
	uint8_t sum[32];
	struct message *const m = find(l, number);

	if (m == NULL)
		return 0;
	if (m->uidl_n > 0)
		return -EPROTO;
	if (uidl.n <= LISTING_UIDL_MAX)
		return keep_uidl(l, m, uidl);
	if (EVP_Digest(uidl.p, uidl.n, sum, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	(void)snprintf(digest, sizeof(digest), "sha-256:");
	for (size_t i = 0; i < sizeof(sum); i++)
		(void)snprintf(digest + 8 + 2 * i, 3, "%02x", sum[i]);
	return keep_uidl(l, m, span_str(digest));
}

struct span listing_uidl(const struct listing *l, const struct message *m)
{
	return m->uidl_n == 0 ? span_of("", 0) : span_of(l->_uidls + m->uidl_at, m->uidl_n);
}

static int by_uidl(const void *a, const void *b, void *ctx)
{
	const struct listing *const l = ctx;
	const struct span x = listing_uidl(l, &l->messages[*(const uint32_t *)a]);
	const struct span y = listing_uidl(l, &l->messages[*(const uint32_t *)b]);
	const int r = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);

	return r != 0 ? r : (x.n > y.n) - (x.n < y.n);
}

int listing_find_shared(struct listing *l)
{
	uint32_t *const order = calloc(l->n == 0 ? 1 : l->n, sizeof(*order));

	if (order == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, l->n, sizeof(*order), by_uidl, l);
	for (size_t i = 1; i < l->n; i++) {
		struct message *const a = &l->messages[order[i - 1]];
		struct message *const b = &l->messages[order[i]];

		if (a->uidl_n > 0 && span_eq(listing_uidl(l, a), listing_uidl(l, b)))
			a->shared = b->shared = true;
	}
	free(order);
	return 0;
}

void listing_done(struct listing *l)
{
	free(l->messages);
	free(l->_uidls);
	memset(l, 0, sizeof(*l));
}
