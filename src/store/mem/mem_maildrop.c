/* SPDX-License-Identifier: MIT */
#include "store/mem/mem_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
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
		free(box->path);
		free(box);
	}
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

struct mem_box *mem_box_get(struct mem_store *s, const char *path)
{
	struct mem_box *box = s->boxes;

	while (box != NULL && strcmp(box->path, path) != 0)
		box = box->next;
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

static int mem_open(struct store *store, const struct store_owner *owner,
		    struct maildrop **ret_maildrop, struct err *err)
{
	struct mem_store *const s = (struct mem_store *)store;
	struct mem_drop *const m = calloc(1, sizeof(*m));
	int r = 0;

	if (m == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", owner->path);
	m->base = (struct maildrop){.store = store, .snapshot_fd = -1};

	(void)pthread_mutex_lock(&s->lock);
	m->box = mem_box_get(s, owner->path);
	if (m->box == NULL)
		r = -ENOMEM;
	else if (m->box->busy)
		r = -EBUSY;
	else
		r = write_snapshot(m);
	if (r == 0)
		m->box->busy = true;
	(void)pthread_mutex_unlock(&s->lock);

	if (r < 0) {
		free(m);
		return err_sys(err, -r, "cannot open '%s'", owner->path);
	}
	*ret_maildrop = &m->base;
	return 0;
}

static void mem_close(struct maildrop *maildrop)
{
	struct mem_drop *const m = (struct mem_drop *)maildrop;
	struct mem_store *const s = (struct mem_store *)m->base.store;

	(void)pthread_mutex_lock(&s->lock);
	m->box->busy = false;
	(void)pthread_mutex_unlock(&s->lock);
	free(m);
}

static int mem_message(struct maildrop *maildrop, uint32_t n, struct store_message *ret_message,
		       struct err *err)
{
	struct mem_drop *const m = (struct mem_drop *)maildrop;
	struct mem_store *const s = (struct mem_store *)m->base.store;

	/* A delivery may move the array; its first messages are this session's own. */
	(void)pthread_mutex_lock(&s->lock);
	const struct mem_message message = m->box->messages[n - 1];
	const int fd = mem_reopen(message.fd);

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

static int mem_commit(struct maildrop *maildrop, struct err *err)
{
	struct mem_drop *const m = (struct mem_drop *)maildrop;
	struct mem_store *const s = (struct mem_store *)m->base.store;
	struct mem_box *const box = m->box;
	uint32_t kept = 0;

	(void)err;
	(void)pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; i < box->count; i++) {
		if (i < m->base.count && maildrop_is_marked(&m->base, i + 1))
			sys_close(box->messages[i].fd);
		else
			box->messages[kept++] = box->messages[i];
	}
	box->count = kept;
	(void)pthread_mutex_unlock(&s->lock);
	return 0;
}

/* The UIDL begins with the second. */
static int mem_mark_older(struct maildrop *maildrop, uint64_t before, struct err *err)
{
	struct mem_drop *const m = (struct mem_drop *)maildrop;
	struct mem_store *const s = (struct mem_store *)m->base.store;
	int r = 0;

	(void)err;
	(void)pthread_mutex_lock(&s->lock);
	for (uint32_t n = 1; n <= m->base.count && r == 0; n++) {
		const struct span uidl = index_record_uidl(&m->box->messages[n - 1].record);
		uint64_t came;

		if (num_parse_u64(span_of(uidl.p, span_find(uidl, '.')), UINT64_MAX, &came) &&
		    came < before)
			r = maildrop_mark(maildrop, n);
	}
	(void)pthread_mutex_unlock(&s->lock);
	return r;
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
	.deliver_begin = mem_deliver_begin,
	.deliver_commit = mem_deliver_commit,
	.deliver_free = mem_deliver_free,
};
