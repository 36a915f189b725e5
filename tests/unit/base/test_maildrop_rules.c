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
	good.trash[sizeof(good.trash) - 1] = '\0';
	good.folders[sizeof(good.folders) - 1] = '\0';
	memset(good.device, 'x', sizeof(good.device) - 1);
	good.device[sizeof(good.device) - 1] = '\0';
	assert_true(maildrop_rules_check(&good));
	r = good;
	r.dele = MAILDROP_DELES;
	assert_false(maildrop_rules_check(&r));
	r = good;
	/* It becomes a part of file names. */
	memcpy(r.device, "../x", sizeof("../x"));
	assert_false(maildrop_rules_check(&r));
	memcpy(r.device, "Phone", sizeof("Phone"));
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

static void test_devices_names(void **state)
{
	static const struct {
		const char *name;
		const char *device; /* NULL: it is none */
	} cases[] = {
		{"phone", "phone"},
		{"Phone", "phone"},
		{"p", "p"},
		{"2", "2"},
		{"a-b_c.d", "a-b_c.d"},
		{"a..b", "a..b"},
		{"", NULL},
		{".", NULL},
		{"-a", NULL},
		{"a-", NULL},
		{"_a", NULL},
		{"a.", NULL},
		{"a/b", NULL},
		{"a b", NULL},
		{"a:b", NULL},
		{"a+b", NULL},
		{"t\xc3\xa9l", NULL},
		{"123456789012345678901234567890123456789012345678901234567890abc",
		 "123456789012345678901234567890123456789012345678901234567890abc"},
		{"123456789012345678901234567890123456789012345678901234567890abcd", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char device[MAILDROP_DEVICE_MAX + 1] = "untouched";
		const bool is = maildrop_device_name(span_str(cases[i].name), device);

		assert_int_equal(is, cases[i].device != NULL);
		assert_string_equal(device, is ? cases[i].device : "untouched");
	}
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

struct value_case {
	const char *name;
	const char *value;
	const char *put; /* NULL: it is refused */
};

static void check_value(const struct value_case *c)
{
	struct maildrop_rules before = {.quota_octets = 4711, .quota_messages = 4711};
	struct maildrop_rules r = before;
	char text[256];
	struct out out = {.p = text, .cap = sizeof(text)};
	unsigned i = 0;
	struct err err;
	const int got = maildrop_rules_set(&r, span_str(c->name), span_str(c->value), &err);

	if (got != (c->put != NULL ? 0 : -EINVAL))
		fail_msg("%s=%s: %d", c->name, c->value, got);
	if (c->put == NULL) {
		assert_memory_equal(&r, &before, sizeof(r));
		assert_non_null(strstr(err.text, c->name));
		return;
	}
	while (strcmp(maildrop_rule(i)->name, c->name) != 0)
		i++;
	assert_true(maildrop_rules_put(&out, &r, i));
	assert_int_equal(out.n, strlen(c->put));
	assert_memory_equal(text, c->put, out.n);
}

static void test_values(void **state)
{
	static const struct value_case cases[] = {
		{"quota_octets", "0", "0"},
		{"quota_octets", "1G", "1073741824"},
		{"quota_octets", "1125899906842624", "1125899906842624"},
		{"quota_octets", "1125899906842625", NULL},
		{"quota_octets", "1m", NULL},
		{"quota_octets", "", NULL},
		{"quota_octets", "00000000000000000000000000000000001", NULL},
		{"quota_messages", "4294967295", "4294967295"},
		{"quota_messages", "4294967296", NULL},
		{"quota_messages", "1K", NULL},
		{"quota_messages", "-1", NULL},
		{"login_delay", "90", "90"},
		{"login_delay", "2m", "120"},
		{"login_delay", "1d", "86400"},
		{"login_delay", "86401", NULL},
		{"expire_days", "36500", "36500"},
		{"expire_days", "36501", NULL},
		{"expire_days", "1d", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_value(&cases[i]);
}

static void test_words(void **state)
{
	static const struct {
		const char *words;
		uint64_t octets;
		uint64_t messages;
		bool wrong;
	} cases[] = {
		{"", 1, 2, false},
		{"nologin userdb_mail=/x x=y", 1, 2, false},
		{"quota_octets=5", 5, 2, false},
		{" a  quota_octets=5 quota_messages=6 ", 5, 6, false},
		{"quota_octets=5 quota_octets=6", 6, 2, false},
		{"quota_octets=0", 0, 2, false},
		{"xquota_octets=5 quota_octetsx=5 quota_octets", 1, 2, false},
		{"quota_octets=", 1, 2, true},
		{"quota_octets=x quota_messages=3", 1, 3, true},
		/* Dovecot's */
		{"userdb_quota_rule=*:storage=1", 1024, 2, false},
		{"userdb_quota_rule=*:storage=1G:messages=9", UINT64_C(1) << 30, 9, false},
		{"userdb_quota_rule=*:bytes=10", 10, 2, false},
		{"userdb_quota_rule=*:storage=3b", 3, 2, false},
		{"userdb_quota_rule=*:storage=2k", 2048, 2, false},
		{"userdb_quota_rule=*:storage=2T", UINT64_C(2) << 40, 2, false},
		{"quota_rule=*:messages=7", 1, 7, false},
		{"userdb_quota_rule=*:storage=0", 0, 2, false},
		{"userdb_quota_rule=*:storage=10%", 1, 2, false},
		{"userdb_quota_rule=*:storage=99999999T", 1, 2, false},
		{"userdb_quota_rule=*:ignore", 1, 2, false},
		{"userdb_quota_rule=*", 1, 2, false},
		{"userdb_quota_rule=*:", 1, 2, false},
		{"userdb_quota_rule=Trash:storage=+100M", 1, 2, false},
		{"userdb_quota_rule2=*:storage=5", 1, 2, false},
		/* Our own word counts, wherever it stands. */
		{"userdb_quota_rule=*:storage=1 quota_octets=5", 5, 2, false},
		{"quota_octets=5 userdb_quota_rule=*:storage=1", 5, 2, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct maildrop_rules r = {.quota_octets = 1, .quota_messages = 2};
		struct maildrop_own_rules own = {0};
		struct err err = {.text = ""};
		const int got = maildrop_own_rules_read(&own, span_str(cases[i].words), &err);

		maildrop_rules_override(&r, &own);
		if (got != (cases[i].wrong ? -EINVAL : 0) || (own.wrong != 0) != cases[i].wrong ||
		    r.quota_octets != cases[i].octets || r.quota_messages != cases[i].messages)
			fail_msg("\"%s\": %d, %llu, %llu", cases[i].words, got,
				 (unsigned long long)r.quota_octets,
				 (unsigned long long)r.quota_messages);
	}
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

static void test_bounds(void **state)
{
	struct maildrop_bounds bounds = {.login_delay = 60};
	struct maildrop_rules r = {.login_delay = 61, .quota_octets = 7};

	(void)state;
	maildrop_rules_bound(&r, &bounds);
	assert_int_equal(r.login_delay, 60);
	assert_int_equal(r.quota_octets, 7);
	r.login_delay = 0;
	maildrop_rules_bound(&r, &bounds);
	assert_int_equal(r.login_delay, 0);
	/* Where nothing is said to expire, nothing does. */
	r.expire_days = 30;
	maildrop_rules_bound(&r, &bounds);
	assert_int_equal(r.expire_days, 0);
	bounds.expire_days = 10;
	maildrop_rules_bound(&r, &bounds);
	assert_int_equal(r.expire_days, 0);
	r.expire_days = 9;
	maildrop_rules_bound(&r, &bounds);
	assert_int_equal(r.expire_days, 10);
	r.expire_days = 11;
	maildrop_rules_bound(&r, &bounds);
	assert_int_equal(r.expire_days, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checked_as_from_anybody),
		cmocka_unit_test(test_devices_names),
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_override),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests_name("maildrop_rules", tests, NULL, NULL);
}
