/* SPDX-License-Identifier: MIT */
/*
 * address_count.h - how many connections each address has.
 *
 * All memory is had when it is made: there can't be more addresses than
 * connections. An IPv6 address counts as its /64, which is what one customer
 * gets.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

struct address_slot;

struct address_count {
	struct address_slot *_slots; /* Owned */
	uint64_t _mask;
	uint64_t _seed; /* strangers choose addresses, so they mustn't know where they go */
};

/* Room for max addresses at a time. -ENOMEM. Zeroed memory may be given to _done. */
int address_count_init(struct address_count *a, uint32_t max);
void address_count_done(struct address_count *a);

/* The address as IPv6 has it, IPv4 as ::ffff:a.b.c.d; all zero for one that is neither. */
void address_octets(const struct sockaddr *address, uint8_t ret_octets[16]);

/* What an address is counted as; 0 for one that isn't counted (a UNIX socket). */
uint64_t address_key(const struct sockaddr *address);

/* Counts one more, up to limit (0: any number). The number before; UINT32_MAX: not counted, it has
 * reached the limit. */
uint32_t address_count_add(struct address_count *a, uint64_t key, uint32_t limit);

/* One less. The key must have been added. */
void address_count_drop(struct address_count *a, uint64_t key);

/* How many there are now. */
uint32_t address_count_get(const struct address_count *a, uint64_t key);
