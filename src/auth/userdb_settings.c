/* SPDX-License-Identifier: MIT */
#include "auth/userdb_settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"
#include "base/secret.h"
#include "base/span.h"
#include "base/text_file.h"
#include "base/value.h"
#include "auth/userdb_worker.h"

#define FILE_MAX (64U << 10)
#define TIMEOUT_MAX 60U

int userdb_settings_wrong(const struct userdb_settings *s, size_t i, struct err *err,
			  const char *what)
{
	if (s->line[i] == 0)
		return err_set(err, EINVAL, "%s: %s %s", s->path, s->rows[i].name, what);
	return err_set(err, EINVAL, "%s:%d: %s %s", s->path, s->line[i], s->rows[i].name, what);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static size_t line_length(const char *line)
{
	return strcspn(line, "\n");
}

static bool is_comment(const char *line)
{
	while (is_blank(*line))
		line++;
	return *line == '\n' || *line == '\0' || *line == '#';
}

/*
 * Where the line ends that begins at line, with all that goes on in the next ones: what stands
 * between is blanked out.
 */
static char *join(char *line, int *number)
{
	char *end = line + line_length(line);

	while (*end == '\n' && is_blank(end[1])) {
		const size_t n = line_length(end + 1);

		if (is_comment(end + 1))
			memset(end, ' ', 1 + n);
		else
			*end = ' ';
		end += 1 + n;
		++*number;
	}
	return end;
}

static bool read_number(enum userdb_setting_kind kind, const char *text, uint32_t *ret_number)
{
	uint64_t n;
	bool yes;

	if (kind == USERDB_SETTING_BOOL) {
		if (!value_bool(text, &yes))
			return false;
		*ret_number = yes;
		return true;
	}
	if (kind == USERDB_SETTING_SECONDS ? !value_duration(text, TIMEOUT_MAX, &n)
					   : !num_parse_u64(span_str(text), USERDB_THREADS_MAX, &n))
		return false;
	if (n == 0)
		return false;
	*ret_number = (uint32_t)n;
	return true;
}

static int set(struct userdb_settings *s, size_t i, const char *value, struct err *err)
{
	static const char *const wanted[] = {
		[USERDB_SETTING_PATH] = "needs an absolute path",
		[USERDB_SETTING_SECONDS] = "needs a time from 1s to 60s",
		[USERDB_SETTING_THREADS] = "needs a number from 1 to 32",
		[USERDB_SETTING_BOOL] = "needs \"yes\" or \"no\"",
	};
	const enum userdb_setting_kind kind = s->rows[i].kind;
	bool good = true;

	s->value[i] = value;
	if (kind == USERDB_SETTING_PATH)
		good = value[0] == '/' || value[0] == '\0';
	else if (kind != USERDB_SETTING_TEXT && kind != USERDB_SETTING_SECRET)
		good = read_number(kind, value, &s->number[i]);
	return good ? 0 : userdb_settings_wrong(s, i, err, wanted[kind]);
}

static int complain(const struct userdb_settings *s, int line, struct err *err, const char *what)
{
	return err_set(err, EINVAL, "%s:%d: %s", s->path, line, what);
}

/* One line "name = value", ended by NUL. What it can't be may be a secret, so it isn't shown. */
static int take_line(struct userdb_settings *s, char *line, int number, struct err *err)
{
	char *value = strchr(line, '=');
	size_t n = value == NULL ? 0 : (size_t)(value - line);
	size_t i = 0;

	while (n > 0 && is_blank(line[n - 1]))
		n--;
	if (is_blank(line[0]) || n == 0)
		return complain(s, number, err, "there is no \"name = value\" in this line");
	line[n] = '\0';
	while (i < s->n && strcmp(s->rows[i].name, line) != 0)
		i++;
	if (i == s->n)
		return err_set(err, EINVAL, "%s:%d: there is no setting '%.40s'", s->path, number,
			       line);
	if (s->line[i] != 0)
		return complain(s, number, err, "this setting is given twice");
	s->line[i] = number;
	value++;
	while (is_blank(*value))
		value++;
	for (n = strlen(value); n > 0 && is_blank(value[n - 1]); n--)
		value[n - 1] = '\0';
	return set(s, i, value, err);
}

static int parse(struct userdb_settings *s, struct err *err)
{
	char *line = s->_text;
	int number = 1;
	int r = 0;

	while (r == 0 && *line != '\0') {
		const int first = number;
		const bool comment = is_comment(line);
		char *end = comment ? line + line_length(line) : join(line, &number);
		char *next = *end == '\0' ? end : end + 1;

		*end = '\0';
		if (!comment)
			r = take_line(s, line, first, err);
		line = next;
		number++;
	}
	return r;
}

static int check(const struct userdb_settings *s, struct err *err)
{
	struct stat st;

	for (size_t i = 0; i < s->n; i++) {
		if (s->rows[i].required && s->value[i][0] == '\0')
			return userdb_settings_wrong(s, i, err, "is missing");
		if (s->rows[i].kind == USERDB_SETTING_SECRET && s->value[i][0] != '\0' &&
		    stat(s->path, &st) == 0 && (st.st_mode & S_IRWXO) != 0)
			return userdb_settings_wrong(
				s, i, err, "is a secret, and the file is open to everybody");
	}
	return 0;
}

int userdb_settings_read(const char *path, const struct userdb_setting *rows, size_t n,
			 struct userdb_settings *ret, struct err *err)
{
	struct text_file file;
	int r = text_file_read(path, FILE_MAX, &file, err);

	*ret = (struct userdb_settings){.rows = rows, .n = n};
	if (r < 0)
		return r;
	ret->_text = file.text;
	ret->_n_text = file.n;
	(void)snprintf(ret->path, sizeof(ret->path), "%s", path);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = set(ret, i, rows[i].fallback, err);
	if (r == 0)
		r = parse(ret, err);
	if (r == 0)
		r = check(ret, err);
	if (r < 0)
		userdb_settings_done(ret);
	return r;
}

void userdb_settings_done(struct userdb_settings *s)
{
	if (s->_text != NULL)
		secret_wipe(s->_text, s->_n_text);
	free(s->_text);
	*s = (struct userdb_settings){.n = 0};
}
