/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/span.h"
#include "server/authd/authd_priv.h"

static size_t bucket_of(const struct authd *ad, const struct link *l, uint64_t id)
{
	const uint64_t h = (id ^ (uint64_t)(uintptr_t)l) * ad->seed;

	return (size_t)(h >> 32) % AUTHD_BUCKETS;
}

struct request *request_find(struct authd *ad, const struct link *l, uint64_t id)
{
	struct request *r;

	LIST_FOREACH(r, &ad->requests[bucket_of(ad, l, id)], bucket)
	{
		if (r->id == id && r->link == l)
			return r;
	}
	return NULL;
}

struct request *request_new(struct link *l, uint64_t id)
{
	struct authd *ad = l->ad;
	struct request *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->login = calloc(1, sizeof(*r->login));
	if (r->login == NULL) {
		free(r);
		return NULL;
	}
	r->ad = ad;
	r->link = l;
	r->id = id;
	r->begun_ms = clock_mono_ms();
	LIST_INSERT_HEAD(&ad->requests[bucket_of(ad, l, id)], r, bucket);
	TAILQ_INSERT_TAIL(&l->requests, r, of_link);
	l->n_requests++;
	ad->n_requests++;
	return r;
}

/* Nobody finds it any more, and no answer goes anywhere. */
static void detach(struct request *r)
{
	if (r->link == NULL)
		return;
	LIST_REMOVE(r, bucket);
	TAILQ_REMOVE(&r->link->requests, r, of_link);
	r->link->n_requests--;
	r->link = NULL;
}

void request_drop_login(struct request *r)
{
	if (r->login == NULL)
		return;
	request_uncount_trier(r);
	userdb_cancel(&r->login->query);
	sasl_session_free(r->login->sasl);
	secret_wipe(r->login, sizeof(*r->login));
	free(r->login);
	r->login = NULL;
}

void request_free(struct request *r)
{
	struct authd *ad = r->ad;

	assert(r->state != REQUEST_HASHING);
	detach(r);
	request_drop_login(r);
	free(r);
	ad->n_requests--;
	authd_check_drained(ad);
}

void request_cancel(struct request *r)
{
	switch (r->state) {
	case REQUEST_HASHING:
		/* The pool is reading it. login_verified() frees it. */
		detach(r);
		return;
	case REQUEST_QUEUED:
		authd_queue_forget(r);
		break;
	case REQUEST_DELAYED:
	case REQUEST_WAITING:
		authd_delay_forget(r);
		break;
	case REQUEST_ASKING:
		introspector_forget(r);
		break;
	case REQUEST_LOOKUP:
	case REQUEST_CHALLENGED:
		break;
	}
	request_free(r);
}

void request_refuse(struct request *r, enum ipc_status status)
{
	union ipc_msg *m = authd_out(IPC_AUTH_FAILED, r->id);

	m->result.status = status;
	ipc_channel_send(&r->link->ch, m, -1);
	request_free(r);
}

static size_t trier_bucket(const struct authd *ad, const char *name)
{
	uint64_t h = ad->seed;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(1099511628211);
	return (size_t)(h >> 32) % AUTHD_BUCKETS;
}

bool request_count_trier(struct request *r)
{
	struct authd *ad = r->ad;
	const unsigned max = authd_config(ad)->max_connections_per_user;
	char name[LIMIT_USER + 1];
	struct trier *t;

	/*
	 * By the name that was typed, not by the user that was found: or the limit
	 * would tell which names exist. But each user's devices are as many as one likes.
	 */
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = span_ascii_lower(r->login->name.user[i]);

	const size_t bucket = trier_bucket(ad, name);

	LIST_FOREACH(t, &ad->triers[bucket], triers)
	{
		if (t->place == r->login->place && strcmp(t->name, name) == 0)
			break;
	}
	if (t == NULL) {
		t = calloc(1, sizeof(*t));
		if (t == NULL)
			return false;
		t->place = r->login->place;
		memcpy(t->name, name, sizeof(name));
		LIST_INSERT_HEAD(&ad->triers[bucket], t, triers);
	} else if (max != 0 && t->n >= max) {
		return false;
	}
	t->n++;
	r->login->trier = t;
	return true;
}

void request_uncount_trier(struct request *r)
{
	struct trier *t = r->login->trier;

	if (t == NULL)
		return;
	r->login->trier = NULL;
	if (--t->n == 0) {
		LIST_REMOVE(t, triers);
		free(t);
	}
}
