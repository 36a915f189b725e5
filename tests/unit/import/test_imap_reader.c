/* SPDX-License-Identifier: MIT */
#include "import/imap_reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "import_help.h"

/* What was told: "[text]" or "[text{5", and data as it is. A response's first begins with '*'. */
struct log {
	char text[4096];
	size_t n;
};

static void put(struct log *log, struct span s)
{
	assert_true(s.n < sizeof(log->text) - log->n);
	if (s.n > 0)
		memcpy(log->text + log->n, s.p, s.n);
	log->n += s.n;
	log->text[log->n] = '\0';
}

static void run(struct span text, size_t cut, struct log *log)
{
	struct imap_reader *const r = calloc(1, sizeof(*r));
	enum imap_status status = IMAP_MORE;
	struct imap_event e;

	assert_non_null(r);
	for (size_t at = 0; at < text.n && status != IMAP_BAD; at += cut) {
		struct span in = span_of(text.p + at, text.n - at < cut ? text.n - at : cut);

		while ((status = imap_reader_next(r, &in, &e)) == IMAP_TEXT ||
		       status == IMAP_DATA) {
			char octets[32] = "]";

			if (status == IMAP_DATA) {
				put(log, e.text);
				continue;
			}
			if (e.literal)
				(void)snprintf(octets, sizeof(octets), "{%llu ",
					       (unsigned long long)e.octets);
			put(log, e.begins ? SPAN_LIT("[") : SPAN_LIT("("));
			put(log, e.text);
			put(log, span_str(octets));
		}
	}
	if (status == IMAP_BAD)
		put(log, SPAN_LIT("BAD"));
	free(r);
}

static const struct {
	const char *text;
	const char *told;
} streams[] = {
	{"* OK hello\r\n* BYE\n", "[* OK hello][* BYE]"},
	{"* 1 FETCH (BODY[] {5}\r\nhel\nl FLAGS ())\r\nr1 OK\r\n",
	 "[* 1 FETCH (BODY[] {5 hel\nl( FLAGS ())][r1 OK]"},
	{"* 1 FETCH (BODY[] {0}\r\n)\r\n", "[* 1 FETCH (BODY[] {0 ()]"},
	{"a {2}\r\n{3 {1}\r\n}\r\nr\r\n", "[a {2 {3( {1 }(][r]"},
	{"{3}\r\n{3}\r\n", "[{3 {3}(]"},
	{"a {x}\r\na {}\r\na {-1}\r\n{1} \r\n", "[a {x}][a {}][a {-1}][{1} ]"},
	{"a {18446744073709551616}\r\n", "[a {18446744073709551616}]"},
	{"\r\n\n", "[][]"},
};

static void cut_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		const struct span text = span_str(streams[i].text);

		for (size_t cut = 1; cut <= text.n; cut++) {
			struct log log = {.n = 0};

			run(text, cut, &log);
			assert_string_equal(log.text, streams[i].told);
		}
	}
}

static void no_end(void **state)
{
	char *const text = malloc(IMAP_TEXT_MAX + 1);
	struct log log = {.n = 0};

	(void)state;
	assert_non_null(text);
	memset(text, 'x', IMAP_TEXT_MAX + 1);
	run(span_of(text, IMAP_TEXT_MAX), 1000, &log);
	assert_string_equal(log.text, "");
	run(span_of(text, IMAP_TEXT_MAX + 1), 1000, &log);
	assert_string_equal(log.text, "BAD");
	free(text);
}

static const struct {
	const char *text;
	bool literal;
	bool ok;
	struct imap_message is;
} fetches[] = {
	{"* 1 FETCH (UID 7 FLAGS (\\Seen \\Deleted \\flagged x) INTERNALDATE \" 7-Jul-1996 "
	 "02:44:25 +0000\" RFC822.SIZE 12)",
	 false,
	 true,
	 {.uid = 7, .octets = 12, .flags = "FST", .date = SPAN_LIT(" 7-Jul-1996 02:44:25 +0000")}},
	{"* 23 fetch (flags () uid 4294967295)", false, true, {.uid = UINT32_MAX}},
	{"* 1 FETCH (FLAGS (\\Draft \\Answered $Forwarded \\Recent) MODSEQ (12) X y UID 1)",
	 false,
	 true,
	 {.uid = 1, .flags = "DPR"}},
	{"* 1 FETCH (UID 7 BODY[] ", true, true, {.uid = 7, .body = true}},
	{"* 1 FETCH (BODY[] \"a\\\"b\" UID 7)",
	 false,
	 true,
	 {.uid = 7, .body = true, .quoted = SPAN_LIT("a\\\"b")}},
	{"* 1 FETCH (UID 7 BODY[] NIL)", false, true, {.uid = 7, .body = true}},
	{"* 1 FETCH ()", false, true, {.uid = 0}},
	{"* 1 FETCH (UID 7", false, false, {.uid = 0}},
	{"* 1 FETCH (UID 0)", false, false, {.uid = 0}},
	{"* 1 FETCH (UID 4294967296)", false, false, {.uid = 0}},
	{"* 1 FETCH (UID x)", false, false, {.uid = 0}},
	{"* 1 FETCH (UID", false, false, {.uid = 0}},
	{"* 1 FETCH (BODY[] x)", false, false, {.uid = 0}},
	{"* 1 FETCH (BODY[] \"x)", false, false, {.uid = 0}},
	{"* 1 FETCH (FLAGS (\\Seen", false, false, {.uid = 0}},
	{"* 1 FETCH (FLAGS \\Seen)", false, false, {.uid = 0}},
	{"* 1 FETCH (FLAGS (\"x\"))", false, false, {.uid = 0}},
	{"* 1 FETCH (MODSEQ (1", false, false, {.uid = 0}},
	{"* 1 FETCH (INTERNALDATE x)", false, false, {.uid = 0}},
	{"* 1 FETCH", false, false, {.uid = 0}},
	{"* 1 EXISTS", false, false, {.uid = 0}},
	{"* x FETCH (UID 7)", false, false, {.uid = 0}},
	{"r1 OK FETCH", false, false, {.uid = 0}},
	{"", false, false, {.uid = 0}},
};

static void messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fetches) / sizeof(fetches[0]); i++) {
		const struct imap_event e = {.text = span_str(fetches[i].text),
					     .begins = true,
					     .literal = fetches[i].literal};
		struct imap_message m = {.uid = 0};

		assert_int_equal(imap_message_take(&m, &e), fetches[i].ok);
		if (!fetches[i].ok)
			continue;
		assert_int_equal(m.uid, fetches[i].is.uid);
		assert_int_equal(m.octets, fetches[i].is.octets);
		assert_int_equal(m.body, fetches[i].is.body);
		assert_string_equal(m.flags, fetches[i].is.flags);
		assert_true(span_eq(m.date, fetches[i].is.date));
		assert_true(span_eq(m.quoted, fetches[i].is.quoted));
	}
}

/* What follows a literal goes on where it left off. */
static void behind_a_literal(void **state)
{
	const struct imap_event e = {.text = SPAN_LIT(" FLAGS (\\Seen))")};
	struct imap_message m = {.uid = 7, .body = true};

	(void)state;
	assert_true(imap_message_take(&m, &e));
	assert_int_equal(m.uid, 7);
	assert_string_equal(m.flags, "S");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_everywhere),
		cmocka_unit_test(no_end),
		cmocka_unit_test(messages),
		cmocka_unit_test(behind_a_literal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
