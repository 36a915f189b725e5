/* SPDX-License-Identifier: MIT */
/*
 * control.h - asking the server that runs, at its control socket (doc/ipc.md, "An operator").
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/ipc.h"
#include "ctl/ctl.h"

/* What the server said. Zero it; control_state_done() ends it. */
struct control_state {
	struct ipc_server server;
	struct ipc_process *processes; /* Owned */
	size_t n_processes;
	struct ipc_command *commands; /* Owned */
	size_t n_commands;
	struct ipc_session *sessions; /* Owned: younger ones first in each listener */
	size_t n_sessions;
};

/*
 * Asks how the server is, and unless select is NULL which of its sessions are meant by it, all
 * of them together. An exit status, EX_UNAVAILABLE when no server runs; what was wrong has been
 * said then, and *ret_state is empty. Blocks, for some seconds at most when nobody answers.
 */
int control_read(const struct ctl *ctl, const struct ipc_select *select,
		 struct control_state *ret_state);

/*
 * Closes the sessions that select means, of one listener or (0) of all. An exit status;
 * *ret_n is how many there were.
 */
int control_kick(const struct ctl *ctl, const struct ipc_select *select, uint64_t *ret_n);

void control_state_done(struct control_state *state);

/* "listener", "POP3S", "transaction", "draining": what there is in words. */
const char *control_role(uint32_t role);
const char *control_protocol(uint32_t protocol);
const char *control_session_state(uint32_t state);
const char *control_process_state(uint32_t state);
