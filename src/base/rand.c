/* SPDX-License-Identifier: MIT */
#include "base/rand.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void rand_fill(void *p, size_t n)
{
	char *at = p;

	while (n > 0) {
		const ssize_t r = getrandom(at, n, 0);

		if (r < 0) {
			if (errno == EINTR)
				continue;
			abort();
		}
		at += r;
		n -= (size_t)r;
	}
}

uint64_t rand_u64(void)
{
	uint64_t v;

	rand_fill(&v, sizeof(v));
	return v;
}
