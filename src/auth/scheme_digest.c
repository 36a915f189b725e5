/* SPDX-License-Identifier: MIT */
/*
 * One round of a digest over the password, and a salt behind it for those that
 * have one: too fast to protect a stolen file, and what old files are full of.
 * And PBKDF2 in Dovecot's form: "$1$salt$rounds$hex of HMAC-SHA-1".
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/rand.h"
#include "base/secret.h"
#include "auth/scheme_priv.h"

enum { MADE_SALT = 8, PBKDF2_OCTETS = 20 };

#define PBKDF2_ROUNDS_MAX 10000000U

static bool digest(const char *name, const char *password, struct span salt, uint8_t *ret_digest)
{
	EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const bool ok = md != NULL && ctx != NULL && EVP_DigestInit_ex2(ctx, md, NULL) == 1 &&
			EVP_DigestUpdate(ctx, password, strlen(password)) == 1 &&
			EVP_DigestUpdate(ctx, salt.p, salt.n) == 1 &&
			EVP_DigestFinal_ex(ctx, ret_digest, NULL) == 1;

	/* The context wipes what it holds of the password when it is freed. */
	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	return ok;
}

/*
 * A digest without salt and suffix may stand there in base64 or in hexadecimal,
 * whichever has the right length: Dovecot reads both, and old files have both.
 */
static bool decode(const struct scheme_row *row, struct span text, uint8_t *ret_octets, size_t cap,
		   size_t *ret_n)
{
	if (row->encoding == SCHEME_B64 && !row->salted && text.n == (size_t)row->n * 2)
		return scheme_decode(SCHEME_HEX, text, ret_octets, cap, ret_n);
	return scheme_decode(row->encoding, text, ret_octets, cap, ret_n);
}

static bool read_digest(const struct scheme_row *row, struct span text, uint8_t *ret_octets,
			size_t cap, size_t *ret_n)
{
	return decode(row, text, ret_octets, cap, ret_n) && *ret_n >= row->n &&
	       (row->salted || *ret_n == row->n);
}

int scheme_digest_check(const struct scheme_row *row, struct span text, struct err *err)
{
	uint8_t octets[SCHEME_STORED_MAX];
	size_t n;

	if (!read_digest(row, text, octets, sizeof(octets), &n))
		return err_set(err, EINVAL, "malformed {%s} hash", row->name);
	return 0;
}

int scheme_digest_verify(const struct scheme_row *row, struct span text, const char *password,
			 struct err *err)
{
	uint8_t octets[SCHEME_STORED_MAX];
	uint8_t made[EVP_MAX_MD_SIZE];
	size_t n;

	if (!read_digest(row, text, octets, sizeof(octets), &n))
		return err_set(err, EINVAL, "malformed {%s} hash", row->name);

	const struct span salt = {.p = (const char *)octets + row->n, .n = n - row->n};

	if (!digest(row->what, password, salt, made))
		return err_set(err, ENOMEM, "OpenSSL can't make a {%s} hash", row->name);

	const int r = secret_equal(made, octets, row->n);

	secret_wipe(made, sizeof(made));
	return r;
}

int scheme_digest_make(const struct scheme_row *row, const char *password, struct out *out,
		       struct err *err)
{
	uint8_t made[EVP_MAX_MD_SIZE + MADE_SALT];
	const size_t salt = row->salted ? MADE_SALT : 0;

	rand_fill(made + row->n, salt);
	if (!digest(row->what, password, span_of((const char *)made + row->n, salt), made))
		return err_set(err, ENOMEM, "OpenSSL can't make a {%s} hash", row->name);
	if (!scheme_put_b64(out, made, row->n + salt))
		return err_set(err, ENOBUFS, "cannot make a {%s} hash: no room", row->name);
	return 0;
}

struct pbkdf2 {
	struct span salt;
	uint64_t rounds;
	uint8_t hash[PBKDF2_OCTETS];
};

static bool read_pbkdf2(struct span text, struct pbkdf2 *ret)
{
	struct span field[4];
	size_t n;

	for (size_t i = 0; i < 3; i++) {
		const size_t end = span_find(text, '$');

		if (end == text.n)
			return false;
		field[i] = span_of(text.p, end);
		span_skip(&text, end + 1);
	}

	const size_t end = span_find(text, '$');

	if (end == text.n || field[0].n != 0 || !span_eq(field[1], SPAN_LIT("1")))
		return false;
	field[3] = span_of(text.p, end);
	span_skip(&text, end + 1);
	ret->salt = field[2];
	return num_parse_u64(field[3], PBKDF2_ROUNDS_MAX, &ret->rounds) && ret->rounds > 0 &&
	       scheme_decode(SCHEME_HEX, text, ret->hash, sizeof(ret->hash), &n) &&
	       n == sizeof(ret->hash);
}

int scheme_pbkdf2_check(const struct scheme_row *row, struct span text, struct err *err)
{
	struct pbkdf2 it;

	if (!read_pbkdf2(text, &it))
		return err_set(err, EINVAL, "malformed {%s} hash", row->name);
	return 0;
}

int scheme_pbkdf2_verify(const struct scheme_row *row, struct span text, const char *password,
			 struct err *err)
{
	struct pbkdf2 it;
	uint8_t made[PBKDF2_OCTETS];

	if (!read_pbkdf2(text, &it))
		return err_set(err, EINVAL, "malformed {%s} hash", row->name);
	if (PKCS5_PBKDF2_HMAC_SHA1(password, (int)strlen(password),
				   (const unsigned char *)it.salt.p, (int)it.salt.n, (int)it.rounds,
				   sizeof(made), made) != 1)
		return err_set(err, ENOMEM, "OpenSSL can't make a {%s} hash", row->name);
	return secret_equal(made, it.hash, sizeof(made));
}
