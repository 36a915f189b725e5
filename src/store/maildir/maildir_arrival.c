/* SPDX-License-Identifier: MIT */
#include "store/maildir/maildir_moving.h"
#include "store/owner.h"

/* So many messages have names before the directories are synced. */
#define TOGETHER 256

static struct maildir_moving *of(struct moving *m)
{
	return (struct maildir_moving *)m;
}

int maildir_moving_fd(struct moving *base, int *ret_fd, struct err *err)
{
	struct maildir_moving *const m = of(base);
	struct owner_switch sw;
	int r = owner_enter(&sw, &m->drop->owner.o, err);

	if (r < 0)
		return r;
	incoming_close(&m->incoming);
	r = incoming_open(maildir_store_of(m->drop), m->drop->owner.path, &m->incoming, err);
	owner_leave(&sw);
	if (r == 0)
		*ret_fd = m->incoming.fd;
	return r;
}

static int sync_touched(struct maildir_moving *m, struct err *err)
{
	for (int w = 0; w < MAILDIR_DIRS; w++) {
		if (!m->touched[w])
			continue;
		if (sys_fsync(m->dir_fd[w]) < 0)
			return err_sys(err, errno, "cannot sync '%s/%s'", m->drop->owner.path,
				       maildir_where_name(w));
		m->touched[w] = false;
	}
	m->unsynced = 0;
	return 0;
}

/* A mail reader looks for what has flags in cur/, and for what has none in new/. */
static int arrive_as_owner(struct maildir_moving *m, const struct moving_message *msg,
			   const struct moving_info *info, struct err *err)
{
	const enum maildir_where where = info->flags[0] != '\0' ? MAILDIR_CUR : MAILDIR_NEW;
	struct maildir_name parts;
	const struct timespec arrived = {
		.tv_sec = (time_t)(info->arrived != 0 ? info->arrived : msg->arrived)};
	struct incoming_name name = {
		.octets = info->octets,
		.dot_lines = info->dot_lines,
		.flags = where == MAILDIR_CUR ? info->flags : NULL,
	};
	int r;

	maildir_name_parse(maildir_moving_name(m, msg), &parts);
	name.stem = parts.stem;
	if (m->dir_fd[where] < 0) {
		r = maildir_dir_open(m->drop->root_fd, where, m->drop->owner.path, err);
		if (r < 0)
			return r;
		m->dir_fd[where] = r;
	}
	/* IMAP servers take the file's time for the message's; ours says nothing of it. */
	if (sys_futimens(m->incoming.fd, (struct timespec[]){arrived, arrived}) < 0 ||
	    sys_fsync(m->incoming.fd) < 0)
		return err_sys(err, errno, "cannot sync a message for '%s'", m->drop->owner.path);
	r = incoming_link_as(&m->incoming, m->dir_fd[where], &name);
	if (r < 0)
		return err_sys(err, -r, "cannot link a message into '%s/%s'", m->drop->owner.path,
			       maildir_where_name(where));
	m->touched[where] = true;
	return ++m->unsynced >= TOGETHER ? sync_touched(m, err) : 0;
}

int maildir_moving_arrive(struct moving *base, struct moving_message *msg,
			  const struct moving_info *info, struct err *err)
{
	struct maildir_moving *const m = of(base);
	struct owner_switch sw;
	int r = owner_enter(&sw, &m->drop->owner.o, err);

	if (r < 0)
		return r;
	r = arrive_as_owner(m, msg, info, err);
	if (r == 0)
		incoming_close(&m->incoming);
	owner_leave(&sw);
	return r;
}

int maildir_moving_commit(struct moving *base, struct err *err)
{
	struct maildir_moving *const m = of(base);
	struct owner_switch sw;
	int r = owner_enter(&sw, &m->drop->owner.o, err);

	if (r < 0)
		return r;
	r = sync_touched(m, err);
	if (r == 0 && !m->dry_run)
		r = maildir_moving_await(m, err);
	owner_leave(&sw);
	return r;
}
