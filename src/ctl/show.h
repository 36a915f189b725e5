/* SPDX-License-Identifier: MIT */
/*
 * show.h - what the server knows, as an operator or a program reads it. Names and addresses are
 * other people's octets: none of them reaches a terminal as it is.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Printable ASCII stays, all else becomes \xNN. Cut at cap, and always ended. */
void show_word(const char *text, char *ret, size_t cap);

/* A JSON string on standard output, with its quotes. What is no UTF-8 is taken octet by octet. */
void show_json(const char *text);

/* "5s", "12m", "3h07m", "9d04h". */
void show_elapsed(uint64_t seconds, char *ret, size_t cap);

/* "512", "14K", "3.1M": octets. */
void show_octets(uint64_t octets, char *ret, size_t cap);

/* "2026-11-25 09:30:00", in this machine's zone. */
void show_time(uint64_t seconds, char *ret, size_t cap);

/* What the kernel says of a process: 0 where it says nothing. */
struct process_use {
	uint64_t rss_bytes;
	uint64_t cpu_ms;
};

void show_process(pid_t pid, struct process_use *ret_use);
