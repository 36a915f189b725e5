/* SPDX-License-Identifier: MIT */
/*
 * mail_line.h - a stored message as one line: its number, when, by whom, about what.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/mail_summary.h"
#include "client/state.h"

/* Columns of the terminal that standard output is; DISPLAY_ALL: it is none. */
size_t mail_line_columns(void);

/* "2024-06-03 10:00": when it was written, or else when it was stored; local time. */
#define MAIL_LINE_DATE_MAX 64
void mail_line_date(int64_t written, int64_t stored, char ret_text[static MAIL_LINE_DATE_MAX]);

/* Prints it to standard output. */
void mail_line_print(const struct state_row *row, const struct mail_summary *mail, size_t columns,
		     bool with_account);
