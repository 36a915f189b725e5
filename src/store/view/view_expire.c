/* SPDX-License-Identifier: MIT */
/*
 * What is too old goes from every folder that the maildrop is made of, for each device,
 * whatever DELE means. What is in the trash isn't in the maildrop any more, and has its own days.
 */
#include "store/view/view_priv.h"

#include <errno.h>

static int expire_locked(struct view *v, uint64_t before, uint32_t *ret_removed, struct err *err)
{
	struct view_loaded deleted = {0};
	uint32_t removed = 0;
	int r = view_load(v, VIEW_LIST_DELETED, &deleted, err);

	if (r == 0)
		r = view_folders_open(v, &deleted, err);
	for (unsigned int i = 0; i < v->n_folders && r == 0; i++) {
		if (v->folders[i].m == NULL)
			continue;
		r = v->driver->mark_older(v->folders[i].m, before, err);
		removed += v->folders[i].m->marked;
	}
	if (r == 0 && removed > 0)
		r = view_delete_marked(v, err);
	if (r == 0)
		*ret_removed = removed;
	view_loaded_done(&deleted);
	return r;
}

int view_expire(struct store *s, const struct store_owner *owner, uint64_t before,
		uint32_t *ret_removed, struct err *err)
{
	struct view *const v = view_new(s, owner);
	int r;

	if (v == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", owner->path);
	r = view_folders_add(v, err);
	if (r == 0)
		r = v->row->open(s, &v->owner, true, &v->views, err);
	if (r == 0)
		r = v->row->lock(v->views, true, err);
	if (r == 0) {
		r = expire_locked(v, before, ret_removed, err);
		view_folders_let_go(v);
		v->row->unlock(v->views);
	}
	view_free(v);
	return r;
}
