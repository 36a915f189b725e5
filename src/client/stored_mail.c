/* SPDX-License-Identifier: MIT */
#include "client/stored_mail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/maildir_file.h"

struct stored_file {
	struct message_key key;
	char *name; /* "new/..." or "cur/...". Owned */
};

static int compare(const void *a, const void *b)
{
	const struct stored_file *const x = a;
	const struct stored_file *const y = b;

	return memcmp(x->key.octets, y->key.octets, sizeof(x->key.octets));
}

void stored_mail_done(struct stored_mail *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->files[i].name);
	free(m->files);
	free(m->maildir);
	memset(m, 0, sizeof(*m));
}

static int add(struct stored_mail *m, const char *folder, const char *file)
{
	struct stored_file f;
	uint64_t bytes;

	if (!maildir_file_parse(span_str(file), &f.key, &bytes))
		return 0;
	if (m->n == m->_cap) {
		const size_t cap = m->_cap == 0 ? 256 : 2 * m->_cap;
		struct stored_file *const more = reallocarray(m->files, cap, sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		m->files = more;
		m->_cap = cap;
	}
	if (asprintf(&f.name, "%s/%s", folder, file) < 0)
		return -ENOMEM;
	m->files[m->n++] = f;
	return 0;
}

static int read_folder(struct stored_mail *m, const char *folder)
{
	char path[PATH_MAX];
	const struct dirent *e;
	DIR *d;
	int r = 0;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", m->maildir, folder) >= sizeof(path))
		return -ENAMETOOLONG;
	d = opendir(path);
	if (d == NULL)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (e = readdir(d)) != NULL)
		r = add(m, folder, e->d_name);
	(void)closedir(d);
	return r;
}

static int look(struct stored_mail *m, const char *maildir, struct err *err)
{
	int r = -ENOMEM;

	stored_mail_done(m);
	m->maildir = strdup(maildir);
	if (m->maildir != NULL)
		r = read_folder(m, "new");
	if (r == 0)
		r = read_folder(m, "cur");
	if (r < 0)
		return err_sys(err, -r, "cannot read '%s'", maildir);
	if (m->n > 0)
		qsort(m->files, m->n, sizeof(*m->files), compare);
	return 0;
}

static int open_now(const struct stored_mail *m, const struct message_key *key, struct err *err)
{
	const struct stored_file wanted = {.key = *key};
	const struct stored_file *const f =
		m->n == 0 ? NULL : bsearch(&wanted, m->files, m->n, sizeof(*m->files), compare);
	char path[PATH_MAX];
	int fd;

	if (f == NULL)
		return -ENOENT;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", m->maildir, f->name) >= sizeof(path))
		return err_sys(err, ENAMETOOLONG, "cannot open a message in '%s'", m->maildir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno != ENOENT)
		return err_sys(err, errno, "cannot open '%s'", path);
	return fd < 0 ? -ENOENT : fd;
}

int stored_mail_open(struct stored_mail *m, const char *maildir, const struct message_key *key,
		     struct err *err)
{
	const bool looked = m->maildir != NULL && strcmp(m->maildir, maildir) == 0;
	int r = looked ? 0 : look(m, maildir, err);

	if (r == 0)
		r = open_now(m, key, err);
	/* Renamed since it was looked for, perhaps: a reader has set a flag. */
	if (r == -ENOENT && looked && m->n > 0) {
		const struct stored_file wanted = {.key = *key};

		if (bsearch(&wanted, m->files, m->n, sizeof(*m->files), compare) != NULL) {
			r = look(m, maildir, err);
			if (r == 0)
				r = open_now(m, key, err);
		}
	}
	return r;
}
