/* SPDX-License-Identifier: MIT */
/* SCRAM's keys and the client's first message, by the RFCs' own examples. */
#include "auth/scram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "scram_client.h"

/* Of "pencil": RFC 5802 section 5 and RFC 7677 section 3 give salts, iterations and proofs. */
#define SHA_1 "4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE="
#define SHA_256                                         \
	"4096,W22ZaJ0SNY7soEsUEjb6gQ==,"                \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

/* Whoever proves what these keys say has said what the RFC's client says. */
static void the_client_of_our_tests(void **state)
{
	struct scram_client sha1 = {.nonce = "fyko+d2lbbFgONRv9qkxdawL"};
	struct scram_client sha256 = {.sha256 = true};
	char text[512];

	(void)state;
	(void)scram_client_first(&sha1, "user", text, sizeof(text));
	assert_string_equal(text, "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
	(void)scram_client_final(
		&sha1, "pencil",
		SPAN_LIT("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"),
		text, sizeof(text));
	assert_string_equal(text, "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
				  "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
	assert_string_equal(sha1.proved, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");

	(void)scram_client_first(&sha256, "user", text, sizeof(text));
	(void)scram_client_final(&sha256, "pencil",
				 SPAN_LIT("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
					  "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
				 text, sizeof(text));
	assert_string_equal(text, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
				  "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
	assert_string_equal(sha256.proved, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

static void keys(void **state)
{
	static const char *const texts[SCRAM_HASHES] = {SHA_1, SHA_256};
	char text[SCRAM_TEXT_MAX];

	(void)state;
	for (enum scram_hash hash = 0; hash < SCRAM_HASHES; hash++) {
		struct out out = {.p = text, .cap = sizeof(text)};
		struct scram_keys kept;
		struct scram_keys made;

		assert_true(scram_keys_parse(hash, span_str(texts[hash]), &kept));
		assert_int_equal(kept.iterations, 4096);
		made = kept;
		memset(made.stored, 0, sizeof(made.stored));
		memset(made.server, 0, sizeof(made.server));
		assert_true(scram_keys_derive(hash, "pencil", &made));
		assert_memory_equal(made.stored, kept.stored, scram_octets(hash));
		assert_memory_equal(made.server, kept.server, scram_octets(hash));
		assert_true(scram_keys_put(&out, hash, &made));
		assert_true(span_eq(out_span(&out), span_str(texts[hash])));
		assert_true(scram_keys_derive(hash, "Pencil", &made));
		assert_memory_not_equal(made.stored, kept.stored, scram_octets(hash));
		/* Of the other hash they are not. */
		assert_false(scram_keys_parse(!hash, span_str(texts[hash]), &made));
	}
}

static void made_keys(void **state)
{
	char text[SCRAM_TEXT_MAX];

	(void)state;
	for (enum scram_hash hash = 0; hash < SCRAM_HASHES; hash++) {
		struct out out = {.p = text, .cap = sizeof(text) - 1};
		struct scram_keys a, b;

		assert_true(scram_keys_make(hash, "pencil", &a));
		assert_true(scram_keys_make(hash, "pencil", &b));
		assert_int_equal(a.n_salt, SCRAM_SALT);
		assert_int_equal(a.iterations, SCRAM_ITERATIONS);
		assert_memory_not_equal(a.salt, b.salt, SCRAM_SALT);
		/* The longest that are read can be written where they are kept. */
		a.n_salt = SCRAM_SALT_MAX;
		a.iterations = SCRAM_ITERATIONS_MAX;
		memset(a.salt, 0xa5, sizeof(a.salt));
		assert_true(scram_keys_put(&out, hash, &a));
		assert_true(scram_keys_parse(hash, out_span(&out), &b));
		assert_memory_equal(b.salt, a.salt, SCRAM_SALT_MAX);
		for (size_t cap = 0; cap < out.n; cap++) {
			struct out small = {.p = text, .cap = cap};

			assert_false(scram_keys_put(&small, hash, &a));
		}
	}
}

static void keys_that_are_none(void **state)
{
	static const char *const cases[] = {
		"",
		"4096",
		"4096,,,",
		"4096,W22ZaJ0SNY7soEsUEjb6gQ==",
		/* Iterations */
		"0,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=",
		"-1,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=",
		"10000001,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/"
		"fTE=",
		"4294971392,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/"
		"fTE=",
		/* A salt that is none, a key that is too short, too long, or something else; more
		 */
		"4096,,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=",
		"4096,QSXCR+Q6sek8bf9,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=",
		"4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fQ==",
		"4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Zh,D+CSWLOshSulAsxiupA+qs2/fTE=",
		"4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fT!=",
		"4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=",
		SHA_1 ",",
		SHA_1 " ",
		" " SHA_1,
	};
	struct scram_keys ignored;
	char salt[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (scram_keys_parse(SCRAM_SHA_1, span_str(cases[i]), &ignored))
			fail_msg("'%s'", cases[i]);
	}
	/* Cut anywhere */
	for (size_t n = 0; n < sizeof(SHA_256) - 1; n++)
		assert_false(scram_keys_parse(SCRAM_SHA_256, span_of(SHA_256, n), &ignored));
	/* 66 octets of salt: more than SCRAM_SALT_MAX */
	(void)snprintf(salt, sizeof(salt), "4096,%088d,%s", 0,
		       "6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=");
	assert_false(scram_keys_parse(SCRAM_SHA_1, span_str(salt), &ignored));
}

static void first_messages(void **state)
{
	static const struct {
		const char *text;
		char flag;
		const char *binding;
		const char *user;
		const char *other;
	} cases[] = {
		{"n,,n=user,r=abc", 'n', "", "user", ""},
		{"y,,n=user,r=abc", 'y', "", "user", ""},
		{"p=tls-exporter,,n=user,r=abc", 'p', "tls-exporter", "user", ""},
		{"n,a=other,n=user,r=abc", 'n', "", "user", "other"},
		{"n,,n=a=2Cb=3Dc,r=abc", 'n', "", "a,b=c", ""},
		{"n,a==3D=2C,n==2C=2C,r=abc", 'n', "", ",,", "=,"},
		{"n,,n=us er,r=abc,x=extension", 'n', "", "us er", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scram_first f;

		if (!scram_first_parse(span_str(cases[i].text), &f))
			fail_msg("'%s'", cases[i].text);
		assert_int_equal(f.flag, cases[i].flag);
		assert_true(span_eq(f.binding, span_str(cases[i].binding)));
		assert_string_equal(f.user, cases[i].user);
		assert_string_equal(f.other, cases[i].other);
		/* Cut short of its nonce it is none. */
		for (size_t n = strcspn(cases[i].text, "r") + 1; n-- > 0;)
			assert_false(scram_first_parse(span_of(cases[i].text, n), &f));
	}
}

static void first_messages_that_are_none(void **state)
{
	static const struct span cases[] = {
		SPAN_LIT(""),
		SPAN_LIT(","),
		SPAN_LIT(",,"),
		SPAN_LIT("n,,"),
		SPAN_LIT("n,n=user,r=abc"),
		SPAN_LIT("n,,,n=user,r=abc"),
		SPAN_LIT("N,,n=user,r=abc"),
		SPAN_LIT("nn,,n=user,r=abc"),
		SPAN_LIT("x,,n=user,r=abc"),
		SPAN_LIT("p,,n=user,r=abc"),
		SPAN_LIT("p=,,n=user,r=abc"),
		SPAN_LIT("n=tls-exporter,,n=user,r=abc"),
		SPAN_LIT("n,a=,n=user,r=abc"),
		SPAN_LIT("n,b=other,n=user,r=abc"),
		SPAN_LIT("n,,n=,r=abc"),
		SPAN_LIT("n,,n=user,r="),
		SPAN_LIT("n,,r=abc,n=user"),
		/* An extension that has to be understood */
		SPAN_LIT("n,,m=x,n=user,r=abc"),
		/* What stands behind an equals sign is 2C or 3D. */
		SPAN_LIT("n,,n=us=er,r=abc"),
		SPAN_LIT("n,,n=user=,r=abc"),
		SPAN_LIT("n,,n=user=2,r=abc"),
		SPAN_LIT("n,,n=user=2c,r=abc"),
		SPAN_LIT("n,,n=user=3C,r=abc"),
		SPAN_LIT("n,,n=user=2D,r=abc"),
		SPAN_LIT("n,,n=us\0er,r=abc"),
		SPAN_LIT("n,,n=user,r=a\0bc"),
	};
	static char big[SCRAM_FIRST_MAX + 1];
	struct scram_first f;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (scram_first_parse(cases[i], &f))
			fail_msg("case %zu: '%s'", i, cases[i].p);
	}
	/* Names and messages as long as they may be, and one octet more. */
	memset(big, 'x', sizeof(big));
	memcpy(big, "n,,n=", 5);
	memcpy(big + 5 + LIMIT_USER, ",r=", 3);
	assert_true(scram_first_parse(span_of(big, sizeof(big) - 1), &f));
	assert_int_equal(strlen(f.user), LIMIT_USER);
	assert_false(scram_first_parse(span_of(big, sizeof(big)), &f));
	memcpy(big + 5 + LIMIT_USER, "x,r=", 4);
	assert_false(scram_first_parse(span_of(big, sizeof(big) - 1), &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_client_of_our_tests),
		cmocka_unit_test(keys),
		cmocka_unit_test(made_keys),
		cmocka_unit_test(keys_that_are_none),
		cmocka_unit_test(first_messages),
		cmocka_unit_test(first_messages_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
