/* SPDX-License-Identifier: MIT */
/* Each mechanism from begin to end, and what no client should send. */
#include "auth/sasl_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <cmocka.h>

static int setup(void **state)
{
	*state = sasl_context_new("mail.example.org");
	return *state == NULL;
}

static int teardown(void **state)
{
	sasl_context_free(*state);
	return 0;
}

static struct sasl_session *begin(void **state, const char *name)
{
	const struct sasl_mechanism *m = sasl_mechanism_find(name);
	struct sasl_session *s;

	assert_non_null(m);
	s = sasl_session_new(*state, m);
	assert_non_null(s);
	return s;
}

struct plain {
	struct span message;
	enum sasl_status status;
	const char *user;
	const char *password;
};

static void plain(void **state)
{
	static const struct plain cases[] = {
		{SPAN_LIT("\0alice\0secret"), SASL_PASSWORD, "alice", "secret"},
		{SPAN_LIT("alice\0alice\0secret"), SASL_PASSWORD, "alice", "secret"},
		{SPAN_LIT("\0alice\0 two  words "), SASL_PASSWORD, "alice", " two  words "},
		{SPAN_LIT("\0a\0p:w\"\\"), SASL_PASSWORD, "a", "p:w\"\\"},
		/* As it was sent, not as SASLprep would have it. */
		{SPAN_LIT("\0a\0\xef\xbc\x91"), SASL_PASSWORD, "a", "\xef\xbc\x91"},
		{SPAN_LIT("\0\xe5\xb1\xb1\0x"), SASL_PASSWORD, "\xe5\xb1\xb1", "x"},
		{SPAN_LIT("root\0alice\0secret"), SASL_FAILED, NULL, NULL},
		{SPAN_LIT("alice\0root\0secret"), SASL_FAILED, NULL, NULL},
		{SPAN_LIT(""), SASL_MALFORMED, NULL, NULL},
		{SPAN_LIT("x"), SASL_MALFORMED, NULL, NULL},
		{SPAN_LIT("\0"), SASL_MALFORMED, NULL, NULL},
		{SPAN_LIT("\0alice"), SASL_MALFORMED, NULL, NULL},
		{SPAN_LIT("alice\0secret"), SASL_MALFORMED, NULL, NULL},
		{SPAN_LIT("\0alice\0sec\0ret"), SASL_MALFORMED, NULL, NULL},
		{SPAN_LIT("\0alice\0secret\0"), SASL_MALFORMED, NULL, NULL},
		{SPAN_LIT("\0a\0\xff\xfe"), SASL_MALFORMED, NULL, NULL},
		{SPAN_LIT("\0\xff\0secret"), SASL_MALFORMED, NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* With an initial response, and as an answer to an empty challenge. */
		for (int initial = 0; initial < 2; initial++) {
			struct sasl_session *s = begin(state, "PLAIN");
			enum sasl_status status = sasl_session_start(s, initial, cases[i].message);

			if (!initial) {
				assert_int_equal(status, SASL_CHALLENGE);
				assert_int_equal(sasl_session_challenge(s).n, 0);
				status = sasl_session_step(s, cases[i].message);
			}
			if (status != cases[i].status)
				fail_msg("case %zu: %d", i, (int)status);
			if (status == SASL_PASSWORD) {
				assert_string_equal(sasl_session_user(s), cases[i].user);
				assert_string_equal(sasl_session_password(s), cases[i].password);
			}
			sasl_session_free(s);
		}
	}
}

/* However long, and cut anywhere: it ends, and never in the buffers of another. */
static void plain_lengths(void **state)
{
	static char message[LIMIT_SASL_OCTETS + 1];

	memset(message, 'x', sizeof(message));
	for (size_t user = 1; user < LIMIT_USER + 3; user += user < LIMIT_USER - 2 ? 50 : 1) {
		for (size_t n = 1; n < LIMIT_PASSWORD + 3; n += n < LIMIT_PASSWORD - 2 ? 200 : 1) {
			struct sasl_session *s = begin(state, "PLAIN");

			message[0] = '\0';
			message[1 + user] = '\0';

			const enum sasl_status status = sasl_session_start(
				s, true, span_of(message, 2 + user + n));
			const bool fits = user <= LIMIT_USER && n <= LIMIT_PASSWORD;

			assert_int_equal(status, fits ? SASL_PASSWORD : SASL_FAILED);
			sasl_session_free(s);
			message[1 + user] = 'x';
		}
	}

	struct sasl_session *s = begin(state, "PLAIN");

	assert_int_equal(sasl_session_start(s, true, span_of(message, sizeof(message))),
			 SASL_MALFORMED);
	sasl_session_free(s);
}

static void login(void **state)
{
	struct sasl_session *s = begin(state, "LOGIN");

	assert_int_equal(sasl_session_start(s, false, span_of("", 0)), SASL_CHALLENGE);
	assert_true(sasl_session_challenge(s).n > 0);
	assert_int_equal(sasl_session_step(s, SPAN_LIT("alice")), SASL_CHALLENGE);
	assert_true(sasl_session_challenge(s).n > 0);
	assert_int_equal(sasl_session_step(s, SPAN_LIT("sec ret")), SASL_PASSWORD);
	assert_string_equal(sasl_session_user(s), "alice");
	assert_string_equal(sasl_session_password(s), "sec ret");
	sasl_session_free(s);

	/* The name at once, as some clients do. */
	s = begin(state, "LOGIN");
	assert_int_equal(sasl_session_start(s, true, SPAN_LIT("alice")), SASL_CHALLENGE);
	assert_int_equal(sasl_session_step(s, SPAN_LIT("secret")), SASL_PASSWORD);
	assert_string_equal(sasl_session_user(s), "alice");
	sasl_session_free(s);

	/* Octets as they are. */
	s = begin(state, "LOGIN");
	assert_int_equal(sasl_session_start(s, true, SPAN_LIT("alice")), SASL_CHALLENGE);
	assert_int_equal(sasl_session_step(s, SPAN_LIT("p\xe4ss")), SASL_PASSWORD);
	assert_string_equal(sasl_session_password(s), "p\xe4ss");
	sasl_session_free(s);
}

static void login_garbage(void **state)
{
	static char big[LIMIT_SASL_OCTETS];
	struct sasl_session *s;

	memset(big, 'x', sizeof(big));
	s = begin(state, "LOGIN");
	assert_int_equal(sasl_session_start(s, true, SPAN_LIT("al\0ice")), SASL_MALFORMED);
	sasl_session_free(s);
	s = begin(state, "LOGIN");
	assert_int_equal(sasl_session_start(s, true, SPAN_LIT("")), SASL_MALFORMED);
	sasl_session_free(s);
	s = begin(state, "LOGIN");
	assert_int_equal(sasl_session_start(s, true, SPAN_LIT("alice")), SASL_CHALLENGE);
	assert_int_equal(sasl_session_step(s, SPAN_LIT("sec\0ret")), SASL_MALFORMED);
	sasl_session_free(s);
	s = begin(state, "LOGIN");
	assert_int_equal(sasl_session_start(s, true, span_of(big, LIMIT_USER + 1)), SASL_CHALLENGE);
	assert_int_equal(sasl_session_step(s, SPAN_LIT("x")), SASL_FAILED);
	sasl_session_free(s);
	s = begin(state, "LOGIN");
	assert_int_equal(sasl_session_start(s, true, SPAN_LIT("alice")), SASL_CHALLENGE);
	assert_int_equal(sasl_session_step(s, span_of(big, sizeof(big))), SASL_FAILED);
	sasl_session_free(s);
	/* Left in the middle: nothing leaks. */
	s = begin(state, "LOGIN");
	assert_int_equal(sasl_session_start(s, true, SPAN_LIT("alice")), SASL_CHALLENGE);
	sasl_session_free(s);
	sasl_session_free(NULL);
}

static struct span cram_answer(const struct sasl_session *s, const char *user, const char *password)
{
	static char answer[512];
	const struct span challenge = sasl_session_challenge(s);
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	int at = snprintf(answer, sizeof(answer), "%s ", user);

	assert_non_null(HMAC(EVP_md5(), password, (int)strlen(password),
			     (const unsigned char *)challenge.p, challenge.n, md, &n));
	for (unsigned i = 0; i < n; i++)
		at += snprintf(answer + at, sizeof(answer) - (size_t)at, "%02x", md[i]);
	return span_of(answer, (size_t)at);
}

static void cram_md5(void **state)
{
	static const struct {
		const char *sent;
		const char *kept; /* NULL: no such user */
		enum sasl_status status;
	} cases[] = {
		{"tanstaaf", "tanstaaf", SASL_PROVED},
		{"tanstaaf", "tanstaag", SASL_FAILED},
		{"tanstaaf", NULL, SASL_FAILED},
		{"", NULL, SASL_FAILED},
		{"p\xc3\xa4", "p\xc3\xa4", SASL_PROVED},
		/* GNU SASL can't prepare it: refused, and not a crash. */
		{"p\xe4", "p\xe4", SASL_FAILED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sasl_session *s = begin(state, "CRAM-MD5");

		assert_int_equal(sasl_session_start(s, false, span_of("", 0)), SASL_CHALLENGE);

		const struct span challenge = sasl_session_challenge(s);

		/* RFC 2195: as a message id, with our name in it. */
		assert_int_equal(challenge.p[0], '<');
		assert_int_equal(challenge.p[challenge.n - 1], '>');
		assert_int_equal(sasl_session_step(s, cram_answer(s, "two words", cases[i].sent)),
				 SASL_WANT_SECRET);
		assert_string_equal(sasl_session_user(s), "two words");
		assert_int_equal(sasl_session_secret(s, cases[i].kept), cases[i].status);
		sasl_session_free(s);
	}
}

static void no_challenge_comes_twice(void **state)
{
	char seen[64][128];

	for (size_t i = 0; i < 64; i++) {
		struct sasl_session *s = begin(state, "CRAM-MD5");

		assert_int_equal(sasl_session_start(s, false, span_of("", 0)), SASL_CHALLENGE);

		const struct span c = sasl_session_challenge(s);

		(void)snprintf(seen[i], sizeof(seen[i]), "%.*s", (int)c.n, c.p);
		sasl_session_free(s);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(seen[i], seen[k]);
	}
}

static void cram_md5_garbage(void **state)
{
	static const struct span cases[] = {
		SPAN_LIT(""),
		SPAN_LIT("x"),
		SPAN_LIT(" "),
		SPAN_LIT(" 00112233445566778899aabbccddeeff"),
		SPAN_LIT("a\0b 00112233445566778899aabbccddeeff"),
		SPAN_LIT("00112233445566778899aabbccddeeff"),
	};
	struct sasl_session *s = begin(state, "CRAM-MD5");

	assert_int_equal(
		sasl_session_start(s, true, SPAN_LIT("tim 00112233445566778899aabbccddeeff")),
		SASL_MALFORMED);
	sasl_session_free(s);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s = begin(state, "CRAM-MD5");
		assert_int_equal(sasl_session_start(s, false, span_of("", 0)), SASL_CHALLENGE);
		assert_int_equal(sasl_session_step(s, cases[i]), SASL_MALFORMED);
		sasl_session_free(s);
	}
	/* Short of a digest: known to be wrong as soon as the secret is there. */
	s = begin(state, "CRAM-MD5");
	assert_int_equal(sasl_session_start(s, false, span_of("", 0)), SASL_CHALLENGE);
	assert_int_equal(sasl_session_step(s, SPAN_LIT("tim 00")), SASL_WANT_SECRET);
	assert_int_equal(sasl_session_secret(s, "tanstaaf"), SASL_FAILED);
	sasl_session_free(s);
}

static void the_table_of_mechanisms(void **state)
{
	unsigned n = 0;

	(void)state;
	for (; sasl_mechanism_at(n) != NULL; n++)
		assert_ptr_equal(sasl_mechanism_find(sasl_mechanism_at(n)->name),
				 sasl_mechanism_at(n));
	assert_int_equal(n, 3);
	assert_true(sasl_mechanism_find("PLAIN")->sends_plain);
	assert_true(sasl_mechanism_find("LOGIN")->sends_plain);
	assert_false(sasl_mechanism_find("CRAM-MD5")->sends_plain);
	assert_true(sasl_mechanism_find("CRAM-MD5")->needs_secret);
	assert_null(sasl_mechanism_find("plain"));
	assert_null(sasl_mechanism_find(""));
	assert_null(sasl_mechanism_find("ANONYMOUS"));
}

static void preparing(void **state)
{
	char out[64];

	(void)state;
	/* RFC 4013 section 3: soft hyphen to nothing, full-width to ASCII. */
	assert_true(sasl_prepare_password("I\xc2\xadX", out, sizeof(out)));
	assert_string_equal(out, "IX");
	assert_true(sasl_prepare_password("\xef\xbc\x91\xef\xbc\x92", out, sizeof(out)));
	assert_string_equal(out, "12");
	/* The same as before, or not to be prepared: nothing to try besides. */
	assert_false(sasl_prepare_password("user", out, sizeof(out)));
	assert_false(sasl_prepare_password("USER two ", out, sizeof(out)));
	assert_false(sasl_prepare_password("p\xc3\xa4ss", out, sizeof(out)));
	assert_false(sasl_prepare_password("p\xe4ss", out, sizeof(out)));
	assert_false(sasl_prepare_password("\x07", out, sizeof(out)));
	assert_false(sasl_prepare_password("", out, sizeof(out)));
	/* All of it vanishes: that would be the empty password. */
	assert_false(sasl_prepare_password("\xc2\xad", out, sizeof(out)));
	/* No room */
	assert_false(sasl_prepare_password("\xef\xbc\x91\xef\xbc\x92", out, 2));
}

static void apop(void **state)
{
	static const char timestamp[] = "<1896.697170952@dbc.mtview.ca.us>";

	(void)state;
	/* RFC 1939 section 7. */
	assert_true(sasl_apop_matches(timestamp, "tanstaaf", "c4c9334bac560ecc979e58001b3e22fb"));
	assert_false(sasl_apop_matches(timestamp, "tanstaag", "c4c9334bac560ecc979e58001b3e22fb"));
	assert_false(sasl_apop_matches(timestamp, "tanstaaf", "c4c9334bac560ecc979e58001b3e22fc"));
	assert_false(sasl_apop_matches(timestamp, "tanstaaf", "C4C9334BAC560ECC979E58001B3E22FB"));
	assert_false(sasl_apop_matches(timestamp, "tanstaaf", "c4c9334bac560ecc979e58001b3e22f"));
	assert_false(sasl_apop_matches(timestamp, "tanstaaf", "c4c9334bac560ecc979e58001b3e22fb0"));
	assert_false(sasl_apop_matches(timestamp, "tanstaaf", ""));
	assert_false(sasl_apop_matches("", "tanstaaf", "c4c9334bac560ecc979e58001b3e22fb"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(plain),
		TEST(plain_lengths),
		TEST(login),
		TEST(login_garbage),
		TEST(cram_md5),
		TEST(no_challenge_comes_twice),
		TEST(cram_md5_garbage),
		TEST(the_table_of_mechanisms),
		TEST(preparing),
		TEST(apop),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
