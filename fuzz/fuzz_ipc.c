/* SPDX-License-Identifier: MIT */
/*
 * A packet from a process that was taken over: sender, receiver, descriptor, then
 * the octets. What ipc_check() lets through must be what its own sender would have
 * sent: of the length that ipc_length() says, with strings that end inside of it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3 || size - 3 > sizeof(union ipc_msg))
		return 0;

	const enum ipc_role from = (enum ipc_role)(data[0] % IPC_PEERS);
	const enum ipc_role to = (enum ipc_role)(data[1] % IPC_PEERS);
	const size_t n = size - 3;
	/* Exactly as long as it came: a look behind its end is found by the sanitizer. */
	union ipc_msg *const m = malloc(n == 0 ? 1 : n);

	if (m == NULL)
		return 0;
	memcpy(m, data + 3, n);
	if (ipc_check(m, n, (data[2] & 1) != 0, from, to)) {
		if (ipc_length(m) != n || strcmp(ipc_type_name(m->head.type), "?") == 0)
			abort();
		/* In the other direction it would be another process's word. */
		if (from != to && ipc_check(m, n, (data[2] & 1) != 0, to, from))
			abort();
		if (ipc_check(m, n, (data[2] & 1) == 0, from, to))
			abort();
	}
	free(m);
	return 0;
}
