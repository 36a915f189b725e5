/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "store/maildir/maildir_priv.h"

/* What one making of the list works on. */
struct merge {
	struct maildir_drop *m;                /* Borrowed */
	struct maildir_catalog *c;             /* Borrowed */
	struct maildir_files files;            /* of the directories that were read */
	struct maildir_given given;            /* read when something is new */
	struct index_mark stamp[MAILDIR_DIRS]; /* the mark, or 0 */
	uint64_t before[MAILDIR_DIRS];         /* modification time before it was read */
};

/* How often the directories are read again because messages move while we look. */
#define ROUNDS_MAX 8

static uint64_t dir_time(const struct maildir_drop *m, enum maildir_where where)
{
	struct stat st;

	return sys_fstatat(m->root_fd, maildir_where_name(where), &st) == 0 ? sys_ns(st.st_mtim)
									    : 0;
}

static int read_dirs(struct merge *g, const struct index_mark trusted[MAILDIR_DIRS],
		     struct err *err)
{
	struct maildir_drop *const m = g->m;

	for (int w = 0; w < MAILDIR_DIRS; w++) {
		g->stamp[w] = trusted[w];
		g->before[w] = trusted[w].mtime_ns;
		if (trusted[w].mtime_ns != 0)
			continue;

		int r = maildir_drop_dir(m, w, err);

		if (r >= 0) {
			g->stamp[w] = maildir_stamp(r);
			g->before[w] = g->stamp[w].mtime_ns != 0 ? g->stamp[w].mtime_ns
								 : dir_time(m, w);
			r = maildir_scan(m, w, false, &g->files, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* What an earlier QUIT deleted isn't listed, though it is still there. */
static void hide_pending(struct merge *g)
{
	if (g->m->pending.count == 0)
		return;
	for (uint32_t i = 0; i < g->files.count; i++) {
		const struct span name = maildir_file_name(&g->files, i);

		g->files.v[i].taken = maildir_is_pending(g->m, maildir_name_base(name));
	}
	for (uint32_t i = 0; i < g->c->count; i++) {
		const struct span name = maildir_message_name(g->c, &g->c->v[i]);

		if (name.n > 0 && maildir_is_pending(g->m, maildir_name_base(name)))
			g->c->v[i].state = MAILDIR_GONE;
	}
}

static struct maildir_message *find(const struct maildir_catalog *c, const struct maildir_key *k,
				    enum maildir_where where, enum maildir_match how,
				    unsigned int states)
{
	for (uint32_t i = maildir_chain(c, k->hash); i != MAILDIR_NOWHERE; i = c->v[i].next) {
		struct maildir_message *const msg = &c->v[i];

		if ((states >> msg->state & 1) != 0 && maildir_matches(c, msg, k, where, how))
			return msg;
	}
	return NULL;
}

static bool same_sizes(struct span a, struct span b)
{
	struct maildir_name x;
	struct maildir_name y;

	maildir_name_parse(a, &x);
	maildir_name_parse(b, &y);
	return x.has_sizes == y.has_sizes && x.bytes == y.bytes && x.octets == y.octets &&
	       x.has_dots == y.has_dots && x.dots == y.dots && x.has_growth == y.has_growth &&
	       x.growth == y.growth;
}

static int compare_away(const void *a, const void *b)
{
	const struct store_away *const x = a;
	const struct store_away *const y = b;

	if (x->uidl.n != y->uidl.n)
		return x->uidl.n < y->uidl.n ? -1 : 1;
	return memcmp(x->uidl.p, y->uidl.p, x->uidl.n);
}

/* Was it moved out by a session, so that it may come back? */
static bool is_away(const struct merge *g, const struct maildir_message *msg)
{
	const struct store_opening *const o = g->m->opening;
	const struct store_away wanted = {.uidl = maildir_message_uidl(g->c, msg)};

	return o != NULL && o->n_away > 0 &&
	       bsearch(&wanted, o->away, o->n_away, sizeof(wanted), compare_away) != NULL;
}

/* The message is this file: under its old name, or under another one that is noted. */
static int claim(struct merge *g, struct maildir_message *msg, struct maildir_file *file,
		 struct span name, struct err *err)
{
	const struct span was = maildir_message_name(g->c, msg);
	const bool named = was.n > 0;
	const bool moved = msg->where != file->where;
	const bool was_away = (msg->flags & INDEX_AWAY) != 0;
	bool resized;
	int r;

	file->taken = true;
	msg->state = MAILDIR_FOUND;
	msg->flags &= ~(uint32_t)INDEX_AWAY;
	msg->changed = msg->changed || was_away;
	if (!moved && !was_away && span_eq(was, name))
		return 0;

	resized = was_away || (named && !same_sizes(was, name));
	r = maildir_catalog_rename(g->c, msg, name, file->where);
	if (r < 0)
		return err_sys(err, -r, "cannot list '%s'", g->m->owner.path);
	/* The record that has no room for its name says nothing new. */
	msg->changed = named || moved || was_away;
	/* A size mender was here; but what we have counted ourselves stays. */
	if (resized && (msg->flags & INDEX_MEASURED) == 0)
		r = maildir_size(g->m, g->c, msg, err);
	/* It has moved on: it is found again, or it isn't. */
	return r == -ENOENT ? 0 : r;
}

/*
 * Finds the messages of the old index among the files: first those that are where
 * they were, so that nobody else takes their file; then those with new flags or in
 * the other directory; then those whose sizes were mended. From the end, because
 * cur/ was read last: a message that was seen in both was on its way there.
 */
static int match(struct merge *g, struct err *err)
{
	static const enum maildir_match ways[] = {MAILDIR_SAME_NAME, MAILDIR_SAME_BASE,
						  MAILDIR_SAME_KEY};

	for (size_t way = 0; way < 3 && g->c->old > 0; way++) {
		for (uint32_t i = g->files.count; i > 0; i--) {
			struct maildir_file *const file = &g->files.v[i - 1];
			const struct span name = maildir_file_name(&g->files, i - 1);
			struct maildir_message *msg;
			struct maildir_key key;
			int r;

			if (file->taken)
				continue;
			if (!maildir_key_make(name, &key))
				return err_sys(err, ENOMEM, "cannot list '%s'", g->m->owner.path);
			msg = find(g->c, &key, file->where, ways[way],
				   1U << MAILDIR_LISTED | 1U << MAILDIR_AWAY);
			if (msg == NULL)
				continue;
			r = claim(g, msg, file, name, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/*
 * What is listed and wasn't found has been deleted, or moved while we looked:
 * out of a directory that we hadn't read yet into one that we had, or past
 * readdir(3), which promises nothing for what is renamed meanwhile. Either would
 * have changed a directory's time: then those that did are read again. One that
 * was seen in any round is there; one that isn't seen in ROUNDS_MAX has gone.
 */
static bool must_read_again(struct merge *g, struct index_mark trusted[MAILDIR_DIRS])
{
	bool missing = false;
	bool moved = false;

	for (uint32_t i = 0; i < g->c->old && !missing; i++)
		missing = g->c->v[i].state == MAILDIR_LISTED && !g->c->v[i].seen;
	for (int w = 0; w < MAILDIR_DIRS && missing; w++) {
		if (dir_time(g->m, w) != g->before[w]) {
			moved = true;
			trusted[w].mtime_ns = 0;
		}
	}
	return moved;
}

static void next_round(struct merge *g, const struct index_mark trusted[MAILDIR_DIRS])
{
	maildir_files_done(&g->files);
	for (uint32_t i = 0; i < g->c->old; i++) {
		struct maildir_message *const msg = &g->c->v[i];

		if (msg->state == MAILDIR_FOUND)
			msg->seen = true;
		if (msg->state == MAILDIR_FOUND ||
		    (msg->state == MAILDIR_KEPT && trusted[msg->where].mtime_ns == 0))
			msg->state = MAILDIR_LISTED;
	}
}

static void last_round(struct merge *g)
{
	for (uint32_t i = 0; i < g->c->old; i++) {
		struct maildir_message *const msg = &g->c->v[i];

		/* Nobody would bring it back. */
		if (msg->state == MAILDIR_AWAY && !is_away(g, msg))
			msg->state = MAILDIR_GONE;
		/* On its way once more, but there; or where a session has moved it. */
		if (msg->state != MAILDIR_LISTED)
			continue;
		msg->state = msg->seen ? MAILDIR_KEPT : MAILDIR_GONE;
		if (!msg->seen && is_away(g, msg)) {
			msg->state = MAILDIR_AWAY;
			msg->flags = INDEX_AWAY;
			msg->octets = 0;
			msg->bytes = 0;
			msg->growth = 0;
			msg->changed = true;
		}
	}
}

static int load(struct merge *g, int index_fd, const struct index_header *old, bool doubted,
		struct index_mark trusted[MAILDIR_DIRS], struct err *err)
{
	struct maildir_catalog *const c = g->c;
	int r = 0;

	maildir_catalog_init(c);
	if (index_fd >= 0)
		r = maildir_catalog_load(c, index_fd, old->count);
	if (r == 0 && doubted)
		r = maildir_catalog_unique(c);
	if (r < 0)
		return err_sys(err, -r, "cannot read '%s/%s'", g->m->owner.path, MAILDIR_INDEX);
	/* Whose record it was, only the directories can say. */
	for (int w = 0; w < MAILDIR_DIRS && c->damaged; w++)
		trusted[w].mtime_ns = 0;
	for (uint32_t i = 0; i < c->count; i++) {
		if ((c->v[i].flags & INDEX_AWAY) != 0 && c->v[i].state == MAILDIR_LISTED)
			c->v[i].state = MAILDIR_AWAY;
		if (c->v[i].state == MAILDIR_LISTED && trusted[c->v[i].where].mtime_ns != 0)
			c->v[i].state = MAILDIR_KEPT;
	}
	return 0;
}

/* Old messages: their sizes again, where there is a reason. */
static int check_old(struct merge *g, bool doubted, struct err *err)
{
	for (uint32_t i = 0; i < g->c->old; i++) {
		struct maildir_message *const msg = &g->c->v[i];
		int r;

		if (msg->state != MAILDIR_FOUND || msg->name_len == 0)
			continue;
		if (!doubted && (msg->flags & INDEX_BROKEN) == 0)
			continue;
		r = maildir_size_check(g->m, g->c, msg, err);
		/* Gone a moment ago: the next open will see to it. */
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

/* A file that no message has, or a message that is away and whose place got lost. */
struct fresh {
	uint32_t line; /* where an import has put it; MAILDIR_NOWHERE: behind those */
	struct maildir_order order;
	struct span name;
	uint32_t file;
	const struct store_away *away; /* NULL: a file */
};

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_fresh(const void *a, const void *b)
{
	const struct fresh *const x = a;
	const struct fresh *const y = b;
	const size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int r = compare_u64(x->line, y->line);

	if (r == 0)
		r = compare_u64(x->order.seconds, y->order.seconds);

	if (r == 0)
		r = compare_u64(x->order.micros, y->order.micros);
	if (r == 0)
		r = compare_u64(x->order.sequence, y->order.sequence);
	if (r == 0)
		r = memcmp(x->name.p, y->name.p, n);
	if (r == 0)
		r = compare_u64(x->name.n, y->name.n);
	return r != 0 ? r : compare_u64(x->file, y->file);
}

static int file_stat(const struct maildir_drop *m, enum maildir_where where, struct span name,
		     struct stat *ret_st)
{
	char path[sizeof("new/") + MAILDIR_NAME_MAX];

	(void)snprintf(path, sizeof(path), "%s/%.*s", maildir_where_name(where), (int)name.n,
		       name.p);
	return sys_fstatat(m->root_fd, path, ret_st) < 0 ? -errno : 0;
}

/*
 * A file with the base of a message that has a file already. A mail program moves
 * it and we have seen it before and after, or with both names, as some link first
 * and unlink then: that is one message, and must not be listed twice. Or two
 * programs made up the same name: that is two. True: it was the same.
 *
 * The second name of one file isn't removed here: whoever made it may be about to
 * remove the other one.
 */
static int is_same(struct merge *g, struct maildir_message *msg, const struct maildir_file *file,
		   struct span name)
{
	struct stat theirs;
	struct stat ours;
	const int there = file_stat(g->m, file->where, name, &theirs);
	const int here = file_stat(g->m, msg->where, maildir_message_name(g->c, msg), &ours);

	if (there == -ENOENT)
		return 1;
	if (here == -ENOENT)
		return maildir_catalog_rename(g->c, msg, name, file->where) < 0 ? -ENOMEM : 1;
	if (there < 0 || here < 0 || theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev)
		return 0;
	/* The name in cur/ is the one that stays. */
	if (file->where == MAILDIR_CUR && msg->where == MAILDIR_NEW &&
	    maildir_catalog_rename(g->c, msg, name, file->where) < 0)
		return -ENOMEM;
	return 1;
}

#define PRESENT (1U << MAILDIR_KEPT | 1U << MAILDIR_FOUND | 1U << MAILDIR_FRESH)

/* Its name is the key, by which its file is known when it comes back. */
static int add_away(struct merge *g, const struct fresh *f)
{
	struct maildir_key key;
	uint32_t at;

	if (!maildir_key_make(f->name, &key))
		return -ENOMEM;
	/* It isn't away (yet, or any more). */
	if (find(g->c, &key, MAILDIR_CUR, MAILDIR_SAME_KEY, PRESENT) != NULL)
		return 0;
	at = maildir_catalog_add(g->c, &key, MAILDIR_CUR);
	if (at == MAILDIR_NOWHERE)
		return -ENOMEM;
	g->c->v[at].state = MAILDIR_AWAY;
	g->c->v[at].flags = INDEX_AWAY;
	return maildir_catalog_name(g->c, at, &g->given, f->away->uidl) < 0 ? -ENOMEM : 0;
}

static int add_fresh(struct merge *g, const struct fresh *f, struct err *err)
{
	struct maildir_file *const file = &g->files.v[f->file];
	struct maildir_message *msg;
	struct maildir_key key;
	uint32_t at;
	int r = 0;

	if (f->away != NULL)
		return add_away(g, f);
	if (!maildir_key_make(f->name, &key))
		return -ENOMEM;
	msg = find(g->c, &key, file->where, MAILDIR_SAME_KEY, 1U << MAILDIR_AWAY);
	if (msg != NULL)
		return claim(g, msg, file, f->name, err);
	msg = find(g->c, &key, file->where, MAILDIR_SAME_BASE, PRESENT);
	if (msg != NULL)
		r = is_same(g, msg, file, f->name);
	if (r != 0)
		return r < 0 ? r : 0;

	at = maildir_catalog_add(g->c, &key, file->where);
	if (at == MAILDIR_NOWHERE)
		return -ENOMEM;
	r = maildir_size(g->m, g->c, &g->c->v[at], err);
	if (r == -ENOENT) {
		g->c->v[at].state = MAILDIR_GONE;
		return 0;
	}
	if (r == 0)
		r = maildir_catalog_name(g->c, at, &g->given,
					 f->line != MAILDIR_NOWHERE ? g->given.v[f->line].uidl
								    : span_of(NULL, 0));
	if (r == 1)
		maildir_say_odd(g->m, "'%s/%.*s' can't have the UIDL it was given: another has it",
				maildir_where_name(file->where), (int)f->name.n, f->name.p);
	return r < 0 ? r : 0;
}

/* Where it comes: as an import says, or by the time in its name. */
static int put_in_order(struct merge *g, struct fresh *f)
{
	struct maildir_key key;

	maildir_name_order(f->name, &f->order);
	if (g->given.count == 0)
		return 0;
	if (!maildir_key_make(f->name, &key))
		return -ENOMEM;
	f->line = maildir_given_find(&g->given, &key);
	return 0;
}

/* Of the messages that are away, those that the index has lost: into v, unless that is NULL. */
static int lost_away(struct merge *g, struct fresh *v, uint32_t *count)
{
	const struct store_opening *const o = g->m->opening;

	for (size_t i = 0; o != NULL && i < o->n_away; i++) {
		const int r = maildir_catalog_has(g->c, o->away[i].uidl);

		if (r < 0)
			return r;
		if (r > 0 || !journal_name_valid(o->away[i].key))
			continue;
		if (v != NULL)
			v[*count] = (struct fresh){.line = MAILDIR_NOWHERE,
						   .name = o->away[i].key,
						   .away = &o->away[i]};
		(*count)++;
	}
	return 0;
}

static int take_fresh(struct merge *g, struct err *err)
{
	uint32_t count = 0;
	uint32_t n = 0;
	struct fresh *v;
	int r = lost_away(g, NULL, &count);

	if (r < 0)
		return err_sys(err, -r, "cannot list '%s'", g->m->owner.path);
	for (uint32_t i = 0; i < g->files.count; i++)
		count += g->files.v[i].taken ? 0 : 1;
	if (count == 0)
		return 0;
	r = maildir_given_read(g->m, MAILDIR_UIDL, &g->given, err);
	if (r < 0)
		return r;
	v = malloc(count * sizeof(*v));
	if (v == NULL)
		return err_sys(err, ENOMEM, "cannot list '%s'", g->m->owner.path);

	for (uint32_t i = 0; i < g->files.count; i++) {
		if (!g->files.v[i].taken)
			v[n++] = (struct fresh){.line = MAILDIR_NOWHERE,
						.name = maildir_file_name(&g->files, i),
						.file = i};
	}
	r = lost_away(g, v, &n);
	for (uint32_t i = 0; i < n && r == 0; i++)
		r = put_in_order(g, &v[i]);
	if (r < 0)
		(void)err_sys(err, -r, "cannot list '%s'", g->m->owner.path);
	else
		qsort(v, count, sizeof(*v), compare_fresh);
	for (uint32_t i = 0; i < count && r == 0; i++) {
		r = add_fresh(g, &v[i], err);
		if (r == -ENOMEM)
			(void)err_sys(err, ENOMEM, "cannot list '%s'", g->m->owner.path);
	}
	free(v);
	return r;
}

int maildir_merge(struct maildir_drop *m, int index_fd, const struct index_header *old,
		  bool doubted, struct index_mark trusted[MAILDIR_DIRS], struct maildir_catalog *c,
		  struct err *err)
{
	struct merge g = {.m = m, .c = c};
	int r;

	r = load(&g, index_fd, old, doubted, trusted, err);
	for (int round = 1; r == 0; round++) {
		r = read_dirs(&g, trusted, err);
		if (r == 0)
			hide_pending(&g);
		if (r == 0)
			r = match(&g, err);
		if (r < 0 || round == ROUNDS_MAX || !must_read_again(&g, trusted))
			break;
		next_round(&g, trusted);
	}
	last_round(&g);
	if (r == 0)
		r = check_old(&g, doubted, err);
	if (r == 0)
		r = take_fresh(&g, err);
	maildir_files_done(&g.files);
	maildir_given_done(&g.given);
	if (r < 0) {
		maildir_catalog_done(c);
		return r;
	}
	for (int w = 0; w < MAILDIR_DIRS; w++)
		trusted[w] = g.stamp[w];
	return 0;
}
