/* SPDX-License-Identifier: MIT */
#include "auth/scram.h"

#include <assert.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include "base/num.h"
#include "base/rand.h"
#include "base/secret.h"
#include "auth/scheme_priv.h"

static const struct {
	const char *name;
	const char *word;
	size_t octets;
	const EVP_MD *(*md)(void);
} hashes[SCRAM_HASHES] = {
	[SCRAM_SHA_1] = {"SCRAM-SHA-1", "scram_sha_1", 20, EVP_sha1},
	[SCRAM_SHA_256] = {"SCRAM-SHA-256", "scram_sha_256", 32, EVP_sha256},
};

const char *scram_name(enum scram_hash hash)
{
	return hashes[hash].name;
}

const char *scram_word(enum scram_hash hash)
{
	return hashes[hash].word;
}

size_t scram_octets(enum scram_hash hash)
{
	return hashes[hash].octets;
}

/* ---- keys ---- */

/* Takes what stands before the next comma, or all of it. */
static struct span take_field(struct span *text)
{
	const size_t n = span_find(*text, ',');
	const struct span field = span_of(text->p, n);

	span_skip(text, n < text->n ? n + 1 : n);
	return field;
}

/* Through a place that has room for the padding too. */
static bool read_octets(struct span text, uint8_t *ret_octets, size_t cap, size_t *ret_n)
{
	uint8_t octets[SCRAM_SALT_MAX + 2];
	size_t n;

	if (!scheme_decode(SCHEME_B64, text, octets, sizeof(octets), &n) || n > cap)
		return false;
	memcpy(ret_octets, octets, n);
	*ret_n = n;
	secret_wipe(octets, sizeof(octets));
	return true;
}

bool scram_keys_parse(enum scram_hash hash, struct span text, struct scram_keys *ret_keys)
{
	struct span field[4];
	uint64_t iterations;
	size_t n_stored;
	size_t n_server;

	for (size_t i = 0; i < 3; i++)
		field[i] = take_field(&text);
	field[3] = text;
	if (!num_parse_u64(field[0], SCRAM_ITERATIONS_MAX, &iterations) || iterations == 0)
		return false;
	ret_keys->iterations = (uint32_t)iterations;
	return read_octets(field[1], ret_keys->salt, SCRAM_SALT_MAX, &ret_keys->n_salt) &&
	       read_octets(field[2], ret_keys->stored, SCRAM_KEY_MAX, &n_stored) &&
	       read_octets(field[3], ret_keys->server, SCRAM_KEY_MAX, &n_server) &&
	       n_stored == scram_octets(hash) && n_server == scram_octets(hash);
}

bool scram_keys_put(struct out *out, enum scram_hash hash, const struct scram_keys *keys)
{
	const size_t n = scram_octets(hash);

	return out_u64(out, keys->iterations) && out_char(out, ',') &&
	       scheme_put_b64(out, keys->salt, keys->n_salt) && out_char(out, ',') &&
	       scheme_put_b64(out, keys->stored, n) && out_char(out, ',') &&
	       scheme_put_b64(out, keys->server, n);
}

static bool key_of(enum scram_hash hash, const uint8_t *salted, const char *what, uint8_t *ret_key)
{
	return HMAC(hashes[hash].md(), salted, (int)scram_octets(hash), (const unsigned char *)what,
		    strlen(what), ret_key, NULL) != NULL;
}

/* RFC 5802 section 3: SaltedPassword, ClientKey, StoredKey, ServerKey. */
bool scram_keys_derive(enum scram_hash hash, const char *password, struct scram_keys *keys)
{
	const EVP_MD *const md = hashes[hash].md();
	const size_t n = scram_octets(hash);
	uint8_t salted[SCRAM_KEY_MAX];
	uint8_t client[SCRAM_KEY_MAX];
	const bool ok = PKCS5_PBKDF2_HMAC(password, (int)strlen(password), keys->salt,
					  (int)keys->n_salt, (int)keys->iterations, md, (int)n,
					  salted) == 1 &&
			key_of(hash, salted, "Client Key", client) &&
			key_of(hash, salted, "Server Key", keys->server) &&
			EVP_Digest(client, n, keys->stored, NULL, md, NULL) == 1;

	secret_wipe(salted, sizeof(salted));
	secret_wipe(client, sizeof(client));
	return ok;
}

bool scram_keys_make(enum scram_hash hash, const char *password, struct scram_keys *ret_keys)
{
	*ret_keys = (struct scram_keys){.iterations = SCRAM_ITERATIONS, .n_salt = SCRAM_SALT};
	rand_fill(ret_keys->salt, SCRAM_SALT);
	return scram_keys_derive(hash, password, ret_keys);
}

/* ---- salts for who has none ---- */

bool scram_salt_key(const char *hostname, uint8_t ret_key[SCRAM_SALT_KEY])
{
	static const char use[] = "restante: salts of SCRAM";
	char id[64];
	const int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	const ssize_t n = fd < 0 ? -1 : read(fd, id, sizeof(id));
	uint8_t key[EVP_MAX_MD_SIZE];
	bool ok = true;

	if (fd >= 0)
		(void)close(fd);
	if (n < 32) {
		rand_fill(ret_key, SCRAM_SALT_KEY);
		return true;
	}
	ok = HMAC(EVP_sha256(), id, (int)n, (const unsigned char *)use, sizeof(use), key, NULL) !=
		     NULL &&
	     HMAC(EVP_sha256(), key, 32, (const unsigned char *)hostname, strlen(hostname), ret_key,
		  NULL) != NULL;
	secret_wipe(id, sizeof(id));
	secret_wipe(key, sizeof(key));
	return ok;
}

bool scram_salt_make_up(const uint8_t key[SCRAM_SALT_KEY], enum scram_hash hash, struct span name,
			struct scram_keys *keys)
{
	uint8_t text[LIMIT_USER + 1];
	uint8_t md[EVP_MAX_MD_SIZE];

	assert(name.n <= LIMIT_USER);
	text[0] = (uint8_t)hash;
	memcpy(text + 1, name.p, name.n);
	if (HMAC(EVP_sha256(), key, SCRAM_SALT_KEY, text, name.n + 1, md, NULL) == NULL)
		return false;
	if (keys->n_salt > 32)
		keys->n_salt = 32;
	memcpy(keys->salt, md, keys->n_salt);
	return true;
}

/* ---- the client's first message ---- */

/* saslname: "=2C" is a comma and "=3D" an equals sign. True when it is one, and fits. */
static bool read_name(struct span text, char ret_name[LIMIT_USER + 1])
{
	size_t n = 0;

	while (text.n > 0) {
		char c = text.p[0];
		size_t used = 1;

		if (c == '=') {
			if (text.n < 3 || text.p[1] != (text.p[2] == 'C' ? '2' : '3') ||
			    (text.p[2] != 'C' && text.p[2] != 'D'))
				return false;
			c = text.p[2] == 'C' ? ',' : '=';
			used = 3;
		}
		if (n == LIMIT_USER)
			return false;
		ret_name[n++] = c;
		span_skip(&text, used);
	}
	ret_name[n] = '\0';
	return n > 0;
}

static bool take_attribute(struct span *text, char name, struct span *ret_value)
{
	const struct span field = take_field(text);

	if (field.n < 2 || field.p[0] != name || field.p[1] != '=')
		return false;
	*ret_value = span_of(field.p + 2, field.n - 2);
	return true;
}

/* "n", "y" or "p=name". */
static bool read_flag(struct span field, struct scram_first *ret)
{
	if (field.n == 0)
		return false;
	ret->flag = field.p[0];
	ret->binding = span_of(field.p + field.n, 0);
	if (ret->flag == 'n' || ret->flag == 'y')
		return field.n == 1;
	return take_attribute(&field, 'p', &ret->binding) && ret->binding.n > 0;
}

bool scram_first_parse(struct span message, struct scram_first *ret_first)
{
	struct span value;

	if (message.n > SCRAM_FIRST_MAX || span_find(message, '\0') < message.n ||
	    !read_flag(take_field(&message), ret_first))
		return false;
	ret_first->other[0] = '\0';
	if (message.n == 0)
		return false;
	if (message.p[0] == ',')
		span_skip(&message, 1);
	else if (!take_attribute(&message, 'a', &value) || !read_name(value, ret_first->other))
		return false;
	return take_attribute(&message, 'n', &value) && read_name(value, ret_first->user) &&
	       message.n > 2 && message.p[0] == 'r' && message.p[1] == '=';
}
