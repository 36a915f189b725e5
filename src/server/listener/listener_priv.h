/* SPDX-License-Identifier: MIT */
/*
 * listener_priv.h - what a listener process has, for the files of this folder.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/span.h"
#include "server/config.h"
#include "server/ipc.h"
#include "server/ipc_channel.h"
#include "server/listener/address_count.h"
#include "server/listener/session.h"
#include "server/listener/session_table.h"
#include "server/listener/signing.h"
#include "server/listener/timeout.h"
#include "server/process.h"

struct tls_server;

/* One listening socket. */
struct acceptor {
	struct listener *listener; /* Borrowed */
	const struct config_listen *config;
	uv_poll_t poll;
	int fd; /* Owned by the process */
	bool open;
};

/*
 * Memory for one step of any session, used and forgotten within one call: blocks
 * of files, what is encoded from them, messages to other processes.
 */
#define SCRATCH_OCTETS 65536U

struct listener {
	struct process *process;
	const struct config *config;
	uv_loop_t *loop;
	struct tls_server *tls;          /* Owned; NULL without a certificate */
	struct tls_ticket_keys *tickets; /* Owned; of tls */
	struct signing *signing;         /* Owned; NULL without a certificate */
	struct acceptor acceptors[CONFIG_LISTEN_MAX];
	uint32_t n_acceptors;

	/* Owned; NULL while the other process is away. */
	struct ipc_channel *auth;
	struct ipc_channel *storage;
	struct ipc_channel *monitor; /* also NULL where no operator can ask */

	struct session *sessions; /* Owned: all of them */
	uint32_t n_sessions;
	uint32_t max_sessions;
	uint64_t next_id;
	struct session_table table;
	struct address_count addresses;

	struct timeouts timeouts;
	uv_timer_t timer;
	uint64_t timer_due_ms;        /* UINT64_MAX: not running */
	uv_timer_t accept_timer;      /* after a lack of descriptors */
	uv_timer_t drain_timer;       /* looks who may be sent away */
	uv_timer_t drain_end_timer;   /* sends away everybody */
	uint64_t refused_logged_ms;   /* the last line about refused connections */
	uint32_t refused;             /* since then */
	uint64_t untrusted_logged_ms; /* the same about who isn't in proxy_trusted */
	uint32_t untrusted;
	bool draining;

	union ipc_msg msg; /* to build messages in */
	char scratch[SCRATCH_OCTETS];
	char scratch_out[SCRATCH_OCTETS];
};

/* accept.c */
int acceptors_open(struct listener *l, struct err *err);
void acceptors_close(struct listener *l);

/* One more connection of this address. False, after a line in the log, when it has too many. */
bool accept_counts(struct listener *l, uint64_t key);

/* What such a client is told; nothing, where that needs a handshake. */
struct span accept_refusal(enum config_protocol protocol);

/* operator.c: what the monitor asks for an operator. */
void operator_message(struct ipc_channel *ch, const union ipc_msg *m, int fd);

/* listener.c: the session's deadline begins anew. */
void listener_set_timeout(struct listener *l, struct session *s, enum timeout_kind kind);

/* A session has gone. */
void listener_session_gone(struct listener *l);
