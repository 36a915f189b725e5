/* SPDX-License-Identifier: MIT */
#include "server/listener/signing.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/fdpass.h"
#include "server/ipc.h"

enum state { AWAY, READY, LATE };

/* Each has its own handle, which lives until libuv has closed it. */
struct channel {
	struct signing *owner; /* Borrowed */
	uv_poll_t poll;
	int fd; /* Owned */
};

struct signing {
	signing_on_possible *on_possible;
	void *arg;
	struct channel *channel; /* Owned; NULL in AWAY */
	enum state state;
	uint64_t asked; /* the last question's number */
	union ipc_msg msg;
};

struct signing *signing_new(signing_on_possible *on_possible, void *arg)
{
	struct signing *const s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->on_possible = on_possible;
		s->arg = arg;
	}
	return s;
}

static void free_channel(uv_handle_t *handle)
{
	struct channel *const ch = handle->data;

	(void)close(ch->fd);
	free(ch);
}

static void drop_channel(struct signing *s)
{
	if (s->channel == NULL)
		return;
	uv_close((uv_handle_t *)&s->channel->poll, free_channel);
	s->channel = NULL;
	s->state = AWAY;
}

static void lose(struct signing *s)
{
	log_event(LOG_LEVEL_WARN, "peer-lost", log_str("peer", "signer"));
	drop_channel(s);
}

/*
 * What has come, without waiting: true for an answer to the last question, in s->msg. The end
 * of the channel, and what makes no sense, end it.
 */
static bool receive(struct signing *s)
{
	int fd;
	const ssize_t n = fdpass_recv(s->channel->fd, &s->msg, sizeof(s->msg), &fd);

	if (n == -EAGAIN)
		return false;
	if (n > 0 && ipc_check(&s->msg, (size_t)n, fd >= 0, IPC_SIGNER, IPC_LISTENER) &&
	    s->msg.head.session == s->asked)
		return true;
	if (fd >= 0)
		(void)close(fd);
	if (n > 0)
		log_event(LOG_LEVEL_ERROR, "ipc-refused", log_str("peer", "signer"));
	lose(s);
	return false;
}

/* Its end, or an answer that nobody waits for any more. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct channel *const ch = poll->data;
	struct signing *const s = ch->owner;

	(void)events;
	if (status < 0) {
		lose(s);
		return;
	}
	if (!receive(s))
		return;
	if (s->state != LATE) {
		lose(s);
		return;
	}
	s->state = READY;
	log_event(LOG_LEVEL_WARN, "signer-late", log_str("effect", "handshakes go on"));
	s->on_possible(s->arg);
}

void signing_link(struct signing *s, uv_loop_t *loop, int fd)
{
	struct channel *const ch = calloc(1, sizeof(*ch));

	drop_channel(s);
	if (ch == NULL || uv_poll_init(loop, &ch->poll, fd) < 0) {
		log_event(LOG_LEVEL_ERROR, "link-failed", log_str("peer", "signer"));
		(void)close(fd);
		free(ch);
		return;
	}
	ch->owner = s;
	ch->fd = fd;
	ch->poll.data = ch;
	s->channel = ch;
	if (uv_poll_start(&ch->poll, UV_READABLE, on_poll) < 0) {
		lose(s);
		return;
	}
	s->state = READY;
	s->on_possible(s->arg);
}

bool signing_is_possible(const struct signing *s)
{
	return s->state == READY;
}

/* Waits for the answer. False: there is none in time, or the channel has ended. */
static bool wait_for_answer(struct signing *s)
{
	const uint64_t until = clock_mono_ms() + SIGNING_WAIT_MS;

	for (;;) {
		const uint64_t now = clock_mono_ms();
		struct pollfd p = {.fd = s->channel->fd, .events = POLLIN};

		if (now >= until) {
			s->state = LATE;
			log_event(LOG_LEVEL_ERROR, "signer-late",
				  log_str("effect", "handshakes wait"));
			return false;
		}
		if (poll(&p, 1, (int)(until - now)) > 0) {
			if (receive(s))
				return true;
			if (s->channel == NULL)
				return false;
		}
	}
}

size_t signing_ask(void *signing, const struct tls_signing *what, uint8_t *ret_signature)
{
	struct signing *const s = signing;
	struct ipc_sign *const m = &s->msg.sign;

	/* Another handshake of this turn of the loop may just have found that nobody answers. */
	if (s->state != READY)
		return 0;
	ipc_start(&s->msg, IPC_SIGN, ++s->asked);
	memcpy(m->key_id, what->key_id, sizeof(m->key_id));
	m->scheme = what->scheme;
	m->n = (uint32_t)what->n;
	memcpy(m->octets, what->octets, what->n);
	if (fdpass_send(s->channel->fd, &s->msg, ipc_length(&s->msg), -1) < 0) {
		lose(s);
		return 0;
	}
	if (!wait_for_answer(s))
		return 0;
	memcpy(ret_signature, s->msg.signature.octets, s->msg.signature.n);
	return s->msg.signature.n;
}

void signing_close(struct signing *s)
{
	if (s != NULL)
		drop_channel(s);
}

void signing_free(struct signing *s)
{
	free(s);
}
