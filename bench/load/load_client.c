/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

static void begin(struct client *c);

/* ---- users ---- */

static uint32_t take_user(struct load *l)
{
	const uint32_t user = l->free_users[l->free_at];

	assert(l->n_free > 0);
	l->n_free--;
	l->free_at = (l->free_at + 1) % l->o.users;
	return user;
}

static void give_user_back(struct load *l, uint32_t user)
{
	l->free_users[(l->free_at + l->n_free) % l->o.users] = user;
	l->n_free++;
}

/* ---- tickets ---- */

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct load *const l = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (l->n_tickets == LOAD_TICKETS)
		return 0;
	l->tickets[l->n_tickets++] = session;
	return 1;
}

void load_keep_tickets(struct load *l)
{
	SSL_CTX_set_app_data(l->tls, l);
	(void)SSL_CTX_set_session_cache_mode(l->tls,
					     SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(l->tls, keep_ticket);
}

/* A client uses a ticket once, as RFC 8446 section C.4 asks. */
static SSL_SESSION *take_ticket(struct load *l)
{
	if (l->o.tls != LOAD_TLS_RESUMED || l->n_tickets == 0)
		return NULL;
	return l->tickets[--l->n_tickets];
}

/* ---- a connection ---- */

static int dial(struct load *l)
{
	const int fd = socket(l->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int one = 1;

	if (fd < 0)
		return -errno;
	if (l->address.ss_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)&l->address, l->address_n) < 0 &&
	    errno != EINPROGRESS) {
		const int r = -errno;

		(void)close(fd);
		return r;
	}
	return fd;
}

static void on_closed(struct conn *conn)
{
	struct client *const c = (struct client *)conn;

	c->load->active--;
	if (c->may_begin && load_begin_one(c->load))
		begin(c);
	else if (c->load->active == 0)
		uv_stop(&c->load->loop);
}

static bool start_tls(struct client *c)
{
	SSL_SESSION *const ticket = take_ticket(c->load);
	const int r = conn_start_tls_client(&c->conn, c->load->tls, ticket);

	SSL_SESSION_free(ticket);
	if (r < 0)
		client_fail(c, "TLS cannot begin: %s", strerror(-r));
	return r == 0;
}

static void on_ready(struct conn *conn)
{
	client_drive((struct client *)conn);
}

static void begin(struct client *c)
{
	struct load *const l = c->load;
	const int fd = dial(l);
	const int r = fd < 0 ? fd : conn_open(&c->conn, &l->loop, fd, on_ready, on_closed);

	if (r < 0) {
		(void)fprintf(stderr, "bench-load: cannot connect to %s: %s\n", l->o.target,
			      strerror(-r));
		exit(1);
	}
	memset((char *)c + sizeof(*c), 0, l->ops->size - sizeof(*c));
	c->user = take_user(l);
	c->connected = l->o.tls == LOAD_CLEAR;
	c->ending = c->over = c->deaf = false;
	c->may_begin = true;
	c->begun_ns = uv_hrtime();
	c->out = (struct out){.p = c->out_bytes, .cap = sizeof(c->out_bytes)};
	c->out_at = 0;
	c->kept_n = 0;
	l->active++;
	l->ops->begin(c);
	if (c->connected)
		conn_watch(&c->conn, true, false);
	else if (start_tls(c))
		client_drive(c);
}

void load_start_clients(struct load *l, uint64_t n)
{
	for (; n > 0 && l->n_clients < l->o.connections && load_begin_one(l); n--) {
		struct client *const c = calloc(1, l->ops->size);

		if (c == NULL) {
			(void)fprintf(stderr, "bench-load: no memory\n");
			exit(1);
		}
		c->load = l;
		l->clients[l->n_clients++] = c;
		begin(c);
	}
}

void client_end(struct client *c)
{
	if (c->ending)
		return;
	c->ending = true;
	give_user_back(c->load, c->user);
	conn_close(&c->conn);
}

void client_done(struct client *c)
{
	struct load *const l = c->load;

	c->over = true;
	l->done++;
	l->ended_ns = uv_hrtime();
	latency_add(&l->latency, l->ended_ns - c->begun_ns);
}

void client_fail(struct client *c, const char *fmt, ...)
{
	struct load *const l = c->load;
	va_list args;

	if (c->ending)
		return;
	if (l->failures++ == 0) {
		va_start(args, fmt);
		(void)vsnprintf(l->first_failure, sizeof(l->first_failure), fmt, args);
		va_end(args);
		(void)fprintf(stderr, "bench-load: user%u: %s\n", c->user, l->first_failure);
	}
	/* One that fails every time must not be tried for ever. */
	if (l->failures >= 100)
		c->may_begin = false;
	client_end(c);
}

void client_held(struct client *c)
{
	struct load *const l = c->load;

	if (++l->held == l->o.connections)
		load_all_held(l);
	load_start_clients(l, 1);
}

/* ---- octets ---- */

/* False: nothing more can be done now. */
static bool handshake(struct client *c)
{
	const int r = conn_handshake(&c->conn);

	if (r == 0) {
		c->connected = true;
		c->load->resumed += conn_tls_resumed(&c->conn);
		return true;
	}
	if (r == -EAGAIN)
		conn_watch(&c->conn, true, false);
	else
		client_fail(c, "TLS: %s", r == -EPROTO ? conn_tls_reason() : strerror(-r));
	return false;
}

/* 0: all is sent. */
static int flush(struct client *c)
{
	for (;;) {
		if (c->out_at == c->out.n) {
			c->out.n = c->out_at = 0;
			if (c->load->ops->output != NULL)
				c->load->ops->output(c);
			if (c->out.n == 0)
				return 0;
		}

		const ssize_t n = conn_write(&c->conn, c->out.p + c->out_at, c->out.n - c->out_at,
					     false);

		if (n < 0)
			return (int)n;
		c->out_at += (size_t)n;
		c->load->moved++;
	}
}

/* What was kept and what has come; what isn't used is kept. False: no more for now. */
static bool take_input(struct client *c)
{
	char *const p = c->load->scratch;

	if (!conn_may_read(&c->conn))
		return false;
	memcpy(p, c->kept, c->kept_n);

	const ssize_t n = conn_read(&c->conn, p + c->kept_n, LOAD_SCRATCH - c->kept_n);

	if (n == -EAGAIN)
		return false;
	/* A server that closes without close_notify, or resets because of ours, has ended too. */
	if (n == 0 || (n < 0 && c->over)) {
		c->load->ops->closed(c);
		return false;
	}
	if (n < 0) {
		client_fail(c, "the connection broke: %s", strerror((int)-n));
		return false;
	}
	c->load->moved++;

	struct span in = span_of(p, c->kept_n + (size_t)n);

	c->load->ops->input(c, &in);
	if (c->ending)
		return false;
	if (in.n > sizeof(c->kept)) {
		client_fail(c, "a line of more than %zu octets", sizeof(c->kept));
		return false;
	}
	memcpy(c->kept, in.p, in.n);
	c->kept_n = in.n;
	return true;
}

void client_drive(struct client *c)
{
	int r;

	if (c->ending || (!c->connected && !handshake(c)))
		return;
	do {
		r = flush(c);
		if (r < 0 && r != -EAGAIN && !c->over) {
			client_fail(c, "cannot write: %s", strerror(-r));
			return;
		}
	} while (!c->ending && !c->deaf && take_input(c));
	if (!c->ending)
		conn_watch(&c->conn, !c->deaf, r == -EAGAIN);
}

void client_sip(struct client *c, size_t n)
{
	if (!c->ending && c->deaf && n > 0) {
		const ssize_t got = conn_read(&c->conn, c->load->scratch,
					      n < LOAD_SCRATCH ? n : LOAD_SCRATCH);

		if (got == 0 || (got < 0 && got != -EAGAIN))
			client_fail(c, "the server hung up on a slow reader");
	}
}
