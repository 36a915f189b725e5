/* SPDX-License-Identifier: MIT */
/* Argon2 (RFC 9106) by libargon2: "$argon2id$v=19$m=65536,t=3,p=1$salt$hash". */
#include <argon2.h>
#include <errno.h>

#include "base/num.h"
#include "base/rand.h"
#include "auth/scheme_priv.h"

/*
 * What one verification may cost at most. Only the operator writes the file, but
 * a slip there (m counts KiB) must not make the machine swap at every login.
 */
#define MEMORY_MAX_KIB (1024U * 1024U)
#define PASSES_MAX 64U
#define LANES_MAX 64U

/*
 * What we make: RFC 9106's memory (section 4, second choice) and passes, with one
 * lane instead of four, because the pool already uses every core: about 150 ms
 * of one core of 2020, against 100 ms of four.
 */
enum { MAKE_MEMORY_KIB = 64 * 1024, MAKE_PASSES = 3, MAKE_LANES = 1, SALT = 16, HASH = 32 };

static bool take(struct span *s, struct span word)
{
	if (!span_starts_with_nocase(*s, word))
		return false;
	span_skip(s, word.n);
	return true;
}

static bool take_number(struct span *s, char end, uint64_t *ret_value)
{
	const size_t n = span_find(*s, end);

	if (n == s->n || !num_parse_u64(span_of(s->p, n), UINT32_MAX, ret_value))
		return false;
	span_skip(s, n + 1);
	return true;
}

/* Only as far as the parameters: libargon2 reads the rest, and refuses what is wrong in it. */
static bool read_parameters(struct span text, const char *type, uint64_t *ret_m, uint64_t *ret_t,
			    uint64_t *ret_p)
{
	uint64_t version = 0;

	if (!take(&text, SPAN_LIT("$")) || !take(&text, span_str(type)) ||
	    !take(&text, SPAN_LIT("$")))
		return false;
	/* Strings from before version 1.3 don't say which they are. */
	if (take(&text, SPAN_LIT("v=")) && !take_number(&text, '$', &version))
		return false;
	if (!take(&text, SPAN_LIT("m=")) || !take_number(&text, ',', ret_m) ||
	    !take(&text, SPAN_LIT("t=")) || !take_number(&text, ',', ret_t) ||
	    !take(&text, SPAN_LIT("p=")) || !take_number(&text, '$', ret_p))
		return false;
	return text.n > 0;
}

int scheme_argon2_check(const struct scheme_row *row, struct span text, struct err *err)
{
	uint64_t m = 0;
	uint64_t t = 0;
	uint64_t p = 0;

	if (!read_parameters(text, row->what, &m, &t, &p))
		return err_set(err, EINVAL, "malformed {%s} hash", row->name);
	if (m > MEMORY_MAX_KIB || t > PASSES_MAX || p > LANES_MAX)
		return err_set(err, EINVAL,
			       "{%s} hash with parameters beyond m=%u,t=%u,p=%u is refused",
			       row->name, MEMORY_MAX_KIB, PASSES_MAX, LANES_MAX);
	return 0;
}

int scheme_argon2_verify(const struct scheme_row *row, struct span text, const char *password,
			 struct err *err)
{
	const int r = scheme_argon2_check(row, text, err);

	if (r < 0)
		return r;
	switch (argon2_verify(text.p, password, strlen(password), (argon2_type)row->n)) {
	case ARGON2_OK:
		return 1;
	case ARGON2_VERIFY_MISMATCH:
		return 0;
	case ARGON2_MEMORY_ALLOCATION_ERROR:
	case ARGON2_THREAD_FAIL:
		return err_sys(err, ENOMEM, "cannot verify a {%s} hash", row->name);
	default:
		return err_set(err, EINVAL, "malformed {%s} hash", row->name);
	}
}

int scheme_argon2_make(const struct scheme_row *row, const char *password, struct out *out,
		       struct err *err)
{
	uint8_t salt[SALT];

	rand_fill(salt, sizeof(salt));

	const int r = argon2_hash(MAKE_PASSES, MAKE_MEMORY_KIB, MAKE_LANES, password,
				  strlen(password), salt, sizeof(salt), NULL, HASH, out->p + out->n,
				  out_room(out), (argon2_type)row->n, ARGON2_VERSION_13);

	if (r != ARGON2_OK)
		return err_set(err, r == ARGON2_ENCODING_FAIL ? ENOBUFS : ENOMEM,
			       "cannot make a {%s} hash: %s", row->name, argon2_error_message(r));
	out->n += strlen(out->p + out->n);
	return 0;
}
