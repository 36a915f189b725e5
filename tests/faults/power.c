/* SPDX-License-Identifier: MIT */
#include "power.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_help.h"
#include "store_steps.h"

#define NAME_CAP 256
#define THINGS_MAX 128

/* A file or directory, as it was at a moment. Things are few and small. */
struct thing {
	ino_t ino;
	ino_t parent;
	bool is_dir;
	char name[NAME_CAP];
	size_t n;   /* files */
	char *text; /* Owned */
};

struct moment {
	struct thing *v; /* Owned */
	size_t count;
	ino_t synced;       /* by the call that led here; 0: nothing was */
	struct thing by_fd; /* what was synced, if it was a file: it may have no name */
};

/* What is on the disk: entries of directories, and files' octets. */
struct entry {
	ino_t parent;
	ino_t ino;
	bool is_dir;
	char name[NAME_CAP];
};

struct octets {
	ino_t ino;
	size_t n;
	const char *text; /* Borrowed from a moment */
	size_t synced;    /* how many of them are there; the others are zeros */
};

static struct {
	char root[HELP_PATH_MAX];
	char kept[HELP_PATH_MAX]; /* each file under its inode's number, so that none goes */
	struct moment *moments;   /* Owned */
	size_t count;
	size_t cap;

	unsigned int early;
	size_t at; /* the next moment */
	struct entry entries[THINGS_MAX];
	size_t n_entries;
	struct octets octets[THINGS_MAX];
	size_t n_octets;
} power;

/* ---- watching ---- */

static char *read_file(int fd, size_t *ret_n)
{
	struct stat st;
	char *text;

	assert_int_equal(fstat(fd, &st), 0);
	*ret_n = (size_t)st.st_size;
	text = malloc(*ret_n + 1);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, *ret_n, 0), *ret_n);
	return text;
}

static void keep(int dir_fd, const char *name, ino_t ino)
{
	char path[HELP_PATH_MAX + 32];

	(void)snprintf(path, sizeof(path), "%s/%llu", power.kept, (unsigned long long)ino);
	if (linkat(dir_fd, name, AT_FDCWD, path, 0) < 0)
		assert_int_equal(errno, EEXIST); /* it is kept already */
}

static void look_at_dir(struct moment *m, int fd, ino_t ino)
{
	DIR *const dir = fdopendir(fd);
	const struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		struct thing *const t = &m->v[m->count];
		int child;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		assert_true(++m->count <= THINGS_MAX);
		child = openat(fd, e->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		assert_true(child >= 0);
		*t = (struct thing){.ino = e->d_ino, .parent = ino, .is_dir = e->d_type == DT_DIR};
		(void)snprintf(t->name, sizeof(t->name), "%s", e->d_name);
		if (t->is_dir) {
			look_at_dir(m, child, t->ino);
			continue;
		}
		keep(fd, e->d_name, t->ino);
		t->text = read_file(child, &t->n);
		(void)close(child);
	}
	(void)closedir(dir);
}

static struct moment *add_moment(void)
{
	struct moment *m;
	struct stat st;
	const int fd = open(power.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (power.count == power.cap) {
		power.cap = power.cap == 0 ? 256 : power.cap * 2;
		power.moments = realloc(power.moments, power.cap * sizeof(*power.moments));
		assert_non_null(power.moments);
	}
	m = &power.moments[power.count++];
	*m = (struct moment){.v = calloc(THINGS_MAX + 1, sizeof(*m->v))};
	assert_non_null(m->v);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	look_at_dir(m, fd, st.st_ino);
	m->v = realloc(m->v, (m->count + 1) * sizeof(*m->v));
	assert_non_null(m->v);
	return m;
}

static void on_step(void *arg)
{
	const int before = errno; /* the store's, which goes on as if we weren't here */

	(void)arg;
	(void)add_moment();
	errno = before;
}

static void on_sync(void *arg, int fd)
{
	struct moment *const m = add_moment();
	char self[32];
	struct stat st;

	(void)arg;
	assert_int_equal(fstat(fd, &st), 0);
	m->synced = st.st_ino;
	if (S_ISDIR(st.st_mode))
		return;
	/* It may be open for writing only. */
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	const int again = open(self, O_RDONLY | O_CLOEXEC);

	assert_true(again >= 0);
	m->by_fd.text = read_file(again, &m->by_fd.n);
	(void)close(again);
}

void power_watch(const char *root)
{
	(void)snprintf(power.root, sizeof(power.root), "%s", root);
	(void)snprintf(power.kept, sizeof(power.kept), "%.480s.kept", root);
	assert_int_equal(mkdir(power.kept, 0700), 0);
	(void)add_moment();
	steps_meet(on_step, NULL);
	steps_on_sync(on_sync);
	steps_set(STEPS_WATCH, 0, 0);
}

void power_stop(void)
{
	steps_set(STEPS_OFF, 0, 0);
	steps_on_sync(NULL);
	(void)add_moment();
}

void power_done(void)
{
	for (size_t i = 0; i < power.count; i++) {
		for (size_t j = 0; j < power.moments[i].count; j++)
			free(power.moments[i].v[j].text);
		free(power.moments[i].v);
		free(power.moments[i].by_fd.text);
	}
	free(power.moments);
	if (power.kept[0] != '\0')
		help_remove_tree(power.kept);
	memset(&power, 0, sizeof(power));
}

/* ---- what is left ---- */

/* Changes what is on the disk; says whether that made a difference. */
static bool put_octets(ino_t ino, const char *text, size_t n, size_t synced)
{
	size_t i = 0;

	while (i < power.n_octets && power.octets[i].ino != ino)
		i++;
	assert_true(i < THINGS_MAX);

	struct octets *const o = &power.octets[i];
	const bool same = i < power.n_octets && o->n == n && o->synced == synced &&
			  memcmp(o->text, text, synced) == 0;

	if (i == power.n_octets)
		power.n_octets++;
	*o = (struct octets){.ino = ino, .n = n, .text = text, .synced = synced};
	return !same;
}

static const struct octets *find_octets(ino_t ino)
{
	for (size_t i = 0; i < power.n_octets; i++) {
		if (power.octets[i].ino == ino)
			return &power.octets[i];
	}
	return NULL;
}

static bool has_entry(const struct entry *v, size_t count, ino_t parent, const struct thing *t)
{
	for (size_t i = 0; i < count; i++) {
		if (v[i].parent == parent && v[i].ino == t->ino && strcmp(v[i].name, t->name) == 0)
			return true;
	}
	return false;
}

/* The directory is on the disk as it is at this moment. */
static bool put_dir(const struct moment *m, ino_t dir)
{
	size_t before = 0;
	size_t now = 0;
	size_t known = 0;

	for (size_t i = 0; i < power.n_entries; i++)
		before += power.entries[i].parent == dir;
	for (size_t i = 0; i < m->count; i++) {
		if (m->v[i].parent == dir) {
			now++;
			known += has_entry(power.entries, power.n_entries, dir, &m->v[i]);
		}
	}
	if (before == now && known == now)
		return false;
	for (size_t i = 0; i < power.n_entries;) {
		if (power.entries[i].parent == dir)
			power.entries[i] = power.entries[--power.n_entries];
		else
			i++;
	}
	for (size_t i = 0; i < m->count; i++) {
		const struct thing *const t = &m->v[i];
		struct entry *const e = &power.entries[power.n_entries];

		if (t->parent != dir)
			continue;
		assert_true(++power.n_entries <= THINGS_MAX);
		*e = (struct entry){.parent = dir, .ino = t->ino, .is_dir = t->is_dir};
		memcpy(e->name, t->name, sizeof(e->name));
	}
	return true;
}

static bool is_early(const char *name)
{
	const unsigned int bit = strcmp(name, "new") == 0   ? POWER_NEW
				 : strcmp(name, "cur") == 0 ? POWER_CUR
				 : strcmp(name, "tmp") == 0 ? POWER_TMP
							    : POWER_OTHER;

	return (power.early & bit) != 0;
}

static bool put_file_early(const struct thing *t)
{
	const struct octets *const o = find_octets(t->ino);

	if ((power.early & POWER_OCTETS) != 0)
		return put_octets(t->ino, t->text, t->n, t->n);
	if ((power.early & POWER_LENGTH) == 0)
		return false;
	if (o == NULL)
		return put_octets(t->ino, t->text, t->n, 0);
	/* What was synced stays, as far as it is still the same. */
	size_t synced = 0;

	while (synced < o->synced && synced < t->n && o->text[synced] == t->text[synced])
		synced++;
	return put_octets(t->ino, t->text, t->n, synced);
}

static ino_t root_ino(void)
{
	struct stat st;

	assert_int_equal(stat(power.root, &st), 0);
	return st.st_ino;
}

static bool advance(const struct moment *m, ino_t root, bool all)
{
	bool changed = false;

	if (all || m->synced == root || is_early("root"))
		changed |= put_dir(m, root);
	for (size_t i = 0; i < m->count; i++) {
		const struct thing *const t = &m->v[i];

		if (!t->is_dir)
			changed |= all ? put_octets(t->ino, t->text, t->n, t->n)
				       : put_file_early(t);
		else if (all || m->synced == t->ino || is_early(t->name))
			changed |= put_dir(m, t->ino);
	}
	if (m->by_fd.text != NULL)
		changed |= put_octets(m->synced, m->by_fd.text, m->by_fd.n, m->by_fd.n);
	return changed;
}

/* ---- the tree ---- */

static void rebuild_file(const char *path, ino_t ino)
{
	const struct octets *const o = find_octets(ino);
	char kept[HELP_PATH_MAX + 32];
	int fd;

	(void)snprintf(kept, sizeof(kept), "%s/%llu", power.kept, (unsigned long long)ino);
	fd = open(kept, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	if (o != NULL) {
		assert_int_equal(write(fd, o->text, o->synced), o->synced);
		assert_int_equal(ftruncate(fd, (off_t)o->n), 0);
	}
	assert_int_equal(close(fd), 0);
	assert_int_equal(link(kept, path), 0);
}

static void rebuild_dir(const char *path, ino_t ino)
{
	char child[HELP_PATH_MAX * 2];

	for (size_t i = 0; i < power.n_entries; i++) {
		const struct entry *const e = &power.entries[i];

		if (e->parent != ino)
			continue;
		assert_true(snprintf(child, sizeof(child), "%s/%s", path, e->name) < HELP_PATH_MAX);
		if (e->is_dir) {
			assert_int_equal(mkdir(child, 0700), 0);
			rebuild_dir(child, e->ino);
		} else {
			rebuild_file(child, e->ino);
		}
	}
}

static void empty_root(void)
{
	DIR *const dir = opendir(power.root);
	const struct dirent *e;
	char path[HELP_PATH_MAX * 2];

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", power.root, e->d_name);
		help_remove_tree(path);
	}
	(void)closedir(dir);
}

void power_begin(unsigned int early)
{
	power.early = early;
	power.at = 0;
	power.n_entries = 0;
	power.n_octets = 0;
}

bool power_next(void)
{
	const ino_t root = root_ino();

	while (power.at < power.count) {
		const bool changed = advance(&power.moments[power.at], root, power.at == 0);

		power.at++;
		/* Also if nothing has changed: only there all is acknowledged. */
		if (changed || power_at_end()) {
			empty_root();
			rebuild_dir(power.root, root);
			return true;
		}
	}
	return false;
}

bool power_at_end(void)
{
	return power.at == power.count;
}
