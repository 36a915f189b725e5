/* SPDX-License-Identifier: MIT */
#include "codec/proxy/proxy_header.h"

#include <stdbool.h>
#include <string.h>

#include "base/num.h"

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n"; /* section 2.2, without its NUL */

#define SIGNATURE_OCTETS (sizeof(signature) - 1)
#define V2_FIXED 16 /* signature, version and command, family, length */

/* The second half of byte 14 is the transport: 1 is a stream. */
enum { V2_TCP4 = 0x11, V2_TCP6 = 0x21 };
enum { V2_COMMAND_LOCAL = 0x20, V2_COMMAND_PROXY = 0x21 };

static bool is_prefix(struct span in, const char *of, size_t n)
{
	return memcmp(in.p, of, in.n < n ? in.n : n) == 0;
}

static uint16_t get_u16(const char *p)
{
	return (uint16_t)((uint8_t)p[0] << 8 | (uint8_t)p[1]);
}

/* ---- version 2 ---- */

static enum proxy_status parse_v2(struct span in, struct proxy_header *ret)
{
	struct proxy_header h = {.family = PROXY_UNKNOWN};
	size_t address = 0; /* octets of one address */

	if (in.n < V2_FIXED)
		return PROXY_MORE;

	const uint8_t command = (uint8_t)in.p[12];
	const uint16_t length = get_u16(in.p + 14);

	if (command != V2_COMMAND_LOCAL && command != V2_COMMAND_PROXY)
		return PROXY_BAD;
	if (command == V2_COMMAND_LOCAL) {
		h.family = PROXY_LOCAL;
	} else if ((uint8_t)in.p[13] == V2_TCP4) {
		h.family = PROXY_INET;
		address = 4;
	} else if ((uint8_t)in.p[13] == V2_TCP6) {
		h.family = PROXY_INET6;
		address = 16;
	}

	/* Source and destination, then both ports. */
	const size_t block = address == 0 ? 0 : 2 * address + 4;

	if (length < block)
		return PROXY_BAD;
	if (in.n < V2_FIXED + block)
		return PROXY_MORE;
	if (address > 0) {
		memcpy(h.address, in.p + V2_FIXED, address);
		h.port = get_u16(in.p + V2_FIXED + 2 * address);
	}
	h.octets = V2_FIXED + block;
	h.extra = (uint32_t)(length - block);
	*ret = h;
	return PROXY_DONE;
}

/* ---- version 1 ---- */

/* What stands before the next space, or the rest. False when that is nothing. */
static bool take_word(struct span *line, struct span *ret_word)
{
	const size_t n = span_find(*line, ' ');

	if (n == 0)
		return false;
	*ret_word = span_of(line->p, n);
	/* A space must have a word behind it. */
	if (n + 1 == line->n)
		return false;
	span_skip(line, n == line->n ? n : n + 1);
	return true;
}

/* Without zeros in front, which some read as octal. */
static bool read_number(struct span word, uint64_t max, uint64_t *ret_number)
{
	return (word.n <= 1 || word.p[0] != '0') && num_parse_u64(word, max, ret_number);
}

static bool read_port(struct span word, uint16_t *ret_port)
{
	uint64_t port;

	if (!read_number(word, UINT16_MAX, &port))
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

static bool read_inet(struct span word, uint8_t *ret_address)
{
	uint64_t number;

	for (int i = 0; i < 4; i++) {
		const size_t n = i < 3 ? span_find(word, '.') : word.n;

		if ((i < 3 && n == word.n) || !read_number(span_of(word.p, n), UINT8_MAX, &number))
			return false;
		ret_address[i] = (uint8_t)number;
		span_skip(&word, i < 3 ? n + 1 : n);
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One group of hexadecimal digits from the front of *in. */
static bool read_group(struct span *in, uint8_t *to)
{
	unsigned value = 0;
	size_t n = 0;

	while (n < in->n && n < 4 && hex_digit(in->p[n]) >= 0)
		value = value << 4 | (unsigned)hex_digit(in->p[n++]);
	if (n == 0)
		return false;
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
	span_skip(in, n);
	return true;
}

/* RFC 4291 section 2.2: groups, one "::" for zeros, and IPv4 at the end. */
static bool read_inet6(struct span word, uint8_t *ret_address)
{
	uint8_t octets[16] = {0};
	size_t n = 0;
	size_t gap = SIZE_MAX; /* octets before "::" */

	if (word.n >= 2 && memcmp(word.p, "::", 2) == 0) {
		gap = 0;
		span_skip(&word, 2);
	}
	while (word.n > 0) {
		if (n == 16)
			return false;
		if (n <= 12 && span_find(word, '.') < word.n && span_find(word, ':') == word.n) {
			if (!read_inet(word, octets + n))
				return false;
			n += 4;
			break;
		}
		if (!read_group(&word, octets + n))
			return false;
		n += 2;
		if (word.n == 0)
			break;
		if (word.p[0] != ':' || word.n == 1)
			return false;
		span_skip(&word, 1);
		if (word.p[0] == ':') {
			if (gap != SIZE_MAX)
				return false;
			gap = n;
			span_skip(&word, 1);
		}
	}
	if (gap == SIZE_MAX ? n != 16 : n > 14)
		return false;
	memset(ret_address, 0, 16);
	if (gap == SIZE_MAX)
		gap = n;
	memcpy(ret_address, octets, gap);
	memcpy(ret_address + 16 - (n - gap), octets + gap, n - gap);
	return true;
}

/* "TCP4 source destination port port". */
static bool read_line(struct span line, struct proxy_header *h)
{
	struct span family, source, destination, from, to;
	uint8_t address[16];
	uint16_t port;

	if (!take_word(&line, &family))
		return false;
	if (span_eq(family, SPAN_LIT("UNKNOWN"))) {
		h->family = PROXY_UNKNOWN; /* whatever follows */
		return true;
	}
	if (!take_word(&line, &source) || !take_word(&line, &destination) ||
	    !take_word(&line, &from) || !take_word(&line, &to) || line.n > 0 ||
	    !read_port(from, &h->port) || !read_port(to, &port))
		return false;
	if (span_eq(family, SPAN_LIT("TCP4"))) {
		h->family = PROXY_INET;
		return read_inet(source, h->address) && read_inet(destination, address);
	}
	h->family = PROXY_INET6;
	return span_eq(family, SPAN_LIT("TCP6")) && read_inet6(source, h->address) &&
	       read_inet6(destination, address);
}

static enum proxy_status parse_v1(struct span in, struct proxy_header *ret)
{
	const struct span most = span_of(in.p, in.n < PROXY_HEADER_MAX ? in.n : PROXY_HEADER_MAX);
	const size_t cr = span_find(most, '\r');
	struct proxy_header h = {0};
	struct span line = in;

	if (cr == most.n)
		return in.n < PROXY_HEADER_MAX ? PROXY_MORE : PROXY_BAD;
	if (cr + 1 == most.n)
		return in.n < PROXY_HEADER_MAX ? PROXY_MORE : PROXY_BAD;
	if (most.p[cr + 1] != '\n')
		return PROXY_BAD;
	line.n = cr;
	span_skip(&line, strlen("PROXY "));
	if (!read_line(line, &h))
		return PROXY_BAD;
	h.octets = cr + 2;
	*ret = h;
	return PROXY_DONE;
}

enum proxy_status proxy_header_parse(struct span in, struct proxy_header *ret)
{
	static const char v1[] = "PROXY ";

	if (in.n == 0)
		return PROXY_MORE;
	if (is_prefix(in, signature, SIGNATURE_OCTETS))
		return parse_v2(in, ret);
	if (!is_prefix(in, v1, sizeof(v1) - 1))
		return PROXY_BAD;
	return in.n < sizeof(v1) ? PROXY_MORE : parse_v1(in, ret);
}
