/* SPDX-License-Identifier: MIT */
/*
 * As many passwords are verified at a time as there are threads; the others wait in
 * our queue and not in libuv's, where nobody could take them out again.
 */
#include <assert.h>
#include <errno.h>

#include "auth/scheme.h"
#include "server/authd/authd_priv.h"

/* In the pool: reads password, prepared and record.secret, writes verified, keys and err. */
static void work(uv_work_t *work)
{
	struct request *r = work->data;
	struct login *l = r->login;

	if (l->derives) {
		l->verified = scram_keys_derive(l->hash, l->password, &l->keys) ? 1 : -ENOMEM;
		return;
	}
	l->verified = scheme_verify(l->record.secret, l->password, &l->err);
	if (l->verified == 0 && l->prepared[0] != '\0')
		l->verified = scheme_verify(l->record.secret, l->prepared, &l->err);
}

static void done(uv_work_t *work, int status);

static void start(struct request *r)
{
	struct authd *ad = r->ad;

	r->state = REQUEST_HASHING;
	r->login->work.data = r;
	ad->hashing++;

	const int error = uv_queue_work(&ad->process->loop, &r->login->work, work, done);

	assert(error == 0); /* it fails for a NULL function only */
	(void)error;
}

static void done(uv_work_t *work, int status)
{
	struct request *r = work->data;
	struct authd *ad = r->ad;
	struct request *next;

	assert(status == 0); /* never taken back from libuv */
	ad->hashing--;
	r->state = REQUEST_LOOKUP;
	if (r->login->derives)
		scram_derived(r);
	else
		login_verified(r);
	while (ad->hashing < ad->hashing_max && (next = authd_queue_take(ad)) != NULL)
		start(next);
}

static void put(struct request *r)
{
	struct authd *ad = r->ad;

	if (ad->hashing < ad->hashing_max)
		start(r);
	else if (!authd_queue_put(r))
		request_refuse(r, IPC_TEMPORARY);
}

void authd_pool_verify(struct request *r)
{
	r->login->derives = false;
	put(r);
}

void authd_pool_derive(struct request *r)
{
	r->login->derives = true;
	put(r);
}
