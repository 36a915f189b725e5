/* SPDX-License-Identifier: MIT */
/*
 * ipc_channel.h - one end of a SOCK_SEQPACKET socket on an event loop: checked
 * messages in, queued messages out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "server/ipc.h"

/*
 * What may wait for a peer that doesn't read. Ten thousand logins at once are
 * 14 MiB; more than this means that the peer has stopped.
 */
#define IPC_QUEUE_OCTETS (32U << 20)

struct ipc_channel;
struct ipc_queued;

/*
 * m is valid (ipc_check) and lives for the call; it is wiped afterwards, for it
 * may hold a password. fd is -1 or now belongs to the callee.
 */
typedef void ipc_on_message(struct ipc_channel *ch, const union ipc_msg *m, int fd);

/*
 * The peer is gone, or sent what it may not (already logged). Called once, from
 * the loop, never from inside ipc_send(); the channel is closed already and its
 * memory may be freed in this call.
 */
typedef void ipc_on_closed(struct ipc_channel *ch);

struct ipc_channel {
	void *owner; /* the caller's own. Borrowed */
	enum ipc_role self;
	enum ipc_role peer;
	uint32_t peer_id;
	ipc_on_message *on_message;
	ipc_on_closed *on_closed;

	uv_poll_t _poll;
	int _fd;                   /* Owned */
	struct ipc_queued *_first; /* Owned: what the socket would not take yet */
	struct ipc_queued **_last;
	size_t _queued; /* octets */
	uv_close_cb _closed_cb;
	uint8_t _state;
};

/*
 * Fill the public members first. fd is set non-blocking and owned from here on,
 * also when this fails. 0 or negative errno.
 */
int ipc_channel_open(struct ipc_channel *ch, uv_loop_t *loop, int fd);

/*
 * Sends, or queues when the socket is full. fd is -1 or borrowed (it is
 * duplicated if it must wait). Any error, and a peer that leaves IPC_QUEUE_OCTETS
 * unread, ends the channel: on_closed follows, from
 * the loop, and later sends do nothing. The caller needs no result: what was not
 * answered when on_closed comes has failed.
 */
void ipc_channel_send(struct ipc_channel *ch, const union ipc_msg *m, int fd);

/*
 * Reads and handles what has already arrived, now. Storage calls it on auth's
 * channel before it says that there is no grant: auth sends the grant first, but
 * the listener's channel may be read first.
 */
void ipc_channel_read_now(struct ipc_channel *ch);

/*
 * Closes without on_closed; closing what is closed already, or closing itself, is
 * fine. *ch's memory is in use until closed_cb, whose handle's data is ch.
 */
void ipc_channel_close(struct ipc_channel *ch, uv_close_cb closed_cb);
