/* SPDX-License-Identifier: MIT */
/*
 * span.h - a borrowed run of octets: it owns nothing, ends nothing with NUL,
 * and may hold any octet.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
	const char *p; /* may be NULL when n is 0 */
	size_t n;
};

/* A string literal, without its NUL. */
#define SPAN_LIT(s) ((struct span){.p = ("" s ""), .n = sizeof(s) - 1})

static inline struct span span_of(const char *p, size_t n)
{
	return (struct span){.p = p, .n = n};
}

/* Borrows a NUL-terminated string. */
static inline struct span span_str(const char *s)
{
	return (struct span){.p = s, .n = strlen(s)};
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII only, whatever the locale: protocol words are ASCII. */
static inline char span_ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline bool span_eq_nocase(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (span_ascii_lower(a.p[i]) != span_ascii_lower(b.p[i]))
			return false;
	}
	return true;
}

static inline bool span_starts_with_nocase(struct span s, struct span prefix)
{
	return s.n >= prefix.n && span_eq_nocase(span_of(s.p, prefix.n), prefix);
}

/* Drops n octets from the front. n may not exceed s->n. */
static inline void span_skip(struct span *s, size_t n)
{
	s->p = n == 0 ? s->p : s->p + n;
	s->n -= n;
}

/* Where c first stands, or s.n when it doesn't. */
static inline size_t span_find(struct span s, char c)
{
	const char *hit = s.n == 0 ? NULL : memchr(s.p, c, s.n);

	return hit == NULL ? s.n : (size_t)(hit - s.p);
}
