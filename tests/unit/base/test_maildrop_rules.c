/* SPDX-License-Identifier: MIT */
#include "base/maildrop_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

static void test_checked_as_from_anybody(void **state)
{
	struct maildrop_rules good;
	struct maildrop_rules r;

	(void)state;
	memset(&good, 0xff, sizeof(good));
	good.dele = MAILDROP_DELES - 1;
	good.zero = 0;
	good.trash[sizeof(good.trash) - 1] = '\0';
	good.folders[sizeof(good.folders) - 1] = '\0';
	good.device[sizeof(good.device) - 1] = '\0';
	assert_true(maildrop_rules_check(&good));
	r = good;
	r.dele = MAILDROP_DELES;
	assert_false(maildrop_rules_check(&r));
	r = good;
	r.zero = 1;
	assert_false(maildrop_rules_check(&r));
	r = good;
	r.trash[sizeof(r.trash) - 1] = 'x';
	assert_false(maildrop_rules_check(&r));
	r = good;
	r.folders[sizeof(r.folders) - 1] = 'x';
	assert_false(maildrop_rules_check(&r));
	r = good;
	r.device[sizeof(r.device) - 1] = 'x';
	assert_false(maildrop_rules_check(&r));
	memset(&r, 0, sizeof(r));
	assert_true(maildrop_rules_check(&r));
}

static void test_every_row(void **state)
{
	struct maildrop_rules r = {0};
	struct maildrop_own_rules own = {0};
	unsigned n = 0;
	struct err err;

	(void)state;
	for (; maildrop_rule(n) != NULL; n++) {
		char text[256];
		struct out out = {.p = text, .cap = sizeof(text)};
		const struct maildrop_rule *const rule = maildrop_rule(n);
		const int wanted = rule->obeyed ? -EINVAL : -ENOENT;

		assert_true(maildrop_rules_put(&out, &r, n));
		assert_int_equal(maildrop_rules_set(&r, span_str(rule->name), SPAN_LIT("?/"), &err),
				 wanted);
		if (rule->obeyed)
			assert_non_null(strstr(err.text, rule->what));
	}
	/* A bit for each. */
	assert_in_range(n, 1, 32);
	assert_int_equal(maildrop_rules_set(&r, SPAN_LIT("device"), SPAN_LIT("x"), &err), -ENOENT);
	assert_string_equal(err.text, "there is no rule 'device'");
	assert_int_equal(maildrop_own_rules_read(&own, SPAN_LIT("a=b c userdb_mail=/x"), &err), 0);
	assert_int_equal(own.given | own.wrong, 0);
}

/* What is given counts, what isn't doesn't, whatever stands there. */
static void test_override(void **state)
{
	struct maildrop_own_rules own;
	struct maildrop_rules before;

	(void)state;
	memset(&before, 0x11, sizeof(before));
	memset(&own, 0x22, sizeof(own));
	for (unsigned i = 0; maildrop_rule(i) != NULL; i++) {
		struct maildrop_rules r = before;
		size_t changed = 0;

		own.given = 1U << i;
		maildrop_rules_override(&r, &own);
		for (size_t k = 0; k < sizeof(r); k++)
			changed += ((const char *)&r)[k] == 0x22;
		assert_in_range(changed, sizeof(uint32_t), sizeof(r.folders));
		assert_int_equal(r.device[0], 0x11);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checked_as_from_anybody),
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_override),
	};

	return cmocka_run_group_tests_name("maildrop_rules", tests, NULL, NULL);
}
