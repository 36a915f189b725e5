/* SPDX-License-Identifier: MIT */
/*
 * accept.c - from a listening socket to a session, as far as the limits let it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/span.h"
#include "server/config_address.h"
#include "server/listener/listener_priv.h"
#include "server/listener/lmtp_session.h"
#include "server/listener/pop3_session.h"

/* Taken in one turn of the loop: a flood of connections mustn't stop those that are there. */
#define ACCEPTS_PER_TURN 32

/* How long a listener that has run out of descriptors takes no connections. */
#define ACCEPT_PAUSE_MS 100

/* Refusals come in floods; one line a second says how many there were. */
#define REFUSED_LOG_MS 1000

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void watch(struct listener *l)
{
	for (uint32_t i = 0; i < l->n_acceptors; i++) {
		if (l->acceptors[i].open)
			(void)uv_poll_start(&l->acceptors[i].poll, UV_READABLE, on_acceptable);
	}
}

static void on_pause_over(uv_timer_t *timer)
{
	watch(timer->data);
}

/* The connections wait in the kernel meanwhile; trying again at once would spin. */
static void pause_accepting(struct listener *l, int error)
{
	log_event(LOG_LEVEL_ERROR, "accept-failed", log_str("error", strerror(error)),
		  log_num("sessions", l->n_sessions), log_str("consequence", "will retry"));
	for (uint32_t i = 0; i < l->n_acceptors; i++) {
		if (l->acceptors[i].open)
			(void)uv_poll_stop(&l->acceptors[i].poll);
	}
	(void)uv_timer_start(&l->accept_timer, on_pause_over, ACCEPT_PAUSE_MS, 0);
}

static void log_refused(struct listener *l, const char *limit)
{
	const uint64_t now = uv_now(l->loop);

	metric_add(METRIC_REFUSED_CONNECTIONS, 1);
	l->refused++;
	if (l->refused_logged_ms != 0 && now - l->refused_logged_ms < REFUSED_LOG_MS)
		return;
	log_event(LOG_LEVEL_WARN, "too-many-connections", log_str("limit", limit),
		  log_num("refused", l->refused), log_num("sessions", l->n_sessions));
	l->refused = 0;
	l->refused_logged_ms = now;
}

struct span accept_refusal(enum config_protocol protocol)
{
	static const struct span words[] = {
		[CONFIG_POP3] = {.p = "-ERR [SYS/TEMP] too many connections\r\n", .n = 38},
		[CONFIG_POP3S] = {.p = NULL, .n = 0},
		[CONFIG_LMTP] = {.p = "421 4.7.0 too many connections\r\n", .n = 32},
		[CONFIG_SMTP] = {.p = "421 4.7.0 too many connections\r\n", .n = 32},
	};

	return words[protocol];
}

/* Says why, if it can be said without a handshake, and hangs up. */
static void refuse(const struct acceptor *a, int fd)
{
	const struct span text = accept_refusal(a->config->protocol);

	if (text.n > 0)
		(void)send(fd, text.p, text.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(fd);
}

bool accept_counts(struct listener *l, uint64_t key)
{
	if (address_count_add(&l->addresses, key, l->config->max_connections_per_address) !=
	    UINT32_MAX)
		return true;
	log_refused(l, "max_connections_per_address");
	return false;
}

/* A header that anybody could send would let everybody be anybody. */
static bool is_trusted(struct listener *l, const struct sockaddr *from)
{
	const uint64_t now = uv_now(l->loop);
	uint8_t address[16];

	address_octets(from, address);
	if (config_network_has(l->config->proxy_trusted, l->config->n_proxy_trusted, address))
		return true;
	metric_add(METRIC_REFUSED_CONNECTIONS, 1);
	l->untrusted++;
	if (l->untrusted_logged_ms == 0 || now - l->untrusted_logged_ms >= REFUSED_LOG_MS) {
		char remote[INET6_ADDRSTRLEN];

		(void)inet_ntop(AF_INET6, address, remote, sizeof(remote));
		log_event(LOG_LEVEL_WARN, "proxy-refused", log_str("remote", remote),
			  log_str("reason", "not in proxy_trusted"),
			  log_num("refused", l->untrusted));
		l->untrusted = 0;
		l->untrusted_logged_ms = now;
	}
	return false;
}

static void take(struct acceptor *a, int fd, const struct sockaddr *from)
{
	static const struct session_ops *const ops[] = {
		[CONFIG_POP3] = &pop3_session_ops,
		[CONFIG_POP3S] = &pop3_session_ops,
		[CONFIG_LMTP] = &lmtp_session_ops,
		[CONFIG_SMTP] = &smtp_session_ops,
	};
	struct listener *const l = a->listener;
	const enum config_protocol protocol = a->config->protocol;
	/*
	 * An MTA has one address and many connections, so what brings mail isn't counted by
	 * it; nor is a proxy, but those whom it speaks for.
	 */
	const bool counted = (protocol == CONFIG_POP3 || protocol == CONFIG_POP3S) &&
			     !a->config->proxy;
	const uint64_t key = counted ? address_key(from) : 0;

	if (a->config->proxy && !is_trusted(l, from)) {
		(void)close(fd);
		return;
	}

	if (l->n_sessions >= l->max_sessions) {
		log_refused(l, "max_connections");
		refuse(a, fd);
		return;
	}
	if (key != 0 && !accept_counts(l, key)) {
		refuse(a, fd);
		return;
	}
	session_open(l, ops[protocol], fd, from, key, a->config);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
	struct acceptor *const a = poll->data;

	(void)events;
	if (status < 0) {
		/* libuv has stopped watching it. */
		pause_accepting(a->listener, -status);
		return;
	}
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
		socklen_t n = sizeof(from);
		const int fd = accept4(a->fd, (struct sockaddr *)&from, &n,
				       SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take(a, fd, (const struct sockaddr *)&from);
			continue;
		}
		switch (errno) {
		case EMFILE:
		case ENFILE:
		case ENOMEM:
		case ENOBUFS:
			pause_accepting(a->listener, errno);
			return;
		case EAGAIN:
			return;
		default:
			/* The peer has gone already, or a signal came: the next one. */
			break;
		}
	}
}

int acceptors_open(struct listener *l, struct err *err)
{
	int r = uv_timer_init(l->loop, &l->accept_timer);

	if (r < 0)
		return err_sys(err, -r, "cannot make a timer");
	l->accept_timer.data = l;
	for (uint32_t i = 0; i < l->config->n_listen; i++) {
		struct acceptor *const a = &l->acceptors[i];

		*a = (struct acceptor){
			.listener = l,
			.config = &l->config->listen[i],
			.fd = l->process->sockets[i],
		};
		l->n_acceptors = i + 1;
		if (a->fd < 0)
			continue; /* the monitor's */
		r = uv_poll_init(l->loop, &a->poll, a->fd);
		if (r < 0)
			return err_sys(err, -r, "cannot watch the socket for '%s' port %u",
				       a->config->host, a->config->port);
		a->poll.data = a;
		a->open = true;
	}
	watch(l);
	return 0;
}

void acceptors_close(struct listener *l)
{
	for (uint32_t i = 0; i < l->n_acceptors; i++) {
		struct acceptor *const a = &l->acceptors[i];

		if (!a->open)
			continue;
		a->open = false;
		uv_close((uv_handle_t *)&a->poll, NULL);
		(void)close(a->fd);
	}
	(void)uv_timer_stop(&l->accept_timer);
}
