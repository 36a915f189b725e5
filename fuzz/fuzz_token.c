/* SPDX-License-Identifier: MIT */
/*
 * Answers of an authorization server, and tokens: nothing but an object that says it is active
 * is good, and no token that we haven't made a key for is.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int true_always)
{
	if (!true_always)
		abort();
}

/* RFC 7517 appendix A.1: somebody's public key, whose private one nobody here has. */
static const char keys[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
			   "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
			   "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}]}";

static struct token_keys *open_keys(void)
{
	char path[] = "/tmp/restante-fuzz-XXXXXX";
	const int fd = mkstemp(path);

	need(fd >= 0 && write(fd, keys, sizeof(keys) - 1) == sizeof(keys) - 1);

	struct token_keys *k = token_keys_new(path, NULL, NULL);

	need(k != NULL && token_keys_refresh(k, NULL) == 0);
	(void)unlink(path);
	(void)close(fd);
	return k;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct token_keys *k;
	const struct token_rules rules = {
		.issuer = "i", .audience = "a", .scope = "s", .user_claim = "email", .now = 1000};
	const struct span text = span_of((const char *)data, size);

	if (k == NULL)
		k = open_keys();

	const struct token_verdict answer = token_read_answer(text, &rules);

	if (answer.status == TOKEN_GOOD) {
		need(memmem(data, size, "active", 6) != NULL && answer.user[0] != '\0' &&
		     memchr(answer.user, '\0', sizeof(answer.user)) != NULL);
		need(answer.expires + TOKEN_LEEWAY > rules.now || answer.expires == UINT64_MAX);
	} else {
		need(answer.why != NULL);
	}

	const struct token_verdict token = token_verify_jwt(k, text, &rules);

	need(token.status == TOKEN_INVALID && token.why != NULL);
	return 0;
}
