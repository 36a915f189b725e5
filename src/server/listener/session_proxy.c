/* SPDX-License-Identifier: MIT */
/*
 * session_proxy.c - who is behind a proxy (codec/proxy/proxy_header.h).
 *
 * What is behind the header may be a handshake, which OpenSSL reads from the socket
 * itself: not one octet of it may be taken here. So the header is looked at first and
 * then taken. All of what is looked at and is no whole header yet belongs to it, and is
 * taken as well, so that the socket is readable only when there is more.
 */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "codec/proxy/proxy_header.h"
#include "server/listener/listener_priv.h"
#include "server/listener/session.h"

static void make_address(const struct proxy_header *h, struct sockaddr_storage *ret)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(h->port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(h->port)};

	if (h->family == PROXY_INET) {
		memcpy(&v4.sin_addr, h->address, sizeof(v4.sin_addr));
		memcpy(ret, &v4, sizeof(v4));
	} else {
		memcpy(&v6.sin6_addr, h->address, sizeof(v6.sin6_addr));
		memcpy(ret, &v6, sizeof(v6));
	}
}

/* -EBUSY after words that say why. */
static int count(struct session *s, uint64_t key)
{
	if (s->listen->protocol == CONFIG_LMTP)
		return 0;
	if (!accept_counts(s->listener, key)) {
		const struct span words = accept_refusal(s->listen->protocol);

		if (words.n > 0)
			session_put(s, words);
		return -EBUSY;
	}
	s->address_key = key;
	return 0;
}

/* The session is the client's from here on. */
static int become(struct session *s, const struct proxy_header *h)
{
	const bool near = s->loopback;
	struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
	char proxy[sizeof(s->remote)];

	/* The proxy's own check of our health is a session of the proxy's. */
	if (h->family == PROXY_LOCAL)
		return 0;
	memcpy(proxy, s->remote, sizeof(proxy));
	if (h->family != PROXY_UNKNOWN) {
		make_address(h, &from);
		session_describe(s, (struct sockaddr *)&from);
		/* Another machine's loopback address is not ours. */
		s->loopback = s->loopback && near;
		log_event(LOG_LEVEL_DEBUG, "proxied", log_hex("session", s->log_id),
			  log_str("remote", s->remote), log_str("proxy", proxy));
		return count(s, address_key((struct sockaddr *)&from));
	}
	/* Not in TCP, or a proxy that doesn't tell: there is no address to count. */
	s->loopback = false;
	log_event(LOG_LEVEL_DEBUG, "proxied", log_hex("session", s->log_id),
		  log_str("remote", s->remote), log_str("client", "unknown"));
	return 0;
}

/* Exactly n octets, which are there. */
static int take(struct session *s, size_t n)
{
	const ssize_t got = conn_read(&s->conn, s->in + s->in_end, n);

	if (got < 0)
		return (int)got;
	s->in_end += (uint32_t)got;
	return (size_t)got == n ? 0 : -ECONNRESET;
}

static int read_header(struct session *s, struct proxy_header *ret)
{
	for (;;) {
		assert(s->in_end < PROXY_HEADER_MAX && PROXY_HEADER_MAX <= s->in_cap);

		const ssize_t n = conn_peek(&s->conn, s->in + s->in_end,
					    PROXY_HEADER_MAX - s->in_end);

		if (n <= 0)
			return n == 0 ? -ECONNRESET : (int)n;

		const struct span seen = span_of(s->in, s->in_end + (size_t)n);
		const enum proxy_status status = proxy_header_parse(seen, ret);

		if (status == PROXY_BAD)
			return -EPROTO;

		const int r = take(s, status == PROXY_DONE ? ret->octets - s->in_end : (size_t)n);

		if (r < 0 || status == PROXY_DONE)
			return r;
	}
}

static int skip_extra(struct session *s)
{
	while (s->proxy_extra > 0) {
		const size_t most = sizeof(s->listener->scratch);
		const ssize_t n = conn_read(&s->conn, s->listener->scratch,
					    s->proxy_extra < most ? (size_t)s->proxy_extra : most);

		if (n <= 0)
			return n == 0 ? -ECONNRESET : (int)n;
		s->proxy_extra -= (uint32_t)n;
	}
	return 0;
}

int session_take_proxy(struct session *s)
{
	if (!s->proxy_known) {
		struct proxy_header h;
		int r = read_header(s, &h);

		if (r < 0)
			return r;
		s->in_at = s->in_end = 0;
		s->proxy_known = true;
		s->proxy_extra = h.extra;
		r = become(s, &h);
		if (r < 0)
			return r;
	}
	return skip_extra(s);
}
