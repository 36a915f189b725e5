/* SPDX-License-Identifier: MIT */
#include "server/listener/session.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/secret.h"
#include "net/tcp_sent.h"
#include "server/listener/listener_priv.h"

/*
 * A session may do so much in one turn of the loop, then the others have theirs:
 * reads of its whole input buffer, and replies sent.
 */
#define FILLS_PER_TURN 8
#define SENDS_PER_TURN 16

/* What the peer may still send while it reads our last words. */
#define LINGER_OCTETS (1U << 20)

/*
 *   PROXIED ──► HANDSHAKE ──► OPEN ◄──► STLS
 *      │            │          ├──► LINGER ──┐
 *      └────────────┴──────────┴─────────────┴──► CLOSED
 *
 * PROXIED and HANDSHAKE are passed by where nothing of the kind comes first.
 * Up to LINGER, ops->ended() has not been called; in CLOSED, only the memory is
 * left, until libuv lets go of it.
 */
enum phase { PROXIED, HANDSHAKE, OPEN, STLS, LINGER, CLOSED };

/* Called by the connection. */
static void on_ready(struct conn *c)
{
	session_run((struct session *)c);
}

static void on_closed(struct conn *c)
{
	struct session *const s = (struct session *)c;
	struct listener *const l = s->listener;

	secret_wipe(s->in, s->in_end);
	if (s->in_grown)
		free(s->in);
	free(s);
	listener_session_gone(l);
}

void session_describe(struct session *s, const struct sockaddr *from)
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	if (from->sa_family == AF_INET6) {
		memcpy(&v6, from, sizeof(v6));
		if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
			(void)inet_ntop(AF_INET6, &v6.sin6_addr, s->remote, sizeof(s->remote));
			s->loopback = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
			return;
		}
		memcpy(&v4.sin_addr, v6.sin6_addr.s6_addr + 12, sizeof(v4.sin_addr));
	} else if (from->sa_family == AF_INET) {
		memcpy(&v4, from, sizeof(v4));
	} else {
		(void)snprintf(s->remote, sizeof(s->remote), "unix");
		s->loopback = s->unix_socket = true;
		return;
	}
	(void)inet_ntop(AF_INET, &v4.sin_addr, s->remote, sizeof(s->remote));
	s->loopback = ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static struct session *make(struct listener *l, const struct session_ops *ops)
{
	/* Only the struct is cleared: pages of buffers that aren't used aren't touched. */
	struct session *const s = malloc(ops->size + ops->in_cap + ops->out_cap);

	if (s == NULL)
		return NULL;
	memset(s, 0, ops->size);
	s->ops = ops;
	s->listener = l;
	s->in = (char *)s + ops->size;
	s->in_cap = (uint32_t)ops->in_cap;
	s->out = (struct out){.p = s->in + ops->in_cap, .cap = ops->out_cap};
	return s;
}

static uint64_t new_id(struct listener *l)
{
	if (l->next_id == 0)
		l->next_id++;
	return l->next_id++;
}

static void link_session(struct listener *l, struct session *s)
{
	s->next = l->sessions;
	if (s->next != NULL)
		s->next->prev = s;
	l->sessions = s;
	l->n_sessions++;
}

static void unlink_session(struct listener *l, struct session *s)
{
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		l->sessions = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	l->n_sessions--;
}

static void drive(struct session *s);

static void refuse(struct listener *l, uint64_t address_key, int r)
{
	if (address_key != 0)
		address_count_drop(&l->addresses, address_key);
	log_event(LOG_LEVEL_ERROR, "connection-refused", log_str("error", strerror(-r)));
}

static void count_octets(struct session *s)
{
	if (s->conn.received != s->counted_in)
		metric_add(METRIC_RECEIVED_OCTETS, s->conn.received - s->counted_in);
	if (s->conn.sent != s->counted_out)
		metric_add(METRIC_SENT_OCTETS, s->conn.sent - s->counted_out);
	s->counted_in = s->conn.received;
	s->counted_out = s->conn.sent;
}

void session_time_begin(struct session *s, enum metric_timed timed)
{
	s->timed = timed;
	s->timed_ns = clock_mono_ns();
	s->commands++;
}

void session_time_end(struct session *s)
{
	if (s->timed_ns == 0)
		return;
	metric_time(s->timed, clock_mono_ns() - s->timed_ns);
	s->timed_ns = 0;
}

/* Its client is known. */
static void begin(struct session *s)
{
	log_event(LOG_LEVEL_DEBUG, "connect", log_hex("session", s->log_id),
		  log_str("remote", s->remote));
	if (s->listen->protocol == CONFIG_POP3S) {
		s->_phase = HANDSHAKE;
		if (conn_start_tls(&s->conn, s->listener->tls, s->ops->alpn) < 0)
			session_close(s);
		else
			conn_watch(&s->conn, true, false);
		return;
	}
	s->_phase = OPEN;
	s->ops->greet(s);
	drive(s);
}

void session_open(struct listener *l, const struct session_ops *ops, int fd,
		  const struct sockaddr *from, uint64_t address_key,
		  const struct config_listen *listen)
{
	struct session *const s = make(l, ops);
	int r;

	if (s == NULL) {
		(void)close(fd);
		refuse(l, address_key, -ENOMEM);
		return;
	}
	r = conn_open(&s->conn, l->loop, fd, on_ready, on_closed);
	if (r < 0) {
		free(s);
		refuse(l, address_key, r);
		return;
	}
	s->id = s->log_id = new_id(l);
	s->since = clock_wall_ns() / 1000000000;
	s->address_key = address_key;
	s->listen = listen;
	session_describe(s, from);
	ops->init(s);
	link_session(l, s);
	session_table_add(&l->table, s);
	listener_set_timeout(l, s, TIMEOUT_LOGIN);
	metric_add(METRIC_CONNECTIONS + listen->protocol, 1);
	metric_add(METRIC_SESSIONS + listen->protocol, 1);
	if (listen->proxy) {
		s->_phase = PROXIED;
		conn_watch(&s->conn, true, false);
		return;
	}
	begin(s);
}

/* From here on the session is only a connection. */
static void end(struct session *s)
{
	s->ops->ended(s);
	session_table_remove(&s->listener->table, s);
}

void session_close(struct session *s)
{
	if (s->_phase == CLOSED)
		return;
	if (s->_phase != LINGER)
		end(s);
	s->_phase = CLOSED;
	count_octets(s);
	metric_sub(METRIC_SESSIONS + s->listen->protocol, 1);
	listener_set_timeout(s->listener, s, TIMEOUT_NONE);
	unlink_session(s->listener, s);
	if (s->address_key != 0)
		address_count_drop(&s->listener->addresses, s->address_key);
	log_event(LOG_LEVEL_DEBUG, "disconnect", log_hex("session", s->log_id));
	conn_close(&s->conn);
}

static void linger(struct session *s)
{
	for (int i = 0; i < FILLS_PER_TURN && conn_may_read(&s->conn); i++) {
		const ssize_t n = conn_read(&s->conn, s->listener->scratch,
					    sizeof(s->listener->scratch));

		if (n == -EAGAIN)
			break;
		if (n <= 0 || (s->in_at += (uint32_t)n) > LINGER_OCTETS) {
			session_close(s);
			return;
		}
	}
	conn_watch(&s->conn, true, false);
}

/*
 * All is sent. Closing a socket that has unread input resets the connection, and
 * the peer may lose our last words with it; so then they are given time.
 */
static void finish(struct session *s)
{
	const bool unread = s->in_at < s->in_end || conn_may_read(&s->conn);

	if (s->at_eof || !unread) {
		session_close(s);
		return;
	}
	end(s);
	s->_phase = LINGER;
	secret_wipe(s->in, s->in_end);
	s->in_at = s->in_end = 0;
	conn_shutdown_write(&s->conn);
	listener_set_timeout(s->listener, s, TIMEOUT_LINGER);
	linger(s);
}

static void take_proxy(struct session *s)
{
	const int r = session_take_proxy(s);

	if (r == 0) {
		begin(s);
	} else if (r == -EAGAIN) {
		conn_watch(&s->conn, true, false);
	} else if (r == -EBUSY && session_flush(s, false) == 0) {
		finish(s);
	} else {
		if (r == -EPROTO)
			log_event(LOG_LEVEL_WARN, "proxy-failed", log_hex("session", s->log_id),
				  log_str("remote", s->remote),
				  log_str("reason", "no PROXY protocol header"));
		session_close(s);
	}
}

/* False when it isn't done, or s is closed. */
static bool handshake(struct session *s)
{
	if (!signing_is_possible(s->listener->signing)) {
		/* session_signing_possible() goes on; what the client has sent waits in its socket.
		 */
		conn_watch(&s->conn, false, false);
		return false;
	}

	const int r = conn_handshake(&s->conn);

	if (r == -EAGAIN) {
		conn_watch(&s->conn, true, false);
		return false;
	}
	if (r < 0) {
		metric_add(METRIC_TLS_FAILED, 1);
		log_event(LOG_LEVEL_INFO, "tls-failed", log_hex("session", s->log_id),
			  log_str("remote", s->remote),
			  log_str("reason", r == -EPROTO ? conn_tls_reason() : "the peer hung up"));
		session_close(s);
		return false;
	}

	const bool implicit = s->_phase == HANDSHAKE;

	metric_add(METRIC_TLS_HANDSHAKES + (strcmp(conn_tls_version(&s->conn), "TLSv1.3") == 0) +
			   (conn_tls_resumed(&s->conn) ? 2U : 0U),
		   1);

	s->_phase = OPEN;
	if (implicit)
		s->ops->greet(s);
	else
		s->ops->secured(s);
	return true;
}

static void start_tls(struct session *s)
{
	/* Sent in clear, so perhaps by somebody else: thrown away (RFC 2595 section 4). */
	secret_wipe(s->in, s->in_end);
	s->in_at = s->in_end = 0;
	if (conn_start_tls(&s->conn, s->listener->tls, s->ops->alpn) < 0) {
		session_close(s);
		return;
	}
	s->_phase = STLS;
	conn_watch(&s->conn, true, false);
}

static void give_back_grown(struct session *s)
{
	secret_wipe(s->in, s->in_cap);
	free(s->in);
	s->in = (char *)s + s->ops->size;
	s->in_cap = (uint32_t)s->ops->in_cap;
	s->in_grown = false;
}

/* Reads more input: octets, 0 at the end, -EAGAIN, or the connection has failed. */
static ssize_t fill(struct session *s)
{
	if (s->in_at == s->in_end) {
		s->in_at = s->in_end = 0;
		if (s->in_grown)
			give_back_grown(s);
	} else if (s->in_end == s->in_cap && s->in_at > 0) {
		const uint32_t n = s->in_end - s->in_at;

		memmove(s->in, s->in + s->in_at, n);
		/* Half of a password must not stay where no line's end will be found. */
		if (!s->logged_in)
			secret_wipe(s->in + n, s->in_at);
		s->in_end = n;
		s->in_at = 0;
	}
	if (s->in_end == s->in_cap || !conn_may_read(&s->conn))
		return -EAGAIN;

	const ssize_t n = conn_read(&s->conn, s->in + s->in_end, s->in_cap - s->in_end);

	if (n > 0)
		s->in_end += (uint32_t)n;
	else if (n == 0)
		s->at_eof = true;
	return n;
}

int session_flush(struct session *s, bool more)
{
	while (s->out_at < s->out.n) {
		const ssize_t n = conn_write(&s->conn, s->out.p + s->out_at, s->out.n - s->out_at,
					     more);

		if (n < 0)
			return (int)n;
		s->out_at += (uint32_t)n;
		s->progress = true;
	}
	s->out.n = s->out_at = 0;
	return 0;
}

static int send_output(struct session *s)
{
	return s->ops->stream != NULL ? s->ops->stream(s) : session_flush(s, false);
}

static void set_deadline(struct session *s, enum session_wants wants, bool blocked)
{
	enum timeout_kind kind = TIMEOUT_IDLE;

	/* Nothing that a client does before login gives it more time. */
	if (!s->logged_in)
		return;
	if (blocked)
		kind = TIMEOUT_WRITE;
	else if (wants == SESSION_WANTS_PEER)
		kind = TIMEOUT_NONE;
	if (kind == s->timeout.kind && !s->progress)
		return;
	if (kind == TIMEOUT_WRITE) {
		struct tcp_sent sent = {0};

		(void)tcp_sent(conn_fd(&s->conn), &sent);
		s->acked = sent.acked;
	}
	listener_set_timeout(s->listener, s, kind);
}

/* Goes on until the connection or another process must do something first. */
static void drive(struct session *s)
{
	enum session_wants wants = SESSION_WANTS_OUTPUT;
	bool blocked = false;
	int fills = 0;
	ssize_t n;

	s->progress = false;
	for (int sends = 0; !blocked; sends++) {
		const int r = sends < SENDS_PER_TURN ? send_output(s) : -EAGAIN;

		if (r < 0 && r != -EAGAIN) {
			session_close(s);
			return;
		}
		blocked = r == -EAGAIN;
		if (blocked)
			break;
		if (wants == SESSION_WANTS_CLOSE) {
			finish(s);
			return;
		}
		if (wants == SESSION_WANTS_TLS) {
			start_tls(s);
			return;
		}
		if (wants == SESSION_WANTS_INPUT || wants == SESSION_WANTS_PEER) {
			n = s->at_eof || fills++ >= FILLS_PER_TURN ? -EAGAIN : fill(s);
			if (wants == SESSION_WANTS_INPUT && s->at_eof) {
				session_close(s);
				return;
			}
			if (n < 0 && n != -EAGAIN) {
				session_close(s);
				return;
			}
			if (n == -EAGAIN || wants == SESSION_WANTS_PEER)
				break;
		}
		wants = s->ops->step(s);
	}
	count_octets(s);
	set_deadline(s, wants, blocked);
	conn_watch(&s->conn, !blocked && !s->at_eof && s->in_end - s->in_at < s->in_cap, blocked);
}

void session_signing_possible(struct session *s)
{
	if (s->_phase == HANDSHAKE || s->_phase == STLS)
		session_run(s);
}

void session_run(struct session *s)
{
	s->stirred = true;
	switch ((enum phase)s->_phase) {
	case CLOSED:
		return;
	case LINGER:
		linger(s);
		return;
	case PROXIED:
		take_proxy(s);
		return;
	case HANDSHAKE:
	case STLS:
		if (!handshake(s))
			return;
		break;
	case OPEN:
		break;
	}
	drive(s);
}

/*
 * The kernel takes megabytes, and says that there is room again when a good part of
 * them is gone. On a slow line that is minutes in which nothing is heard of the
 * client, although it is neither stuck nor silent: then its time begins anew.
 */
static bool is_receiving(struct session *s, enum timeout_kind kind)
{
	struct tcp_sent sent;

	if (s->_phase != OPEN || !s->logged_in || !tcp_sent(conn_fd(&s->conn), &sent))
		return false;
	if (kind == TIMEOUT_IDLE ? !sent.pending : sent.acked == s->acked)
		return false;
	s->acked = sent.acked;
	listener_set_timeout(s->listener, s, sent.pending ? TIMEOUT_WRITE : TIMEOUT_IDLE);
	return true;
}

void session_expire(struct session *s, enum timeout_kind kind)
{
	static const char *const names[TIMEOUT_KINDS] = {
		[TIMEOUT_LOGIN] = "login",
		[TIMEOUT_IDLE] = "idle",
		[TIMEOUT_WRITE] = "write",
		[TIMEOUT_LINGER] = "linger",
	};

	if ((kind == TIMEOUT_WRITE || kind == TIMEOUT_IDLE) && is_receiving(s, kind))
		return;
	if (kind != TIMEOUT_LINGER)
		log_event(LOG_LEVEL_INFO, "timeout", log_hex("session", s->log_id),
			  log_str("remote", s->remote), log_str("timeout", names[kind]));
	if (s->_phase == OPEN && kind != TIMEOUT_WRITE) {
		s->ops->timed_out(s, kind);
		(void)session_flush(s, false);
	}
	session_close(s);
}

void session_drain(struct session *s)
{
	const bool stirred = s->stirred;

	s->stirred = false;
	if (stirred)
		return;
	if (s->_phase == PROXIED || s->_phase == HANDSHAKE || s->_phase == STLS) {
		/* A slow handshake is no reason to drop anybody because of a reload. */
		if (s->listener->process->drain_seconds != IPC_DRAIN_FOREVER)
			session_close(s);
	} else if (s->_phase == OPEN && s->ops->may_drain(s)) {
		s->ops->drained(s);
		(void)session_flush(s, false);
		session_close(s);
	}
}

static const char *command_name(enum metric_timed timed)
{
	static const char *const lmtp[] = {
		[METRIC_LMTP_RCPT - METRIC_LMTP_RCPT] = "RCPT",
		[METRIC_LMTP_DATA - METRIC_LMTP_RCPT] = "DATA",
		[METRIC_LMTP_MESSAGE - METRIC_LMTP_RCPT] = "message",
	};

	return (unsigned)timed < POP3_VERBS ? pop3_command_row((enum pop3_verb)timed)->name
					    : lmtp[timed - METRIC_LMTP_RCPT];
}

bool session_describe_to(const struct session *s, struct ipc_session *info)
{
	if (s->_phase == LINGER || s->_phase == CLOSED)
		return false;
	info->protocol = s->listen->protocol;
	info->id = s->log_id;
	info->since = s->since;
	info->received_octets = s->conn.received;
	info->sent_octets = s->conn.sent;
	info->commands = s->commands;
	(void)snprintf(info->remote, sizeof(info->remote), "%s", s->remote);
	if (s->commands > 0)
		(void)snprintf(info->command, sizeof(info->command), "%s", command_name(s->timed));
	if (s->_phase == OPEN && conn_is_tls(&s->conn))
		(void)snprintf(info->tls, sizeof(info->tls), "%s", conn_tls_version(&s->conn));
	s->ops->describe(s, info);
	if (s->_phase == PROXIED)
		info->state = IPC_SESSION_PROXY;
	else if (s->_phase != OPEN)
		info->state = IPC_SESSION_HANDSHAKE;
	return true;
}

void session_kick(struct session *s)
{
	if (s->_phase == LINGER || s->_phase == CLOSED)
		return;
	s->ops->kicked(s);
	session_close(s);
}

void session_peer_lost(struct session *s, enum ipc_role peer)
{
	if (s->_phase == LINGER || s->_phase == CLOSED)
		return;
	s->ops->peer_lost(s, peer);
	session_run(s);
}

bool session_send(struct session *s, enum ipc_role to, const union ipc_msg *m)
{
	struct ipc_channel *const ch = to == IPC_AUTH ? s->listener->auth : s->listener->storage;

	if (ch == NULL)
		return false;
	ipc_channel_send(ch, m, -1);
	return true;
}

void session_renew_id(struct session *s)
{
	struct listener *const l = s->listener;

	ipc_start(&l->msg, IPC_AUTH_CANCEL, s->id);
	(void)session_send(s, IPC_AUTH, &l->msg);
	ipc_start(&l->msg, IPC_CLOSE, s->id);
	(void)session_send(s, IPC_STORAGE, &l->msg);
	session_table_remove(&l->table, s);
	s->id = new_id(l);
	session_table_add(&l->table, s);
}

void session_put(struct session *s, struct span text)
{
	const bool fits = out_put(&s->out, text);

	assert(fits);
	(void)fits;
}

void session_put_u64(struct session *s, uint64_t n)
{
	const bool fits = out_u64(&s->out, n);

	assert(fits);
	(void)fits;
}

struct span session_input(const struct session *s)
{
	return span_of(s->in + s->in_at, s->in_end - s->in_at);
}

void session_use(struct session *s, size_t n)
{
	assert(n <= s->in_end - s->in_at);
	s->in_at += (uint32_t)n;
}

int session_grow_input(struct session *s, uint32_t cap)
{
	if (cap <= s->in_cap)
		return 0;

	char *const p = malloc(cap);
	const uint32_t n = s->in_end - s->in_at;

	if (p == NULL)
		return -ENOMEM;
	memcpy(p, s->in + s->in_at, n);
	secret_wipe(s->in, s->in_end);
	if (s->in_grown)
		free(s->in);
	s->in = p;
	s->in_cap = cap;
	s->in_at = 0;
	s->in_end = n;
	s->in_grown = true;
	return 0;
}

bool session_is_private(const struct session *s)
{
	switch (s->listener->config->plaintext_login) {
	case CONFIG_PLAINTEXT_ALWAYS:
		return true;
	case CONFIG_PLAINTEXT_LOOPBACK:
		return s->loopback || conn_is_tls(&s->conn);
	case CONFIG_PLAINTEXT_NEVER:
		break;
	}
	return conn_is_tls(&s->conn);
}

void session_origin(const struct session *s, struct ipc_origin *ret)
{
	const struct ipc_channel *const storage = s->listener->storage;

	ret->flags = (conn_is_tls(&s->conn) ? IPC_AUTH_TLS : 0U) |
		     (s->loopback ? IPC_AUTH_LOOPBACK : 0U);
	ret->storage = storage != NULL ? storage->peer_id : 0;
	(void)snprintf(ret->remote, sizeof(ret->remote), "%s", s->remote);
}
