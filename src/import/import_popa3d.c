/* SPDX-License-Identifier: MIT */
/*
 * popa3d keeps nothing but the spool: it makes a UIDL anew each time, of those header fields
 * that don't change once a message is there. They are MD5's first 64 bits, as two numbers of
 * this many octets, the least significant one first.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "import/import_mbox.h"

struct memory {
	EVP_MD_CTX *md5; /* Owned */
	bool counts;     /* the field that is being read */
	bool received; /* there was one: it is this host's, and what follows came from elsewhere */
	bool failed;
};

static void *new_memory(void)
{
	struct memory *const s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->md5 = EVP_MD_CTX_new();
	if (s->md5 == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

static void free_memory(void *memory)
{
	struct memory *const s = memory;

	if (s != NULL)
		EVP_MD_CTX_free(s->md5);
	free(s);
}

static void begin(void *memory)
{
	struct memory *const s = memory;

	s->counts = s->received = false;
	s->failed = EVP_DigestInit_ex(s->md5, EVP_md5(), NULL) != 1;
}

static bool counts(struct memory *s, struct span line)
{
	if (span_starts_with_nocase(line, SPAN_LIT("Received:"))) {
		const bool first = !s->received;

		s->received = true;
		return first;
	}
	/* Its X is large, or it isn't looked at. */
	if (span_starts_with_nocase(line, SPAN_LIT("X-Delivery-ID:")))
		return line.p[0] == 'X';
	return span_starts_with_nocase(line, SPAN_LIT("Delivered-To:")) ||
	       (!s->received && (span_starts_with_nocase(line, SPAN_LIT("Date:")) ||
				 span_starts_with_nocase(line, SPAN_LIT("Message-ID:"))));
}

static void header(void *memory, const struct mbox_event *e)
{
	struct memory *const s = memory;

	if (e->begins && e->text.p[0] != ' ' && e->text.p[0] != '\t')
		s->counts = counts(s, e->text);
	if (s->counts && EVP_DigestUpdate(s->md5, e->text.p, e->text.n) != 1)
		s->failed = true;
}

static bool end(void *memory, const struct mbox_flags *flags, struct import_message *m,
		struct out *uidl)
{
	static const uint8_t order[] = {3, 2, 1, 0, 7, 6, 5, 4};
	struct memory *const s = memory;
	uint8_t sum[EVP_MAX_MD_SIZE];
	char digits[3];

	(void)flags;
	(void)m;
	if (s->failed || EVP_DigestFinal_ex(s->md5, sum, NULL) != 1)
		return true;
	for (size_t i = 0; i < sizeof(order); i++) {
		(void)snprintf(digits, sizeof(digits), "%02x", sum[order[i]]);
		(void)out_put(uidl, span_of(digits, 2));
	}
	return true;
}

static const struct mbox_flavour flavour = {
	.rule = {.after_blank = true},
	.new = new_memory,
	.free = free_memory,
	.begin = begin,
	.header = header,
	.end = end,
};

int import_popa3d_open(const struct import_place *place, struct import_source **ret_source,
		       struct err *err)
{
	return import_mbox_open(place, &flavour, ret_source, err);
}
