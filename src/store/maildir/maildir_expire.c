/* SPDX-License-Identifier: MIT */
/*
 * Which messages came in before a time. A delivery writes the second into the name, and
 * so do all other programs; but a name is kept when mail is moved here from elsewhere. So it is
 * the later of the name's time and the file's; and where a name has none, the later of
 * both times that the file has, of which nobody can set the second.
 */
#include "store/index.h"
#include "store/maildir/maildir_priv.h"
#include "store/owner.h"

/* Smaller numbers in a name are something else. The first Maildirs are from 1995. */
#define FIRST_MAILDIR UINT64_C(788918400)

/* 1, 0, or negative errno. What can't be found isn't old. */
static int is_older(struct maildir_drop *m, uint32_t n, uint64_t before, struct err *err)
{
	struct index_record record;
	struct maildir_place place;
	struct maildir_order order;
	struct stat st;
	int r = index_read_record(m->base.snapshot_fd, n, &record);

	if (r < 0)
		return err_sys(err, r == -EBADMSG ? EIO : -r, "cannot read the index of '%s'",
			       m->owner.path);
	/* One whose name the index can't hold is looked for only when it is asked for. */
	if ((record.flags & INDEX_AWAY) != 0 || !maildir_place_of(&record, &place))
		return 0;
	maildir_name_order(span_str(place.name), &order);

	const bool has_time = order.seconds >= FIRST_MAILDIR;

	if (has_time && order.seconds >= before)
		return 0;
	r = maildir_drop_dir(m, place.where, err);
	if (r < 0)
		return r;
	if (sys_fstatat(r, place.name, &st) < 0 || (uint64_t)st.st_mtim.tv_sec >= before)
		return 0;
	return has_time || (uint64_t)st.st_ctim.tv_sec < before;
}

int maildir_mark_older(struct maildrop *maildrop, uint64_t before, struct err *err)
{
	struct maildir_drop *const m = (struct maildir_drop *)maildrop;
	struct owner_switch sw;
	int r = owner_enter(&sw, &m->owner.o, err);

	if (r < 0)
		return r;
	for (uint32_t n = 1; n <= m->base.count && r >= 0; n++) {
		r = is_older(m, n, before, err);
		if (r == 1)
			r = maildrop_mark(maildrop, n);
	}
	owner_leave(&sw);
	return r < 0 ? r : 0;
}
