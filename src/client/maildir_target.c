/* SPDX-License-Identifier: MIT */
#include "client/maildir_target.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/folder.h"
#include "client/maildir_file.h"
#include "client/maildir_target_priv.h"

static const char *const folder_names[] = {
	[TARGET_TMP] = "tmp", [TARGET_NEW] = "new", [TARGET_CUR] = "cur"};

/* "restante-<account>-<number>". */
static void tmp_name(const struct maildir_target *t, const struct incoming *in,
		     char ret_name[static TARGET_TMP_MAX])
{
	(void)snprintf(ret_name, TARGET_TMP_MAX, "%s%u", t->tmp_prefix, in->_number);
}

static bool is_empty(const char *path)
{
	DIR *const d = opendir(path);
	const struct dirent *e;
	bool empty = true;

	if (d == NULL)
		return false;
	while (empty && (e = readdir(d)) != NULL)
		empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	(void)closedir(d);
	return empty;
}

/* Somebody's home, given by mistake, isn't to be littered with mail. */
static int check_folder(const char *path, struct err *err)
{
	char inside[PATH_MAX];

	/* In this order: another session, of another account, may be making it now. */
	if (access(path, F_OK) < 0 || is_empty(path))
		return 0;
	for (int i = 0; i < TARGET_FOLDERS; i++) {
		const int n = snprintf(inside, sizeof(inside), "%s/%s", path, folder_names[i]);

		if ((size_t)n < sizeof(inside) && access(inside, F_OK) == 0)
			return 0;
	}
	return err_set(err, EEXIST, "'%s' has other files in it and is no Maildir", path);
}

static int open_folders(struct maildir_target *t, bool look_only, struct err *err)
{
	char inside[PATH_MAX];

	for (int i = 0; i < TARGET_FOLDERS; i++) {
		int r = 0;

		if ((size_t)snprintf(inside, sizeof(inside), "%s/%s", t->path, folder_names[i]) >=
		    sizeof(inside))
			return err_sys(err, ENAMETOOLONG, "cannot open '%s'", t->path);
		if (!look_only)
			r = folder_make(inside, err);
		if (r < 0)
			return r;
		t->fd[i] = open(inside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (t->fd[i] < 0 && !(look_only && errno == ENOENT))
			return err_sys(err, errno, "cannot open '%s'", inside);
	}
	return 0;
}

DIR *maildir_target_read(int fd)
{
	const int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *const d = own < 0 ? NULL : fdopendir(own);

	if (d == NULL && own >= 0)
		(void)close(own);
	return d;
}

/* Nobody else writes files of this account: what is there was left by the dead. */
static int tidy(struct maildir_target *t, struct err *err)
{
	DIR *const d = maildir_target_read(t->fd[TARGET_TMP]);
	const struct dirent *e;

	if (d == NULL)
		return err_sys(err, errno, "cannot read '%s/tmp'", t->path);
	while ((e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, t->tmp_prefix, strlen(t->tmp_prefix)) == 0)
			(void)unlinkat(t->fd[TARGET_TMP], e->d_name, 0);
	}
	(void)closedir(d);
	return 0;
}

static bool make_prefix(struct maildir_target *t, const char *identity)
{
	struct message_key account;

	if (!message_key_make(span_str(identity), SPAN_LIT("tmp"), NULL, 0, &account))
		return false;
	(void)snprintf(t->tmp_prefix, sizeof(t->tmp_prefix), "restante-%02x%02x%02x%02x%02x%02x-",
		       account.octets[0], account.octets[1], account.octets[2], account.octets[3],
		       account.octets[4], account.octets[5]);
	return true;
}

int maildir_target_open(const char *path, const char *identity, bool look_only,
			struct maildir_target **ret_target, struct err *err)
{
	struct maildir_target *const t = calloc(1, sizeof(*t));
	int r = check_folder(path, err);

	if (t != NULL) {
		for (int i = 0; i < TARGET_FOLDERS; i++)
			t->fd[i] = -1;
		t->path = strdup(path);
	}
	if (t == NULL || t->path == NULL || !make_prefix(t, identity))
		r = err_sys(err, ENOMEM, "cannot open '%s'", path);
	if (r == 0)
		r = open_folders(t, look_only, err);
	if (r == 0 && !look_only)
		r = tidy(t, err);
	if (r < 0) {
		maildir_target_close(t);
		return r;
	}
	*ret_target = t;
	return 0;
}

void maildir_target_close(struct maildir_target *t)
{
	if (t == NULL)
		return;
	for (int i = 0; i < TARGET_FOLDERS; i++) {
		if (t->fd[i] >= 0)
			(void)close(t->fd[i]);
	}
	free(t->seen);
	free(t->path);
	free(t);
}

int maildir_target_sync(struct maildir_target *t, struct err *err)
{
	char name[PATH_MAX];

	for (int i = TARGET_NEW; i <= TARGET_CUR; i++) {
		(void)snprintf(name, sizeof(name), "%s/%s", t->path, folder_names[i]);

		const int r = folder_sync(t->fd[i], name, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int incoming_begin(struct maildir_target *t, struct incoming *in, struct err *err)
{
	char name[TARGET_TMP_MAX];
	int fd;

	assert(t->buffered == 0);
	*in = (struct incoming){._number = t->next_number++};
	tmp_name(t, in, name);
	fd = openat(t->fd[TARGET_TMP], name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return err_sys(err, errno, "cannot make '%s/tmp/%s'", t->path, name);
	in->_fd = fd + 1;
	return 0;
}

static int write_all(struct maildir_target *t, const struct incoming *in, struct span s,
		     struct err *err)
{
	const int r = incoming_write_all(in->_fd - 1, s);

	return r < 0 ? err_sys(err, -r, "cannot write into '%s/tmp'", t->path) : 0;
}

static int flush(struct maildir_target *t, const struct incoming *in, struct err *err)
{
	const int r = write_all(t, in, span_of(t->buffer, t->buffered), err);

	t->buffered = 0;
	return r;
}

int incoming_write(struct maildir_target *t, struct incoming *in, struct span s, struct err *err)
{
	incoming_measure(in, s);
	if (s.n > sizeof(t->buffer) - t->buffered) {
		const int r = flush(t, in, err);

		if (r < 0)
			return r;
	}
	if (s.n >= sizeof(t->buffer))
		return write_all(t, in, s, err);
	if (s.n > 0)
		memcpy(t->buffer + t->buffered, s.p, s.n);
	t->buffered += s.n;
	return 0;
}

int incoming_finish(struct maildir_target *t, struct incoming *in, struct err *err)
{
	const int r = flush(t, in, err);

	/* So that less is left to wait for at the sync; whether it did anything is no matter. */
	if (r == 0)
		(void)sync_file_range(in->_fd - 1, 0, 0, SYNC_FILE_RANGE_WRITE);
	return r;
}

void incoming_abort(struct maildir_target *t, struct incoming *in)
{
	char name[TARGET_TMP_MAX];

	if (in->_fd == 0)
		return;
	(void)close(in->_fd - 1);
	in->_fd = 0;
	t->buffered = 0;
	tmp_name(t, in, name);
	/* If this fails, the next session tidies up. */
	(void)unlinkat(t->fd[TARGET_TMP], name, 0);
}

/* Not a name in tmp/ any more: the message is under its own in new/. */
static int move(struct maildir_target *t, struct incoming *in, char *ret_name, struct err *err)
{
	char from[TARGET_TMP_MAX];

	tmp_name(t, in, from);
	maildir_file_name(&in->key, in->bytes, in->octets, ret_name);
	if (renameat(t->fd[TARGET_TMP], from, t->fd[TARGET_NEW], ret_name) < 0)
		return err_sys(err, errno, "cannot move a message into '%s/new'", t->path);
	(void)close(in->_fd - 1);
	in->_fd = 0;
	return 0;
}

int maildir_target_place(struct maildir_target *t, struct incoming *in, size_t n, struct err *err)
{
	char(*const names)[MAILDIR_FILE_MAX + 1] = calloc(n, sizeof(*names));
	int r = 0;

	if (names == NULL)
		return err_sys(err, ENOMEM, "cannot store messages in '%s'", t->path);
	/* All octets before the first name: a reader may open a message as soon as it has one. */
	for (size_t i = 0; i < n && r == 0; i++) {
		if (fsync(in[i]._fd - 1) < 0)
			r = err_sys(err, errno, "cannot sync a message in '%s/tmp'", t->path);
	}
	for (size_t i = 0; i < n && r == 0; i++)
		r = move(t, &in[i], names[i], err);
	if (r == 0 && fsync(t->fd[TARGET_NEW]) < 0) {
		r = err_sys(err, errno, "cannot sync '%s/new'", t->path);
		/*
		 * Perhaps on disk, perhaps not. A second sync may well say that all is
		 * well: so nobody shall find them and rely on it. They are still on the server.
		 */
		for (size_t i = 0; i < n; i++)
			(void)unlinkat(t->fd[TARGET_NEW], names[i], 0);
	}
	free(names);
	return r;
}
