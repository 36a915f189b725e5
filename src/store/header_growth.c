/* SPDX-License-Identifier: MIT */
#include "store/header_growth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/mail/downgrade.h"
#include "store/store_sys.h"

/* Nearly every header ends in it. */
#define FIRST 8192
/* One more octet than is looked at, which shows that the header goes on. */
#define ALL (DOWNGRADE_HEADER_MAX + 8)

_Static_assert(DOWNGRADE_GROWTH_MAX <= INT16_MAX, "it fits where it is kept");

/* Octets, fewer than cap at the end of the file; or as the disk says. */
static ssize_t read_start(int fd, char *p, size_t cap)
{
	size_t n = 0;

	while (n < cap) {
		const ssize_t got = sys_pread(fd, p + n, cap - n, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static bool has_blank_line(struct span s)
{
	return memmem(s.p, s.n, "\n\n", 2) != NULL || memmem(s.p, s.n, "\n\r\n", 3) != NULL;
}

static int measure(struct span start, bool whole, struct header_growth *ret)
{
	char *const scratch = malloc(DOWNGRADE_OUT_MAX);
	int32_t growth = 0;

	if (scratch == NULL)
		return -ENOMEM;
	ret->utf8 = downgrade_measure(start, whole, scratch, &growth) == DOWNGRADE_NEEDED;
	ret->value = (int16_t)growth;
	free(scratch);
	return 0;
}

static int measure_long(int fd, struct header_growth *ret)
{
	char *const p = malloc(ALL);
	const ssize_t n = p != NULL ? read_start(fd, p, ALL) : -ENOMEM;
	int r = n < 0 ? (int)n : 0;

	if (r == 0)
		r = measure(span_of(p, (size_t)n), n < ALL, ret);
	free(p);
	return r;
}

int header_growth(int fd, struct header_growth *ret)
{
	char start[FIRST];
	const ssize_t n = read_start(fd, start, sizeof(start));

	*ret = (struct header_growth){.utf8 = false};
	if (n < 0)
		return (int)n;

	const struct span s = span_of(start, (size_t)n);

	if (n == FIRST && !has_blank_line(s))
		return measure_long(fd, ret);
	return measure(s, n < FIRST, ret);
}
