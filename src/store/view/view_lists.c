/* SPDX-License-Identifier: MIT */
#include "store/view/view_priv.h"

#include <errno.h>
#include <limits.h>

#include "store/index.h"

void view_loaded_done(struct view_loaded *l)
{
	free(l->p);
	*l = (struct view_loaded){0};
}

void view_had_name(char out[static VIEW_NAME_SIZE], const char *device)
{
	(void)snprintf(out, VIEW_NAME_SIZE, "%s%s", VIEW_LIST_HAD, device);
}

int view_load(const struct view *v, const char *list, struct view_loaded *ret, struct err *err)
{
	struct view_loaded l = {0};
	const int r = v->row->read(v->views, list, &l.p, &l.n, err);

	if (r < 0)
		return r;
	l.whole = span_of(l.p, l.p == NULL ? 0 : view_list_whole(span_of(l.p, l.n)));
	/* One that never was whole: it was made under another name, so this is damage. */
	if (l.p != NULL && l.whole.n == 0)
		store_say(v->base.store, v->path, "the list '%s' is damaged, and ignored", list);
	*ret = l;
	return 0;
}

/* ---- changes ---- */

static int put_item(const struct view *v, struct view_batch *b, enum view_kind kind,
		    const struct view_item *item, struct err *err)
{
	const struct view_folder *const f = &v->folders[item->folder];
	char key[LIMIT_UIDL + 1] = "";
	struct index_record record;
	int r = index_read_record(f->m->snapshot_fd, item->n, &record);

	if (r == 0 && kind == VIEW_TRASHED)
		r = v->driver->key(f->m, item->n, &record, key, err);
	/* Somebody has deleted it: there is nothing to be kept. */
	if (r == -ENOENT)
		return 0;
	if (r == 0) {
		const struct view_entry e = {
			.kind = kind,
			.seconds = v->now,
			.folder = span_str(f->name),
			.uidl = index_record_uidl(&record),
			.key = span_str(key),
		};

		r = view_batch_put(b, &e);
	}
	return r < 0 ? err_sys(err, r == -EBADMSG ? EIO : -r, "cannot list what is deleted in '%s'",
			       f->path)
		     : 0;
}

/* Behind what is there, or into a new list. */
static int add_batch(const struct view *v, const char *list, const struct view_loaded *l,
		     enum view_kind kind, const struct view_item *items, size_t n, struct err *err)
{
	const bool fresh = l->whole.n == 0;
	struct view_batch b;
	struct buf out;
	int r;

	buf_init(&out, VIEW_LIST_BYTES_MAX);
	r = fresh ? view_list_new(&out) : 0;
	if (r == 0)
		r = view_batch_begin(&b, &out);
	if (r < 0)
		(void)err_sys(err, -r, "cannot list what is deleted in '%s'", v->path);
	for (size_t i = 0; i < n && r == 0; i++)
		r = put_item(v, &b, kind, &items[i], err);
	if (r == 0 && kind == VIEW_MOVED)
		r = view_batch_put(&b, &(struct view_entry){.kind = kind, .seconds = v->now});
	if (r == 0)
		r = view_batch_seal(&b, fresh ? buf_span(&out) : l->whole);
	if (r == 0)
		r = fresh ? v->row->replace(v->views, list, buf_span(&out), err)
			  : v->row->append(v->views, list, l->whole.n, buf_span(&out), err);
	buf_done(&out);
	return r;
}

int view_list_add(const struct view *v, const char *list, enum view_kind kind,
		  const struct view_item *items, size_t n, struct err *err)
{
	struct view_loaded l;
	int r = view_load(v, list, &l, err);

	if (r < 0)
		return r;
	r = add_batch(v, list, &l, kind, items, n, err);
	view_loaded_done(&l);
	return r;
}

/* How many entries stand before the last VIEW_MOVED. */
static size_t count_moved(const struct view_loaded *l)
{
	struct view_reader entries = view_list_entries(l->whole);
	struct view_entry e;
	size_t moved = 0;

	for (size_t n = 0; view_list_next(&entries, &e); n++)
		moved = e.kind == VIEW_MOVED ? n : moved;
	return moved;
}

int view_list_rewrite(const struct view *v, const char *list, const struct view_loaded *l,
		      view_drop *drop, void *arg, struct err *err)
{
	struct view_reader entries = view_list_entries(l->whole);
	const size_t moved = count_moved(l);
	struct view_entry e;
	struct view_batch b;
	struct buf out;
	int r;

	buf_init(&out, VIEW_LIST_BYTES_MAX);
	r = view_list_new(&out);
	if (r == 0)
		r = view_batch_begin(&b, &out);
	/* One VIEW_MOVED does for all. */
	for (size_t n = 0; r == 0 && view_list_next(&entries, &e); n++) {
		if (e.kind == VIEW_MOVED ? n == moved : !drop(arg, &e))
			r = view_batch_put(&b, &e);
	}
	if (r == 0)
		r = view_batch_seal(&b, buf_span(&out));
	if (r < 0)
		(void)err_sys(err, -r, "cannot write the list '%s' of '%s'", list, v->path);
	else
		r = v->row->replace(v->views, list, buf_span(&out), err);
	buf_done(&out);
	return r;
}

/* ---- in memory ---- */

void view_set_done(struct view_set *set)
{
	free(set->v);
	*set = (struct view_set){0};
}

uint64_t view_hash(struct span uidl)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < uidl.n; i++)
		h = (h ^ (uint8_t)uidl.p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static size_t hash(unsigned int folder, struct span uidl)
{
	const uint64_t h = view_hash(uidl) + folder;

	return (size_t)(h ^ h >> 32);
}

static struct view_slot *slot_for(const struct view_set *set, unsigned int folder, struct span uidl)
{
	size_t at = hash(folder, uidl) & set->mask;

	while (set->v[at].uidl.n > 0 &&
	       (set->v[at].folder != folder || !span_eq(set->v[at].uidl, uidl)))
		at = (at + 1) & set->mask;
	return &set->v[at];
}

struct view_slot *view_set_find(const struct view_set *set, unsigned int folder, struct span uidl)
{
	struct view_slot *const slot = set->count == 0 ? NULL : slot_for(set, folder, uidl);

	return slot != NULL && slot->uidl.n > 0 ? slot : NULL;
}

/* At most half full. */
static int grow(struct view_set *set)
{
	const struct view_set old = *set;

	if (old.v != NULL && old.count < (old.mask + 1) / 2)
		return 0;
	set->mask = old.v == NULL ? 63 : old.mask * 2 + 1;
	set->v = calloc(set->mask + 1, sizeof(*set->v));
	if (set->v == NULL) {
		*set = old;
		return -ENOMEM;
	}
	for (size_t i = 0; old.v != NULL && i <= old.mask; i++) {
		if (old.v[i].uidl.n > 0)
			*slot_for(set, old.v[i].folder, old.v[i].uidl) = old.v[i];
	}
	free(old.v);
	return 0;
}

static int add_entry(struct view_set *set, unsigned int folder, unsigned int device,
		     const struct view_entry *e, bool pending)
{
	struct view_slot *slot;

	if (grow(set) < 0)
		return -ENOMEM;
	slot = slot_for(set, folder, e->uidl);
	if (slot->uidl.n == 0) {
		*slot = (struct view_slot){
			.uidl = e->uidl, .folder = folder, .seconds = e->seconds, .kind = e->kind};
		set->count++;
	}
	slot->devices |= 1U << device;
	/* Devices: the first that had it. Otherwise it was put back by somebody, and deleted again.
	 */
	if (e->kind != VIEW_HAD || e->seconds < slot->seconds)
		slot->seconds = e->seconds;
	slot->kind = e->kind;
	slot->pending = pending && e->kind == VIEW_TRASHED;
	return 0;
}

bool view_slot_hides(const struct view_slot *slot)
{
	return slot != NULL && (slot->kind != VIEW_TRASHED || slot->pending);
}

bool view_list_has_strange(const struct view *v, const struct view_loaded *l)
{
	struct view_reader entries = view_list_entries(l->whole);
	const size_t moved = count_moved(l);
	struct view_entry e;
	bool strange = false;

	for (size_t n = 0; !strange && view_list_next(&entries, &e); n++)
		strange = n >= moved && e.kind == VIEW_TRASHED &&
			  view_folder_find(v, e.folder) == UINT_MAX;
	return strange;
}

int view_set_add(struct view_set *set, const struct view *v, const struct view_loaded *l,
		 unsigned int device)
{
	struct view_reader entries = view_list_entries(l->whole);
	const size_t moved = count_moved(l);
	struct view_entry e;
	int r = 0;

	for (size_t n = 0; r == 0 && view_list_next(&entries, &e); n++) {
		const unsigned int folder = e.kind == VIEW_MOVED ? UINT_MAX
								 : view_folder_find(v, e.folder);

		if (folder != UINT_MAX)
			r = add_entry(set, folder, device, &e, n >= moved);
	}
	return r;
}

int view_set_put(struct view_set *set, unsigned int folder, struct span uidl)
{
	return add_entry(set, folder, 0, &(struct view_entry){.uidl = uidl}, false);
}

int view_set_add_keys(struct view_set *set, const struct view_loaded *l)
{
	struct view_reader entries = view_list_entries(l->whole);
	struct view_entry e;
	int r = 0;

	while (r == 0 && view_list_next(&entries, &e)) {
		if (e.kind == VIEW_TRASHED) {
			e.uidl = e.key;
			r = add_entry(set, 0, 0, &e, false);
		}
	}
	return r;
}
