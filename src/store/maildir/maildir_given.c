/* SPDX-License-Identifier: MIT */
/*
 * restante.uidl: UIDLs and order that an import has given. It is read when there are
 * messages that the index doesn't know, which is when it is lost, too; what the index
 * knows stays as it is there.
 */
#include "store/maildir/maildir_priv.h"
#include "store/uidl_list.h"

void maildir_given_done(struct maildir_given *g)
{
	free(g->file);
	free(g->v);
	free(g->by_key);
	free(g->by_uidl);
	*g = (struct maildir_given){0};
}

/* Whose it is says whether it can be believed; the operator may have made it as root. */
static bool is_believed(const struct maildir_drop *m, const struct stat *st)
{
	struct stat as_owner = *st;

	if (st->st_uid == 0)
		as_owner.st_uid = m->owner.o.uid != (uid_t)-1 ? m->owner.o.uid : geteuid();
	return maildir_is_private(&m->owner.o, &as_owner);
}

static int read_file(struct maildir_drop *m, const char *file, struct maildir_given *g,
		     struct err *err)
{
	struct stat st;
	const int fd = maildir_file_open(m->root_fd, file, &st);
	int r = fd < 0 ? fd : 0;

	if (r == 0 && !is_believed(m, &st))
		r = err_set(err, EPERM, "'%s/%s' belongs to somebody else", m->owner.path, file);
	else if (r == 0)
		r = maildir_read_all(fd, st.st_size, UIDL_LIST_BYTES_MAX, &g->file);
	sys_close(fd);
	if (r == 0)
		g->file_n = (size_t)st.st_size;
	else if (r != -ENOENT && r != -EPERM)
		(void)err_sys(err, -r, "cannot read '%s/%s'", m->owner.path, file);
	return r;
}

/* Two tables with at least as many buckets as lines. */
static int make_tables(struct maildir_given *g, uint32_t count)
{
	size_t n = 64;

	while (n < count)
		n *= 2;
	g->v = calloc((size_t)count + 1, sizeof(*g->v));
	g->by_key = malloc(n * sizeof(*g->by_key));
	g->by_uidl = malloc(n * sizeof(*g->by_uidl));
	if (g->v == NULL || g->by_key == NULL || g->by_uidl == NULL)
		return -ENOMEM;
	memset(g->by_key, 0xff, n * sizeof(*g->by_key));
	memset(g->by_uidl, 0xff, n * sizeof(*g->by_uidl));
	g->mask = (uint32_t)n - 1;
	return 0;
}

uint32_t maildir_given_at(const struct maildir_given *g, struct span uidl)
{
	if (g->count == 0)
		return MAILDIR_NOWHERE;
	for (uint32_t i = g->by_uidl[maildir_hash(uidl) & g->mask]; i != MAILDIR_NOWHERE;
	     i = g->v[i].next_uidl) {
		if (span_eq(g->v[i].uidl, uidl))
			return i;
	}
	return MAILDIR_NOWHERE;
}

bool maildir_given_has(const struct maildir_given *g, struct span uidl)
{
	return maildir_given_at(g, uidl) != MAILDIR_NOWHERE;
}

/* From the last line to the first, so that the first of two is found. */
static int add_line(struct maildir_given *g, uint32_t i)
{
	struct maildir_given_line *const line = &g->v[i];
	struct maildir_key key;
	uint32_t *bucket;

	if (!maildir_key_make(line->name, &key))
		return -ENOMEM;
	line->hash = key.hash;
	bucket = &g->by_key[key.hash & g->mask];
	line->next_key = *bucket;
	*bucket = i;
	bucket = &g->by_uidl[maildir_hash(line->uidl) & g->mask];
	line->next_uidl = *bucket;
	*bucket = i;
	return 0;
}

int maildir_given_read(struct maildir_drop *m, const char *file, struct maildir_given *g,
		       struct err *err)
{
	struct uidl_list list;
	struct span uidl;
	struct span name;
	int r;

	*g = (struct maildir_given){0};
	r = read_file(m, file, g, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!uidl_list_open(&list, span_of(g->file, g->file_n))) {
		maildir_given_done(g);
		return err_set(err, EBADMSG,
			       "'%s/%s' isn't whole: without it, messages would get other UIDLs",
			       m->owner.path, file);
	}
	r = make_tables(g, list.left);
	while (r == 0 && uidl_list_next(&list, &uidl, &name))
		g->v[g->count++] = (struct maildir_given_line){.uidl = uidl, .name = name};
	for (uint32_t i = g->count; r == 0 && i > 0; i--)
		r = add_line(g, i - 1);
	if (r < 0) {
		maildir_given_done(g);
		return err_sys(err, -r, "cannot read '%s/%s'", m->owner.path, file);
	}
	return 0;
}

uint32_t maildir_given_find(struct maildir_given *g, const struct maildir_key *k)
{
	if (g->count == 0)
		return MAILDIR_NOWHERE;
	for (uint32_t i = g->by_key[k->hash & g->mask]; i != MAILDIR_NOWHERE;
	     i = g->v[i].next_key) {
		struct maildir_key key;

		if (g->v[i].used || g->v[i].hash != k->hash ||
		    !maildir_key_make(g->v[i].name, &key) ||
		    !span_eq(maildir_uidl_span(&key.uidl), maildir_uidl_span(&k->uidl)))
			continue;
		g->v[i].used = true;
		return i;
	}
	return MAILDIR_NOWHERE;
}
