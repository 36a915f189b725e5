/* SPDX-License-Identifier: MIT */
/* Files of users as operators, Dovecot, editors and accidents leave them. */
#include "auth/passwd_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "auth/scheme.h"
#include "base/clock.h"

struct fixture {
	char dir[64];
	char path[96];
	struct passwd_file *file;
	char notices[16384];
	unsigned n_notices;
};

static void on_notice(void *arg, const char *text)
{
	struct fixture *fx = arg;
	const size_t n = strlen(fx->notices);

	fx->n_notices++;
	(void)snprintf(fx->notices + n, sizeof(fx->notices) - n, "%s\n", text);
}

static int setup(void **state)
{
	struct fixture *fx = calloc(1, sizeof(*fx));

	assert_non_null(fx);
	(void)snprintf(fx->dir, sizeof(fx->dir), "/tmp/restante-passwd-XXXXXX");
	assert_non_null(mkdtemp(fx->dir));
	(void)snprintf(fx->path, sizeof(fx->path), "%s/users", fx->dir);
	fx->file = passwd_file_new(fx->path, on_notice, fx);
	assert_non_null(fx->file);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fx = *state;

	passwd_file_free(fx->file);
	(void)unlink(fx->path);
	(void)rmdir(fx->path);
	(void)rmdir(fx->dir);
	free(fx);
	return 0;
}

/* In place, as an editor without manners does it. */
static void write_file(struct fixture *fx, const char *text, size_t n)
{
	const int fd = open(fx->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), (ssize_t)n);
	(void)close(fd);
}

/* Makes the file look as if nobody had touched it for an hour. */
static void age(struct fixture *fx, int hours)
{
	struct timespec times[2];

	(void)clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= hours * 3600;
	times[1] = times[0];
	assert_int_equal(utimensat(AT_FDCWD, fx->path, times, 0), 0);
}

static void load(struct fixture *fx, const char *text)
{
	struct err err = {{0}};

	write_file(fx, text, strlen(text));
	if (passwd_file_refresh(fx->file, &err) != 0)
		fail_msg("%s", err.text);
}

static struct passwd_user get(struct fixture *fx, const char *name)
{
	struct passwd_user user;

	if (!passwd_file_find(fx->file, name, &user))
		fail_msg("no user '%s'", name);
	return user;
}

static bool has(struct fixture *fx, const char *name)
{
	struct passwd_user user;

	return passwd_file_find(fx->file, name, &user);
}

static void reads_every_form_of_a_line(void **state)
{
	struct fixture *fx = *state;
	struct passwd_user u;

	load(fx, "# a comment: with colons\n"
		 "\n"
		 "   \t\n"
		 "  # an indented comment\n"
		 "alice:{PLAIN}wonderland\n"
		 "Bob@Example.ORG:{PLAIN}builder:1000:100:Bob Builder:/home/bob:/bin/sh:\n"
		 "carol:{PLAIN}x:::::::\r\n"
		 "dave::1001:1001::/home/dave\n"
		 "erin:*:::::\n"
		 "frank:{PLAIN}x::::::userdb_mail=maildir:~/Maildir:LAYOUT=fs "
		 "userdb_quota_rule=*:storage=1G userdb_uid=7 userdb_gid=8 userdb_home=/h/frank "
		 "nologin\n"
		 "grace:{SSHA}DszVqqtGRSp52sei5s5eaPufz+Td/1tN:1:2:g:/h:s:allow_nets=127.0.0.1/8");
	assert_int_equal(fx->n_notices, 0);
	assert_int_equal(passwd_file_count(fx->file), 7);

	u = get(fx, "alice");
	assert_string_equal(u.name, "alice");
	assert_string_equal(u.secret, "{PLAIN}wonderland");
	assert_string_equal(u.home, "");
	assert_string_equal(u.mail, "");
	assert_int_equal(u.uid, PASSWD_NO_ID);
	assert_int_equal(u.gid, PASSWD_NO_ID);

	u = get(fx, "bob@example.org");
	assert_string_equal(u.secret, "{PLAIN}builder");
	assert_string_equal(u.home, "/home/bob");
	assert_int_equal(u.uid, 1000);
	assert_int_equal(u.gid, 100);

	assert_string_equal(get(fx, "carol").secret, "{PLAIN}x");
	assert_string_equal(get(fx, "carol").mail, "");
	assert_string_equal(get(fx, "dave").secret, "");
	assert_string_equal(get(fx, "dave").home, "/home/dave");
	assert_string_equal(get(fx, "erin").secret, "*");

	u = get(fx, "frank");
	assert_string_equal(u.mail, "maildir:~/Maildir:LAYOUT=fs");
	assert_string_equal(u.home, "/h/frank");
	assert_int_equal(u.uid, 7);
	assert_int_equal(u.gid, 8);

	assert_int_equal(get(fx, "grace").gid, 2);
	assert_false(has(fx, "nobody"));
	assert_false(has(fx, "bob"));
	assert_false(has(fx, ""));
}

struct report {
	const char *text;
	const char *says;
	bool user; /* is there all the same */
};

static void reports_a_bad_line_and_reads_on(void **state)
{
	static const struct report cases[] = {
		{"no colon at all", "no ':'", false},
		{":{PLAIN}x", "empty", false},
		{"../up:{PLAIN}x", "'/'", false},
		{".up:{PLAIN}x", "'.'", false},
		{"bad\x80:{PLAIN}x", "UTF-8", false},
		{"bad\x1b:{PLAIN}x", "control", false},
		{"bad :{PLAIN}x", "space", false},
		{" bad:{PLAIN}x", "space", false},
		{"bad:{PLAIN}x:root:0", "uid is not a number", true},
		{"bad:{PLAIN}x:-1:0", "uid is not a number", true},
		{"bad:{PLAIN}x:4294967295:0", "uid is not a number", true},
		{"bad:{PLAIN}x:4294967294:0", "uid is not a number", true},
		{"bad:{PLAIN}x:1:0x2", "gid is not a number", true},
		{"bad:{PLAIN}x:1:2::home", "home", true},
		{"bad:{PLAIN}x::::::userdb_uid=alice", "uid is not a number", true},
		{"bad:{ROT13}k", "{ROT13}", true},
		{"bad:hunter2", "no {SCHEME}", true},
	};
	struct fixture *fx = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[512];
		char where[160];

		fx->n_notices = 0;
		fx->notices[0] = '\0';
		(void)snprintf(text, sizeof(text), "alice:{PLAIN}a\n%s\nzoe:{PLAIN}z\n",
			       cases[i].text);
		(void)snprintf(where, sizeof(where), "%s:2: ", fx->path);
		load(fx, text);
		if (fx->n_notices != 1 || strstr(fx->notices, cases[i].says) == NULL ||
		    strstr(fx->notices, where) == NULL)
			fail_msg("%s: %u: %s", cases[i].text, fx->n_notices, fx->notices);
		assert_null(strstr(fx->notices, "hunter2"));
		assert_true(has(fx, "alice"));
		assert_true(has(fx, "zoe"));
		assert_int_equal(passwd_file_count(fx->file), cases[i].user ? 3 : 2);
		assert_int_equal(has(fx, "bad"), cases[i].user);
	}
}

static void a_nul_costs_its_line(void **state)
{
	static const char text[] =
		"alice:{PLAIN}a\nbo\0b:{PLAIN}b\ncarol:{PLAIN}c\0c\nzoe:{PLAIN}z";
	struct fixture *fx = *state;

	write_file(fx, text, sizeof(text) - 1);
	assert_int_equal(passwd_file_refresh(fx->file, NULL), 0);
	assert_int_equal(passwd_file_count(fx->file), 2);
	assert_true(has(fx, "zoe"));
	assert_int_equal(fx->n_notices, 2);
}

static void first_of_two_wins(void **state)
{
	struct fixture *fx = *state;

	load(fx, "alice:{PLAIN}one\nbob:{PLAIN}b\nALICE:{PLAIN}two\n");
	assert_string_equal(get(fx, "alice").secret, "{PLAIN}one");
	assert_int_equal(fx->n_notices, 1);
	assert_non_null(strstr(fx->notices, ":3: user 'alice'"));
}

static void notices_have_a_limit(void **state)
{
	struct fixture *fx = *state;
	char text[4096] = "alice:{PLAIN}a\n";

	for (size_t n = strlen(text); n + 8 < sizeof(text); n += 4)
		memcpy(text + n, "bad\n", 5);
	load(fx, text);
	assert_int_equal(fx->n_notices, 21);
	assert_non_null(strstr(fx->notices, "not reported"));
}

static void a_long_line_costs_itself(void **state)
{
	struct fixture *fx = *state;
	const size_t n = 3U << 20;
	char *text = malloc(n);

	assert_non_null(text);
	memset(text, 'x', n);
	memcpy(text, "big:{PLAIN}", 11);
	memcpy(text + n - 17, "\nalice:{PLAIN}ok\n", 17);
	write_file(fx, text, n);
	free(text);
	assert_int_equal(passwd_file_refresh(fx->file, NULL), 0);
	assert_int_equal(passwd_file_count(fx->file), 1);
	assert_true(has(fx, "alice"));
	assert_non_null(strstr(fx->notices, "too long"));
}

static void a_byte_order_mark_is_no_name(void **state)
{
	struct fixture *fx = *state;

	load(fx, "\xef\xbb\xbf"
		 "alice:{PLAIN}a\r\nbob:{PLAIN}b\r\n");
	assert_true(has(fx, "alice"));
	assert_string_equal(get(fx, "bob").secret, "{PLAIN}b");
	assert_int_equal(fx->n_notices, 0);
}

static void sees_each_change(void **state)
{
	struct fixture *fx = *state;
	char text[] = "alice:{PLAIN}0\n";

	/* The same size, and faster than the file system's clock ticks. */
	for (char c = 'a'; c <= 'z'; c++) {
		text[13] = c;
		load(fx, text);
		assert_int_equal(get(fx, "alice").secret[7], c);
	}
	/* The same size and time, another file. */
	age(fx, 1);
	load(fx, text);
	age(fx, 1);
	assert_int_equal(passwd_file_refresh(fx->file, NULL), 0);
	assert_true(has(fx, "alice"));
}

static void leaves_an_old_file_alone(void **state)
{
	struct fixture *fx = *state;
	const char *before;
	const char *after;
	int turns = 0;

	load(fx, "alice:{PLAIN}a\n");
	/* Once its clock has ticked it isn't read again: the secret stays in the same memory. */
	do {
		before = get(fx, "alice").secret;
		(void)usleep(5000);
		assert_int_equal(passwd_file_refresh(fx->file, NULL), 0);
		after = get(fx, "alice").secret;
		assert_true(++turns < 1000);
	} while (before != after || turns < 20);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(passwd_file_refresh(fx->file, NULL), 0);
		assert_ptr_equal(get(fx, "alice").secret, after);
	}
}

static void keeps_the_users_when_the_file_breaks(void **state)
{
	struct fixture *fx = *state;
	struct err err;

	load(fx, "alice:{PLAIN}a\n");
	write_file(fx, "garbage\nmore\n", 13);
	assert_int_equal(passwd_file_refresh(fx->file, &err), -EINVAL);
	assert_non_null(strstr(err.text, fx->path));
	assert_true(has(fx, "alice"));
	age(fx, 1);
	/* Said again, and not read again, for ever. */
	fx->n_notices = 0;
	assert_int_equal(passwd_file_refresh(fx->file, &err), -EINVAL);
	assert_true(has(fx, "alice"));

	assert_int_equal(unlink(fx->path), 0);
	assert_int_equal(passwd_file_refresh(fx->file, &err), -ENOENT);
	assert_true(has(fx, "alice"));

	assert_int_equal(mkdir(fx->path, 0700), 0);
	assert_int_equal(passwd_file_refresh(fx->file, &err), -EINVAL);
	assert_int_equal(rmdir(fx->path), 0);
	assert_true(has(fx, "alice"));

	assert_int_equal(mkfifo(fx->path, 0700), 0);
	assert_int_equal(passwd_file_refresh(fx->file, &err), -EINVAL);
	assert_int_equal(unlink(fx->path), 0);
	assert_true(has(fx, "alice"));

	load(fx, "bob:{PLAIN}b\n");
	assert_false(has(fx, "alice"));
	assert_true(has(fx, "bob"));

	/* An empty file is what it says. */
	load(fx, "");
	assert_int_equal(passwd_file_count(fx->file), 0);
	assert_true(passwd_file_is_loaded(fx->file));
	assert_false(has(fx, "bob"));
}

static void a_file_too_large_is_refused(void **state)
{
	struct fixture *fx = *state;
	struct err err;

	load(fx, "alice:{PLAIN}a\n");
	assert_int_equal(truncate(fx->path, (off_t)PASSWD_FILE_MAX_BYTES + 1), 0);
	assert_int_equal(passwd_file_refresh(fx->file, &err), -EFBIG);
	assert_true(has(fx, "alice"));
}

static void loads_a_hundred_thousand(void **state)
{
	struct fixture *fx = *state;
	FILE *out = fopen(fx->path, "w");

	assert_non_null(out);
	for (int i = 0; i < 100000; i++)
		(void)fprintf(out,
			      "user%06d@example.org:{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$"
			      "OZpYHTOnjUd44KWZaV7c5w$Onl+FhUYI/KGM5IAht9AiyqRFKFyFNBldmuZL6PTV8A"
			      ":%d:100::/home/u%d::\n",
			      i, 1000 + i, i);
	assert_int_equal(fclose(out), 0);

	const uint64_t before = clock_mono_ms();

	assert_int_equal(passwd_file_refresh(fx->file, NULL), 0);
	print_message("100,000 users in %llu ms\n", (unsigned long long)(clock_mono_ms() - before));
	assert_int_equal(passwd_file_count(fx->file), 100000);
	for (int i = 0; i < 100000; i += 997) {
		char name[64];

		(void)snprintf(name, sizeof(name), "user%06d@example.org", i);
		assert_int_equal(get(fx, name).uid, 1000 + i);
	}
	assert_int_equal(fx->n_notices, 0);
}

static void a_decoy_is_somebodys_secret(void **state)
{
	struct fixture *fx = *state;
	struct passwd_user first;
	struct passwd_user user;

	assert_false(passwd_file_decoy(fx->file, "x", &user));
	load(fx, "a:*\nb:\nc:!{PLAIN}q\n");
	assert_false(passwd_file_decoy(fx->file, "x", &user));
	load(fx, "a:*\nb:{PLAIN}1\nc:{PLAIN}2\nd:*\n");
	assert_true(passwd_file_decoy(fx->file, "x", &first));
	for (int i = 0; i < 100; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%d", i);
		assert_true(passwd_file_decoy(fx->file, name, &user));
		assert_false(scheme_is_locked(user.secret));
		assert_true(passwd_file_decoy(fx->file, "x", &user));
		assert_ptr_equal(user.secret, first.secret);
	}
}

/* Each line cut at every octet: whatever it is then, it is read without a fault. */
static void every_cut_of_a_line(void **state)
{
	static const char line[] =
		"bob@x:{PLAIN}b:1000:100:Bob:/home/bob:/bin/sh:userdb_uid=7 userdb_mail=/m";

	(void)state;
	for (size_t n = 0; n < sizeof(line); n++) {
		char *cut = malloc(n == 0 ? 1 : n);
		struct passwd_line it;
		struct err err;

		assert_non_null(cut);
		memcpy(cut, line, n);

		const enum passwd_status s = passwd_line_parse(span_of(cut, n), &it, &err);

		if (n == 0)
			assert_int_equal(s, PASSWD_COMMENT);
		else if (n < 6)
			assert_int_equal(s, PASSWD_BAD);
		else
			assert_true(n == sizeof(line) || s == PASSWD_USER || s == PASSWD_FLAWED);
		free(cut);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(reads_every_form_of_a_line),   TEST(reports_a_bad_line_and_reads_on),
		TEST(a_nul_costs_its_line),         TEST(first_of_two_wins),
		TEST(notices_have_a_limit),         TEST(a_long_line_costs_itself),
		TEST(a_byte_order_mark_is_no_name), TEST(sees_each_change),
		TEST(leaves_an_old_file_alone),     TEST(keeps_the_users_when_the_file_breaks),
		TEST(a_file_too_large_is_refused),  TEST(loads_a_hundred_thousand),
		TEST(a_decoy_is_somebodys_secret),  TEST(every_cut_of_a_line),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
