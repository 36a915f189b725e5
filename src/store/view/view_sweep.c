/* SPDX-License-Identifier: MIT */
/*
 * What follows from the lists and was not done yet: because somebody died, because its time
 * has come, or because the last device has had a message now. All of it can be done again, and
 * each step is decided before: so whatever fails stays for the next session.
 */
#include "store/view/view_priv.h"

#include <errno.h>
#include <limits.h>

#include "store/index.h"

enum action { KEEP, DELETE, MOVE, DISPOSE, ACTIONS };

struct sweep {
	struct view *v;
	struct view_devices devices;
	struct view_loaded deleted;
	struct view_loaded had[VIEW_DEVICES_MAX];
	struct view_set gone;             /* of deleted */
	struct view_set by;               /* of had */
	struct view_item *items[ACTIONS]; /* Owned */
	size_t count[ACTIONS];
	bool purged; /* something in the trash has gone for good */
};

static void done(struct sweep *w)
{
	for (size_t i = 0; i < ACTIONS; i++)
		free(w->items[i]);
	view_set_done(&w->by);
	view_set_done(&w->gone);
	for (size_t i = 0; i < VIEW_DEVICES_MAX; i++)
		view_loaded_done(&w->had[i]);
	view_loaded_done(&w->deleted);
}

static int load(struct sweep *w, struct err *err)
{
	int r = view_load(w->v, VIEW_LIST_DELETED, &w->deleted, err);

	if (r == 0)
		r = view_devices(w->v, &w->devices, err);
	for (unsigned int i = 0; i < w->devices.n && r == 0; i++) {
		char name[VIEW_NAME_SIZE];

		view_had_name(name, w->devices.v[i].name);
		r = view_load(w->v, name, &w->had[i], err);
		if (r == 0 && view_set_add(&w->by, w->v, &w->had[i], i) < 0)
			r = err_sys(err, ENOMEM, "cannot sweep '%s'", w->v->path);
	}
	if (r == 0 && view_set_add(&w->gone, w->v, &w->deleted, 0) < 0)
		r = err_sys(err, ENOMEM, "cannot sweep '%s'", w->v->path);
	return r;
}

/* ---- what is due ---- */

static bool is_over(const struct view *v, uint64_t since, uint32_t days)
{
	return days != 0 && since + (uint64_t)days * VIEW_DAY <= v->now;
}

static bool everybody_has(const struct sweep *w, const struct view_slot *slot)
{
	return w->devices.counted != 0 &&
	       (slot->devices & w->devices.counted) == w->devices.counted;
}

static enum action action_for(struct sweep *w, unsigned int folder,
			      const struct index_record *record)
{
	const struct maildrop_rules *const rules = &w->v->owner.rules;
	const struct span uidl = index_record_uidl(record);
	const bool away = (record->flags & INDEX_AWAY) != 0;
	struct view_slot *const gone = view_set_find(&w->gone, folder, uidl);
	struct view_slot *const by = view_set_find(&w->by, folder, uidl);

	if (by != NULL)
		by->seen = true;
	if (gone != NULL) {
		gone->seen = gone->seen || !away;
		if (away || !view_slot_hides(gone))
			return KEEP;
		if (is_over(w->v, gone->seconds, rules->dele_days))
			return DELETE;
		return gone->kind == VIEW_TRASHED ? MOVE : KEEP;
	}
	return !away && by != NULL &&
			       (everybody_has(w, by) ||
				is_over(w->v, by->seconds, rules->device_days))
		       ? DISPOSE
		       : KEEP;
}

static int add(struct sweep *w, enum action action, unsigned int folder, uint32_t n)
{
	const size_t count = w->count[action];
	struct view_item *items = w->items[action];

	/* A power of two is full. */
	if ((count & (count - 1)) == 0) {
		items = realloc(items, (count == 0 ? 1 : count * 2) * sizeof(*items));
		if (items == NULL)
			return -ENOMEM;
		w->items[action] = items;
	}
	items[w->count[action]++] = (struct view_item){.folder = folder, .n = n};
	return 0;
}

static int look_at_folder(struct sweep *w, unsigned int folder)
{
	const struct maildrop *const m = w->v->folders[folder].m;
	struct index_reader reader;
	struct index_record record;
	int r = m == NULL ? 0 : index_reader_init(&reader, m->snapshot_fd, m->count);

	if (m == NULL)
		return 0;
	for (uint32_t n = 1; r == 0; n++) {
		const int got = index_reader_next(&reader, &record);

		if (got == 0)
			break;
		if (got < 0) {
			r = got == -EBADMSG ? 0 : got;
			continue;
		}

		const enum action action = action_for(w, folder, &record);

		if (action != KEEP)
			r = add(w, action, folder, n);
	}
	index_reader_done(&reader);
	return r;
}

static int look(struct sweep *w, struct err *err)
{
	int r = 0;

	for (unsigned int i = 0; i < w->v->n_folders && r == 0; i++)
		r = look_at_folder(w, i);
	return r < 0 ? err_sys(err, -r, "cannot sweep '%s'", w->v->path) : 0;
}

/* ---- and what becomes of it ---- */

static int act(struct sweep *w, enum action action, struct err *err)
{
	struct view *const v = w->v;
	const struct view_item *const items = w->items[action];
	const size_t n = w->count[action];
	int r = 0;

	if (n == 0)
		return 0;
	for (unsigned int i = 0; i < v->n_folders; i++)
		view_folder_unmark(&v->folders[i]);
	for (size_t i = 0; i < n && r == 0; i++)
		r = maildrop_mark(v->folders[items[i].folder].m, items[i].n);
	if (r < 0)
		return err_sys(err, -r, "cannot sweep '%s'", v->path);
	if (action == DISPOSE)
		return view_dispose(v, items, n, err);
	return action == MOVE ? view_trash_marked(v, err) : view_delete_marked(v, err);
}

/* ---- the trash ---- */

/* Which entries are there: seen, and due: marked. */
static int look_at_trash(struct sweep *w, struct maildrop *m, struct view_set *keys)
{
	struct index_reader reader;
	struct index_record record;
	int r = index_reader_init(&reader, m->snapshot_fd, m->count);

	for (uint32_t n = 1; r == 0; n++) {
		const int got = index_reader_next(&reader, &record);
		struct view_slot *slot;

		if (got == 0)
			break;
		if (got < 0) {
			r = got == -EBADMSG ? 0 : got;
			continue;
		}
		slot = view_set_find(keys, 0, index_record_uidl(&record));
		if (slot == NULL)
			continue;
		slot->seen = true;
		if (is_over(w->v, slot->seconds, w->v->owner.rules.dele_days))
			r = maildrop_mark(m, n);
	}
	index_reader_done(&reader);
	return r;
}

/* Those that are there go on being away; the others have been thrown out by somebody. */
static void see_trashed(struct sweep *w, const struct view_set *keys)
{
	struct view_reader entries = view_list_entries(w->deleted.whole);
	struct view_entry e;

	while (view_list_next(&entries, &e)) {
		const unsigned int folder = view_folder_find(w->v, e.folder);
		struct view_slot *const slot = folder == UINT_MAX || e.kind != VIEW_TRASHED
						       ? NULL
						       : view_set_find(&w->gone, folder, e.uidl);
		const struct view_slot *const key = slot == NULL ? NULL
								 : view_set_find(keys, 0, e.key);

		if (key != NULL && key->seen &&
		    !is_over(w->v, e.seconds, w->v->owner.rules.dele_days))
			slot->seen = true;
	}
}

static int sweep_trash(struct sweep *w, struct err *err)
{
	struct view_set keys = {0};
	struct maildrop *m = NULL;
	int r = view_set_add_keys(&keys, &w->deleted);

	if (r < 0 || keys.count == 0)
		goto out;
	r = view_trash_open(w->v, &m, err);
	if (r == -ENOENT)
		r = 0;
	if (r == 0 && m != NULL)
		r = look_at_trash(w, m, &keys);
	if (r == 0 && m != NULL && m->marked > 0) {
		w->purged = true;
		r = w->v->driver->commit(m, err);
	}
	if (r == 0)
		see_trashed(w, &keys);
out:
	maildrop_close(m);
	view_set_done(&keys);
	return r;
}

/* ---- lists that have become too long ---- */

/* Entries of messages that are no more, or that say less than a later one. Those of folders that we
 * don't have may be. */
struct stale {
	const struct sweep *w;
	const struct view_set *set;
	bool trash; /* the trash was looked through */
	size_t stale;
	size_t count;
};

static bool is_stale(void *arg, const struct view_entry *e)
{
	struct stale *const s = arg;
	const struct view *const v = s->w->v;
	const unsigned int folder = view_folder_find(v, e->folder);
	const struct view_slot *slot;

	if (folder == UINT_MAX || v->folders[folder].m == NULL ||
	    (e->kind == VIEW_TRASHED && !s->trash))
		return false;
	slot = view_set_find(s->set, folder, e->uidl);
	return slot != NULL && (!slot->seen || (e->kind != VIEW_HAD && slot->uidl.p != e->uidl.p));
}

#define STALE_MIN 16

static void compact(struct sweep *w, const char *list, const struct view_loaded *l,
		    const struct view_set *set, bool trash, bool always)
{
	struct stale s = {.w = w, .set = set, .trash = trash};
	struct view_reader entries = view_list_entries(l->whole);
	struct view_entry e;
	struct err why;

	while (view_list_next(&entries, &e)) {
		s.count++;
		s.stale += e.kind != VIEW_MOVED && is_stale(&s, &e) ? 1 : 0;
	}
	if (s.stale == 0 || (!always && (s.stale < STALE_MIN || s.stale < s.count / 2)))
		return;
	if (view_list_rewrite(w->v, list, l, is_stale, &s, &why) < 0)
		store_say(w->v->base.store, w->v->path, "%s, will retry", why.text);
}

static void compact_all(struct sweep *w, bool trash)
{
	compact(w, VIEW_LIST_DELETED, &w->deleted, &w->gone, trash, w->purged);
	for (unsigned int i = 0; i < w->devices.n; i++) {
		char name[VIEW_NAME_SIZE];

		view_had_name(name, w->devices.v[i].name);
		compact(w, name, &w->had[i], &w->by, false, false);
	}
}

static int sweep(struct sweep *w, bool trash, bool *ret_changed, struct err *err)
{
	static const enum action actions[] = {DELETE, MOVE, DISPOSE};
	int r = load(w, err);

	if (r == 0)
		r = look(w, err);
	/* Before anything is added to a list that is compacted here. */
	if (r == 0 && trash)
		r = sweep_trash(w, err);
	if (r == 0)
		compact_all(w, trash);
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]) && r == 0; i++) {
		*ret_changed = *ret_changed || w->count[actions[i]] > 0;
		r = act(w, actions[i], err);
	}
	return r;
}

void view_sweep(struct view *v, bool trash, bool *ret_changed)
{
	struct sweep *const w = calloc(1, sizeof(*w));
	struct err why;

	if (w == NULL)
		return;
	w->v = v;
	if (sweep(w, trash, ret_changed, &why) < 0)
		store_say(v->base.store, v->path, "%s, will retry", why.text);
	done(w);
	free(w);
}
