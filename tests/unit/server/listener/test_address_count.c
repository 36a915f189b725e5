/* SPDX-License-Identifier: MIT */
#include "server/listener/address_count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static uint64_t key_of(const char *text)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};

	if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
		return address_key((const struct sockaddr *)&v6);
	assert_int_equal(inet_pton(AF_INET, text, &v4.sin_addr), 1);
	return address_key((const struct sockaddr *)&v4);
}

static void who_counts_as_whom(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"0.0.0.0", "0.0.0.1", false},
		{"255.255.255.255", "255.255.255.254", false},
		/* a socket for both families shows the one in the other's clothes */
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		/* one customer has a whole /64 */
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"2001:db8::", "2001:db9::", false},
		{"::1", "::1", true},
		{"::1", "127.0.0.1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(key_of(cases[i].a) != 0);
		assert_int_equal(key_of(cases[i].a) == key_of(cases[i].b), cases[i].same);
	}
}

static void a_unix_socket_is_not_counted(void **state)
{
	const struct sockaddr_un un = {.sun_family = AF_UNIX};

	(void)state;
	assert_int_equal(address_key((const struct sockaddr *)&un), 0);
}

static void the_limit_holds(void **state)
{
	struct address_count a = {0};

	(void)state;
	assert_int_equal(address_count_init(&a, 10), 0);
	assert_int_equal(address_count_get(&a, 5), 0);
	assert_int_equal(address_count_add(&a, 5, 2), 0);
	assert_int_equal(address_count_add(&a, 5, 2), 1);
	assert_int_equal(address_count_add(&a, 5, 2), UINT32_MAX);
	assert_int_equal(address_count_get(&a, 5), 2);
	/* One that was refused isn't counted, and no other is refused for it. */
	assert_int_equal(address_count_add(&a, 6, 2), 0);
	assert_int_equal(address_count_add(&a, 5, 0), 2);
	address_count_drop(&a, 5);
	address_count_drop(&a, 5);
	assert_int_equal(address_count_add(&a, 5, 2), 1);
	address_count_drop(&a, 5);
	address_count_drop(&a, 5);
	assert_int_equal(address_count_get(&a, 5), 0);
	assert_int_equal(address_count_get(&a, 6), 1);
	address_count_done(&a);
	address_count_done(&a);
}

/*
 * Against plain counters, with as many addresses as there is room for, so that they
 * collide and close gaps in each other's chains.
 */
static void it_counts_as_plain_counters_do(void **state)
{
	enum { KEYS = 64, ROOM = 48 };
	struct address_count a = {0};
	uint32_t plain[KEYS] = {0};
	unsigned distinct = 0;

	(void)state;
	srandom(1);
	assert_int_equal(address_count_init(&a, ROOM), 0);
	for (int i = 0; i < 200000; i++) {
		const size_t k = (size_t)random() % KEYS;
		const uint64_t key = key_of("2001:db8::") + k;
		const bool add = random() % 2 == 0;

		if (add && (plain[k] > 0 || distinct < ROOM)) {
			distinct += plain[k] == 0;
			assert_int_equal(address_count_add(&a, key, 0), plain[k]++);
		} else if (!add && plain[k] > 0) {
			address_count_drop(&a, key);
			distinct -= --plain[k] == 0;
		}
		if (i % 1000 != 0)
			continue;
		for (size_t j = 0; j < KEYS; j++)
			assert_int_equal(address_count_get(&a, key_of("2001:db8::") + j), plain[j]);
	}
	address_count_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_counts_as_whom),
		cmocka_unit_test(a_unix_socket_is_not_counted),
		cmocka_unit_test(the_limit_holds),
		cmocka_unit_test(it_counts_as_plain_counters_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
