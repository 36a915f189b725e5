/* SPDX-License-Identifier: MIT */
/*
 * restantectl undelete: what DELE has hidden or moved to the trash; and restantectl device:
 * whose views of a maildrop there are. It is done where the mail is, as its owner and under the
 * locks that sessions have, whether the server runs or not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "store/store.h"
#include "ctl/ctl.h"
#include "ctl/maildrops.h"

/* What a command does with one maildrop. */
struct work {
	const struct ctl *ctl;
	int (*run)(const struct work *w, struct store *s, const struct store_owner *owner);
};

static void on_notice(void *arg, const char *maildrop, const char *text)
{
	(void)arg;
	(void)ctl_complain(0, "%s: %s", maildrop, text);
}

static int fail(int r, const struct err *err)
{
	return r == -EBUSY ? ctl_complain(EX_TEMPFAIL, "%s", err->text) : ctl_fail(r, err);
}

static int on_maildrop(void *arg, const struct ctl_maildrop *m)
{
	const struct work *const w = arg;
	struct store *s;
	struct err err;
	int r = store_new(w->ctl->config.store_driver, "localhost", on_notice, NULL, &s, &err);

	if (r < 0)
		return ctl_fail(r, &err);
	r = w->run(w, s, &m->owner);
	store_free(s);
	return r != EX_OK ? r : ctl_printed();
}

static int work(struct ctl *ctl,
		int (*run)(const struct work *w, struct store *s, const struct store_owner *owner))
{
	struct work w = {.ctl = ctl, .run = run};

	/* What isn't on disk, only the server knows. */
	if (strcmp(ctl->config.store_driver, "maildir") != 0)
		return ctl_complain(EX_UNAVAILABLE,
				    "the store '%s' can only be reached by the server",
				    ctl->config.store_driver);
	return ctl_each_maildrop(ctl, on_maildrop, &w);
}

static void print_time(uint64_t seconds)
{
	const time_t t = (time_t)seconds;
	struct tm tm;
	char text[32];

	if (gmtime_r(&t, &tm) == NULL || strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm) == 0)
		(void)printf("\t?");
	else
		(void)printf("\t%s", text);
}

/* ---- undelete ---- */

static void print_kept(void *arg, const struct store_kept *k)
{
	(void)arg;
	(void)printf("%s\t%s\t%s", k->uidl, k->folder, k->in_trash ? "trash" : "hidden");
	print_time(k->deleted);
	if (k->until != 0)
		print_time(k->until);
	else
		(void)printf("\tnever");
	(void)printf("\n");
}

static int run_list(const struct work *w, struct store *s, const struct store_owner *owner)
{
	struct err err;
	const int r = maildrop_deleted(s, owner, print_kept, NULL, &err);

	(void)w;
	return r < 0 ? fail(r, &err) : EX_OK;
}

static int run_undelete(const struct work *w, struct store *s, const struct store_owner *owner)
{
	const char *const *const uidls = w->ctl->all ? NULL : w->ctl->words;
	uint32_t count;
	size_t n = 0;
	struct err err;
	int r;

	while (uidls != NULL && uidls[n] != NULL)
		n++;
	r = maildrop_undelete(s, owner, uidls, n, &count, &err);
	if (r < 0)
		return fail(r, &err);
	(void)printf("brought back %u message%s\n", count, count == 1 ? "" : "s");
	return uidls != NULL && count < n
		       ? ctl_complain(EX_DATAERR, "the others are not among those that are kept")
		       : EX_OK;
}

int ctl_undelete(struct ctl *ctl)
{
	const int said = (ctl->list ? 1 : 0) + (ctl->all ? 1 : 0) + (ctl->words[0] != NULL ? 1 : 0);

	if (said != 1)
		return ctl_complain(EX_USAGE, "undelete wants UIDLs, or --all, or --list");
	return work(ctl, ctl->list ? run_list : run_undelete);
}

/* ---- devices ---- */

/* The login without a device, which has no name. */
#define PLAIN_LOGIN "-"

struct devices {
	struct store_device_seen *v; /* Owned */
	size_t n;
	bool no_memory;
};

static void collect_device(void *arg, const struct store_device_seen *d)
{
	struct devices *const all = arg;
	struct store_device_seen *const v = realloc(all->v, (all->n + 1) * sizeof(*v));

	if (v == NULL) {
		all->no_memory = true;
		return;
	}
	all->v = v;
	all->v[all->n++] = *d;
}

static int compare_devices(const void *a, const void *b)
{
	const struct store_device_seen *const one = a;
	const struct store_device_seen *const other = b;

	return strcmp(one->name, other->name);
}

static int run_devices(const struct work *w, struct store *s, const struct store_owner *owner)
{
	struct devices all = {0};
	struct err err;
	int r = maildrop_devices(s, owner, collect_device, &all, &err);

	(void)w;
	if (r == 0 && all.no_memory)
		r = err_sys(&err, ENOMEM, "cannot list the devices of '%s'", owner->user);
	if (all.n > 0)
		qsort(all.v, all.n, sizeof(*all.v), compare_devices);
	for (size_t i = 0; i < all.n && r == 0; i++) {
		const struct store_device_seen *const d = &all.v[i];

		(void)printf("%s", d->name[0] != '\0' ? d->name : PLAIN_LOGIN);
		print_time(d->seen);
		(void)printf("\t%u\n", d->hidden);
	}
	free(all.v);
	return r < 0 ? fail(r, &err) : EX_OK;
}

static int run_forget(const struct work *w, struct store *s, const struct store_owner *owner)
{
	const char *const label = w->ctl->label;
	char device[MAILDROP_DEVICE_MAX + 1] = "";
	struct err err;
	int r;

	if (strcmp(label, PLAIN_LOGIN) != 0 && !maildrop_device_name(span_str(label), device))
		return ctl_complain(EX_DATAERR, "'%s': " CTL_DEVICE_NAMES, label);
	r = maildrop_forget_device(s, owner, device, &err);
	if (r == -ENOENT)
		return ctl_complain(EX_NOUSER, "'%s' has no device '%s'", owner->user, label);
	if (r < 0)
		return fail(r, &err);
	(void)printf("forgot device '%s' of '%s'\n", label, owner->user);
	return EX_OK;
}

int ctl_device_list(struct ctl *ctl)
{
	return work(ctl, run_devices);
}

int ctl_device_forget(struct ctl *ctl)
{
	return work(ctl, run_forget);
}
