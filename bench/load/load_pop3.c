/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "codec/pop3/pop3_client.h"
#include "codec/pop3/pop3_listing.h"
#include "load.h"

/*
 *   USER PASS  [STAT]  [UIDL LIST]  [RETR DELE]*  QUIT
 *
 * What stands in brackets depends on the mode. In LOAD_IDLE a NOOP stands before
 * QUIT, and before that is the wait; LOAD_STUCK ends with its first RETR.
 */
enum step { GREETING, USER, PASS, STAT, UIDL, LIST, RETR, DELE, HOLD, NOOP, QUIT, END };

struct pop3 {
	struct client base;
	struct pop3_client codec;
	enum step last; /* that was said, or waited for */
	bool logged_in;
	bool waiting;     /* LOAD_IDLE: for the release */
	uint32_t count;   /* that the maildrop has */
	uint32_t message; /* that the last RETR was said for */
	uint32_t lines;   /* of the LIST or UIDL that is read */
	uint32_t sum;     /* of its UIDLs */
	uint64_t told;    /* octets that RETR's +OK promised; 0: none */
	struct mail_check check;
};

static struct pop3 *pop3_of(struct client *c)
{
	return (struct pop3 *)c;
}

static void begin(struct client *c)
{
	struct pop3 *const p = pop3_of(c);

	p->count = c->load->o.messages == UINT64_MAX ? 0 : (uint32_t)c->load->o.messages;
}

/* ---- what is said ---- */

static enum step next_step(const struct pop3 *p)
{
	const struct load_options *const o = &p->base.load->o;

	switch (p->last) {
	case GREETING:
		return USER;
	case USER:
		return PASS;
	case PASS:
		if (o->mode == LOAD_STUCK || o->mode == LOAD_RETR)
			return RETR;
		if (o->mode == LOAD_LIST)
			return UIDL;
		return STAT;
	case STAT:
		if (o->mode == LOAD_IDLE)
			return HOLD;
		if (o->mode == LOAD_FETCH)
			return UIDL;
		return o->mode == LOAD_VERIFY && p->count > 0 ? RETR : QUIT;
	case UIDL:
		return LIST;
	case LIST:
		return o->mode == LOAD_FETCH && p->count > 0 ? RETR : QUIT;
	case RETR:
		if (o->mode == LOAD_STUCK)
			return END;
		if (o->delete)
			return DELE;
		return p->message < p->count ? RETR : QUIT;
	case DELE:
		return p->message < p->count ? RETR : QUIT;
	case HOLD:
		return NOOP;
	case NOOP:
		return QUIT;
	case QUIT:
	case END:
		break;
	}
	return END;
}

static struct pop3_command command(const struct pop3 *p, enum step step, const char *user)
{
	static const enum pop3_verb verbs[] = {
		[USER] = POP3_USER, [PASS] = POP3_PASS, [STAT] = POP3_STAT,
		[UIDL] = POP3_UIDL, [LIST] = POP3_LIST, [RETR] = POP3_RETR,
		[DELE] = POP3_DELE, [NOOP] = POP3_NOOP, [QUIT] = POP3_QUIT,
	};
	struct pop3_command command = {.verb = verbs[step]};

	if (step == USER)
		command.user = span_str(user);
	if (step == PASS)
		command.password = span_str(p->base.load->o.password);
	if (step == RETR || step == DELE) {
		command.has_number = true;
		command.number = p->message + (step == RETR);
	}
	return command;
}

/* The maildrop's size must be known before RETR; and it is not asked before PASS is answered. */
static bool must_wait(const struct pop3 *p)
{
	const unsigned ahead = pop3_client_ahead(&p->codec);

	return ahead > 0 && (!p->logged_in || ahead >= p->base.load->o.ahead || p->count == 0);
}

/* At HOLD: false as long as the session is to be held. */
static bool may_go(struct pop3 *p)
{
	if (!p->waiting) {
		p->waiting = true;
		client_held(&p->base);
	}
	return p->base.load->released;
}

static void send_commands(struct pop3 *p)
{
	char user[32];

	(void)snprintf(user, sizeof(user), "user%u", p->base.user);
	while (!must_wait(p)) {
		const enum step step = next_step(p);

		if (step == END || (step == HOLD && !may_go(p)))
			return;
		if (step != HOLD) {
			const struct pop3_command next = command(p, step, user);
			const enum pop3_client_sent sent = pop3_client_send(&p->codec, &next,
									    &p->base.out);

			if (sent == POP3_CLIENT_NO_ROOM || sent == POP3_CLIENT_WAIT)
				return;
			if (sent != POP3_CLIENT_SENT) {
				client_fail(&p->base, "a command that cannot be sent");
				return;
			}
		}
		p->message += step == RETR;
		p->last = step;
	}
}

void pop3_release(struct client *c)
{
	struct pop3 *const p = pop3_of(c);

	if (c->ending)
		return;
	if (c->load->o.mode == LOAD_STUCK) {
		/* It was there to the end, which is all that was wanted. */
		client_done(c);
		client_end(c);
		return;
	}
	/* One that isn't there yet goes on when it is. */
	if (p->waiting) {
		send_commands(p);
		client_drive(c);
	}
}

/* ---- what is answered ---- */

static void took_stat(struct pop3 *p, struct span text)
{
	const struct load_options *const o = &p->base.load->o;
	uint32_t count;
	uint64_t octets;

	if (!pop3_listing_stat(text, &count, &octets)) {
		client_fail(&p->base, "STAT says nothing");
		return;
	}
	if ((o->messages != UINT64_MAX && count != o->messages) ||
	    (!o->any_content && o->mode != LOAD_VERIFY && octets != count * o->octets)) {
		client_fail(&p->base, "STAT says %u messages and %llu octets", count,
			    (unsigned long long)octets);
		return;
	}
	p->count = count;
}

static void retr_begins(struct pop3 *p, const struct pop3_client_event *e)
{
	const struct load_options *const o = &p->base.load->o;
	uint64_t told;
	struct span word = e->text;

	word.n = span_find(word, ' ');
	p->told = num_parse_u64(word, UINT64_MAX, &told) ? told : 0;
	memset(&p->check, 0, offsetof(struct mail_check, _header));
	p->check.want = (struct mail){
		.user = p->base.user,
		.number = o->mode == LOAD_VERIFY ? 0 : (uint32_t)(o->first + e->number - 1),
		.octets = o->octets,
		.kind = o->kind,
	};
	p->check.trace = o->mode == LOAD_VERIFY;
}

/* LOAD_VERIFY: each delivery once. */
static bool is_new(struct load *l, uint32_t number)
{
	const uint64_t at = number - l->o.first;

	if (number < l->o.first || at >= l->o.deliveries)
		return false;

	const uint8_t bit = (uint8_t)(1U << (at % 8));
	const bool fresh = (l->seen[at / 8] & bit) == 0;

	l->seen[at / 8] |= bit;
	l->n_seen += fresh;
	return fresh;
}

static void retr_ends(struct pop3 *p, const struct pop3_client_event *e)
{
	struct load *const l = p->base.load;
	uint64_t octets = 0;

	if (!l->o.any_content && !mail_check_end(&p->check, &octets))
		client_fail(&p->base, "message %u is not what it was", e->number);
	else if (!l->o.any_content && octets != e->octets)
		client_fail(&p->base, "message %u has another length", e->number);
	else if (p->told != 0 && p->told != e->octets)
		client_fail(&p->base, "message %u has %llu octets, not %llu as RETR said",
			    e->number, (unsigned long long)e->octets, (unsigned long long)p->told);
	else if (l->o.mode == LOAD_VERIFY && !is_new(l, p->check.want.number))
		client_fail(&p->base, "delivery %u is there twice, or nobody made it",
			    p->check.want.number);
	l->octets += e->octets;
}

static void took_line(struct pop3 *p, const struct pop3_client_event *e)
{
	const struct load_options *const o = &p->base.load->o;
	uint32_t number = 0;
	uint64_t octets = 0;
	struct span uidl = {0};
	bool good;

	if (e->verb == POP3_LIST) {
		good = pop3_listing_size(e->text, &number, &octets) &&
		       (o->any_content || octets == o->octets);
	} else {
		good = pop3_listing_uidl(e->text, &number, &uidl) && uidl.n > 0;
		/* FNV-1a */
		for (size_t i = 0; i < uidl.n; i++)
			p->sum = (p->sum ^ (uint8_t)uidl.p[i]) * 16777619U;
	}
	if (!good || number != ++p->lines)
		client_fail(&p->base, "line %u of a list is wrong", p->lines);
}

static void list_ends(struct pop3 *p, const struct pop3_client_event *e)
{
	struct load *const l = p->base.load;
	uint32_t *const sum = &l->uidl_sums[p->base.user - l->o.user];

	if (p->lines != p->count && l->o.messages != UINT64_MAX)
		client_fail(&p->base, "a list with %u lines", p->lines);
	p->count = p->lines;
	p->lines = 0;
	l->octets += e->octets;
	if (e->verb != POP3_UIDL)
		return;
	/* A maildrop that nobody changes has the same UIDLs each time. */
	if (*sum != 0 && *sum != p->sum && !l->o.delete &&l->o.messages != UINT64_MAX)
		client_fail(&p->base, "the UIDLs are not those of the last time");
	*sum = p->sum;
}

static void took_ok(struct pop3 *p, const struct pop3_client_event *e)
{
	switch (e->verb) {
	case POP3_PASS:
		p->logged_in = true;
		break;
	case POP3_STAT:
		took_stat(p, e->text);
		break;
	case POP3_RETR:
		retr_begins(p, e);
		if (p->base.load->o.mode == LOAD_STUCK && !p->base.deaf) {
			p->base.deaf = true;
			client_held(&p->base);
		}
		break;
	case POP3_QUIT:
		client_done(&p->base);
		break;
	default:
		break;
	}
}

static void took(struct pop3 *p, enum pop3_client_status status, const struct pop3_client_event *e)
{
	struct load *const l = p->base.load;

	switch (status) {
	case POP3_CLIENT_GREETING:
		break;
	case POP3_CLIENT_OK:
		took_ok(p, e);
		break;
	case POP3_CLIENT_LINE:
		took_line(p, e);
		break;
	case POP3_CLIENT_TEXT:
		if (!l->o.any_content && !mail_check(&p->check, e->text))
			client_fail(&p->base, "message %u is wrong near octet %llu", e->number,
				    (unsigned long long)e->octets);
		break;
	case POP3_CLIENT_END:
		if (e->verb == POP3_RETR)
			retr_ends(p, e);
		else
			list_ends(p, e);
		break;
	case POP3_CLIENT_BAD:
		client_fail(&p->base, "%s: %.*s", pop3_client_reason_text(e->reason),
			    (int)(e->text.n < 80 ? e->text.n : 80), e->text.p);
		break;
	default:
		client_fail(&p->base, "-ERR %.*s", (int)(e->text.n < 80 ? e->text.n : 80),
			    e->text.p);
		break;
	}
}

static void input(struct client *c, struct span *in)
{
	struct pop3 *const p = pop3_of(c);
	struct pop3_client_event event;

	while (!c->ending && !c->deaf) {
		const enum pop3_client_status status = pop3_client_read(&p->codec, in, &event);

		if (status == POP3_CLIENT_MORE)
			break;
		took(p, status, &event);
	}
	if (c->deaf)
		in->n = 0;
	if (!c->ending && !c->deaf)
		send_commands(p);
}

static void closed(struct client *c)
{
	if (!c->over)
		client_fail(c, "the server hung up");
	else
		client_end(c);
}

const struct client_ops load_pop3_ops = {
	.size = sizeof(struct pop3),
	.begin = begin,
	.input = input,
	.closed = closed,
};
