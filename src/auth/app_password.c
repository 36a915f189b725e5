/* SPDX-License-Identifier: MIT */
#include "auth/app_password.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>

#include "base/num.h"
#include "base/rand.h"
#include "base/secret.h"
#include "auth/scheme_priv.h"
#include "auth/user_name.h"

/* Nothing that is easily read as something else: no 0, 1, l, o. */
static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
_Static_assert(sizeof(alphabet) == 32 + 1, "five bits a letter");

enum { USER, NAME, SERVICES, DEVICE, SLOT, CREATED, HASH, FIELDS };

static const struct {
	const char *name;
	unsigned bit;
} services[] = {{"pop3", APP_PASSWORD_POP3}};

#define SERVICES_KNOWN (sizeof(services) / sizeof(services[0]))

bool app_password_services(struct span words, unsigned *ret_services)
{
	unsigned mask = 0;

	while (words.n > 0) {
		const size_t n = span_find(words, ',');
		size_t i = 0;

		while (i < SERVICES_KNOWN &&
		       !span_eq_nocase(span_of(words.p, n), span_str(services[i].name)))
			i++;
		if (i == SERVICES_KNOWN)
			return false;
		mask |= services[i].bit;
		span_skip(&words, n < words.n ? n + 1 : n);
	}
	*ret_services = mask != 0 ? mask : APP_PASSWORD_ALL;
	return true;
}

static bool put_services(struct out *out, unsigned mask)
{
	bool first = true;

	if (mask == APP_PASSWORD_ALL)
		return true;
	for (size_t i = 0; i < SERVICES_KNOWN; i++) {
		if ((mask & services[i].bit) == 0)
			continue;
		if ((!first && !out_char(out, ',')) || !out_put(out, span_str(services[i].name)))
			return false;
		first = false;
	}
	return true;
}

int app_password_check_name(struct span name, struct err *err)
{
	if (name.n == 0)
		return err_set(err, EINVAL, "the name is empty");
	if (name.n > APP_PASSWORD_NAME_MAX)
		return err_set(err, EINVAL, "the name is longer than %d octets",
			       APP_PASSWORD_NAME_MAX);
	if (name.p[0] == ' ' || name.p[name.n - 1] == ' ')
		return err_set(err, EINVAL, "the name has a space at an end");
	for (size_t i = 0; i < name.n; i++) {
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f || name.p[i] == ':')
			return err_set(err, EINVAL, "the name has a ':' or a control character");
	}
	return 0;
}

/* ---- lines ---- */

static bool split(struct span line, struct span field[FIELDS])
{
	for (size_t i = 0; i < FIELDS; i++) {
		const size_t n = span_find(line, ':');

		if ((n == line.n) != (i == FIELDS - 1))
			return false;
		field[i] = span_of(line.p, n);
		span_skip(&line, n < line.n ? n + 1 : n);
	}
	return true;
}

static bool read_hash(struct span text, uint8_t ret_hash[APP_PASSWORD_HASH])
{
	size_t n;

	return text.n == 2 * APP_PASSWORD_HASH &&
	       scheme_decode(SCHEME_HEX, text, ret_hash, APP_PASSWORD_HASH, &n) &&
	       n == APP_PASSWORD_HASH;
}

/* As it is called, so in lower case. */
static bool is_device(struct span name)
{
	char device[MAILDROP_DEVICE_MAX + 1];

	return maildrop_device_name(name, device) && span_eq(name, span_str(device));
}

enum app_password_status app_password_parse(struct span line, struct app_password *ret,
					    struct err *err)
{
	struct span field[FIELDS];
	struct app_password p;
	uint64_t slot;

	if (line.n == 0 || line.p[0] == '#')
		return APP_PASSWORD_COMMENT;
	if (line.n >= APP_PASSWORD_LINE_MAX || !split(line, field)) {
		(void)err_set(err, EINVAL, "not user:name:services:device:slot:created:hash");
		return APP_PASSWORD_BAD;
	}
	p.user = field[USER];
	p.name = field[NAME];
	p.device = field[DEVICE];
	if (user_name_check(p.user, err) < 0 || app_password_check_name(p.name, err) < 0)
		return APP_PASSWORD_BAD;
	if (p.device.n > 0 && !is_device(p.device)) {
		(void)err_set(err, EINVAL, "'%.*s' is no device's name", (int)p.device.n,
			      p.device.p);
		return APP_PASSWORD_BAD;
	}
	/* A service that we don't know is one more that others use: it opens nothing here. */
	if (!app_password_services(field[SERVICES], &p.services))
		p.services = 0;
	if (!num_parse_u64(field[SLOT], APP_PASSWORD_SLOTS - 1, &slot) ||
	    !num_parse_u64(field[CREATED], INT64_MAX, &p.created) ||
	    !read_hash(field[HASH], p.hash)) {
		(void)err_set(err, EINVAL, "slot, time or hash of '%.*s' is malformed",
			      (int)p.user.n, p.user.p);
		return APP_PASSWORD_BAD;
	}
	p.slot = (uint32_t)slot;
	*ret = p;
	return APP_PASSWORD_OK;
}

static bool put_hash(struct out *out, const uint8_t hash[APP_PASSWORD_HASH])
{
	static const char digits[] = "0123456789abcdef";
	bool ok = true;

	for (size_t i = 0; i < APP_PASSWORD_HASH && ok; i++)
		ok = out_char(out, digits[hash[i] >> 4]) && out_char(out, digits[hash[i] & 15]);
	return ok;
}

bool app_password_put(struct out *out, const struct app_password *p)
{
	const size_t before = out->n;

	return (out_put(out, p->user) && out_char(out, ':') && out_put(out, p->name) &&
		out_char(out, ':') && put_services(out, p->services) && out_char(out, ':') &&
		out_put(out, p->device) && out_char(out, ':') && out_u64(out, p->slot) &&
		out_char(out, ':') && out_u64(out, p->created) && out_char(out, ':') &&
		put_hash(out, p->hash)) ||
	       out_undo(out, before);
}

/* ---- the passwords ---- */

void app_password_make(char ret_shown[APP_PASSWORD_SHOWN])
{
	uint8_t octets[APP_PASSWORD_LETTERS];
	size_t n = 0;

	rand_fill(octets, sizeof(octets));
	for (size_t i = 0; i < APP_PASSWORD_LETTERS; i++) {
		if (i > 0 && i % 5 == 0)
			ret_shown[n++] = '-';
		ret_shown[n++] = alphabet[octets[i] % 32];
	}
	ret_shown[n] = '\0';
	assert(n == APP_PASSWORD_SHOWN - 1);
	secret_wipe(octets, sizeof(octets));
}

/* The letters alone. False when it isn't made of as many as it must be. */
static bool letters_of(const char *password, char ret_letters[APP_PASSWORD_LETTERS + 1])
{
	size_t n = 0;

	for (; *password != '\0'; password++) {
		const char c = span_ascii_lower(*password);

		if (c == '-' || c == ' ')
			continue;
		if (n == APP_PASSWORD_LETTERS || memchr(alphabet, c, 32) == NULL)
			return false;
		ret_letters[n++] = c;
	}
	ret_letters[n] = '\0';
	return n == APP_PASSWORD_LETTERS;
}

bool app_password_hash(const char *user, const char *password, uint8_t ret_hash[APP_PASSWORD_HASH])
{
	static const char label[] = "restante application password";
	char letters[APP_PASSWORD_LETTERS + 1];

	if (!letters_of(password, letters)) {
		secret_wipe(letters, sizeof(letters));
		return false;
	}

	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	/* With the NULs, no two triples are the same octets. */
	const bool ok = ctx != NULL && EVP_DigestInit_ex2(ctx, EVP_sha256(), NULL) == 1 &&
			EVP_DigestUpdate(ctx, label, sizeof(label)) == 1 &&
			EVP_DigestUpdate(ctx, user, strlen(user) + 1) == 1 &&
			EVP_DigestUpdate(ctx, letters, APP_PASSWORD_LETTERS) == 1 &&
			EVP_DigestFinal_ex(ctx, ret_hash, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	secret_wipe(letters, sizeof(letters));
	return ok;
}
