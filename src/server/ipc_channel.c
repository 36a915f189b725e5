/* SPDX-License-Identifier: MIT */
#include "server/ipc_channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"
#include "net/fdpass.h"

/* Messages handled in one turn of the loop: one busy peer can't keep the others waiting. */
#define MESSAGES_PER_TURN 64

#define DEPTH_MAX 3

enum state { CLOSED, OPEN, FAILED, CLOSING };

/* A message that the socket would not take yet. */
struct ipc_queued {
	struct ipc_queued *next;
	int fd; /* -1 or owned */
	size_t n;
	char bytes[];
};

/*
 * Messages are read here, not into memory of each channel. Three, because a
 * handler may call ipc_channel_read_now() on another channel while its own
 * message is still in use, and so may that one's. Zero whenever no message is being handled.
 */
static union ipc_msg received[DEPTH_MAX];
static unsigned depth;

static const char *role_name(enum ipc_role role)
{
	static const char *const names[IPC_PEERS] = {
		[IPC_MASTER] = "master",   [IPC_LISTENER] = "listener", [IPC_AUTH] = "auth",
		[IPC_STORAGE] = "storage", [IPC_MONITOR] = "monitor",   [IPC_PAM] = "pam",
		[IPC_SIGNER] = "signer",   [IPC_OPERATOR] = "operator",
	};

	return names[role];
}

static void drop_queue(struct ipc_channel *ch)
{
	while (ch->_first != NULL) {
		struct ipc_queued *const q = ch->_first;

		ch->_first = q->next;
		if (q->fd >= 0)
			(void)close(q->fd);
		secret_wipe(q->bytes, q->n);
		free(q);
	}
	ch->_last = &ch->_first;
	ch->_queued = 0;
}

/*
 *   OPEN --fail()--> FAILED --closed()--> CLOSED, then on_closed
 *     |                 |
 *     +--- _close() ----+--> CLOSING --closed()--> CLOSED, then closed_cb
 *
 * Outside OPEN nothing is sent or received and _fd is closed. Until CLOSED, libuv
 * uses the memory of _poll.
 */
static void closed(uv_handle_t *handle)
{
	struct ipc_channel *const ch = handle->data;
	const uint8_t state = ch->_state;

	ch->_state = CLOSED;
	if (state == FAILED)
		ch->on_closed(ch);
	else if (ch->_closed_cb != NULL)
		ch->_closed_cb(handle);
}

static void stop(struct ipc_channel *ch, enum state next)
{
	ch->_state = (uint8_t)next;
	(void)uv_poll_stop(&ch->_poll);
	uv_close((uv_handle_t *)&ch->_poll, closed);
	(void)close(ch->_fd);
	ch->_fd = -1;
	drop_queue(ch);
}

static void fail(struct ipc_channel *ch, const char *why, int error)
{
	const bool known = error != 0;

	log_event(LOG_LEVEL_DEBUG, "channel-closed", log_str("peer", role_name(ch->peer)),
		  log_num("peer_id", ch->peer_id), log_str("reason", why),
		  log_str(known ? "error" : NULL, known ? strerror(-error) : ""));
	stop(ch, FAILED);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static int watch(struct ipc_channel *ch)
{
	const int events = UV_READABLE | (ch->_first != NULL ? UV_WRITABLE : 0);

	return uv_poll_start(&ch->_poll, events, on_poll);
}

/* Reads one message and hands it to the owner. False when there is none, or no channel any more. */
static bool receive(struct ipc_channel *ch)
{
	assert(depth < DEPTH_MAX);

	union ipc_msg *const m = &received[depth];
	int fd;
	const ssize_t n = fdpass_recv(ch->_fd, m, sizeof(*m), &fd);

	if (n == -EAGAIN)
		return false;
	if (n == 0 || (n < 0 && n != -EBADMSG)) {
		fail(ch, n == 0 ? "the peer closed it" : "reading failed", (int)n);
		return false;
	}
	if (n < 0 || !ipc_check(m, (size_t)n, fd >= 0, ch->peer, ch->self)) {
		log_event(LOG_LEVEL_ERROR, "ipc-refused", log_str("peer", role_name(ch->peer)),
			  log_num("peer_id", ch->peer_id),
			  log_str("type", n < 0 ? "?" : ipc_type_name(m->head.type)),
			  log_num("octets", n < 0 ? 0 : (uint64_t)n));
		if (fd >= 0)
			(void)close(fd);
		/* What recvmsg cut off has filled it all. */
		secret_wipe(m, n < 0 ? sizeof(*m) : (size_t)n);
		fail(ch, "it sent what it may not", 0);
		return false;
	}
	depth++;
	ch->on_message(ch, m, fd);
	depth--;
	secret_wipe(m, (size_t)n);
	return ch->_state == OPEN;
}

static void flush(struct ipc_channel *ch)
{
	while (ch->_first != NULL) {
		struct ipc_queued *const q = ch->_first;
		const int r = fdpass_send(ch->_fd, q->bytes, q->n, q->fd);

		if (r == -EAGAIN)
			return;
		if (r < 0) {
			fail(ch, "writing failed", r);
			return;
		}
		ch->_first = q->next;
		if (ch->_first == NULL)
			ch->_last = &ch->_first;
		ch->_queued -= q->n;
		if (q->fd >= 0)
			(void)close(q->fd);
		secret_wipe(q->bytes, q->n);
		free(q);
	}
	const int r = watch(ch);

	if (r < 0)
		fail(ch, "cannot be watched", r);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct ipc_channel *const ch = poll->data;

	if (status < 0) {
		fail(ch, "cannot be watched", status);
		return;
	}
	if ((events & UV_WRITABLE) != 0)
		flush(ch);
	for (int i = 0; i < MESSAGES_PER_TURN && ch->_state == OPEN; i++) {
		if (!receive(ch))
			break;
	}
}

int ipc_channel_open(struct ipc_channel *ch, uv_loop_t *loop, int fd)
{
	assert(ch->on_message != NULL && ch->on_closed != NULL);
	ch->_first = NULL;
	ch->_last = &ch->_first;
	ch->_queued = 0;
	ch->_closed_cb = NULL;
	ch->_state = CLOSED;
	ch->_fd = fd;

	int r = uv_poll_init(loop, &ch->_poll, fd); /* makes it non-blocking */

	if (r < 0) {
		(void)close(fd);
		ch->_fd = -1;
		return r;
	}
	ch->_poll.data = ch;
	r = watch(ch);
	if (r < 0) {
		/* The handle is libuv's already: the owner hears of it in on_closed. */
		fail(ch, "cannot be watched", r);
		return 0;
	}
	ch->_state = OPEN;
	return 0;
}

static void enqueue(struct ipc_channel *ch, const union ipc_msg *m, size_t n, int fd)
{
	if (n > IPC_QUEUE_OCTETS - ch->_queued) {
		log_event(LOG_LEVEL_ERROR, "ipc-stuck", log_str("peer", role_name(ch->peer)),
			  log_num("peer_id", ch->peer_id), log_num("octets", ch->_queued));
		fail(ch, "the peer doesn't read", 0);
		return;
	}

	struct ipc_queued *const q = malloc(sizeof(*q) + n);

	if (q == NULL) {
		fail(ch, "no memory", -ENOMEM);
		return;
	}
	*q = (struct ipc_queued){.fd = -1, .n = n};
	memcpy(q->bytes, m, n);
	if (fd >= 0) {
		q->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (q->fd < 0) {
			const int error = -errno;

			secret_wipe(q->bytes, n);
			free(q);
			fail(ch, "out of descriptors", error);
			return;
		}
	}
	*ch->_last = q;
	ch->_last = &q->next;
	ch->_queued += n;
	if (ch->_first == q) {
		const int r = watch(ch);

		if (r < 0)
			fail(ch, "cannot be watched", r);
	}
}

void ipc_channel_send(struct ipc_channel *ch, const union ipc_msg *m, int fd)
{
	if (ch->_state != OPEN)
		return;

	const size_t n = ipc_length(m);

	/* Our own fault, and better found here than as a peer that hangs up. */
	assert(ipc_check(m, n, fd >= 0, ch->self, ch->peer));
	if (ch->_first == NULL) {
		const int r = fdpass_send(ch->_fd, m, n, fd);

		if (r == 0)
			return;
		if (r != -EAGAIN) {
			fail(ch, "writing failed", r);
			return;
		}
	}
	enqueue(ch, m, n, fd);
}

void ipc_channel_read_now(struct ipc_channel *ch)
{
	/* More than a socket's buffer holds, and not without end while the peer keeps sending. */
	for (int i = 0; i < 4096 && ch->_state == OPEN; i++) {
		if (!receive(ch))
			break;
	}
}

void ipc_channel_close(struct ipc_channel *ch, uv_close_cb closed_cb)
{
	ch->_closed_cb = closed_cb;
	switch ((enum state)ch->_state) {
	case OPEN:
		stop(ch, CLOSING);
		break;
	case FAILED:
		ch->_state = CLOSING;
		break;
	case CLOSING:
		break;
	case CLOSED:
		ch->_poll.data = ch;
		if (closed_cb != NULL)
			closed_cb((uv_handle_t *)&ch->_poll);
		break;
	}
}
