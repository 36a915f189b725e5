/* SPDX-License-Identifier: MIT */
#include "client/message_key.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <unistd.h>

_Static_assert(MESSAGE_KEY_OCTETS <= 32 && HEADER_DIGEST_OCTETS <= 32, "they are cut SHA-256");

/* Each part with its length in front: no two sets of parts are the same octets. */
static bool put_part(EVP_MD_CTX *md, struct span part)
{
	uint8_t length[8];

	for (int i = 0; i < 8; i++)
		length[i] = (uint8_t)((uint64_t)part.n >> (56 - 8 * i));
	return EVP_DigestUpdate(md, length, sizeof(length)) == 1 &&
	       EVP_DigestUpdate(md, part.p, part.n) == 1;
}

bool message_key_make(struct span identity, struct span uidl, const struct header_digest *header,
		      unsigned ordinal, struct message_key *ret_key)
{
	EVP_MD_CTX *const md = EVP_MD_CTX_new();
	const struct span third = header == NULL ? span_of("", 0)
						 : span_of((const char *)header->octets,
							   sizeof(header->octets));
	const uint8_t fourth = (uint8_t)ordinal;
	uint8_t sum[32];
	const bool ok = ordinal <= MESSAGE_KEY_ORDINAL_MAX && md != NULL &&
			EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && put_part(md, identity) &&
			put_part(md, uidl) && put_part(md, third) &&
			put_part(md, span_of((const char *)&fourth, ordinal > 0)) &&
			EVP_DigestFinal_ex(md, sum, NULL) == 1;

	EVP_MD_CTX_free(md);
	if (ok)
		memcpy(ret_key->octets, sum, sizeof(ret_key->octets));
	return ok;
}

enum state {
	BEGIN, /* of a line, held in _line until it is known whether it counts */
	COUNTS,
	SKIPPED,
	OVER,
};

static const struct span not_counted[] = {SPAN_LIT("status:"), SPAN_LIT("x-status:")};

bool header_reader_init(struct header_reader *h)
{
	if (h->_md == NULL)
		h->_md = EVP_MD_CTX_new();
	h->_n = 0;
	h->_state = BEGIN;
	h->_cr = false;
	return h->_md != NULL && EVP_DigestInit_ex(h->_md, EVP_sha256(), NULL) == 1;
}

void header_reader_done(struct header_reader *h)
{
	EVP_MD_CTX_free(h->_md);
	h->_md = NULL;
}

/* Into a digest that was begun: this doesn't fail. */
static void count(struct header_reader *h, struct span s)
{
	const int ok = EVP_DigestUpdate(h->_md, s.p, s.n);

	assert(ok == 1);
	(void)ok;
}

/* The line's beginning is long enough to tell, or is all of the line. */
static void decide(struct header_reader *h)
{
	const struct span line = span_of(h->_line, h->_n);

	for (size_t i = 0; i < sizeof(not_counted) / sizeof(not_counted[0]); i++) {
		if (span_starts_with_nocase(line, not_counted[i])) {
			h->_state = SKIPPED;
			return;
		}
	}
	count(h, line);
	h->_state = COUNTS;
}

static void end_line(struct header_reader *h)
{
	if (h->_state == BEGIN && h->_n == 0) {
		h->_state = OVER;
		return;
	}
	if (h->_state == BEGIN)
		decide(h);
	if (h->_state == COUNTS)
		count(h, SPAN_LIT("\n"));
	h->_state = BEGIN;
	h->_n = 0;
}

static void take_octets(struct header_reader *h, struct span s)
{
	while (s.n > 0 && h->_state == BEGIN) {
		h->_line[h->_n++] = s.p[0];
		span_skip(&s, 1);
		if (h->_n == sizeof(h->_line))
			decide(h);
	}
	if (h->_state == COUNTS)
		count(h, s);
}

void header_reader_take(struct header_reader *h, struct span s)
{
	while (s.n > 0 && h->_state != OVER) {
		const size_t lf = span_find(s, '\n');
		size_t n = lf;

		/* A CR before the LF is its own, also when it came with the last octets. */
		if (h->_cr && n > 0)
			take_octets(h, SPAN_LIT("\r"));
		h->_cr = h->_cr && n == 0;
		if (n > 0 && s.p[n - 1] == '\r') {
			h->_cr = true;
			n--;
		}
		take_octets(h, span_of(s.p, n));
		if (lf < s.n) {
			h->_cr = false;
			end_line(h);
		}
		span_skip(&s, lf < s.n ? lf + 1 : lf);
	}
}

bool header_reader_over(const struct header_reader *h)
{
	return h->_state == OVER;
}

void header_reader_end(struct header_reader *h, struct header_digest *ret_digest)
{
	uint8_t sum[32];
	int ok;

	/* A message that ends inside of its header. */
	if (h->_state != OVER && (h->_state != BEGIN || h->_n > 0))
		end_line(h);
	ok = EVP_DigestFinal_ex(h->_md, sum, NULL);
	assert(ok == 1);
	(void)ok;
	memcpy(ret_digest->octets, sum, sizeof(ret_digest->octets));
}

int header_digest_read(int fd, struct header_digest *ret_digest)
{
	struct header_reader h = {0};
	char buffer[8192];
	ssize_t n = 0;

	if (!header_reader_init(&h)) {
		header_reader_done(&h);
		return -ENOMEM;
	}
	while (!header_reader_over(&h) && (n = read(fd, buffer, sizeof(buffer))) > 0)
		header_reader_take(&h, span_of(buffer, (size_t)n));
	header_reader_end(&h, ret_digest);
	header_reader_done(&h);
	return n < 0 ? -errno : 0;
}
