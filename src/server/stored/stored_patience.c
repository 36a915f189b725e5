/* SPDX-License-Identifier: MIT */
/*
 * Before a login hears that its maildrop is in use, it waits for a moment. Its
 * client may have hung up and called again at once, and the listener that had the
 * old connection may not have noticed yet: it is a process of its own, and the new
 * connection may be another one's.
 *
 * Whoever leaves wakes those who wait (session_count_out()). Somebody may have left
 * while the lock was tried, though, and the lock may be held by another program, so
 * now and then it is tried again as well.
 */
#include "server/stored/stored_priv.h"

/* What a login whose maildrop stays in use takes longer for it. */
#define PATIENCE_MS 500
/* And one that another device of the user's holds up: not in use, but at work. */
#define PATIENCE_AT_WORK_MS 30000
#define RETRY_MS 100

static void on_timer(uv_timer_t *timer);

static void start_timer(struct stored *sd)
{
	const struct session *const first = TAILQ_FIRST(&sd->patient);
	const uint64_t now = uv_now(&sd->process->loop);

	if (first == NULL)
		(void)uv_timer_stop(&sd->patience_timer);
	else
		(void)uv_timer_start(&sd->patience_timer, on_timer,
				     first->wake_ms > now ? first->wake_ms - now : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct stored *const sd = timer->data;
	const uint64_t now = uv_now(&sd->process->loop);
	struct session *s;

	while ((s = TAILQ_FIRST(&sd->patient)) != NULL && s->wake_ms <= now) {
		session_unpark(s);
		session_advance(s);
	}
	start_timer(sd);
}

int patience_init(struct stored *sd)
{
	TAILQ_INIT(&sd->patient);
	sd->patience_timer.data = sd;
	return uv_timer_init(&sd->process->loop, &sd->patience_timer);
}

void patience_begin(struct session *s)
{
	struct stored *const sd = s->sd;

	s->patient = true;
	s->wake_ms = uv_now(&sd->process->loop) + RETRY_MS;
	TAILQ_INSERT_TAIL(&sd->patient, s, patience);
	if (TAILQ_FIRST(&sd->patient) == s)
		start_timer(sd);
}

void patience_end(struct session *s)
{
	if (!s->patient)
		return;
	/* The timer may find nothing to do: it looks. */
	TAILQ_REMOVE(&s->sd->patient, s, patience);
	s->patient = false;
}

bool patience_lasts(const struct session *s, struct request *q)
{
	const uint64_t now = uv_now(&s->sd->process->loop);

	if (q->refused_ms == 0)
		q->refused_ms = now;
	return now < q->refused_ms + (q->r == -EAGAIN ? PATIENCE_AT_WORK_MS : PATIENCE_MS);
}
