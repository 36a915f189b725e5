/* SPDX-License-Identifier: MIT */
#include "store/moving.h"

#include <assert.h>
#include <errno.h>

#include "store/store_priv.h"

int moving_begin(struct store *s, const struct store_owner *owner, bool dry_run,
		 struct moving **ret_moving, struct err *err)
{
	if (s->driver->moving == NULL)
		return err_set(err, EOPNOTSUPP, "mail can't move into a store of '%s'",
			       s->driver->name);
	if (owner->path[0] != '/' || strlen(owner->path) >= LIMIT_PATH)
		return err_set(err, EINVAL, "the maildrop's path isn't an absolute one");
	return s->driver->moving->begin(s, owner, dry_run, ret_moving, err);
}

bool moving_is_place(const struct moving *m, uint64_t device, uint64_t inode)
{
	return m->store->driver->moving->is_place(m, device, inode);
}

int moving_plan(struct moving *m, struct moving_message *v, size_t n,
		const struct moving_wish *wish, struct moving_counts *ret_counts, struct err *err)
{
	assert(m->v == NULL);
	m->v = v;
	m->n = n;
	return m->store->driver->moving->plan(m, wish, ret_counts, err);
}

int moving_fd(struct moving *m, int *ret_fd, struct err *err)
{
	return m->store->driver->moving->fd(m, ret_fd, err);
}

int moving_arrive(struct moving *m, size_t i, const struct moving_info *info, struct err *err)
{
	assert(i < m->n && m->v[i].state == MOVING_MISSING);

	const int r = m->store->driver->moving->arrive(m, &m->v[i], info, err);

	if (r == 0)
		m->v[i].state = MOVING_HERE;
	return r;
}

int moving_commit(struct moving *m, struct err *err)
{
	return m->store->driver->moving->commit(m, err);
}

void moving_close(struct moving *m)
{
	if (m != NULL)
		m->store->driver->moving->close(m);
}
