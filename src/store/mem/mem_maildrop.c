/* SPDX-License-Identifier: MIT */
#include "store/mem/mem_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "store/index.h"
#include "store/store_sys.h"

static struct store *mem_new(void)
{
	struct mem_store *const s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	if (pthread_mutex_init(&s->lock, NULL) != 0) {
		free(s);
		return NULL;
	}
	return &s->base;
}

static void mem_free(struct store *store)
{
	struct mem_store *const s = (struct mem_store *)store;

	while (s->boxes != NULL) {
		struct mem_box *const box = s->boxes;

		s->boxes = box->next;
		for (uint32_t i = 0; i < box->count; i++)
			sys_close(box->messages[i].fd);
		free(box->messages);
		mem_views_free(box);
		free(box->path);
		free(box);
	}
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

struct mem_box *mem_box_find(struct mem_store *s, const char *path)
{
	struct mem_box *box = s->boxes;

	while (box != NULL && strcmp(box->path, path) != 0)
		box = box->next;
	return box;
}

struct mem_box *mem_box_get(struct mem_store *s, const char *path)
{
	struct mem_box *box = mem_box_find(s, path);

	if (box != NULL)
		return box;

	box = calloc(1, sizeof(*box));
	if (box == NULL)
		return NULL;
	box->path = strdup(path);
	if (box->path == NULL) {
		free(box);
		return NULL;
	}
	box->next = s->boxes;
	s->boxes = box;
	return box;
}

struct store_usage mem_box_usage(const struct mem_box *box)
{
	struct store_usage usage = {.messages = box->count};

	for (uint32_t i = 0; i < box->count; i++)
		usage.octets += box->messages[i].record.octets;
	return usage;
}

static int mem_usage(struct store *store, const struct store_owner *owner,
		     struct store_usage *ret_usage, struct err *err)
{
	struct mem_store *const s = (struct mem_store *)store;

	(void)pthread_mutex_lock(&s->lock);

	const struct mem_box *const box = mem_box_get(s, owner->path);

	if (box != NULL)
		*ret_usage = mem_box_usage(box);
	(void)pthread_mutex_unlock(&s->lock);
	return box != NULL ? 0 : err_sys(err, ENOMEM, "cannot count '%s'", owner->path);
}

int mem_box_put(struct mem_box *box, const struct mem_message *message)
{
	uint32_t at = box->count;

	if (box->count == box->cap) {
		const uint32_t cap = box->cap == 0 ? 16 : box->cap * 2;
		struct mem_message *const v = realloc(box->messages, cap * sizeof(*v));

		if (v == NULL)
			return -ENOMEM;
		box->messages = v;
		box->cap = cap;
	}
	while (at > 0 && box->messages[at - 1].came > message->came)
		at--;
	memmove(box->messages + at + 1, box->messages + at,
		(box->count - at) * sizeof(*box->messages));
	box->messages[at] = *message;
	box->count++;
	return 0;
}

bool mem_wait(struct mem_store *s, bool *busy, int ms)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (int turn = 0; *busy; turn++) {
		if (turn == ms)
			return false;
		(void)pthread_mutex_unlock(&s->lock);
		(void)nanosleep(&pause, NULL);
		(void)pthread_mutex_lock(&s->lock);
	}
	*busy = true;
	return true;
}

int mem_reopen(int fd)
{
	char self[32];

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	const int again = open(self, O_RDONLY | O_CLOEXEC);

	return again >= 0 ? again : -errno;
}

/* Writes the box's index into a memfd that nobody can change any more. */
static int write_snapshot(struct mem_drop *m)
{
	const struct index_mark never[2] = {{0, 0}, {0, 0}};
	const int fd = memfd_create("snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct index_writer w = {.fd = -1};
	int r;

	if (fd < 0)
		return -errno;
	r = index_writer_init(&w, fd, NULL);
	for (uint32_t i = 0; r == 0 && i < m->box->count; i++)
		r = index_writer_put(&w, &m->box->messages[i].record);
	if (r == 0)
		r = index_writer_finish(&w, never, 0);
	if (r == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		r = -errno;
	if (r == 0)
		r = mem_reopen(fd);
	if (r >= 0) {
		m->base.snapshot_fd = r;
		m->base.count = w.header.count;
		m->base.octets = w.header.octets;
		m->base.growth = w.header.growth;
		r = 0;
	}
	index_writer_done(&w);
	sys_close(fd);
	return r;
}

static int open_box(struct mem_store *s, struct mem_drop *m, const char *path,
		    const struct store_opening *opening)
{
	int r;

	m->box = opening != NULL && opening->must_exist ? mem_box_find(s, path)
							: mem_box_get(s, path);
	if (m->box == NULL)
		return opening != NULL && opening->must_exist ? -ENOENT : -ENOMEM;
	if (opening != NULL ? !mem_wait(s, &m->box->busy, 100) : m->box->busy)
		return -EBUSY;
	m->box->busy = m->busy = true;
	if (opening != NULL && opening->is_main)
		m->box->has_views = true;
	r = m->box->has_views && opening == NULL ? STORE_HAS_VIEWS : write_snapshot(m);
	if (r != 0)
		m->box->busy = false;
	return r;
}

static int mem_open(struct store *store, const struct store_owner *owner,
		    const struct store_opening *opening, struct maildrop **ret_maildrop,
		    struct err *err)
{
	struct mem_store *const s = (struct mem_store *)store;
	struct mem_drop *const m = calloc(1, sizeof(*m));
	int r;

	if (m == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", owner->path);
	m->base = (struct maildrop){.store = store, .snapshot_fd = -1};

	(void)pthread_mutex_lock(&s->lock);
	r = open_box(s, m, owner->path, opening);
	(void)pthread_mutex_unlock(&s->lock);

	if (r != 0) {
		free(m);
		return r > 0 ? r : err_sys(err, -r, "cannot open '%s'", owner->path);
	}
	*ret_maildrop = &m->base;
	return 0;
}

static void mem_let_go(struct maildrop *maildrop)
{
	struct mem_drop *const m = (struct mem_drop *)maildrop;
	struct mem_store *const s = (struct mem_store *)m->base.store;

	(void)pthread_mutex_lock(&s->lock);
	if (m->busy)
		m->box->busy = m->busy = false;
	(void)pthread_mutex_unlock(&s->lock);
}

static int mem_take_again(struct maildrop *maildrop, struct err *err)
{
	struct mem_drop *const m = (struct mem_drop *)maildrop;
	struct mem_store *const s = (struct mem_store *)m->base.store;

	(void)pthread_mutex_lock(&s->lock);
	m->busy = mem_wait(s, &m->box->busy, MEM_PATIENCE_MS);
	(void)pthread_mutex_unlock(&s->lock);
	return m->busy ? 0 : err_sys(err, EBUSY, "cannot open '%s' again", m->box->path);
}

static void mem_close(struct maildrop *maildrop)
{
	mem_let_go(maildrop);
	free(maildrop);
}

/*
 * With the lock held: where message n of the session is now. Others may have deleted
 * it or moved it, or what stood before it. The count when it isn't there.
 */
static uint32_t find(const struct mem_drop *m, uint32_t n)
{
	const struct mem_box *const box = m->box;
	struct index_record wanted;
	uint32_t i = n < box->count ? n : box->count;

	if (index_read_record(m->base.snapshot_fd, n, &wanted) < 0)
		return box->count;
	for (; i > 0; i--) {
		if (span_eq(index_record_uidl(&box->messages[i - 1].record),
			    index_record_uidl(&wanted)))
			return i - 1;
	}
	for (i = n; i < box->count; i++) {
		if (span_eq(index_record_uidl(&box->messages[i].record),
			    index_record_uidl(&wanted)))
			return i;
	}
	return box->count;
}

static int mem_message(struct maildrop *maildrop, uint32_t n, struct store_message *ret_message,
		       struct err *err)
{
	struct mem_drop *const m = (struct mem_drop *)maildrop;
	struct mem_store *const s = (struct mem_store *)m->base.store;
	struct mem_message message;
	int fd = -ENOENT;

	(void)pthread_mutex_lock(&s->lock);
	const uint32_t at = find(m, n);

	if (at < m->box->count) {
		message = m->box->messages[at];
		fd = mem_reopen(message.fd);
	}
	(void)pthread_mutex_unlock(&s->lock);
	if (fd < 0)
		return err_sys(err, -fd, "cannot open message %u of '%s'", n, m->box->path);
	*ret_message = (struct store_message){
		.fd = fd,
		.bytes = message.record.bytes,
		.octets = message.record.octets,
		.flags = message.record.flags &
			 (INDEX_CRLF | INDEX_NO_DOT | INDEX_NO_EOL | INDEX_UTF8_HEADER),
		.counted = true,
	};
	return 0;
}

/* Takes what is marked out of the box; to where: another one, or NULL for nowhere. */
static int take_marked(struct mem_drop *m, struct mem_box *to)
{
	struct mem_box *const box = m->box;
	int r = 0;

	for (uint32_t n = m->base.count; n > 0 && r == 0; n--) {
		const uint32_t at = maildrop_is_marked(&m->base, n) ? find(m, n) : box->count;

		if (at == box->count)
			continue;
		if (to == NULL)
			sys_close(box->messages[at].fd);
		else
			r = mem_box_put(to, &box->messages[at]);
		if (r < 0)
			break;
		box->count--;
		memmove(box->messages + at, box->messages + at + 1,
			(box->count - at) * sizeof(*box->messages));
	}
	return r;
}

static int mem_commit(struct maildrop *maildrop, struct err *err)
{
	struct mem_drop *const m = (struct mem_drop *)maildrop;
	struct mem_store *const s = (struct mem_store *)m->base.store;

	(void)err;
	(void)pthread_mutex_lock(&s->lock);
	(void)take_marked(m, NULL);
	(void)pthread_mutex_unlock(&s->lock);
	return 0;
}

/* The UIDL begins with it. */
static uint64_t mem_came(struct maildrop *m, uint32_t n, const struct index_record *r)
{
	const struct span uidl = index_record_uidl(r);
	uint64_t seconds = 0;

	(void)m;
	(void)n;
	(void)num_parse_u64(span_of(uidl.p, span_find(uidl, '.')), UINT64_MAX, &seconds);
	return seconds;
}

static int mem_mark_older(struct maildrop *maildrop, uint64_t before, struct err *err)
{
	struct index_record r;

	for (uint32_t n = 1; n <= maildrop->count; n++) {
		if (index_read_record(maildrop->snapshot_fd, n, &r) < 0 ||
		    (r.flags & INDEX_AWAY) != 0 || mem_came(maildrop, n, &r) >= before)
			continue;
		if (maildrop_mark(maildrop, n) < 0)
			return err_sys(err, ENOMEM, "cannot mark messages");
	}
	return 0;
}

static int mem_refile(struct maildrop *maildrop, const struct store_owner *owner, struct err *err)
{
	struct mem_drop *const m = (struct mem_drop *)maildrop;
	struct mem_store *const s = (struct mem_store *)m->base.store;
	struct mem_box *to;
	int r;

	(void)pthread_mutex_lock(&s->lock);
	to = mem_box_get(s, owner->path);
	r = to == NULL ? -ENOMEM : take_marked(m, to);
	(void)pthread_mutex_unlock(&s->lock);
	return r < 0 ? err_sys(err, -r, "cannot move messages to '%s'", owner->path) : 0;
}

static int mem_key(struct maildrop *m, uint32_t n, const struct index_record *r,
		   char ret_key[static LIMIT_UIDL + 1], struct err *err)
{
	(void)m;
	(void)n;
	(void)err;
	memcpy(ret_key, r->text, r->uidl_len);
	ret_key[r->uidl_len] = '\0';
	return 0;
}

const struct store_driver store_mem_driver = {
	.name = "mem",
	.store_new = mem_new,
	.store_free = mem_free,
	.open = mem_open,
	.close = mem_close,
	.message = mem_message,
	.commit = mem_commit,
	.mark_older = mem_mark_older,
	.usage = mem_usage,
	.let_go = mem_let_go,
	.take_again = mem_take_again,
	.refile = mem_refile,
	.came = mem_came,
	.key = mem_key,
	.views = &mem_views_row,
	.deliver_begin = mem_deliver_begin,
	.deliver_commit = mem_deliver_commit,
	.deliver_free = mem_deliver_free,
};
