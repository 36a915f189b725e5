/* SPDX-License-Identifier: MIT */
/*
 * deletions.h - which messages of a session are marked deleted: one bit each,
 * had at the first DELE. Message numbers go from 1 to the count.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero it; deletions_clear() ends it. */
struct deletions {
	uint8_t *_bits; /* Owned; NULL as long as nothing is marked */
	uint32_t marked;
	uint64_t octets; /* of the marked messages together */
};

/* Marks message n of count, which isn't marked and has so many octets. -ENOMEM. */
int deletions_mark(struct deletions *d, uint32_t count, uint32_t n, uint64_t octets);

bool deletions_has(const struct deletions *d, uint32_t n);

/* Nothing is marked any more (RSET), and no memory is held. */
void deletions_clear(struct deletions *d);

/*
 * The marks in packets, for IPC_MARK: looks from message *first on (1 at first;
 * one more than a multiple of 8, as it is left here), skips what is clear, and
 * copies up to max octets of bits, bit 0 of the first one being message
 * *ret_first. Returns the octets copied; 0: no more.
 */
size_t deletions_packet(const struct deletions *d, uint32_t count, uint32_t *first,
			uint32_t *ret_first, uint8_t *bits, size_t max);
