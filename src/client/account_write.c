/* SPDX-License-Identifier: MIT */
#include "client/account_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/account_priv.h"
#include "client/client_config.h"
#include "client/folder.h"

/* In quotes, so that no octet of it means anything. */
static void write_text(FILE *f, const char *name, const char *text)
{
	(void)fprintf(f, "\t%s = \"", name);
	for (const char *p = text; *p != '\0'; p++)
		(void)fprintf(f, strchr("\"\\$", *p) != NULL ? "\\%c" : "%c", *p);
	(void)fputs("\"\n", f);
}

static void write_option(FILE *f, const struct account_row *row, const void *value)
{
	uint32_t number;
	uint64_t size;

	switch (row->kind) {
	case ACCOUNT_STRING:
	case ACCOUNT_PATH:
		write_text(f, row->option.name, value);
		return;
	case ACCOUNT_SIZE:
		memcpy(&size, value, sizeof(size));
		(void)fprintf(f, "\t%s = %llu\n", row->option.name, (unsigned long long)size);
		return;
	case ACCOUNT_NUMBER:
	case ACCOUNT_DURATION:
	case ACCOUNT_CHOICE:
		break;
	}
	memcpy(&number, value, sizeof(number));
	if (row->kind != ACCOUNT_CHOICE) {
		(void)fprintf(f, "\t%s = %lu\n", row->option.name, (unsigned long)number);
		return;
	}
	for (const struct account_choice *c = row->choices; c->word != NULL; c++) {
		if (c->value == number)
			(void)fprintf(f, "\t%s = %s\n", row->option.name, c->word);
	}
}

static bool differs(const struct account_row *row, const char *value, const char *fallback)
{
	switch (row->kind) {
	case ACCOUNT_STRING:
	case ACCOUNT_PATH:
		return strcmp(value, fallback) != 0;
	case ACCOUNT_SIZE:
		return memcmp(value, fallback, sizeof(uint64_t)) != 0;
	default:
		return memcmp(value, fallback, sizeof(uint32_t)) != 0;
	}
}

void account_write(FILE *f, const struct account *a)
{
	struct account fallback;

	account_init(&fallback);
	(void)fprintf(f, "account %s {\n", a->name);
	for (size_t i = 0; i < ACCOUNT_ROWS; i++) {
		const struct account_row *const row = &account_rows[i];
		const char *const value = (const char *)a + row->at;

		if (differs(row, value, (const char *)&fallback + row->at))
			write_option(f, row, value);
	}
	(void)fputs("}\n", f);
}

/* Whether the file says what was meant. */
static int read_back(const char *path, const struct account *accounts, size_t n, struct err *err)
{
	struct client_config c = {.n = 0};
	int r = client_config_load(path, &c, err);

	if (r == 0 && c.n != n)
		r = err_set(err, EINVAL, "%s: it has another number of accounts", path);
	for (size_t i = 0; i < n && r == 0; i++) {
		for (size_t o = 0; o < ACCOUNT_ROWS; o++) {
			const struct account_row *const row = &account_rows[o];

			if (differs(row, (const char *)&accounts[i] + row->at,
				    (const char *)&c.accounts[i] + row->at))
				r = err_set(err, EINVAL, "account %s: %s can't be written",
					    accounts[i].name, row->option.name);
		}
	}
	client_config_done(&c);
	return r;
}

static int write_all(int fd, const char *path, const struct account *accounts, size_t n,
		     struct err *err)
{
	FILE *const f = fdopen(fd, "w");
	bool ok;

	if (f == NULL) {
		(void)close(fd);
		return err_sys(err, ENOMEM, "cannot write '%s'", path);
	}
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			(void)fputc('\n', f);
		account_write(f, &accounts[i]);
	}
	ok = fflush(f) == 0 && fsync(fd) == 0;
	ok = fclose(f) == 0 && ok;
	return ok ? 0 : err_sys(err, errno, "cannot write '%s'", path);
}

int account_file_write(const char *path, const struct account *accounts, size_t n, bool replace,
		       struct err *err)
{
	char made[LIMIT_PATH + 16];
	int r = folder_make_above(path, err);
	int fd;

	if (r < 0)
		return r;
	if ((size_t)snprintf(made, sizeof(made), "%s.XXXXXX", path) >= sizeof(made))
		return err_set(err, ENAMETOOLONG, "'%s' is too long a name", path);
	fd = mkostemp(made, O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "cannot make '%s'", made);
	r = write_all(fd, made, accounts, n, err);
	if (r == 0)
		r = read_back(made, accounts, n, err);
	/* link(2) replaces nothing, also when somebody was faster. */
	if (r == 0 && (replace ? rename(made, path) : link(made, path)) < 0)
		r = err_sys(err, errno, "cannot write '%s'", path);
	if (r < 0 || !replace)
		(void)unlink(made);
	return r;
}
