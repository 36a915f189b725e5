/* SPDX-License-Identifier: MIT */
/*
 * Stored passwords made by others: doveadm pw, openssl passwd, Python's hashlib
 * and crypt. Each must let its password in, and no other.
 */
#include "auth/scheme.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/span.h"

struct vector {
	const char *stored;
	const char *password;
	const char *name;
};

/* clang-format off */
static const struct vector vectors[] = {
	/* doveadm pw -s SCHEME -p 'pass word' */
	{ "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$OZpYHTOnjUd44KWZaV7c5w$Onl+FhUYI/KGM5IAht9AiyqRFKFyFNBldmuZL6PTV8A", "pass word", "ARGON2ID" },
	{ "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$vr5Yxxf5Orh3FU0E0KwvOw$wr9k912RP/3Yl68aDY+Lyf7ixy3aJ3zU6d1om3yJmVM", "pass word", "ARGON2I" },
	{ "{SSHA256}o+F310OzAPbJ5ME2rXvBcq/u7HZHnWXv/CHSuqDhhvZyZQ08", "pass word", "SSHA256" },
	{ "{SSHA512}FhV1iEZHKgIyBgL3SLrQ/MoCqG8nTcK0c0YO8+FTya9JRv9qtpUvJPsBiyr4qLn58grL2Gn9GXT6n/ZMa07vVBbrda0=", "pass word", "SSHA512" },
	{ "{SSHA}DszVqqtGRSp52sei5s5eaPufz+Td/1tN", "pass word", "SSHA" },
	{ "{SSHA.HEX}17728c52405ad228ab0d6c116e03e6f5aa0bf4e23dae57e9", "pass word", "SSHA" },
	{ "{SMD5}D/fOvJ/kfXf998HDTsi2Y/8H31M=", "pass word", "SMD5" },
	{ "{SHA}2oguq15ANCGsJCWKX31fllwpyEk=", "pass word", "SHA" },
	{ "{SHA1}2oguq15ANCGsJCWKX31fllwpyEk=", "pass word", "SHA1" },
	{ "{SHA256}eJgOJX9BJDf7+TQ3h7wA7FsQY2QpvAALKQEHM1sIl4Y=", "pass word", "SHA256" },
	{ "{SHA256.hex}78980e257f412437fbf9343787bc00ec5b10636429bc000b290107335b089786", "pass word", "SHA256" },
	{ "{sha256}78980E257F412437FBF9343787BC00EC5B10636429BC000B290107335B089786", "pass word", "SHA256" },
	{ "{SHA512}Nq7XWhQpjD4VwA82iHbXmY8NSz1w7/A84XtT9npPaxW+U8Dt41vjbL2JY3A7kd5cgXmFPhhROfO9ihvprNn13A==", "pass word", "SHA512" },
	{ "{PLAIN-MD5}4ac6430a17d0215b3052b15c879d48bc", "pass word", "PLAIN-MD5" },
	{ "{LDAP-MD5}SsZDChfQIVswUrFch51IvA==", "pass word", "LDAP-MD5" },
	{ "{PBKDF2}$1$Pfd5jYgxapbVed3U$5000$e0f5ae895d49f37b5e38ed6f427f1965a61363d9", "pass word", "PBKDF2" },
	{ "{CRYPT}$2y$05$GIPYG/0uSU9B5disXU0WAun3QthbFCDi6pNQuKlHSLiUQWLRzWRu6", "pass word", "CRYPT" },
	{ "{BLF-CRYPT}$2y$05$cWh2.wlI1rqvqKqf98B36e46ysorFvbTaMwiUzIRHTNpgwp6OWCqO", "pass word", "BLF-CRYPT" },
	{ "{MD5-CRYPT}$1$43ND6Cld$XtK/SULCq8ACiO8NRG9.3/", "pass word", "MD5-CRYPT" },
	{ "{SHA256-CRYPT}$5$RpsJ36Lu1d2Tl9UF$HgFoqcwtbYw7b1L0s87h.jjJYzBUvc.YJhcuoNIUEp/", "pass word", "SHA256-CRYPT" },
	{ "{SHA512-CRYPT}$6$Urml75UJ1wkWICO5$fY8RtcuGV8glpM.Fm/bJIZmrfQXKO0T0IkHJG4LpYmjvinNiABGG0ZsuTwclXqIpEJUwU66bbBz2VU20qJ2nG1", "pass word", "SHA512-CRYPT" },
	{ "{PLAIN}pass word", "pass word", "PLAIN" },
	{ "{PLAIN.B64}cGFzcyB3b3Jk", "pass word", "PLAIN" },
	{ "{CLEARTEXT.HEX}78", "x", "CLEARTEXT" },
	{ "{BLF-CRYPT.B64}JDJ5JDA1JDVjS1dUTUhOZjMwZk5ySjhVOWguQU9lZi4waE5DSjUxbmpvd3FiUGNoM3BOZEVTN1JXOVEu", "x", "BLF-CRYPT" },
	{ "{SHA512-CRYPT.HEX}2436242e6f3142647350326e717144776777452454536952634173555853776e4941356275644f4b53697079422e42636636305554454a6a635576694b526b777757685233304943377a6e636959423037336937777a6a68674851656d4e464235632e67495355426230", "x", "SHA512-CRYPT" },
	/* Latin and beyond, in UTF-8 */
	{ "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$cYW9uJcfDX/a8BizkXi6VA$QiivgIfMHHqD++22jilYYZ+vNrrX5c6qtl3w4vsCG1w", "p\xc3\xa4ssw\xc3\xb6rd", "ARGON2ID" },
	/* openssl passwd */
	{ "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1", "Hello world!", "CRYPT" },
	{ "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!", "CRYPT" },
	{ "$1$saltstri$YMyguxXMBpd2TEZ.vS/3q1", "Hello world!", "CRYPT" },
	/* Python's crypt */
	{ "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$zwtVrjrUCmXcyLTs6oxLTQlzifSUkF8RHJ./tK5KU79", "correct horse", "CRYPT" },
	{ "$gy$j9T$F5Jx5fExrKuPp53xLKQ..1$fjSOzYe3VPU6Q.dJqx4tYW6CE1ptRyuKNHZ4IlHBYq1", "correct horse", "CRYPT" },
	{ "{CRYPT}$7$CU..../....2Q9obwLhin8qvQl6sisAO/$oIC8WxhpH9ruKl.LfT0rUVd1y3wES8GrhOwdmCotLyD", "correct horse", "CRYPT" },
	{ "$2b$05$CCCCCCCCCCCCCCCCCCCCC.WrAwgFxicHZ3kL7zMvXYXHKosDn8ot2", "correct horse", "CRYPT" },
	{ "{CRYPT}abhv/ZnAzL36k", "secret12", "CRYPT" },
	{ "{DES-CRYPT}abhv/ZnAzL36k", "secret12", "DES-CRYPT" },
	/* Python's hashlib: digest of "correct horse" "NaCl" */
	{ "{SSHA}Ki+Q9Ri8Nn2QN1jUbcaqfsgK/pJOYUNs", "correct horse", "SSHA" },
	{ "{SSHA256.hex}459b757df3d40423c89b513188199edbf3eae8b8f198e57e52ec130f161411794e61436c", "correct horse", "SSHA256" },
	{ "{SMD5.b64}WvNhLLitFNNM0XshzutEnU5hQ2w=", "correct horse", "SMD5" },
	{ "{SHA}2f9e53523b62abc141a2b4d6019d23cba835dbd0", "correct horse", "SHA" },
	{ "{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=", "pencil", "SCRAM-SHA-1" },
	{ "{scram-sha-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", "pencil", "SCRAM-SHA-256" },
	{ "{PBKDF2}$1$NaCl$100$d54848bba634668076d12a8df0dcc1e1fb7202e7", "correct horse", "PBKDF2" },
};
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void lets_the_right_one_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct err err = {{0}};

		if (scheme_check(v->stored, &err) != 0)
			fail_msg("%s: %s", v->stored, err.text);
		if (scheme_verify(v->stored, v->password, &err) != 1)
			fail_msg("%s: doesn't let '%s' in", v->stored, v->password);
		assert_string_equal(scheme_name(v->stored), v->name);
	}
}

static void keeps_others_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		const struct vector *v = &vectors[i];
		const size_t n = strlen(v->password);
		char wrong[64];

		(void)snprintf(wrong, sizeof(wrong), "%s", v->password);
		wrong[0] ^= 1;
		if (scheme_verify(v->stored, wrong, NULL) != 0)
			fail_msg("%s: lets '%s' in", v->stored, wrong);
		wrong[0] ^= 1;
		wrong[n - 1] = '\0';
		if (scheme_verify(v->stored, wrong, NULL) != 0)
			fail_msg("%s: lets '%s' in", v->stored, wrong);
		if (scheme_verify(v->stored, "", NULL) != 0)
			fail_msg("%s: lets an empty password in", v->stored);
	}
}

/* A digit of the hash changed: no password fits any more, whatever the scheme. */
static void every_digit_counts(void **state)
{
	static const char *const stored[] = {
		"{SSHA256}o+F310OzAPbJ5ME2rXvBcq/u7HZHnWXv/CHSuqDhhvZyZQ08",
		"{SHA}2oguq15ANCGsJCWKX31fllwpyEk=",
		"{PBKDF2}$1$Pfd5jYgxapbVed3U$5000$e0f5ae895d49f37b5e38ed6f427f1965a61363d9",
		"$1$43ND6Cld$XtK/SULCq8ACiO8NRG9.3/",
		"{PLAIN}pass word",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(stored); i++) {
		const char *dollar = strrchr(stored[i], '$');
		const char *hash = dollar != NULL ? dollar : strchr(stored[i], '}');

		/* The last digit of base64 may hold bits that belong to nothing, before a '='. */
		for (size_t at = (size_t)(hash - stored[i]) + 1; at < strlen(stored[i]) - 2; at++) {
			char changed[256];

			(void)snprintf(changed, sizeof(changed), "%s", stored[i]);
			changed[at] = changed[at] == 'a' ? 'b' : 'a';
			if (scheme_verify(changed, "pass word", NULL) == 1 &&
			    strcmp(changed, stored[i]) != 0)
				fail_msg("%s still lets it in", changed);
		}
	}
}

struct bad {
	const char *stored;
	const char *says; /* must stand in the error */
};

static const struct bad bads[] = {
	{"{ROT13}frperg", "{ROT13}"},
	{"{SSHA.b32}AAAA", "{SSHA.b32}"},
	{"{}x", "{}"},
	{"{SSHA", "no {SCHEME}"},
	{"secret", "no {SCHEME}"},
	{"$", "{CRYPT}"},
	{"$6$", "{CRYPT}"},
	{"$99$aaaaaaaaaaaaaaaaaaaaaaaaaa", "{CRYPT}"},
	{"{SHA512-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
	 "{SHA512-CRYPT}"},
	{"{SHA}", "{SHA}"},
	{"{SHA}2oguq15ANCGsJCWKX31fllwpyEk", "{SHA}"},
	{"{SHA}2oguq15ANCGsJCWK X31fllwpyEk=", "{SHA}"},
	{"{SHA}2oguq15ANCGs=CWKX31fllwpyEk=", "{SHA}"},
	{"{SHA256}2oguq15ANCGsJCWKX31fllwpyEk=", "{SHA256}"},
	/* A salt where none belongs. */
	{"{SHA}Ki+Q9Ri8Nn2QN1jUbcaqfsgK/pJOYUNs", "{SHA}"},
	{"{SSHA.hex}17728c52405ad228ab0d6c116e03e6f5aa0bf4e23dae57e", "{SSHA}"},
	{"{SSHA.hex}17728c52405ad228ab0d6c116e03e6f5aa0bf4e23dae57eg", "{SSHA}"},
	{"{PLAIN}", "{PLAIN}"},
	{"{PLAIN.hex}6100", "{PLAIN}"},
	{"{PLAIN.b64}AGE=", "{PLAIN}"},
	{"{PBKDF2}$1$salt$0$e0f5ae895d49f37b5e38ed6f427f1965a61363d9", "{PBKDF2}"},
	{"{PBKDF2}$1$salt$99999999$e0f5ae895d49f37b5e38ed6f427f1965a61363d9", "{PBKDF2}"},
	{"{PBKDF2}$1$salt$50", "{PBKDF2}"},
	{"{SCRAM-SHA-1}", "{SCRAM-SHA-1}"},
	{"{SCRAM-SHA-256}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+"
	 "qs2/fTE=",
	 "{SCRAM-SHA-256}"},
	{"{ARGON2ID}", "{ARGON2ID}"},
	{"{ARGON2ID}$argon2i$v=19$m=32768,t=4,p=1$vr5Yxxf5Orh3FU0E0KwvOw$wr9k912RP", "{ARGON2ID}"},
	{"{ARGON2ID}$argon2id$v=19$m=1048577,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "m="},
	{"{ARGON2ID}$argon2id$v=19$m=64,t=65,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "t="},
	{"{ARGON2ID}$argon2id$v=19$m=640,t=1,p=65$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "p="},
	{"{ARGON2ID}$argon2id$v=19$m=99999999999,t=1,p=1$c2FsdHNhbHQ$AAAA", "{ARGON2ID}"},
	{"{ARGON2ID}$argon2id$v=19$m=-1,t=1,p=1$c2FsdHNhbHQ$AAAA", "{ARGON2ID}"},
	{"$6$rounds=10000001$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMH", "{CRYPT}"},
	{"$2b$18$CCCCCCCCCCCCCCCCCCCCC.WrAwgFxicHZ3kL7zMvXYXHKosDn8ot2", "{CRYPT}"},
	{"$2b$31$CCCCCCCCCCCCCCCCCCCCC.WrAwgFxicHZ3kL7zMvXYXHKosDn8ot2", "{CRYPT}"},
	{"$y$jGT$F5Jx5fExrKuPp53xLKQ..1$zwtVrjrUCmXcyLTs6oxLTQlzifSUkF8RHJ./tK5KU79", "{CRYPT}"},
	{"{CRYPT}$7$IU..../....2Q9obwLhin8qvQl6sisAO/$oIC8WxhpH9ruKl.LfT0rUVd1y3w", "{CRYPT}"},
};

static void refuses_what_it_cannot_verify(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bads); i++) {
		struct err err = {{0}};

		if (scheme_check(bads[i].stored, &err) != -EINVAL)
			fail_msg("%s is accepted", bads[i].stored);
		if (strstr(err.text, bads[i].says) == NULL)
			fail_msg("%s: '%s' doesn't say '%s'", bads[i].stored, err.text,
				 bads[i].says);
		assert_int_equal(scheme_verify(bads[i].stored, "x", NULL), -EINVAL);
	}
}

/* What passes the cheap check, and only the library finds wrong: a fault, never a match. */
static void a_broken_hash_never_matches(void **state)
{
	static const char *const stored[] = {
		"{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$!!!!$AAAAAAAAAAAAAAAAAAAAAA",
		"{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$",
		"{ARGON2ID}$argon2id$v=19$m=64,t=0,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
		"$2b$05$!!!!!!!!!!!!!!!!!!!!!!WrAwgFxicHZ3kL7zMvXYXHKosDn8ot2",
	};

	/* The beginning of the right hash is not the right hash. */
	static const char *const cut[] = {
		"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl",
		"$6$saltstring$s",
		"$6$saltstring$",
		"$6$saltstring",
		"$1$saltstri$YMyguxXMBpd2TEZ.vS",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(stored); i++)
		assert_int_equal(scheme_verify(stored[i], "x", NULL), -EINVAL);
	for (size_t i = 0; i < COUNT(cut); i++)
		assert_int_equal(scheme_verify(cut[i], "Hello world!", NULL), 0);
}

/* The error must not carry what the operator pasted where the scheme should stand. */
static void errors_hold_no_secret(void **state)
{
	struct err err = {{0}};

	(void)state;
	assert_int_equal(scheme_check("hunter2hunter2", &err), -EINVAL);
	assert_null(strstr(err.text, "hunter2"));
	assert_int_equal(scheme_check("{SHA}hunter2hunter2", &err), -EINVAL);
	assert_null(strstr(err.text, "hunter2"));
	assert_int_equal(scheme_verify("$6$hunter2", "swordfish", &err), -EINVAL);
	assert_null(strstr(err.text, "hunter2"));
	assert_null(strstr(err.text, "swordfish"));
}

static void locked_fits_nothing(void **state)
{
	static const char *const stored[] = {"", "*", "!", "!!", "!{PLAIN}x", "*LK*"};

	(void)state;
	for (size_t i = 0; i < COUNT(stored); i++) {
		assert_true(scheme_is_locked(stored[i]));
		assert_int_equal(scheme_check(stored[i], NULL), 0);
		assert_int_equal(scheme_verify(stored[i], "x", NULL), 0);
		assert_int_equal(scheme_verify(stored[i], "", NULL), 0);
		assert_string_equal(scheme_name(stored[i]), "locked");
	}
	assert_false(scheme_is_locked("{PLAIN}x"));
}

static void makes_what_it_verifies(void **state)
{
	unsigned made = 0;

	(void)state;
	for (unsigned i = 0; scheme_made(i) != NULL; i++, made++) {
		char a[SCHEME_STORED_MAX];
		char b[SCHEME_STORED_MAX];
		struct err err = {{0}};

		if (scheme_make(scheme_made(i), "pa:ss word ", a, sizeof(a), &err) != 0)
			fail_msg("%s: %s", scheme_made(i), err.text);
		assert_int_equal(scheme_make(scheme_made(i), "pa:ss word ", b, sizeof(b), &err), 0);
		assert_null(strchr(a, ':'));
		assert_null(strchr(a, ' '));
		assert_string_equal(scheme_name(a), scheme_made(i));
		assert_int_equal(scheme_verify(a, "pa:ss word ", &err), 1);
		assert_int_equal(scheme_verify(a, "pa:ss word", &err), 0);
		/* Fresh salt each time, but where there is none. */
		assert_int_equal(strcmp(a, b) == 0, strcmp(scheme_made(i), "PLAIN") == 0);
	}
	assert_true(made >= 8);
}

static void making_has_limits(void **state)
{
	char stored[SCHEME_STORED_MAX];
	struct err err = {{0}};

	(void)state;
	assert_int_equal(scheme_make("PLAIN", "simple", stored, sizeof(stored), &err), 0);
	assert_string_equal(stored, "{PLAIN}simple");
	assert_int_equal(scheme_make("plain", "two words", stored, sizeof(stored), &err), 0);
	assert_string_equal(stored, "{PLAIN.b64}dHdvIHdvcmRz");
	assert_int_equal(scheme_make("PLAIN", "", stored, sizeof(stored), &err), -EINVAL);
	assert_int_equal(scheme_make("ROT13", "x", stored, sizeof(stored), &err), -EINVAL);
	assert_non_null(strstr(err.text, "ROT13"));
	assert_int_equal(scheme_make("MD5-CRYPT", "x", stored, sizeof(stored), &err), -EINVAL);
	for (unsigned i = 0; scheme_made(i) != NULL; i++) {
		for (size_t cap = 1; cap < 20; cap += 6)
			assert_true(scheme_make(scheme_made(i), "a long password indeed", stored,
						cap, NULL) < 0);
	}
}

static void plain_gives_the_password_back(void **state)
{
	char password[32];

	(void)state;
	assert_true(scheme_plain("{PLAIN}tanstaaf", password, sizeof(password)));
	assert_string_equal(password, "tanstaaf");
	assert_true(scheme_plain("{cleartext.b64}dGFuc3RhYWY=", password, sizeof(password)));
	assert_string_equal(password, "tanstaaf");
	assert_false(scheme_plain("{SHA}2oguq15ANCGsJCWKX31fllwpyEk=", password, sizeof(password)));
	assert_false(scheme_plain("!{PLAIN}tanstaaf", password, sizeof(password)));
	assert_false(scheme_plain("", password, sizeof(password)));
	assert_false(scheme_plain("{PLAIN}12345678", password, 8));
	assert_true(scheme_plain("{PLAIN}1234567", password, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lets_the_right_one_in),
		cmocka_unit_test(keeps_others_out),
		cmocka_unit_test(every_digit_counts),
		cmocka_unit_test(refuses_what_it_cannot_verify),
		cmocka_unit_test(a_broken_hash_never_matches),
		cmocka_unit_test(errors_hold_no_secret),
		cmocka_unit_test(locked_fits_nothing),
		cmocka_unit_test(makes_what_it_verifies),
		cmocka_unit_test(making_has_limits),
		cmocka_unit_test(plain_gives_the_password_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
