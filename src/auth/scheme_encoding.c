/* SPDX-License-Identifier: MIT */
#include <openssl/evp.h>

#include "auth/scheme_priv.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode_hex(struct span text, uint8_t *ret_octets, size_t cap, size_t *ret_n)
{
	if (text.n % 2 != 0 || text.n / 2 > cap)
		return false;
	for (size_t i = 0; i < text.n; i += 2) {
		const int high = hex_digit(text.p[i]);
		const int low = hex_digit(text.p[i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret_octets[i / 2] = (uint8_t)(high << 4 | low);
	}
	*ret_n = text.n / 2;
	return true;
}

/* OpenSSL passes over white space and '=' in the middle: this does not. */
static bool is_b64(struct span text)
{
	if (text.n == 0 || text.n % 4 != 0)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		const char c = text.p[i];
		const bool digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
				   (c >= '0' && c <= '9') || c == '+' || c == '/';
		const bool padding = c == '=' && i + 2 >= text.n && text.p[text.n - 1] == '=';

		if (!digit && !padding)
			return false;
	}
	return true;
}

static bool decode_b64(struct span text, uint8_t *ret_octets, size_t cap, size_t *ret_n)
{
	if (!is_b64(text) || text.n / 4 * 3 > cap)
		return false;

	const int n = EVP_DecodeBlock(ret_octets, (const unsigned char *)text.p, (int)text.n);
	const int padding = (text.p[text.n - 1] == '=') + (text.p[text.n - 2] == '=');

	if (n < padding)
		return false;
	*ret_n = (size_t)(n - padding);
	return true;
}

bool scheme_decode(enum scheme_encoding encoding, struct span text, uint8_t *ret_octets, size_t cap,
		   size_t *ret_n)
{
	switch (encoding) {
	case SCHEME_HEX:
		return decode_hex(text, ret_octets, cap, ret_n);
	case SCHEME_B64:
		return decode_b64(text, ret_octets, cap, ret_n);
	case SCHEME_AS_IS:
		break;
	}
	if (text.n > cap)
		return false;
	if (text.n > 0)
		memcpy(ret_octets, text.p, text.n);
	*ret_n = text.n;
	return true;
}

bool scheme_put_b64(struct out *out, const void *octets, size_t n)
{
	/* It writes a NUL behind the digits. */
	if ((n + 2) / 3 * 4 >= out_room(out))
		return false;

	const int written = EVP_EncodeBlock((unsigned char *)out->p + out->n, octets, (int)n);

	if (written < 0)
		return false;
	out->n += (size_t)written;
	return true;
}
