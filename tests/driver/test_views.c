/* SPDX-License-Identifier: MIT */
/*
 * What rules make of a maildrop, held against every driver: the name of the driver is
 * the program's argument. What DELE means, several folders, the newest only, devices.
 */
#include "store_help.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *driver;

/* The store's clock, by so many days ahead of the machine's (--wrap of the linker). */
static unsigned int days_ahead;

uint64_t __real_clock_wall_ns(void);
uint64_t __wrap_clock_wall_ns(void);

uint64_t __wrap_clock_wall_ns(void)
{
	return __real_clock_wall_ns() + days_ahead * UINT64_C(86400000000000);
}

static int setup(void **state)
{
	days_ahead = 0;
	*state = help_new(driver);
	return 0;
}

static int teardown(void **state)
{
	help_free(*state);
	return 0;
}

static const struct maildrop_rules plain;
static const struct maildrop_rules hide = {.dele = MAILDROP_DELE_HIDE};
static const struct maildrop_rules trash = {.dele = MAILDROP_DELE_TRASH};

static struct store_owner owner_with(struct help *h, const struct maildrop_rules *rules)
{
	struct store_owner owner = help_owner(h->maildrop);

	owner.rules = *rules;
	return owner;
}

static struct maildrop *open_as(struct help *h, const struct maildrop_rules *rules)
{
	const struct store_owner owner = owner_with(h, rules);
	struct maildrop *m = NULL;
	struct err err;

	if (maildrop_open_now(h->store, &owner, &m) == 0)
		return m;
	if (maildrop_open(h->store, &owner, &m, &err) < 0)
		fail_msg("%s", err.text);
	return m;
}

static int try_as(struct help *h, const struct maildrop_rules *rules)
{
	const struct store_owner owner = owner_with(h, rules);
	struct maildrop *m;
	const int r = maildrop_open(h->store, &owner, &m, NULL);

	if (r == 0)
		maildrop_close(m);
	return r;
}

static struct maildrop_rules of_device(const char *name)
{
	struct maildrop_rules rules = {0};

	(void)snprintf(rules.device, sizeof(rules.device), "%s", name);
	return rules;
}

/* "1 2 5 ": which messages a session sees, by their texts. */
static char *texts_of(struct maildrop *m)
{
	char *const out = calloc(maildrop_count(m) + 1, 16);
	uint64_t octets = 0;

	assert_non_null(out);
	for (uint32_t n = 1; n <= maildrop_count(m); n++) {
		char *const text = help_text(m, n, NULL);
		unsigned int which;

		assert_int_equal(sscanf(text, "Subject: %u", &which), 1);
		assert_int_equal(help_record(m, n).octets, strlen(text));
		octets += strlen(text);
		(void)snprintf(out + strlen(out), 16, "%u ", which);
		free(text);
	}
	assert_int_equal(maildrop_octets(m), octets);
	return out;
}

static void expect_open(struct maildrop *m, const char *texts)
{
	char *const got = texts_of(m);

	assert_string_equal(got, texts);
	free(got);
}

/* Twice: as it was found, and as it was kept. */
static void expect(struct help *h, const struct maildrop_rules *rules, const char *texts)
{
	for (int turn = 0; turn < 2; turn++) {
		struct maildrop *const m = open_as(h, rules);

		expect_open(m, texts);
		maildrop_close(m);
	}
}

static void deliver_to(struct help *h, const char *path, unsigned int from, unsigned int to)
{
	char text[64];

	for (unsigned int i = from; i <= to; i++) {
		(void)snprintf(text, sizeof(text), "Subject: %u\r\n\r\nbody\r\n", i);
		assert_int_equal(help_deliver(h, path, text), 0);
	}
}

static void deliver(struct help *h, unsigned int from, unsigned int to)
{
	deliver_to(h, h->maildrop, from, to);
}

static int commit_marks(struct maildrop *m, va_list ap)
{
	uint32_t removed;
	int r;

	for (unsigned int n = va_arg(ap, unsigned int); n != 0; n = va_arg(ap, unsigned int))
		assert_int_equal(maildrop_mark(m, n), 0);
	r = maildrop_commit(m, &removed, NULL);
	maildrop_close(m);
	return r == 0 ? (int)removed : r;
}

/* Opens, deletes those numbers (0 ends them); how many, or what went wrong. */
static int delete_as(struct help *h, const struct maildrop_rules *rules, ...)
{
	va_list ap;
	int r;

	va_start(ap, rules);
	r = commit_marks(open_as(h, rules), ap);
	va_end(ap);
	return r;
}

static int quit_with(struct maildrop *m, ...)
{
	va_list ap;
	int r;

	va_start(ap, m);
	r = commit_marks(m, ap);
	va_end(ap);
	return r;
}

static uint32_t undelete_all(struct help *h, const struct maildrop_rules *rules)
{
	const struct store_owner owner = owner_with(h, rules);
	uint32_t n = 77;

	assert_int_equal(maildrop_undelete(h->store, &owner, NULL, 0, &n, NULL), 0);
	return n;
}

struct kept {
	unsigned int count;
	struct store_kept v[16];
};

static void on_kept(void *arg, const struct store_kept *k)
{
	struct kept *const kept = arg;

	assert_true(kept->count < 16);
	kept->v[kept->count++] = *k;
}

static struct kept kept_of(struct help *h, const struct maildrop_rules *rules)
{
	const struct store_owner owner = owner_with(h, rules);
	struct kept kept = {0};

	assert_int_equal(maildrop_deleted(h->store, &owner, on_kept, &kept, NULL), 0);
	return kept;
}

static char *uidls_as(struct help *h, const struct maildrop_rules *rules)
{
	struct maildrop *const m = open_as(h, rules);
	char *const list = help_list(m);

	maildrop_close(m);
	return list;
}

/* ---- what DELE means ---- */

static void comes_back(struct help *h, const struct maildrop_rules *rules)
{
	char *before;
	char *after;

	deliver(h, 1, 6);
	before = uidls_as(h, rules);
	assert_int_equal(delete_as(h, rules, 2, 3, 6, 0), 3);
	expect(h, rules, "1 4 5 ");
	/* Whatever the rules are later: nobody sees it. */
	expect(h, &plain, "1 4 5 ");
	assert_int_equal(delete_as(h, rules, 1, 0), 1);
	expect(h, rules, "4 5 ");
	assert_int_equal(kept_of(h, rules).count, 4);
	assert_int_equal(undelete_all(h, rules), 4);
	expect(h, rules, "1 2 3 4 5 6 ");
	after = uidls_as(h, rules);
	assert_string_equal(before, after);
	free(after);
	free(before);
	assert_int_equal(kept_of(h, rules).count, 0);
	assert_int_equal(undelete_all(h, rules), 0);
	/* And goes again. */
	assert_int_equal(delete_as(h, rules, 3, 0), 1);
	expect(h, rules, "1 2 4 5 6 ");
	deliver(h, 7, 7);
	expect(h, rules, "1 2 4 5 6 7 ");
}

static void test_hidden_comes_back(void **state)
{
	comes_back(*state, &hide);
}

static void test_trashed_comes_back(void **state)
{
	comes_back(*state, &trash);
}

static void one_comes_back(struct help *h, const struct maildrop_rules *rules)
{
	const struct store_owner owner = owner_with(h, rules);
	struct maildrop_rules some_days = *rules;
	const char *wanted[2];
	struct kept kept;
	uint32_t n;

	deliver(h, 1, 5);
	assert_int_equal(delete_as(h, rules, 1, 2, 3, 4, 5, 0), 5);
	expect(h, rules, "");
	some_days.dele_days = 3;
	kept = kept_of(h, &some_days);
	assert_int_equal(kept.count, 5);
	for (unsigned int i = 0; i < 5; i++) {
		assert_string_equal(kept.v[i].folder, "INBOX");
		assert_int_equal(kept.v[i].in_trash, rules->dele == MAILDROP_DELE_TRASH);
		assert_int_equal(kept.v[i].until, kept.v[i].deleted + 3 * 86400);
	}
	wanted[0] = kept.v[3].uidl;
	wanted[1] = "nobody's";
	assert_int_equal(maildrop_undelete(h->store, &owner, wanted, 2, &n, NULL), 0);
	assert_int_equal(n, 1);
	expect(h, rules, "4 ");
	assert_int_equal(kept_of(h, rules).count, 4);
	wanted[0] = kept.v[1].uidl;
	assert_int_equal(maildrop_undelete(h->store, &owner, wanted, 1, &n, NULL), 0);
	expect(h, rules, "2 4 ");
}

static void test_one_hidden_comes_back(void **state)
{
	one_comes_back(*state, &hide);
}

static void test_one_trashed_comes_back(void **state)
{
	one_comes_back(*state, &trash);
}

static void test_nothing_to_bring_back(void **state)
{
	struct help *const h = *state;

	/* No maildrop; one that is empty; one without lists. */
	assert_int_equal(undelete_all(h, &plain), 0);
	assert_int_equal(kept_of(h, &plain).count, 0);
	deliver(h, 1, 2);
	assert_int_equal(help_delete(h, 1, 0), 0);
	assert_int_equal(undelete_all(h, &plain), 0);
	expect(h, &plain, "2 ");
}

/* What is kept is kept for so many days, and no longer; what nobody deleted stays. */
static void goes_for_good(struct help *h, const struct maildrop_rules *rules)
{
	struct maildrop_rules some_days = *rules;

	some_days.dele_days = 3;
	deliver(h, 1, 4);
	assert_int_equal(delete_as(h, &some_days, 1, 2, 0), 2);
	days_ahead = 2;
	assert_int_equal(delete_as(h, &some_days, 1, 0), 1);
	assert_int_equal(kept_of(h, &some_days).count, 3);
	days_ahead = 4;
	expect(h, &some_days, "4 ");
	assert_int_equal(kept_of(h, &some_days).count, 1);
	/* Without days it would have stayed. */
	days_ahead = 6;
	expect(h, rules, "4 ");
	assert_int_equal(undelete_all(h, rules), 1);
	expect(h, rules, "3 4 ");
	days_ahead = 9;
	expect(h, &some_days, "3 4 ");
}

static void test_hidden_goes_for_good(void **state)
{
	goes_for_good(*state, &hide);
}

static void test_trashed_goes_for_good(void **state)
{
	goes_for_good(*state, &trash);
}

/* Not marked, not committed: nothing happens. And one session at a time. */
static void test_hide_is_as_exclusive(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;

	deliver(h, 1, 3);
	m = open_as(h, &hide);
	assert_int_equal(maildrop_mark(m, 2), 0);
	assert_int_equal(try_as(h, &hide), -EBUSY);
	assert_int_equal(try_as(h, &plain), -EBUSY);
	maildrop_close(m);
	expect(h, &hide, "1 2 3 ");
	/* Also when one of them was there before there was anything to be hidden. */
	m = open_as(h, &hide);
	deliver(h, 4, 4);
	assert_int_equal(quit_with(m, 1, 3, 0), 2);
	expect(h, &hide, "2 4 ");
}

static void test_trash_is_a_folder(void **state)
{
	struct help *const h = *state;
	struct maildrop_rules both = trash;
	struct maildrop_rules named = trash;
	char path[HELP_PATH_MAX * 2];

	deliver(h, 1, 3);
	assert_int_equal(delete_as(h, &trash, 2, 0), 1);
	(void)snprintf(path, sizeof(path), "%s/.Trash", h->maildrop);

	/* By itself it is a maildrop like any other. */
	struct store_owner owner = help_owner(path);
	struct maildrop *m;

	assert_int_equal(maildrop_open(h->store, &owner, &m, NULL), 0);
	expect_open(m, "2 ");
	/* Whoever deletes it there deletes it for good. */
	assert_int_equal(quit_with(m, 1, 0), 1);
	assert_int_equal(kept_of(h, &trash).count, 0);
	assert_int_equal(undelete_all(h, &trash), 0);
	expect(h, &trash, "1 3 ");

	(void)snprintf(named.trash, sizeof(named.trash), "Gone");
	assert_int_equal(delete_as(h, &named, 1, 0), 1);
	(void)snprintf(path, sizeof(path), "%s/.Gone", h->maildrop);
	assert_int_equal(maildrop_open(h->store, &owner, &m, NULL), 0);
	expect_open(m, "1 ");
	maildrop_close(m);
	assert_int_equal(undelete_all(h, &named), 1);
	expect(h, &named, "1 3 ");

	/* A message that is deleted there would be where it is. */
	(void)snprintf(both.folders, sizeof(both.folders), "INBOX Trash");
	assert_int_equal(try_as(h, &both), -EINVAL);
}

static void put_back(struct help *h)
{
	char pattern[HELP_PATH_MAX * 2];
	char to[HELP_PATH_MAX * 2];
	glob_t found;

	/* As it was, or with its sizes. */
	(void)snprintf(pattern, sizeof(pattern), "%s/.Trash/*/2.b*", h->maildrop);
	(void)snprintf(to, sizeof(to), "%s/new/2.b", h->maildrop);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	assert_int_equal(rename(found.gl_pathv[0], to), 0);
	globfree(&found);
}

/* Not by us: then it is a message like any other, and isn't deleted a second time. */
static void test_somebody_puts_it_back(void **state)
{
	struct help *const h = *state;
	struct maildrop_rules some_days = trash;

	if (strcmp(driver, "maildir") != 0)
		skip();
	some_days.dele_days = 3;
	help_make_maildir(h->maildrop);
	help_write("Subject: 1\r\n\r\n", "%s/new/1.a", h->maildrop);
	help_write("Subject: 2\r\n\r\n", "%s/new/2.b", h->maildrop);
	help_write("Subject: 3\r\n\r\n", "%s/new/3.c", h->maildrop);
	assert_int_equal(delete_as(h, &some_days, 2, 0), 1);
	expect(h, &some_days, "1 3 ");
	put_back(h);
	expect(h, &some_days, "1 2 3 ");
	assert_int_equal(kept_of(h, &trash).count, 0);
	assert_int_equal(undelete_all(h, &trash), 0);
	days_ahead = 4;
	expect(h, &some_days, "1 2 3 ");

	/* And its days begin when it is deleted again, in whatever way. */
	assert_int_equal(delete_as(h, &some_days, 2, 0), 1);
	expect(h, &some_days, "1 3 ");
	days_ahead = 6;
	expect(h, &some_days, "1 3 ");
	assert_int_equal(kept_of(h, &trash).count, 1);
	put_back(h);
	expect(h, &some_days, "1 2 3 ");
	some_days.dele = MAILDROP_DELE_HIDE;
	assert_int_equal(delete_as(h, &some_days, 2, 0), 1);
	expect(h, &trash, "1 3 ");
	assert_int_equal(undelete_all(h, &trash), 1);
	expect(h, &some_days, "1 2 3 ");
}

/* What couldn't be moved stays out of sight, also when others could be moved after it. */
static void test_trash_that_is_in_the_way(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;
	char path[HELP_PATH_MAX * 2];

	if (strcmp(driver, "maildir") != 0)
		skip();
	deliver(h, 1, 3);
	(void)snprintf(path, sizeof(path), "%s/.Trash", h->maildrop);
	help_write("no folder", "%s", path);
	assert_int_equal(delete_as(h, &trash, 1, 0), 1);
	expect(h, &trash, "2 3 ");
	expect(h, &plain, "2 3 ");

	/* QUIT moves the one that it deletes; the other goes with the next session. */
	m = open_as(h, &trash);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(quit_with(m, 1, 0), 1);
	expect(h, &plain, "3 ");
	expect(h, &trash, "3 ");
	assert_int_equal(undelete_all(h, &trash), 2);
	expect(h, &trash, "1 2 3 ");
}

static void test_usage_is_of_what_is_there(void **state)
{
	struct help *const h = *state;
	const struct store_owner owner = owner_with(h, &plain);
	struct store_usage usage;

	deliver(h, 1, 4);
	assert_int_equal(delete_as(h, &hide, 1, 0), 1);
	assert_int_equal(delete_as(h, &trash, 1, 0), 1);
	expect(h, &plain, "3 4 ");
	assert_int_equal(store_usage(h->store, &owner, &usage, NULL), 0);
	assert_int_equal(usage.messages, 3);
	assert_int_equal(usage.octets, 3 * strlen("Subject: 1\r\n\r\nbody\r\n"));
}

/* ---- folders, and the newest ---- */

static const struct maildrop_rules with_junk = {.folders = "INBOX Junk"};

static char *junk_of(struct help *h)
{
	static char path[HELP_PATH_MAX * 2];

	(void)snprintf(path, sizeof(path), "%s/.Junk", h->maildrop);
	return path;
}

static void test_folders_are_one(void **state)
{
	struct help *const h = *state;
	char *list;

	/* A folder that isn't there is an empty one. */
	deliver(h, 1, 3);
	expect(h, &with_junk, "1 2 3 ");
	deliver_to(h, junk_of(h), 4, 5);
	deliver(h, 6, 6);
	list = uidls_as(h, &with_junk);
	expect(h, &plain, "1 2 3 6 ");

	struct maildrop *m = open_as(h, &with_junk);
	char *const texts = texts_of(m);

	/* All came in the same second or so: each folder keeps its order. */
	assert_int_equal(maildrop_count(m), 6);
	assert_true(strstr(texts, "1 ") < strstr(texts, "2 "));
	assert_true(strstr(texts, "3 ") < strstr(texts, "6 "));
	assert_true(strstr(texts, "4 ") < strstr(texts, "5 "));
	free(texts);
	maildrop_close(m);
	char *const again = uidls_as(h, &with_junk);

	assert_string_equal(list, again);
	free(again);
	free(list);
}

/* The numbers, in a session, of these texts. */
static uint32_t number_of(struct maildrop *m, unsigned int text)
{
	for (uint32_t n = 1; n <= maildrop_count(m); n++) {
		char *const got = help_text(m, n, NULL);
		unsigned int which;

		assert_int_equal(sscanf(got, "Subject: %u", &which), 1);
		free(got);
		if (which == text)
			return n;
	}
	fail_msg("there is no message %u", text);
	return 0;
}

static void deletes_in_both(struct help *h, uint32_t dele)
{
	struct maildrop_rules rules = with_junk;
	struct maildrop *m;
	char *list;
	char *again;

	rules.dele = dele;
	deliver(h, 1, 2);
	deliver_to(h, junk_of(h), 3, 4);
	list = uidls_as(h, &rules);
	m = open_as(h, &rules);

	const uint32_t two = number_of(m, 2);
	const uint32_t three = number_of(m, 3);

	assert_int_equal(quit_with(m, two, three, 0), 2);
	expect(h, &rules, "1 4 ");
	expect(h, &plain, "1 ");
	if (dele == MAILDROP_DELE_DELETE) {
		assert_int_equal(undelete_all(h, &rules), 0);
		free(list);
		return;
	}
	/* Whatever the rules list when it is brought back. */
	assert_int_equal(undelete_all(h, &plain), 2);
	again = uidls_as(h, &rules);
	assert_string_equal(again, list);
	free(again);
	free(list);
}

static void test_delete_in_folders(void **state)
{
	deletes_in_both(*state, MAILDROP_DELE_DELETE);
}

static void test_hide_in_folders(void **state)
{
	deletes_in_both(*state, MAILDROP_DELE_HIDE);
}

static void test_trash_in_folders(void **state)
{
	deletes_in_both(*state, MAILDROP_DELE_TRASH);
}

/* One file in both folders, as another program links it. */
static void link_into_junk(struct help *h, const char *name)
{
	char from[HELP_PATH_MAX * 2];
	char to[HELP_PATH_MAX * 2];

	(void)snprintf(from, sizeof(from), "%s/new/%s", h->maildrop, name);
	(void)snprintf(to, sizeof(to), "%s/.Junk/new/%s", h->maildrop, name);
	help_make_maildir(junk_of(h));
	assert_int_equal(link(from, to), 0);
}

static void test_uidls_are_unique(void **state)
{
	struct help *const h = *state;
	struct maildrop_rules rules = with_junk;
	struct store_owner owner;
	struct maildrop *m;
	char twin[LIMIT_UIDL + 1];
	const char *const wanted[] = {twin};
	uint32_t n;

	/* Nobody else can put messages into the other. */
	if (strcmp(driver, "maildir") != 0)
		skip();
	rules.dele = MAILDROP_DELE_HIDE;
	help_make_maildir(h->maildrop);
	help_write("Subject: 1\r\n\r\n", "%s/new/1.a", h->maildrop);
	link_into_junk(h, "1.a");
	m = open_as(h, &rules);
	assert_int_equal(maildrop_count(m), 2);
	assert_string_equal(help_uidl(m, 1), "1.a");
	(void)snprintf(twin, sizeof(twin), "%s", help_uidl(m, 2));
	assert_int_equal(twin[0], '~');
	assert_int_equal(quit_with(m, 2, 0), 1);

	/* It is known by the UIDL that it had then. */
	owner = owner_with(h, &rules);
	assert_int_equal(maildrop_undelete(h->store, &owner, wanted, 1, &n, NULL), 0);
	assert_int_equal(n, 1);
	m = open_as(h, &rules);
	assert_int_equal(maildrop_count(m), 2);
	assert_string_equal(help_uidl(m, 2), twin);
	/* Without the first there is no other, and so it isn't called so. */
	assert_int_equal(quit_with(m, 1, 0), 1);
	m = open_as(h, &rules);
	assert_int_equal(maildrop_count(m), 1);
	assert_string_equal(help_uidl(m, 1), "1.a");
	maildrop_close(m);
}

static void test_junk_alone(void **state)
{
	struct help *const h = *state;
	struct maildrop_rules rules = {.folders = "Junk"};

	deliver(h, 1, 2);
	deliver_to(h, junk_of(h), 3, 4);
	expect(h, &rules, "3 4 ");
	assert_int_equal(delete_as(h, &rules, 1, 0), 1);
	expect(h, &rules, "4 ");
	expect(h, &plain, "1 2 ");
	(void)snprintf(rules.folders, sizeof(rules.folders), "a b c d e f g h i j k l m n o p q r");
	assert_int_equal(try_as(h, &rules), -EINVAL);
}

static void test_newest_only(void **state)
{
	struct help *const h = *state;
	struct maildrop_rules rules = {.newest = 3};

	deliver(h, 1, 2);
	expect(h, &rules, "1 2 ");
	deliver(h, 3, 5);
	expect(h, &rules, "3 4 5 ");
	assert_int_equal(delete_as(h, &rules, 2, 0), 1);
	/* One that stayed on the server is among the newest now. */
	expect(h, &rules, "2 3 5 ");
	expect(h, &plain, "1 2 3 5 ");
}

/* ---- devices ---- */

static void test_what_a_device_deletes(void **state)
{
	struct help *const h = *state;
	const struct maildrop_rules phone = of_device("phone");
	const struct maildrop_rules laptop = of_device("laptop");

	deliver(h, 1, 4);
	expect(h, &phone, "1 2 3 4 ");
	expect(h, &laptop, "1 2 3 4 ");
	assert_int_equal(delete_as(h, &phone, 1, 2, 0), 2);
	expect(h, &phone, "3 4 ");
	expect(h, &laptop, "1 2 3 4 ");
	expect(h, &plain, "1 2 3 4 ");
	assert_int_equal(delete_as(h, &laptop, 2, 3, 0), 2);
	expect(h, &laptop, "1 4 ");
	/* The plain login is one of them: nothing is lost that it hasn't had. */
	expect(h, &plain, "1 2 3 4 ");
	assert_int_equal(delete_as(h, &plain, 2, 0), 1);
	expect(h, &plain, "1 3 4 ");
	expect(h, &phone, "3 4 ");
	/* 2 has been had by all three: it is nowhere. */
	const struct maildrop_rules tablet = of_device("tablet");

	expect(h, &tablet, "1 3 4 ");
	/* Mail goes on coming in, for each. */
	deliver(h, 5, 5);
	expect(h, &phone, "3 4 5 ");
	expect(h, &laptop, "1 4 5 ");
}

static void test_devices_dont_lock_each_other_out(void **state)
{
	struct help *const h = *state;
	const struct maildrop_rules phone = of_device("phone");
	const struct maildrop_rules laptop = of_device("laptop");
	struct maildrop *m[3];

	deliver(h, 1, 4);
	m[0] = open_as(h, &phone);
	m[1] = open_as(h, &laptop);
	m[2] = open_as(h, &plain);
	assert_int_equal(try_as(h, &phone), -EBUSY);
	assert_int_equal(try_as(h, &laptop), -EBUSY);
	assert_int_equal(try_as(h, &plain), -EBUSY);
	deliver(h, 5, 5);
	for (size_t i = 0; i < 3; i++)
		expect_open(m[i], "1 2 3 4 ");
	assert_int_equal(quit_with(m[0], 1, 2, 0), 2);
	expect_open(m[1], "1 2 3 4 ");
	assert_int_equal(quit_with(m[1], 2, 3, 0), 2);
	expect_open(m[2], "1 2 3 4 ");
	assert_int_equal(quit_with(m[2], 2, 4, 0), 2);
	expect(h, &phone, "3 4 5 ");
	expect(h, &laptop, "1 4 5 ");
	expect(h, &plain, "1 3 5 ");
}

struct seen {
	int count;
	struct store_device_seen v[8];
};

static void on_device(void *arg, const struct store_device_seen *d)
{
	struct seen *const seen = arg;

	assert_true(seen->count < 8);
	seen->v[seen->count++] = *d;
}

static const struct store_device_seen *find_device(const struct seen *seen, const char *name)
{
	for (int i = 0; i < seen->count; i++) {
		if (strcmp(seen->v[i].name, name) == 0)
			return &seen->v[i];
	}
	return NULL;
}

static struct seen devices_of(struct help *h)
{
	const struct store_owner owner = owner_with(h, &plain);
	struct seen seen = {0};

	assert_int_equal(maildrop_devices(h->store, &owner, on_device, &seen, NULL), 0);
	return seen;
}

static void test_devices_are_listed_and_forgotten(void **state)
{
	struct help *const h = *state;
	const struct store_owner owner = owner_with(h, &plain);
	const struct maildrop_rules phone = of_device("phone");
	const struct maildrop_rules laptop = of_device("laptop");
	struct maildrop *m;
	struct seen seen;

	assert_int_equal(devices_of(h).count, 0);
	assert_int_equal(maildrop_forget_device(h->store, &owner, "phone", NULL), -ENOENT);
	deliver(h, 1, 3);
	assert_int_equal(delete_as(h, &phone, 1, 2, 0), 2);
	assert_int_equal(delete_as(h, &laptop, 3, 0), 1);
	seen = devices_of(h);
	assert_int_equal(seen.count, 3);
	assert_non_null(find_device(&seen, ""));
	assert_int_equal(find_device(&seen, "")->hidden, 0);
	assert_int_equal(find_device(&seen, "phone")->hidden, 2);
	assert_true(find_device(&seen, "phone")->seen > 1700000000);

	m = open_as(h, &phone);
	assert_int_equal(maildrop_forget_device(h->store, &owner, "phone", NULL), -EBUSY);
	maildrop_close(m);
	assert_int_equal(maildrop_forget_device(h->store, &owner, "phone", NULL), 0);
	assert_int_equal(maildrop_forget_device(h->store, &owner, "tablet", NULL), -ENOENT);
	assert_int_equal(devices_of(h).count, 2);

	/* Without it and the plain login, what the laptop has is had by all. */
	assert_int_equal(maildrop_forget_device(h->store, &owner, "", NULL), 0);
	assert_int_equal(delete_as(h, &laptop, 1, 0), 1);
	expect(h, &laptop, "2 ");
	/* It comes again, and has had nothing. */
	expect(h, &phone, "2 ");
}

static void test_devices_are_not_without_number(void **state)
{
	struct help *const h = *state;
	char name[16];

	deliver(h, 1, 1);
	for (int i = 1; i < 32; i++) {
		(void)snprintf(name, sizeof(name), "d%d", i);
		const struct maildrop_rules rules = of_device(name);

		assert_int_equal(try_as(h, &rules), 0);
	}
	const struct maildrop_rules more = of_device("more");

	assert_int_equal(try_as(h, &more), -EPERM);
	assert_int_equal(try_as(h, &plain), 0);
}

/* With what DELE means for one who is alone. */
static void test_had_by_all_and_hidden(void **state)
{
	struct help *const h = *state;
	struct maildrop_rules phone = of_device("phone");
	struct maildrop_rules nobody = hide;

	phone.dele = MAILDROP_DELE_HIDE;
	deliver(h, 1, 3);
	assert_int_equal(delete_as(h, &phone, 1, 2, 0), 2);
	assert_int_equal(kept_of(h, &hide).count, 0);
	assert_int_equal(delete_as(h, &nobody, 2, 3, 0), 2);
	assert_int_equal(kept_of(h, &hide).count, 1);
	expect(h, &phone, "3 ");
	expect(h, &nobody, "1 ");
	/* Back, it is back for everybody. */
	assert_int_equal(undelete_all(h, &hide), 1);
	expect(h, &phone, "2 3 ");
	expect(h, &nobody, "1 2 ");
}

/* A message waits for device_days for other devices; and who was away for longer isn't waited for.
 */
static void test_devices_are_waited_for(void **state)
{
	struct help *const h = *state;
	struct maildrop_rules phone = of_device("phone");
	struct maildrop_rules laptop = of_device("laptop");
	struct maildrop_rules alone = plain;

	phone.device_days = laptop.device_days = alone.device_days = 30;
	deliver(h, 1, 3);
	expect(h, &phone, "1 2 3 ");
	expect(h, &laptop, "1 2 3 ");
	assert_int_equal(delete_as(h, &phone, 1, 0), 1);
	days_ahead = 29;
	expect(h, &laptop, "1 2 3 ");
	days_ahead = 31;
	expect(h, &laptop, "2 3 ");
	/* And one that hasn't come for so long, as the plain login here, isn't asked. */
	assert_int_equal(delete_as(h, &phone, 1, 0), 1);
	days_ahead = 45;
	expect(h, &laptop, "2 3 ");
	assert_int_equal(delete_as(h, &laptop, 1, 0), 1);
	expect(h, &alone, "3 ");
}

static int expire(struct help *h, const struct maildrop_rules *rules, unsigned int days)
{
	const struct store_owner owner = owner_with(h, rules);
	uint32_t removed;
	struct err err;

	if (store_expire(h->store, &owner, (uint64_t)time(NULL) + 1 - days * 86400U, &removed,
			 &err) < 0)
		fail_msg("%s", err.text);
	return (int)removed;
}

/* EXPIRE is for every device, and not for the trash. */
static void test_expire(void **state)
{
	struct help *const h = *state;
	const struct maildrop_rules phone = of_device("phone");

	deliver(h, 1, 3);
	assert_int_equal(delete_as(h, &trash, 2, 0), 1);
	expect(h, &phone, "1 3 ");
	assert_int_equal(delete_as(h, &phone, 1, 0), 1);
	assert_int_equal(expire(h, &plain, 1), 0);
	expect(h, &plain, "1 3 ");
	(void)sleep(1);
	assert_int_equal(expire(h, &plain, 0), 2);
	expect(h, &plain, "");
	expect(h, &phone, "");
	assert_int_equal(undelete_all(h, &trash), 1);
	expect(h, &plain, "2 ");
}

static void test_recent_deletes_nothing(void **state)
{
	struct help *const h = *state;
	struct maildrop_rules recent = {.recent_days = 30};
	struct maildrop *m[2];

	deliver(h, 1, 3);
	/* It locks out nobody, either. */
	m[0] = open_as(h, &recent);
	m[1] = open_as(h, &recent);
	expect(h, &plain, "1 2 3 ");
	assert_int_equal(quit_with(m[0], 1, 2, 0), 0);
	maildrop_close(m[1]);
	expect(h, &recent, "1 2 3 ");
	/* What another device has deleted is as recent as before, if it is there. */
	const struct maildrop_rules phone = of_device("phone");

	assert_int_equal(delete_as(h, &phone, 1, 0), 1);
	expect(h, &recent, "1 2 3 ");
	recent.newest = 2;
	expect(h, &recent, "2 3 ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hidden_comes_back),
		TEST(test_trashed_comes_back),
		TEST(test_one_hidden_comes_back),
		TEST(test_one_trashed_comes_back),
		TEST(test_nothing_to_bring_back),
		TEST(test_hidden_goes_for_good),
		TEST(test_trashed_goes_for_good),
		TEST(test_hide_is_as_exclusive),
		TEST(test_trash_is_a_folder),
		TEST(test_somebody_puts_it_back),
		TEST(test_trash_that_is_in_the_way),
		TEST(test_usage_is_of_what_is_there),
		TEST(test_folders_are_one),
		TEST(test_delete_in_folders),
		TEST(test_hide_in_folders),
		TEST(test_trash_in_folders),
		TEST(test_uidls_are_unique),
		TEST(test_junk_alone),
		TEST(test_newest_only),
		TEST(test_what_a_device_deletes),
		TEST(test_devices_dont_lock_each_other_out),
		TEST(test_devices_are_listed_and_forgotten),
		TEST(test_devices_are_not_without_number),
		TEST(test_devices_are_waited_for),
		TEST(test_had_by_all_and_hidden),
		TEST(test_expire),
		TEST(test_recent_deletes_nothing),
	};

	driver = argc > 1 ? argv[1] : "maildir";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
