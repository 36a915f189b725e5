/* SPDX-License-Identifier: MIT */
#include "import/import_uidls.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "codec/index/index_record.h"

#define DIGEST_OCTETS 20
#define MADE_MAX (1 + 2 * DIGEST_OCTETS)

/* '~' and 160 bits of it: no UIDL of any server that we know looks so, but our own. */
static bool digest(struct span s, size_t occurrence, char ret_made[static MADE_MAX + 1])
{
	EVP_MD_CTX *const md = EVP_MD_CTX_new();
	uint8_t sum[32];
	char number[24] = "";
	const bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
			EVP_DigestUpdate(md, s.p, s.n) == 1 &&
			(occurrence <= 1 ||
			 snprintf(number, sizeof(number), "\n%zu", occurrence) > 0) &&
			EVP_DigestUpdate(md, number, strlen(number)) == 1 &&
			EVP_DigestFinal_ex(md, sum, NULL) == 1;

	EVP_MD_CTX_free(md);
	if (!ok)
		return false;
	ret_made[0] = '~';
	for (size_t i = 0; i < DIGEST_OCTETS; i++)
		(void)snprintf(ret_made + 1 + 2 * i, 3, "%02x", sum[i]);
	return true;
}

static int by_uidl(const void *a, const void *b, void *ctx)
{
	const struct import_listing *const l = ctx;
	const size_t i = *(const size_t *)a;
	const size_t k = *(const size_t *)b;
	const struct span x = import_uidl(l, &l->v[i]);
	const struct span y = import_uidl(l, &l->v[k]);
	const int r = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);

	if (r != 0)
		return r;
	return x.n != y.n ? (x.n > y.n) - (x.n < y.n) : (i > k) - (i < k);
}

/* For each message, the how manieth with this UIDL it is; NULL: no memory. */
static size_t *count_occurrences(const struct import_listing *l)
{
	size_t *const order = calloc(2 * (l->n + 1), sizeof(*order));
	size_t *const nth = order == NULL ? NULL : order + l->n + 1;

	if (order == NULL)
		return NULL;
	for (size_t i = 0; i < l->n; i++)
		order[i] = i;
	qsort_r(order, l->n, sizeof(*order), by_uidl, (void *)l);
	for (size_t i = 0; i < l->n; i++) {
		const bool same = i > 0 && span_eq(import_uidl(l, &l->v[order[i]]),
						   import_uidl(l, &l->v[order[i - 1]]));

		nth[order[i]] = same ? nth[order[i - 1]] + 1 : 1;
	}
	memmove(order, nth, l->n * sizeof(*order));
	return order;
}

/* Names come with sizes from Maildirs: what is in front of them is enough, and stays. */
static struct span stem(struct span name)
{
	return span_of(name.p, span_find(name, ','));
}

static void say(import_uidls_remark *remark, void *ctx, size_t number, struct span uidl,
		const char *what, const char *made)
{
	char shown[128];
	char text[ERR_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < uidl.n && n < sizeof(shown) - 1; i++)
		shown[n++] = uidl.p[i] > 0x20 && uidl.p[i] < 0x7f ? uidl.p[i] : '?';
	shown[n] = '\0';
	(void)snprintf(text, sizeof(text), "UIDL '%s' %s: it gets '%s', and clients fetch it again",
		       shown, what, made);
	remark(ctx, number, text);
}

ssize_t import_uidls(const struct import_listing *l, bool in_place, struct buf *text,
		     struct moving_message *v, size_t *ret_index, import_uidls_remark *remark,
		     void *ctx)
{
	size_t *const nth = count_occurrences(l);
	char *made;
	size_t n = 0;

	/* In one piece, so that what borrows from it can. */
	buf_init(text, IMPORT_MESSAGES_MAX * MADE_MAX);
	made = buf_reserve(text, l->n * MADE_MAX + 1);
	if (nth == NULL || made == NULL) {
		free(nth);
		return -ENOMEM;
	}
	for (size_t i = 0; i < l->n; i++) {
		const struct import_message *const m = &l->v[i];
		const struct span name = import_name(l, m);
		const struct span was = m->uidl_n > 0 ? import_uidl(l, m) : stem(name);
		const size_t occurrence = m->uidl_n > 0 ? nth[i] : 1;
		struct span uidl = was;
		char digits[MADE_MAX + 1];

		if (m->uidl_n == 0 && in_place)
			continue;
		if (!index_uidl_valid(was) || occurrence > 1) {
			if (!digest(was, occurrence, digits)) {
				free(nth);
				return -ENOMEM;
			}
			memcpy(made, digits, MADE_MAX);
			uidl = span_of(made, MADE_MAX);
			made += MADE_MAX;
			if (m->uidl_n > 0)
				say(remark, ctx, i + 1, was,
				    occurrence > 1 ? "is another message's too"
						   : "isn't one that POP3 allows",
				    digits);
		}
		v[n] = (struct moving_message){.uidl = uidl, .name = name, .arrived = m->arrived};
		ret_index[n++] = i;
	}
	free(nth);
	return (ssize_t)n;
}
