/* SPDX-License-Identifier: MIT */
/*
 * What store.h promises, held against every driver: the name of the driver is the
 * program's argument. mem is the reference; what only one of them has is tested
 * elsewhere.
 */
#include "store_help.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

static const char *driver;

static int setup(void **state)
{
	*state = help_new(driver);
	return 0;
}

static int teardown(void **state)
{
	help_free(*state);
	return 0;
}

static void deliver_n(struct help *h, unsigned int n)
{
	char text[64];

	for (unsigned int i = 1; i <= n; i++) {
		(void)snprintf(text, sizeof(text), "Subject: %u\r\n\r\nbody\r\n", i);
		assert_int_equal(help_deliver(h, h->maildrop, text), 0);
	}
}

static void test_unknown_driver(void **state)
{
	struct store *s = (struct store *)1;
	struct err err;

	(void)state;
	assert_int_equal(store_new("papyrus", "h", NULL, NULL, &s, &err), -EINVAL);
	assert_ptr_equal(s, (struct store *)1);
	assert_non_null(strstr(err.text, "papyrus"));
	store_free(NULL);
	maildrop_close(NULL);
	delivery_free(NULL);
}

static void test_empty_maildrop(void **state)
{
	struct help *const h = *state;
	struct maildrop *const m = help_open(h);
	struct store_message message;

	assert_int_equal(maildrop_count(m), 0);
	assert_int_equal(maildrop_octets(m), 0);
	assert_int_equal(maildrop_message(m, 1, &message, NULL), -EINVAL);
	assert_int_equal(maildrop_message(m, 0, &message, NULL), -EINVAL);
	assert_int_equal(maildrop_mark(m, 1), -EINVAL);
	maildrop_close(m);
}

static void test_path_must_be_absolute(void **state)
{
	struct help *const h = *state;
	char endless[LIMIT_PATH + 8];
	struct store_owner owner = help_owner("mail/alice");
	struct maildrop *m;
	struct delivery *d;

	assert_int_equal(maildrop_open(h->store, &owner, &m, NULL), -EINVAL);
	assert_int_equal(delivery_begin(h->store, &owner, &d, NULL), -EINVAL);
	memset(endless, 'a', sizeof(endless));
	endless[0] = '/';
	endless[sizeof(endless) - 1] = '\0';
	owner.path = endless;
	assert_int_equal(maildrop_open(h->store, &owner, &m, NULL), -EINVAL);
}

static void test_deliver_and_read(void **state)
{
	static const char text[] = "Subject: one\r\n\r\n.dot\r\n";
	struct help *const h = *state;
	struct store_message message;
	struct maildrop *m;

	assert_int_equal(help_deliver(h, h->maildrop, text), 0);
	assert_int_equal(help_deliver(h, h->maildrop, "Subject: two\r\n\r\n"), 0);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 2);
	assert_int_equal(maildrop_octets(m), strlen(text) + strlen("Subject: two\r\n\r\n"));
	help_expect_text(m, 1, text);
	help_expect_text(m, 2, "Subject: two\r\n\r\n");

	assert_int_equal(maildrop_message(m, 1, &message, NULL), 0);
	assert_int_equal(message.octets, strlen(text));
	assert_int_equal(message.bytes, strlen(text));
	assert_int_equal(message.flags & INDEX_CRLF, INDEX_CRLF);
	assert_int_equal(message.flags & INDEX_NO_DOT, 0);
	assert_int_equal(message.flags & INDEX_NO_EOL, 0);
	/* What was delivered needn't be counted again. */
	assert_true(message.counted);
	assert_int_equal(maildrop_check(m, 1, &message, NULL), 0);
	/* Its reader can't change it. */
	assert_int_equal(write(message.fd, "x", 1), -1);
	assert_int_equal(close(message.fd), 0);
	assert_int_equal(maildrop_message(m, 2, &message, NULL), 0);
	assert_int_equal(message.flags & INDEX_NO_DOT, INDEX_NO_DOT);
	assert_int_equal(close(message.fd), 0);
	maildrop_close(m);
}

static void test_snapshot_is_read_only(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;

	deliver_n(h, 2);
	for (int turn = 0; turn < 2; turn++) {
		struct index_header header;
		char raw[INDEX_HEADER_SIZE];
		int fd;

		m = help_open(h);
		fd = maildrop_snapshot_fd(m);
		assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
		assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		assert_int_equal(pwrite(fd, "x", 1, 0), -1);
		assert_int_equal(pread(fd, raw, sizeof(raw), 0), sizeof(raw));
		assert_true(index_header_decode(raw, &header));
		assert_int_equal(header.count, 2);
		assert_int_equal(header.octets, maildrop_octets(m));
		maildrop_close(m);
	}
}

static void test_order_and_uidl_stay(void **state)
{
	struct help *const h = *state;
	char *first;
	char *again;
	uint32_t count;

	deliver_n(h, 20);
	first = help_poll(h, &count);
	assert_int_equal(count, 20);
	again = help_poll(h, NULL);
	assert_string_equal(first, again);
	free(again);

	/* More mail goes to the end. */
	deliver_n(h, 5);
	again = help_poll(h, &count);
	assert_int_equal(count, 25);
	assert_memory_equal(first, again, strlen(first));
	free(again);

	/* What is deleted leaves the others as they are. */
	struct maildrop *m = help_open(h);
	char *const third = strdup(help_uidl(m, 3));
	char *const last = strdup(help_uidl(m, 25));

	maildrop_close(m);
	assert_int_equal(help_delete(h, 1, 2, 10, 0), 0);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 22);
	assert_string_equal(help_uidl(m, 1), third);
	assert_string_equal(help_uidl(m, 22), last);
	help_expect_text(m, 1, "Subject: 3\r\n\r\nbody\r\n");
	help_expect_text(m, 7, "Subject: 9\r\n\r\nbody\r\n");
	help_expect_text(m, 8, "Subject: 11\r\n\r\nbody\r\n");
	maildrop_close(m);
	free(third);
	free(last);
	free(first);
}

static void test_delivery_order(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;
	char text[64];

	deliver_n(h, 100);
	m = help_open(h);
	for (unsigned int i = 1; i <= 100; i++) {
		(void)snprintf(text, sizeof(text), "Subject: %u\r\n\r\nbody\r\n", i);
		help_expect_text(m, i, text);
	}
	maildrop_close(m);
}

static void test_exclusive(void **state)
{
	struct help *const h = *state;
	const struct store_owner owner = help_owner(h->maildrop);
	struct maildrop *m = help_open(h);
	struct maildrop *other = (struct maildrop *)1;
	struct err err;

	assert_int_equal(maildrop_open(h->store, &owner, &other, &err), -EBUSY);
	assert_ptr_equal(other, (struct maildrop *)1);
	assert_true(strlen(err.text) > 0);
	maildrop_close(m);
	m = help_open(h);
	maildrop_close(m);
}

static void test_other_maildrops_are_free(void **state)
{
	struct help *const h = *state;
	struct maildrop *const m = help_open(h);
	struct maildrop *other;
	char bob[HELP_PATH_MAX];

	(void)snprintf(bob, sizeof(bob), "%.400s/bob", h->root);
	const struct store_owner owner = help_owner(bob);

	assert_int_equal(help_deliver(h, bob, "a\r\n"), 0);
	assert_int_equal(maildrop_open(h->store, &owner, &other, NULL), 0);
	assert_int_equal(maildrop_count(other), 1);
	assert_int_equal(maildrop_count(m), 0);
	maildrop_close(other);
	maildrop_close(m);
}

static void test_close_deletes_nothing(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;

	deliver_n(h, 3);
	m = help_open(h);
	assert_int_equal(maildrop_mark(m, 1), 0);
	assert_int_equal(maildrop_mark(m, 2), 0);
	maildrop_close(m);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 3);
	help_expect_text(m, 1, "Subject: 1\r\n\r\nbody\r\n");
	maildrop_close(m);
}

static void test_commit_nothing(void **state)
{
	struct help *const h = *state;
	uint32_t removed = 99;
	struct maildrop *m;

	deliver_n(h, 2);
	m = help_open(h);
	assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
	assert_int_equal(removed, 0);
	maildrop_close(m);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 2);
	maildrop_close(m);
}

static void test_mark_twice_and_commit(void **state)
{
	struct help *const h = *state;
	uint32_t removed = 99;
	struct maildrop *m;

	deliver_n(h, 9);
	m = help_open(h);
	assert_int_equal(maildrop_mark(m, 9), 0);
	assert_int_equal(maildrop_mark(m, 9), 0);
	assert_int_equal(maildrop_mark(m, 8), 0);
	assert_int_equal(maildrop_mark(m, 10), -EINVAL);
	/* Until the commit, all is there. */
	help_expect_text(m, 9, "Subject: 9\r\n\r\nbody\r\n");
	assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
	assert_int_equal(removed, 2);
	maildrop_close(m);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 7);
	help_expect_text(m, 7, "Subject: 7\r\n\r\nbody\r\n");
	maildrop_close(m);
}

static void test_commit_all(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;
	uint32_t removed;

	deliver_n(h, 17);
	m = help_open(h);
	for (uint32_t n = 1; n <= 17; n++)
		assert_int_equal(maildrop_mark(m, n), 0);
	assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
	assert_int_equal(removed, 17);
	maildrop_close(m);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 0);
	assert_int_equal(maildrop_octets(m), 0);
	maildrop_close(m);
	assert_int_equal(help_deliver(h, h->maildrop, "later\r\n"), 0);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 1);
	maildrop_close(m);
}

/* Mail that comes during a session is not in it, and not deleted by it. */
static void test_deliver_while_open(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;
	uint32_t removed;
	char *before;
	char *after;

	deliver_n(h, 3);
	m = help_open(h);
	before = help_list(m);
	for (int i = 0; i < 40; i++)
		assert_int_equal(help_deliver(h, h->maildrop, "new\r\n"), 0);
	after = help_list(m);
	assert_string_equal(before, after);
	assert_int_equal(maildrop_count(m), 3);
	help_expect_text(m, 3, "Subject: 3\r\n\r\nbody\r\n");
	for (uint32_t n = 1; n <= 3; n++)
		assert_int_equal(maildrop_mark(m, n), 0);
	assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
	maildrop_close(m);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 40);
	help_expect_text(m, 1, "new\r\n");
	maildrop_close(m);
	free(before);
	free(after);
}

/* A snapshot's descriptor outlives the session in whoever has a duplicate of it. */
static void test_old_snapshot_stays(void **state)
{
	struct help *const h = *state;
	char before[INDEX_RECORD_SIZE * 3];
	char after[INDEX_RECORD_SIZE * 3];
	struct maildrop *m;
	int fd;

	deliver_n(h, 3);
	m = help_open(h);
	fd = dup(maildrop_snapshot_fd(m));
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, before, sizeof(before), INDEX_HEADER_SIZE), sizeof(before));
	maildrop_close(m);

	deliver_n(h, 3);
	free(help_poll(h, NULL));
	assert_int_equal(help_delete(h, 1, 2, 0), 0);
	deliver_n(h, 3);
	free(help_poll(h, NULL));
	assert_int_equal(pread(fd, after, sizeof(after), INDEX_HEADER_SIZE), sizeof(after));
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(close(fd), 0);
}

static void test_delivery_without_commit(void **state)
{
	struct help *const h = *state;
	const struct store_owner owner = help_owner(h->maildrop);
	struct delivery *d;
	uint32_t count;

	assert_int_equal(delivery_begin(h->store, &owner, &d, NULL), 0);
	assert_int_equal(write(delivery_fd(d), "half\r\n", 6), 6);
	free(help_poll(h, &count));
	assert_int_equal(count, 0);
	delivery_free(d);
	free(help_poll(h, &count));
	assert_int_equal(count, 0);
}

static void test_wrong_length(void **state)
{
	static const struct {
		const char *text;
		uint64_t octets;
	} cases[] = {
		{"abc\r\n", 4}, {"abc\r\n", 6},  {"", 1},
		{"abc\r\n", 0}, {"abc", 3},      {"abc\n", 4},
		{"\n", 1},      {"a\r\nb\r", 5}, {"abc\r\n", UINT64_MAX},
	};
	struct help *const h = *state;
	uint32_t count;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct delivery_target targets[2] = {{.owner = help_owner(h->maildrop)},
						     {.owner = help_owner(h->maildrop)}};
		const struct delivery_info info = {.octets = cases[i].octets};
		const size_t n = strlen(cases[i].text);
		struct delivery *d;
		struct err err = {.text = ""};

		assert_int_equal(delivery_begin(h->store, &targets[0].owner, &d, NULL), 0);
		assert_int_equal(write(delivery_fd(d), cases[i].text, n), n);
		assert_int_equal(delivery_commit(d, &info, targets, 2, &err), -EINVAL);
		assert_int_equal(targets[0].status, -EINVAL);
		assert_int_equal(targets[1].status, -EINVAL);
		assert_true(strlen(err.text) > 0);
		delivery_free(d);
	}
	free(help_poll(h, &count));
	assert_int_equal(count, 0);
}

static void test_empty_message(void **state)
{
	struct help *const h = *state;
	struct store_message message;
	struct maildrop *m;

	assert_int_equal(help_deliver(h, h->maildrop, ""), 0);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 1);
	assert_int_equal(maildrop_octets(m), 0);
	assert_int_equal(maildrop_message(m, 1, &message, NULL), 0);
	assert_int_equal(message.octets, 0);
	assert_int_equal(message.bytes, 0);
	assert_int_equal(close(message.fd), 0);
	maildrop_close(m);
}

static void test_big_message(void **state)
{
	const size_t n = (size_t)9 * 1024 * 1024 + 2;
	struct help *const h = *state;
	char *const text = malloc(n);
	struct maildrop *m;
	size_t got_n;
	char *got;

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(i * 7 / 5);
	text[n - 2] = '\r';
	text[n - 1] = '\n';
	assert_int_equal(help_deliver_octets(h, h->maildrop, span_of(text, n), ""), 0);
	assert_int_equal(help_deliver_octets(h, h->maildrop, span_of(text, n), "A: b\r\n"), 0);
	m = help_open(h);
	assert_int_equal(maildrop_octets(m), 2 * n + 6);
	got = help_text(m, 1, &got_n);
	assert_int_equal(got_n, n);
	assert_memory_equal(got, text, n);
	free(got);
	got = help_text(m, 2, &got_n);
	assert_int_equal(got_n, n + 6);
	assert_memory_equal(got, "A: b\r\n", 6);
	assert_memory_equal(got + 6, text, n);
	free(got);
	maildrop_close(m);
	free(text);
}

static void expect_in(struct help *h, const char *path, const char *text)
{
	const struct store_owner owner = help_owner(path);
	struct maildrop *m;

	assert_int_equal(maildrop_open(h->store, &owner, &m, NULL), 0);
	assert_int_equal(maildrop_count(m), 1);
	help_expect_text(m, 1, text);
	maildrop_close(m);
}

/* Every mixture of prefixes, in front or behind a line: who has one gets it, others the bare
 * message. */
static void test_many_targets(void **state)
{
	struct help *const h = *state;

	for (unsigned int mask = 0; mask < 16; mask++) {
		const bool behind = mask >= 8;
		struct delivery_target targets[3] = {0};
		const struct delivery_info info = {
			.octets = 9, .dot_lines = 1, .prefix_at = behind ? 3 : 0};
		char paths[3][HELP_PATH_MAX];
		struct delivery *d;

		for (unsigned int i = 0; i < 3; i++) {
			(void)snprintf(paths[i], HELP_PATH_MAX, "%.400s/many-%u-%u", h->root, mask,
				       i);
			targets[i].owner = help_owner(paths[i]);
			targets[i].status = 1;
			if (mask >> i & 1)
				targets[i].prefix = span_str(i == 1 ? "..P: 1\r\n" : "P: 2\r\n");
		}
		assert_int_equal(delivery_begin(h->store, &targets[0].owner, &d, NULL), 0);
		assert_int_equal(write(delivery_fd(d), ".\r\nbody\r\n", 9), 9);
		assert_int_equal(delivery_commit(d, &info, targets, 3, NULL), 0);
		delivery_free(d);
		for (unsigned int i = 0; i < 3; i++) {
			assert_int_equal(targets[i].status, 0);
			expect_in(h, paths[i],
				  !(mask >> i & 1) ? ".\r\nbody\r\n"
				  : i == 1         ? behind ? ".\r\n..P: 1\r\nbody\r\n"
							    : "..P: 1\r\n.\r\nbody\r\n"
				  : behind         ? ".\r\nP: 2\r\nbody\r\n"
						   : "P: 2\r\n.\r\nbody\r\n");
		}
	}
}

/* One mail to one maildrop under two addresses is two messages. */
static void test_same_target_twice(void **state)
{
	struct help *const h = *state;
	struct delivery_target targets[2] = {{.owner = help_owner(h->maildrop)},
					     {.owner = help_owner(h->maildrop)}};
	const struct delivery_info info = {.octets = 3};
	struct delivery *d;
	struct maildrop *m;

	assert_int_equal(delivery_begin(h->store, &targets[0].owner, &d, NULL), 0);
	assert_int_equal(write(delivery_fd(d), "a\r\n", 3), 3);
	assert_int_equal(delivery_commit(d, &info, targets, 2, NULL), 0);
	delivery_free(d);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 2);
	assert_string_not_equal(help_uidl(m, 1), help_uidl(m, 2));
	maildrop_close(m);
	assert_int_equal(help_delete(h, 1, 0), 0);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 1);
	help_expect_text(m, 1, "a\r\n");
	maildrop_close(m);
}

static void test_prefix_in_no_place(void **state)
{
	struct help *const h = *state;
	struct delivery_target target = {.owner = help_owner(h->maildrop)};
	const struct delivery_info info = {.octets = 3, .prefix_at = 4};
	struct delivery *d;

	assert_int_equal(delivery_begin(h->store, &target.owner, &d, NULL), 0);
	assert_int_equal(write(delivery_fd(d), "a\r\n", 3), 3);
	assert_int_equal(delivery_commit(d, &info, &target, 1, NULL), -EINVAL);
	assert_int_equal(target.status, -EINVAL);
	delivery_free(d);
}

static void test_prefix_without_end(void **state)
{
	struct help *const h = *state;
	uint32_t count;

	assert_int_equal(help_deliver_octets(h, h->maildrop, SPAN_LIT("a\r\n"), "X: no line end"),
			 -EINVAL);
	free(help_poll(h, &count));
	assert_int_equal(count, 0);
}

static void test_many_messages(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;
	uint32_t removed;

	deliver_n(h, 1500);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 1500);
	for (uint32_t n = 2; n <= 1500; n += 2)
		assert_int_equal(maildrop_mark(m, n), 0);
	assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
	assert_int_equal(removed, 750);
	maildrop_close(m);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 750);
	help_expect_text(m, 750, "Subject: 1499\r\n\r\nbody\r\n");
	maildrop_close(m);
}

#define THREADS 8
#define DELIVERIES 40

static void *deliver_some(void *arg)
{
	struct help *const h = arg;
	intptr_t failed = 0;

	for (int i = 0; i < DELIVERIES; i++) {
		struct delivery_target t = {.owner = help_owner(h->maildrop)};
		const struct delivery_info info = {.octets = 12};
		struct delivery *d;

		if (delivery_begin(h->store, &t.owner, &d, NULL) < 0) {
			failed++;
			continue;
		}
		if (write(delivery_fd(d), "from-thread\n", 10) != 10 ||
		    write(delivery_fd(d), "\r\n", 2) != 2 ||
		    delivery_commit(d, &info, &t, 1, NULL) < 0)
			failed++;
		delivery_free(d);
	}
	return (void *)failed;
}

/* Opens and deletes while others deliver: each message is seen, and once. */
static void test_threads(void **state)
{
	struct help *const h = *state;
	pthread_t threads[THREADS];
	uint32_t deleted = 0;
	void *failed;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, deliver_some, h), 0);
	for (int turn = 0; turn < 20; turn++) {
		struct maildrop *const m = help_open(h);
		uint32_t removed;

		for (uint32_t n = 1; n <= maildrop_count(m); n += 2) {
			help_expect_text(m, n, "from-threa\r\n");
			assert_int_equal(maildrop_mark(m, n), 0);
		}
		assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
		deleted += removed;
		maildrop_close(m);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_ptr_equal(failed, NULL);
	}

	struct maildrop *const m = help_open(h);

	assert_int_equal(maildrop_count(m) + deleted, THREADS * DELIVERIES);
	maildrop_close(m);
}

static void *open_some(void *arg)
{
	struct help *const h = arg;
	intptr_t opened = 0;

	for (int i = 0; i < 200; i++) {
		struct maildrop *m;
		const int r = help_try_open(h, &m);

		if (r == 0) {
			opened++;
			maildrop_close(m);
		} else if (r != -EBUSY) {
			return (void *)-1;
		}
	}
	return (void *)opened;
}

static void test_threads_open(void **state)
{
	struct help *const h = *state;
	pthread_t threads[THREADS];
	void *opened;

	deliver_n(h, 3);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_some, h), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &opened), 0);
		assert_ptr_not_equal(opened, (void *)-1);
	}
	struct maildrop *const m = help_open(h);

	assert_int_equal(maildrop_count(m), 3);
	maildrop_close(m);
}

/* ---- quotas ---- */

static struct store_usage used(struct help *h)
{
	const struct store_owner owner = help_owner(h->maildrop);
	struct store_usage usage = {.messages = 4711, .octets = 4711};
	struct err err;

	if (store_usage(h->store, &owner, &usage, &err) < 0)
		fail_msg("%s", err.text);
	return usage;
}

static void test_usage(void **state)
{
	struct help *const h = *state;

	assert_int_equal(used(h).messages, 0);
	assert_int_equal(used(h).octets, 0);
	/* Before a session has made an index, after, and while one is open. */
	assert_int_equal(help_deliver(h, h->maildrop, "one\r\n"), 0);
	assert_int_equal(used(h).messages, 1);
	assert_int_equal(used(h).octets, 5);
	free(help_poll(h, NULL));
	assert_int_equal(used(h).octets, 5);
	assert_int_equal(help_deliver(h, h->maildrop, "second\r\n"), 0);
	assert_int_equal(used(h).messages, 2);
	assert_int_equal(used(h).octets, 13);

	struct maildrop *const m = help_open(h);

	assert_int_equal(help_deliver(h, h->maildrop, "3\r\n"), 0);
	assert_int_equal(used(h).messages, 3);
	assert_int_equal(used(h).octets, 16);
	maildrop_close(m);
	assert_int_equal(help_delete(h, 1, 0), 0);
	assert_int_equal(used(h).messages, 2);
	assert_int_equal(used(h).octets, 11);
}

static int deliver_with(struct help *h, uint64_t octets, uint64_t messages, const char *prefix)
{
	struct delivery_target t = {.owner = help_owner(h->maildrop), .prefix = span_str(prefix)};
	const struct delivery_info info = {.octets = 12};
	struct delivery *d;
	int r;

	t.owner.rules.quota_octets = octets;
	t.owner.rules.quota_messages = messages;
	r = delivery_begin(h->store, &t.owner, &d, NULL);
	if (r < 0)
		return r;
	r = write(delivery_fd(d), "0123456789\r\n", 12) == 12
		    ? delivery_commit(d, &info, &t, 1, NULL)
		    : -EIO;
	delivery_free(d);
	return r;
}

/* To the octet, and the lines that are put in front are counted. */
static void test_quota(void **state)
{
	struct help *const h = *state;

	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(deliver_with(h, 11, 0, ""), STORE_OVER_QUOTA);
		assert_int_equal(used(h).messages, 0);
		assert_int_equal(deliver_with(h, 15, 0, "ab\r\n"), STORE_OVER_QUOTA);
		assert_int_equal(deliver_with(h, 16, 0, "ab\r\n"), 0);
		assert_int_equal(deliver_with(h, 27, 0, ""), STORE_OVER_QUOTA);
		assert_int_equal(deliver_with(h, 28, 0, ""), 0);
		assert_int_equal(deliver_with(h, 0, 2, ""), STORE_OVER_QUOTA);
		assert_int_equal(deliver_with(h, UINT64_MAX, 3, ""), 0);
		/* A quota that was made smaller. */
		assert_int_equal(deliver_with(h, 1, 0, ""), STORE_OVER_QUOTA);
		assert_int_equal(deliver_with(h, 0, 1, ""), STORE_OVER_QUOTA);
		assert_int_equal(used(h).messages, 3);
		assert_int_equal(help_delete(h, 1, 2, 3, 0), 0);
	}
}

/* Of several recipients one is full: the others have it. */
static void test_quota_of_one(void **state)
{
	struct help *const h = *state;
	char other[HELP_PATH_MAX + 8];
	const struct delivery_info info = {.octets = 2};
	struct delivery *d;
	struct err err;

	(void)snprintf(other, sizeof(other), "%s/bob", h->root);

	struct delivery_target t[3] = {
		{.owner = help_owner(h->maildrop)},
		{.owner = help_owner(other)},
		{.owner = help_owner(h->maildrop)},
	};

	t[0].owner.rules.quota_octets = t[2].owner.rules.quota_octets = 3;
	assert_int_equal(delivery_begin(h->store, &t[0].owner, &d, NULL), 0);
	assert_int_equal(write(delivery_fd(d), "\r\n", 2), 2);
	assert_int_equal(delivery_commit(d, &info, t, 3, &err), STORE_OVER_QUOTA);
	assert_non_null(strstr(err.text, "quota"));
	delivery_free(d);
	assert_int_equal(t[0].status, 0);
	assert_int_equal(t[1].status, 0);
	assert_int_equal(t[2].status, STORE_OVER_QUOTA);
	assert_int_equal(used(h).messages, 1);
}

#define QUOTA 100

static void *deliver_to_the_brim(void *arg)
{
	struct help *const h = arg;
	intptr_t failed = 0;

	for (int i = 0; i < DELIVERIES; i++) {
		const int r = deliver_with(h, 0, QUOTA, "");

		failed += r != 0 && r != STORE_OVER_QUOTA;
	}
	return (void *)failed;
}

static void test_quota_threads(void **state)
{
	struct help *const h = *state;
	pthread_t threads[THREADS];
	void *failed;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, deliver_to_the_brim, h), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_ptr_equal(failed, NULL);
	}
	/* On a machine that stands still, a lock isn't had in time: one each, then. */
	assert_in_range(used(h).messages, QUOTA, QUOTA + THREADS - 1);
}

/* ---- expiry ---- */

static int expire_before(struct help *h, uint64_t before, uint32_t *ret_removed)
{
	const struct store_owner owner = help_owner(h->maildrop);

	return store_expire(h->store, &owner, before, ret_removed, NULL);
}

static void test_expire(void **state)
{
	struct help *const h = *state;
	const uint64_t now = clock_wall_ns() / 1000000000;
	uint32_t removed = 4711;

	/* Nothing is made of what isn't there. */
	assert_int_equal(expire_before(h, now + 100, &removed), 0);
	assert_int_equal(removed, 0);
	assert_false(help_exists("%s", h->maildrop));
	assert_int_equal(help_deliver(h, h->maildrop, "one\r\n"), 0);
	assert_int_equal(help_deliver(h, h->maildrop, "two\r\n"), 0);
	assert_int_equal(expire_before(h, now - 1, &removed), 0);
	assert_int_equal(removed, 0);
	assert_int_equal(used(h).messages, 2);

	/* Not under a session. */
	struct maildrop *const m = help_open(h);

	assert_int_equal(expire_before(h, now + 100, &removed), -EBUSY);
	help_expect_text(m, 1, "one\r\n");
	maildrop_close(m);
	assert_int_equal(expire_before(h, now + 100, &removed), 0);
	assert_int_equal(removed, 2);
	assert_int_equal(used(h).messages, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_unknown_driver),
		TEST(test_empty_maildrop),
		TEST(test_path_must_be_absolute),
		TEST(test_deliver_and_read),
		TEST(test_snapshot_is_read_only),
		TEST(test_order_and_uidl_stay),
		TEST(test_delivery_order),
		TEST(test_exclusive),
		TEST(test_other_maildrops_are_free),
		TEST(test_close_deletes_nothing),
		TEST(test_commit_nothing),
		TEST(test_mark_twice_and_commit),
		TEST(test_commit_all),
		TEST(test_deliver_while_open),
		TEST(test_old_snapshot_stays),
		TEST(test_delivery_without_commit),
		TEST(test_wrong_length),
		TEST(test_empty_message),
		TEST(test_big_message),
		TEST(test_many_targets),
		TEST(test_same_target_twice),
		TEST(test_prefix_without_end),
		TEST(test_prefix_in_no_place),
		TEST(test_many_messages),
		TEST(test_usage),
		TEST(test_quota),
		TEST(test_quota_of_one),
		TEST(test_quota_threads),
		TEST(test_expire),
		TEST(test_threads),
		TEST(test_threads_open),
	};

	if (argc != 2) {
		(void)fprintf(stderr, "usage: test_store maildir|mem\n");
		return 64;
	}
	driver = argv[1];
	return cmocka_run_group_tests_name(driver, tests, NULL, NULL);
}
