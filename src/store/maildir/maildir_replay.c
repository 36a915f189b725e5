/* SPDX-License-Identifier: MIT */
#include "store/maildir/maildir_priv.h"

static int compare_spans(const void *a, const void *b)
{
	const struct span *const x = a;
	const struct span *const y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return x->n == 0 ? 0 : memcmp(x->p, y->p, x->n);
}

bool maildir_is_pending(const struct maildir_drop *m, struct span base)
{
	return m->pending_bases != NULL && bsearch(&base, m->pending_bases, m->pending.count,
						   sizeof(base), compare_spans) != NULL;
}

static int sort_pending(struct maildir_drop *m)
{
	struct journal_reader entries = journal_entries(&m->pending);
	struct journal_entry e;
	size_t n = 0;

	m->pending_bases = calloc(m->pending.count, sizeof(*m->pending_bases));
	if (m->pending_bases == NULL)
		return -ENOMEM;
	while (journal_next(&entries, &e))
		m->pending_bases[n++] = maildir_name_base(e.name);
	qsort(m->pending_bases, n, sizeof(*m->pending_bases), compare_spans);
	return 0;
}

int maildir_read_all(int fd, off_t size, size_t max, char **ret_p)
{
	char *p;

	if ((uint64_t)size > max)
		return -EFBIG;
	p = malloc((size_t)size + 1);
	if (p == NULL)
		return -ENOMEM;
	if (sys_pread_all(fd, p, (size_t)size, 0) < 0) {
		const int r = -errno;

		free(p);
		return r;
	}
	*ret_p = p;
	return 0;
}

/* A decision that stands: done now, as far as the disk lets us. */
static int finish(struct maildir_drop *m, struct journal_reader entries, struct err *err)
{
	const uint32_t count = entries.left;
	struct err why;
	int r = maildir_unlink_all(m, entries, &m->pending, &why);

	if (r == -ENOMEM) {
		if (err != NULL)
			*err = why;
		return r;
	}
	/* Both: who died may have found a file in the other one, and not come to sync it. */
	for (int w = 0; w < MAILDIR_DIRS && r == 0; w++) {
		const int fd = maildir_drop_dir(m, w, &why);

		m->unlinked[w] = true;
		r = fd < 0 ? fd : 0;
	}
	if (r == 0)
		r = maildir_sync_dirs(m, &why);
	if (r == 0)
		r = maildir_journal_remove(m, &why);
	if (r == 0)
		store_say(m->base.store, m->owner.path,
			  "finished an interrupted deletion of %u messages", count);
	else
		/* Half of it must not be seen: what is still there is hidden. */
		store_say(m->base.store, m->owner.path,
			  "cannot finish an interrupted deletion, will retry: %s", why.text);
	if (m->pending.count > 0 && sort_pending(m) < 0)
		return err_sys(err, ENOMEM, "cannot open '%s'", m->owner.path);
	return 0;
}

int maildir_replay(struct maildir_drop *m, struct err *err)
{
	struct journal_reader entries;
	struct stat st;
	char *p = NULL;
	const int fd = maildir_file_open(m->root_fd, MAILDIR_JOURNAL, &st);
	bool foreign;
	int r;

	if (fd == -ENOENT)
		return 0;
	/* It says what to delete: from anybody but us it is no decision of a session's. */
	if (fd >= 0 || (fd == -EACCES && sys_fstatat(m->root_fd, MAILDIR_JOURNAL, &st) == 0))
		foreign = !maildir_is_private(&m->owner.o, &st);
	else
		foreign = false;
	r = fd < 0 || foreign ? fd : maildir_read_all(fd, st.st_size, JOURNAL_BYTES_MAX, &p);
	sys_close(fd);
	if (r < 0 && !foreign && r != -EFBIG && r != -ELOOP)
		return err_sys(err, -r, "cannot read '%s/%s'", m->owner.path, MAILDIR_JOURNAL);

	if (p != NULL && journal_open(&entries, span_of(p, (size_t)st.st_size))) {
		r = finish(m, entries, err);
	} else {
		store_say(m->base.store, m->owner.path, "'%s' %s: nothing is deleted by it",
			  MAILDIR_JOURNAL,
			  foreign ? "can be written to by others" : "is not complete");
		(void)maildir_journal_remove(m, NULL);
		r = 0;
	}
	free(p);
	return r;
}
