/* SPDX-License-Identifier: MIT */
#include "client/pin.h"

#include <string.h>

#include "base/out.h"
#include "codec/sasl/base64.h"

#define PREFIX "sha256//"

/* The first pin of *list, which goes behind it. False when it is none. */
static bool take(struct span *list, uint8_t ret_digest[static PIN_OCTETS])
{
	const char *const end = memchr(list->p, ';', list->n);
	const size_t n = end != NULL ? (size_t)(end - list->p) : list->n;
	const size_t prefix = strlen(PREFIX);
	char octets[BASE64_DECODED(PIN_TEXT_MAX)];
	struct out out = {.p = octets, .cap = sizeof(octets)};

	if (n != PIN_TEXT_MAX - 1 || memcmp(list->p, PREFIX, prefix) != 0 ||
	    base64_decode(&out, span_of(list->p + prefix, n - prefix)) != BASE64_OK ||
	    out.n != PIN_OCTETS)
		return false;
	memcpy(ret_digest, octets, PIN_OCTETS);
	/* A ';' with nothing behind it is a pin that somebody has lost. */
	if (end != NULL && n + 1 == list->n)
		return false;
	*list = end != NULL ? span_of(end + 1, list->n - n - 1) : span_of("", 0);
	return true;
}

bool pin_check(struct span text)
{
	uint8_t digest[PIN_OCTETS];

	while (text.n > 0) {
		if (!take(&text, digest))
			return false;
	}
	return true;
}

bool pin_has(struct span text, const uint8_t digest[static PIN_OCTETS])
{
	uint8_t one[PIN_OCTETS];

	while (text.n > 0 && take(&text, one)) {
		if (memcmp(one, digest, PIN_OCTETS) == 0)
			return true;
	}
	return false;
}

void pin_text(const uint8_t digest[static PIN_OCTETS], char ret_text[static PIN_TEXT_MAX])
{
	struct out out = {.p = ret_text, .cap = PIN_TEXT_MAX - 1};

	(void)out_put(&out, SPAN_LIT(PREFIX));
	(void)base64_encode(&out, span_of((const char *)digest, PIN_OCTETS));
	ret_text[out.n] = '\0';
}
