/* SPDX-License-Identifier: MIT */
/* Application passwords: what is made, what is written, what is found, and when it was used. */
#include "auth/app_password.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/app_password_use.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static char folder[64];
static char path[128];
static char notices[1024];

static int setup(void **state)
{
	(void)state;
	notices[0] = '\0';
	(void)snprintf(folder, sizeof(folder), "/tmp/restante-app-XXXXXX");
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/app-passwords", folder);
	return 0;
}

static int teardown(void **state)
{
	char used[160];

	(void)state;
	(void)snprintf(used, sizeof(used), "%s" APP_PASSWORD_USE_SUFFIX, path);
	(void)unlink(path);
	(void)unlink(used);
	return rmdir(folder);
}

static void on_notice(void *arg, const char *text)
{
	(void)arg;
	(void)snprintf(notices + strlen(notices), sizeof(notices) - strlen(notices), "%s\n", text);
}

/* Puts a new file in the place of the old one, as editors of it do. */
static void write_file(const char *text)
{
	char fresh[160];

	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);

	const int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
	assert_int_equal(rename(fresh, path), 0);
}

static void made(void **state)
{
	char one[APP_PASSWORD_SHOWN];
	char two[APP_PASSWORD_SHOWN];
	unsigned different = 0;

	(void)state;
	for (int round = 0; round < 100; round++) {
		app_password_make(one);
		app_password_make(two);
		assert_int_equal(strlen(one), 23);
		assert_int_equal(strspn(one, "abcdefghijkmnpqrstuvwxyz23456789-"), 23);
		for (size_t i = 0; i < 23; i++) {
			assert_int_equal(one[i] == '-', i % 6 == 5);
			different += one[i] != two[i];
		}
	}
	/* 2000 letters, of which one in 32 is the same by chance. */
	assert_in_range(different, 1800, 2000);
}

static void spelled(void **state)
{
	static const char *const same[] = {"ABCDE-FGHIJ-KMNPQ-RSTUV", "abcdefghijkmnpqrstuv",
					   " abcde fghij kmnpq rstuv ", "a-b-c-d-efghijkmnpqrstuv"};
	static const char *const none[] = {"",
					   "abcdefghijkmnpqrstu",
					   "abcdefghijkmnpqrstuvw",
					   "abcdefghijkmnpqrstu0",
					   "abcdefghijklnpqrstuv",
					   "abcdefghijkmnpqrst\xc3\xa4",
					   "abcdefghijkmnpqrstu.v"};
	uint8_t hash[APP_PASSWORD_HASH];
	uint8_t other[APP_PASSWORD_HASH];

	(void)state;
	assert_true(app_password_hash("alice", "abcde-fghij-kmnpq-rstuv", hash));
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_true(app_password_hash("alice", same[i], other));
		assert_memory_equal(hash, other, sizeof(hash));
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(app_password_hash("alice", none[i], other));
	assert_true(app_password_hash("bob", "abcde-fghij-kmnpq-rstuv", other));
	assert_memory_not_equal(hash, other, sizeof(hash));
	assert_true(app_password_hash("alice", "abcde-fghij-kmnpq-rstuw", other));
	assert_memory_not_equal(hash, other, sizeof(hash));
}

static void lines(void **state)
{
	static const struct {
		const char *line;
		enum app_password_status status;
	} cases[] = {
		{"alice:phone:pop3:phone:7:1764050000:" HEX, APP_PASSWORD_OK},
		{"a@b:my phone:::0:0:" HEX, APP_PASSWORD_OK},
		{"alice:phone:smtp::0:0:" HEX, APP_PASSWORD_OK},
		{"", APP_PASSWORD_COMMENT},
		{"# alice:phone:::0:0:" HEX, APP_PASSWORD_COMMENT},
		{"alice", APP_PASSWORD_BAD},
		{":phone:::0:0:" HEX, APP_PASSWORD_BAD},
		{"a/b:phone:::0:0:" HEX, APP_PASSWORD_BAD},
		{"alice::::0:0:" HEX, APP_PASSWORD_BAD},
		{"alice: phone:::0:0:" HEX, APP_PASSWORD_BAD},
		{"alice:ph\tone:::0:0:" HEX, APP_PASSWORD_BAD},
		{"alice:phone::\x7f:0:0:" HEX, APP_PASSWORD_BAD},
		{"alice:phone:::1048576:0:" HEX, APP_PASSWORD_BAD},
		{"alice:phone:::x:0:" HEX, APP_PASSWORD_BAD},
		{"alice:phone:::0::" HEX, APP_PASSWORD_BAD},
		{"alice:phone:::0:0:" HEX "00", APP_PASSWORD_BAD},
		{"alice:phone:::0:0:", APP_PASSWORD_BAD},
		{"alice:phone:::0:0:" HEX ":", APP_PASSWORD_BAD},
		{"alice:phone:::0:0", APP_PASSWORD_BAD},
		{"alice:0123456789012345678901234567890123456789012345678901234567890123:::0:"
		 "0:" HEX,
		 APP_PASSWORD_BAD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct app_password p;
		struct err err;
		char text[APP_PASSWORD_LINE_MAX];
		struct out out = {.p = text, .cap = sizeof(text)};

		if (app_password_parse(span_str(cases[i].line), &p, &err) != cases[i].status)
			fail_msg("case %zu: %s", i, cases[i].line);
		/* Nobody's secret gets into a log. */
		if (cases[i].status == APP_PASSWORD_BAD)
			assert_null(strstr(err.text, "00112233"));
		if (cases[i].status == APP_PASSWORD_OK && p.services != 0) {
			assert_true(app_password_put(&out, &p));
			assert_true(span_eq(out_span(&out), span_str(cases[i].line)));
			out = (struct out){.p = text, .cap = strlen(cases[i].line) - 1};
			assert_false(app_password_put(&out, &p));
			assert_int_equal(out.n, 0);
		}
	}
}

static void service_words(void **state)
{
	unsigned mask = 0;

	(void)state;
	assert_true(app_password_services(span_str(""), &mask));
	assert_int_equal(mask, APP_PASSWORD_ALL);
	assert_true(app_password_services(span_str("POP3"), &mask));
	assert_int_equal(mask, APP_PASSWORD_POP3);
	assert_false(app_password_services(span_str("pop3,ftp"), &mask));
	assert_false(app_password_services(span_str("pop"), &mask));
}

/* The line of a password that works. */
static void put_line(char *text, size_t size, const char *user, const char *rest,
		     const char *password)
{
	uint8_t hash[APP_PASSWORD_HASH];
	size_t n = strlen(text);

	assert_true(app_password_hash(user, password, hash));
	n += (size_t)snprintf(text + n, size - n, "%s:%s:", user, rest);
	for (size_t i = 0; i < sizeof(hash); i++)
		n += (size_t)snprintf(text + n, size - n, "%02x", hash[i]);
	(void)snprintf(text + n, size - n, "\n");
}

static void found(void **state)
{
	struct app_passwords *a = app_passwords_new(path, on_notice, NULL);
	struct app_password_found f;
	char text[2048] = "# passwords\n";
	char shown[3][APP_PASSWORD_SHOWN];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		app_password_make(shown[i]);
	assert_false(app_passwords_find(a, "alice", shown[0], &f));
	/* Not sorted, and a user whose name begins like another's. */
	put_line(text, sizeof(text), "bob", "x:::2:0", shown[2]);
	put_line(text, sizeof(text), "alice", "phone:pop3:pocket:0:0", shown[0]);
	put_line(text, sizeof(text), "alice2", "y:::3:0", shown[0]);
	put_line(text, sizeof(text), "alice", "script:smtp::1:0", shown[1]);
	(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "nonsense\n");
	write_file(text);
	assert_true(app_passwords_find(a, "alice", shown[0], &f));
	assert_string_equal(f.name, "phone");
	assert_string_equal(f.device, "pocket");
	assert_int_equal(f.services, APP_PASSWORD_POP3);
	assert_int_equal(f.slot, 0);
	assert_true(app_passwords_find(a, "alice", shown[1], &f));
	assert_int_equal(f.services, 0);
	assert_true(app_passwords_find(a, "alice2", shown[0], &f));
	assert_string_equal(f.name, "y");
	assert_false(app_passwords_find(a, "alice", shown[2], &f));
	assert_false(app_passwords_find(a, "bob", shown[0], &f));
	assert_false(app_passwords_find(a, "carol", shown[0], &f));
	assert_false(app_passwords_find(a, "alice", "wrong", &f));
	/* Once, with its place. */
	assert_non_null(strstr(notices, "app-passwords:6: "));
	assert_ptr_equal(strchr(notices, '\n'), notices + strlen(notices) - 1);
	/* Revoked. */
	write_file("");
	assert_false(app_passwords_find(a, "alice", shown[0], &f));
	/* What can't be read takes nobody's away; no file is nobody's. */
	write_file(text);
	assert_true(app_passwords_find(a, "alice", shown[0], &f));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(app_passwords_find(a, "alice", shown[0], &f));
	assert_int_equal(rmdir(path), 0);
	assert_false(app_passwords_find(a, "alice", shown[0], &f));
	app_passwords_free(a);
}

static void used(void **state)
{
	const uint8_t one[APP_PASSWORD_HASH] = {1, 2, 3, 0xff};
	const uint8_t two[APP_PASSWORD_HASH] = {1, 2, 3, 0xfe};
	uint64_t time = 0;
	struct err err;

	(void)state;
	write_file("");
	assert_int_equal(chmod(path, 0600), 0);

	const int fd = app_password_use_open(path, &err);
	struct stat st;

	assert_true(fd >= 0);
	/* Whoever may not read the passwords may not read this either. */
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_false(app_password_use_read(fd, 0, one, &time));
	app_password_use_note(fd, 5, one, 1764050000);
	assert_false(app_password_use_read(fd, 0, one, &time));
	assert_true(app_password_use_read(fd, 5, one, &time));
	assert_int_equal(time, 1764050000);
	/* Not more often than anybody wants to know; also when the clock was set back. */
	app_password_use_note(fd, 5, one, 1764050000 + APP_PASSWORD_USE_SECONDS - 1);
	assert_true(app_password_use_read(fd, 5, one, &time));
	assert_int_equal(time, 1764050000);
	app_password_use_note(fd, 5, one, 1764050000 + APP_PASSWORD_USE_SECONDS);
	assert_true(app_password_use_read(fd, 5, one, &time));
	assert_int_equal(time, 1764050000 + APP_PASSWORD_USE_SECONDS);
	app_password_use_note(fd, 5, one, 1000);
	assert_true(app_password_use_read(fd, 5, one, &time));
	assert_int_equal(time, 1000);
	/* The slot's next owner was never there. */
	assert_false(app_password_use_read(fd, 5, two, &time));
	(void)close(fd);
	/* Never through a link. */
	char link_path[160];

	(void)snprintf(link_path, sizeof(link_path), "%s" APP_PASSWORD_USE_SUFFIX, path);
	assert_int_equal(unlink(link_path), 0);
	assert_int_equal(symlink(path, link_path), 0);
	assert_true(app_password_use_open(path, &err) < 0);
	assert_int_equal(unlink(link_path), 0);
	assert_int_equal(link(path, link_path), 0);
	assert_true(app_password_use_open(path, &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made),
		cmocka_unit_test(spelled),
		cmocka_unit_test(lines),
		cmocka_unit_test(service_words),
		cmocka_unit_test_setup_teardown(found, setup, teardown),
		cmocka_unit_test_setup_teardown(used, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
