/* SPDX-License-Identifier: MIT */
/* Each mechanism from begin to end, and what no client should send. */
#include "auth/sasl_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <cmocka.h>

#include "scram_client.h"

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
	assert_int_equal(n, 9);
	assert_true(sasl_mechanism_find("PLAIN")->sends_plain);
	assert_true(sasl_mechanism_find("LOGIN")->sends_plain);
	assert_false(sasl_mechanism_find("CRAM-MD5")->sends_plain);
	assert_true(sasl_mechanism_find("CRAM-MD5")->needs_secret);
	assert_true(sasl_mechanism_find("OAUTHBEARER")->takes_token);
	assert_true(sasl_mechanism_find("XOAUTH2")->takes_token);
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

static const char *const scram_names_of[SCRAM_HASHES] = {"SCRAM-SHA-1", "SCRAM-SHA-256"};

static struct scram_keys keys_of(enum scram_hash hash, const char *password)
{
	struct scram_keys keys = {.iterations = 4096, .n_salt = 5, .salt = "salty"};

	assert_true(scram_keys_derive(hash, password, &keys));
	return keys;
}

/* Up to the challenge with salt and nonce. */
static struct sasl_session *begin_scram(void **state, enum scram_hash hash, struct scram_client *c)
{
	struct sasl_session *s = begin(state, scram_names_of[hash]);
	const struct scram_keys keys = keys_of(hash, "pencil");
	char text[2048];
	const size_t n = scram_client_first(c, "user", text, sizeof(text));

	c->sha256 = hash == SCRAM_SHA_256;
	assert_int_equal(sasl_session_start(s, true, span_of(text, n)), SASL_WANT_KEYS);
	assert_string_equal(sasl_session_user(s), "user");
	assert_int_equal(sasl_session_keys(s, &keys), SASL_CHALLENGE);
	return s;
}

static void scram(void **state)
{
	static const struct {
		const char *sent;
		enum sasl_status status;
	} cases[] = {{"pencil", SASL_PROVED}, {"Pencil", SASL_FAILED}, {"", SASL_FAILED}};

	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const enum sasl_status expected = cases[i / 2].status;
		struct scram_client c = {0};
		struct sasl_session *s = begin_scram(state, i % 2, &c);
		const struct span challenge = sasl_session_challenge(s);
		char text[2048];
		char again[2048];

		(void)snprintf(again, sizeof(again), "%.*s", (int)challenge.n, challenge.p);
		assert_non_null(strstr(again, ",s=c2FsdHk=,i=4096"));

		const size_t n = scram_client_final(&c, cases[i / 2].sent, span_str(again), text,
						    sizeof(text));
		enum sasl_status status = sasl_session_step(s, span_of(text, n));

		if (expected == SASL_PROVED) {
			/* Our own proof first, and the client's empty yes to it. */
			assert_int_equal(status, SASL_CHALLENGE);
			assert_true(span_eq(sasl_session_challenge(s), span_str(c.proved)));
			status = sasl_session_step(s, span_of("", 0));
		}
		assert_int_equal(status, expected);
		sasl_session_free(s);

		/* The same answer fits no other exchange. */
		c = (struct scram_client){0};
		s = begin_scram(state, i % 2, &c);
		assert_int_equal(sasl_session_step(s, span_of(text, n)), SASL_FAILED);
		sasl_session_free(s);
	}
}

static void scram_names(void **state)
{
	static const struct {
		const char *first;
		enum sasl_status status;
	} cases[] = {
		{"n,,n=user,r=abc", SASL_WANT_KEYS},
		{"y,,n=user,r=abc", SASL_WANT_KEYS},
		{"n,a=user,n=user,r=abc", SASL_WANT_KEYS},
		{"n,a=root,n=user,r=abc", SASL_FAILED},
		/* For what binds to the channel there are other mechanisms. */
		{"p=tls-unique,,n=user,r=abc", SASL_MALFORMED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sasl_session *s = begin(state, "SCRAM-SHA-256");

		/* Without an initial response an empty challenge comes first. */
		assert_int_equal(sasl_session_start(s, false, span_of("", 0)), SASL_CHALLENGE);
		assert_int_equal(sasl_session_challenge(s).n, 0);
		assert_int_equal(sasl_session_step(s, span_str(cases[i].first)), cases[i].status);
		assert_string_equal(sasl_session_user(s), "user");
		sasl_session_free(s);
	}
}

static void scram_garbage(void **state)
{
	static char big[LIMIT_SASL_OCTETS];
	static const char *const cases[] = {
		"", "x", "n,,", "n,,n=user", "n,,n=user,r=", "n,,r=a,n=u"};
	const struct scram_keys keys = keys_of(SCRAM_SHA_256, "pencil");

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sasl_session *s = begin(state, "SCRAM-SHA-256");

		assert_int_equal(sasl_session_start(s, true, span_str(cases[i])), SASL_MALFORMED);
		sasl_session_free(s);
	}

	struct sasl_session *s = begin(state, "SCRAM-SHA-256");

	memset(big, 'x', sizeof(big));
	memcpy(big, "n,,n=user,r=", 12);
	assert_int_equal(sasl_session_start(s, true, span_of(big, sizeof(big))), SASL_MALFORMED);
	sasl_session_free(s);
	/* A name that SASLprep refuses goes as far as it would if it were somebody's. */
	s = begin(state, "SCRAM-SHA-256");
	assert_int_equal(sasl_session_start(s, true, SPAN_LIT("n,,n=us\xff,r=abc")),
			 SASL_WANT_KEYS);
	assert_int_equal(sasl_session_keys(s, &keys), SASL_FAILED);
	sasl_session_free(s);
	/* Left in the middle: nothing leaks. */
	s = begin(state, "SCRAM-SHA-256");
	assert_int_equal(sasl_session_start(s, true, SPAN_LIT("n,,n=user,r=abc")), SASL_WANT_KEYS);
	sasl_session_free(s);
}

/* The right answer, with one thing in it changed. */
static void scram_finals(void **state)
{
	static const struct {
		const char *from; /* where, in "c=biws,r=...,p=..." */
		size_t at;        /* octets behind it */
		char to;
		enum sasl_status status;
	} cases[] = {
		{"c=biws", 5, 'x', SASL_FAILED},    /* another header than before */
		{"c=biws", 2, '!', SASL_MALFORMED}, /* no base64 */
		{"c=", 0, 'x', SASL_MALFORMED},
		{",r=", 3, 'R', SASL_FAILED},  /* another nonce of the client's */
		{",p=", -1, '~', SASL_FAILED}, /* of ours */
		{",p=", 3, '!', SASL_MALFORMED},
		{",p=", 0, ' ', SASL_MALFORMED},
		{",p=", 3, '\0', SASL_MALFORMED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scram_client c = {0};
		struct sasl_session *s = begin_scram(state, SCRAM_SHA_256, &c);
		char text[2048];
		const size_t n = scram_client_final(&c, "pencil", sasl_session_challenge(s), text,
						    sizeof(text));

		strstr(text, cases[i].from)[cases[i].at] = cases[i].to;

		const enum sasl_status status = sasl_session_step(s, span_of(text, n));

		if (status != cases[i].status)
			fail_msg("case %zu: %d", i, (int)status);
		sasl_session_free(s);
	}
	/* Cut anywhere it proves nothing. */
	for (size_t cut = 0; cut < 100; cut++) {
		struct scram_client c = {0};
		struct sasl_session *s = begin_scram(state, SCRAM_SHA_256, &c);
		char text[2048];
		const size_t n = scram_client_final(&c, "pencil", sasl_session_challenge(s), text,
						    sizeof(text));
		const enum sasl_status status = sasl_session_step(s, span_of(text, cut));

		assert_true(cut < n);
		assert_true(status == SASL_FAILED || status == SASL_MALFORMED);
		sasl_session_free(s);
	}
	/* Something else than an empty yes to our proof. */
	struct scram_client c = {0};
	struct sasl_session *s = begin_scram(state, SCRAM_SHA_256, &c);
	char text[2048];
	const size_t n = scram_client_final(&c, "pencil", sasl_session_challenge(s), text,
					    sizeof(text));

	assert_int_equal(sasl_session_step(s, span_of(text, n)), SASL_CHALLENGE);
	assert_int_equal(sasl_session_step(s, SPAN_LIT("x")), SASL_MALFORMED);
	sasl_session_free(s);
}

/* The exchange with what each side thinks that the connection is. */
static enum sasl_status exchange_bound(void **state, enum sasl_binding binding, const char *gs2,
				       struct span ours, struct span theirs)
{
	struct sasl_session *s = begin(state, "SCRAM-SHA-256-PLUS");
	const struct scram_keys keys = keys_of(SCRAM_SHA_256, "pencil");
	struct scram_client c = {.sha256 = true, .gs2 = gs2, .binding = theirs};
	char text[2048];
	size_t n = scram_client_first(&c, "user", text, sizeof(text));
	enum sasl_status status;

	sasl_session_bind(s, binding, ours);
	assert_int_equal(sasl_session_start(s, true, span_of(text, n)), SASL_WANT_KEYS);
	assert_int_equal(sasl_session_keys(s, &keys), SASL_CHALLENGE);
	n = scram_client_final(&c, "pencil", sasl_session_challenge(s), text, sizeof(text));
	status = sasl_session_step(s, span_of(text, n));
	if (status == SASL_CHALLENGE)
		status = sasl_session_step(s, span_of("", 0));
	sasl_session_free(s);
	return status;
}

static void scram_bound(void **state)
{
	static const struct {
		enum sasl_binding binding;
		const char *gs2;
		struct span ours;
	} cases[] = {
		{SASL_BINDING_TLS_EXPORTER, "p=tls-exporter,,",
		 SPAN_LIT("0123456789abcdef\0\1\2\3\4\5\6\7\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8")},
		{SASL_BINDING_TLS_UNIQUE, "p=tls-unique,,", SPAN_LIT("\0finished\xff\xfe\xfd")},
		{SASL_BINDING_TLS_SERVER_END_POINT, "p=tls-server-end-point,,",
		 SPAN_LIT("hash of a certificate, 32 octets")},
	};

	for (size_t i = 0; i < 3; i++) {
		const struct span ours = cases[i].ours;
		char other[32];

		assert_int_equal(exchange_bound(state, cases[i].binding, cases[i].gs2, ours, ours),
				 SASL_PROVED);
		/* Another connection; a part of this one; none. */
		for (size_t at = 0; at < ours.n; at++) {
			memcpy(other, ours.p, ours.n);
			other[at] ^= 1;
			assert_int_equal(exchange_bound(state, cases[i].binding, cases[i].gs2, ours,
							span_of(other, ours.n)),
					 SASL_FAILED);
			assert_int_equal(exchange_bound(state, cases[i].binding, cases[i].gs2, ours,
							span_of(ours.p, at)),
					 SASL_FAILED);
		}
	}
}

static void scram_flags(void **state)
{
	static const struct {
		const char *mechanism;
		enum sasl_binding binding;
		const char *first;
		enum sasl_status status;
	} cases[] = {
		/* A client that can't bind, and one that was told that we can't. */
		{"SCRAM-SHA-256", SASL_BINDINGS, "n,,n=user,r=abc", SASL_WANT_KEYS},
		{"SCRAM-SHA-256", SASL_BINDINGS, "y,,n=user,r=abc", SASL_WANT_KEYS},
		{"SCRAM-SHA-256", SASL_BINDING_TLS_UNIQUE, "n,,n=user,r=abc", SASL_WANT_KEYS},
		{"SCRAM-SHA-256", SASL_BINDING_TLS_UNIQUE, "y,,n=user,r=abc", SASL_FAILED},
		{"SCRAM-SHA-1", SASL_BINDING_TLS_EXPORTER, "y,,n=user,r=abc", SASL_FAILED},
		{"SCRAM-SHA-256", SASL_BINDING_TLS_UNIQUE, "p=tls-unique,,n=user,r=abc",
		 SASL_MALFORMED},
		{"SCRAM-SHA-256-PLUS", SASL_BINDING_TLS_UNIQUE, "n,,n=user,r=abc", SASL_MALFORMED},
		{"SCRAM-SHA-256-PLUS", SASL_BINDING_TLS_UNIQUE, "y,,n=user,r=abc", SASL_MALFORMED},
		{"SCRAM-SHA-1-PLUS", SASL_BINDING_TLS_UNIQUE, "p=tls-unique,,n=user,r=abc",
		 SASL_WANT_KEYS},
		{"SCRAM-SHA-1-PLUS", SASL_BINDING_TLS_UNIQUE, "p=tls-exporter,,n=user,r=abc",
		 SASL_MALFORMED},
		{"SCRAM-SHA-1-PLUS", SASL_BINDING_TLS_EXPORTER, "p=tls-unique,,n=user,r=abc",
		 SASL_MALFORMED},
		{"SCRAM-SHA-1-PLUS", SASL_BINDING_TLS_EXPORTER,
		 "p=tls-server-end-point,,n=user,r=abc", SASL_MALFORMED},
		{"SCRAM-SHA-1-PLUS", SASL_BINDING_TLS_SERVER_END_POINT,
		 "p=tls-server-end-point,,n=user,r=abc", SASL_WANT_KEYS},
		{"SCRAM-SHA-1-PLUS", SASL_BINDING_TLS_SERVER_END_POINT,
		 "p=tls-exporter,,n=user,r=abc", SASL_MALFORMED},
		{"SCRAM-SHA-1-PLUS", SASL_BINDING_TLS_SERVER_END_POINT,
		 "p=tls-server-end-point2,,n=user,r=abc", SASL_MALFORMED},
		{"SCRAM-SHA-1", SASL_BINDING_TLS_SERVER_END_POINT, "y,,n=user,r=abc", SASL_FAILED},
		{"SCRAM-SHA-1-PLUS", SASL_BINDINGS, "p=tls-unique,,n=user,r=abc", SASL_MALFORMED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sasl_session *s = begin(state, cases[i].mechanism);

		if (cases[i].binding != SASL_BINDINGS)
			sasl_session_bind(s, cases[i].binding, SPAN_LIT("0123456789ab"));

		const enum sasl_status status = sasl_session_start(s, true,
								   span_str(cases[i].first));

		if (status != cases[i].status)
			fail_msg("case %zu: %d", i, (int)status);
		sasl_session_free(s);
	}
}

/* Somebody else decides, and who is refused hears why before the exchange ends. */
static void tokens(void **state)
{
	static const struct {
		const char *mechanism;
		struct span message;
		const char *user;
		const char *error;
	} cases[] = {
		{"OAUTHBEARER", SPAN_LIT("n,a=alice,\1auth=Bearer abc\1\1"), "alice",
		 "{\"status\":\"invalid_token\",\"scope\":\"mail\"}"},
		{"OAUTHBEARER", SPAN_LIT("n,,\1auth=Bearer abc\1\1"), "",
		 "{\"status\":\"invalid_token\",\"scope\":\"mail\"}"},
		{"XOAUTH2", SPAN_LIT("user=alice\1auth=Bearer abc\1\1"), "alice",
		 "{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int initial = 0; initial < 2; initial++) {
			struct sasl_session *s = begin(state, cases[i].mechanism);
			enum sasl_status status = sasl_session_start(s, initial, cases[i].message);

			if (!initial) {
				assert_int_equal(status, SASL_CHALLENGE);
				assert_int_equal(sasl_session_challenge(s).n, 0);
				status = sasl_session_step(s, cases[i].message);
			}
			assert_int_equal(status, SASL_TOKEN);
			assert_string_equal(sasl_session_user(s), cases[i].user);
			assert_string_equal(sasl_session_token(s), "abc");
			assert_int_equal(sasl_session_refuse_token(s, "invalid_token", "mail"),
					 SASL_CHALLENGE);
			assert_true(span_eq(sasl_session_challenge(s), span_str(cases[i].error)));
			/* Another token is no answer either. */
			assert_int_equal(
				sasl_session_step(s, initial ? cases[i].message : SPAN_LIT("\1")),
				SASL_FAILED);
			sasl_session_free(s);
		}
	}
}

/* A scope that doesn't fit is left out: the refusal is what counts. */
static void a_scope_too_long_to_tell(void **state)
{
	static char scope[SASL_ERROR_MAX + 1];
	struct sasl_session *s = begin(state, "OAUTHBEARER");

	memset(scope, 's', sizeof(scope) - 1);
	assert_int_equal(sasl_session_start(s, true, SPAN_LIT("n,,\1auth=Bearer abc\1\1")),
			 SASL_TOKEN);
	assert_int_equal(sasl_session_refuse_token(s, "invalid_token", scope), SASL_CHALLENGE);
	assert_true(span_eq(sasl_session_challenge(s), SPAN_LIT("{\"status\":\"invalid_token\"}")));
	sasl_session_free(s);
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
		TEST(tokens),
		TEST(a_scope_too_long_to_tell),
		TEST(scram),
		TEST(scram_names),
		TEST(scram_garbage),
		TEST(scram_finals),
		TEST(scram_bound),
		TEST(scram_flags),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
