/* SPDX-License-Identifier: MIT */
#include "import/import_uidls.h"

#include "import_help.h"

#define N 7

static void remark(void *ctx, size_t number, const char *text)
{
	(void)text;
	((bool *)ctx)[number] = true;
}

static void make(struct import_listing *l)
{
	static const char *const uidls[N] = {"a", "b", "a", "", "with space", "a", ""};
	static const char *const names[N] = {"", "x,S=3", "", "1.stem,S=5", "", "", "odd name"};

	import_listing_init(l);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(import_listing_add(l, &(struct import_message){.order = i},
						    span_str(names[i])),
				 0);
		if (uidls[i][0] != '\0')
			assert_int_equal(import_listing_set_uidl(l, i, span_str(uidls[i])), 0);
	}
}

static void unique_and_valid(void **state)
{
	struct moving_message v[N];
	struct moving_message again[N];
	size_t index[N];
	bool remarked[N + 1] = {false};
	struct import_listing l;
	struct buf text;
	struct buf text2;

	(void)state;
	make(&l);
	assert_int_equal(import_uidls(&l, false, &text, v, index, remark, remarked), N);
	expect_span(v[0].uidl, "a");
	expect_span(v[1].uidl, "b");
	expect_span(v[3].uidl, "1.stem");
	expect_span(v[3].name, "1.stem,S=5");
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(index[i], i);
		assert_int_equal(v[i].uidl.p[0] == '~', i == 2 || i == 4 || i == 5 || i == 6);
		assert_int_equal(remarked[i + 1], i == 2 || i == 4 || i == 5);
		for (size_t k = 0; k < i; k++)
			assert_false(span_eq(v[i].uidl, v[k].uidl));
	}
	assert_int_equal(import_uidls(&l, false, &text2, again, index, remark, remarked), N);
	for (size_t i = 0; i < N; i++)
		assert_true(span_eq(v[i].uidl, again[i].uidl));
	buf_done(&text);
	buf_done(&text2);
	import_listing_done(&l);
}

/* What no client has seen is left to have the UIDL that it has. */
static void in_place(void **state)
{
	struct moving_message v[N];
	size_t index[N];
	bool remarked[N + 1];
	struct import_listing l;
	struct buf text;

	(void)state;
	make(&l);
	assert_int_equal(import_uidls(&l, true, &text, v, index, remark, remarked), N - 2);
	assert_int_equal(index[3], 4);
	assert_int_equal(index[4], 5);
	buf_done(&text);
	import_listing_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unique_and_valid),
		cmocka_unit_test(in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
