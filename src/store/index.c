/* SPDX-License-Identifier: MIT */
#include "store/index.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/rand.h"
#include "store/store_sys.h"

#define BUFFER_SIZE ((size_t)512 * INDEX_RECORD_SIZE)

/*
 * The kernel stamps files with the time of its last tick, some milliseconds ago
 * (newer kernels: or with the exact time). We stamp with the exact time of now,
 * which is later than the last tick and earlier than the next, and later than any
 * exact time that was stamped before. So no change by another program, before or
 * after ours, in the same tick or not, leaves a file with our value. The one
 * collision that could be, the tick itself, is stepped past.
 */
uint64_t index_stamp_ns(void)
{
	struct timespec tick;
	const uint64_t now = clock_wall_ns();

	if (clock_gettime(CLOCK_REALTIME_COARSE, &tick) == 0 && sys_ns(tick) == now)
		return now + 1;
	return now;
}

/* A UUID; the digits of its first half are random enough to tell boots apart. */
uint64_t index_boot(void)
{
	const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[36];
	uint64_t boot = 0;
	int digits = 0;

	if (fd < 0)
		return rand_u64();
	for (ssize_t i = 0, n = read(fd, text, sizeof(text)); i < n && digits < 16; i++) {
		const char c = text[i];

		if (c == '-')
			continue;
		boot = boot << 4 | (uint64_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
		digits++;
	}
	sys_close(fd);
	return digits == 16 ? boot : rand_u64();
}

enum index_trust index_judge(const char *raw, const struct stat *st, uint64_t boot,
			     struct index_header *ret_header)
{
	struct index_header h;

	if (!index_header_decode(raw, &h))
		return INDEX_USELESS;

	const uint64_t size = INDEX_HEADER_SIZE + (uint64_t)h.count * INDEX_RECORD_SIZE;
	const bool ours = (uint64_t)st->st_size == size && sys_ns(st->st_mtim) == h.made_ns;

	*ret_header = h;
	return !ours ? INDEX_DOUBTED : h.boot == boot ? INDEX_TRUSTED : INDEX_UNPROVEN;
}

int index_read_header(int fd, const struct stat *st, uint64_t boot, struct index_header *ret_header,
		      enum index_trust *ret_trust)
{
	char raw[INDEX_HEADER_SIZE];

	*ret_trust = INDEX_USELESS;
	if (sys_pread_all(fd, raw, sizeof(raw), 0) < 0)
		return errno == ENODATA ? 0 : -errno;
	*ret_trust = index_judge(raw, st, boot, ret_header);
	return 0;
}

static uint64_t record_at(uint32_t n)
{
	return INDEX_HEADER_SIZE + (uint64_t)(n - 1) * INDEX_RECORD_SIZE;
}

int index_read_record(int fd, uint32_t n, struct index_record *ret_record)
{
	char raw[INDEX_RECORD_SIZE];

	if (sys_pread_all(fd, raw, sizeof(raw), record_at(n)) < 0)
		return errno == ENODATA ? -EBADMSG : -errno;
	return index_record_decode(raw, ret_record) ? 0 : -EBADMSG;
}

int index_reader_init(struct index_reader *r, int fd, uint32_t count)
{
	*r = (struct index_reader){.fd = fd, .next = 1, .count = count};
	r->buf = malloc(BUFFER_SIZE);
	return r->buf != NULL ? 0 : -ENOMEM;
}

void index_reader_done(struct index_reader *r)
{
	free(r->buf);
	*r = (struct index_reader){0};
}

/* More records into the buffer: as many as there are, at most what fits. */
static int fill(struct index_reader *r)
{
	const uint64_t left = (uint64_t)(r->count - r->next + 1) * INDEX_RECORD_SIZE;
	const size_t want = left < BUFFER_SIZE ? (size_t)left : BUFFER_SIZE;

	r->at = 0;
	r->have = 0;
	while (r->have < want) {
		const ssize_t got = sys_pread(r->fd, r->buf + r->have, want - r->have,
					      record_at(r->next) + r->have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		r->have += (size_t)got;
	}
	return 0;
}

int index_reader_next(struct index_reader *r, struct index_record *ret_record)
{
	if (r->next > r->count)
		return 0;
	if (r->have - r->at < INDEX_RECORD_SIZE) {
		const int e = fill(r);

		if (e < 0)
			return e;
		if (r->have < INDEX_RECORD_SIZE) {
			/* The file is shorter than its header says. */
			r->next = r->count + 1;
			return 0;
		}
	}

	const bool ok = index_record_decode(r->buf + r->at, ret_record);

	r->at += INDEX_RECORD_SIZE;
	r->next++;
	return ok ? 1 : -EBADMSG;
}

int index_prove(int fd, uint32_t count)
{
	struct index_reader reader;
	struct index_record record;
	uint32_t n = 0;
	int r = index_reader_init(&reader, fd, count);

	while (r == 0) {
		const int got = index_reader_next(&reader, &record);

		if (got == 0)
			break;
		n++;
		r = got < 0 ? got : 0;
	}
	index_reader_done(&reader);
	if (r == 0)
		return n == count ? 1 : 0;
	return r == -EBADMSG ? 0 : r;
}

int index_writer_init(struct index_writer *w, int fd, const struct index_header *old)
{
	*w = (struct index_writer){.fd = fd};
	if (old != NULL)
		w->header = *old;
	w->buf = malloc(BUFFER_SIZE);
	return w->buf != NULL ? 0 : -ENOMEM;
}

void index_writer_done(struct index_writer *w)
{
	free(w->buf);
	w->buf = NULL;
}

static int flush(struct index_writer *w)
{
	const uint32_t first = w->header.count - (uint32_t)(w->n / INDEX_RECORD_SIZE) + 1;

	if (sys_pwrite_all(w->fd, w->buf, w->n, record_at(first)) < 0)
		return -errno;
	w->n = 0;
	return 0;
}

int index_writer_put(struct index_writer *w, const struct index_record *record)
{
	if (w->header.count == INDEX_COUNT_MAX)
		return -E2BIG;
	if (w->n == BUFFER_SIZE) {
		const int r = flush(w);

		if (r < 0)
			return r;
	}
	index_record_encode(record, w->buf + w->n);
	w->n += INDEX_RECORD_SIZE;
	w->header.count++;
	w->header.octets += record->octets;
	w->header.growth += record->growth;
	w->header.away += (record->flags & INDEX_AWAY) != 0 ? 1 : 0;
	return 0;
}

/* Gives the file this time, and says what the file system made of it. */
static int set_time(int fd, uint64_t ns, uint64_t *ret_ns)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, sys_timespec(ns)};
	struct stat st;

	if (sys_futimens(fd, times) < 0 || sys_fstat(fd, &st) < 0)
		return -errno;
	*ret_ns = sys_ns(st.st_mtim);
	return 0;
}

int index_writer_finish(struct index_writer *w, const struct index_mark dirs[2], uint64_t boot)
{
	char raw[INDEX_HEADER_SIZE];
	uint64_t got = 0;
	int r = w->n > 0 ? flush(w) : 0;

	w->header.dirs[0] = dirs[0];
	w->header.dirs[1] = dirs[1];
	w->header.boot = boot;
	w->header.made_ns = index_stamp_ns();
	/* A second turn for a file system with coarser times than ours: with a time it can hold. */
	for (int turn = 0; r == 0 && turn < 2; turn++) {
		index_header_encode(&w->header, raw);
		if (sys_pwrite_all(w->fd, raw, sizeof(raw), 0) < 0)
			return -errno;
		r = set_time(w->fd, w->header.made_ns, &got);
		if (r < 0 || got == w->header.made_ns)
			break;
		w->header.made_ns = got;
	}
	return r;
}
