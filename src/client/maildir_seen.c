/* SPDX-License-Identifier: MIT */
/*
 * What is in a Maildir already.
 */
#include "client/maildir_target_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/maildir_file.h"

/* Times that a folder is read while somebody keeps changing it. */
#define SCANS_MAX 5

/* A change that is younger than this may have another one within its clock tick. */
#define TICK_NS UINT64_C(1000000000)

static int compare(const void *a, const void *b)
{
	const struct seen *const x = a;
	const struct seen *const y = b;

	return memcmp(x->key.octets, y->key.octets, sizeof(x->key.octets));
}

static int add(struct maildir_target *t, const struct seen *s)
{
	if (t->n_seen == t->cap_seen) {
		const size_t cap = t->cap_seen == 0 ? 256 : 2 * t->cap_seen;
		struct seen *const more = reallocarray(t->seen, cap, sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		t->seen = more;
		t->cap_seen = cap;
	}
	t->seen[t->n_seen++] = *s;
	return 0;
}

/* Sorted, each key once. */
static void tidy_up(struct maildir_target *t)
{
	size_t n = 0;

	if (t->n_seen == 0)
		return;
	qsort(t->seen, t->n_seen, sizeof(*t->seen), compare);
	for (size_t i = 0; i < t->n_seen; i++) {
		if (n == 0 || compare(&t->seen[n - 1], &t->seen[i]) != 0)
			t->seen[n++] = t->seen[i];
	}
	t->n_seen = n;
}

/* Calls each() for each file of ours until that returns not 0. */
static int for_each(int fd, int (*each)(void *ctx, int fd, const char *name, const struct seen *s),
		    void *ctx)
{
	DIR *const d = maildir_target_read(fd);
	const struct dirent *e;
	int r = 0;

	if (d == NULL)
		return -errno;
	errno = 0;
	while (r == 0 && (e = readdir(d)) != NULL) {
		struct seen s;

		if (maildir_file_parse(span_str(e->d_name), &s.key, &s.bytes))
			r = each(ctx, fd, e->d_name, &s);
		errno = 0;
	}
	if (r == 0 && errno != 0)
		r = -errno;
	(void)closedir(d);
	return r;
}

static int on_seen(void *ctx, int fd, const char *name, const struct seen *s)
{
	(void)fd;
	(void)name;
	return add(ctx, s);
}

static uint64_t mtime_of(int fd)
{
	struct stat st;

	/* What can't be told has just changed. */
	if (fd < 0 || fstat(fd, &st) < 0)
		return UINT64_MAX;
	return (uint64_t)st.st_mtim.tv_sec * 1000000000U + (uint64_t)st.st_mtim.tv_nsec;
}

/*
 * new/ before cur/: readers move files from the one to the other. One that is renamed
 * inside of cur/ while that is read may be missed, so it is read again.
 */
static int scan_once(struct maildir_target *t, bool *ret_quiet)
{
	const uint64_t began = clock_wall_ns();
	const uint64_t before[] = {mtime_of(t->fd[TARGET_NEW]), mtime_of(t->fd[TARGET_CUR])};
	int r = 0;

	*ret_quiet = true;
	for (int i = TARGET_NEW; i <= TARGET_CUR && r == 0; i++) {
		if (t->fd[i] >= 0)
			r = for_each(t->fd[i], on_seen, t);
	}
	for (int i = 0; i < 2; i++) {
		const int fd = t->fd[TARGET_NEW + i];

		if (fd >= 0 && (mtime_of(fd) != before[i] || before[i] + TICK_NS > began))
			*ret_quiet = false;
	}
	return r;
}

int maildir_target_scan(struct maildir_target *t, struct err *err)
{
	bool quiet = false;
	int r = 0;

	t->n_seen = 0;
	for (int i = 0; i < SCANS_MAX && !quiet && r == 0; i++) {
		r = scan_once(t, &quiet);
		tidy_up(t);
	}
	return r < 0 ? err_sys(err, -r, "cannot read '%s'", t->path) : 0;
}

bool maildir_target_has(const struct maildir_target *t, const struct message_key *key,
			uint64_t *ret_bytes)
{
	const struct seen wanted = {.key = *key};
	const struct seen *const found = t->n_seen == 0 ? NULL
							: bsearch(&wanted, t->seen, t->n_seen,
								  sizeof(*t->seen), compare);

	if (found == NULL)
		return false;
	*ret_bytes = found->bytes;
	return true;
}

struct search {
	const struct message_key *key;
	struct header_digest *digest;
};

/* 1: it was the one. */
static int on_search(void *ctx, int fd, const char *name, const struct seen *s)
{
	const struct search *const search = ctx;

	if (!message_key_equal(&s->key, search->key))
		return 0;

	const int file = openat(fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	/* Renamed in this moment: the caller looks again. */
	if (file < 0)
		return errno == ENOENT ? 0 : -errno;

	const int r = header_digest_read(file, search->digest);

	(void)close(file);
	return r < 0 ? r : 1;
}

int maildir_target_header(struct maildir_target *t, const struct message_key *key,
			  struct header_digest *ret_digest, struct err *err)
{
	struct search search = {.key = key, .digest = ret_digest};
	int r = 0;

	for (int turn = 0; turn < SCANS_MAX && r == 0; turn++) {
		for (int i = TARGET_NEW; i <= TARGET_CUR && r == 0; i++) {
			if (t->fd[i] >= 0)
				r = for_each(t->fd[i], on_search, &search);
		}
	}
	if (r > 0)
		return 0;
	return err_sys(err, r < 0 ? -r : ENOENT, "cannot read a message in '%s'", t->path);
}
