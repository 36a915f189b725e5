/* SPDX-License-Identifier: MIT */
#include "store/view/view.h"

#include <errno.h>

#include "base/clock.h"
#include "store/store_sys.h"
#include "store/view/view_priv.h"

bool view_wanted(const struct maildrop_rules *r)
{
	return r->dele != MAILDROP_DELE_DELETE || r->newest != 0 || r->recent_days != 0 ||
	       r->device[0] != '\0' || (r->folders[0] != '\0' && strcmp(r->folders, "INBOX") != 0);
}

/* ---- messages: the folder's, under another number ---- */

/* The snapshot ends with eight octets for each message: folder and number, little-endian. */
int view_where(const struct view *v, uint32_t n, bool now, unsigned int *ret_folder,
	       uint32_t *ret_n)
{
	const uint64_t at = INDEX_HEADER_SIZE + (uint64_t)v->base.count * INDEX_RECORD_SIZE +
			    (uint64_t)(n - 1) * 8;
	unsigned char raw[8];
	uint32_t word[2] = {0, 0};

	if (now && sys_pread_cached(v->base.snapshot_fd, raw, sizeof(raw), at) != sizeof(raw))
		return -EAGAIN;
	if (!now && sys_pread_all(v->base.snapshot_fd, raw, sizeof(raw), at) < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(raw); i++)
		word[i / 4] |= (uint32_t)raw[i] << (8 * (i % 4));
	if (word[0] >= v->n_folders || v->folders[word[0]].m == NULL || word[1] < 1 ||
	    word[1] > v->folders[word[0]].m->count)
		return -EIO;
	*ret_folder = word[0];
	*ret_n = word[1];
	return 0;
}

static struct view *of(struct maildrop *m)
{
	return (struct view *)m;
}

static int message_now(struct maildrop *m, uint32_t n, struct store_message *ret_message)
{
	struct view *const v = of(m);
	unsigned int folder;

	if (v->driver->message_now == NULL || view_where(v, n, true, &folder, &n) < 0)
		return -EAGAIN;
	return v->driver->message_now(v->folders[folder].m, n, ret_message);
}

static int message(struct maildrop *m, uint32_t n, struct store_message *ret_message,
		   struct err *err)
{
	struct view *const v = of(m);
	unsigned int folder;
	const int r = view_where(v, n, false, &folder, &n);

	if (r < 0)
		return err_sys(err, -r, "cannot read the list of '%s'", v->path);
	return v->driver->message(v->folders[folder].m, n, ret_message, err);
}

static int check(struct maildrop *m, uint32_t n, struct store_message *found, struct err *err)
{
	struct view *const v = of(m);
	unsigned int folder;
	const int r = view_where(v, n, false, &folder, &n);

	if (r < 0)
		return err_sys(err, -r, "cannot read the list of '%s'", v->path);
	return v->driver->check(v->folders[folder].m, n, found, err);
}

static bool writes_at_close(const struct maildrop *m)
{
	const struct view *const v = (const struct view *)m;
	bool writes = false;

	for (unsigned int i = 0; i < v->n_folders; i++)
		writes = writes || (v->folders[i].m != NULL && !maildrop_is_clean(v->folders[i].m));
	return writes;
}

static void close_view(struct maildrop *m)
{
	view_free(of(m));
}

/* A maildrop's part of a driver's row. */
static const struct store_driver view_driver = {
	.name = "view",
	.message_now = message_now,
	.close = close_view,
	.writes_at_close = writes_at_close,
	.message = message,
	.check = check,
	.commit = view_commit,
};

/* ---- one session ---- */

struct view *view_new(struct store *s, const struct store_owner *owner)
{
	struct view *const v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->base = (struct maildrop){.store = s, .driver = &view_driver, .snapshot_fd = -1};
	v->driver = s->driver;
	v->row = s->driver->views;
	v->owner = *owner;
	v->owner.user = "";
	v->owner.path = v->path;
	v->now = clock_wall_ns() / 1000000000U;
	/* store.c has checked the length. */
	memcpy(v->path, owner->path, strlen(owner->path) + 1);
	(void)view_folder_get(v, span_of("", 0));
	return v;
}

void view_free(struct view *v)
{
	view_folders_close(v);
	if (v->views != NULL)
		v->row->close(v->views);
	free(v);
}

/* One that nobody waits for any more makes room, should there be none. */
static int make_room(struct view *v, struct err *err)
{
	const uint64_t patience = (uint64_t)v->owner.rules.device_days * VIEW_DAY;
	const struct store_device *oldest = NULL;
	struct store_device known[VIEW_DEVICES_MAX];
	int named = 0;
	const int n = v->row->devices(v->views, known, VIEW_DEVICES_MAX, err);

	for (int i = 0; i < n; i++) {
		if (known[i].name[0] == '\0')
			continue;
		named++;
		if (oldest == NULL || known[i].seen < oldest->seen)
			oldest = &known[i];
	}
	/* The plain login can't be refused: its place is never another's. */
	if (n < 0 || named < VIEW_DEVICES_MAX - 1)
		return n < 0 ? n : 0;
	if (patience != 0 && oldest->seen + patience < v->now) {
		char had[VIEW_NAME_SIZE];
		const int r = v->row->forget(v->views, oldest->name, err);

		view_had_name(had, oldest->name);
		if (r == 0)
			(void)v->row->remove(v->views, had, NULL);
		return r;
	}
	return err_set(err, EPERM, "'%s' has %d devices, and no room for '%s'", v->path, named,
		       v->owner.rules.device);
}

/* Whose session this is. One that deletes nothing locks out nobody. */
static int take_device(struct view *v, struct err *err)
{
	const char *const device = v->owner.rules.device;
	char had[VIEW_NAME_SIZE];
	int r;

	if (v->owner.rules.recent_days != 0)
		return 0;
	r = v->row->take(v->views, device, false, err);
	if (r != -ENOENT)
		return r;
	r = device[0] != '\0' ? make_room(v, err) : 0;
	if (r < 0)
		return r;
	/* Of one of that name that was forgotten. */
	view_had_name(had, device);
	r = v->row->remove(v->views, had, err);
	return r < 0 ? r : v->row->take(v->views, device, true, err);
}

static int load_and_open(struct view *v, struct view_loaded *deleted, struct err *err)
{
	int r;

	view_folders_close(v);
	view_loaded_done(deleted);
	r = view_load(v, VIEW_LIST_DELETED, deleted, err);
	return r < 0 ? r : view_folders_open(v, deleted, err);
}

/* What others do with the lists waits. */
static int open_locked(struct view *v, struct err *err)
{
	struct view_loaded deleted = {0};
	bool changed = false;
	bool today = false;
	int r = load_and_open(v, &deleted, err);

	if (r == 0 && !view_snapshot_kept(v, &today, err)) {
		view_sweep(v, !today, &changed);
		if (changed)
			r = load_and_open(v, &deleted, err);
		if (r == 0)
			r = view_snapshot_make(v, &deleted, err);
	}
	view_folders_let_go(v);
	view_loaded_done(&deleted);
	return r;
}

static int begin(struct view *v, struct err *err)
{
	int r = view_folders_add(v, err);

	if (r == 0)
		r = v->row->open(v->base.store, &v->owner, true, &v->views, err);
	if (r == 0)
		r = v->row->lock(v->views, false, err);
	if (r < 0)
		return r;
	r = take_device(v, err);
	if (r == 0)
		r = open_locked(v, err);
	v->row->unlock(v->views);
	return r;
}

bool view_is_in_use(struct store *s, const struct store_owner *owner)
{
	struct store_views *views;

	if (s->driver->views->open(s, owner, false, &views, NULL) < 0)
		return false;
	s->driver->views->close(views);
	return true;
}

int view_open(struct store *s, const struct store_owner *owner, struct maildrop **ret_maildrop,
	      struct err *err)
{
	struct view *const v = view_new(s, owner);
	int r;

	if (v == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", owner->path);
	r = begin(v, err);
	if (r < 0) {
		sys_close(v->base.snapshot_fd);
		view_free(v);
		return r;
	}
	*ret_maildrop = &v->base;
	return 0;
}
