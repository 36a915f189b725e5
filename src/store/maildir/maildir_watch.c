/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "store/maildir/maildir_priv.h"

/*
 * On these a change is made by this kernel or not at all. Elsewhere another machine
 * can make one that nobody tells us of.
 */
static const uint32_t local_types[] = {
	0xef53,     /* ext2, ext3, ext4 */
	0x58465342, /* XFS */
	0x9123683e, /* btrfs */
	0xf2f52010, /* F2FS */
	0x2fc12fc1, /* ZFS */
	0xca451a4e, /* bcachefs */
	0x01021994, /* tmpfs */
	0x794c7630, /* overlayfs */
};

static bool is_local(int fd)
{
	struct statfs fs;

	if (sys_fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(local_types) / sizeof(local_types[0]); i++) {
		if ((uint32_t)fs.f_type == local_types[i])
			return true;
	}
	return false;
}

/* A descriptor that is kept for whoever comes next: each user may have some hundred only. */
static int take_fd(struct maildir_store *s)
{
	int fd = -1;

	(void)pthread_mutex_lock(&s->watch_lock);
	if (s->n_watches > 0)
		fd = s->watches[--s->n_watches];
	(void)pthread_mutex_unlock(&s->watch_lock);
	return fd >= 0 ? fd : sys_inotify_init();
}

static void give_fd(struct maildir_store *s, int fd)
{
	(void)pthread_mutex_lock(&s->watch_lock);
	if (s->n_watches < MAILDIR_WATCHES) {
		s->watches[s->n_watches++] = fd;
		fd = -1;
	}
	(void)pthread_mutex_unlock(&s->watch_lock);
	sys_close(fd);
}

void maildir_watch_begin(struct maildir_watch *w, struct maildir_store *s)
{
	w->store = s;
	w->fd = -1;
	w->wd[MAILDIR_NEW] = w->wd[MAILDIR_CUR] = -1;
	w->n = 0;
	w->at = 0;
	w->alone = true;
}

void maildir_watch_dir(struct maildir_watch *w, enum maildir_where where, int dir_fd)
{
	char self[32];

	if (w->alone && w->fd < 0)
		w->fd = take_fd(w->store);
	if (w->alone && w->fd >= 0 && is_local(dir_fd)) {
		(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", dir_fd);
		w->wd[where] = sys_inotify_add_watch(w->fd, self,
						     IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR);
	}
	w->alone = w->alone && w->wd[where] >= 0;
}

/* The next event, or NULL. An error is as good as an event that nobody expected. */
static const struct inotify_event *next_event(struct maildir_watch *w)
{
	const struct inotify_event *e;

	if (w->at == w->n) {
		const ssize_t n = sys_inotify_read(w->fd, w->events, sizeof(w->events));

		w->alone = w->alone && (n >= 0 || errno == EAGAIN);
		if (n <= 0)
			return NULL;
		w->n = (size_t)n;
		w->at = 0;
	}
	e = (const struct inotify_event *)(const void *)(w->events + w->at);
	w->at += sizeof(*e) + e->len;
	return e;
}

void maildir_watch_expect(struct maildir_watch *w, enum maildir_where where, const char *name)
{
	const struct inotify_event *const e = w->alone ? next_event(w) : NULL;

	w->alone = e != NULL && e->wd == w->wd[where] && e->len > 0 && strcmp(e->name, name) == 0;
}

bool maildir_watch_alone(struct maildir_watch *w)
{
	w->alone = w->alone && next_event(w) == NULL && w->alone;
	return w->alone;
}

void maildir_watch_end(struct maildir_watch *w)
{
	bool clean = true;

	if (w->fd < 0)
		return;
	for (int i = 0; i < MAILDIR_DIRS; i++)
		clean = clean && (w->wd[i] < 0 || sys_inotify_rm_watch(w->fd, w->wd[i]) == 0);
	/* Also that the watches have ended is an event. */
	w->alone = true;
	while (next_event(w) != NULL)
		;
	if (clean && w->alone)
		give_fd(w->store, w->fd);
	else
		sys_close(w->fd);
	w->fd = -1;
}
