/* SPDX-License-Identifier: MIT */
/*
 * stream_priv.h - what stream.c (sockets) and stream_tls.c share.
 */
#pragma once

#include "net/stream.h"

/* The latest time to which a wait that begins now may last. */
uint64_t stream_until_ms(const struct stream *s);

/* Waits for POLLIN or POLLOUT. 0, or the negative errno of wait_ready(). */
int stream_wait(const struct stream *s, short events, uint64_t until_ms);

/*
 * Ends the stream with r, a negative errno, unless it has ended before; says in *err
 * that `what` failed, and returns the errno.
 */
int stream_fail(struct stream *s, int r, const char *what, struct err *err);

/*
 * One try: octets, or negative errno, with -EAGAIN to wait for *ret_events and try the
 * same again. 0 from reading is close_notify. When it was TLS that failed, s->_reason
 * says why.
 */
ssize_t stream_tls_read(struct stream *s, void *p, size_t n, short *ret_events);
ssize_t stream_tls_write(struct stream *s, const void *p, size_t n, short *ret_events);

/* Says close_notify if that is still possible. */
void stream_tls_shutdown(struct stream *s);
