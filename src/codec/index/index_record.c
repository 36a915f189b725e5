/* SPDX-License-Identifier: MIT */
#include "codec/index/index_record.h"

#include <assert.h>
#include <string.h>

/*
 * Where each field stands. What isn't listed is zero.
 *
 *	header                          record
 *	  0  magic                        0  octets
 *	  8  version            u32       8  bytes
 *	 12  count              u32      16  flags              u32
 *	 16  octets             u64      20  length of UIDL     u8
 *	 24  mtime of new/      u64      21  length of name     u8
 *	 32  mtime of cur/      u64      24  UIDL and name      100
 *	 40  made               u64
 *	 48  ctime of new/      u64
 *	 56  ctime of cur/      u64
 *	 64  boot               u64      22  growth             i16
 *	 72  views              u32
 *	 76  away               u32
 *	 80  growth             i64
 *	124  checksum           u32     124  checksum           u32
 */
enum {
	H_VERSION = 8,
	H_COUNT = 12,
	H_OCTETS = 16,
	H_MTIME_NEW = 24,
	H_MTIME_CUR = 32,
	H_MADE = 40,
	H_CTIME_NEW = 48,
	H_CTIME_CUR = 56,
	H_BOOT = 64,
	H_VIEWS = 72,
	H_AWAY = 76,
	H_GROWTH = 80,
	H_END = 88,

	R_OCTETS = 0,
	R_BYTES = 8,
	R_FLAGS = 16,
	R_UIDL_LEN = 20,
	R_NAME_LEN = 21,
	R_GROWTH = 22,
	R_TEXT = 24,

	CHECKSUM = 124,
};

_Static_assert(INDEX_HEADER_SIZE == CHECKSUM + 4 && INDEX_RECORD_SIZE == CHECKSUM + 4,
	       "header and record end with the checksum");
_Static_assert(R_TEXT + INDEX_TEXT_MAX == CHECKSUM, "the text fills the record");

/* The line ends show at once when something has treated the file as text. */
static const char magic[8] = {'r', 's', 't', 'i', 'd', 'x', '\r', '\n'};

/* Shifts, not a cast: compilers make one load of it where the machine's order fits. */
static uint32_t get_u32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static uint16_t get_u16(const char *p)
{
	return (uint16_t)((unsigned char)p[0] | (unsigned char)p[1] << 8);
}

static void put_u16(char *p, uint16_t v)
{
	p[0] = (char)(unsigned char)v;
	p[1] = (char)(unsigned char)(v >> 8);
}

static uint64_t get_u64(const char *p)
{
	return (uint64_t)get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

static void put_u32(char *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (char)(unsigned char)(v >> (8 * i));
}

static void put_u64(char *p, uint64_t v)
{
	put_u32(p, (uint32_t)v);
	put_u32(p + 4, (uint32_t)(v >> 32));
}

/*
 * Of the 124 octets before it: eight at a time, mixed by a multiplication (FNV's
 * way, with 64 bits, and a shift so that high bits reach low ones), folded to 32
 * bits. Against damage, not malice. A CRC by table would be as good and take ten
 * times as long, for each message of each LIST.
 */
static uint32_t checksum(const char *p)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < CHECKSUM; i += 8) {
		const uint64_t word = i + 8 <= CHECKSUM ? get_u64(p + i) : get_u32(p + i);

		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return (uint32_t)(h ^ h >> 32);
}

static bool all_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != 0)
			return false;
	}
	return true;
}

bool index_uidl_valid(struct span uidl)
{
	if (uidl.n < 1 || uidl.n > LIMIT_UIDL)
		return false;
	for (size_t i = 0; i < uidl.n; i++) {
		if (uidl.p[i] < 0x21 || uidl.p[i] > 0x7e)
			return false;
	}
	return true;
}

static bool header_valid(const struct index_header *h)
{
	return h->count <= INDEX_COUNT_MAX && h->views <= 1 && h->away <= h->count;
}

/* A name is one component of a path: a record that lies leads to no other folder. */
static bool record_valid(const struct index_record *r)
{
	if ((r->flags & ~INDEX_FLAGS_ALL) != 0 || r->uidl_len > INDEX_TEXT_MAX ||
	    r->name_len > INDEX_TEXT_MAX - r->uidl_len)
		return false;
	/* What is downgraded doesn't become shorter than nothing. */
	if ((r->growth != 0 && (r->flags & INDEX_UTF8_HEADER) == 0) ||
	    (r->growth < 0 && r->octets < (uint64_t)-r->growth))
		return false;

	const struct span name = index_record_name(r);

	return index_uidl_valid(index_record_uidl(r)) && span_find(name, '/') == name.n &&
	       span_find(name, '\0') == name.n;
}

void index_header_encode(const struct index_header *h, char *out)
{
	assert(header_valid(h));
	memset(out, 0, INDEX_HEADER_SIZE);
	memcpy(out, magic, sizeof(magic));
	put_u32(out + H_VERSION, INDEX_VERSION);
	put_u32(out + H_COUNT, h->count);
	put_u64(out + H_OCTETS, h->octets);
	put_u64(out + H_MTIME_NEW, h->dirs[0].mtime_ns);
	put_u64(out + H_MTIME_CUR, h->dirs[1].mtime_ns);
	put_u64(out + H_MADE, h->made_ns);
	put_u64(out + H_CTIME_NEW, h->dirs[0].ctime_ns);
	put_u64(out + H_CTIME_CUR, h->dirs[1].ctime_ns);
	put_u64(out + H_BOOT, h->boot);
	put_u32(out + H_VIEWS, h->views);
	put_u32(out + H_AWAY, h->away);
	put_u64(out + H_GROWTH, (uint64_t)h->growth);
	put_u32(out + CHECKSUM, checksum(out));
}

void index_record_encode(const struct index_record *r, char *out)
{
	assert(record_valid(r));
	memset(out, 0, INDEX_RECORD_SIZE);
	put_u64(out + R_OCTETS, r->octets);
	put_u64(out + R_BYTES, r->bytes);
	put_u32(out + R_FLAGS, r->flags);
	out[R_UIDL_LEN] = (char)r->uidl_len;
	out[R_NAME_LEN] = (char)r->name_len;
	put_u16(out + R_GROWTH, (uint16_t)r->growth);
	memcpy(out + R_TEXT, r->text, (size_t)r->uidl_len + r->name_len);
	put_u32(out + CHECKSUM, checksum(out));
}

bool index_header_decode(const char *in, struct index_header *ret_h)
{
	if (memcmp(in, magic, sizeof(magic)) != 0 || get_u32(in + H_VERSION) != INDEX_VERSION ||
	    get_u32(in + CHECKSUM) != checksum(in) || !all_zero(in + H_END, CHECKSUM - H_END))
		return false;

	const struct index_header h = {
		.count = get_u32(in + H_COUNT),
		.octets = get_u64(in + H_OCTETS),
		.dirs = {{get_u64(in + H_MTIME_NEW), get_u64(in + H_CTIME_NEW)},
			 {get_u64(in + H_MTIME_CUR), get_u64(in + H_CTIME_CUR)}},
		.made_ns = get_u64(in + H_MADE),
		.boot = get_u64(in + H_BOOT),
		.views = get_u32(in + H_VIEWS),
		.away = get_u32(in + H_AWAY),
		.growth = (int64_t)get_u64(in + H_GROWTH),
	};

	if (!header_valid(&h))
		return false;
	*ret_h = h;
	return true;
}

bool index_record_decode(const char *in, struct index_record *ret_r)
{
	if (get_u32(in + CHECKSUM) != checksum(in))
		return false;

	struct index_record r = {
		.octets = get_u64(in + R_OCTETS),
		.bytes = get_u64(in + R_BYTES),
		.flags = get_u32(in + R_FLAGS),
		.uidl_len = (uint8_t)in[R_UIDL_LEN],
		.name_len = (uint8_t)in[R_NAME_LEN],
		.growth = (int16_t)get_u16(in + R_GROWTH),
	};

	memcpy(r.text, in + R_TEXT, INDEX_TEXT_MAX);
	if (!record_valid(&r))
		return false;

	const size_t used = (size_t)r.uidl_len + r.name_len;

	if (!all_zero(r.text + used, INDEX_TEXT_MAX - used))
		return false;
	*ret_r = r;
	return true;
}
