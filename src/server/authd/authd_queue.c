/* SPDX-License-Identifier: MIT */
/*
 * Passwords that wait for a thread. Each address has its turn after the others', so
 * that who guesses with a hundred connections waits behind themselves, and not
 * everybody else behind them.
 *
 *	guests ─► 192.0.2.9 ─► 198.51.100.7 ─► 192.0.2.80     one of the first one's next,
 *	             │              │               │         then it is the last
 *	             r r r r r r    r               r r
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "server/authd/authd_priv.h"

uint64_t authd_place(const struct authd *ad, const char *remote)
{
	struct in_addr v4;
	struct in6_addr v6;
	uint64_t place = ad->seed;

	if (inet_pton(AF_INET, remote, &v4) == 1)
		return v4.s_addr;
	/* A /64 is what one customer gets. */
	if (inet_pton(AF_INET6, remote, &v6) == 1) {
		memcpy(&place, v6.s6_addr, sizeof(place));
		return place;
	}
	for (; *remote != '\0'; remote++)
		place = (place ^ (unsigned char)*remote) * UINT64_C(1099511628211);
	return place;
}

static size_t bucket_of(const struct authd *ad, uint64_t place)
{
	return (size_t)(place * ad->seed >> 32) % AUTHD_BUCKETS;
}

static struct guest *find_or_make(struct authd *ad, uint64_t place)
{
	const size_t bucket = bucket_of(ad, place);
	struct guest *g;

	LIST_FOREACH(g, &ad->guests[bucket], bucket)
	{
		if (g->place == place)
			return g;
	}
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return NULL;
	g->place = place;
	TAILQ_INIT(&g->waiting);
	LIST_INSERT_HEAD(&ad->guests[bucket], g, bucket);
	TAILQ_INSERT_TAIL(&ad->turns, g, turn);
	return g;
}

bool authd_queue_put(struct request *r)
{
	struct guest *const g = find_or_make(r->ad, r->login->place);

	if (g == NULL)
		return false;
	r->state = REQUEST_QUEUED;
	r->login->guest = g;
	TAILQ_INSERT_TAIL(&g->waiting, r, queue);
	metric_add(METRIC_AUTH_WAITING, 1);
	return true;
}

void authd_queue_forget(struct request *r)
{
	struct guest *const g = r->login->guest;

	r->login->guest = NULL;
	TAILQ_REMOVE(&g->waiting, r, queue);
	metric_sub(METRIC_AUTH_WAITING, 1);
	if (!TAILQ_EMPTY(&g->waiting))
		return;
	LIST_REMOVE(g, bucket);
	TAILQ_REMOVE(&r->ad->turns, g, turn);
	free(g);
}

struct request *authd_queue_take(struct authd *ad)
{
	struct guest *const g = TAILQ_FIRST(&ad->turns);

	if (g == NULL)
		return NULL;

	struct request *const r = TAILQ_FIRST(&g->waiting);

	TAILQ_REMOVE(&ad->turns, g, turn);
	TAILQ_INSERT_TAIL(&ad->turns, g, turn);
	authd_queue_forget(r);
	return r;
}
