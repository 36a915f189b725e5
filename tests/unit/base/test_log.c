/* SPDX-License-Identifier: MIT */
/*
 * Standard error is one end of a SOCK_SEQPACKET pair here: what one write(2) wrote
 * is one packet, so these tests see that a line is never written in pieces.
 */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_BYTES 2048

static int reader = -1;

/* Runs one statement with standard error caught, and reads the line it wrote ("" for none). */
static void caught(char *ret_line, void (*say)(void))
{
	int pair[2];
	const int stderr_before = dup(STDERR_FILENO);
	char packet[4 * LINE_BYTES];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	reader = pair[0];
	assert_true(dup2(pair[1], STDERR_FILENO) >= 0);
	say();
	assert_true(dup2(stderr_before, STDERR_FILENO) >= 0);
	(void)close(stderr_before);

	const ssize_t n = recv(reader, packet, sizeof(packet), 0);

	ret_line[0] = '\0';
	if (n >= 0) {
		char more[1];

		assert_in_range(n, 1, LINE_BYTES);
		assert_int_equal(packet[n - 1], '\n');
		memcpy(ret_line, packet, (size_t)n - 1);
		ret_line[n - 1] = '\0';
		assert_null(memchr(ret_line, '\n', (size_t)n - 1));
		assert_true(recv(reader, more, 1, 0) < 0);
	}
	(void)close(pair[0]);
	(void)close(pair[1]);
}

/* Checks "time=2000-01-01T00:00:00.000Z" and returns what follows it and `gap`. */
static const char *after_time(const char *line, const char *before, const char *gap)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";

	assert_memory_equal(line, before, strlen(before));
	line += strlen(before);
	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		if (shape[i] == 'd')
			assert_true(isdigit((unsigned char)line[i]));
		else
			assert_int_equal(line[i], shape[i]);
	}
	line += sizeof(shape) - 1;
	assert_memory_equal(line, gap, strlen(gap));
	return line + strlen(gap);
}

static void say_login(void)
{
	log_event(LOG_LEVEL_INFO, "login", log_hex("session", 0x2a), log_str("user", "alice"),
		  log_num("count", UINT64_MAX));
}

static void say_hostile(void)
{
	log_event(LOG_LEVEL_WARN, "x", log_str("a", "two words"), log_str("b", "\"\\"),
		  log_str("c", "\r\n\x1b[2J\x7f\xff"), log_str("d", ""), log_str("e", NULL),
		  log_str("f", "k=v"));
}

static void say_nothing_more(void)
{
	log_event(LOG_LEVEL_ERROR, "stopped");
}

static void say_with_gaps(void)
{
	log_event(LOG_LEVEL_INFO, "x", log_str(NULL, "a"), log_str("b", "1"), log_num(NULL, 2),
		  log_str("c", "3"));
}

static void say_debug(void)
{
	log_event(LOG_LEVEL_DEBUG, "debug");
}

/* The last field with a value too long for the line, then one that fits. */
static void say_too_much(void)
{
	static char long_value[2 * LINE_BYTES];

	memset(long_value, '\x01', sizeof(long_value) - 1); /* six octets each, escaped */
	log_event(LOG_LEVEL_INFO, "x", log_str("first", "1"), log_str("long", long_value),
		  log_str("last", "2"));
}

static void key_value(void **state)
{
	char line[LINE_BYTES];

	(void)state;
	log_init(LOG_TARGET_STDERR, LOG_FORMAT_KV, LOG_LEVEL_INFO, "listener-1");
	caught(line, say_login);
	assert_string_equal(after_time(line, "time=", " "),
			    "level=info process=listener-1 event=login "
			    "session=000000000000002a user=alice count=18446744073709551615");
	caught(line, say_hostile);
	assert_string_equal(after_time(line, "time=", " "),
			    "level=warn process=listener-1 event=x a=\"two words\" b=\"\\\"\\\\\" "
			    "c=\"\\u000d\\u000a\\u001b[2J\\u007f\\u00ff\" d=\"\" e=\"\" f=\"k=v\"");
	caught(line, say_nothing_more);
	assert_string_equal(after_time(line, "time=", " "),
			    "level=error process=listener-1 event=stopped");
	caught(line, say_with_gaps);
	assert_string_equal(after_time(line, "time=", " "),
			    "level=info process=listener-1 event=x b=1 c=3");
}

static void json(void **state)
{
	char line[LINE_BYTES];

	(void)state;
	log_init(LOG_TARGET_STDERR, LOG_FORMAT_JSON, LOG_LEVEL_INFO, "auth");
	caught(line, say_login);
	assert_string_equal(after_time(line, "{\"time\":\"", "\","),
			    "\"level\":\"info\",\"process\":\"auth\",\"event\":\"login\","
			    "\"session\":\"000000000000002a\",\"user\":\"alice\","
			    "\"count\":18446744073709551615}");
	caught(line, say_hostile);
	assert_string_equal(after_time(line, "{\"time\":\"", "\","),
			    "\"level\":\"warn\",\"process\":\"auth\",\"event\":\"x\","
			    "\"a\":\"two words\",\"b\":\"\\\"\\\\\","
			    "\"c\":\"\\u000d\\u000a\\u001b[2J\\u007f\\u00ff\","
			    "\"d\":\"\",\"e\":\"\",\"f\":\"k=v\"}");
}

static void a_long_value_costs_its_field_only(void **state)
{
	char line[LINE_BYTES];

	(void)state;
	log_init(LOG_TARGET_STDERR, LOG_FORMAT_KV, LOG_LEVEL_INFO, "p");
	caught(line, say_too_much);
	assert_string_equal(after_time(line, "time=", " "),
			    "level=info process=p event=x first=1 last=2");
	log_init(LOG_TARGET_STDERR, LOG_FORMAT_JSON, LOG_LEVEL_INFO, "p");
	caught(line, say_too_much);
	assert_string_equal(after_time(line, "{\"time\":\"", "\","),
			    "\"level\":\"info\",\"process\":\"p\",\"event\":\"x\","
			    "\"first\":\"1\",\"last\":\"2\"}");
}

static char any_length[LINE_BYTES];

static void say_any_length(void)
{
	log_event(LOG_LEVEL_INFO, "x", log_str("value", any_length));
}

/* Whatever the last field leaves of the line, the line has its end (caught() looks) and brace. */
static void a_line_has_its_end_at_every_length(void **state)
{
	char line[LINE_BYTES];

	(void)state;
	log_init(LOG_TARGET_STDERR, LOG_FORMAT_JSON, LOG_LEVEL_INFO, "p");
	for (size_t n = LINE_BYTES - 120; n < LINE_BYTES; n++) {
		memset(any_length, 'v', n);
		any_length[n] = '\0';
		caught(line, say_any_length);
		assert_int_equal(line[strlen(line) - 1], '}');
	}
}

static void levels(void **state)
{
	char line[LINE_BYTES];

	(void)state;
	log_init(LOG_TARGET_STDERR, LOG_FORMAT_KV, LOG_LEVEL_ERROR, "p");
	assert_true(log_enabled(LOG_LEVEL_ERROR));
	assert_false(log_enabled(LOG_LEVEL_WARN));
	caught(line, say_login);
	assert_string_equal(line, "");
	caught(line, say_nothing_more);
	assert_string_not_equal(line, "");
	log_init(LOG_TARGET_STDERR, LOG_FORMAT_KV, LOG_LEVEL_DEBUG, "p");
	caught(line, say_debug);
	assert_string_equal(after_time(line, "time=", " "), "level=debug process=p event=debug");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_value),
		cmocka_unit_test(json),
		cmocka_unit_test(a_long_value_costs_its_field_only),
		cmocka_unit_test(a_line_has_its_end_at_every_length),
		cmocka_unit_test(levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
