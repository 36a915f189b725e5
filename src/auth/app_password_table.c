/* SPDX-License-Identifier: MIT */
/* The file as auth has it: its lines, sorted by user. */
#include <errno.h>
#include <stdlib.h>

#include "base/secret.h"
#include "base/text_file.h"
#include "auth/app_password.h"

struct app_passwords {
	char *path; /* Owned */
	app_password_notice *notice;
	void *notice_arg;
	char trouble[ERR_TEXT_MAX]; /* what was said last; "" when all is well */
	struct text_file_seen seen;
	char *text;                /* Owned: rows borrow from it */
	struct app_password *rows; /* Owned */
	size_t n_rows;
};

struct app_passwords *app_passwords_new(const char *path, app_password_notice *notice, void *arg)
{
	struct app_passwords *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->path = strdup(path);
	if (a->path == NULL) {
		free(a);
		return NULL;
	}
	a->notice = notice;
	a->notice_arg = arg;
	return a;
}

void app_passwords_free(struct app_passwords *a)
{
	if (a == NULL)
		return;
	free(a->rows);
	free(a->text);
	free(a->path);
	free(a);
}

static void report(struct app_passwords *a, const char *trouble)
{
	if (strcmp(a->trouble, trouble) == 0)
		return;
	(void)snprintf(a->trouble, sizeof(a->trouble), "%s", trouble);
	if (trouble[0] != '\0' && a->notice != NULL)
		a->notice(a->notice_arg, trouble);
}

static int compare_spans(struct span a, struct span b)
{
	const size_t n = a.n < b.n ? a.n : b.n;
	const int r = n == 0 ? 0 : memcmp(a.p, b.p, n);

	return r != 0 ? r : (a.n > b.n) - (a.n < b.n);
}

static int compare_rows(const void *a, const void *b)
{
	return compare_spans(((const struct app_password *)a)->user,
			     ((const struct app_password *)b)->user);
}

static size_t count_lines(struct span text)
{
	size_t lines = 1;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	return lines;
}

/* The rows of a text. A line that is wrong costs only itself. */
static size_t read_rows(struct app_passwords *a, struct span text, struct app_password *rows)
{
	char trouble[ERR_TEXT_MAX] = "";
	unsigned line_number = 0;
	size_t n_rows = 0;

	while (text.n > 0) {
		const size_t n = span_find(text, '\n');
		struct span line = span_of(text.p, n);
		struct err err;

		line_number++;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		switch (app_password_parse(line, &rows[n_rows], &err)) {
		case APP_PASSWORD_OK:
			n_rows++;
			break;
		case APP_PASSWORD_BAD:
			if (trouble[0] == '\0')
				(void)snprintf(trouble, sizeof(trouble), "%.200s:%u: %.200s",
					       a->path, line_number, err.text);
			break;
		case APP_PASSWORD_COMMENT:
			break;
		}
		span_skip(&text, n < text.n ? n + 1 : n);
	}
	report(a, trouble);
	return n_rows;
}

static void take(struct app_passwords *a, const struct text_file *file)
{
	const struct span text = span_of(file->text, file->n);
	struct app_password *rows = calloc(count_lines(text), sizeof(*rows));

	if (rows == NULL) {
		free(file->text);
		a->seen = (struct text_file_seen){0};
		report(a, "no memory for application passwords");
		return;
	}

	const size_t n_rows = read_rows(a, text, rows);

	qsort(rows, n_rows, sizeof(*rows), compare_rows);
	free(a->rows);
	free(a->text);
	a->text = file->text;
	a->rows = rows;
	a->n_rows = n_rows;
}

static void refresh(struct app_passwords *a)
{
	struct text_file file;
	struct err err;
	const int r = text_file_reread(&a->seen, a->path, APP_PASSWORDS_MAX_BYTES, &file, &err);

	if (r == 1) {
		take(a, &file);
	} else if (r == -ENOENT) {
		/* Nobody has one yet, or the last one's file was taken away. */
		a->n_rows = 0;
		report(a, "");
	} else if (r < 0) {
		report(a, err.text);
	}
}

/* The first row of this user, or where it would be. */
static size_t first_of(const struct app_passwords *a, struct span user)
{
	size_t low = 0;
	size_t high = a->n_rows;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (compare_spans(a->rows[middle].user, user) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What doesn't fit is no line: app_password_parse() has looked. */
static void copy(char *to, struct span from)
{
	if (from.n > 0)
		memcpy(to, from.p, from.n);
	to[from.n] = '\0';
}

bool app_passwords_find(struct app_passwords *a, const char *user, const char *password,
			struct app_password_found *ret_found)
{
	const struct span name = span_str(user);
	uint8_t hash[APP_PASSWORD_HASH];
	bool found = false;

	if (!app_password_hash(user, password, hash))
		return false;
	refresh(a);
	for (size_t i = first_of(a, name); i < a->n_rows && span_eq(a->rows[i].user, name); i++) {
		const struct app_password *row = &a->rows[i];

		if (found || !secret_equal(row->hash, hash, sizeof(hash)))
			continue;
		found = true;
		copy(ret_found->name, row->name);
		copy(ret_found->device, row->device);
		ret_found->services = row->services;
		ret_found->slot = row->slot;
		memcpy(ret_found->hash, row->hash, sizeof(ret_found->hash));
	}
	return found;
}
