/* SPDX-License-Identifier: MIT */
/*
 * EXPIRE (RFC 2449 section 6.7): what is older than the maildrop's expire_days is deleted,
 * by the same steps as at QUIT. Each maildrop is looked through every expire_interval: at a login,
 *before its session sees it, or by a sweep that takes one after the other and lets others go first.
 *
 *	places ─► due 10:00 ─► due 10:07 ─► due 15:59      sorted; the sweep takes the first
 *
 * Storage knows the maildrops that auth has spoken of since it was started. So a message may stay
 * longer than was said, and never goes earlier.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/stored/stored_priv.h"

/* One that is in use, or failed, if that is sooner than expire_interval. */
#define RETRY_MS (UINT64_C(10) * 60 * 1000)
/* Between two of a sweep. */
#define PAUSE_MS 200
#define PLACES_MAX 65536
#define DAY 86400

struct place {
	TAILQ_ENTRY(place) places;
	LIST_ENTRY(place) bucket;
	uint64_t due_ms;
	uint32_t days;
	uint32_t uid;
	uint32_t gid;
	const char *user; /* points into text, as path does */
	const char *path;
	bool stale; /* the rule that it goes by may not be the rule any more */
	/* The sweep's */
	uint32_t removed;
	int r;
	struct err err;
	char text[];
};

static size_t bucket_of(const struct stored *sd, const char *path)
{
	uint64_t h = 0;

	for (; *path != '\0'; path++)
		h = (h + (unsigned char)*path) * sd->seed;
	return (size_t)(h >> 52) & (STORED_BUCKETS - 1);
}

static struct place *find(struct stored *sd, const char *path)
{
	struct place *p;

	LIST_FOREACH(p, &sd->places_by_path[bucket_of(sd, path)], bucket)
	{
		if (strcmp(p->path, path) == 0)
			return p;
	}
	return NULL;
}

static void put(struct stored *sd, struct place *p, uint64_t due_ms)
{
	struct place *before;

	p->due_ms = due_ms;
	/* Nearly always the last. */
	TAILQ_FOREACH_REVERSE(before, &sd->places, place_queue, places)
	{
		if (before->due_ms <= due_ms)
			break;
	}
	if (before != NULL)
		TAILQ_INSERT_AFTER(&sd->places, before, p, places);
	else
		TAILQ_INSERT_HEAD(&sd->places, p, places);
}

static void forget(struct stored *sd, struct place *p)
{
	TAILQ_REMOVE(&sd->places, p, places);
	LIST_REMOVE(p, bucket);
	free(p);
	sd->n_places--;
}

static struct place *make(struct stored *sd, const struct ipc_grant *g)
{
	const size_t user = strlen(g->user) + 1;
	const size_t path = strlen(g->path) + 1;
	struct place *const p = sd->n_places < PLACES_MAX ? malloc(sizeof(*p) + user + path) : NULL;

	if (p == NULL)
		return NULL;
	*p = (struct place){.uid = g->uid, .gid = g->gid};
	memcpy(p->text, g->user, user);
	memcpy(p->text + user, g->path, path);
	p->user = p->text;
	p->path = p->text + user;
	LIST_INSERT_HEAD(&sd->places_by_path[bucket_of(sd, p->path)], p, bucket);
	put(sd, p, clock_mono_ms());
	sd->n_places++;
	return p;
}

static void log_expired(const char *user, uint32_t removed, int r, const struct err *err)
{
	if (r < 0)
		log_event(LOG_LEVEL_ERROR, "expire-failed", log_str("user", user),
			  log_str("error", err->text));
	else if (removed > 0)
		log_event(LOG_LEVEL_INFO, "expired", log_str("user", user),
			  log_num("messages", removed));
}

static int expire(struct stored *sd, const struct store_owner *owner, uint32_t days,
		  uint32_t *ret_removed, struct err *err)
{
	const uint64_t now = clock_wall_ns() / 1000000000;
	const uint64_t age = (uint64_t)days * DAY;

	return now > age ? store_expire(sd->store, owner, now - age, ret_removed, err) : 0;
}

static uint64_t again_ms(const struct stored *sd)
{
	return (uint64_t)sd->process->config->expire_interval * 1000;
}

/* ---- the sweep ---- */

static void work(uv_work_t *work)
{
	struct stored *const sd = work->data;
	struct place *const p = sd->swept;
	const struct store_owner owner = {
		.user = p->user, .path = p->path, .uid = p->uid, .gid = p->gid};

	p->removed = 0;
	p->r = expire(sd, &owner, p->days, &p->removed, &p->err);
}

static void start_timer(struct stored *sd);

static void done(uv_work_t *work, int status)
{
	struct stored *const sd = work->data;
	struct place *const p = sd->swept;

	assert(status == 0); /* never taken back from libuv */
	(void)status;
	sd->swept = NULL;
	if (p->r != -EBUSY)
		log_expired(p->user, p->removed, p->r, &p->err);
	put(sd, p,
	    clock_mono_ms() + (p->r < 0 && RETRY_MS < again_ms(sd) ? RETRY_MS : again_ms(sd)));
	if (p->stale)
		forget(sd, p);
	start_timer(sd);
	stored_idle(sd);
}

static void on_timer(uv_timer_t *timer)
{
	struct stored *const sd = timer->data;
	struct place *const p = TAILQ_FIRST(&sd->places);

	if (p == NULL || sd->swept != NULL || sd->draining)
		return;
	if (p->due_ms > clock_mono_ms()) {
		start_timer(sd);
		return;
	}
	TAILQ_REMOVE(&sd->places, p, places);
	sd->swept = p;
	sd->sweep.data = sd;

	const int error = uv_queue_work(&sd->process->loop, &sd->sweep, work, done);

	assert(error == 0); /* it fails for a NULL function only */
	(void)error;
}

static void start_timer(struct stored *sd)
{
	const struct place *const first = TAILQ_FIRST(&sd->places);
	const uint64_t now = clock_mono_ms();

	if (first == NULL || sd->swept != NULL || sd->draining)
		return;
	uv_update_time(&sd->process->loop);
	(void)uv_timer_start(&sd->expire_timer, on_timer,
			     first->due_ms > now + PAUSE_MS ? first->due_ms - now : PAUSE_MS, 0);
}

int expire_init(struct stored *sd)
{
	TAILQ_INIT(&sd->places);
	sd->expire_timer.data = sd;
	return uv_timer_init(&sd->process->loop, &sd->expire_timer);
}

void expire_forget(struct stored *sd)
{
	struct place *p;

	while ((p = TAILQ_FIRST(&sd->places)) != NULL)
		forget(sd, p);
	if (sd->swept != NULL)
		sd->swept->stale = true;
}

void expire_note(struct stored *sd, const struct ipc_grant *g)
{
	struct place *p = find(sd, g->path);

	/* What the sweep reads stays as it is. */
	if (p != NULL && p == sd->swept) {
		p->stale = p->stale || p->days != g->rules.expire_days;
		return;
	}
	if (!stored_path_is_safe(g->path))
		return;
	if (g->rules.expire_days == 0) {
		if (p != NULL)
			forget(sd, p);
		return;
	}
	if (p == NULL)
		p = make(sd, g);
	if (p == NULL)
		return;
	p->days = g->rules.expire_days;
	p->uid = g->uid;
	p->gid = g->gid;
	start_timer(sd);
}

bool expire_is_due(struct stored *sd, const struct ipc_grant *g)
{
	struct place *p;

	expire_note(sd, g);
	p = find(sd, g->path);
	if (p == NULL || p == sd->swept)
		/* Nobody will look later, so it is now. */
		return p == NULL && g->rules.expire_days != 0 && stored_path_is_safe(g->path);
	if (p->due_ms > clock_mono_ms())
		return false;
	TAILQ_REMOVE(&sd->places, p, places);
	put(sd, p, clock_mono_ms() + again_ms(sd));
	return true;
}

void expire_now(struct stored *sd, const struct store_owner *owner)
{
	uint32_t removed = 0;
	struct err err;
	const int r = expire(sd, owner, owner->rules.expire_days, &removed, &err);

	if (r != -EBUSY)
		log_expired(owner->user, removed, r, &err);
}
