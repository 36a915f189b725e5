/* SPDX-License-Identifier: MIT */
#include "client/maildir_target.h"

#include <dirent.h>
#include <errno.h>

#include "client_help.h"

#define IDENTITY "alice@pop.example.org"

static struct maildir_target *open_target(const char *identity)
{
	struct maildir_target *t;
	struct err err;

	if (maildir_target_open(in_scratch("M"), identity, false, &t, &err) != 0)
		fail_msg("%s", err.text);
	return t;
}

static struct message_key key_of(uint8_t n)
{
	return (struct message_key){.octets = {n}};
}

static struct incoming come(struct maildir_target *t, uint8_t n, struct span text)
{
	struct incoming in = {.bytes = 0};
	struct err err;

	assert_int_equal(incoming_begin(t, &in, &err), 0);
	assert_int_equal(incoming_write(t, &in, text, &err), 0);
	assert_int_equal(incoming_finish(t, &in, &err), 0);
	in.key = key_of(n);
	return in;
}

/* Files in a folder of the Maildir; the name of the last one in *ret_name. */
static size_t count(const char *folder, char *ret_name)
{
	DIR *const d = opendir(in_scratch(folder));
	const struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		if (ret_name != NULL)
			(void)snprintf(ret_name, 256, "%s", e->d_name);
	}
	(void)closedir(d);
	return n;
}

static void assert_file(const char *path, struct span text)
{
	char buffer[256];
	const int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, buffer, sizeof(buffer)), text.n);
	assert_memory_equal(buffer, text.p, text.n);
	(void)close(fd);
}

static void octets_are_kept(void **state)
{
	static const char text[] = "A: b\r\n\r\nc\rd\ne\0f\xff\r\n.\r\n\n";
	struct maildir_target *t = open_target(IDENTITY);
	const struct span all = span_of(text, sizeof(text) - 1);
	char name[256];
	char path[600];
	struct incoming in;
	struct err err;

	(void)state;
	in = come(t, 1, all);
	assert_int_equal(count("M/new", NULL), 0);
	assert_int_equal(count("M/tmp", NULL), 1);
	assert_int_equal(in.bytes, all.n);
	assert_int_equal(in.octets, all.n + 2);
	assert_int_equal(maildir_target_place(t, &in, 1, &err), 0);
	incoming_abort(t, &in);
	assert_int_equal(count("M/tmp", NULL), 0);
	assert_int_equal(count("M/new", name), 1);
	assert_contains(name, ",S=22,W=24");
	(void)snprintf(path, sizeof(path), "%s/%s", in_scratch("M/new"), name);
	assert_file(path, all);
	maildir_target_close(t);
}

/* A CR at the end of one piece belongs to the LF of the next; pieces larger than buffers. */
static void pieces(void **state)
{
	static char large[200000];
	struct maildir_target *t = open_target(IDENTITY);
	struct incoming in;
	struct stat st;
	char name[256];
	char path[600];
	struct err err;

	(void)state;
	memset(large, 'x', sizeof(large));
	assert_int_equal(incoming_begin(t, &in, &err), 0);
	assert_int_equal(incoming_write(t, &in, SPAN_LIT("a\r"), &err), 0);
	assert_int_equal(incoming_write(t, &in, SPAN_LIT("\nb"), &err), 0);
	assert_int_equal(incoming_write(t, &in, SPAN_LIT("\n"), &err), 0);
	assert_int_equal(incoming_write(t, &in, SPAN_LIT(""), &err), 0);
	assert_int_equal(incoming_write(t, &in, span_of(large, sizeof(large)), &err), 0);
	assert_int_equal(incoming_write(t, &in, SPAN_LIT("\n"), &err), 0);
	assert_int_equal(incoming_finish(t, &in, &err), 0);
	assert_int_equal(in.octets, in.bytes + 2);
	in.key = key_of(1);
	assert_int_equal(maildir_target_place(t, &in, 1, &err), 0);
	assert_int_equal(count("M/new", name), 1);
	(void)snprintf(path, sizeof(path), "%s/%s", in_scratch("M/new"), name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, sizeof(large) + 6);
	assert_int_equal(st.st_mode & 0777, 0600);
	maildir_target_close(t);
}

static void aborted_leaves_nothing(void **state)
{
	struct maildir_target *t = open_target(IDENTITY);
	struct incoming in;
	struct err err;

	(void)state;
	assert_int_equal(incoming_begin(t, &in, &err), 0);
	assert_int_equal(incoming_write(t, &in, SPAN_LIT("half"), &err), 0);
	incoming_abort(t, &in);
	incoming_abort(t, &in);
	assert_int_equal(count("M/tmp", NULL), 0);
	/* Nothing of it is in the next one. */
	in = come(t, 1, SPAN_LIT("whole"));
	assert_int_equal(in.bytes, 5);
	assert_int_equal(maildir_target_place(t, &in, 1, &err), 0);
	assert_int_equal(count("M/new", NULL), 1);
	maildir_target_close(t);
}

/* What this account has left is removed; what others are writing isn't. */
static void dead_sessions(void **state)
{
	struct maildir_target *mine = open_target(IDENTITY);
	struct maildir_target *other = open_target("bob@pop.example.org");
	struct incoming in[2];
	struct err err;

	(void)state;
	in[0] = come(mine, 1, SPAN_LIT("mine"));
	in[1] = come(other, 2, SPAN_LIT("other's"));
	write_file(in_scratch("M/tmp/1.2.host"), SPAN_LIT("somebody's"), 0600);
	maildir_target_close(mine);
	assert_int_equal(count("M/tmp", NULL), 3);
	mine = open_target(IDENTITY);
	assert_int_equal(count("M/tmp", NULL), 2);
	assert_int_equal(maildir_target_place(other, &in[1], 1, &err), 0);
	maildir_target_close(other);
	maildir_target_close(mine);
}

static void scan_finds(void **state)
{
	static const uint8_t numbers[] = {3, 1, 2};
	struct maildir_target *t = open_target(IDENTITY);
	struct incoming in[3];
	struct message_key key;
	struct header_digest digest;
	char name[256];
	char from[600];
	char to[600];
	uint64_t bytes;
	struct err err;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		in[i] = come(t, numbers[i], span_of("A: b\r\n\r\nc", 6 + numbers[i]));
	assert_int_equal(maildir_target_place(t, in, 3, &err), 0);
	/* A reader has moved one of them, and set flags. */
	assert_int_equal(count("M/new", name), 3);
	(void)snprintf(from, sizeof(from), "%s/%s", in_scratch("M/new"), name);
	(void)snprintf(to, sizeof(to), "%s/%s:2,FS", in_scratch("M/cur"), name);
	assert_int_equal(rename(from, to), 0);
	write_file(in_scratch("M/cur/1.2.host:2,S"), SPAN_LIT("somebody's"), 0600);

	key = key_of(1);
	assert_false(maildir_target_has(t, &key, &bytes));
	assert_int_equal(maildir_target_scan(t, &err), 0);
	for (size_t i = 0; i < 3; i++) {
		key = key_of(numbers[i]);
		assert_true(maildir_target_has(t, &key, &bytes));
		assert_int_equal(bytes, 6 + numbers[i]);
		assert_int_equal(maildir_target_header(t, &key, &digest, &err), 0);
	}
	key = key_of(4);
	assert_false(maildir_target_has(t, &key, &bytes));
	assert_int_equal(maildir_target_header(t, &key, &digest, &err), -ENOENT);
	assert_int_equal(maildir_target_sync(t, &err), 0);

	/* Taken away: the next scan doesn't find it. */
	assert_int_equal(unlink(to), 0);
	assert_int_equal(maildir_target_scan(t, &err), 0);
	size_t left = 0;
	for (uint8_t n = 1; n <= 3; n++) {
		key = key_of(n);
		left += maildir_target_has(t, &key, &bytes);
	}
	assert_int_equal(left, 2);
	maildir_target_close(t);
}

static void header_is_the_messages(void **state)
{
	struct maildir_target *t = open_target(IDENTITY);
	struct incoming in = come(t, 1, SPAN_LIT("A: b\r\nC: d\r\n\r\nbody\r\n"));
	const struct message_key key = key_of(1);
	struct header_reader h = {0};
	struct header_digest expected;
	struct header_digest digest;
	struct err err;

	(void)state;
	assert_int_equal(maildir_target_place(t, &in, 1, &err), 0);
	assert_true(header_reader_init(&h));
	header_reader_take(&h, SPAN_LIT("A: b\r\nC: d\r\n\r\n"));
	header_reader_end(&h, &expected);
	header_reader_done(&h);
	assert_int_equal(maildir_target_header(t, &key, &digest, &err), 0);
	assert_true(header_digest_equal(&digest, &expected));
	maildir_target_close(t);
}

static void what_is_no_maildir(void **state)
{
	struct maildir_target *t;
	struct err err;

	(void)state;
	assert_int_equal(mkdir(in_scratch("home"), 0700), 0);
	write_file(in_scratch("home/thesis.tex"), SPAN_LIT("x"), 0600);
	assert_int_equal(maildir_target_open(in_scratch("home"), IDENTITY, false, &t, &err),
			 -EEXIST);
	assert_contains(err.text, "home' has other files in it and is no Maildir");
	assert_int_equal(access(in_scratch("home/tmp"), F_OK), -1);

	/* Half made by a session that died, and empty, are fine. */
	assert_int_equal(mkdir(in_scratch("home/tmp"), 0700), 0);
	assert_int_equal(maildir_target_open(in_scratch("home"), IDENTITY, false, &t, &err), 0);
	maildir_target_close(t);
	assert_int_equal(mkdir(in_scratch("empty"), 0700), 0);
	assert_int_equal(maildir_target_open(in_scratch("empty"), IDENTITY, false, &t, &err), 0);
	maildir_target_close(t);

	write_file(in_scratch("file"), SPAN_LIT("x"), 0600);
	assert_true(maildir_target_open(in_scratch("file"), IDENTITY, false, &t, &err) < 0);
	assert_true(maildir_target_open(in_scratch("file/M"), IDENTITY, false, &t, &err) < 0);
	assert_contains(err.text, "file");
}

static void made_with_what_is_above(void **state)
{
	struct maildir_target *t;
	struct stat st;
	struct err err;

	(void)state;
	assert_int_equal(maildir_target_open(in_scratch("a/b/c"), IDENTITY, false, &t, &err), 0);
	maildir_target_close(t);
	assert_int_equal(stat(in_scratch("a/b/c/new"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void looking_makes_nothing(void **state)
{
	struct maildir_target *t;
	const struct message_key key = key_of(1);
	uint64_t bytes;
	struct err err;

	(void)state;
	assert_int_equal(maildir_target_open(in_scratch("a"), IDENTITY, true, &t, &err), 0);
	assert_int_equal(maildir_target_scan(t, &err), 0);
	assert_false(maildir_target_has(t, &key, &bytes));
	maildir_target_close(t);
	assert_int_equal(access(in_scratch("a"), F_OK), -1);
}

/* All or, as far as it comes, none; the caller drops the rest. */
static void new_is_gone(void **state)
{
	struct maildir_target *t = open_target(IDENTITY);
	struct incoming in[2];
	struct err err;

	(void)state;
	in[0] = come(t, 1, SPAN_LIT("a"));
	in[1] = come(t, 2, SPAN_LIT("b"));
	assert_int_equal(rmdir(in_scratch("M/new")), 0);
	assert_int_equal(maildir_target_place(t, in, 2, &err), -ENOENT);
	assert_contains(err.text, "M/new");
	incoming_abort(t, &in[0]);
	incoming_abort(t, &in[1]);
	assert_int_equal(count("M/tmp", NULL), 0);
	maildir_target_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(octets_are_kept),
		scratch_test(pieces),
		scratch_test(aborted_leaves_nothing),
		scratch_test(dead_sessions),
		scratch_test(scan_finds),
		scratch_test(header_is_the_messages),
		scratch_test(what_is_no_maildir),
		scratch_test(made_with_what_is_above),
		scratch_test(looking_makes_nothing),
		scratch_test(new_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
