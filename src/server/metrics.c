/* SPDX-License-Identifier: MIT */
#include "server/metrics.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES (METRICS_PROCESSES + 1)

/* Whole pages of the machine, or a child couldn't keep one and drop its neighbours. */
#define PAGE_BYTES 8192

struct page {
	_Atomic uint64_t values[METRICS];
};

_Static_assert(sizeof(struct page) <= PAGE_BYTES, "page");

union slot {
	struct page page;
	char bytes[PAGE_BYTES];
};

/* Nothing in it but what the master writes, behind a number that is odd while it does. */
struct head {
	_Atomic uint32_t turn;
	struct metrics_snapshot said;
	bool used[PAGES];
};

#define HEAD_BYTES ((sizeof(struct head) + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES)

/* Page 0 is the master's own, and of those that have gone. */
struct metrics_area {
	struct head head;
	char padding[HEAD_BYTES - sizeof(struct head)];
	union slot slots[PAGES];
};

/* Where this process counts, when nobody has given it a place. */
static struct page nowhere;
static struct page *mine = &nowhere;

static const uint64_t bounds[METRIC_BUCKETS] = {
	100000,    500000,    1000000,    5000000,    10000000,    50000000,
	100000000, 500000000, 1000000000, 5000000000, 10000000000, UINT64_MAX,
};

uint64_t metric_bound(unsigned bucket)
{
	return bounds[bucket];
}

void metric_add(unsigned metric, uint64_t n)
{
	assert(metric < METRICS);
	(void)atomic_fetch_add_explicit(&mine->values[metric], n, memory_order_relaxed);
}

void metric_sub(unsigned metric, uint64_t n)
{
	metric_add(metric, -n);
}

void metric_time(enum metric_timed timed, uint64_t ns)
{
	const unsigned first = METRIC_TIME + (unsigned)timed * METRIC_HISTOGRAM;
	unsigned bucket = 0;

	while (ns > bounds[bucket])
		bucket++;
	metric_add(first + bucket, 1);
	metric_add(first + METRIC_BUCKETS, ns);
}

struct metrics_area *metrics_area_new(void)
{
	struct metrics_area *const area = mmap(NULL, sizeof(*area), PROT_READ | PROT_WRITE,
					       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		return NULL;
	area->head.used[0] = true;
	mine = &area->slots[0].page;
	return area;
}

int metrics_reserve(struct metrics_area *area)
{
	if (area == NULL)
		return -1;
	for (int i = 1; i < PAGES; i++) {
		if (!area->head.used[i]) {
			area->head.used[i] = true;
			return i;
		}
	}
	return -1;
}

void metrics_take(struct metrics_area *area, int page, bool read_all)
{
	char *const begin = (char *)area;

	mine = &nowhere;
	if (area == NULL)
		return;
	if (read_all) {
		/* What it has to count itself, nobody reads. */
		(void)mprotect(area, sizeof(*area), PROT_READ);
		return;
	}

	const size_t at = page < 0 ? sizeof(*area)
				   : offsetof(struct metrics_area, slots) +
					     (size_t)page * PAGE_BYTES;
	const size_t next = page < 0 ? at : at + PAGE_BYTES;

	(void)munmap(begin, at);
	if (next < sizeof(*area))
		(void)munmap(begin + next, sizeof(*area) - next);
	if (page >= 0)
		mine = (struct page *)(begin + at);
}

/* ThreadSanitizer knows no fences (and gcc says so); between processes it sees nothing anyway. */
static void fence(memory_order order)
{
#ifdef __SANITIZE_THREAD__
	atomic_signal_fence(order);
#else
	atomic_thread_fence(order);
#endif
}

static void begin_turn(struct metrics_area *area)
{
	(void)atomic_fetch_add_explicit(&area->head.turn, 1, memory_order_relaxed);
	fence(memory_order_release);
}

static void end_turn(struct metrics_area *area)
{
	(void)atomic_fetch_add_explicit(&area->head.turn, 1, memory_order_release);
}

void metrics_retire(struct metrics_area *area, int page)
{
	if (area == NULL || page < 0)
		return;

	struct page *const from = &area->slots[page].page;

	begin_turn(area);
	for (unsigned i = 0; i < METRICS; i++) {
		const uint64_t n = atomic_exchange_explicit(&from->values[i], 0,
							    memory_order_relaxed);

		if (i < METRIC_GAUGES)
			(void)atomic_fetch_add_explicit(&area->slots[0].page.values[i], n,
							memory_order_relaxed);
	}
	end_turn(area);
	area->head.used[page] = false;
}

struct metrics_snapshot *metrics_begin(struct metrics_area *area)
{
	begin_turn(area);
	return &area->head.said;
}

void metrics_commit(struct metrics_area *area)
{
	end_turn(area);
}

static void add_page(const struct page *page, uint64_t *values)
{
	for (unsigned i = 0; i < METRICS; i++) {
		const uint64_t n = atomic_load_explicit(&page->values[i], memory_order_relaxed);

		if (i != METRIC_CERTIFICATE_EXPIRY)
			values[i] += n;
		else if (n != 0 && (values[i] == 0 || n < values[i]))
			values[i] = n;
	}
}

bool metrics_read(const struct metrics_area *area, struct metrics_snapshot *ret)
{
	const uint32_t before = atomic_load_explicit(&area->head.turn, memory_order_acquire);

	if ((before & 1) != 0)
		return false;
	memcpy(ret, &area->head.said, sizeof(*ret));
	memset(ret->values, 0, sizeof(ret->values));
	for (int page = 0; page < PAGES; page++) {
		if (area->head.used[page])
			add_page(&area->slots[page].page, ret->values);
	}
	fence(memory_order_acquire);
	return atomic_load_explicit(&area->head.turn, memory_order_relaxed) == before &&
	       ret->n_processes <= METRICS_PROCESSES;
}
