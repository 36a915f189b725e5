/* SPDX-License-Identifier: MIT */
/*
 * A wrong password is answered when the request has reached a certain age. That
 * slows a guesser down, and hides how long the verification took: which user
 * exists, and which scheme the hash has.
 *
 * And some requests wait before anything is done about them.
 *
 * There are never more of these than sessions, for each session has one request.
 */
#include "base/clock.h"
#include "server/authd/authd_priv.h"

static void on_timer(uv_timer_t *timer);

static void start_timer(struct authd *ad)
{
	const struct request *first = TAILQ_FIRST(&ad->delayed);

	if (first == NULL) {
		(void)uv_timer_stop(&ad->delay_timer);
		return;
	}

	const uint64_t now = clock_mono_ms();

	/* libuv counts from its own clock, which stands still during a turn of the loop. */
	uv_update_time(&ad->process->loop);
	(void)uv_timer_start(&ad->delay_timer, on_timer,
			     first->answer_ms > now ? first->answer_ms - now : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct authd *ad = timer->data;
	const uint64_t now = clock_mono_ms();
	struct request *r;

	while ((r = TAILQ_FIRST(&ad->delayed)) != NULL && r->answer_ms <= now) {
		TAILQ_REMOVE(&ad->delayed, r, queue);
		if (r->state == REQUEST_WAITING) {
			r->state = REQUEST_LOOKUP;
			r->then(r);
		} else {
			request_refuse(r, r->status);
		}
	}
	start_timer(ad);
}

int authd_delay_init(struct authd *ad)
{
	const int r = uv_timer_init(&ad->process->loop, &ad->delay_timer);

	ad->delay_timer.data = ad;
	return r;
}

static void queue_until(struct request *r, uint64_t at_ms)
{
	struct authd *ad = r->ad;
	struct request *before;

	r->answer_ms = at_ms;
	/* Nearly always the last, for most began in this order. */
	TAILQ_FOREACH_REVERSE(before, &ad->delayed, request_queue, queue)
	{
		if (before->answer_ms <= r->answer_ms)
			break;
	}
	if (before != NULL)
		TAILQ_INSERT_AFTER(&ad->delayed, before, r, queue);
	else
		TAILQ_INSERT_HEAD(&ad->delayed, r, queue);
	if (TAILQ_FIRST(&ad->delayed) == r)
		start_timer(ad);
}

void authd_delay_refuse(struct request *r, enum ipc_status status)
{
	const uint64_t at_ms = r->begun_ms + authd_config(r->ad)->auth_failure_delay_ms;

	if (at_ms <= clock_mono_ms()) {
		request_refuse(r, status);
		return;
	}
	request_drop_login(r);
	r->state = REQUEST_DELAYED;
	r->status = status;
	queue_until(r, at_ms);
}

void authd_delay_until(struct request *r, uint64_t at_ms, request_step *then)
{
	r->state = REQUEST_WAITING;
	r->then = then;
	queue_until(r, at_ms);
}

void authd_delay_forget(struct request *r)
{
	/* The timer may find nothing to do: it looks. */
	TAILQ_REMOVE(&r->ad->delayed, r, queue);
}
