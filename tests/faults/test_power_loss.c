/* SPDX-License-Identifier: MIT */
/*
 * The store's promises when the power fails: at every moment of every scenario, with
 * nothing on the disk but what was synced, and with much of what wasn't.
 *
 * A kill leaves what the kernel knows, so it can't show that a sync is missing, or
 * comes too late. This does (see power.h for how).
 */
#include "store_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "power.h"
#include "store/maildir/maildir_priv.h"
#include "store_scenarios.h"
#include "store_steps.h"

#define POWER_DIRS (POWER_NEW | POWER_CUR | POWER_TMP | POWER_OTHER)

/* Nothing, each by itself, all but each, and everything: so each comes before each other. */
static const unsigned int early_dirs[] = {
	0,
	POWER_NEW,
	POWER_CUR,
	POWER_TMP,
	POWER_OTHER,
	POWER_DIRS & ~POWER_NEW,
	POWER_DIRS & ~POWER_CUR,
	POWER_DIRS & ~POWER_OTHER,
	POWER_DIRS,
};
static const unsigned int early_octets[] = {0, POWER_LENGTH, POWER_OCTETS};

/* Told when a check fails: it doesn't know itself what it checks. */
static char doing[128];

static int setup(void **state)
{
	doing[0] = '\0';
	*state = help_new("maildir");
	return 0;
}

static int teardown(void **state)
{
	if (doing[0] != '\0')
		print_error("power was lost in: %s\n", doing);
	steps_set(STEPS_OFF, 0, 0);
	power_done();
	help_free(*state);
	return 0;
}

/* The machine is up again: what the store remembered is gone, and it is another boot. */
static void boot(struct help *h)
{
	store_free(h->store);
	assert_int_equal(store_new("maildir", "mx.example", NULL, NULL, &h->store, NULL), 0);
	((struct maildir_store *)h->store)->boot ^= 1;
}

static unsigned int lose_everywhere(struct help *h, const struct scenario *s,
				    unsigned int acknowledged, unsigned int early)
{
	unsigned int n = 0;

	power_begin(early);
	while (power_next()) {
		(void)snprintf(doing, sizeof(doing), "%s, state %u, early 0x%x", s->name, ++n,
			       early);
		boot(h);
		s->check(h, power_at_end() ? acknowledged : 0, true);
	}
	return n;
}

static void power_loss(struct help *h)
{
	unsigned int states = 0;

	for (size_t i = 0; i < scenario_count; i++) {
		const struct scenario *const s = &scenarios[i];
		unsigned int acknowledged;

		scenario_afresh(h);
		s->prepare(h);
		power_watch(h->root);
		acknowledged = s->run(h);
		power_stop();
		assert_int_not_equal(acknowledged, 0);
		for (size_t j = 0; j < sizeof(early_dirs) / sizeof(early_dirs[0]); j++) {
			for (size_t k = 0; k < 3; k++)
				states += lose_everywhere(h, s, acknowledged,
							  early_dirs[j] | early_octets[k]);
		}
		power_done();
	}
	doing[0] = '\0';
	print_message("%u states\n", states);
	assert_true(states > 500);
}

static void test_power_loss(void **state)
{
	power_loss(*state);
}

/* A delivery has a name in tmp/ until it is linked. */
static void test_power_loss_without_tmpfile(void **state)
{
	steps_forbid("tmpfile", EOPNOTSUPP);
	power_loss(*state);
	steps_forbid(NULL, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_power_loss),
		TEST(test_power_loss_without_tmpfile),
	};

	if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK | X_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
