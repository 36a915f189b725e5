/* SPDX-License-Identifier: MIT */
#include "client/sasl_client.h"

#include "client_help.h"

static const struct sasl_way *way(const char *option)
{
	const struct sasl_way *w;

	for (unsigned i = 0; (w = sasl_way_at(i)) != NULL; i++) {
		if (strcmp(w->option, option) == 0)
			return w;
	}
	fail_msg("%s isn't known", option);
	return NULL;
}

/* The order is the promise: what sends the password comes last. */
static void from_the_best(void **state)
{
	static const char *const order[] = {"scram-sha-256", "scram-sha-1", "cram-md5", "plain",
					    "login"};
	bool sends = false;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		assert_string_equal(sasl_way_at(i)->option, order[i]);
		assert_false(sends && !sasl_way_at(i)->sends_password);
		sends = sasl_way_at(i)->sends_password;
	}
	assert_null(sasl_way_at(5));
}

static struct sasl_client *begin(const char *option)
{
	struct sasl_client *const c = sasl_client_new(way(option), "tim", "tanstaaftanstaaf",
						      "pop.example.org");

	assert_non_null(c);
	return c;
}

static void assert_step(struct sasl_client *c, struct span challenge, struct span response)
{
	struct span r;

	assert_true(sasl_client_step(c, challenge, &r));
	assert_true(span_eq(r, response));
}

static void plain(void **state)
{
	struct sasl_client *c = begin("plain");
	struct span r;

	(void)state;
	assert_step(c, SPAN_LIT(""), SPAN_LIT("\0tim\0tanstaaftanstaaf"));
	assert_true(sasl_client_done(c));
	/* A server that goes on asking. */
	assert_false(sasl_client_step(c, SPAN_LIT("and?"), &r));
	sasl_client_free(c);
}

static void login(void **state)
{
	struct sasl_client *c = begin("login");

	(void)state;
	assert_step(c, SPAN_LIT("User Name"), SPAN_LIT("tim"));
	assert_step(c, SPAN_LIT("Password"), SPAN_LIT("tanstaaftanstaaf"));
	sasl_client_free(c);
}

/* RFC 2195 section 2. */
static void cram_md5(void **state)
{
	struct sasl_client *c = begin("cram-md5");

	(void)state;
	assert_step(c, SPAN_LIT("<1896.697170952@postoffice.reston.mci.net>"),
		    SPAN_LIT("tim b913a602c7eda7a495b4e6e7334d3890"));
	assert_true(sasl_client_done(c));
	sasl_client_free(c);
}

/* A server that says +OK before it has shown that it knows the password isn't believed. */
static void scram_cut_short(void **state)
{
	static const char *const options[] = {"scram-sha-1", "scram-sha-256"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sasl_client *c = begin(options[i]);
		char server[256];
		struct span r;

		assert_true(sasl_client_step(c, SPAN_LIT(""), &r));
		assert_true(span_starts_with_nocase(r, SPAN_LIT("n,,n=tim,r=")));
		assert_false(sasl_client_done(c));
		(void)snprintf(server, sizeof(server), "r=%.*sXYZ,s=QSXCR+Q6sek8bf92,i=4096",
			       (int)(r.n - 11), r.p + 11);
		assert_true(sasl_client_step(c, span_str(server), &r));
		assert_false(sasl_client_done(c));
		/* The signature of somebody who only made up the salt. */
		assert_false(sasl_client_step(c, SPAN_LIT("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="), &r));
		assert_false(sasl_client_done(c));
		sasl_client_free(c);
	}
}

/* RFC 1939 section 7. */
static void apop(void **state)
{
	char digest[APOP_DIGEST_MAX];

	(void)state;
	assert_true(sasl_apop_digest(SPAN_LIT("<1896.697170952@dbc.mtview.ca.us>"), "tanstaaf",
				     digest));
	assert_string_equal(digest, "c4c9334bac560ecc979e58001b3e22fb");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_the_best),   cmocka_unit_test(plain),
		cmocka_unit_test(login),           cmocka_unit_test(cram_md5),
		cmocka_unit_test(scram_cut_short), cmocka_unit_test(apop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
