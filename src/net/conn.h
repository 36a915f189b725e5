/* SPDX-License-Identifier: MIT */
/*
 * conn.h - one connected socket on an event loop, in clear or in TLS. Nothing
 * here blocks, buffers what the caller wrote, or logs; a lost peer raises no
 * SIGPIPE as long as the process ignores it (OpenSSL writes with write(2)).
 *
 * Life: conn_open(), then any of the others, then conn_close(). All calls come
 * from the loop's thread. Results are octets, or negative errno:
 *
 *	-EAGAIN       not now: conn_watch() says when
 *	-EPROTO       TLS broke; the connection is of no use any more
 *	-ECONNRESET, -EPIPE, -ETIMEDOUT …   the peer is gone
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct conn;
struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct tls_server;

/*
 * Something that was watched for may be possible now. Called once a loop turn at
 * most; trying and getting -EAGAIN is always fine.
 */
typedef void conn_on_ready(struct conn *c);

/* conn_close() has finished: the memory of *c may be freed. */
typedef void conn_on_closed(struct conn *c);

struct conn {
	conn_on_ready *on_ready;
	conn_on_closed *on_closed;
	uint64_t received; /* octets so far, in TLS without its own. Read only */
	uint64_t sent;

	uv_poll_t _poll;
	struct ssl_st *_ssl; /* Owned, or NULL in clear */
	const char *_alpn;   /* Borrowed: what the server speaks here, or NULL */
	int _fd;             /* Owned */
	uint8_t _armed;      /* what libuv watches for */
	bool _may_read;      /* reading was not yet answered with "not now" */
	bool _read_wants_write;
	bool _write_wants_read;
	bool _handshaking;
	bool _failed; /* nothing more can come of this connection */
	bool _ktls;   /* the kernel encrypts: sendfile works */
};

/*
 * fd is a non-blocking socket and owned from here on. 0 or negative errno; on
 * failure fd is closed, *c is dead, and on_closed doesn't come.
 */
int conn_open(struct conn *c, uv_loop_t *loop, int fd, conn_on_ready *on_ready,
	      conn_on_closed *on_closed);

/*
 * Begins TLS as the server; what the peer sends from now on must be a handshake.
 * The caller first throws away what it has read and not used: that was sent in
 * clear, and perhaps not by the peer (RFC 2595 section 4). -ENOMEM.
 *
 * protocol is this connection's name in ALPN (RFC 7301), such as "pop3", and outlives
 * it: a peer that offers others and not this one came to the wrong place, and is
 * refused. NULL: the protocol has no such name, and what a peer offers is ignored.
 */
int conn_start_tls(struct conn *c, const struct tls_server *server, const char *protocol);

/*
 * The same as the client: for load generators and tests, which talk to a server that
 * they know; nobody's certificate is verified unless ctx says so. session may be NULL:
 * it is what an earlier connection was given to resume by. -ENOMEM.
 */
int conn_start_tls_client(struct conn *c, struct ssl_ctx_st *ctx, struct ssl_session_st *session);

/* Goes on with the handshake: 0 when it is done, -EAGAIN, -EPROTO. */
int conn_handshake(struct conn *c);

/* 0 when the peer has said that it will send no more. */
ssize_t conn_read(struct conn *c, void *p, size_t n);

/*
 * What comes next, without taking it: exactly that can be read then, and TLS may follow
 * behind it. Only in clear. 0 as conn_read().
 */
ssize_t conn_peek(struct conn *c, void *p, size_t n);

/*
 * more: the rest follows at once, so the kernel may wait with a short packet.
 * After -EAGAIN in TLS the next write must begin with the same octets and be at
 * least as long: a record of them is on its way.
 */
ssize_t conn_write(struct conn *c, const void *p, size_t n, bool more);

/* Sends n octets of file at offset. -EOPNOTSUPP where they must go through memory (TLS). */
ssize_t conn_sendfile(struct conn *c, int file, uint64_t offset, size_t n);

/* True when conn_sendfile() works. */
bool conn_can_sendfile(const struct conn *c);

/* Says what to be called for. Neither is fine: then only a failure is noticed, or nothing. */
void conn_watch(struct conn *c, bool read, bool write);

/* True when conn_read() may give something without waiting. */
static inline bool conn_may_read(const struct conn *c)
{
	return c->_may_read && !c->_failed;
}

/* No more is written; the peer reads to the end, then sees it. In TLS with close_notify. */
void conn_shutdown_write(struct conn *c);

/* Closes; on_closed follows from the loop. Once only. */
void conn_close(struct conn *c);

static inline bool conn_is_tls(const struct conn *c)
{
	return c->_ssl != NULL;
}

static inline int conn_fd(const struct conn *c)
{
	return c->_fd;
}

/* True when the handshake was cut short by a session that both knew. */
bool conn_tls_resumed(const struct conn *c);

/* "TLSv1.3" and "TLS_AES_128_GCM_SHA256"; NULL in clear. */
const char *conn_tls_version(const struct conn *c);
const char *conn_tls_cipher(const struct conn *c);

/*
 * What this connection has that no other one has, for SASL to prove that both sides are at
 * its ends: tls-exporter (RFC 9266) of TLS 1.3; tls-unique (RFC 5929) of TLS 1.2, when its
 * handshake had the extended master secret, without which somebody between can have two
 * connections with the same one. Both sides get the same octets.
 */
enum conn_binding { CONN_BINDING_NONE, CONN_BINDING_TLS_UNIQUE, CONN_BINDING_TLS_EXPORTER };

#define CONN_BINDING_MAX 32

/* NONE: in clear, in the handshake, or when there is no such thing. Else *ret_n octets. */
enum conn_binding conn_tls_binding(const struct conn *c, uint8_t ret_octets[CONN_BINDING_MAX],
				   size_t *ret_n);

#define CONN_END_POINT_MAX 64

/*
 * tls-server-end-point (RFC 5929): what the client can be sure of is whose certificate it saw,
 * not that the connection is the same. Octets, or 0: in clear, in the handshake, when the
 * session was resumed, or when the certificate's signature has no hash of its own (Ed25519).
 */
size_t conn_tls_end_point(const struct conn *c, uint8_t ret_octets[CONN_END_POINT_MAX]);

/*
 * The certificate that the client has shown, DER, when one of the CAs of tls_server_options
 * vouches for it: its octets, or 0 when there is none, or it is longer than cap.
 */
size_t conn_tls_client_certificate(const struct conn *c, uint8_t *ret_der, size_t cap);

/* Why the last call said -EPROTO, for the log. Never NULL; lives until the next TLS call. */
const char *conn_tls_reason(void);
