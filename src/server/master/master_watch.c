/* SPDX-License-Identifier: MIT */
/*
 * The service manager's watchdog (WATCHDOG_USEC, sd_watchdog_enabled(3)): it is told that
 * the server lives when every process of it has said so, not when the master's loop turns.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "server/master/master_priv.h"

static bool env_number(const char *name, uint64_t *ret_number)
{
	const char *const text = getenv(name);

	return text != NULL && num_parse_u64(span_str(text), UINT64_MAX, ret_number);
}

void master_watch_init(struct master *m)
{
	uint64_t usec;
	uint64_t pid;

	if (!env_number("WATCHDOG_USEC", &usec) || usec < 3000 || usec / 1000 > UINT32_MAX)
		return;
	if (env_number("WATCHDOG_PID", &pid) && pid != (uint64_t)getpid())
		return;
	m->watchdog_ms = (uint32_t)(usec / 1000);
	m->watch_at_ms = clock_mono_ms();
}

int64_t master_watch_in(const struct master *m, uint64_t now)
{
	if (m->watchdog_ms == 0)
		return -1;
	return m->watch_at_ms > now ? (int64_t)(m->watch_at_ms - now) : 0;
}

/* False when one hasn't answered yet. A child that is starting has time to: its slot's is. */
static bool all_have_answered(const struct master *m, uint64_t now)
{
	bool all = true;

	for (struct child *c = m->children; c != NULL; c = c->next) {
		if (master_has_answered(c))
			continue;
		all = false;
		if (now - c->pinged_ms < m->watchdog_ms / 3 * 2)
			continue;
		log_event(LOG_LEVEL_ERROR, "child-hangs",
			  log_str("role", master_role_name(c->role)), log_num("id", c->id),
			  log_num("pid", (uint64_t)c->pid));
		(void)kill(c->pid, SIGKILL);
	}
	return all;
}

static bool slots_are_filled(const struct master *m)
{
	for (unsigned i = 0; i < m->n_slots; i++) {
		if (m->slots[i].child == NULL && master_wants(m, i))
			return false;
	}
	return true;
}

void master_watch(struct master *m)
{
	const uint64_t now = clock_mono_ms();

	if (m->watchdog_ms == 0 || now < m->watch_at_ms)
		return;
	m->watch_at_ms = now + m->watchdog_ms / 3;
	/* While it ends there is a time limit already, and slots are empty. */
	if (all_have_answered(m, now) && (m->state >= MASTER_DRAINING || slots_are_filled(m)))
		master_notify("WATCHDOG=1");
	for (struct child *c = m->children; c != NULL; c = c->next) {
		if (master_has_answered(c) && c->control >= 0)
			master_ping(c);
	}
}
