/* SPDX-License-Identifier: MIT */
/*
 * Names are looked up by this file's own getaddrinfo(), so that they mean what a case
 * needs, and a resolver can hang.
 */
#include "net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"

#define LONG_MS 60000
#define SHORT_MS 100

/* What the next lookup of a name says. */
static struct {
	const char *addresses[40]; /* in figures, up to NULL */
	int error;
	int sys_errno;
	int hang_fd; /* it hangs until this is readable; -1: it doesn't */
	pthread_mutex_t mutex;
	unsigned asked; /* for names, so far */
	unsigned given; /* lists, */
	unsigned freed; /* and how many of them */
} names = {.hang_fd = -1, .mutex = PTHREAD_MUTEX_INITIALIZER};

static void count(unsigned *what)
{
	(void)pthread_mutex_lock(&names.mutex);
	++*what;
	(void)pthread_mutex_unlock(&names.mutex);
}

static unsigned counted(const unsigned *what)
{
	(void)pthread_mutex_lock(&names.mutex);

	const unsigned n = *what;

	(void)pthread_mutex_unlock(&names.mutex);
	return n;
}

/* A family that no kernel has: there is no way to such an address. */
#define NOWHERE "?"
#define NO_FAMILY 200

/* TCP has no way to a broadcast address, and says so at once. */
#define UNREACHABLE "255.255.255.255"

static struct addrinfo *make(const char *figures, in_port_t port)
{
	struct addrinfo *const a = calloc(1, sizeof(*a) + sizeof(struct sockaddr_in6));
	struct sockaddr_in6 *const v6 = (struct sockaddr_in6 *)(a + 1);
	struct sockaddr_in *const v4 = (struct sockaddr_in *)(a + 1);

	a->ai_addr = (struct sockaddr *)(a + 1);
	if (inet_pton(AF_INET6, figures, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port;
		a->ai_addrlen = sizeof(*v6);
	} else if (inet_pton(AF_INET, figures, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = port;
		a->ai_addrlen = sizeof(*v4);
	} else if (strcmp(figures, NOWHERE) == 0) {
		a->ai_addr->sa_family = NO_FAMILY;
	} else {
		free(a);
		return NULL;
	}
	a->ai_family = a->ai_addr->sa_family;
	return a;
}

static in_port_t port_of(const char *service)
{
	unsigned port = 0;

	for (; *service != '\0'; service++)
		port = port * 10 + (unsigned)(*service - '0');
	return htons((uint16_t)port);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	struct addrinfo **end = ret;
	struct addrinfo *const numeric = make(name, port_of(service));

	if (numeric != NULL || hints->ai_flags & AI_NUMERICHOST) {
		*ret = numeric;
		if (numeric != NULL)
			count(&names.given);
		return numeric != NULL ? 0 : EAI_NONAME;
	}
	count(&names.asked);
	if (names.hang_fd >= 0) {
		char c;

		(void)!read(names.hang_fd, &c, 1);
	}
	errno = names.sys_errno;
	if (names.error != 0)
		return names.error;
	for (const char **a = names.addresses; *a != NULL; a++) {
		*end = make(*a, port_of(service));
		end = &(*end)->ai_next;
	}
	count(&names.given);
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	count(&names.freed);
	while (list != NULL) {
		struct addrinfo *const next = list->ai_next;

		free(list);
		list = next;
	}
}

/* What stands at an address. */
enum place { LIVE, REFUSING, HANGING };

/* The same port of several addresses of loopback; it is REFUSING elsewhere. */
struct places {
	uint16_t port;
	int fds[40];
	unsigned n;
};

/* -1 when somebody else has that port there. */
static int bind_to(const char *figures, uint16_t port)
{
	struct addrinfo *const a = make(figures, htons(port));
	const int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0) {
		assert_int_equal(errno, EADDRINUSE);
		(void)close(fd);
		free(a);
		return -1;
	}
	free(a);
	return fd;
}

static uint16_t port_of_socket(int fd)
{
	struct sockaddr_in6 bound; /* its port stands where sin_port does */
	socklen_t n = sizeof(bound);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &n), 0);
	return ntohs(bound.sin6_port);
}

/* Its queue is full, so the kernel answers nobody any more. */
static void fill_queue(struct places *p, const char *figures)
{
	struct addrinfo *const a = make(figures, htons(p->port));

	for (unsigned i = 0; i < 3; i++) {
		const int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		(void)connect(fd, a->ai_addr, a->ai_addrlen);
		p->fds[p->n++] = fd;
	}
	free(a);
}

struct place_at {
	const char *figures;
	enum place place;
};

/* Bound without listening, it refuses, and the port stays ours. */
static bool add_place(struct places *p, const struct place_at *at)
{
	const int fd = bind_to(at->figures, p->port);

	if (fd < 0)
		return false;
	p->fds[p->n++] = fd;
	if (p->port == 0)
		p->port = port_of_socket(fd);
	if (at->place != REFUSING)
		assert_int_equal(listen(fd, at->place == LIVE ? 5 : 0), 0);
	if (at->place == HANGING)
		fill_queue(p, at->figures);
	return true;
}

static void places_done(struct places *p)
{
	while (p->n > 0)
		(void)close(p->fds[--p->n]);
}

static bool add_places(struct places *p, const struct place_at *at, unsigned n)
{
	p->port = 0;
	for (unsigned i = 0; i < n && at[i].figures != NULL; i++) {
		if (!add_place(p, &at[i])) {
			places_done(p);
			return false;
		}
	}
	return true;
}

/* On a port that is free at all of them. */
static struct places make_places(const struct place_at *at, unsigned n)
{
	struct places p = {0};
	unsigned tries = 0;

	while (!add_places(&p, at, n))
		assert_true(++tries < 10);
	return p;
}

static struct places make_place(enum place place)
{
	return make_places(&(struct place_at){"127.0.0.1", place}, 1);
}

static int try(const char *host, uint16_t port, uint32_t timeout_ms, int stop_fd, int *ret_fd,
	       struct err *err)
{
	const struct dial_options options = {
		.host = host,
		.port = port,
		.timeout_ms = timeout_ms,
		.stop_fd = stop_fd,
	};
	const int r = dial(&options, ret_fd, err);

	if (names.hang_fd < 0)
		assert_int_equal(counted(&names.given), counted(&names.freed));
	return r;
}

static void assert_connected(int fd, const char *figures)
{
	struct sockaddr_in6 peer;
	socklen_t n = sizeof(peer);
	char text[INET6_ADDRSTRLEN];
	int on;
	socklen_t on_n = sizeof(on);

	assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &n), 0);
	assert_non_null(inet_ntop(peer.sin6_family,
				  peer.sin6_family == AF_INET6
					  ? (void *)&peer.sin6_addr
					  : (void *)&((struct sockaddr_in *)&peer)->sin_addr,
				  text, sizeof(text)));
	assert_string_equal(text, figures);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &on_n), 0);
	assert_true(on);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &on_n), 0);
	assert_true(on);
	assert_int_equal(close(fd), 0);
}

static void figures_ask_no_resolver(void **state)
{
	static const struct place_at at[] = {{"127.0.0.1", LIVE}, {"::1", LIVE}};
	struct places p = make_places(at, 2);
	struct err err;
	int fd;

	(void)state;
	names.asked = 0;
	assert_int_equal(try("127.0.0.1", p.port, LONG_MS, -1, &fd, &err), 0);
	assert_connected(fd, "127.0.0.1");
	assert_int_equal(try("::1", p.port, LONG_MS, -1, &fd, &err), 0);
	assert_connected(fd, "::1");
	assert_int_equal(counted(&names.asked), 0);
	places_done(&p);
}

static void set_addresses(const char *const *addresses)
{
	unsigned n = 0;

	for (; addresses[n] != NULL; n++)
		names.addresses[n] = addresses[n];
	names.addresses[n] = NULL;
}

#define ADDRESSES_MAX 4

/* What stands where, what the resolver says, and who is reached or why nobody is. */
static const struct {
	struct place_at places[ADDRESSES_MAX];
	const char *addresses[ADDRESSES_MAX + 1];
	const char *reached;
	int error;
	uint32_t timeout_ms;
	uint32_t least_ms; /* it takes no less */
} cases[] = {
	{{{"127.0.0.1", LIVE}}, {"127.0.0.1"}, "127.0.0.1", 0, LONG_MS, 0},
	/* The next one at once when one fails, */
	{{{"127.0.0.1", LIVE}, {"127.0.0.2", REFUSING}},
	 {"127.0.0.2", "127.0.0.1"},
	 "127.0.0.1",
	 0,
	 LONG_MS,
	 0},
	{{{"127.0.0.1", LIVE}}, {NOWHERE, "127.0.0.1"}, "127.0.0.1", 0, LONG_MS, 0},
	{{{"127.0.0.1", LIVE}}, {UNREACHABLE, "127.0.0.1"}, "127.0.0.1", 0, LONG_MS, 0},
	/* and after a while when one says nothing. */
	{{{"127.0.0.1", LIVE}, {"127.0.0.2", HANGING}},
	 {"127.0.0.2", "127.0.0.1"},
	 "127.0.0.1",
	 0,
	 LONG_MS,
	 250},
	{{{"127.0.0.1", LIVE}, {"127.0.0.2", HANGING}, {"127.0.0.3", HANGING}},
	 {"127.0.0.2", "127.0.0.3", "127.0.0.1"},
	 "127.0.0.1",
	 0,
	 LONG_MS,
	 500},
	/* Families take turns. */
	{{{"127.0.0.1", LIVE}, {"::1", LIVE}}, {"127.0.0.1", "::1"}, "::1", 0, LONG_MS, 0},
	{{{"127.0.0.1", LIVE}, {"127.0.0.2", LIVE}, {"::1", REFUSING}},
	 {"::1", "::1", "127.0.0.2", "127.0.0.1"},
	 "127.0.0.2",
	 0,
	 LONG_MS,
	 0},
	{{{"127.0.0.1", LIVE}, {"::1", HANGING}},
	 {"::1", "127.0.0.1"},
	 "127.0.0.1",
	 0,
	 LONG_MS,
	 250},
	/* Nobody. */
	{{{"127.0.0.1", REFUSING}}, {"127.0.0.1"}, NULL, -ECONNREFUSED, LONG_MS, 0},
	{{{"127.0.0.1", REFUSING}},
	 {NOWHERE, "127.0.0.1", NOWHERE},
	 NULL,
	 -ECONNREFUSED,
	 LONG_MS,
	 0},
	{{{"127.0.0.1", REFUSING}}, {NOWHERE}, NULL, -EAFNOSUPPORT, LONG_MS, 0},
	{{{"127.0.0.1", REFUSING}}, {UNREACHABLE}, NULL, -ENETUNREACH, LONG_MS, 0},
	{{{"127.0.0.1", REFUSING}},
	 {UNREACHABLE, "127.0.0.1", NOWHERE},
	 NULL,
	 -ECONNREFUSED,
	 LONG_MS,
	 0},
	{{{"127.0.0.1", HANGING}}, {"127.0.0.1"}, NULL, -ETIMEDOUT, SHORT_MS, SHORT_MS},
	{{{"127.0.0.1", HANGING}, {"127.0.0.2", HANGING}},
	 {"127.0.0.1", "127.0.0.2"},
	 NULL,
	 -ETIMEDOUT,
	 300,
	 300},
};

static void addresses_are_tried_in_turn(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct places p = make_places(cases[i].places, ADDRESSES_MAX);
		struct err err;
		int fd;

		set_addresses(cases[i].addresses);

		const uint64_t before = clock_mono_ms();

		assert_int_equal(try("pop.example.org", p.port, cases[i].timeout_ms, -1, &fd, &err),
				 cases[i].error);
		assert_true(clock_mono_ms() - before >= cases[i].least_ms);
		if (cases[i].error == 0)
			assert_connected(fd, cases[i].reached);
		places_done(&p);
	}
}

static void failures_name_host_and_port(void **state)
{
	static const char *const addresses[] = {"127.0.0.1", NULL};
	struct places p = make_place(REFUSING);
	struct err err;
	char want[100];
	int fd;

	(void)state;
	set_addresses(addresses);
	assert_int_equal(try("pop.example.org", p.port, LONG_MS, -1, &fd, &err), -ECONNREFUSED);
	(void)snprintf(want, sizeof(want),
		       "cannot connect to 'pop.example.org' port %u: Connection refused", p.port);
	assert_string_equal(err.text, want);
	places_done(&p);
}

/* A name can have any number of addresses; the 16th is the last one that is tried. */
static void not_every_address_is_tried(void **state)
{
	struct places p = make_place(LIVE);
	struct err err;
	int fd;

	(void)state;
	for (unsigned live = 15; live <= 16; live++) {
		for (unsigned i = 0; i < 39; i++)
			names.addresses[i] = i == live ? "127.0.0.1" : NOWHERE;
		names.addresses[39] = NULL;
		assert_int_equal(try("pop.example.org", p.port, LONG_MS, -1, &fd, &err),
				 live == 15 ? 0 : -EAFNOSUPPORT);
		if (live == 15)
			assert_connected(fd, "127.0.0.1");
	}
	places_done(&p);
}

static const struct {
	int error;
	int sys_errno;
	int r;
	const char *text;
} failures[] = {
	{EAI_NONAME, 0, -ENXIO, "cannot find 'pop.example.org': Name or service not known"},
	{EAI_FAIL, 0, -ENXIO,
	 "cannot find 'pop.example.org': Non-recoverable failure in name resolution"},
	{EAI_AGAIN, 0, -EAGAIN,
	 "cannot find 'pop.example.org': Temporary failure in name resolution"},
	{EAI_MEMORY, 0, -ENOMEM, "cannot find 'pop.example.org': Cannot allocate memory"},
	{EAI_SYSTEM, EMFILE, -EMFILE, "cannot find 'pop.example.org': Too many open files"},
};

static void a_resolver_says_why_not(void **state)
{
	struct err err;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		names.error = failures[i].error;
		names.sys_errno = failures[i].sys_errno;
		assert_int_equal(try("pop.example.org", 995, LONG_MS, -1, &fd, &err),
				 failures[i].r);
		assert_string_equal(err.text, failures[i].text);
	}
	names.error = 0;
}

/* Lets a lookup go on that nobody waits for any more, and sees that it cleans up. */
static void release(int write_fd)
{
	const unsigned before = counted(&names.freed);
	const uint64_t until_ms = clock_mono_ms() + LONG_MS;

	assert_int_equal(write(write_fd, "x", 1), 1);
	while (counted(&names.freed) == before && clock_mono_ms() < until_ms)
		(void)usleep(1000);
	assert_int_equal(counted(&names.freed), before + 1);
	assert_int_equal(counted(&names.given), counted(&names.freed));
}

static void a_resolver_that_hangs_is_left_alone(void **state)
{
	static const char *const addresses[] = {"127.0.0.1", NULL};
	struct err err;
	int fd, hang[2], stop[2];

	(void)state;
	set_addresses(addresses);
	assert_int_equal(pipe(hang), 0);
	assert_int_equal(pipe(stop), 0);
	names.hang_fd = hang[0];

	assert_int_equal(try("pop.example.org", 995, SHORT_MS, -1, &fd, &err), -ETIMEDOUT);
	assert_string_equal(err.text, "cannot find 'pop.example.org': Connection timed out");
	release(hang[1]);

	assert_int_equal(write(stop[1], "x", 1), 1);
	assert_int_equal(try("pop.example.org", 995, LONG_MS, stop[0], &fd, &err), -ECANCELED);
	release(hang[1]);

	names.hang_fd = -1;
	for (unsigned i = 0; i < 2; i++) {
		(void)close(hang[i]);
		(void)close(stop[i]);
	}
}

static void connecting_can_be_stopped(void **state)
{
	struct places p = make_place(HANGING);
	struct err err;
	int fd, stop[2];

	(void)state;
	assert_int_equal(pipe(stop), 0);
	assert_int_equal(write(stop[1], "x", 1), 1);
	assert_int_equal(try("127.0.0.1", p.port, LONG_MS, stop[0], &fd, &err), -ECANCELED);
	/* It is the caller's still. */
	assert_int_equal(close(stop[0]), 0);
	(void)close(stop[1]);
	places_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_ask_no_resolver),
		cmocka_unit_test(addresses_are_tried_in_turn),
		cmocka_unit_test(failures_name_host_and_port),
		cmocka_unit_test(not_every_address_is_tried),
		cmocka_unit_test(a_resolver_says_why_not),
		cmocka_unit_test(a_resolver_that_hangs_is_left_alone),
		cmocka_unit_test(connecting_can_be_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
