/* SPDX-License-Identifier: MIT */
/*
 * A delivery: grants are collected by transaction, begin takes them as its
 * targets, commit makes the message theirs.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "server/stored/stored_priv.h"

#define PREFIX_MAX (sizeof("Delivered-To: \r\n") + LIMIT_ADDRESS)

static union ipc_msg reply;

void delivery_drop_grants(struct grant *first)
{
	while (first != NULL) {
		struct grant *const next = first->next;

		free(first);
		first = next;
	}
}

bool delivery_grant(struct session *s, const struct ipc_grant *m)
{
	const size_t user = strlen(m->user) + 1;
	const size_t path = strlen(m->path) + 1;
	const size_t address = strlen(m->address) + 1;
	struct grant **last = &s->grants;

	if (s->n_grants >= LIMIT_RECIPIENTS)
		return false;

	struct grant *const g = malloc(sizeof(*g) + user + path + address);

	if (g == NULL)
		return false;
	*g = (struct grant){.transaction = m->transaction,
			    .uid = m->uid,
			    .gid = m->gid,
			    .rules = m->rules,
			    .grace = s->sd->process->config->quota_grace};
	memcpy(g->text, m->user, user);
	memcpy(g->text + user, m->path, path);
	memcpy(g->text + user + path, m->address, address);
	g->user = g->text;
	g->path = g->text + user;
	g->address = g->text + user + path;
	while (*last != NULL)
		last = &(*last)->next;
	*last = g;
	s->n_grants++;
	expire_note(s->sd, m);
	return true;
}

/* Takes the grants that belong to a transaction, or to an older one, out of the session. */
static struct grant *take_grants(struct session *s, uint32_t transaction, bool older)
{
	struct grant *taken = NULL;
	struct grant **last = &taken;

	for (struct grant **at = &s->grants; *at != NULL;) {
		struct grant *const g = *at;

		if (g->transaction == transaction || (older && g->transaction < transaction)) {
			*at = g->next;
			g->next = NULL;
			*last = g;
			last = &g->next;
			s->n_grants--;
		} else {
			at = &g->next;
		}
	}
	return taken;
}

static unsigned count_grants(const struct session *s, uint32_t transaction)
{
	unsigned n = 0;

	for (const struct grant *g = s->grants; g != NULL; g = g->next)
		n += g->transaction == transaction;
	return n;
}

static struct store_owner owner_of(const struct grant *g)
{
	return (struct store_owner){
		.user = g->user,
		.path = g->path,
		.uid = g->uid,
		.gid = g->gid,
		.rules = g->rules,
	};
}

/* Who has room for one octet more gets a whole message more, within bounds. */
static struct store_owner generous_owner_of(const struct grant *g)
{
	struct store_owner o = owner_of(g);

	if (o.rules.quota_octets != 0)
		o.rules.quota_octets += g->grace;
	return o;
}

static void drop_targets(struct session *s)
{
	delivery_drop_grants(s->targets);
	s->targets = NULL;
	s->n_targets = 0;
	s->transaction = 0;
}

/* A full maildrop is the user's affair; what else goes wrong is the operator's. */
static void log_refusal(const struct session *s, const char *user, enum ipc_status status,
			const char *why)
{
	const bool full = status == IPC_OVER_QUOTA;

	log_event(full ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, full ? "over-quota" : "delivery-failed",
		  log_hex("session", s->id), log_str("user", user), log_str("error", why));
}

/* ---- IPC_ROOM ---- */

static void reply_room(struct session *s, enum ipc_status status)
{
	ipc_start(&reply, IPC_ROOM_REPLY, s->id);
	reply.result.status = (uint32_t)status;
	stored_reply(s, &reply, -1);
}

static struct grant *last_grant(struct session *s, uint32_t transaction)
{
	struct grant *last = NULL;

	for (struct grant *g = s->grants; g != NULL; g = g->next) {
		if (g->transaction == transaction)
			last = g;
	}
	return last;
}

static bool room_admit(struct session *s, const union ipc_msg *m)
{
	const struct ipc_room *const q = &m->room;

	/* As in begin_admit(). */
	if (count_grants(s, q->transaction) != q->recipients)
		stored_read_auth(s->sd);
	if (count_grants(s, q->transaction) != q->recipients) {
		reply_room(s, IPC_TEMPORARY);
		return false;
	}
	s->asked = last_grant(s, q->transaction);
	return true;
}

/* The quota itself says whether more may come, and the grace how large it may be. */
static void room_run(struct session *s, struct request *q)
{
	const struct ipc_room *const m = &request_msg(q)->room;
	const struct store_owner owner = owner_of(s->asked);
	const struct store_owner generous = generous_owner_of(s->asked);
	struct store_usage used;

	q->r = stored_path_is_safe(owner.path)
		       ? store_usage(s->sd->store, &owner, &used, &q->err)
		       : err_set(&q->err, EINVAL, "'%s' is no path for a maildrop", owner.path);
	if (q->r == 0)
		q->r = store_room(&owner, &used, 1, &q->err);
	if (q->r == 0)
		q->r = store_room(&generous, &used, m->octets, &q->err);
}

static void drop_asked(struct session *s)
{
	struct grant **at = &s->grants;

	while (*at != s->asked)
		at = &(*at)->next;
	*at = s->asked->next;
	s->n_grants--;
	free(s->asked);
}

static void room_done(struct session *s, struct request *q)
{
	if (q->r < 0) {
		log_refusal(s, s->asked->user, stored_delivery_status(q->r), q->err.text);
		drop_asked(s);
	}
	s->asked = NULL;
	reply_room(s, stored_delivery_status(q->r));
}

const struct stored_op stored_room = {.admit = room_admit, .run = room_run, .done = room_done};

/* ---- IPC_DELIVER_BEGIN ---- */

static void reply_ready(struct session *s, enum ipc_status status)
{
	ipc_start(&reply, IPC_DELIVER_READY, s->id);
	reply.result.status = (uint32_t)status;
	stored_reply(s, &reply, status == IPC_OK ? delivery_fd(s->delivery) : -1);
}

static bool begin_admit(struct session *s, const union ipc_msg *m)
{
	const struct ipc_deliver *const d = &m->deliver;

	if (s->delivery != NULL) {
		stored_refuse(s->link, s->id, "it began two deliveries at once");
		return false;
	}
	/* Auth said it to us before it said it to the listener, but on another channel. */
	if (count_grants(s, d->transaction) != d->recipients)
		stored_read_auth(s->sd);
	if (count_grants(s, d->transaction) != d->recipients) {
		/* We or auth were restarted in between, if the listener is honest: so, try again.
		 */
		log_event(LOG_LEVEL_WARN, "delivery-without-grant", log_hex("session", s->id),
			  log_num("recipients", d->recipients),
			  log_num("granted", count_grants(s, d->transaction)));
		delivery_drop_grants(take_grants(s, d->transaction, true));
		reply_ready(s, IPC_TEMPORARY);
		return false;
	}
	s->targets = take_grants(s, d->transaction, false);
	s->n_targets = d->recipients;
	s->transaction = d->transaction;
	return true;
}

static void begin_run(struct session *s, struct request *q)
{
	const struct store_owner owner = owner_of(s->targets);

	for (const struct grant *g = s->targets; g != NULL; g = g->next) {
		if (!stored_path_is_safe(g->path)) {
			q->r = err_set(&q->err, EINVAL, "'%s' is no path for a maildrop", g->path);
			return;
		}
	}
	q->r = delivery_begin(s->sd->store, &owner, &s->delivery, &q->err);
}

static void begin_done(struct session *s, struct request *q)
{
	if (q->r < 0) {
		log_event(LOG_LEVEL_ERROR, "delivery-failed", log_hex("session", s->id),
			  log_str("user", s->targets->user), log_str("error", q->err.text));
		drop_targets(s);
	}
	reply_ready(s, stored_delivery_status(q->r));
}

const struct stored_op stored_begin = {.admit = begin_admit, .run = begin_run, .done = begin_done};

/* ---- IPC_DELIVER_COMMIT ---- */

static bool deliver_admit(struct session *s, const union ipc_msg *m)
{
	(void)m;
	if (s->delivery != NULL)
		return true;
	stored_refuse(s->link, s->id, "there is no delivery to commit");
	return false;
}

/* An address comes from a stranger: one that would break the line gets none. */
static bool is_one_line(const char *address)
{
	for (; *address != '\0'; address++) {
		const unsigned char c = (unsigned char)*address;

		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

static void fill_target(struct delivery_target *t, const struct grant *g, char *prefix)
{
	*t = (struct delivery_target){.owner = generous_owner_of(g), .status = -ECANCELED};
	if (prefix != NULL && is_one_line(g->address)) {
		const int n = snprintf(prefix, PREFIX_MAX, "Delivered-To: %s\r\n", g->address);

		t->prefix = span_of(prefix, (size_t)n);
	}
}

static void deliver_run(struct session *s, struct request *q)
{
	const struct ipc_deliver_commit *const m = &request_msg(q)->deliver_commit;
	const struct delivery_info info = {
		.octets = m->octets, .dot_lines = m->dot_lines, .prefix_at = m->prefix_at};
	struct delivery_target *const targets = calloc(s->n_targets, sizeof(*targets));
	char *const prefixes = m->prefix != 0 ? malloc(s->n_targets * PREFIX_MAX) : NULL;
	size_t i = 0;

	for (struct grant *g = s->targets; g != NULL; g = g->next)
		g->status = IPC_TEMPORARY;
	if (targets == NULL || (m->prefix != 0 && prefixes == NULL)) {
		q->r = err_sys(&q->err, ENOMEM, "cannot deliver");
	} else {
		for (const struct grant *g = s->targets; g != NULL; g = g->next, i++)
			fill_target(&targets[i], g,
				    prefixes != NULL ? prefixes + i * PREFIX_MAX : NULL);
		q->r = delivery_commit(s->delivery, &info, targets, s->n_targets, &q->err);
		i = 0;
		for (struct grant *g = s->targets; g != NULL; g = g->next, i++)
			g->status = (uint8_t)stored_delivery_status(targets[i].status);
	}
	free(prefixes);
	free(targets);
	delivery_free(s->delivery);
	s->delivery = NULL;
}

static void deliver_done(struct session *s, struct request *q)
{
	const struct ipc_deliver_commit *const m = &request_msg(q)->deliver_commit;

	ipc_start(&reply, IPC_DELIVERED, s->id);
	for (const struct grant *g = s->targets; g != NULL; g = g->next) {
		if (g->status == IPC_OK)
			log_event(LOG_LEVEL_INFO, "delivered", log_hex("session", s->id),
				  log_str("user", g->user), log_num("octets", m->octets));
		else
			log_refusal(s, g->user, g->status, q->err.text);
		reply.delivered.status[reply.delivered.n++] = g->status;
	}
	stored_reply(s, &reply, -1);
	drop_targets(s);
}

const struct stored_op stored_deliver = {
	.admit = deliver_admit, .run = deliver_run, .done = deliver_done};

/* ---- IPC_DELIVER_RESET ---- */

static bool reset_admit(struct session *s, const union ipc_msg *m)
{
	const uint32_t transaction = m->deliver.transaction;

	delivery_drop_grants(take_grants(s, transaction, true));
	return s->delivery != NULL && s->transaction <= transaction;
}

static void reset_run(struct session *s, struct request *q)
{
	(void)q;
	delivery_free(s->delivery);
	s->delivery = NULL;
}

static void reset_done(struct session *s, struct request *q)
{
	(void)q;
	drop_targets(s);
}

const struct stored_op stored_reset = {.admit = reset_admit, .run = reset_run, .done = reset_done};
