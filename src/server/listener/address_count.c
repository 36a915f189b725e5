/* SPDX-License-Identifier: MIT */
#include "server/listener/address_count.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"

/* Free when key is 0. Found by open addressing, never more than half of them taken. */
struct address_slot {
	uint64_t key;
	uint32_t count;
};

int address_count_init(struct address_count *a, uint32_t max)
{
	uint64_t n = 16;

	while (n < 2 * (uint64_t)max)
		n *= 2;
	a->_slots = calloc(n, sizeof(*a->_slots));
	if (a->_slots == NULL)
		return -ENOMEM;
	a->_mask = n - 1;
	a->_seed = rand_u64() | 1;
	return 0;
}

void address_count_done(struct address_count *a)
{
	free(a->_slots);
	*a = (struct address_count){0};
}

/* IPv4 lives where no /64 is ever given out: 0:ffff:a.b.c.d. */
static uint64_t key_v4(uint32_t network_order)
{
	return UINT64_C(0xffff) << 32 | ntohl(network_order);
}

void address_octets(const struct sockaddr *address, uint8_t ret_octets[16])
{
	memset(ret_octets, 0, 16);
	if (address->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, address, sizeof(v4));
		ret_octets[10] = ret_octets[11] = 0xff;
		memcpy(ret_octets + 12, &v4.sin_addr, sizeof(v4.sin_addr));
	} else if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;

		memcpy(&v6, address, sizeof(v6));
		memcpy(ret_octets, &v6.sin6_addr, sizeof(v6.sin6_addr));
	}
}

uint64_t address_key(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, address, sizeof(v4));
		return key_v4(v4.sin_addr.s_addr);
	}
	if (address->sa_family != AF_INET6)
		return 0;

	struct sockaddr_in6 v6;
	uint64_t key = 0;

	memcpy(&v6, address, sizeof(v6));
	if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
		uint32_t v4;

		memcpy(&v4, v6.sin6_addr.s6_addr + 12, sizeof(v4));
		return key_v4(v4);
	}
	for (int i = 0; i < 8; i++)
		key = key << 8 | v6.sin6_addr.s6_addr[i];
	/* ::1 is counted too. */
	return key != 0 ? key : 1;
}

static uint64_t home(const struct address_count *a, uint64_t key)
{
	uint64_t h = key ^ a->_seed;

	h *= UINT64_C(0x9e3779b97f4a7c15);
	h ^= h >> 29;
	h *= a->_seed;
	h ^= h >> 32;
	return h & a->_mask;
}

/* Where key is, or the free slot where it would go. */
static uint64_t find(const struct address_count *a, uint64_t key)
{
	uint64_t i = home(a, key);

	while (a->_slots[i].key != 0 && a->_slots[i].key != key)
		i = (i + 1) & a->_mask;
	return i;
}

uint32_t address_count_add(struct address_count *a, uint64_t key, uint32_t limit)
{
	struct address_slot *const slot = &a->_slots[find(a, key)];

	assert(key != 0);
	if (limit != 0 && slot->count >= limit)
		return UINT32_MAX;
	slot->key = key;
	return slot->count++;
}

/* Closes the gap, so that find() never stops before what it looks for. */
static void remove_slot(struct address_count *a, uint64_t gap)
{
	uint64_t i = gap;

	for (;;) {
		i = (i + 1) & a->_mask;
		if (a->_slots[i].key == 0)
			break;

		const uint64_t from_home = (i - home(a, a->_slots[i].key)) & a->_mask;
		const uint64_t from_gap = (i - gap) & a->_mask;

		if (from_home >= from_gap) {
			a->_slots[gap] = a->_slots[i];
			gap = i;
		}
	}
	a->_slots[gap] = (struct address_slot){0};
}

void address_count_drop(struct address_count *a, uint64_t key)
{
	const uint64_t i = find(a, key);

	assert(a->_slots[i].key == key && a->_slots[i].count > 0);
	if (--a->_slots[i].count == 0)
		remove_slot(a, i);
}

uint32_t address_count_get(const struct address_count *a, uint64_t key)
{
	return a->_slots[find(a, key)].count;
}
