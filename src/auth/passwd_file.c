/* SPDX-License-Identifier: MIT */
/*
 * The file is read into memory in one piece, and the table points into it: each
 * field that is used is ended with NUL where its ':' stood, and each name is put
 * into lower case where it stands.
 */
#include "auth/passwd_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file_mark.h"
#include "base/rand.h"
#include "base/secret.h"
#include "auth/scheme.h"
#include "auth/user_name.h"

/* Lines that are reported one by one. Somebody may have named the wrong file. */
#define NOTICES_MAX 20

/* How long after a change in place its writer may still be at it. */
#define UNFINISHED_NS 1000000000

/* A user: where its fields begin in the text. */
struct row {
	uint32_t name;
	uint32_t secret;
	uint32_t home;
	uint32_t mail;
	uint32_t scram[SCRAM_HASHES];
	uint32_t extra;
	uint32_t n_extra;
	uint32_t uid;
	uint32_t gid;
	uint32_t line;
};

struct table {
	char *text; /* Owned. Secrets are in it */
	size_t n;
	struct row *rows; /* Owned */
	uint32_t n_rows;
	uint32_t cap_rows;
	uint32_t *slots; /* Owned: row + 1 at its name's hash or behind it; 0: free */
	uint32_t mask;
};

struct passwd_file {
	char *path; /* Owned */
	passwd_notice *notice;
	void *notice_arg;
	uint64_t hash_key;
	struct table table;
	struct file_mark read; /* the file that the table is made of */
	bool settled;          /* no change of that file can have been missed */
	bool loaded;
	bool in_place;        /* it is the file that was read before, with other content */
	struct file_mark bad; /* a file that was read and is no good */
	struct err bad_err;
};

/* What is counted while a file is read. */
struct loading {
	struct passwd_file *f;
	struct table *t;
	uint32_t line;
	uint32_t bad;
	unsigned notices;
	bool quiet;
};

struct passwd_file *passwd_file_new(const char *path, passwd_notice *notice, void *arg)
{
	struct passwd_file *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->path = strdup(path);
	if (f->path == NULL) {
		free(f);
		return NULL;
	}
	f->notice = notice;
	f->notice_arg = arg;
	f->hash_key = rand_u64();
	return f;
}

static void table_done(struct table *t)
{
	secret_wipe(t->text, t->n);
	free(t->text);
	free(t->rows);
	free(t->slots);
	*t = (struct table){0};
}

void passwd_file_free(struct passwd_file *f)
{
	if (f == NULL)
		return;
	table_done(&f->table);
	free(f->path);
	free(f);
}

/* FNV-1a with a key: good enough for names that the operator wrote. */
static uint64_t hash_name(const struct passwd_file *f, const char *name)
{
	uint64_t h = UINT64_C(14695981039346656037) ^ f->hash_key;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(1099511628211);
	return h ^ h >> 32;
}

/* The slot of this name, or the free one where it would go. There always is a free one. */
static uint32_t *find_slot(const struct passwd_file *f, const struct table *t, const char *name)
{
	uint32_t at = (uint32_t)hash_name(f, name) & t->mask;

	while (t->slots[at] != 0 && strcmp(t->text + t->rows[t->slots[at] - 1].name, name) != 0)
		at = (at + 1) & t->mask;
	return &t->slots[at];
}

static int read_all(int fd, struct table *t, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot read '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "'%s' is not a file", path);
	if (st.st_size > (off_t)PASSWD_FILE_MAX_BYTES)
		return err_set(err, EFBIG, "'%s' is too large for a file of users", path);

	const size_t size = (size_t)st.st_size;

	/* One more for the NUL behind the last field, and to notice a file that grew meanwhile. */
	t->text = malloc(size + 1);
	if (t->text == NULL)
		return err_sys(err, ENOMEM, "cannot read '%s'", path);
	while (t->n <= size) {
		const ssize_t got = read(fd, t->text + t->n, size + 1 - t->n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(err, errno, "cannot read '%s'", path);
		if (got == 0)
			break;
		t->n += (size_t)got;
	}
	if (t->n > size)
		return err_set(err, EAGAIN, "'%s' changed while it was read", path);
	return 0;
}

__attribute__((format(printf, 2, 3))) static void notice(struct loading *l, const char *fmt, ...)
{
	const char *path = l->f->path;
	char text[ERR_TEXT_MAX];
	va_list ap;

	if (l->quiet || l->f->notice == NULL || l->notices > NOTICES_MAX)
		return;
	if (l->notices++ == NOTICES_MAX) {
		(void)snprintf(text, sizeof(text), "%s:%u: more like this is not reported", path,
			       l->line);
	} else {
		const int n = snprintf(text, sizeof(text), "%s:%u: ", path, l->line);

		va_start(ap, fmt);
		if (n > 0 && (size_t)n < sizeof(text))
			(void)vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
		va_end(ap);
	}
	l->f->notice(l->f->notice_arg, text);
}

/* Ends a field that is a part of t->text. Its end is a ':', a space, a line end, or t's. */
static uint32_t end_field(const struct table *t, struct span field)
{
	const size_t at = (size_t)(field.p - t->text);

	t->text[at + field.n] = '\0';
	return (uint32_t)at;
}

static bool reserve_row(struct table *t)
{
	if (t->n_rows < t->cap_rows)
		return true;

	const uint32_t cap = t->cap_rows == 0 ? 64 : t->cap_rows * 2;
	struct row *rows = reallocarray(t->rows, cap, sizeof(*rows));

	if (rows == NULL)
		return false;
	t->rows = rows;
	t->cap_rows = cap;
	return true;
}

static void check_scram(struct loading *l, const struct row *row)
{
	for (enum scram_hash hash = 0; hash < SCRAM_HASHES; hash++) {
		const struct span text = span_str(l->t->text + row->scram[hash]);
		struct scram_keys keys;

		if (text.n > 0 && !scram_keys_parse(hash, text, &keys))
			notice(l, "user '%s' cannot use %s: malformed keys", l->t->text + row->name,
			       scram_name(hash));
	}
}

static int add_line(struct loading *l, struct span line)
{
	struct table *t = l->t;
	struct passwd_line it;
	struct err err;

	switch (passwd_line_parse(line, &it, &err)) {
	case PASSWD_COMMENT:
		return 0;
	case PASSWD_BAD:
		l->bad++;
		notice(l, "%s", err.text);
		return 0;
	case PASSWD_FLAWED:
		notice(l, "%s", err.text);
		break;
	case PASSWD_USER:
		break;
	}
	if (!reserve_row(t))
		return -ENOMEM;

	struct row *row = &t->rows[t->n_rows++];

	*row = (struct row){
		.name = end_field(t, it.name),
		.secret = end_field(t, it.secret),
		.home = end_field(t, it.home),
		.mail = end_field(t, it.mail),
		.extra = end_field(t, it.extra),
		.n_extra = (uint32_t)it.extra.n,
		.uid = it.uid,
		.gid = it.gid,
		.line = l->line,
	};
	for (enum scram_hash hash = 0; hash < SCRAM_HASHES; hash++)
		row->scram[hash] = end_field(t, it.scram[hash]);
	for (char *c = t->text + row->name; *c != '\0'; c++)
		*c = span_ascii_lower(*c);
	if (scheme_check(t->text + row->secret, &err) < 0)
		notice(l, "user '%s' cannot log in: %s", t->text + row->name, err.text);
	check_scram(l, row);
	return 0;
}

static int add_lines(struct loading *l)
{
	struct span text = span_of(l->t->text, l->t->n);

	/* Some editors mark UTF-8 so. It is no part of the first name. */
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		span_skip(&text, 3);
	while (text.n > 0) {
		const size_t n = span_find(text, '\n');
		struct span line = span_of(text.p, n);

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		l->line++;
		if (add_line(l, line) < 0)
			return -ENOMEM;
		span_skip(&text, n < text.n ? n + 1 : n);
	}
	return 0;
}

static int index_rows(struct loading *l)
{
	struct table *t = l->t;
	uint32_t slots = 64;

	while (slots < t->n_rows * 2)
		slots *= 2;
	t->slots = calloc(slots, sizeof(*t->slots));
	if (t->slots == NULL)
		return -ENOMEM;
	t->mask = slots - 1;
	for (uint32_t i = 0; i < t->n_rows; i++) {
		const char *name = t->text + t->rows[i].name;
		uint32_t *slot = find_slot(l->f, t, name);

		if (*slot == 0) {
			*slot = i + 1;
		} else {
			l->line = t->rows[i].line;
			notice(l, "user '%s' is there already: the first line counts", name);
		}
	}
	return 0;
}

static int load(struct passwd_file *f, int fd, struct table *t, bool quiet, struct err *err)
{
	struct loading l = {.f = f, .t = t, .quiet = quiet};
	int r = read_all(fd, t, f->path, err);

	if (r < 0)
		return r;
	r = add_lines(&l);
	if (r == 0)
		r = index_rows(&l);
	if (r < 0)
		return err_sys(err, -r, "cannot read '%s'", f->path);
	if (t->n_rows == 0 && l.bad > 0)
		return err_set(err, EINVAL, "'%s' has no line that is right", f->path);
	return 0;
}

static int reload(struct passwd_file *f, int fd, struct err *err)
{
	/* Before the file is looked at: what changes meanwhile is seen the next time. */
	const uint64_t now = clock_wall_ns();
	struct table fresh = {0};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot read '%s'", f->path);

	const struct file_mark s = file_mark_of(&st);
	const int r = load(f, fd, &fresh, f->loaded && file_mark_same(&s, &f->read), err);

	if (r < 0) {
		table_done(&fresh);
		if (r == -EINVAL && file_mark_is_settled(&s, now)) {
			f->bad = s;
			f->bad_err = *err;
		}
		return r;
	}
	table_done(&f->table);
	f->table = fresh;
	/* Read once more because it may have changed, it is what it was. */
	if (!file_mark_same(&s, &f->read))
		f->in_place = f->loaded && s.dev == f->read.dev && s.ino == f->read.ino;
	f->read = s;
	f->settled = file_mark_is_settled(&s, now);
	f->loaded = true;
	return 0;
}

int passwd_file_refresh(struct passwd_file *f, struct err *err)
{
	struct err why;
	struct stat st;

	if (stat(f->path, &st) == 0) {
		const struct file_mark s = file_mark_of(&st);

		if (f->loaded && f->settled && file_mark_same(&s, &f->read))
			return 0;
		if (file_mark_same(&s, &f->bad))
			return err_set(err, EINVAL, "%s", f->bad_err.text);
	}

	const int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return err_sys(err, errno, "cannot open '%s'", f->path);

	const int r = reload(f, fd, &why);

	(void)close(fd);
	if (r < 0 && err != NULL)
		*err = why;
	return r;
}

size_t passwd_file_count(const struct passwd_file *f)
{
	return f->table.n_rows;
}

const char *passwd_file_name(const struct passwd_file *f, size_t i)
{
	return i < f->table.n_rows ? f->table.text + f->table.rows[i].name : NULL;
}

bool passwd_file_is_loaded(const struct passwd_file *f)
{
	return f->loaded;
}

bool passwd_file_may_be_unfinished(const struct passwd_file *f)
{
	const int64_t age = (int64_t)clock_wall_ns() - f->read.mtime_ns;

	return f->in_place && age < UNFINISHED_NS && age > -UNFINISHED_NS;
}

static void user_of(const struct table *t, const struct row *row, struct passwd_user *ret_user)
{
	*ret_user = (struct passwd_user){
		.name = t->text + row->name,
		.secret = t->text + row->secret,
		.home = t->text + row->home,
		.mail = t->text + row->mail,
		.extra = span_of(t->text + row->extra, row->n_extra),
		.uid = row->uid,
		.gid = row->gid,
	};
	for (enum scram_hash hash = 0; hash < SCRAM_HASHES; hash++)
		ret_user->scram[hash] = t->text + row->scram[hash];
}

bool passwd_file_find(const struct passwd_file *f, const char *name, struct passwd_user *ret_user)
{
	const struct table *t = &f->table;

	if (t->n_rows == 0)
		return false;

	const uint32_t slot = *find_slot(f, t, name);

	if (slot == 0)
		return false;

	user_of(t, &t->rows[slot - 1], ret_user);
	return true;
}

bool passwd_file_decoy(const struct passwd_file *f, const char *name, struct passwd_user *ret_user)
{
	const struct table *t = &f->table;
	/* Other bits than find_slot() takes, of the same key. */
	const uint64_t at = t->n_rows == 0 ? 0 : (hash_name(f, name) >> 20) % t->n_rows;

	for (uint32_t i = 0; i < t->n_rows; i++) {
		const struct row *row = &t->rows[(at + i) % t->n_rows];

		if (!scheme_is_locked(t->text + row->secret)) {
			user_of(t, row, ret_user);
			return true;
		}
	}
	return false;
}
