/* SPDX-License-Identifier: MIT */
/* restantectl app-password: passwords for one program of a user each. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/out.h"
#include "base/secret.h"
#include "auth/app_password.h"
#include "auth/app_password_use.h"
#include "auth/user_name.h"
#include "ctl/ctl.h"
#include "ctl/users_edit.h"

static int no_file(const struct ctl *ctl)
{
	return ctl_complain(EX_CONFIG, "%s has no app_passwords_file, where they would be kept",
			    ctl->config_path);
}

/* The next line that is one, and where it is with its end. False when there is none left. */
static bool next(struct span *text, struct app_password *ret, struct span *ret_line)
{
	while (text->n > 0) {
		const size_t n = span_find(*text, '\n');
		struct span line = span_of(text->p, n);
		struct err ignored;

		*ret_line = span_of(text->p, n < text->n ? n + 1 : n);
		span_skip(text, ret_line->n);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (app_password_parse(line, ret, &ignored) == APP_PASSWORD_OK)
			return true;
	}
	return false;
}

static bool find(const struct users_edit *e, const char *user, const char *label,
		 struct span *ret_line)
{
	struct span text = span_of(e->text, e->n);
	struct app_password p;

	while (next(&text, &p, ret_line)) {
		if (span_eq(p.user, span_str(user)) && span_eq(p.name, span_str(label)))
			return true;
	}
	return false;
}

/* The first slot that no line has, or APP_PASSWORD_SLOTS. */
static uint32_t free_slot(const struct users_edit *e)
{
	struct span text = span_of(e->text, e->n);
	bool *const used = calloc(APP_PASSWORD_SLOTS, sizeof(*used));
	struct app_password p;
	struct span line;
	uint32_t slot = 0;

	if (used == NULL)
		return APP_PASSWORD_SLOTS;
	while (next(&text, &p, &line))
		used[p.slot] = true;
	while (slot < APP_PASSWORD_SLOTS && used[slot])
		slot++;
	free(used);
	return slot;
}

/* Writes the new line. An exit status. */
static int append(const struct ctl *ctl, const struct users_edit *e, const char *user,
		  unsigned services, const char *device, const char *shown)
{
	struct app_password p = {
		.user = span_str(user),
		.name = span_str(ctl->label),
		.services = services,
		.device = span_str(device),
		.slot = free_slot(e),
		.created = clock_wall_ns() / 1000000000,
	};
	char line[APP_PASSWORD_LINE_MAX];
	struct out out = {.p = line, .cap = sizeof(line) - 1};
	struct span there;
	struct err err;

	if (find(e, user, ctl->label, &there))
		return ctl_complain(EX_CANTCREAT, "'%s' has an application password '%s' already",
				    user, ctl->label);
	if (p.slot == APP_PASSWORD_SLOTS)
		return ctl_complain(EX_OSERR, "there are too many application passwords");
	if (!app_password_hash(user, shown, p.hash))
		return ctl_complain(EX_OSERR, "cannot hash the password");

	const bool fits = app_password_put(&out, &p);

	/* Every part has been measured. */
	assert(fits);
	(void)fits;

	const int r = users_edit_append(e, out_span(&out), &err);

	return r < 0 ? ctl_fail(r, &err) : EX_OK;
}

int ctl_app_password_add(struct ctl *ctl)
{
	const char *path = ctl->config.app_passwords_file;
	char shown[APP_PASSWORD_SHOWN];
	char device[MAILDROP_DEVICE_MAX + 1] = "";
	char user[LIMIT_USER + 1];
	struct users_edit edit;
	unsigned services;
	struct err err;
	int r;

	if (path[0] == '\0')
		return no_file(ctl);
	if (!app_password_services(span_str(ctl->service != NULL ? ctl->service : ""), &services))
		return ctl_complain(EX_USAGE, "--service wants: pop3");
	if (app_password_check_name(span_str(ctl->label), &err) < 0)
		return ctl_complain(EX_DATAERR, "'%s': %s", ctl->label, err.text);
	if (ctl->device != NULL && !maildrop_device_name(span_str(ctl->device), device))
		return ctl_complain(EX_DATAERR, "'%s': " CTL_DEVICE_NAMES, ctl->device);
	r = ctl_find_user(ctl, user);
	if (r != EX_OK)
		return r;
	r = users_edit_begin(path, true, ctl_server_group(ctl), &edit, &err);
	if (r < 0)
		return ctl_fail(r, &err);
	app_password_make(shown);
	r = append(ctl, &edit, user, services, device, shown);
	users_edit_done(&edit);
	if (r == EX_OK)
		(void)printf("%s\n", shown);
	secret_wipe(shown, sizeof(shown));
	return r != EX_OK ? r : ctl_printed();
}

/*
 * Whose passwords ctl->name means: also those of somebody who has gone from a database that knows
 * nothing of them, or is away.
 */
static int find_owner(const struct ctl *ctl, char ret_name[LIMIT_USER + 1])
{
	if (user_name_normalise(span_str(ctl->name), ret_name) &&
	    ctl_app_password_count(ctl, ret_name) > 0)
		return EX_OK;
	return ctl_find_user(ctl, ret_name);
}

int ctl_app_password_revoke(struct ctl *ctl)
{
	const char *path = ctl->config.app_passwords_file;
	char user[LIMIT_USER + 1];
	struct users_edit edit;
	struct span line;
	struct err err;
	int r;

	if (path[0] == '\0')
		return no_file(ctl);
	r = find_owner(ctl, user);
	if (r != EX_OK)
		return r;
	r = users_edit_begin(path, false, (gid_t)-1, &edit, &err);
	if (r < 0)
		return ctl_fail(r, &err);
	if (!find(&edit, user, ctl->label, &line)) {
		r = ctl_complain(EX_NOUSER, "'%s' has no application password '%s'", user,
				 ctl->label);
	} else {
		const size_t at = (size_t)(line.p - edit.text);
		const struct span parts[] = {
			span_of(edit.text, at),
			span_of(line.p + line.n, edit.n - at - line.n),
		};

		r = users_edit_rewrite(&edit, parts, 2, &err);
		if (r < 0)
			r = ctl_fail(r, &err);
		else
			(void)printf("revoked '%s' of '%s'\n", ctl->label, user);
	}
	users_edit_done(&edit);
	return r != EX_OK ? r : ctl_printed();
}

/* The text without any line of this user's. */
static int rewrite_without(const struct users_edit *e, const char *user, struct err *err)
{
	struct span text = span_of(e->text, e->n);
	char *kept = malloc(e->n + 1);
	struct app_password p;
	struct span line;
	const char *from = e->text;
	size_t n = 0;

	if (kept == NULL)
		return err_sys(err, ENOMEM, "cannot write '%s'", e->path);
	while (next(&text, &p, &line)) {
		if (!span_eq(p.user, span_str(user)))
			continue;
		memcpy(kept + n, from, (size_t)(line.p - from));
		n += (size_t)(line.p - from);
		from = line.p + line.n;
	}

	const size_t rest = (size_t)(e->text + e->n - from);

	if (rest > 0)
		memcpy(kept + n, from, rest);

	const struct span all = span_of(kept, n + rest);
	const int r = all.n < e->n ? users_edit_rewrite(e, &all, 1, err) : 0;

	free(kept);
	return r;
}

int ctl_app_password_forget(struct ctl *ctl, const char *user)
{
	const char *path = ctl->config.app_passwords_file;
	struct users_edit edit;
	struct err err;
	int r;

	if (path[0] == '\0')
		return EX_OK;
	r = users_edit_begin(path, false, (gid_t)-1, &edit, &err);
	if (r == -ENOENT)
		return EX_OK;
	if (r < 0)
		return ctl_fail(r, &err);
	r = rewrite_without(&edit, user, &err);
	users_edit_done(&edit);
	return r < 0 ? ctl_fail(r, &err) : EX_OK;
}

/* ---- reading ---- */

static void print_time(const char *what, uint64_t seconds)
{
	const time_t at = (time_t)seconds;
	struct tm tm;
	char text[32];

	if (gmtime_r(&at, &tm) == NULL || strftime(text, sizeof(text), "%FT%TZ", &tm) == 0)
		(void)printf("\t%s=?", what);
	else
		(void)printf("\t%s=%s", what, text);
}

static void print(const struct app_password *p, int used)
{
	uint64_t time;

	(void)printf("%.*s\tservices=%s", (int)p->name.n, p->name.p,
		     p->services == APP_PASSWORD_ALL ? "all"
		     : p->services == 0              ? "none of ours"
						     : "pop3");
	if (p->device.n > 0)
		(void)printf("\tdevice=%.*s", (int)p->device.n, p->device.p);
	print_time("created", p->created);
	if (used >= 0 && app_password_use_read(used, p->slot, p->hash, &time))
		print_time("used", time);
	else
		(void)printf("\tused=never");
	(void)printf("\n");
}

/* Reads the file and calls each() for the user's lines. How many, or negative errno. */
static ssize_t each_of(const struct ctl *ctl, const char *user,
		       void (*each)(const struct app_password *p, int used), int used,
		       struct err *err)
{
	struct users_edit edit;
	struct app_password p;
	struct span line;
	ssize_t n = 0;
	const int r = users_edit_begin(ctl->config.app_passwords_file, false, (gid_t)-1, &edit,
				       err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;

	struct span text = span_of(edit.text, edit.n);

	while (next(&text, &p, &line)) {
		if (!span_eq(p.user, span_str(user)))
			continue;
		n++;
		if (each != NULL)
			each(&p, used);
	}
	users_edit_done(&edit);
	return n;
}

int ctl_app_password_list(struct ctl *ctl)
{
	char path[LIMIT_PATH + sizeof(APP_PASSWORD_USE_SUFFIX)];
	char user[LIMIT_USER + 1];
	struct err err;
	int r;

	if (ctl->config.app_passwords_file[0] == '\0')
		return no_file(ctl);
	r = find_owner(ctl, user);
	if (r != EX_OK)
		return r;
	(void)snprintf(path, sizeof(path), "%s" APP_PASSWORD_USE_SUFFIX,
		       ctl->config.app_passwords_file);

	const int used = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	const ssize_t n = each_of(ctl, user, print, used, &err);

	if (used >= 0)
		(void)close(used);
	return n < 0 ? ctl_fail((int)n, &err) : ctl_printed();
}

size_t ctl_app_password_count(const struct ctl *ctl, const char *user)
{
	const ssize_t n = ctl->config.app_passwords_file[0] != '\0'
				  ? each_of(ctl, user, NULL, -1, NULL)
				  : 0;

	return n > 0 ? (size_t)n : 0;
}
