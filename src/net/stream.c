/* SPDX-License-Identifier: MIT */
#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/stream_priv.h"
#include "net/wait.h"

void stream_open(struct stream *s, int fd, const char *host, uint32_t idle_ms, int stop_fd)
{
	assert(idle_ms > 0 && host != NULL);
	*s = (struct stream){
		.host = host,
		.stop_fd = stop_fd,
		.idle_ms = idle_ms,
		._opened = true,
		._fd = fd,
	};
}

uint64_t stream_until_ms(const struct stream *s)
{
	const uint64_t until_ms = clock_mono_ms() + s->idle_ms;

	return s->deadline_ms != 0 && s->deadline_ms < until_ms ? s->deadline_ms : until_ms;
}

int stream_wait(const struct stream *s, short events, uint64_t until_ms)
{
	struct pollfd fds[] = {
		{.fd = s->stop_fd, .events = POLLIN},
		{.fd = s->_fd, .events = events},
	};

	/* Octets that are no progress, such as TLS's own, may be there whenever it is looked. */
	if (clock_mono_ms() >= until_ms)
		return -ETIMEDOUT;
	return wait_ready(fds, 2, until_ms);
}

int stream_fail(struct stream *s, int r, const char *what, struct err *err)
{
	if (s->_failed == 0)
		s->_failed = r;
	if (s->_reason != NULL)
		return err_set(err, -s->_failed, "%s %s: %s",
			       s->_failed == -EKEYREJECTED ? "certificate of" : "TLS with", s->host,
			       s->_reason);
	return err_sys(err, -s->_failed, "%s %s", what, s->host);
}

/* 0 while it may go on. A peer that always has something ready must not outrun the deadline. */
static int check(const struct stream *s)
{
	if (s->_failed != 0)
		return s->_failed;
	return s->deadline_ms != 0 && clock_mono_ms() >= s->deadline_ms ? -ETIMEDOUT : 0;
}

static ssize_t read_once(struct stream *s, void *p, size_t n, short *ret_events)
{
	if (s->_ssl != NULL)
		return stream_tls_read(s, p, n, ret_events);

	const ssize_t r = recv(s->_fd, p, n, 0);

	*ret_events = POLLIN;
	return r < 0 ? -errno : r;
}

static ssize_t write_once(struct stream *s, const void *p, size_t n, short *ret_events)
{
	if (s->_ssl != NULL)
		return stream_tls_write(s, p, n, ret_events);

	const ssize_t r = send(s->_fd, p, n, MSG_NOSIGNAL);

	*ret_events = POLLOUT;
	return r < 0 ? -errno : r;
}

ssize_t stream_read(struct stream *s, void *p, size_t n, struct err *err)
{
	const uint64_t until_ms = stream_until_ms(s);
	ssize_t r = check(s);

	assert(n > 0);
	while (r == 0) {
		short events;

		r = read_once(s, p, n, &events);
		if (r >= 0) {
			s->read_octets += (uint64_t)r;
			return r;
		}
		if (r == -EAGAIN)
			r = stream_wait(s, events, until_ms);
	}
	return stream_fail(s, (int)r, "cannot read from", err);
}

int stream_write(struct stream *s, const void *p, size_t n, struct err *err)
{
	const char *at = p;
	uint64_t until_ms = stream_until_ms(s);
	ssize_t r = check(s);

	while (r == 0 && n > 0) {
		short events;

		r = write_once(s, at, n, &events);
		if (r > 0) {
			s->written_octets += (uint64_t)r;
			at += r;
			n -= (size_t)r;
			until_ms = stream_until_ms(s);
			r = check(s);
		} else if (r == -EAGAIN) {
			r = stream_wait(s, events, until_ms);
		}
	}
	return r < 0 ? stream_fail(s, (int)r, "cannot write to", err) : 0;
}

void stream_shutdown(struct stream *s)
{
	if (s->_failed != 0)
		return;
	if (s->_ssl != NULL)
		stream_tls_shutdown(s);
	/* The peer may be gone already, and then it knows. */
	(void)shutdown(s->_fd, SHUT_WR);
}

void stream_close(struct stream *s)
{
	if (!s->_opened)
		return;
	SSL_free(s->_ssl);
	(void)close(s->_fd);
	*s = (struct stream){0};
}
