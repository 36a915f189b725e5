/* SPDX-License-Identifier: MIT */
/*
 * QUIT. What it decides is one batch on one list, or, where files of one folder are simply
 * deleted and no device has a say in it, that folder's own journal.
 */
#include "store/view/view_priv.h"

#include <errno.h>

#include "store/index.h"

int view_devices(const struct view *v, struct view_devices *ret, struct err *err)
{
	const uint64_t patience = (uint64_t)v->owner.rules.device_days * VIEW_DAY;
	const int r = v->row->devices(v->views, ret->v, VIEW_DEVICES_MAX + 1, err);

	if (r < 0)
		return r;
	ret->n = r > VIEW_DEVICES_MAX ? VIEW_DEVICES_MAX : (unsigned int)r;
	ret->counted = 0;
	ret->others = false;
	for (unsigned int i = 0; i < ret->n; i++) {
		const bool ours = strcmp(ret->v[i].name, v->owner.rules.device) == 0;

		/* One that hasn't been here for so long has had its chance. */
		if (!ours && patience != 0 && ret->v[i].seen + patience < v->now)
			continue;
		ret->counted |= 1U << i;
		ret->others = ret->others || !ours;
	}
	return 0;
}

/* ---- what is marked in the folders goes ---- */

int view_delete_marked(struct view *v, struct err *err)
{
	struct err why;
	int first = 0;

	for (unsigned int i = 0; i < v->n_folders; i++) {
		struct view_folder *const f = &v->folders[i];
		int r;

		if (f->m == NULL || f->m->marked == 0)
			continue;
		r = view_folder_hold(f, first == 0 ? err : &why);
		if (r == 0)
			r = v->driver->commit(f->m, first == 0 ? err : &why);
		first = first == 0 ? r : first;
	}
	return first;
}

static int move_marked(struct view *v, struct err *err)
{
	char path[LIMIT_PATH];
	int r = view_trash_path(v, path, err);
	const struct store_owner trash = view_owner_at(v, path);

	for (unsigned int i = 0; i < v->n_folders && r == 0; i++) {
		struct view_folder *const f = &v->folders[i];

		if (f->m == NULL || f->m->marked == 0)
			continue;
		r = view_folder_hold(f, err);
		if (r == 0)
			r = v->driver->refile(f->m, &trash, err);
	}
	return r;
}

/* Is a message still where it was, that was to be moved some other time and couldn't be? */
static bool is_left(const struct view_folder *f, const struct view_set *set, unsigned int folder)
{
	struct index_reader reader;
	struct index_record record;
	bool left = index_reader_init(&reader, f->m->snapshot_fd, f->m->count) < 0;
	int got = 1;

	for (uint32_t n = 1; !left && got != 0; n++) {
		got = index_reader_next(&reader, &record);
		if (got > 0 && (record.flags & INDEX_AWAY) == 0 && !maildrop_is_marked(f->m, n)) {
			const struct view_slot *const slot = view_set_find(
				set, folder, index_record_uidl(&record));

			left = slot != NULL && slot->pending;
		}
		left = left || got < 0;
	}
	index_reader_done(&reader);
	return left;
}

/* What is marked was moved: was it all that had to be? */
static bool all_are_moved(const struct view *v)
{
	struct view_loaded deleted;
	struct view_set set = {0};
	bool all;

	if (view_load(v, VIEW_LIST_DELETED, &deleted, NULL) < 0)
		return false;
	all = view_set_add(&set, v, &deleted, 0) == 0 && !view_list_has_strange(v, &deleted);
	for (unsigned int i = 0; i < v->n_folders && all; i++)
		all = v->folders[i].m == NULL || !is_left(&v->folders[i], &set, i);
	view_set_done(&set);
	view_loaded_done(&deleted);
	return all;
}

int view_trash_marked(struct view *v, struct err *err)
{
	const int r = move_marked(v, err);

	/* If this can't be written, they are looked for once more and found to be there. */
	if (r == 0 && all_are_moved(v))
		(void)view_list_add(v, VIEW_LIST_DELETED, VIEW_MOVED, NULL, 0, NULL);
	return r;
}

int view_dispose(struct view *v, const struct view_item *items, size_t n, struct err *err)
{
	struct err why;
	int r;

	switch ((enum maildrop_dele)v->owner.rules.dele) {
	case MAILDROP_DELE_HIDE:
		return view_list_add(v, VIEW_LIST_DELETED, VIEW_HIDDEN, items, n, err);
	case MAILDROP_DELE_TRASH:
		r = view_list_add(v, VIEW_LIST_DELETED, VIEW_TRASHED, items, n, err);
		/* It is decided: until they can be moved they are hidden where they are. */
		if (r == 0 && view_trash_marked(v, &why) < 0)
			store_say(v->base.store, v->path, "%s, will retry", why.text);
		return r;
	case MAILDROP_DELE_DELETE:
	case MAILDROP_DELES:
		break;
	}
	return view_delete_marked(v, err);
}

/* ---- QUIT ---- */

static int add_item(struct view *v, uint32_t n, struct view_item *ret, struct err *err)
{
	int r = view_where(v, n, false, &ret->folder, &ret->n);

	if (r == 0)
		r = maildrop_mark(v->folders[ret->folder].m, ret->n);
	return r < 0 ? err_sys(err, -r, "cannot list what is deleted in '%s'", v->path) : 0;
}

static bool in_several_folders(const struct view *v)
{
	unsigned int folders = 0;

	for (unsigned int i = 0; i < v->n_folders; i++)
		folders += v->folders[i].m != NULL && v->folders[i].m->marked > 0 ? 1 : 0;
	return folders > 1;
}

static int decide(struct view *v, const struct view_item *items, size_t n, struct err *err)
{
	char had[VIEW_NAME_SIZE];
	struct view_devices devices;
	bool changed = false;
	int r = view_devices(v, &devices, err);

	if (r < 0)
		return r;
	if (!devices.others &&
	    (v->owner.rules.dele != MAILDROP_DELE_DELETE || !in_several_folders(v)))
		return view_dispose(v, items, n, err);
	view_had_name(had, v->owner.rules.device);
	r = view_list_add(v, had, VIEW_HAD, items, n, err);
	/* What follows from it, the next session would do as well. */
	if (r == 0)
		view_sweep(v, false, &changed);
	return r;
}

static int commit(struct view *v, struct err *err)
{
	struct view_item *const items = calloc(v->base.marked, sizeof(*items));
	size_t n = 0;
	int r = items == NULL ? err_sys(err, ENOMEM, "cannot delete from '%s'", v->path) : 0;

	for (uint32_t i = 1; i <= v->base.count && r == 0; i++) {
		if (maildrop_is_marked(&v->base, i))
			r = add_item(v, i, &items[n++], err);
	}
	if (r == 0)
		r = v->row->lock(v->views, true, err);
	if (r == 0) {
		r = decide(v, items, n, err);
		view_folders_let_go(v);
		v->row->unlock(v->views);
	}
	free(items);
	return r;
}

int view_commit(struct maildrop *maildrop, struct err *err)
{
	struct view *const v = (struct view *)maildrop;

	/* A session of what is recent only looks. */
	if (v->owner.rules.recent_days == 0)
		return commit(v, err);
	v->base.marked = 0;
	return 0;
}
