/* SPDX-License-Identifier: MIT */
/*
 * The index is a cache that anybody may delete, cut short or garble: that costs a
 * scan. No message is lost by it, no UIDL changes, nothing crashes.
 */
#include "store_help.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MESSAGES 5

struct fixture {
	struct help *h;
	char index[HELP_PATH_MAX * 2];
	char *list; /* the UIDLs */
	char *good; /* the index as it should be */
	size_t size;
};

static char *read_file(const char *path, size_t *ret_n)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	p = malloc((size_t)st.st_size + 1);
	assert_non_null(p);
	assert_int_equal(read(fd, p, (size_t)st.st_size), st.st_size);
	assert_int_equal(close(fd), 0);
	*ret_n = (size_t)st.st_size;
	return p;
}

static int setup(void **state)
{
	struct fixture *const f = calloc(1, sizeof(*f));
	struct help *const h = f->h = help_new("maildir");

	help_make_maildir(h->maildrop);
	/* Derived names, whole names, and one that stands elsewhere; some measured. */
	help_write("a\n.\n", "%s/new/1.a", h->maildrop);
	help_write("b\r\n", "%s/cur/2.b,S=3,W=3:2,S", h->maildrop);
	help_write("c\r\n", "%s/cur/3 c:2,", h->maildrop);
	help_write("d\r\n",
		   "%s/new/4.d-12345678901234567890123456789012345678901234567890123456789012345678"
		   "9012345678901234567890",
		   h->maildrop);
	help_write("e", "%s/new/5.e", h->maildrop);
	(void)snprintf(f->index, sizeof(f->index), "%s/restante.index", h->maildrop);
	f->list = help_poll(h, NULL);
	f->good = read_file(f->index, &f->size);
	assert_int_equal(f->size, INDEX_HEADER_SIZE + MESSAGES * INDEX_RECORD_SIZE);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *const f = *state;

	help_free(f->h);
	free(f->list);
	free(f->good);
	free(f);
	return 0;
}

/* Every message under its UIDL, once, with its size and text. In the old order too, if that is
 * asked. */
static void expect_messages(struct fixture *f, bool in_order)
{
	static const char *const texts[MESSAGES] = {"a\n.\n", "b\r\n", "c\r\n", "d\r\n", "e"};
	static const uint64_t octets[MESSAGES] = {6, 3, 3, 3, 3};
	struct maildrop *const m = help_open(f->h);
	char *const list = help_list(m);
	unsigned int seen = 0;

	if (in_order)
		assert_string_equal(list, f->list);
	assert_int_equal(maildrop_count(m), MESSAGES);
	assert_int_equal(maildrop_octets(m), 18);
	for (uint32_t n = 1; n <= MESSAGES; n++) {
		const struct index_record r = help_record(m, n);
		size_t i = 0;

		for (const char *at = f->list;; at = strchr(at, ' ') + 1, i++) {
			assert_true(i < MESSAGES);
			if (span_eq(index_record_uidl(&r), span_of(at, strcspn(at, " "))))
				break;
		}
		seen |= 1U << i;
		assert_int_equal(r.octets, octets[i]);
		help_expect_text(m, n, texts[i]);
	}
	assert_int_equal(seen, (1U << MESSAGES) - 1);
	maildrop_close(m);
	free(list);
}

static void expect_all(struct fixture *f)
{
	expect_messages(f, true);
}

static void overwrite(struct fixture *f, const char *p, size_t n)
{
	const int fd = open(f->index, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	assert_int_equal(close(fd), 0);
}

/* What expect_all() needs to be worth something: nothing is written when nothing changes. */
static void test_untouched(void **state)
{
	struct fixture *const f = *state;
	struct stat before;
	struct stat after;

	assert_int_equal(stat(f->index, &before), 0);
	for (int turn = 0; turn < 5; turn++)
		expect_all(f);
	assert_int_equal(stat(f->index, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
	assert_false(help_noticed(f->h, "index"));
}

static void test_deleted(void **state)
{
	struct fixture *const f = *state;

	assert_int_equal(unlink(f->index), 0);
	expect_all(f);
	expect_all(f);
}

static void test_cut_everywhere(void **state)
{
	struct fixture *const f = *state;

	for (size_t n = 0; n < f->size; n++) {
		overwrite(f, f->good, n);
		expect_all(f);
		expect_all(f);
	}
}

static void test_garbled_everywhere(void **state)
{
	struct fixture *const f = *state;
	char *const bad = malloc(f->size);

	assert_non_null(bad);
	for (size_t i = 0; i < f->size; i++) {
		memcpy(bad, f->good, f->size);
		bad[i] = (char)(bad[i] ^ (1 << (i % 8)));
		overwrite(f, bad, f->size);
		/* The one that nothing is known of any more goes to the end. */
		expect_messages(f, i < INDEX_HEADER_SIZE);
		expect_messages(f, i < INDEX_HEADER_SIZE);
	}
	free(bad);
}

static void test_other_content(void **state)
{
	struct fixture *const f = *state;
	char *const bad = calloc(3, f->size);

	assert_non_null(bad);
	overwrite(f, bad, f->size);
	expect_all(f);
	overwrite(f, bad, 3 * f->size);
	expect_all(f);
	memset(bad, 'x', 3 * f->size);
	overwrite(f, bad, f->size);
	expect_all(f);
	/* Longer than its header says. */
	memcpy(bad, f->good, f->size);
	overwrite(f, bad, f->size + 1);
	expect_all(f);
	overwrite(f, bad, f->size + INDEX_RECORD_SIZE);
	expect_all(f);
	/* Each message twice. */
	struct index_header header;

	assert_true(index_header_decode(f->good, &header));
	header.count *= 2;
	index_header_encode(&header, bad);
	memcpy(bad + f->size, f->good + INDEX_HEADER_SIZE, f->size - INDEX_HEADER_SIZE);
	overwrite(f, bad, 2 * f->size - INDEX_HEADER_SIZE);
	expect_all(f);
	/* More messages than any file has, with a hole for a body. */
	header.count = INDEX_COUNT_MAX;
	index_header_encode(&header, bad);
	overwrite(f, bad, INDEX_HEADER_SIZE);
	if (truncate(f->index, (off_t)INDEX_COUNT_MAX * INDEX_RECORD_SIZE) == 0)
		expect_all(f);
	free(bad);
}

/* Garbled by the disk, not by a program: the time stands, so the header is believed. */
static void test_garbled_with_its_time(void **state)
{
	struct fixture *const f = *state;
	struct store_message message;
	struct timespec times[2];
	struct maildrop *m;
	struct stat st;
	uint32_t removed;

	for (uint32_t n = 1; n <= MESSAGES; n++) {
		for (int how = 0; how < 3; how++) {
			const int fd = open(f->index, O_WRONLY | O_CLOEXEC);

			assert_true(fd >= 0);
			assert_int_equal(fstat(fd, &st), 0);
			times[0] = st.st_atim;
			times[1] = st.st_mtim;
			assert_int_equal(
				pwrite(fd, "\x55", 1,
				       INDEX_HEADER_SIZE + (off_t)(n - 1) * INDEX_RECORD_SIZE + 25),
				1);
			assert_int_equal(futimens(fd, times), 0);
			assert_int_equal(close(fd), 0);

			m = help_open(f->h);
			assert_int_equal(maildrop_count(m), MESSAGES);
			if (how == 0) {
				assert_int_equal(maildrop_message(m, n, &message, NULL), -EIO);
			} else if (how == 1) {
				assert_int_equal(maildrop_mark(m, n), 0);
				assert_int_equal(maildrop_mark(m, n % MESSAGES + 1), 0);
				assert_int_equal(maildrop_commit(m, &removed, NULL), -EIO);
			} else {
				/* Nobody asks, but a new message makes it be read. */
				help_write("new\r\n", "%s/new/9.new", f->h->maildrop);
			}
			maildrop_close(m);

			/* Back to the beginning. */
			if (how == 2) {
				m = help_open(f->h);
				assert_int_equal(maildrop_count(m), MESSAGES + 1);
				for (uint32_t i = 1; i <= MESSAGES + 1; i++) {
					char *const text = help_text(m, i, NULL);

					if (strcmp(text, "new\r\n") == 0)
						assert_int_equal(maildrop_mark(m, i), 0);
					free(text);
				}
				assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
				assert_int_equal(removed, 1);
				maildrop_close(m);
			}
			expect_messages(f, false);
			assert_int_equal(unlink(f->index), 0);
			expect_all(f);
		}
	}
}

/* As if it had been written before the machine was started; damaged: not all of it reached the
 * disk. */
static void age(struct fixture *f, uint32_t damaged)
{
	char *const raw = malloc(f->size);
	struct index_header h;

	assert_non_null(raw);
	memcpy(raw, f->good, f->size);
	assert_true(index_header_decode(raw, &h));
	h.boot++;
	index_header_encode(&h, raw);
	if (damaged > 0)
		memset(raw + INDEX_HEADER_SIZE + (size_t)(damaged - 1) * INDEX_RECORD_SIZE, 0,
		       INDEX_RECORD_SIZE);
	overwrite(f, raw, f->size);

	const struct timespec time = {.tv_sec = (time_t)(h.made_ns / 1000000000U),
				      .tv_nsec = (long)(h.made_ns % 1000000000U)};
	const struct timespec times[2] = {time, time};

	assert_int_equal(utimensat(AT_FDCWD, f->index, times, 0), 0);
	free(raw);
}

static uint64_t boot_in(struct fixture *f)
{
	struct index_header h;
	size_t n;
	char *const raw = read_file(f->index, &n);

	assert_true(index_header_decode(raw, &h));
	free(raw);
	return h.boot;
}

/*
 * The index is never synced. After a power loss its length and times may be right, and
 * records be missing: nobody would notice before LIST meets one. So the first session
 * of a boot reads it all, once.
 */
static void test_earlier_boot(void **state)
{
	struct fixture *const f = *state;
	struct index_header good;
	struct stat before;
	struct stat after;

	assert_true(index_header_decode(f->good, &good));
	age(f, 0);
	assert_int_not_equal(boot_in(f), good.boot);
	assert_int_equal(stat(f->index, &before), 0);
	expect_all(f);
	assert_int_equal(stat(f->index, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_true(boot_in(f) == good.boot);
	assert_false(help_noticed(f->h, "index"));

	for (uint32_t n = 1; n <= MESSAGES; n++) {
		free(f->good);
		f->good = read_file(f->index, &f->size);
		age(f, n);
		expect_messages(f, false);
		assert_true(help_noticed(f->h, "isn't as it was left"));
		help_forget_notices(f->h);
		expect_messages(f, false);
		assert_true(boot_in(f) == good.boot);
		assert_false(help_noticed(f->h, "index"));
	}
}

/* Order and UIDLs that the directory doesn't show live in the index, and survive its doubt. */
static void test_order_survives_doubt(void **state)
{
	struct fixture *const f = *state;
	struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 6}};
	char *list;
	char *again;

	help_write("older\r\n", "%s/new/0.late", f->h->maildrop);
	list = help_poll(f->h, NULL);
	assert_memory_equal(list, f->list, strlen(f->list));
	assert_string_equal(list + strlen(f->list), "0.late ");
	assert_int_equal(utimensat(AT_FDCWD, f->index, times, 0), 0);
	again = help_poll(f->h, NULL);
	assert_string_equal(again, list);
	assert_true(help_noticed(f->h, "restante.index"));
	free(list);
	free(again);
}

static void test_not_a_file(void **state)
{
	struct fixture *const f = *state;
	char outside[HELP_PATH_MAX * 3];

	(void)snprintf(outside, sizeof(outside), "%s/outside", f->h->root);
	help_write("precious", "%s", outside);
	assert_int_equal(unlink(f->index), 0);
	assert_int_equal(symlink("../outside", f->index), 0);
	expect_all(f);
	expect_all(f);

	size_t n;
	char *const text = read_file(outside, &n);

	assert_int_equal(n, 8);
	assert_memory_equal(text, "precious", 8);
	free(text);

	assert_int_equal(unlink(f->index), 0);
	assert_int_equal(mkfifo(f->index, 0600), 0);
	expect_all(f);
	expect_all(f);

	/* A directory can't be replaced: then it is done in memory. */
	assert_int_equal(unlink(f->index), 0);
	assert_int_equal(mkdir(f->index, 0700), 0);
	expect_all(f);
	expect_all(f);
	assert_true(help_noticed(f->h, "will retry"));
	assert_int_equal(rmdir(f->index), 0);
	expect_all(f);
	assert_true(help_exists("%s", f->index));

	/* What lies where the new one is written. */
	(void)snprintf(outside, sizeof(outside), "%s.tmp", f->index);
	assert_int_equal(symlink("../outside", outside), 0);
	assert_int_equal(unlink(f->index), 0);
	expect_all(f);
	assert_false(help_exists("%s", outside));
}

/* A new message is appended: the file stays, and so do the records that were in it. */
static void test_appended(void **state)
{
	struct fixture *const f = *state;
	struct stat before;
	struct stat after;
	char *now;
	size_t n;

	assert_int_equal(stat(f->index, &before), 0);
	assert_int_equal(help_deliver(f->h, f->h->maildrop, "new\r\n"), 0);
	free(help_poll(f->h, NULL));
	assert_int_equal(stat(f->index, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	now = read_file(f->index, &n);
	assert_int_equal(n, f->size + INDEX_RECORD_SIZE);
	assert_memory_equal(now + INDEX_HEADER_SIZE, f->good + INDEX_HEADER_SIZE,
			    f->size - INDEX_HEADER_SIZE);
	free(now);

	/* One less: another file, because a session may still have the old one. */
	assert_int_equal(help_delete(f->h, MESSAGES + 1, 0), 0);
	free(help_poll(f->h, NULL));
	assert_int_equal(stat(f->index, &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	expect_all(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_untouched),      TEST(test_deleted),
		TEST(test_cut_everywhere), TEST(test_garbled_everywhere),
		TEST(test_other_content),  TEST(test_garbled_with_its_time),
		TEST(test_earlier_boot),   TEST(test_order_survives_doubt),
		TEST(test_not_a_file),     TEST(test_appended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
