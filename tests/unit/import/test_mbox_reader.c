/* SPDX-License-Identifier: MIT */
#include "import/mbox_reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "import/mbox_status.h"

#include "import_help.h"

static const struct mbox_rule after_blank = {.after_blank = true};
static const struct mbox_rule with_date = {.with_date = true};
static const struct mbox_rule both = {.after_blank = true, .with_date = true};

/* What was told, a letter and a place for each line: its pieces are one. */
struct log {
	char text[4096];
	size_t n;
};

static void tell(struct log *log, enum mbox_status status, const struct mbox_event *e)
{
	static const char letters[] = {[MBOX_FROM] = 'F', [MBOX_HEADER] = 'h', [MBOX_BLANK] = '-',
				       [MBOX_BODY] = 'b', [MBOX_END] = 'E',    [MBOX_NONE] = '?'};

	if (e->text.n > 0 && !e->begins)
		return;
	log->n += (size_t)snprintf(log->text + log->n, sizeof(log->text) - log->n, "%c%llu ",
				   letters[status], (unsigned long long)e->at);
	assert_true(log->n < sizeof(log->text));
}

/* Reads text in pieces of cut octets. */
static void run(const struct mbox_rule *rule, struct span text, size_t cut, struct log *log)
{
	struct mbox_reader *const r = malloc(sizeof(*r));
	enum mbox_status status = MBOX_MORE;
	struct mbox_event e;

	assert_non_null(r);
	mbox_reader_init(r, rule);
	for (size_t at = 0; at < text.n && status != MBOX_NONE; at += cut) {
		struct span in = span_of(text.p + at, text.n - at < cut ? text.n - at : cut);

		while ((status = mbox_reader_next(r, &in, &e)) != MBOX_MORE && status != MBOX_NONE)
			tell(log, status, &e);
	}
	while (status != MBOX_NONE && (status = mbox_reader_end(r, &e)) != MBOX_MORE &&
	       status != MBOX_NONE)
		tell(log, status, &e);
	if (status == MBOX_NONE)
		log->text[log->n++] = '?';
	log->text[log->n] = '\0';
	free(r);
}

#define DATED "From a Thu Jan  1 00:00:01 2015\n" /* 32 octets */

static const struct {
	const struct mbox_rule *rule;
	const char *text;
	const char *told;
} files[] = {
	{&after_blank, "", ""},
	{&after_blank, "\n\n", ""},
	{&after_blank, "\n\nFrom \nh\n\nb\n", "F2 h8 -10 b11 E13 "},
	{&after_blank, "From a\nh\n\nb\n\n\nFrom b\nh\n\nb",
	 "F0 h7 -9 b10 b12 b13 E13 F14 h21 -23 b24 E25 "},
	/* A blank line behind a header is the header's end, and no part of what follows. */
	{&after_blank, "From a\nh\n\nFrom b\nh\n\n", "F0 h7 -9 E10 F10 h17 -19 E20 "},
	{&after_blank, "From a\nh\n\n\nFrom b\n", "F0 h7 -9 b10 E10 F11 E18 "},
	{&after_blank, "From a\nh\n\nb\nFrom b\n>From c\n", "F0 h7 -9 b10 b12 b19 E27 "},
	{&after_blank, "From a\nFrom b\nh", "F0 h7 h14 E15 "},
	{&after_blank, "From a\r\nh\r\n\r\nb\r\n\r\nFrom b\r\n", "F0 h8 -11 b13 b16 E16 F18 E26 "},
	{&after_blank, "From a\nh: x", "F0 h7 E11 "},
	{&after_blank, "From a", "F0 E6 "},
	{&after_blank, "Fro", "?"},
	{&after_blank, " \nFrom a\n", "?"},
	{&with_date, DATED "h\n\nb\n" DATED "h\n\nFrom x\n\nFrom y\n",
	 "F0 h32 -34 b35 E37 F37 h69 -71 b72 b79 b80 E87 "},
	{&with_date, DATED "h\n\n" DATED "h\n\n\n", "F0 h32 -34 E35 F35 h67 -69 b70 E70 "},
	{&with_date, "From a\nh\n", "?"},
	{&both, DATED "h\n\nb\n" DATED "\n" DATED "\n",
	 "F0 h32 -34 b35 b37 b69 E69 F70 -102 E103 "},
	{&both, DATED "h\n\nb\n\nFrom x\n", "F0 h32 -34 b35 b37 b38 E45 "},
};

static void cut_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const struct span text = span_str(files[i].text);

		for (size_t cut = 1; cut <= text.n + 1; cut++) {
			struct log log = {.n = 0};

			run(files[i].rule, text, cut, &log);
			assert_string_equal(log.text, files[i].told);
		}
	}
}

static void put(struct buf *b, const char *s)
{
	assert_int_equal(buf_put(b, span_str(s)), 0);
}

static void put_long(struct buf *b, const char *line, size_t octets)
{
	put(b, line);
	for (size_t i = 0; i < octets; i++)
		put(b, "x");
	put(b, "\n");
}

/* Lines longer than a reader's memory come in pieces, and none of them begins anything. */
static void long_lines(void **state)
{
	static const size_t cuts[] = {
		1, 7, MBOX_LINE_MAX - 1, MBOX_LINE_MAX, MBOX_LINE_MAX + 1, SIZE_MAX / 2};
	const size_t octets = 3 * MBOX_LINE_MAX;
	struct buf b;
	char told[160];
	size_t at[4];

	(void)state;
	buf_init(&b, 5 * octets);
	put_long(&b, "From a ", octets);
	at[0] = b.n;
	put_long(&b, "h: ", octets);
	at[1] = b.n;
	put(&b, "\n");
	at[2] = b.n;
	put_long(&b, "b", octets - MBOX_LINE_MAX);
	at[3] = b.n;
	put(&b, "\nFrom b\n");
	(void)snprintf(told, sizeof(told), "F0 h%zu -%zu b%zu b%zu E%zu F%zu E%zu ", at[0], at[1],
		       at[2], at[3], at[3], at[3] + 1, at[3] + 1 + 7);
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct log log = {.n = 0};

		run(&after_blank, buf_span(&b), cuts[i] < b.n ? cuts[i] : b.n, &log);
		assert_string_equal(log.text, told);
	}
	buf_done(&b);
}

static const struct {
	const char *line;
	const char *date; /* NULL: none */
} lines[] = {
	{"From user Wed Dec  2 05:53 1992", "Wed Dec  2 05:53 1992"},
	{"From user Wed Dec  2 05:53:22 1992", "Wed Dec  2 05:53:22 1992"},
	{"From user Wed Dec  2 05:53 PST 1992", "Wed Dec  2 05:53 PST 1992"},
	{"From user Wed Dec  2 05:53:22 PST 1992", "Wed Dec  2 05:53:22 PST 1992"},
	{"From user Wed Dec  2 05:53 -0700 1992", "Wed Dec  2 05:53 -0700 1992"},
	{"From user Wed Dec  2 05:53:22 +0700 1992", "Wed Dec  2 05:53:22 +0700 1992"},
	{"From user Wed Dec  2 05:53 1992 PST", "Wed Dec  2 05:53 1992 PST"},
	{"From user Wed Dec  2 05:53:22 1992 PST", "Wed Dec  2 05:53:22 1992 PST"},
	{"From user Wed Dec  2 05:53 1992 -0700", "Wed Dec  2 05:53 1992 -0700"},
	{"From user Wed Dec  2 05:53:22 1992 -0700", "Wed Dec  2 05:53:22 1992 -0700"},
	{"From a b c Wed Dec 12 05:53:22 1992 remote from host", "Wed Dec 12 05:53:22 1992"},
	{"From Wed Dec  2 05:53:22 1992", "Wed Dec  2 05:53:22 1992"},
	{"From Wed Dec  2 05:53 1992", "Wed Dec  2 05:53 1992"},
	{"FromWed Dec  2 05:53:22 1992", NULL},
	{"From user Wed Dec  2 1992", NULL},
	{"From user Dec  2 05:53:22 1992", NULL},
	{"From user Wed Dec 2 05:53:22 1992", NULL},
	{"From user Wed Dec  2 05:53:22 92", NULL},
	{"From user Wed Dec  2 05:53:22 year", NULL},
	{"From user Wed Dec  2 05:53:22 1992 ", NULL},
	{"From user Wed Dec  2 05:53:22 1992 PST PST", NULL},
	{"From user, 12:34 2015", NULL},
	{"From ", NULL},
	{"2015", NULL},
	{" 2015", NULL},
	{"", NULL},
};

static void from_dates(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct span date;
		const bool found = mbox_from_date(span_str(lines[i].line), &date);

		assert_int_equal(found, lines[i].date != NULL);
		if (found)
			expect_span(date, lines[i].date);
	}
}

static const struct {
	const char *lines[3];
	const char *flags;
} statuses[] = {
	{{"Status: RO"}, "S"},
	{{"Status: O"}, ""},
	{{"Status:"}, ""},
	{{"status: RO"}, ""},
	{{"Status: R", "X-Status: AF"}, "FRS"},
	{{"X-Status: TD"}, "DT"},
	{{"X-Status: ", "Status: ", "Subject: R"}, ""},
};

static void flags(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		char maildir[IMPORT_FLAGS_MAX + 1];
		struct mbox_flags f = {0};

		for (size_t k = 0; k < 3 && statuses[i].lines[k] != NULL; k++)
			(void)mbox_flags_take(&f, span_str(statuses[i].lines[k]));
		mbox_flags_maildir(&f, maildir);
		assert_string_equal(maildir, statuses[i].flags);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_everywhere),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(from_dates),
		cmocka_unit_test(flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
