/* SPDX-License-Identifier: MIT */
/*
 * Certificates that are renewed under their names, and CAs and CRLs for clients': by
 * certbot, which puts symbolic links in the place of others, or by anything else. They are
 * looked at now and then, not waited for: a look costs a stat(2) for each file, and works
 * whatever way a file, a link or a folder above it was replaced, and on every file system.
 *
 *	a look finds something else ──► once more, SETTLE_MS later ──► the same again:
 *	it is tried, as at a start ──► a new generation of listeners, or one line in the log
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file_mark.h"
#include "base/log.h"
#include "net/tls_server.h"
#include "server/master/master_priv.h"
#include "server/tls_options.h"

/* Who replaces certificate, key and response does it in so much time between two of them. */
#define SETTLE_MS 2000

/* FNV-1a: the same files give the same number; others don't, for all practical purposes. */
static void mix(uint64_t *h, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*h = (*h ^ ((const uint8_t *)p)[i]) * UINT64_C(0x100000001b3);
}

static void mix_file(uint64_t *h, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		mix(h, &errno, sizeof(errno));
		return;
	}

	const struct file_mark mark = file_mark_of(&st);

	mix(h, &mark, sizeof(mark));
}

uint64_t master_renewal_look(const struct config *config)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	struct tls_options options;
	char ocsp[PATH_MAX];

	if (!config_has_tls(config))
		return h;
	tls_options_fill(config, &options);
	if (config->tls_client_ca[0] != '\0')
		mix_file(&h, config->tls_client_ca);
	for (size_t i = 0; i < options.server.n_pairs; i++) {
		mix_file(&h, options.pairs[i].certificate);
		mix_file(&h, options.pairs[i].key);
		(void)snprintf(ocsp, sizeof(ocsp), "%s" TLS_OCSP_SUFFIX,
			       options.pairs[i].certificate);
		mix_file(&h, ocsp);
	}
	return h;
}

void master_renewal_begin(struct master *m, uint64_t used)
{
	m->renewal.used = m->renewal.seen = used;
	m->renewal.due_ms = clock_mono_ms() + (uint64_t)m->config.tls_watch * 1000;
}

static bool try_new_ones(struct master *m)
{
	struct err err;

	if (master_check_tls(&m->config, &err) < 0) {
		if (m->renewal.refused == m->renewal.seen)
			return false;
		m->renewal.refused = m->renewal.seen;
		log_event(LOG_LEVEL_ERROR, "certificates-refused", log_str("error", err.text),
			  log_str("effect", "the old ones stay"));
		return false;
	}
	/* Before listeners ask clients by it: what is revoked is so from now on. */
	if (m->config.tls_client_ca[0] != '\0' && !master_tell_auth(m))
		return false;
	m->renewal.used = m->renewal.seen;
	log_event(LOG_LEVEL_INFO, "certificates-renewed");
	master_renew_listeners(m);
	return true;
}

enum renewal_answer master_renewal_for_start(struct master *m)
{
	const uint64_t h = master_renewal_look(&m->config);

	if (h == m->renewal.used)
		return RENEWAL_SAME;
	m->renewal.seen = h;
	return try_new_ones(m) ? RENEWAL_BEGUN : RENEWAL_REFUSED;
}

void master_renewal(struct master *m)
{
	const uint64_t now = clock_mono_ms();
	uint64_t in = (uint64_t)m->config.tls_watch * 1000;
	uint64_t h;

	/* A generation that isn't complete yet is not replaced by another one. */
	if (m->config.tls_watch == 0 || m->state != MASTER_RUNNING || m->reloading ||
	    now < m->renewal.due_ms)
		return;
	h = master_renewal_look(&m->config);
	if (h != m->renewal.seen) {
		m->renewal.seen = h;
		in = in < SETTLE_MS ? in : SETTLE_MS;
	} else if (h != m->renewal.used && h != m->renewal.refused) {
		(void)try_new_ones(m);
	}
	m->renewal.due_ms = now + in;
}

int64_t master_renewal_in(const struct master *m, uint64_t now)
{
	if (m->config.tls_watch == 0 || m->state != MASTER_RUNNING || m->reloading)
		return -1;
	return m->renewal.due_ms > now ? (int64_t)(m->renewal.due_ms - now) : 0;
}
