/* SPDX-License-Identifier: MIT */
/*
 * What may lie in a Maildir: names of every kind, and messages of every mixture of
 * line ends.
 */
#include "store_help.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/maildir/maildir_name.h"
#include "store/maildir/maildir_tidy.h"

static int setup(void **state)
{
	struct help *const h = help_new("maildir");

	help_make_maildir(h->maildrop);
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	help_free(*state);
	return 0;
}

static void forget_index(struct help *h)
{
	char path[HELP_PATH_MAX * 2];

	(void)snprintf(path, sizeof(path), "%s/restante.index", h->maildrop);
	assert_int_equal(unlink(path), 0);
}

static void test_parse(void **state)
{
	static const struct {
		const char *name;
		const char *base;
		const char *stem;
		int sizes;
		uint64_t bytes;
		uint64_t octets;
		int dots;
	} cases[] = {
		{"1.a", "1.a", "1.a", 0, 0, 0, -1},
		{"1.a:2,", "1.a", "1.a", 0, 0, 0, -1},
		{"1.a:2,FRS", "1.a", "1.a", 0, 0, 0, -1},
		{"1.a:1,x", "1.a", "1.a", 0, 0, 0, -1},
		{"1.a,S=10,W=12:2,S", "1.a,S=10,W=12", "1.a", 1, 10, 12, -1},
		{"1.a,S=10,W=10,D=3", "1.a,S=10,W=10,D=3", "1.a", 1, 10, 10, 3},
		{"1.a,W=12,S=10", "1.a,W=12,S=10", "1.a", 1, 10, 12, -1},
		{"1.a,S=10", "1.a,S=10", "1.a", 0, 10, 0, -1},
		{"1.a,W=10", "1.a,W=10", "1.a", 0, 0, 10, -1},
		{"1.a,S=10,x,W=12", "1.a,S=10,x,W=12", "1.a,x", 1, 10, 12, -1},
		{"1.a,x,S=10,W=12", "1.a,x,S=10,W=12", "1.a,x", 1, 10, 12, -1},
		{"1.a,S=10,x,y,W=12,z", "1.a,S=10,x,y,W=12,z", "1.a,x,y,z", 1, 10, 12, -1},
		/* Not to be believed: shorter on the wire, too long for any file, twice. */
		{"1.a,S=10,W=9", "1.a,S=10,W=9", "1.a", 0, 10, 9, -1},
		{"1.a,S=10,W=23", "1.a,S=10,W=23", "1.a", 0, 10, 23, -1},
		{"1.a,S=10,W=22", "1.a,S=10,W=22", "1.a", 1, 10, 22, -1},
		{"1.a,S=10,S=11,W=12", "1.a,S=10,S=11,W=12", "1.a", 0, 11, 12, -1},
		{"1.a,S=99999999999999,W=99999999999999", "1.a,S=99999999999999,W=99999999999999",
		 "1.a", 0, 99999999999999, 99999999999999, -1},
		/* Not sizes. */
		{"1.a,S=,W=1", "1.a,S=,W=1", "1.a,S=", 0, 0, 1, -1},
		{"1.a,S=1x,W=-1", "1.a,S=1x,W=-1", "1.a,S=1x,W=-1", 0, 0, 0, -1},
		{"1.a,S=18446744073709551616", "1.a,S=18446744073709551616",
		 "1.a,S=18446744073709551616", 0, 0, 0, -1},
		{"S=1,W=2", "S=1,W=2", "S=1", 0, 0, 2, -1},
		{",S=1", ",S=1", "", 0, 1, 0, -1},
		{",", ",", ",", 0, 0, 0, -1},
		{":2,", "", "", 0, 0, 0, -1},
		{"1:30.a", "1:30.a", "1:30.a", 0, 0, 0, -1},
		{"1.a:2", "1.a:2", "1.a:2", 0, 0, 0, -1},
		{"1.a:2,S:2,F", "1.a:2,S", "1.a:2,S", 0, 0, 0, -1},
		{"1.a:3,S", "1.a:3,S", "1.a:3,S", 0, 0, 0, -1},
		/* How it is downgraded. What other programs write (U=, a UID) isn't that. */
		{"1.a,S=9,W=9,D=0,I=14:2,S", "1.a,S=9,W=9,D=0,I=14", "1.a", 1, 9, 9, 0},
		{"1.a,S=9,W=9,D=0,I=-9", "1.a,S=9,W=9,D=0,I=-9", "1.a", 1, 9, 9, 0},
		{"1.a,I=x,I=,I=-,I=32768", "1.a,I=x,I=,I=-,I=32768", "1.a,I=x,I=,I=-,I=32768", 0, 0,
		 0, -1},
		{"1.a,U=7", "1.a,U=7", "1.a,U=7", 0, 0, 0, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct maildir_name n;

		maildir_name_parse(span_str(cases[i].name), &n);
		if (!span_eq(n.base, span_str(cases[i].base)) ||
		    !span_eq(n.stem, span_str(cases[i].stem)) ||
		    n.has_sizes != (cases[i].sizes != 0) || n.bytes != cases[i].bytes ||
		    n.octets != cases[i].octets || n.has_dots != (cases[i].dots >= 0) ||
		    (cases[i].dots >= 0 && n.dots != (uint64_t)cases[i].dots))
			fail_msg("%s: base '%.*s' stem '%.*s' sizes %d %llu %llu", cases[i].name,
				 (int)n.base.n, n.base.p, (int)n.stem.n, n.stem.p, n.has_sizes,
				 (unsigned long long)n.bytes, (unsigned long long)n.octets);
	}
}

static void test_growth(void **state)
{
	static const struct {
		const char *name;
		bool has;
		int growth;
	} cases[] = {
		{"1.a,S=9,W=9,D=0", false, 0},
		{"1.a,S=9,W=9,D=0,I=14", true, 14},
		{"1.a,S=9,W=9,D=0,I=0:2,S", true, 0},
		{"1.a,I=32767,S=9,W=9", true, 32767},
		{"1.a,I=32768,S=9,W=9", false, 0},
		/* Shorter than nothing, and twice. */
		{"1.a,S=9,W=9,D=0,I=-9", true, -9},
		{"1.a,S=9,W=9,D=0,I=-10", false, 0},
		{"1.a,S=9,W=9,D=0,I=1,I=1", false, 0},
	};
	char longest[MAILDIR_NAME_MAX + 1] = "1.a";

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct maildir_name n;

		maildir_name_parse(span_str(cases[i].name), &n);
		assert_int_equal(n.has_growth, cases[i].has);
		assert_int_equal(n.growth, cases[i].growth);
	}
	assert_int_equal(maildir_name_put_growth(longest, -32767), 0);
	assert_string_equal(longest, "1.a,I=-32767");
	memset(longest, 'x', MAILDIR_NAME_MAX - 3);
	longest[MAILDIR_NAME_MAX - 3] = '\0';
	assert_int_equal(maildir_name_put_growth(longest, 1), -ENAMETOOLONG);
	assert_int_equal(strlen(longest), MAILDIR_NAME_MAX - 3);
}

static void test_order(void **state)
{
	static const struct {
		const char *name;
		struct maildir_order order;
	} cases[] = {
		{"1700000000.M123P45Q6.host:2,S", {1700000000, 123, 6}},
		{"1700000000.V801I2f3aM99.host", {1700000000, 99, 0}},
		{"1700000000.H5P6.host.M7", {1700000000, 0, 0}},
		{"1700000000", {1700000000, 0, 0}},
		{"1700000000.", {1700000000, 0, 0}},
		{"1700000000_2.host", {1700000000, 0, 0}},
		{"abc.M1", {0, 0, 0}},
		{"99999999999999999999999.M1", {0, 1, 0}},
		{"", {0, 0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct maildir_order o;

		maildir_name_order(span_str(cases[i].name), &o);
		if (o.seconds != cases[i].order.seconds || o.micros != cases[i].order.micros ||
		    o.sequence != cases[i].order.sequence)
			fail_msg("%s: %llu %llu %llu", cases[i].name, (unsigned long long)o.seconds,
				 (unsigned long long)o.micros, (unsigned long long)o.sequence);
	}
}

static void test_uidl_of_a_name(void **state)
{
	struct maildir_uidl u;
	char longest[72];

	(void)state;
	assert_true(maildir_uidl_make(SPAN_LIT("1.a"), &u));
	assert_int_equal(u.len, 3);
	assert_memory_equal(u.text, "1.a", 3);

	memset(longest, 'x', sizeof(longest));
	assert_true(maildir_uidl_make(span_of(longest, 70), &u));
	assert_int_equal(u.len, 70);
	assert_true(maildir_uidl_make(span_of(longest, 71), &u));
	assert_int_equal(u.len, 33);
	assert_true(index_uidl_valid(maildir_uidl_span(&u)));

	/* For ever: another digest would be another message to every client. */
	assert_true(maildir_uidl_make(SPAN_LIT("with space"), &u));
	assert_int_equal(u.len, 33);
	assert_memory_equal(u.text, "~xc4pews7y4i4v2q47276ai2z4phcxgup", 33);
}

/* New messages stand by time of delivery, whatever the directories say. */
static void test_first_order(void **state)
{
	static const char *const names[] = {
		"cur/20.M5P1Q10.h:2,S", "new/20.M5P1Q9.h", "new/3.x",      "cur/100.b:2,",
		"new/20.M40P1.h",       "cur/100.a:2,FS",  "new/nameless", "cur/3.w,S=1:2,RS",
	};
	struct help *const h = *state;
	char *list;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		help_write("a\r\n", "%s/%s", h->maildrop, names[i]);
	for (int turn = 0; turn < 2; turn++) {
		list = help_poll(h, NULL);
		assert_string_equal(list, "nameless 3.w 3.x 20.M5P1Q9.h 20.M5P1Q10.h 20.M40P1.h "
					  "100.a 100.b ");
		free(list);
		forget_index(h);
	}
}

struct content {
	const char *text;
	size_t n;
	uint64_t octets;
	uint32_t flags;
};

#define TEXT(s) s, sizeof(s) - 1

static const struct content contents[] = {
	{TEXT(""), 0, INDEX_CRLF | INDEX_NO_DOT},
	{TEXT("a\r\n"), 3, INDEX_CRLF | INDEX_NO_DOT},
	{TEXT("a\n"), 3, INDEX_NO_DOT},
	{TEXT("a\nb\n"), 6, INDEX_NO_DOT},
	{TEXT("a\r\nb\n"), 6, INDEX_NO_DOT},
	{TEXT("a\nb\r\n"), 6, INDEX_NO_DOT},
	{TEXT(".a\r\n"), 4, INDEX_CRLF},
	{TEXT("a\r\n.\r\n"), 6, INDEX_CRLF},
	{TEXT("a\n.b\n"), 7, 0},
	{TEXT("a"), 3, INDEX_CRLF | INDEX_NO_DOT | INDEX_NO_EOL},
	{TEXT("a\r\n.b"), 7, INDEX_CRLF | INDEX_NO_EOL},
	{TEXT("a\nb"), 6, INDEX_NO_DOT | INDEX_NO_EOL},
	{TEXT("a\0b\r\n"), 5, INDEX_CRLF | INDEX_NO_DOT},
	{TEXT("\0"), 3, INDEX_CRLF | INDEX_NO_DOT | INDEX_NO_EOL},
	{TEXT("\xff\xfe\x80\n"), 5, INDEX_NO_DOT},
	{TEXT("a\rb\r\n"), 5, INDEX_CRLF | INDEX_NO_DOT},
	{TEXT("\n\n\n"), 6, INDEX_NO_DOT},
	{TEXT("x.\r\n.\n"), 7, 0},
};

#define CONTENTS (sizeof(contents) / sizeof(contents[0]))

static void write_octets(const char *path, const char *p, size_t n)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	assert_int_equal(close(fd), 0);
}

static void test_contents(void **state)
{
	struct help *const h = *state;
	uint64_t total = 0;
	struct maildrop *m;

	for (size_t i = 0; i < CONTENTS; i++) {
		char path[HELP_PATH_MAX * 2];

		(void)snprintf(path, sizeof(path), "%s/new/%zu.a", h->maildrop, 100 + i);
		write_octets(path, contents[i].text, contents[i].n);
		total += contents[i].octets;
	}
	m = help_open(h);
	assert_int_equal(maildrop_count(m), CONTENTS);
	assert_int_equal(maildrop_octets(m), total);
	for (uint32_t i = 0; i < CONTENTS; i++) {
		const struct content *const c = &contents[i];
		const struct index_record r = help_record(m, i + 1);
		struct store_message message;
		size_t n;

		if (r.octets != c->octets || r.bytes != c->n ||
		    r.flags != (c->flags | INDEX_MEASURED | INDEX_NAME_DERIVED))
			fail_msg("content %u: %llu octets, %llu bytes, flags %x", i,
				 (unsigned long long)r.octets, (unsigned long long)r.bytes,
				 r.flags);
		assert_int_equal(maildrop_message(m, i + 1, &message, NULL), 0);
		assert_int_equal(message.octets, c->octets);
		assert_int_equal(message.flags, c->flags);
		assert_int_equal(close(message.fd), 0);

		char *const text = help_text(m, i + 1, &n);

		assert_int_equal(n, c->n);
		assert_memory_equal(text, c->text, n);
		free(text);
	}
	maildrop_close(m);
}

/* A message longer than what is read at once, cut at the worst places. */
static void test_long_content(void **state)
{
	const size_t n = (size_t)128 * 1024 * 2 + 10;
	struct help *const h = *state;
	char path[HELP_PATH_MAX * 2];
	char *const p = malloc(n);
	struct maildrop *m;

	assert_non_null(p);
	for (int shift = -3; shift <= 3; shift++) {
		memset(p, 'x', n);
		memcpy(p + 128 * 1024 + shift, "\r\n.\n", 4);
		(void)snprintf(path, sizeof(path), "%s/new/%d.a", h->maildrop, 10 + shift);
		write_octets(path, p, n);
	}
	m = help_open(h);
	for (uint32_t i = 1; i <= 7; i++) {
		assert_int_equal(help_record(m, i).octets, n + 1 + 2);
		assert_int_equal(help_record(m, i).flags &
					 (INDEX_CRLF | INDEX_NO_DOT | INDEX_NO_EOL),
				 INDEX_NO_EOL);
	}
	maildrop_close(m);
	free(p);
}

static void test_sizes_in_names(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		uint64_t octets;
		uint64_t bytes;
		uint32_t flags;
	} cases[] = {
		{"1.a,S=4,W=6", "a\nb\n", 6, 4, 0},
		{"2.a,S=6,W=6", "a\r\nb\r\n", 6, 6, INDEX_CRLF},
		{"3.a,S=6,W=6,D=0", "a\r\nb\r\n", 6, 6, INDEX_CRLF | INDEX_NO_DOT},
		{"4.a,S=6,W=6,D=1", "a\r\n.\r\n", 6, 6, INDEX_CRLF},
		{"5.a,S=4,W=6,D=0", "a\nb\n", 6, 4, 0},
		{"5.b,S=6,W=6,D=0,I=14", "a\r\nb\r\n", 6, 6,
		 INDEX_CRLF | INDEX_NO_DOT | INDEX_UTF8_HEADER},
		{"5.c,S=6,W=6,D=0,I=-7", "a\r\nb\r\n", 6, 6, INDEX_CRLF | INDEX_NO_DOT},
		{"5.d,S=6,W=6,I=14", "a\r\nb\r\n", 6, 6, INDEX_CRLF},
		/* One of them isn't enough, nor one that can't be. */
		{"6.a,S=4", "a\nb\n", 6, 4, INDEX_MEASURED | INDEX_NO_DOT},
		{"7.a,W=6", "a\nb\n", 6, 4, INDEX_MEASURED | INDEX_NO_DOT},
		{"8.a,S=4,W=3", "a\nb\n", 6, 4, INDEX_MEASURED | INDEX_NO_DOT},
		{"9.a,S=4,W=60", "a\nb\n", 6, 4, INDEX_MEASURED | INDEX_NO_DOT},
	};
	struct help *const h = *state;
	struct maildrop *m;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		help_write(cases[i].text, "%s/cur/%s:2,S", h->maildrop, cases[i].name);
	m = help_open(h);
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct index_record r = help_record(m, i + 1);

		assert_int_equal(r.octets, cases[i].octets);
		assert_int_equal(r.bytes, cases[i].bytes);
		assert_int_equal(r.flags, cases[i].flags | INDEX_IN_CUR | INDEX_NAME_DERIVED);
		help_expect_text(m, i + 1, cases[i].text);
	}
	maildrop_close(m);
}

/* A name that lies about the size: refused when it is asked for, right the next time. */
static void test_lying_names(void **state)
{
	struct help *const h = *state;
	struct store_message message;
	struct maildrop *m;
	struct err err;

	help_write("a\nb\n", "%s/cur/1.a,S=9,W=9:2,S", h->maildrop);
	help_write("c\r\n", "%s/cur/2.b,S=3,W=3:2,S", h->maildrop);
	m = help_open(h);
	assert_int_equal(help_record(m, 1).octets, 9);
	assert_int_equal(maildrop_message(m, 1, &message, &err), -ESTALE);
	help_expect_text(m, 2, "c\r\n");
	maildrop_close(m);
	for (int turn = 0; turn < 2; turn++) {
		m = help_open(h);
		assert_int_equal(help_record(m, 1).octets, 6);
		assert_int_equal(help_record(m, 1).bytes, 4);
		assert_int_equal(help_record(m, 1).flags & INDEX_MEASURED, INDEX_MEASURED);
		assert_string_equal(help_uidl(m, 1), "1.a");
		assert_string_equal(help_uidl(m, 2), "2.b");
		help_expect_text(m, 1, "a\nb\n");
		assert_int_equal(maildrop_octets(m), 9);
		maildrop_close(m);
	}
	/* A mail program marks it: what was counted stays. */
	char from[HELP_PATH_MAX * 2];
	char to[HELP_PATH_MAX * 2];

	(void)snprintf(from, sizeof(from), "%s/cur/1.a,S=9,W=9:2,S", h->maildrop);
	(void)snprintf(to, sizeof(to), "%s/cur/1.a,S=9,W=9:2,FS", h->maildrop);
	assert_int_equal(rename(from, to), 0);
	m = help_open(h);
	help_expect_text(m, 1, "a\nb\n");
	maildrop_close(m);
}

/* The length on disk is true, that on the wire isn't: only reading shows it. */
static void test_lying_octets(void **state)
{
	struct help *const h = *state;
	struct store_message message;
	struct maildrop *m;
	uint32_t removed;
	struct err err;

	help_write("a\nb\n", "%s/cur/1.a,S=4,W=5:2,S", h->maildrop);
	help_write("a\nb\n", "%s/cur/2.b,S=4,W=4:2,S", h->maildrop);
	help_write("a\nb\n", "%s/cur/3.c,S=4,W=6:2,S", h->maildrop);
	help_write(".a\r\n", "%s/cur/4.d,S=4,W=4:2,S", h->maildrop);
	help_write("aa\r\n", "%s/cur/5.e,S=4,W=4:2,S", h->maildrop);
	help_write("a\nb\n", "%s/cur/6.f,S=4,W=7:2,S", h->maildrop);
	for (int turn = 0; turn < 3; turn++) {
		static const uint64_t listed[3][6] = {
			{5, 4, 6, 4, 4, 7}, {6, 4, 6, 4, 4, 7}, {6, 6, 6, 4, 6}};
		const uint32_t count = turn == 2 ? 5 : 6;

		m = help_open(h);
		assert_int_equal(maildrop_count(m), count);
		for (uint32_t n = 1; n <= count; n++)
			assert_int_equal(help_record(m, n).octets, listed[turn][n - 1]);
		/* TOP doesn't say how long it is, and isn't refused. */
		assert_int_equal(maildrop_message(m, 1, &message, NULL), 0);
		assert_int_equal(message.counted, turn > 0);
		if (turn == 0) {
			assert_int_equal(maildrop_check(m, 1, &message, &err), -ESTALE);
			assert_non_null(strstr(err.text, "6 octets on the wire, and not 5"));
		} else {
			assert_int_equal(maildrop_check(m, 1, &message, NULL), 0);
			assert_int_equal(close(message.fd), 0);
		}
		if (turn == 1) {
			/* A commit writes what was found as well as what it deletes. */
			for (uint32_t n = 6; n > 0; n = n == 6 ? 2 : 0) {
				assert_int_equal(maildrop_message(m, n, &message, NULL), 0);
				assert_int_equal(maildrop_check(m, n, &message, NULL), -ESTALE);
			}
			assert_int_equal(maildrop_mark(m, 5), 0);
			assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
		}
		maildrop_close(m);
	}

	/* What is true is found to be, and what is in wire form is sent as it is. */
	m = help_open(h);
	assert_int_equal(maildrop_message(m, 3, &message, NULL), 0);
	assert_int_equal(maildrop_check(m, 3, &message, NULL), 0);
	assert_int_equal(message.flags, INDEX_NO_DOT);
	assert_int_equal(close(message.fd), 0);
	assert_int_equal(maildrop_message(m, 4, &message, NULL), 0);
	assert_int_equal(message.flags, INDEX_CRLF);
	assert_int_equal(maildrop_check(m, 4, &message, NULL), 0);
	assert_int_equal(message.flags, INDEX_CRLF);
	assert_int_equal(close(message.fd), 0);
	maildrop_close(m);
	assert_false(help_noticed(h, "isn't as it was left"));
}

/* Somebody writes into a message that lies there. That isn't done, and survived. */
static void test_file_changed_in_place(void **state)
{
	struct help *const h = *state;
	struct store_message message;
	struct maildrop *m;

	help_write("a\n", "%s/new/1.a", h->maildrop);
	m = help_open(h);
	help_write("a\nmore\n", "%s/new/1.a", h->maildrop);
	assert_int_equal(maildrop_message(m, 1, &message, NULL), -ESTALE);
	maildrop_close(m);
	m = help_open(h);
	assert_int_equal(help_record(m, 1).octets, 9);
	help_expect_text(m, 1, "a\nmore\n");
	maildrop_close(m);
}

static void fill(char *p, size_t n, const char *front)
{
	memset(p, 'n', n);
	memcpy(p, front, strlen(front));
	p[n] = '\0';
}

/* Each is listed with a UIDL that is allowed, alone, and the same whenever it is asked. */
static void test_odd_names(void **state)
{
	static const char *const names[] = {
		"1.with space", "2.tab\there",
		"3.new\nline",  "4.\xff\xfe\x80",
		"5.:2,S:2,",    "6.;x&$(y)",
		"7.\x7f",       ",S=3",
		",S=4",         "~~",
		"8.%s%n%d",     "-rf",
		"9.a:2,S\n",    "10.\xe6\x97\xa5\xe6\x9c\xac",
	};
	struct help *const h = *state;
	const uint32_t count = sizeof(names) / sizeof(names[0]) + 4;
	char longs[4][256];
	char *first;
	char *again;
	uint32_t n;

	fill(longs[0], 255, "20.");
	fill(longs[1], 71, "21.");
	fill(longs[2], 70, "22.");
	fill(longs[3], 130, "23.");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		help_write("a\r\n", "%s/new/%s", h->maildrop, names[i]);
	for (size_t i = 0; i < 4; i++)
		help_write("long\r\n", "%s/new/%s", h->maildrop, longs[i]);

	first = help_poll(h, &n);
	assert_int_equal(n, count);
	again = help_poll(h, NULL);
	assert_string_equal(first, again);
	free(again);
	forget_index(h);
	again = help_poll(h, NULL);
	assert_string_equal(first, again);
	free(again);

	struct maildrop *m = help_open(h);
	uint32_t removed;

	for (uint32_t i = 1; i <= count; i++) {
		const struct index_record a = help_record(m, i);
		char *const text = help_text(m, i, NULL);

		assert_true(strcmp(text, "a\r\n") == 0 || strcmp(text, "long\r\n") == 0);
		free(text);
		assert_true(index_uidl_valid(index_record_uidl(&a)));
		for (uint32_t j = 1; j < i; j++) {
			const struct index_record b = help_record(m, j);

			assert_false(span_eq(index_record_uidl(&a), index_record_uidl(&b)));
		}
		assert_int_equal(maildrop_mark(m, i), 0);
	}
	assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
	assert_int_equal(removed, count);
	maildrop_close(m);
	free(first);
	first = help_poll(h, &n);
	assert_int_equal(n, 0);
	assert_int_equal(help_count_files("%s/new", h->maildrop), 0);
	free(first);
}

/* Too long for a record: looked for by its UIDL, also after it has moved. */
static void test_over_long_names_move(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;
	char name[256];
	char from[HELP_PATH_MAX * 2];
	char to[HELP_PATH_MAX * 2];
	char *first;
	char *again;
	uint32_t n;

	fill(name, 240, "2.");
	help_write("long\r\n", "%s/new/%s", h->maildrop, name);
	help_write("a\r\n", "%s/new/1.a", h->maildrop);
	help_write("c\r\n", "%s/new/3.c", h->maildrop);
	first = help_poll(h, &n);
	assert_int_equal(n, 3);
	(void)snprintf(from, sizeof(from), "%s/new/%s", h->maildrop, name);
	(void)snprintf(to, sizeof(to), "%s/cur/%s:2,S", h->maildrop, name);

	m = help_open(h);
	assert_int_equal(rename(from, to), 0);
	help_expect_text(m, 2, "long\r\n");
	maildrop_close(m);
	again = help_poll(h, NULL);
	assert_string_equal(first, again);
	free(again);
	/* Only the other directory is read: it stays all the same. */
	help_write("d\r\n", "%s/new/4.d", h->maildrop);
	again = help_poll(h, &n);
	assert_int_equal(n, 4);
	assert_memory_equal(first, again, strlen(first));
	free(again);
	assert_int_equal(help_delete(h, 2, 3, 0), 0);
	again = help_poll(h, &n);
	assert_string_equal(again, "1.a 4.d ");
	free(again);
	free(first);
	assert_int_equal(help_count_files("%s/cur", h->maildrop), 0);
}

/* Two that differ only in what isn't part of what they are known by, and are too long. */
static void test_over_long_namesakes(void **state)
{
	static const char *const texts[2] = {"one\r\n", "two and more\r\n"};
	struct help *const h = *state;
	struct maildrop *m;
	char stem[256];
	char from[HELP_PATH_MAX * 2];
	char to[HELP_PATH_MAX * 2];
	char *first;
	char *again;
	uint32_t n;

	fill(stem, 90, "1.");
	help_write(texts[0], "%s/new/%s", h->maildrop, stem);
	help_write(texts[1], "%s/new/%s,S=14,W=14", h->maildrop, stem);
	first = help_poll(h, &n);
	assert_int_equal(n, 2);
	for (int turn = 0; turn < 3; turn++) {
		if (turn == 1) {
			(void)snprintf(from, sizeof(from), "%s/new/%s", h->maildrop, stem);
			(void)snprintf(to, sizeof(to), "%s/cur/%s:2,S", h->maildrop, stem);
			assert_int_equal(rename(from, to), 0);
		}
		m = help_open(h);
		for (uint32_t i = 0; i < 2; i++)
			help_expect_text(m, i + 1, texts[i]);
		if (turn == 2) {
			(void)snprintf(from, sizeof(from), "%s/new/%s,S=14,W=14", h->maildrop,
				       stem);
			(void)snprintf(to, sizeof(to), "%s/cur/%s,S=14,W=14:2,F", h->maildrop,
				       stem);
			assert_int_equal(rename(from, to), 0);
			help_expect_text(m, 2, texts[1]);
			help_expect_text(m, 1, texts[0]);
		}
		maildrop_close(m);
		again = help_poll(h, NULL);
		assert_string_equal(again, first);
		free(again);
	}
	assert_int_equal(help_delete(h, 2, 0), 0);
	assert_true(help_exists("%s/cur/%s:2,S", h->maildrop, stem));
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 1);
	help_expect_text(m, 1, texts[0]);
	maildrop_close(m);
	free(first);
}

/* Two messages that chose the same name are two messages. */
static void test_same_base_twice(void **state)
{
	struct help *const h = *state;
	struct maildrop *m;
	char *first;
	char *again;
	uint32_t n;

	help_write("new\r\n", "%s/new/1.a", h->maildrop);
	help_write("cur\r\n", "%s/cur/1.a:2,S", h->maildrop);
	help_write("third\r\n", "%s/cur/1.a:2,FS", h->maildrop);
	help_write("sized\r\n", "%s/cur/1.a,S=7,W=7:2,S", h->maildrop);
	first = help_poll(h, &n);
	assert_int_equal(n, 4);
	again = help_poll(h, NULL);
	assert_string_equal(first, again);
	free(again);
	forget_index(h);
	again = help_poll(h, NULL);
	assert_string_equal(first, again);
	free(again);

	m = help_open(h);
	int seen = 0;

	for (uint32_t i = 1; i <= 4; i++) {
		char *const text = help_text(m, i, NULL);

		seen += strcmp(text, "new\r\n") == 0 ? 1 : 0;
		seen += strcmp(text, "cur\r\n") == 0 ? 10 : 0;
		seen += strcmp(text, "third\r\n") == 0 ? 100 : 0;
		seen += strcmp(text, "sized\r\n") == 0 ? 1000 : 0;
		free(text);
	}
	assert_int_equal(seen, 1111);
	maildrop_close(m);
	/* One of them goes, and only that one. */
	m = help_open(h);
	char *const kept = help_text(m, 4, NULL);

	maildrop_close(m);
	assert_int_equal(help_delete(h, 1, 2, 3, 0), 0);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 1);
	help_expect_text(m, 1, kept);
	maildrop_close(m);
	free(kept);
	free(first);
}

/* The one that is asked for went away: the other one of its name isn't it. */
static void test_namesake_is_not_served(void **state)
{
	struct help *const h = *state;
	struct store_message message;
	struct maildrop *m;
	char path[HELP_PATH_MAX * 2];
	uint32_t removed;

	help_write("new\r\n", "%s/new/1.a", h->maildrop);
	help_write("cur\r\n", "%s/cur/1.a:2,S", h->maildrop);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 2);
	for (uint32_t n = 1; n <= 2; n++) {
		char *const text = help_text(m, n, NULL);
		const bool is_new = strcmp(text, "new\r\n") == 0;

		free(text);
		if (!is_new)
			continue;
		(void)snprintf(path, sizeof(path), "%s/new/1.a", h->maildrop);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(maildrop_message(m, n, &message, NULL), -ENOENT);
		help_expect_text(m, 3 - n, "cur\r\n");
		assert_int_equal(maildrop_mark(m, n), 0);
	}
	assert_int_equal(maildrop_commit(m, &removed, NULL), 0);
	maildrop_close(m);
	m = help_open(h);
	assert_int_equal(maildrop_count(m), 1);
	help_expect_text(m, 1, "cur\r\n");
	maildrop_close(m);
}

/* Both names of one file, as a program that links and unlinks leaves it for a moment. */
static void test_linked_twice(void **state)
{
	struct help *const h = *state;
	char from[HELP_PATH_MAX * 2];
	char to[HELP_PATH_MAX * 2];
	struct maildrop *m;
	char *list;

	help_write("a\r\n", "%s/new/1.a", h->maildrop);
	help_write("b\r\n", "%s/new/2.b", h->maildrop);
	list = help_poll(h, NULL);
	assert_string_equal(list, "1.a 2.b ");
	free(list);
	(void)snprintf(from, sizeof(from), "%s/new/1.a", h->maildrop);
	(void)snprintf(to, sizeof(to), "%s/cur/1.a:2,S", h->maildrop);
	assert_int_equal(link(from, to), 0);
	list = help_poll(h, NULL);
	assert_string_equal(list, "1.a 2.b ");
	free(list);
	forget_index(h);
	list = help_poll(h, NULL);
	assert_string_equal(list, "1.a 2.b ");
	free(list);
	/* Nothing was taken away: that program may be about to do it. */
	assert_true(help_exists("%s", from) && help_exists("%s", to));
	m = help_open(h);
	assert_int_equal(unlink(from), 0);
	help_expect_text(m, 1, "a\r\n");
	maildrop_close(m);
	/* It died in between: what is deleted doesn't come back under the other name. */
	assert_int_equal(link(to, from), 0);
	assert_int_equal(help_delete(h, 1, 0), 0);
	list = help_poll(h, NULL);
	assert_string_equal(list, "2.b ");
	free(list);
}

static void test_tidy(void **state)
{
	struct help *const h = *state;
	const uint64_t hour = UINT64_C(3600) * 1000000000;
	struct timespec now;
	struct timespec old[2];
	int root_fd;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
	const uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;

	help_write("half", "%s/tmp/1.dead", h->maildrop);
	help_write("half", "%s/tmp/2.old-date", h->maildrop);
	help_write("half", "%s/restante.journal.tmp", h->maildrop);
	old[0] = old[1] = (struct timespec){.tv_sec = 1000};
	root_fd = open(h->maildrop, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root_fd >= 0);
	assert_int_equal(utimensat(root_fd, "tmp/2.old-date", old, 0), 0);
	maildir_tidy(root_fd, now_ns);
	assert_int_equal(help_count_files("%s/tmp", h->maildrop), 2);
	assert_false(help_exists("%s/restante.journal.tmp", h->maildrop));
	maildir_tidy(root_fd, now_ns + 35 * hour);
	assert_int_equal(help_count_files("%s/tmp", h->maildrop), 2);
	maildir_tidy(root_fd, now_ns + 37 * hour);
	assert_int_equal(help_count_files("%s/tmp", h->maildrop), 0);
	assert_int_equal(close(root_fd), 0);
}

/* An old Maildir without tmp/, or an empty directory, becomes a whole one. */
static void test_missing_directories(void **state)
{
	static const char *const subs[] = {"new", "cur", "tmp"};
	struct help *const h = *state;
	char path[HELP_PATH_MAX * 2];

	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", h->maildrop, subs[i]);
		assert_int_equal(rmdir(path), 0);
		free(help_poll(h, NULL));
		if (strcmp(subs[i], "tmp") != 0)
			assert_true(help_exists("%s/%s", h->maildrop, subs[i]));
	}
	help_remove_tree(h->maildrop);
	assert_int_equal(help_deliver(h, h->maildrop, "a\r\n"), 0);
	assert_true(help_exists("%s/tmp", h->maildrop));
	assert_int_equal(help_count_files("%s/new", h->maildrop), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),     cmocka_unit_test(test_growth),
		cmocka_unit_test(test_order),     cmocka_unit_test(test_uidl_of_a_name),
		TEST(test_first_order),           TEST(test_contents),
		TEST(test_long_content),          TEST(test_sizes_in_names),
		TEST(test_lying_names),           TEST(test_lying_octets),
		TEST(test_file_changed_in_place), TEST(test_odd_names),
		TEST(test_over_long_names_move),  TEST(test_over_long_namesakes),
		TEST(test_same_base_twice),       TEST(test_namesake_is_not_served),
		TEST(test_linked_twice),          TEST(test_tidy),
		TEST(test_missing_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
