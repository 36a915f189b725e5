/* SPDX-License-Identifier: MIT */
/*
 * Each listener has a thread here, which waits for its next question: so each has at least
 * the speed that it would have with the key itself, and none waits for another. A question
 * that isn't one about a TLS handshake ends the thread, and the listener's channel with it.
 */
#include "server/signerd/signerd.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/fdpass.h"
#include "net/tls_keys.h"
#include "server/tls_options.h"

/* Of a thread; all of them are locked in memory. */
#define STACK_BYTES (256U << 10)

_Static_assert(IPC_SIGN_OCTETS >= TLS_SIGNED_OCTETS_MAX, "a question fits");
_Static_assert(IPC_SIGNED_OCTETS == TLS_SIGNATURE_OCTETS_MAX, "an answer fits");
_Static_assert(sizeof(((struct ipc_sign *)NULL)->key_id) == TLS_KEY_ID_OCTETS, "an id fits");

struct peer {
	struct peer *next;
	const struct signer *signer; /* Borrowed */
	uv_thread_t thread;
	int fd; /* Owned */
	uint32_t id;
	atomic_bool ended;
	union ipc_msg question;
	union ipc_msg answer;
};

struct signer {
	struct tls_keys *keys; /* Owned; nobody changes them */
	unsigned min_version;
	struct peer *peers; /* Owned */
};

/*
 * Keys are not to be found on a disk later. As a user who may not lock so much we go on, for
 * the alternative would be no TLS.
 */
static void keep_in_memory(void)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	/* Once rights are dropped, memory that may not be locked isn't had at all. */
	const bool later = setrlimit(RLIMIT_MEMLOCK, &all) == 0;

	if (mlockall(later ? MCL_CURRENT | MCL_FUTURE : MCL_CURRENT) == 0)
		return;
	log_event(LOG_LEVEL_INFO, "not-locked", log_str("error", strerror(errno)),
		  log_str("effect", "keys may be written to swap space"));
}

static int prepare(struct process *p, struct err *err)
{
	struct signer *const s = calloc(1, sizeof(*s));
	struct tls_options options;
	int r;

	if (s == NULL)
		return err_sys(err, ENOMEM, "cannot make a signer");
	p->owner = s;
	p->threads = 1; /* nothing uses the pool */
	/* Or libc would ask the file system how many cores there are, once it is sealed. */
	(void)mallopt(M_ARENA_MAX, 1);
	s->min_version = p->config->tls_min_version;
	tls_options_fill(p->config, &options);
	r = tls_keys_load(options.server.pairs, options.server.n_pairs, &s->keys, err);
	if (r == 0)
		keep_in_memory();
	return r;
}

static int start(struct process *p, struct err *err)
{
	(void)p;
	(void)err;
	return 0;
}

static void log_refusal(const struct peer *peer, const struct tls_signing *what, const char *reason)
{
	log_event(LOG_LEVEL_ERROR, "sign-refused", log_num("listener", peer->id),
		  log_num("scheme", what->scheme), log_num("octets", what->n),
		  log_str("reason", reason));
}

/*
 * False for what no honest listener asks. A key that isn't here is no such thing: files may
 * have been replaced between its start and ours, and the master is about to notice.
 */
static bool answer(const struct peer *peer, const struct ipc_sign *m, struct ipc_signed *ret)
{
	const struct tls_signing what = {
		.key_id = m->key_id,
		.scheme = m->scheme,
		.octets = m->octets,
		.n = m->n,
	};
	struct evp_pkey_st *key;

	if (!tls_signing_is_plausible(peer->signer->min_version, &what)) {
		log_refusal(peer, &what, "not a TLS handshake");
		return false;
	}
	key = tls_keys_find(peer->signer->keys, m->key_id);
	ret->n = key != NULL ? (uint32_t)tls_signature_make(key, &what, ret->octets) : 0;
	if (ret->n == 0)
		log_refusal(peer, &what, key != NULL ? "not by this key" : "no such key");
	return true;
}

/* One question and its answer. False at the end of the channel. */
static bool serve(struct peer *peer)
{
	union ipc_msg *const m = &peer->question;
	union ipc_msg *const reply = &peer->answer;
	int fd;
	const ssize_t n = fdpass_recv(peer->fd, m, sizeof(*m), &fd);

	if (n == 0 || (n < 0 && n != -EBADMSG))
		return false;
	if (n < 0 || !ipc_check(m, (size_t)n, fd >= 0, IPC_LISTENER, IPC_SIGNER)) {
		log_event(LOG_LEVEL_ERROR, "ipc-refused", log_str("peer", "listener"),
			  log_num("peer_id", peer->id));
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	ipc_start(reply, IPC_SIGNED, m->head.session);
	if (!answer(peer, &m->sign, &reply->signature))
		return false;
	return fdpass_send(peer->fd, reply, ipc_length(reply), -1) == 0;
}

static void serve_all(void *arg)
{
	struct peer *const peer = arg;

	while (serve(peer))
		;
	/* The number stays taken until the thread is joined, so it can't be another's meanwhile. */
	(void)shutdown(peer->fd, SHUT_RDWR);
	atomic_store(&peer->ended, true);
}

static void free_peer(struct peer *peer)
{
	(void)uv_thread_join(&peer->thread);
	(void)close(peer->fd);
	free(peer);
}

/* Those whose listeners have gone. */
static void sweep(struct signer *s)
{
	for (struct peer **at = &s->peers; *at != NULL;) {
		struct peer *const peer = *at;

		if (!atomic_load(&peer->ended)) {
			at = &peer->next;
			continue;
		}
		*at = peer->next;
		free_peer(peer);
	}
}

static void on_link(struct process *p, enum ipc_role role, uint32_t peer_id, int fd)
{
	const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
					     .stack_size = STACK_BYTES};
	struct signer *const s = p->owner;
	struct peer *const peer = role == IPC_LISTENER ? calloc(1, sizeof(*peer)) : NULL;

	sweep(s);
	if (peer == NULL) {
		(void)close(fd);
		return;
	}
	peer->signer = s;
	peer->fd = fd;
	peer->id = peer_id;
	/* Its thread waits in recvmsg(2). */
	(void)fcntl(fd, F_SETFL, 0);

	const int r = uv_thread_create_ex(&peer->thread, &options, serve_all, peer);

	if (r < 0) {
		log_event(LOG_LEVEL_ERROR, "link-failed", log_str("error", strerror(-r)));
		(void)close(fd);
		free(peer);
		return;
	}
	peer->next = s->peers;
	s->peers = peer;
}

/* Whoever could ask has gone. */
static void on_drain(struct process *p)
{
	process_quit(p);
}

static void stop(struct process *p)
{
	struct signer *const s = p->owner;

	while (s->peers != NULL) {
		struct peer *const peer = s->peers;

		s->peers = peer->next;
		(void)shutdown(peer->fd, SHUT_RDWR);
		free_peer(peer);
	}
	tls_keys_free(s->keys);
	free(s);
	p->owner = NULL;
}

const struct process_ops signerd_ops = {
	.role = IPC_SIGNER,
	.sandbox = &sandbox_signer,
	.prepare = prepare,
	.start = start,
	.on_link = on_link,
	.on_drain = on_drain,
	.stop = stop,
};
