/* SPDX-License-Identifier: MIT */
#include "server/listener/deletions.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t size_for(uint32_t count)
{
	return ((size_t)count + 7) / 8;
}

int deletions_mark(struct deletions *d, uint32_t count, uint32_t n, uint64_t octets)
{
	assert(n >= 1 && n <= count && !deletions_has(d, n));
	if (d->_bits == NULL) {
		d->_bits = calloc(size_for(count), 1);
		if (d->_bits == NULL)
			return -ENOMEM;
	}
	d->_bits[(n - 1) / 8] |= (uint8_t)(1U << (n - 1) % 8);
	d->marked++;
	d->octets += octets;
	return 0;
}

bool deletions_has(const struct deletions *d, uint32_t n)
{
	return d->_bits != NULL && (d->_bits[(n - 1) / 8] & 1U << (n - 1) % 8) != 0;
}

void deletions_clear(struct deletions *d)
{
	free(d->_bits);
	*d = (struct deletions){0};
}

size_t deletions_packet(const struct deletions *d, uint32_t count, uint32_t *first,
			uint32_t *ret_first, uint8_t *bits, size_t max)
{
	const size_t size = size_for(count);
	size_t at = (*first - 1) / 8;

	if (d->_bits == NULL)
		return 0;
	while (at < size && d->_bits[at] == 0)
		at++;
	if (at == size)
		return 0;

	size_t n = size - at < max ? size - at : max;

	while (d->_bits[at + n - 1] == 0)
		n--;
	memcpy(bits, d->_bits + at, n);
	*ret_first = (uint32_t)(at * 8 + 1);
	*first = (uint32_t)((at + n) * 8 + 1);
	return n;
}
