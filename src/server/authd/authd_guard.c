/* SPDX-License-Identifier: MIT */
/*
 * Guessing: what each login adds to the record (auth/guard.h), and what it has to wait
 * for that. The wait comes before the password is looked at, for all alike whether
 * the user exists or not, and who hangs up in it hasn't guessed.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/authd/authd_priv.h"

static void identify(struct request *r, const char *user)
{
	struct login *l = r->login;
	char normal[LIMIT_USER + 1];

	guard_who_init(r->ad->guard, &l->who, authd_canonical(r->ad, user, normal),
		       l->origin.remote, (l->origin.flags & IPC_AUTH_LOOPBACK) != 0);
	l->guarded = true;
}

static void go_on(struct request *r)
{
	/* What the answer to a failure is late by begins here. */
	r->begun_ms = clock_mono_ms();
	request_uncount_trier(r);
	r->login->next(r);
}

void authd_guard_wait(struct request *r, request_step *then)
{
	const uint64_t max_ms = (uint64_t)authd_config(r->ad)->auth_penalty_max * 1000;
	const uint64_t now = clock_mono_ms();

	identify(r, r->login->name.user);

	const uint64_t wait = guard_wait_ms(r->ad->guard, &r->login->who, max_ms, now);

	if (wait == 0) {
		then(r);
		return;
	}
	/* Or who has a hundred connections would have a hundred guesses in each wait. */
	if (!request_count_trier(r)) {
		login_refuse(r, IPC_TOO_MANY, "too-many-logins-of-user");
		return;
	}
	log_event(LOG_LEVEL_DEBUG, "login-waits", log_hex("session", r->id),
		  log_str("user", r->login->user), log_str("remote", r->login->origin.remote),
		  log_num("ms", wait));
	r->login->next = then;
	authd_delay_until(r, now + wait, go_on);
}

void authd_guard_let_in(struct request *r)
{
	/* A token says itself whose it is. */
	identify(r, r->login->record.name);
	guard_let_in(r->ad->guard, &r->login->who, clock_mono_ms());
}

void authd_guard_failed(struct request *r, const char *reason, const char *wrong)
{
	const struct login *l = r->login;
	struct guard_alarm alarm;

	if (!l->guarded)
		identify(r, l->name.user);

	const bool counted = guard_failed(r->ad->guard, &l->who, wrong, clock_mono_ms(), &alarm);

	log_event(LOG_LEVEL_INFO, "login-failed", log_hex("session", r->id),
		  log_str("user", l->user), log_str("remote", l->origin.remote),
		  log_str("method", l->how), log_str("reason", reason),
		  log_num("repeated", !counted));
	if (alarm.addresses != 0)
		log_event(LOG_LEVEL_WARN, "guessing", log_str("user", l->user),
			  log_num("addresses", alarm.addresses),
			  log_num("failures", alarm.failures));
	if (alarm.users != 0)
		log_event(LOG_LEVEL_WARN, "guessing", log_str("remote", l->origin.remote),
			  log_num("users", alarm.users), log_num("failures", alarm.failures));
}
