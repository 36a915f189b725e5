/* SPDX-License-Identifier: MIT */
/*
 * bench-null - the least that a POP3 server can do: on our own event loop, TLS and
 * sockets, it answers each line that comes with one that is ready, by the line's first
 * letter, and knows nothing. What a real server costs beyond this is what it does.
 *
 * RETR sends a file, dot and all: in clear by sendfile(2), in TLS out of memory. That is
 * as fast as this machine can send those octets.
 *
 *	bench-null PROCESSES PORT FILE|- [TLS-PORT CERTIFICATE]
 *
 * On 127.0.0.1; port 0 takes a free one. FILE must be in wire form, CERTIFICATE is PEM,
 * with its key. It says "ready" and the ports, and ends when stdin does.
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

/* Where connections come in. */
struct place {
	uv_poll_t poll;
	int fd;
	bool tls;
};

static struct {
	uv_loop_t loop;
	struct tls_server *tls;
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

static void begin(int fd, bool tls)
{
	struct peer *const p = malloc(sizeof(*p));

	if (p == NULL) {
		(void)close(fd);
		return;
	}
	p->handshaking = tls;
	p->closing = p->blob = p->line_goes_on = false;
	p->out_n = p->out_at = 0;
	if (conn_open(&p->conn, &null_server.loop, fd, on_ready, on_closed) < 0) {
		free(p);
		return;
	}
	if (!tls) {
		put(p, "+OK\r\n");
		on_ready(&p->conn);
	} else if (conn_start_tls(&p->conn, null_server.tls, NULL) < 0) {
		conn_close(&p->conn);
	} else {
		conn_watch(&p->conn, true, false);
	}
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
	const struct place *const place = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		const int fd = accept4(place->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		begin(fd, place->tls);
	}
}

/* One process, which takes its share of the connections to each place. */
static int work(struct place *places, unsigned n, pid_t parent)
{
	/* With the process that started it, which may be gone already. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		return 1;
	if (uv_loop_init(&null_server.loop) < 0)
		return 1;
	for (unsigned i = 0; i < n; i++) {
		if (uv_poll_init(&null_server.loop, &places[i].poll, places[i].fd) < 0)
			return 1;
		places[i].poll.data = &places[i];
		(void)uv_poll_start(&places[i].poll, UV_READABLE, on_acceptable);
	}
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

static void listen_on(uint64_t port, int *sockets, unsigned n)
{
	struct err err;

	if (listen_tcp("127.0.0.1", (uint16_t)port, sockets, n, &err) == 0)
		return;
	(void)fprintf(stderr, "bench-null: %s\n", err.text);
	exit(1);
}

static void open_tls(const char *certificate)
{
	const struct tls_pair pair = {.certificate = certificate, .key = certificate};
	const struct tls_server_options options = {
		.pairs = &pair, .n_pairs = 1, .min_version = 12, .ciphers = ""};
	struct err err;

	if (tls_server_new(&options, &null_server.tls, &err) == 0)
		return;
	(void)fprintf(stderr, "bench-null: %s\n", err.text);
	exit(1);
}

static uint64_t number(const char *text, uint64_t max)
{
	uint64_t n;

	if (num_parse_u64(span_str(text), max, &n))
		return n;
	(void)fprintf(stderr, "bench-null: '%s' is no number up to %llu\n", text,
		      (unsigned long long)max);
	exit(64);
}

int main(int argc, char **argv)
{
	int sockets[2][PROCESSES_MAX];
	const pid_t self = getpid();
	char byte;

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc != 4 && argc != 6) {
		(void)fprintf(stderr, "usage: bench-null PROCESSES PORT FILE|- "
				      "[TLS-PORT CERTIFICATE]\n");
		return 64;
	}

	const unsigned n = (unsigned)number(argv[1], PROCESSES_MAX);
	const unsigned n_places = argc == 6 ? 2 : 1;

	listen_on(number(argv[2], 65535), sockets[0], n);
	if (strcmp(argv[3], "-") != 0)
		open_blob(argv[3]);
	if (n_places == 2) {
		listen_on(number(argv[4], 65535), sockets[1], n);
		open_tls(argv[5]);
	}
	for (unsigned i = 0; i < n; i++) {
		struct place places[2] = {{.fd = sockets[0][i]},
					  {.fd = sockets[1][i], .tls = true}};

		if (fork() == 0)
			_exit(work(places, n_places, self));
	}
	(void)printf("ready %u %u\n", listen_port(sockets[0][0]),
		     n_places == 2 ? listen_port(sockets[1][0]) : 0);
	(void)fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
