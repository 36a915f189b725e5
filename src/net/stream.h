/* SPDX-License-Identifier: MIT */
/*
 * stream.h - octets to and from a server, in clear or in TLS, for programs that give a
 * connection a thread of its own. Every call blocks until it is done, a time has
 * passed, or somebody stops it.
 *
 * Life: stream_open(), any of the others, stream_close(). One thread at a time. A lost
 * peer raises no SIGPIPE as long as the process ignores it (OpenSSL writes with
 * write(2)).
 *
 * Failures, with *err naming the host. All are final: nothing but stream_close() may
 * follow, and the others say the same again.
 *
 *	-ETIMEDOUT     nothing moved for idle_ms, or deadline_ms has passed
 *	-ECANCELED     stop_fd
 *	-ECONNRESET    the peer is gone; in TLS also when it went without close_notify
 *	-EPIPE         the same, noticed while writing
 *	-EPROTO        TLS broke
 *	-EKEYREJECTED  stream_start_tls() only: the certificate isn't to be trusted
 *	-ENOMEM …
 *
 * How a connection ended says nothing about whether a message was whole: a line in
 * clear can be cut by anybody, and many servers never say close_notify. Only the codec
 * knows, by the terminator.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct ssl_st;
struct ssl_ctx_st;

struct stream {
	/* For errors and the certificate: a name or address, as the user wrote it. Borrowed. */
	const char *host;
	/*
	 * A descriptor that becomes readable, and stays so, when everything shall stop (a
	 * pipe or eventfd that a signal handler writes to). It is looked at by calls that
	 * must wait; what is there already is still read. Borrowed; -1: none.
	 */
	int stop_fd;
	uint32_t idle_ms;     /* the longest wait for the peer; not 0 */
	uint64_t deadline_ms; /* by clock_mono_ms(), for whatever is done; 0: none */
	uint64_t read_octets; /* so far, as the caller got them: without TLS's own */
	uint64_t written_octets;

	bool _opened;
	int _fd;             /* Owned */
	struct ssl_st *_ssl; /* Owned, or NULL in clear */
	int _failed;         /* 0, or the negative errno that ended it */
	const char *_reason; /* what TLS said about it; static, or NULL */
};

/*
 * fd is a connected non-blocking socket and owned from here on. host, stop_fd and
 * the times may be changed between calls; the counters begin at 0.
 */
void stream_open(struct stream *s, int fd, const char *host, uint32_t idle_ms, int stop_fd);

/*
 * Begins TLS and verifies the certificate against s->host, a name (sent as SNI) or an
 * address. The whole handshake has idle_ms. For STLS the caller first makes sure that
 * nothing it has read is left (pop3_client_tls()).
 *
 *	certificate of pop.example.org: self-signed certificate
 *	certificate of pop.example.org: hostname mismatch
 *	TLS with pop.example.org: wrong version number
 */
int stream_start_tls(struct stream *s, struct ssl_ctx_st *ctx, struct err *err);

/*
 * Up to n octets (not 0), as soon as there are some. 0 when the peer has said that it
 * will send no more: in TLS by close_notify.
 */
ssize_t stream_read(struct stream *s, void *p, size_t n, struct err *err);

/*
 * Writes all n octets: 0 or negative errno.
 *
 * BUGS: it reads nothing meanwhile. A peer that stops reading until its replies are
 * read runs into idle_ms, so don't write more than a socket buffer holds (a few
 * thousand octets) ahead of replies that are long.
 */
int stream_write(struct stream *s, const void *p, size_t n, struct err *err);

/*
 * Says that no more will be written (in TLS by close_notify); reading goes on. Does
 * nothing on a stream that has failed.
 */
void stream_shutdown(struct stream *s);

/* Closes. A zeroed one may be closed, and one that is closed again. */
void stream_close(struct stream *s);

static inline bool stream_is_tls(const struct stream *s)
{
	return s->_ssl != NULL;
}

/* "TLSv1.3" and "TLS_AES_128_GCM_SHA256"; NULL in clear. */
const char *stream_tls_version(const struct stream *s);
const char *stream_tls_cipher(const struct stream *s);

/*
 * The SHA-256 of the public key (SubjectPublicKeyInfo) in the peer's certificate. False in
 * clear, or when there is none.
 */
bool stream_tls_peer_key(const struct stream *s, uint8_t ret_digest[static 32]);
