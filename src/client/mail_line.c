/* SPDX-License-Identifier: MIT */
#include "client/mail_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "client/display.h"

#define FROM_COLUMNS 24
#define ACCOUNT_COLUMNS 12

size_t mail_line_columns(void)
{
	struct winsize size;

	if (isatty(STDOUT_FILENO) != 1)
		return DISPLAY_ALL;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void mail_line_date(int64_t written, int64_t stored, char ret_text[static MAIL_LINE_DATE_MAX])
{
	const time_t t = (time_t)(written > 0 ? written : stored);
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(ret_text, MAIL_LINE_DATE_MAX, "%Y-%m-%d %H:%M", &tm) == 0)
		(void)snprintf(ret_text, MAIL_LINE_DATE_MAX, "%-16s", "?");
}

void mail_line_print(const struct state_row *row, const struct mail_summary *mail, size_t columns,
		     bool with_account)
{
	char id[24];
	char date[MAIL_LINE_DATE_MAX];
	const size_t from_columns = columns / 4 < FROM_COLUMNS ? columns / 4 : (size_t)FROM_COLUMNS;
	size_t left = columns;
	char *const account = display_text(with_account ? row->account : "", ACCOUNT_COLUMNS, true);
	char *const from = display_text(mail->from, from_columns, true);

	(void)snprintf(id, sizeof(id), "%6lld", (long long)row->id);
	mail_line_date(mail->date, row->stored_at, date);
	if (left != DISPLAY_ALL) {
		const size_t taken = strlen(id) + 2 + strlen(date) + 2 + from_columns + 2 +
				     (with_account ? ACCOUNT_COLUMNS + 2 : 0);

		left = left > taken ? left - taken : 1;
	}

	char *const subject = display_text(mail->subject, left, false);

	(void)printf("%s  %s%s%s  %s  %s\n", id, with_account ? account : "",
		     with_account ? "  " : "", date, from, subject);
	free(account);
	free(from);
	free(subject);
}
