/* SPDX-License-Identifier: MIT */
#include "store/mem/mem_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/dot.h"
#include "store/copy.h"
#include "store/header_growth.h"
#include "store/store_sys.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

int mem_deliver_begin(struct store *s, const struct store_owner *owner,
		      struct delivery **ret_delivery, struct err *err)
{
	struct delivery *const d = calloc(1, sizeof(*d));

	if (d == NULL)
		return err_sys(err, ENOMEM, "cannot take a message for '%s'", owner->path);
	d->store = s;
	d->fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (d->fd < 0) {
		const int r = err_sys(err, errno, "cannot take a message for '%s'", owner->path);

		free(d);
		return r;
	}
	*ret_delivery = d;
	return 0;
}

void mem_deliver_free(struct delivery *d)
{
	sys_close(d->fd);
	free(d);
}

static int no_memory(const struct store_owner *owner, struct err *err)
{
	return err_sys(err, ENOMEM, "cannot deliver to '%s'", owner->path);
}

static int append(struct mem_store *s, const struct store_owner *owner, int fd, uint64_t octets,
		  uint64_t dot_lines, struct err *err)
{
	struct mem_box *const box = mem_box_get(s, owner->path);
	struct header_growth growth;

	if (box == NULL)
		return no_memory(owner, err);

	const struct store_usage used = mem_box_usage(box);
	const int room = store_room(owner, &used, octets, err);

	if (room < 0)
		return room;

	const int measured = header_growth(fd, &growth);

	if (measured < 0)
		return err_sys(err, -measured, "cannot deliver to '%s'", owner->path);

	struct mem_message message = {.fd = fd, .came = ++s->delivered};
	struct index_record *const r = &message.record;

	r->octets = octets;
	r->bytes = octets;
	r->flags = INDEX_CRLF | INDEX_NAME_DERIVED | (dot_lines == 0 ? INDEX_NO_DOT : 0U) |
		   (growth.utf8 ? INDEX_UTF8_HEADER : 0U);
	r->growth = growth.value;
	r->uidl_len = (uint8_t)snprintf(r->text, sizeof(r->text), "%llu.%llu",
					(unsigned long long)(clock_wall_ns() / 1000000000U),
					(unsigned long long)message.came);
	return mem_box_put(box, &message) < 0 ? no_memory(owner, err) : 0;
}

/* A descriptor for this target's own message: the same octets, or a copy with the prefix. */
static int target_fd(const struct delivery *d, const struct delivery_info *info, struct span prefix)
{
	int fd;
	int r;

	if (prefix.n == 0) {
		fd = fcntl(d->fd, F_DUPFD_CLOEXEC, 0);
		return fd >= 0 ? fd : -errno;
	}
	fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	r = copy_message(fd, prefix, d->fd, info);
	if (r == 0 && fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		r = -errno;
	if (r < 0)
		sys_close(fd);
	return r < 0 ? r : fd;
}

void mem_deliver_commit(struct delivery *d, const struct delivery_info *info,
			struct delivery_target *targets, size_t n, struct err *err)
{
	struct mem_store *const s = (struct mem_store *)d->store;
	bool failed = false;

	/* Shared from now on, perhaps by several: the writer has no more say in it. */
	(void)fcntl(d->fd, F_ADD_SEALS, SEALS);

	for (size_t i = 0; i < n; i++) {
		struct delivery_target *const t = &targets[i];
		struct dot_measure prefix = {0};
		struct err why;
		const int fd = target_fd(d, info, t->prefix);

		dot_measure(&prefix, t->prefix);
		if (fd >= 0) {
			(void)pthread_mutex_lock(&s->lock);
			t->status = append(s, &t->owner, fd, info->octets + t->prefix.n,
					   info->dot_lines + prefix.dot_lines, &why);
			(void)pthread_mutex_unlock(&s->lock);
			if (t->status < 0)
				sys_close(fd);
		} else {
			t->status = err_sys(&why, -fd, "cannot deliver to '%s'", t->owner.path);
		}
		if (t->status < 0 && !failed) {
			failed = true;
			*err = why;
		}
	}
}
