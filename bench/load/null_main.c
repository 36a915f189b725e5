/* SPDX-License-Identifier: MIT */
/*
 * bench-null - the least that a POP3 server can do: on our own event loop, TLS and
 * sockets, it answers each line that comes with one that is ready, by the line's first
 * letter, and knows nothing. What a real server costs beyond this is what it does.
 *
 * RETR sends a file, dot and all: in clear by sendfile(2), in TLS out of memory. That is
 * as fast as this machine can send those octets.
 *
 *	bench-null PORT PROCESSES [FILE]
 *	bench-null PORT PROCESSES FILE|- CERTIFICATE
 *
 * On 127.0.0.1; with a certificate (PEM, with its key) in TLS. FILE must be in wire form.
 * It says "ready" and the port, and ends when stdin does.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/num.h"
#include "base/out.h"
#include "net/conn.h"
#include "net/listen.h"
#include "net/tls_server.h"

#define PROCESSES_MAX 64
#define ACCEPTS_PER_TURN 32
#define SENDFILE_SHARE (512U << 10)

struct peer {
	struct conn conn; /* first: a conn is turned back into its peer */
	bool handshaking;
	bool closing;      /* when all is sent */
	bool line_goes_on; /* its first letter was seen */
	bool blob;         /* the file is being sent */
	uint64_t blob_at;
	size_t out_n;
	size_t out_at;
	char out[1024];
};

static struct {
	uv_loop_t loop;
	struct ssl_ctx_st *tls;
	int file;
	const char *mapped;
	uint64_t bytes;
	char in[65536];
} null_server = {.file = -1};

static void put(struct peer *p, const char *text)
{
	struct out o = {.p = p->out, .n = p->out_n, .cap = sizeof(p->out)};

	/* A client that sends hundreds of commands ahead loses answers. Ours don't. */
	(void)out_put(&o, span_str(text));
	p->out_n = o.n;
}

static void answer(struct peer *p, char letter)
{
	switch (letter) {
	case 'S':
		put(p, "+OK 10 81920\r\n");
		break;
	case 'R':
		put(p, "+OK\r\n");
		p->blob = null_server.file >= 0;
		p->blob_at = 0;
		break;
	case 'Q':
		put(p, "+OK\r\n");
		p->closing = true;
		break;
	default:
		put(p, "+OK\r\n");
		break;
	}
}

static void take(struct peer *p, const char *in, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!p->line_goes_on)
			answer(p, in[i]);
		p->line_goes_on = in[i] != '\n';
	}
}

static ssize_t send_some(struct peer *p)
{
	if (p->out_at < p->out_n) {
		const ssize_t n = conn_write(&p->conn, p->out + p->out_at, p->out_n - p->out_at,
					     p->blob);

		if (n > 0 && (p->out_at += (size_t)n) == p->out_n)
			p->out_at = p->out_n = 0;
		return n;
	}
	if (!p->blob)
		return 0;

	const uint64_t left = null_server.bytes - p->blob_at;
	ssize_t n;

	if (conn_can_sendfile(&p->conn))
		n = conn_sendfile(&p->conn, null_server.file, p->blob_at,
				  left < SENDFILE_SHARE ? (size_t)left : SENDFILE_SHARE);
	else
		n = conn_write(&p->conn, null_server.mapped + p->blob_at, (size_t)left, false);
	if (n > 0 && (p->blob_at += (uint64_t)n) == null_server.bytes) {
		p->blob = false;
		put(p, ".\r\n");
	}
	return n;
}

static void on_ready(struct conn *c)
{
	struct peer *const p = (struct peer *)c;
	ssize_t n;

	if (p->handshaking) {
		n = conn_handshake(c);
		if (n == -EAGAIN) {
			conn_watch(c, true, false);
			return;
		}
		if (n < 0) {
			conn_close(c);
			return;
		}
		p->handshaking = false;
		put(p, "+OK\r\n");
	}
	do {
		while ((n = send_some(p)) > 0)
			;
		if (n == -EAGAIN)
			break;
		if (n < 0 || p->closing) {
			conn_close(c);
			return;
		}
		n = conn_may_read(c) ? conn_read(c, null_server.in, sizeof(null_server.in))
				     : -EAGAIN;
		if (n == 0 || (n < 0 && n != -EAGAIN)) {
			conn_close(c);
			return;
		}
		if (n > 0)
			take(p, null_server.in, (size_t)n);
	} while (n > 0);
	conn_watch(c, p->out_n == 0 && !p->blob, p->out_n > 0 || p->blob);
}

static void on_closed(struct conn *c)
{
	free(c);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
	const int listening = *(const int *)poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		const int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct peer *p;

		if (fd < 0)
			return;
		p = malloc(sizeof(*p));
		if (p == NULL) {
			(void)close(fd);
			return;
		}
		p->handshaking = null_server.tls != NULL;
		p->closing = p->blob = p->line_goes_on = false;
		p->out_n = p->out_at = 0;
		if (conn_open(&p->conn, &null_server.loop, fd, on_ready, on_closed) < 0) {
			free(p);
			continue;
		}
		if (p->handshaking) {
			if (conn_start_tls(&p->conn, null_server.tls) < 0)
				conn_close(&p->conn);
			else
				conn_watch(&p->conn, true, false);
			continue;
		}
		put(p, "+OK\r\n");
		on_ready(&p->conn);
	}
}

static int work(int listening)
{
	uv_poll_t poll;

	/* With the process that started it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (uv_loop_init(&null_server.loop) < 0 ||
	    uv_poll_init(&null_server.loop, &poll, listening) < 0)
		return 1;
	poll.data = &listening;
	(void)uv_poll_start(&poll, UV_READABLE, on_acceptable);
	(void)uv_run(&null_server.loop, UV_RUN_DEFAULT);
	return 1;
}

static void open_blob(const char *path)
{
	struct stat st;
	void *p;

	null_server.file = open(path, O_RDONLY | O_CLOEXEC);
	if (null_server.file < 0 || fstat(null_server.file, &st) < 0) {
		perror(path);
		exit(1);
	}
	null_server.bytes = (uint64_t)st.st_size;
	p = mmap(NULL, null_server.bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, null_server.file,
		 0);
	if (p == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	null_server.mapped = p;
}

int main(int argc, char **argv)
{
	int sockets[PROCESSES_MAX];
	struct err err;
	uint64_t port;
	uint64_t processes;
	char byte;

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc < 3 || argc > 5 || !num_parse_u64(span_str(argv[1]), 65535, &port) ||
	    !num_parse_u64(span_str(argv[2]), PROCESSES_MAX, &processes) || processes == 0) {
		(void)fprintf(stderr, "usage: bench-null PORT PROCESSES [FILE|- [CERTIFICATE]]\n");
		return 64;
	}
	if (argc > 3 && strcmp(argv[3], "-") != 0)
		open_blob(argv[3]);
	if (argc > 4) {
		const struct tls_server_options options = {
			.certificate = argv[4], .key = "", .min_version = 12, .ciphers = ""};

		if (tls_server_new(&options, &null_server.tls, &err) < 0) {
			(void)fprintf(stderr, "bench-null: %s\n", err.text);
			return 1;
		}
	}
	if (listen_tcp("127.0.0.1", (uint16_t)port, sockets, (unsigned)processes, &err) < 0) {
		(void)fprintf(stderr, "bench-null: %s\n", err.text);
		return 1;
	}
	for (unsigned i = 0; i < processes; i++) {
		if (fork() == 0)
			_exit(work(sockets[i]));
	}
	(void)printf("ready %u\n", listen_port(sockets[0]));
	(void)fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
