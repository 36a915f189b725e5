/* SPDX-License-Identifier: MIT */
#include "net/tls_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "certificates.h"

#define MAX 8

static struct tls_material materials[MAX];
static struct certificate certificates[MAX];
static size_t n_materials;
static struct tls_names *names;

/* Certificate number n_materials; what kind its key is counts here only as a word. */
static void certificate(enum tls_key_kind kind, const char *alternative)
{
	certificates[n_materials] = certificate_make(&(struct certificate_wish){
		.name = "common.example", .alternative = alternative, .until_s = 86400});
	materials[n_materials] = (struct tls_material){.leaf = certificates[n_materials].x509,
						       .kind = kind};
	n_materials++;
}

static void make(void)
{
	assert_int_equal(tls_names_new(materials, n_materials, &names), 0);
}

static void done(void)
{
	tls_names_free(names);
	names = NULL;
	while (n_materials > 0)
		certificate_done(&certificates[--n_materials]);
}

static void is_choice(const struct tls_choice *c, int rsa, int ec, int ed25519)
{
	assert_non_null(c);
	assert_int_equal(c->of[TLS_KEY_RSA], rsa);
	assert_int_equal(c->of[TLS_KEY_EC], ec);
	assert_int_equal(c->of[TLS_KEY_ED25519], ed25519);
}

static void is_default(int rsa, int ec, int ed25519)
{
	const struct tls_choice c = tls_names_default(names);

	is_choice(&c, rsa, ec, ed25519);
}

static void each_name_has_its_certificate(void **state)
{
	(void)state;
	certificate(TLS_KEY_RSA, "DNS:one.example,DNS:Both.Example");
	certificate(TLS_KEY_RSA, "DNS:two.example,DNS:both.example,IP:127.0.0.1");
	make();
	is_choice(tls_names_find(names, "one.example"), 0, -1, -1);
	is_choice(tls_names_find(names, "two.example"), 1, -1, -1);
	is_choice(tls_names_find(names, "TWO.eXAMPLE"), 1, -1, -1);
	/* The first of a kind. */
	is_choice(tls_names_find(names, "both.example"), 0, -1, -1);
	assert_null(tls_names_find(names, "three.example"));
	assert_null(tls_names_find(names, "one.exampl"));
	assert_null(tls_names_find(names, "one.example."));
	assert_null(tls_names_find(names, "x.one.example"));
	assert_null(tls_names_find(names, ""));
	assert_null(tls_names_find(names, "."));
	/* Only alternative names count, and addresses are no names. */
	assert_null(tls_names_find(names, "common.example"));
	assert_null(tls_names_find(names, "127.0.0.1"));
	is_default(0, -1, -1);
	done();
}

static void kinds_stand_beside_each_other(void **state)
{
	(void)state;
	certificate(TLS_KEY_RSA, "DNS:a.example");
	certificate(TLS_KEY_EC, "DNS:b.example,DNS:a.example");
	certificate(TLS_KEY_ED25519, "DNS:b.example");
	certificate(TLS_KEY_EC, "DNS:a.example");
	make();
	is_choice(tls_names_find(names, "a.example"), 0, 1, -1);
	is_choice(tls_names_find(names, "b.example"), -1, 1, 2);
	is_default(0, 1, -1);
	assert_non_null(tls_names_at(names, 1));
	assert_null(tls_names_at(names, 2));
	done();
}

static void a_star_is_one_label(void **state)
{
	(void)state;
	certificate(TLS_KEY_RSA, "DNS:*.example.org");
	certificate(TLS_KEY_RSA, "DNS:pop.example.org");
	certificate(TLS_KEY_EC, "DNS:*.example.org,DNS:*");
	make();
	is_choice(tls_names_find(names, "mail.example.org"), 0, 2, -1);
	is_choice(tls_names_find(names, "MAIL.EXAMPLE.ORG"), 0, 2, -1);
	/* The name itself goes first; what it hasn't, the star may have. */
	is_choice(tls_names_find(names, "pop.example.org"), 1, 2, -1);
	assert_null(tls_names_find(names, "example.org"));
	assert_null(tls_names_find(names, ".example.org"));
	assert_null(tls_names_find(names, "a.pop.example.org"));
	assert_null(tls_names_find(names, "org"));
	is_default(0, 2, -1);
	done();
}

static void without_names_there_is_a_default(void **state)
{
	(void)state;
	certificate(TLS_KEY_EC, NULL);
	certificate(TLS_KEY_RSA, "DNS:a.example");
	make();
	is_default(-1, 0, -1);
	is_choice(tls_names_find(names, "a.example"), 1, -1, -1);
	done();

	certificate(TLS_KEY_EC, NULL);
	make();
	is_default(-1, 0, -1);
	assert_null(tls_names_find(names, "a.example"));
	assert_null(tls_names_at(names, 0));
	done();
}

/* A client may ask for whatever fits into 255 octets, and some programs don't look. */
static void long_names_are_nobodys(void **state)
{
	char name[400];

	(void)state;
	certificate(TLS_KEY_EC, "DNS:*.example.org");
	make();
	memset(name, 'a', sizeof(name));
	memcpy(name + 243, ".example.org", 13);
	is_choice(tls_names_find(names, name), -1, 0, -1);
	memset(name, 'a', sizeof(name));
	memcpy(name + 244, ".example.org", 13);
	assert_null(tls_names_find(names, name));
	memset(name, '.', sizeof(name));
	name[255] = '\0';
	assert_null(tls_names_find(names, name));
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_name_has_its_certificate),
		cmocka_unit_test(kinds_stand_beside_each_other),
		cmocka_unit_test(a_star_is_one_label),
		cmocka_unit_test(without_names_there_is_a_default),
		cmocka_unit_test(long_names_are_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
