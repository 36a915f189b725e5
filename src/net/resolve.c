/* SPDX-License-Identifier: MIT */
#include "net/resolve.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/wait.h"

/* Shared by who asks and the thread that looks up; the last one that leaves frees it. */
struct lookup {
	atomic_uint users;
	int done_fd; /* Owned: an eventfd, readable when what follows is set */
	int gai_error;
	int sys_errno;
	struct addrinfo *addresses; /* Owned, or NULL when it was taken */
	char service[6];
	char host[];
};

static int look_up(const char *host, const char *service, int flags, struct addrinfo **ret)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | flags,
	};

	*ret = NULL;
	return getaddrinfo(host, service, &hints, ret);
}

static void leave(struct lookup *l)
{
	if (atomic_fetch_sub(&l->users, 1) > 1)
		return;
	if (l->addresses != NULL)
		freeaddrinfo(l->addresses);
	(void)close(l->done_fd);
	free(l);
}

static void *thread(void *arg)
{
	struct lookup *const l = arg;
	const uint64_t one = 1;

	l->gai_error = look_up(l->host, l->service, 0, &l->addresses);
	l->sys_errno = errno;
	/* It can't fail: the counter is 0, and the descriptor ours. */
	(void)!write(l->done_fd, &one, sizeof(one));
	leave(l);
	return NULL;
}

static struct lookup *lookup_new(const char *host, const char *service)
{
	const size_t n = strlen(host) + 1;
	struct lookup *const l = calloc(1, sizeof(*l) + n);

	if (l == NULL)
		return NULL;
	l->done_fd = eventfd(0, EFD_CLOEXEC);
	if (l->done_fd < 0) {
		free(l);
		return NULL;
	}
	memcpy(l->host, host, n);
	memcpy(l->service, service, sizeof(l->service));
	atomic_init(&l->users, 1);
	return l;
}

/* Signals are for the program's own threads. */
static int start(struct lookup *l)
{
	sigset_t all, old;
	pthread_t id;

	atomic_fetch_add(&l->users, 1);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);

	const int e = pthread_create(&id, NULL, thread, l);

	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (e == 0)
		(void)pthread_detach(id);
	else
		leave(l);
	return -e;
}

static int gai_failed(const char *host, int gai_error, int sys_errno, struct err *err)
{
	switch (gai_error) {
	case EAI_SYSTEM:
		return err_sys(err, sys_errno, "cannot find '%s'", host);
	case EAI_MEMORY:
		return err_sys(err, ENOMEM, "cannot find '%s'", host);
	case EAI_AGAIN:
		return err_set(err, EAGAIN, "cannot find '%s': %s", host, gai_strerror(gai_error));
	default:
		return err_set(err, ENXIO, "cannot find '%s': %s", host, gai_strerror(gai_error));
	}
}

static int wait_for(struct lookup *l, uint64_t until_ms, int stop_fd,
		    struct addrinfo **ret_addresses, struct err *err)
{
	struct pollfd fds[] = {
		{.fd = stop_fd, .events = POLLIN},
		{.fd = l->done_fd, .events = POLLIN},
	};
	const int r = wait_ready(fds, 2, until_ms);
	uint64_t done;

	if (r < 0)
		return err_sys(err, -r, "cannot find '%s'", l->host);
	if (read(l->done_fd, &done, sizeof(done)) < 0)
		return err_sys(err, errno, "cannot find '%s'", l->host);
	if (l->gai_error != 0)
		return gai_failed(l->host, l->gai_error, l->sys_errno, err);
	*ret_addresses = l->addresses;
	l->addresses = NULL;
	return 0;
}

int resolve(const char *host, uint16_t port, uint64_t until_ms, int stop_fd,
	    struct addrinfo **ret_addresses, struct err *err)
{
	char service[6];
	struct addrinfo *addresses;
	int r;

	(void)snprintf(service, sizeof(service), "%u", port);
	if (look_up(host, service, AI_NUMERICHOST, &addresses) == 0) {
		*ret_addresses = addresses;
		return 0;
	}

	struct lookup *const l = lookup_new(host, service);

	if (l == NULL)
		return err_sys(err, ENOMEM, "cannot find '%s'", host);
	r = start(l);
	if (r < 0)
		(void)err_sys(err, -r, "cannot find '%s'", host);
	else
		r = wait_for(l, until_ms, stop_fd, ret_addresses, err);
	leave(l);
	return r;
}
