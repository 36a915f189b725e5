/* SPDX-License-Identifier: MIT */
/*
 * What a session of a view sees: records of its folders' indexes, those that are not
 * hidden, in one order. Behind them stands, for each, where it came from.
 *
 * It is kept, with a digest of everything that it was made of: as long as that is the same,
 * it is the next session's, too, and nothing is read but a few headers.
 */
#include "store/view/view_priv.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sys/mman.h>

#include "store/index.h"
#include "store/store_sys.h"
#include "store/uidl_digest.h"

/* The same stem twice: the second gets a UIDL that says where it is. */
int view_uidl_of_twin(const struct view_folder *f, struct span uidl, char *ret_uidl)
{
	char whole[VIEW_FOLDER_MAX + 1 + LIMIT_UIDL];
	size_t n = strlen(f->name);

	memcpy(whole, f->name, n);
	whole[n++] = '/';
	memcpy(whole + n, uidl.p, uidl.n);
	return uidl_digest(span_of(whole, n + uidl.n), ret_uidl) ? 0 : -ENOMEM;
}

/* ---- of what it is made ---- */

/* Zeroed before it is filled: all of it is digested. */
struct source {
	uint64_t made_ns;
	uint64_t inode;
	uint64_t count;
	uint64_t octets;
};

struct sources {
	uint64_t day;
	uint64_t newest;
	uint64_t recent_days;
	char folders[sizeof(((struct maildrop_rules *)NULL)->folders)];
	struct source folder[VIEW_FOLDERS_MAX];
	char deleted[VIEW_LIST_HEAD];
	uint64_t deleted_size;
	char had[VIEW_LIST_HEAD];
	uint64_t had_size;
};

static int folder_source(const struct view_folder *f, struct source *ret, struct err *err)
{
	char raw[INDEX_HEADER_SIZE];
	struct index_header h;
	struct stat st;

	if (f->m == NULL)
		return 0;
	if (sys_fstat(f->m->snapshot_fd, &st) < 0 ||
	    sys_pread_all(f->m->snapshot_fd, raw, sizeof(raw), 0) < 0)
		return err_sys(err, errno, "cannot read the index of '%s'", f->path);
	/* A delivery may be writing it just now: then it will be another one the next time. */
	if (index_header_decode(raw, &h))
		ret->made_ns = h.made_ns;
	ret->inode = st.st_ino;
	ret->count = f->m->count;
	ret->octets = f->m->octets;
	return 0;
}

static int fill_sources(const struct view *v, struct sources *s, struct err *err)
{
	char had[VIEW_NAME_SIZE];
	int r = 0;

	memset(s, 0, sizeof(*s));
	s->day = v->now / VIEW_DAY;
	s->newest = v->owner.rules.newest;
	s->recent_days = v->owner.rules.recent_days;
	(void)snprintf(s->folders, sizeof(s->folders), "%s", v->owner.rules.folders);
	for (unsigned int i = 0; i < v->n_folders && r == 0; i++)
		r = folder_source(&v->folders[i], &s->folder[i], err);
	if (r == 0)
		r = v->row->peek(v->views, VIEW_LIST_DELETED, s->deleted, sizeof(s->deleted),
				 &s->deleted_size, err);
	view_had_name(had, v->owner.rules.device);
	if (r == 0 && v->owner.rules.recent_days == 0)
		r = v->row->peek(v->views, had, s->had, sizeof(s->had), &s->had_size, err);
	return r;
}

/* In the place where an index has the marks of its directories. */
static int digest(const struct view *v, struct index_mark ret_marks[2], struct err *err)
{
	struct sources s;
	uint64_t sum[4];
	const int r = fill_sources(v, &s, err);

	_Static_assert(sizeof(sum) == 32, "SHA-256 fills the marks");
	if (r < 0)
		return r;
	if (EVP_Digest(&s, sizeof(s), (unsigned char *)sum, NULL, EVP_sha256(), NULL) != 1)
		return err_sys(err, ENOMEM, "cannot list '%s'", v->path);
	ret_marks[0] = (struct index_mark){sum[0], sum[1]};
	ret_marks[1] = (struct index_mark){sum[2], sum[3]};
	return 0;
}

static void kept_name(const struct view *v, char out[static VIEW_NAME_SIZE])
{
	(void)snprintf(out, VIEW_NAME_SIZE, "%s.%s",
		       v->owner.rules.recent_days != 0 ? "recent" : "all", v->owner.rules.device);
}

bool view_snapshot_kept(struct view *v, bool *ret_today, struct err *err)
{
	struct index_mark marks[2];
	char name[VIEW_NAME_SIZE];
	struct index_header h;
	struct stat st;
	int fd;

	if (v->row->snapshot == NULL)
		return false;
	kept_name(v, name);
	fd = v->row->snapshot(v->views, name, &h);
	if (fd < 0)
		return false;
	*ret_today = h.made_ns / 1000000000U / VIEW_DAY == v->now / VIEW_DAY;
	if (digest(v, marks, err) == 0 && index_mark_eq(marks[0], h.dirs[0]) &&
	    index_mark_eq(marks[1], h.dirs[1]) && sys_fstat(fd, &st) == 0 &&
	    (uint64_t)st.st_size ==
		    INDEX_HEADER_SIZE + (uint64_t)h.count * (INDEX_RECORD_SIZE + 8)) {
		v->base.snapshot_fd = fd;
		v->base.count = h.count;
		v->base.octets = h.octets;
		v->base.growth = h.growth;
		return true;
	}
	sys_close(fd);
	return false;
}

/* ---- which messages ---- */

struct listed {
	uint64_t came;
	uint64_t hash; /* of its UIDL, if there are several folders */
	uint32_t n;
	uint32_t folder;
	bool is_twin; /* an earlier folder has one of this UIDL */
};

struct listing {
	struct view *v;
	struct view_set gone;
	bool by_time;         /* when a message came in matters */
	bool several;         /* folders are listed */
	struct listed *items; /* Owned */
	size_t count;
	size_t cap;
};

static int listing_add(struct listing *l, unsigned int folder, uint32_t n,
		       const struct index_record *record)
{
	const struct maildrop_rules *const rules = &l->v->owner.rules;
	struct maildrop *const m = l->v->folders[folder].m;
	const uint64_t recent = (uint64_t)rules->recent_days * VIEW_DAY;
	const uint64_t came = l->by_time ? l->v->driver->came(m, n, record) : 0;

	if (recent != 0 && came != 0 && came + recent < l->v->now)
		return 0;
	if (l->count == l->cap) {
		const size_t cap = l->cap == 0 ? 64 : l->cap * 2;
		struct listed *const items = realloc(l->items, cap * sizeof(*items));

		if (items == NULL)
			return -ENOMEM;
		l->items = items;
		l->cap = cap;
	}
	l->items[l->count++] = (struct listed){
		.came = came,
		.hash = l->several ? view_hash(index_record_uidl(record)) : 0,
		.n = n,
		.folder = folder,
	};
	return 0;
}

static int list_folder(struct listing *l, unsigned int folder)
{
	const struct maildrop *const m = l->v->folders[folder].m;
	struct index_reader reader;
	struct index_record record;
	int r = index_reader_init(&reader, m->snapshot_fd, m->count);

	for (uint32_t n = 1; r == 0; n++) {
		const int got = index_reader_next(&reader, &record);

		if (got == 0)
			break;
		/* One that is damaged is listed by the index that is made next. */
		if (got == -EBADMSG)
			continue;
		if (got < 0)
			r = got;
		else if ((record.flags & INDEX_AWAY) == 0 &&
			 !view_slot_hides(
				 view_set_find(&l->gone, folder, index_record_uidl(&record))))
			r = listing_add(l, folder, n, &record);
	}
	index_reader_done(&reader);
	return r;
}

struct hashed {
	uint64_t hash;
	size_t at;
};

static int compare_hashed(const void *a, const void *b)
{
	const struct hashed *const x = a;
	const struct hashed *const y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

/*
 * A message keeps its UIDL when it is moved from one folder to another; but one file may
 * be in two. In a folder no two have the same, and of two hashes that are equal by chance one
 * message only gets a longer UIDL.
 */
static int find_twins(struct listing *l)
{
	struct hashed *const v = malloc((l->count + 1) * sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < l->count; i++)
		v[i] = (struct hashed){.hash = l->items[i].hash, .at = i};
	qsort(v, l->count, sizeof(*v), compare_hashed);
	for (size_t i = 1; i < l->count; i++)
		l->items[v[i].at].is_twin = v[i].hash == v[i - 1].hash;
	free(v);
	return 0;
}

/*
 * Several folders are one by when their messages came in; each keeps its own order, so
 * one that seems to be out of it holds back those behind it.
 */
static int sort_folders(struct listing *l)
{
	struct listed *const sorted = malloc((l->count + 1) * sizeof(*sorted));
	size_t at[VIEW_FOLDERS_MAX];
	size_t end[VIEW_FOLDERS_MAX];
	size_t n = 0;

	if (sorted == NULL)
		return -ENOMEM;
	for (unsigned int f = 0, i = 0; f < l->v->n_folders; f++) {
		at[f] = i;
		while (i < l->count && l->items[i].folder == f)
			i++;
		end[f] = i;
	}
	while (n < l->count) {
		size_t best = SIZE_MAX;
		unsigned int from = 0;

		for (unsigned int f = 0; f < l->v->n_folders; f++) {
			if (at[f] == end[f] ||
			    (best != SIZE_MAX && l->items[best].came <= l->items[at[f]].came))
				continue;
			best = at[f];
			from = f;
		}
		sorted[n++] = l->items[best];
		at[from]++;
	}
	free(l->items);
	l->items = sorted;
	l->cap = l->count + 1;
	return 0;
}

static int make_listing(struct listing *l, const struct view_loaded *deleted,
			const struct view_loaded *had)
{
	const uint32_t newest = l->v->owner.rules.newest;
	unsigned int listed = 0;
	int r = view_set_add(&l->gone, l->v, deleted, 0);

	if (r == 0)
		r = view_set_add(&l->gone, l->v, had, 0);
	for (unsigned int f = 0; f < l->v->n_folders; f++)
		listed += l->v->folders[f].listed && l->v->folders[f].m != NULL ? 1 : 0;
	l->several = listed > 1;
	l->by_time = l->several || l->v->owner.rules.recent_days != 0;
	for (unsigned int f = 0; f < l->v->n_folders && r == 0; f++) {
		if (l->v->folders[f].listed && l->v->folders[f].m != NULL)
			r = list_folder(l, f);
	}
	if (r == 0 && l->several)
		r = find_twins(l);
	if (r == 0 && l->several)
		r = sort_folders(l);
	if (r == 0 && newest != 0 && l->count > newest) {
		memmove(l->items, l->items + (l->count - newest), newest * sizeof(*l->items));
		l->count = newest;
	}
	return r;
}

/* ---- written ---- */

static int put_listed(const struct view *v, struct index_writer *w, const struct listed *item)
{
	const struct view_folder *const f = &v->folders[item->folder];
	char twin[UIDL_DIGEST];
	struct index_record record;
	int r = index_read_record(f->m->snapshot_fd, item->n, &record);

	if (r == 0 && item->is_twin)
		r = view_uidl_of_twin(f, index_record_uidl(&record), twin);
	if (r < 0)
		return r;
	if (item->is_twin) {
		memcpy(record.text, twin, sizeof(twin));
		record.uidl_len = sizeof(twin);
	}
	/* Its file is found by the folder's own record. */
	record.flags &= ~(uint32_t)(INDEX_NAME_DERIVED | INDEX_NAME_ELSEWHERE);
	record.name_len = 0;
	return index_writer_put(w, &record);
}

static int put_places(int fd, const struct listing *l)
{
	const uint64_t at = INDEX_HEADER_SIZE + (uint64_t)l->count * INDEX_RECORD_SIZE;
	char buf[4096];
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++) {
		for (unsigned int byte = 0; byte < 4; byte++) {
			buf[n + byte] = (char)(l->items[i].folder >> (8 * byte) & 0xff);
			buf[n + 4 + byte] = (char)(l->items[i].n >> (8 * byte) & 0xff);
		}
		n += 8;
		if (n < sizeof(buf) && i + 1 < l->count)
			continue;
		if (sys_pwrite_all(fd, buf, n, at + (i + 1) * 8 - n) < 0)
			return -errno;
		n = 0;
	}
	return 0;
}

static int write_to(struct view *v, int fd, const struct listing *l,
		    const struct index_mark marks[2])
{
	struct index_writer w;
	int r = index_writer_init(&w, fd, NULL);

	for (size_t i = 0; i < l->count && r == 0; i++)
		r = put_listed(v, &w, &l->items[i]);
	if (r == 0)
		r = put_places(fd, l);
	/* The time of the file is set last. */
	if (r == 0)
		r = index_writer_finish(&w, marks,
					v->row->boot != NULL ? v->row->boot(v->views) : 0);
	if (r == 0) {
		v->base.count = w.header.count;
		v->base.octets = w.header.octets;
		v->base.growth = w.header.growth;
	}
	index_writer_done(&w);
	return r;
}

static int write_kept(struct view *v, const struct listing *l, const struct index_mark marks[2])
{
	char name[VIEW_NAME_SIZE];
	int fd;
	int r;

	kept_name(v, name);
	fd = v->row->snapshot_make(v->views, name);
	if (fd < 0)
		return fd;
	r = write_to(v, fd, l, marks);
	if (r == 0)
		r = v->row->snapshot_keep(v->views, name, fd);
	sys_close(fd);
	return r;
}

/* Who can't write to his disk can still read his mail. */
static int write_memory(struct view *v, const struct listing *l, const struct index_mark marks[2])
{
	const int fd = memfd_create("snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char self[32];
	int r = fd < 0 ? -errno : write_to(v, fd, l, marks);

	if (r == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		r = -errno;
	if (r == 0) {
		(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		r = sys_openat(AT_FDCWD, self, O_RDONLY, 0);
		r = r < 0 ? -errno : r;
	}
	sys_close(fd);
	return r;
}

int view_snapshot_make(struct view *v, const struct view_loaded *deleted, struct err *err)
{
	struct listing l = {.v = v};
	struct view_loaded had = {0};
	struct index_mark marks[2];
	char name[VIEW_NAME_SIZE];
	int r = 0;

	/* What is recent is so for every device, whatever it has deleted for itself. */
	view_had_name(name, v->owner.rules.device);
	if (v->owner.rules.recent_days == 0)
		r = view_load(v, name, &had, err);
	if (r == 0)
		r = digest(v, marks, err);
	if (r < 0)
		goto out;
	r = make_listing(&l, deleted, &had);
	if (r == 0) {
		r = v->row->snapshot_make != NULL ? write_kept(v, &l, marks) : -ENOTSUP;
		if (r < 0)
			r = write_memory(v, &l, marks);
	}
	if (r < 0) {
		r = err_sys(err, -r, "cannot list '%s'", v->path);
	} else {
		v->base.snapshot_fd = r;
		r = 0;
	}
out:
	view_set_done(&l.gone);
	free(l.items);
	view_loaded_done(&had);
	return r;
}
