/* SPDX-License-Identifier: MIT */
/*
 * A file of users, whatever is in it: each line is taken apart within its bounds,
 * a name that is accepted leads nowhere out of the spool, and no error carries
 * the secret. The secret is given to the scheme's cheap check, as the loader does.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/passwd_file.h"
#include "auth/scheme.h"
#include "auth/user_name.h"
#include "base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int true_always)
{
	if (!true_always)
		abort();
}

static void within(struct span part, struct span line)
{
	need(part.n == 0 || (part.p >= line.p && part.n <= line.n &&
			     (size_t)(part.p - line.p) <= line.n - part.n));
}

/* What is said of a line is the same whatever its secret is: so nothing of it is said. */
static void check_silence(struct span line, const struct passwd_line *l, enum passwd_status status,
			  const struct err *err)
{
	char *other = malloc(line.n);
	struct passwd_line it;
	struct err again = {{0}};

	need(other != NULL);
	memcpy(other, line.p, line.n);
	memset(other + (l->secret.p - line.p), 'X', l->secret.n);
	need(passwd_line_parse(span_of(other, line.n), &it, &again) == status);
	need(strcmp(again.text, err->text) == 0);
	free(other);
}

/* What it becomes is what it is: SASLprep may change its length, but only once. */
static void check_name(struct span name)
{
	char once[LIMIT_USER + 1];
	char twice[LIMIT_USER + 1];

	need(user_name_normalise(name, once));
	need(user_name_normalise(span_str(once), twice) && strcmp(once, twice) == 0);
}

static void check_path(const struct passwd_line *l)
{
	char home[LIMIT_PATH] = "";
	char path[LIMIT_PATH];
	const struct user_location of = {.name = l->name, .home = home, .default_domain = ""};
	struct err err;

	if (l->home.n < sizeof(home))
		memcpy(home, l->home.p, l->home.n);
	/* With a plain location every good name has a place, and it is below the spool. */
	need(user_mail_path("/spool/%d/%n/x", &of, path, &err) == 0);
	need(strncmp(path, "/spool/", 7) == 0 && strstr(path, "/../") == NULL &&
	     strstr(path, "/./") == NULL && strstr(path, "//") == NULL);
	if (user_mail_path("%h/Maildir", &of, path, &err) == 0)
		need(path[0] == '/' && strstr(path, "/../") == NULL);
}

static void check_secret(const struct passwd_line *l)
{
	char stored[SCHEME_STORED_MAX + 8];
	struct err err = {{0}};

	if (l->secret.n >= sizeof(stored))
		return;
	memcpy(stored, l->secret.p, l->secret.n);
	stored[l->secret.n] = '\0';
	if (scheme_check(stored, &err) < 0)
		need(err.text[0] != '\0');
	(void)scheme_name(stored);
}

static void check_line(struct span line)
{
	struct passwd_line it;
	struct err err = {{0}};
	const enum passwd_status status = passwd_line_parse(line, &it, &err);

	if (status == PASSWD_COMMENT)
		return;
	need((status != PASSWD_USER) == (err.text[0] != '\0'));
	if (status == PASSWD_BAD)
		return;
	within(it.name, line);
	within(it.secret, line);
	within(it.home, line);
	within(it.mail, line);
	check_name(it.name);
	check_silence(line, &it, status, &err);
	check_path(&it);
	check_secret(&it);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);

	while (text.n > 0) {
		const size_t n = span_find(text, '\n');
		/* Its own memory, so that one octet too far is seen. */
		char *line = malloc(n == 0 ? 1 : n);

		need(line != NULL);
		if (n > 0)
			memcpy(line, text.p, n);
		check_line(span_of(line, n));
		free(line);
		span_skip(&text, n < text.n ? n + 1 : n);
	}
	return 0;
}
