/* SPDX-License-Identifier: MIT */
/* What crypt(3) of libxcrypt knows: yescrypt, bcrypt, SHA-crypt, MD5-crypt and older ones. */
#include <crypt.h>
#include <errno.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/secret.h"
#include "auth/scheme_priv.h"

/* What one verification may cost at most: some seconds of one core, 1 GiB. */
#define ROUNDS_MAX 10000000U
#define BCRYPT_COST_MAX 17U

/* The digits of crypt(3)'s base64: for the costs of yescrypt and scrypt. */
static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static unsigned digit_value(char c)
{
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? 64 : (unsigned)(at - digits);
}

static bool has_prefix(struct span text, const char *prefix)
{
	const size_t n = strlen(prefix);

	return text.n >= n && memcmp(text.p, prefix, n) == 0;
}

/* "$6$rounds=N$..." */
static bool sha_is_bounded(struct span text)
{
	const size_t skip = strlen("$6$rounds=");
	uint64_t rounds;

	if (!has_prefix(span_of(text.p + 3, text.n - 3), "rounds="))
		return true;
	span_skip(&text, skip);
	return num_parse_u64(span_of(text.p, span_find(text, '$')), ROUNDS_MAX, &rounds);
}

/* "$2b$NN$..." */
static bool bcrypt_is_bounded(struct span text)
{
	uint64_t cost;

	return text.n > 6 && num_parse_u64(span_of(text.p + 4, 2), BCRYPT_COST_MAX, &cost);
}

/*
 * "$y$jNr..." and "$gy$...": flavour, log2 of N less one, r less one; and scrypt's
 * "$7$Nrrrrr...". N * r * 128 octets are used: 1 GiB is N = 2^18 with r = 32.
 */
static bool yescrypt_is_bounded(struct span text)
{
	return text.n > 6 && digit_value(text.p[0]) < 64 && digit_value(text.p[1]) < 18 &&
	       digit_value(text.p[2]) < 32;
}

static bool scrypt_is_bounded(struct span text)
{
	return text.n > 12 && digit_value(text.p[0]) <= 18 && digit_value(text.p[1]) <= 32 &&
	       memcmp(text.p + 2, "....", 4) == 0;
}

static bool is_bounded(struct span text)
{
	if (has_prefix(text, "$6$") || has_prefix(text, "$5$"))
		return sha_is_bounded(text);
	if (has_prefix(text, "$2"))
		return bcrypt_is_bounded(text);
	if (has_prefix(text, "$y$"))
		return yescrypt_is_bounded(span_of(text.p + 3, text.n - 3));
	if (has_prefix(text, "$gy$"))
		return yescrypt_is_bounded(span_of(text.p + 4, text.n - 4));
	if (has_prefix(text, "$7$"))
		return scrypt_is_bounded(span_of(text.p + 3, text.n - 3));
	/* SHA-1 crypt and Sun MD5: nobody keeps mail passwords in them, and both have rounds. */
	return !has_prefix(text, "$sha1$") && !has_prefix(text, "$md5");
}

int scheme_crypt_check(const struct scheme_row *row, struct span text, struct err *err)
{
	if (text.n >= CRYPT_OUTPUT_SIZE || text.n < 13 ||
	    (row->what != NULL && !has_prefix(text, row->what)))
		return err_set(err, EINVAL, "malformed {%s} hash", row->name);
	if (!is_bounded(text))
		return err_set(err, EINVAL, "{%s} hash with such a cost or method is refused",
			       row->name);
	switch (crypt_checksalt(text.p)) {
	case CRYPT_SALT_INVALID:
	case CRYPT_SALT_METHOD_DISABLED:
		return err_set(err, EINVAL, "{%s} hash of a method that crypt(3) doesn't know",
			       row->name);
	default:
		return 0;
	}
}

int scheme_crypt_verify(const struct scheme_row *row, struct span text, const char *password,
			struct err *err)
{
	int r = scheme_crypt_check(row, text, err);

	if (r < 0)
		return r;

	/* 32 KiB, too much for the stack of a thread that others may have used. */
	struct crypt_data *data = calloc(1, sizeof(*data));

	if (data == NULL)
		return err_sys(err, ENOMEM, "cannot verify a {%s} hash", row->name);

	const char *hash = crypt_r(password, text.p, data);

	/* libxcrypt says "*0" or "*1" for what it can't do, and no hash begins so. */
	if (hash == NULL || hash[0] == '*') {
		r = 0;
		/* A password that is too long for the method doesn't fit; a bad hash is a fault. */
		if (errno != ERANGE)
			r = err_set(err, errno == ENOMEM ? ENOMEM : EINVAL,
				    "crypt(3) can't verify a {%s} hash", row->name);
	} else {
		r = strlen(hash) == text.n && secret_equal(hash, text.p, text.n);
	}
	secret_wipe(data, sizeof(*data));
	free(data);
	return r;
}

int scheme_crypt_make(const struct scheme_row *row, const char *password, struct out *out,
		      struct err *err)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	int r = 0;

	/* Salt from the kernel, and the library's own cost but where the row says one. */
	if (crypt_gensalt_rn(row->make_prefix, row->n, NULL, 0, setting, sizeof(setting)) == NULL)
		return err_sys(err, errno, "cannot make a salt for {%s}", row->name);

	struct crypt_data *data = calloc(1, sizeof(*data));

	if (data == NULL)
		return err_sys(err, ENOMEM, "cannot make a {%s} hash", row->name);

	const char *hash = crypt_r(password, setting, data);

	if (hash == NULL || hash[0] == '*')
		r = err_sys(err, errno, "cannot make a {%s} hash", row->name);
	else if (!out_put(out, span_str(hash)))
		r = err_set(err, ENOBUFS, "cannot make a {%s} hash: no room", row->name);
	secret_wipe(data, sizeof(*data));
	free(data);
	return r;
}
