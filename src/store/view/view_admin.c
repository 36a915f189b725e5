/* SPDX-License-Identifier: MIT */
/*
 * What an operator does with views: bringing back what was deleted, and the devices. Sessions
 * go on meanwhile, with the messages that they have.
 */
#include "store/view/view_priv.h"

#include <errno.h>
#include <limits.h>

#include "store/index.h"
#include "store/uidl_digest.h"

struct admin {
	struct view *v;
	struct view_loaded deleted;
	struct view_set gone;   /* of deleted: seen means, it can be brought back */
	struct view_set keys;   /* of those in the trash */
	struct maildrop *trash; /* NULL: there is none. Owned */
	struct store_device devices[VIEW_DEVICES_MAX + 1];
	struct view_loaded had[VIEW_DEVICES_MAX + 1];
	int n_devices;
	const char *const *wanted; /* NULL: all */
	size_t n_wanted;
	struct view_set back; /* those that are brought back */
};

static void end(struct admin *a)
{
	maildrop_close(a->trash);
	view_set_done(&a->back);
	view_set_done(&a->keys);
	view_set_done(&a->gone);
	for (int i = 0; i < a->n_devices; i++)
		view_loaded_done(&a->had[i]);
	view_loaded_done(&a->deleted);
	if (a->v != NULL)
		view_free(a->v);
}

/* Every folder that something was deleted from, whatever the rules list now. */
static int add_folders(struct admin *a, const struct view_loaded *l, struct err *err)
{
	struct view_reader entries = view_list_entries(l->whole);
	struct view_entry e;

	while (view_list_next(&entries, &e)) {
		if (view_folder_get(a->v, e.folder) == VIEW_FOLDERS_MAX)
			return err_set(err, EINVAL, "'%s' has too many folders", a->v->path);
	}
	return 0;
}

/* What is in a folder, and not away from it: those of the set are seen. */
static int see(struct view_set *set, unsigned int folder, const struct maildrop *m)
{
	struct index_reader reader;
	struct index_record record;
	int r = index_reader_init(&reader, m->snapshot_fd, m->count);

	while (r == 0) {
		const int got = index_reader_next(&reader, &record);
		struct view_slot *slot;

		if (got == 0)
			break;
		if (got < 0) {
			r = got == -EBADMSG ? 0 : got;
			continue;
		}
		slot = (record.flags & INDEX_AWAY) != 0
			       ? NULL
			       : view_set_find(set, folder, index_record_uidl(&record));
		if (slot != NULL)
			slot->seen = true;
	}
	index_reader_done(&reader);
	return r;
}

static int look(struct admin *a, struct err *err)
{
	int r = view_set_add(&a->gone, a->v, &a->deleted, 0);

	if (r == 0)
		r = view_set_add_keys(&a->keys, &a->deleted);
	for (unsigned int i = 0; i < a->v->n_folders && r == 0; i++) {
		if (a->v->folders[i].m != NULL)
			r = see(&a->gone, i, a->v->folders[i].m);
	}
	if (r == 0 && a->trash != NULL)
		r = see(&a->keys, 0, a->trash);
	return r < 0 ? err_sys(err, -r, "cannot read '%s'", a->v->path) : 0;
}

static int load_lists(struct admin *a, struct err *err)
{
	int r = view_load(a->v, VIEW_LIST_DELETED, &a->deleted, err);

	if (r == 0)
		r = add_folders(a, &a->deleted, err);
	if (r == 0)
		r = a->v->row->devices(a->v->views, a->devices, VIEW_DEVICES_MAX + 1, err);
	a->n_devices = r < 0 ? 0 : r;
	for (int i = 0; i < a->n_devices && r >= 0; i++) {
		char name[VIEW_NAME_SIZE];

		view_had_name(name, a->devices[i].name);
		r = view_load(a->v, name, &a->had[i], err);
		if (r == 0)
			r = add_folders(a, &a->had[i], err);
	}
	return r < 0 ? r : 0;
}

/* With the lists locked. *a is to be ended either way. */
static int begin(struct admin *a, struct store *s, const struct store_owner *owner, struct err *err)
{
	int r;

	a->v = view_new(s, owner);
	if (a->v == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", owner->path);
	r = a->v->row->open(s, &a->v->owner, false, &a->v->views, err);
	if (r == 0)
		r = a->v->row->lock(a->v->views, true, err);
	if (r == 0)
		r = load_lists(a, err);
	if (r == 0)
		r = view_folders_open(a->v, &a->deleted, err);
	if (r == 0) {
		r = view_trash_open(a->v, &a->trash, err);
		r = r == -ENOENT ? 0 : r;
	}
	return r == 0 ? look(a, err) : r;
}

/* Where an entry's message is: in its folder, in the trash, or nowhere (false). */
static bool is_there(const struct admin *a, const struct view_entry *e, bool *ret_in_trash)
{
	const unsigned int folder = view_folder_find(a->v, e->folder);
	const struct view_slot *const slot = view_set_find(&a->gone, folder, e->uidl);
	const struct view_slot *const key = e->kind == VIEW_TRASHED
						    ? view_set_find(&a->keys, 0, e->key)
						    : NULL;

	*ret_in_trash = key != NULL && key->seen;
	/* A later entry says the same. */
	if (slot == NULL || slot->uidl.p != e->uidl.p)
		return false;
	return *ret_in_trash || (view_slot_hides(slot) && slot->seen);
}

int maildrop_deleted(struct store *s, const struct store_owner *owner, maildrop_kept *found,
		     void *arg, struct err *err)
{
	struct admin a = {0};
	struct view_reader entries;
	struct view_entry e;
	int r = begin(&a, s, owner, err);

	entries = view_list_entries(a.deleted.whole);
	while (r == 0 && view_list_next(&entries, &e)) {
		const uint32_t days = owner->rules.dele_days;
		struct store_kept kept = {.deleted = e.seconds};
		const size_t n = e.folder.n;

		if (e.kind == VIEW_MOVED || !is_there(&a, &e, &kept.in_trash))
			continue;
		memcpy(kept.uidl, e.uidl.p, e.uidl.n);
		if (days != 0)
			kept.until = e.seconds + (uint64_t)days * VIEW_DAY;
		(void)snprintf(kept.folder, sizeof(kept.folder), "%.*s", n == 0 ? 5 : (int)n,
			       n == 0 ? "INBOX" : e.folder.p);
		found(arg, &kept);
	}
	end(&a);
	/* Whoever has deleted nothing so that it is kept has no lists. */
	return r == -ENOENT ? 0 : r;
}

/* ---- back ---- */

/* By its UIDL, or by the one that it had beside another of the same. */
static bool is_wanted(const struct admin *a, const struct view_entry *e)
{
	const unsigned int folder = view_folder_find(a->v, e->folder);
	char twin[UIDL_DIGEST];

	if (e->kind == VIEW_MOVED || a->wanted == NULL)
		return e->kind != VIEW_MOVED;

	const bool may_be_twin = folder > 0 &&
				 view_uidl_of_twin(&a->v->folders[folder], e->uidl, twin) == 0;

	for (size_t i = 0; i < a->n_wanted; i++) {
		const struct span wanted = span_str(a->wanted[i]);

		if (span_eq(wanted, e->uidl) ||
		    (may_be_twin && span_eq(wanted, span_of(twin, sizeof(twin)))))
			return true;
	}
	return false;
}

/* Which they are, in their folders and in the trash. */
static int choose(struct admin *a, struct view_set *from_trash, struct err *err)
{
	struct view_reader entries = view_list_entries(a->deleted.whole);
	struct view_entry e;
	bool in_trash;
	int r = 0;

	while (r == 0 && view_list_next(&entries, &e)) {
		const unsigned int folder = view_folder_find(a->v, e.folder);

		if (!is_wanted(a, &e) || !is_there(a, &e, &in_trash))
			continue;
		r = view_set_put(&a->back, folder, e.uidl);
		if (r == 0 && in_trash)
			r = view_set_put(from_trash, folder, e.key);
	}
	return r < 0 ? err_sys(err, -r, "cannot bring back what is deleted in '%s'", a->v->path)
		     : 0;
}

static int mark_in_trash(const struct admin *a, const struct view_set *wanted, unsigned int folder)
{
	struct index_reader reader;
	struct index_record record;
	int r = index_reader_init(&reader, a->trash->snapshot_fd, a->trash->count);

	for (uint32_t n = 1; r == 0; n++) {
		const int got = index_reader_next(&reader, &record);

		if (got == 0)
			break;
		if (got < 0)
			r = got == -EBADMSG ? 0 : got;
		else if (view_set_find(wanted, folder, index_record_uidl(&record)) != NULL)
			r = maildrop_mark(a->trash, n);
	}
	index_reader_done(&reader);
	return r;
}

/* From the trash into the folders that they came from. */
static int move_back(struct admin *a, const struct view_set *wanted, struct err *err)
{
	struct view_folder trash = {.m = a->trash};
	int r = 0;

	for (unsigned int i = 0; i < a->v->n_folders && r == 0 && a->trash != NULL; i++) {
		const struct store_owner to = view_owner_at(a->v, a->v->folders[i].path);

		view_folder_unmark(&trash);
		r = mark_in_trash(a, wanted, i);
		if (r < 0)
			(void)err_sys(err, -r, "cannot read the trash of '%s'", a->v->path);
		if (r == 0 && a->trash->marked > 0)
			r = a->v->driver->refile(a->trash, &to, err);
	}
	return r;
}

static bool is_back(void *arg, const struct view_entry *e)
{
	const struct admin *const a = arg;
	const unsigned int folder = view_folder_find(a->v, e->folder);

	return folder != UINT_MAX && view_set_find(&a->back, folder, e->uidl) != NULL;
}

/* What comes back, comes back for each device. That it is back is said last. */
static int drop_from_lists(struct admin *a, struct err *err)
{
	int r = 0;

	for (int i = 0; i < a->n_devices && r == 0; i++) {
		struct view_reader entries = view_list_entries(a->had[i].whole);
		struct view_entry e;
		char name[VIEW_NAME_SIZE];
		bool has = false;

		view_had_name(name, a->devices[i].name);
		while (!has && view_list_next(&entries, &e))
			has = is_back(a, &e);
		if (has)
			r = view_list_rewrite(a->v, name, &a->had[i], is_back, a, err);
	}
	return r < 0 ? r : view_list_rewrite(a->v, VIEW_LIST_DELETED, &a->deleted, is_back, a, err);
}

int maildrop_undelete(struct store *s, const struct store_owner *owner, const char *const *uidls,
		      size_t n, uint32_t *ret_count, struct err *err)
{
	struct admin a = {.wanted = uidls, .n_wanted = n};
	struct view_set from_trash = {0};
	int r = begin(&a, s, owner, err);

	if (r == 0)
		r = choose(&a, &from_trash, err);
	if (r == 0 && from_trash.count > 0)
		r = move_back(&a, &from_trash, err);
	if (r == 0 && a.back.count > 0)
		r = drop_from_lists(&a, err);
	if (r == 0 || r == -ENOENT)
		*ret_count = r == 0 ? (uint32_t)a.back.count : 0;
	view_set_done(&from_trash);
	end(&a);
	return r == -ENOENT ? 0 : r;
}

/* ---- devices ---- */

int maildrop_devices(struct store *s, const struct store_owner *owner, maildrop_device *found,
		     void *arg, struct err *err)
{
	struct admin a = {0};
	int r = begin(&a, s, owner, err);

	for (int i = 0; i < a.n_devices && r == 0; i++) {
		struct store_device_seen seen = {.seen = a.devices[i].seen};
		struct view_set set = {0};

		(void)snprintf(seen.name, sizeof(seen.name), "%s", a.devices[i].name);
		r = view_set_add(&set, a.v, &a.had[i], 0);
		for (unsigned int f = 0; f < a.v->n_folders && r == 0; f++) {
			if (a.v->folders[f].m != NULL)
				r = see(&set, f, a.v->folders[f].m);
		}
		for (size_t k = 0; set.v != NULL && k <= set.mask; k++)
			seen.hidden += set.v[k].uidl.n > 0 && set.v[k].seen ? 1 : 0;
		view_set_done(&set);
		if (r == 0)
			found(arg, &seen);
		else
			(void)err_sys(err, -r, "cannot read '%s'", owner->path);
	}
	end(&a);
	return r == -ENOENT ? 0 : r;
}

/* What nobody but the device hasn't had goes now. If it can't, each session tries it again. */
static void sweep(struct view *v)
{
	struct view_loaded deleted = {0};
	bool changed = false;
	int r = view_folders_add(v, NULL);

	if (r == 0)
		r = view_load(v, VIEW_LIST_DELETED, &deleted, NULL);
	if (r == 0)
		r = view_folders_open(v, &deleted, NULL);
	if (r == 0)
		view_sweep(v, false, &changed);
	view_folders_let_go(v);
	view_loaded_done(&deleted);
}

int maildrop_forget_device(struct store *s, const struct store_owner *owner, const char *device,
			   struct err *err)
{
	struct view *const v = view_new(s, owner);
	char had[VIEW_NAME_SIZE];
	int r;

	if (v == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", owner->path);
	view_had_name(had, device);
	r = v->row->open(s, &v->owner, false, &v->views, err);
	if (r == 0)
		r = v->row->lock(v->views, true, err);
	if (r == 0)
		r = v->row->forget(v->views, device, err);
	/* If it stays, the device finds it gone all the same should it come again. */
	if (r == 0)
		(void)v->row->remove(v->views, had, NULL);
	if (r == 0)
		sweep(v);
	view_free(v);
	return r;
}
