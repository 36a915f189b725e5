/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn_priv.h"

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct conn *const c = poll->data;

	if (status < 0) {
		/* libuv has stopped watching: reading says why. */
		c->_armed = 0;
		c->_may_read = true;
	}
	/* In TLS, what reading waited for may have been room to write. */
	if ((events & UV_READABLE) != 0 || c->_read_wants_write)
		c->_may_read = true;
	c->on_ready(c);
}

static void on_poll_closed(uv_handle_t *handle)
{
	struct conn *const c = handle->data;

	c->on_closed(c);
}

int conn_open(struct conn *c, uv_loop_t *loop, int fd, conn_on_ready *on_ready,
	      conn_on_closed *on_closed)
{
	const int r = uv_poll_init(loop, &c->_poll, fd);

	if (r < 0) {
		(void)close(fd);
		return r;
	}
	c->on_ready = on_ready;
	c->on_closed = on_closed;
	c->received = 0;
	c->sent = 0;
	c->_poll.data = c;
	c->_ssl = NULL;
	c->_alpn = NULL;
	c->_fd = fd;
	c->_armed = 0;
	c->_may_read = false;
	c->_read_wants_write = false;
	c->_write_wants_read = false;
	c->_handshaking = false;
	c->_failed = false;
	c->_ktls = false;
	return 0;
}

ssize_t conn_read(struct conn *c, void *p, size_t n)
{
	ssize_t got;

	assert(n > 0);
	if (c->_failed)
		return -ECONNRESET;
	if (c->_ssl != NULL)
		return conn_tls_read(c, p, n);
	do {
		got = recv(c->_fd, p, n, 0);
	} while (got < 0 && errno == EINTR);
	if (got < 0) {
		const int r = -errno;

		c->_may_read = false;
		c->_failed = r != -EAGAIN;
		return r;
	}
	c->received += (uint64_t)got;
	/* Less than there was room for is all that there was; if not, libuv calls again. */
	if ((size_t)got < n)
		c->_may_read = false;
	return got;
}

ssize_t conn_peek(struct conn *c, void *p, size_t n)
{
	ssize_t got;

	assert(n > 0 && c->_ssl == NULL);
	if (c->_failed)
		return -ECONNRESET;
	do {
		got = recv(c->_fd, p, n, MSG_PEEK);
	} while (got < 0 && errno == EINTR);
	if (got < 0) {
		const int r = -errno;

		c->_may_read = false;
		c->_failed = r != -EAGAIN;
		return r;
	}
	return got;
}

ssize_t conn_write(struct conn *c, const void *p, size_t n, bool more)
{
	ssize_t put;

	assert(n > 0);
	if (c->_failed)
		return -EPIPE;
	if (c->_ssl != NULL)
		return conn_tls_write(c, p, n);
	do {
		put = send(c->_fd, p, n, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	} while (put < 0 && errno == EINTR);
	if (put < 0) {
		const int r = -errno;

		c->_failed = r != -EAGAIN;
		return r;
	}
	c->sent += (uint64_t)put;
	return put;
}

bool conn_can_sendfile(const struct conn *c)
{
	return c->_ssl == NULL || c->_ktls;
}

ssize_t conn_sendfile(struct conn *c, int file, uint64_t offset, size_t n)
{
	off_t at = (off_t)offset;
	ssize_t put;

	if (c->_failed)
		return -EPIPE;
	if (!conn_can_sendfile(c))
		return -EOPNOTSUPP;
	if (c->_ssl != NULL)
		return conn_tls_sendfile(c, file, offset, n);
	do {
		put = sendfile(c->_fd, file, &at, n);
	} while (put < 0 && errno == EINTR);
	if (put < 0)
		return -errno;
	c->sent += (uint64_t)put;
	return put;
}

void conn_watch(struct conn *c, bool read, bool write)
{
	int events = 0;

	if (read)
		events |= c->_read_wants_write ? UV_WRITABLE : UV_READABLE;
	if (write)
		events |= c->_write_wants_read ? UV_READABLE : UV_WRITABLE;
	/*
	 * What TLS has read already makes no socket readable. That the socket can be
	 * written to is nearly always true: so the call comes in the next turn.
	 */
	if (read && c->_ssl != NULL && c->_may_read)
		events |= UV_WRITABLE;
	if (events == c->_armed)
		return;
	c->_armed = (uint8_t)events;
	if (events == 0) {
		(void)uv_poll_stop(&c->_poll);
		return;
	}
	/* Fails only for a closing handle or a foreign descriptor: our own fault. */
	const int r = uv_poll_start(&c->_poll, events, on_poll);

	assert(r == 0);
	(void)r;
}

void conn_shutdown_write(struct conn *c)
{
	if (c->_failed)
		return;
	if (c->_ssl != NULL)
		conn_tls_shutdown(c);
	(void)shutdown(c->_fd, SHUT_WR);
}

void conn_close(struct conn *c)
{
	assert(c->_fd >= 0);
	if (c->_ssl != NULL) {
		conn_tls_shutdown(c);
		SSL_free(c->_ssl);
		c->_ssl = NULL;
	}
	uv_close((uv_handle_t *)&c->_poll, on_poll_closed);
	(void)close(c->_fd);
	c->_fd = -1;
}
