/* SPDX-License-Identifier: MIT */
/*
 * The TRANSACTION state: a maildrop that is ours until QUIT, seen through the
 * descriptor of its snapshot.
 */
#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "server/listener/pop3_session_priv.h"

static uint32_t left(const struct pop3_session *p)
{
	return p->count - p->deleted.marked;
}

static uint64_t octets_left(const struct pop3_session *p)
{
	/* A snapshot whose total is wrong must not make this one absurd. */
	return p->octets > p->deleted.octets ? p->octets - p->deleted.octets : 0;
}

static void write_counts(struct pop3_session *p)
{
	const bool fits = pop3_reply_list_begin(&p->base.out, p->language, left(p), octets_left(p));

	assert(fits);
	(void)fits;
}

/* The digits of n, in text. */
static struct span digits(char text[20], uint64_t n)
{
	struct out o = {.p = text, .cap = 20};

	(void)out_u64(&o, n);
	return out_span(&o);
}

static bool downgrades(const struct pop3_session *p)
{
	return !p->utf8 && p->base.listener->config->utf8_downgrade;
}

bool pop3_is_downgraded(const struct pop3_session *p, const struct index_record *record)
{
	return (record->flags & INDEX_UTF8_HEADER) != 0 && downgrades(p);
}

uint64_t pop3_octets(const struct pop3_session *p, const struct index_record *record)
{
	/* The codec has seen to it that there are so many. */
	return pop3_is_downgraded(p, record) ? record->octets + (uint64_t)(int64_t)record->growth
					     : record->octets;
}

void pop3_opened(struct pop3_session *p, const struct ipc_opened *m, int fd)
{
	struct session *const s = &p->base;

	if (m->status != IPC_OK) {
		pop3_login_failed(p, (enum ipc_status)m->status, m->user, m->device);
		return;
	}

	const bool entered = pop3_state_next(&p->state, POP3_EVENT_LOGIN);

	assert(entered);
	(void)entered;
	s->logged_in = true;
	metric_add(METRIC_LOGGED_IN, 1);
	pop3_count_login(p, METRIC_OK);
	p->snapshot = fd;
	p->count = m->count;
	p->octets = m->octets;
	/* A total that can't be must not make STAT absurd. */
	if (downgrades(p) && (m->growth >= 0 || m->octets >= (uint64_t)-m->growth))
		p->octets += (uint64_t)m->growth;
	p->login_delay = m->login_delay;
	p->expire_days = m->expire_days;
	p->only_looks = m->recent != 0;
	(void)snprintf(p->user, sizeof(p->user), "%s", m->user);
	log_event(LOG_LEVEL_INFO, "login", log_hex("session", s->log_id), log_str("user", p->user),
		  log_str(m->device[0] != '\0' ? "device" : NULL, m->device),
		  log_num(p->only_looks ? "recent_days" : NULL, m->recent),
		  log_str("remote", s->remote), log_str("mechanism", p->mechanism),
		  log_str(conn_is_tls(&s->conn) ? "tls" : NULL, conn_tls_version(&s->conn)),
		  log_str(conn_is_tls(&s->conn) ? "cipher" : NULL, conn_tls_cipher(&s->conn)),
		  log_num("messages", p->count), log_num("octets", p->octets));
	write_counts(p);
}

/* -ERR that names the command: "RETR: message 2 is deleted". */
static void refuse(struct pop3_session *p, const struct pop3_command *c, enum pop3_code code,
		   const char *what)
{
	char number[20];
	const struct span args[] = {
		span_str(pop3_command_row(c->verb)->name),
		digits(number, c->number),
		pop3_text(p->language, what),
	};

	pop3_err_with(p, code, "{1}: message {2} {3}", args, 3);
}

/* The message is there and isn't deleted; else -ERR was said. */
static bool is_there(struct pop3_session *p, const struct pop3_command *c)
{
	if (c->number > p->count) {
		refuse(p, c, POP3_CODE_NONE, "does not exist");
		return false;
	}
	if (deletions_has(&p->deleted, c->number)) {
		refuse(p, c, POP3_CODE_NONE, "is deleted");
		return false;
	}
	return true;
}

static bool find_record(struct pop3_session *p, const struct pop3_command *c,
			struct index_record *ret_record)
{
	if (!is_there(p, c))
		return false;
	if (pop3_record(p, c->number, ret_record))
		return true;
	refuse(p, c, POP3_CODE_SYS_TEMP, "cannot be found in the index now");
	return false;
}

static void do_list(struct pop3_session *p, const struct pop3_command *c)
{
	struct index_record record;
	bool fits;

	if (!c->has_number) {
		fits = pop3_reply_list_begin(&p->base.out, p->language, left(p), octets_left(p));
		pop3_stream_list(p, POP3_STREAM_LIST);
	} else if (find_record(p, c, &record)) {
		fits = pop3_reply_list_one(&p->base.out, c->number, pop3_octets(p, &record));
	} else {
		return;
	}
	assert(fits);
	(void)fits;
}

static void do_uidl(struct pop3_session *p, const struct pop3_command *c)
{
	struct index_record record;

	if (!c->has_number) {
		pop3_ok(p, "");
		pop3_stream_list(p, POP3_STREAM_UIDL);
	} else if (find_record(p, c, &record)) {
		const bool fits = pop3_reply_uidl_one(&p->base.out, c->number,
						      index_record_uidl(&record));

		assert(fits);
		(void)fits;
	}
}

static void do_stat(struct pop3_session *p)
{
	const bool fits = pop3_reply_stat(&p->base.out, left(p), octets_left(p));

	assert(fits);
	(void)fits;
}

static void do_dele(struct pop3_session *p, const struct pop3_command *c)
{
	struct index_record record;
	char number[20];
	struct span arg;

	if (!find_record(p, c, &record))
		return;
	if (deletions_mark(&p->deleted, p->count, c->number, pop3_octets(p, &record)) < 0) {
		refuse(p, c, POP3_CODE_SYS_TEMP, "cannot be marked now: no memory");
		return;
	}
	arg = digits(number, c->number);
	/* A client that is set to delete what it has fetched is to go on fetching. */
	pop3_ok_with(p,
		     p->only_looks
			     ? "message {1} stays here: a login for recent mail deletes nothing"
			     : "message {1} deleted",
		     &arg, 1);
}

static bool ask(struct pop3_session *p, const union ipc_msg *m, enum pop3_wait wait)
{
	if (!session_send(&p->base, IPC_STORAGE, m)) {
		p->storage_lost = true;
		return false;
	}
	p->waiting = wait;
	return true;
}

static void do_get(struct pop3_session *p, const struct pop3_command *c)
{
	union ipc_msg *const m = &p->base.listener->msg;

	if (!is_there(p, c))
		return;
	p->asked = c->verb;
	p->asked_number = c->number;
	p->asked_lines = c->lines;
	ipc_start(m, IPC_GET, p->base.id);
	m->get.number = c->number;
	m->get.whole = c->verb == POP3_RETR;
	(void)ask(p, m, POP3_WAIT_MESSAGE);
}

static void send_message(struct pop3_session *p, const struct pop3_command *c,
			 const struct ipc_message *m, int fd)
{
	struct index_record record;

	if ((m->flags & INDEX_UTF8_HEADER) == 0) {
		pop3_stream_message(p, m, fd, NULL);
	} else if (pop3_record(p, c->number, &record)) {
		pop3_stream_message(p, m, fd, &record);
	} else {
		(void)close(fd);
		refuse(p, c, POP3_CODE_SYS_TEMP, "cannot be found in the index now");
	}
}

void pop3_message(struct pop3_session *p, const struct ipc_message *m, int fd)
{
	const struct pop3_command c = {.verb = p->asked, .number = p->asked_number};

	switch ((enum ipc_status)m->status) {
	case IPC_OK:
		send_message(p, &c, m, fd);
		break;
	case IPC_GONE:
		refuse(p, &c, POP3_CODE_NONE, "was taken away or changed by another program");
		break;
	case IPC_PERMANENT:
		refuse(p, &c, POP3_CODE_SYS_PERM, "cannot be read");
		break;
	default:
		refuse(p, &c, POP3_CODE_SYS_TEMP, "cannot be read now");
		break;
	}
}

/* ---- QUIT ---- */

static bool send_marks(struct pop3_session *p)
{
	union ipc_msg *const m = &p->base.listener->msg;
	uint32_t next = 1;
	uint32_t first;

	for (;;) {
		ipc_start(m, IPC_MARK, p->base.id);

		const size_t n = deletions_packet(&p->deleted, p->count, &next, &first,
						  m->mark.bits, sizeof(m->mark.bits));

		if (n == 0)
			return true;
		m->mark.first = first;
		m->mark.n = (uint32_t)n;
		if (!session_send(&p->base, IPC_STORAGE, m))
			return false;
	}
}

/* Storage has let go of the maildrop already, or will before it does anything else for us. */
static void say_good_bye(struct pop3_session *p)
{
	(void)close(p->snapshot);
	p->snapshot = -1;
	(void)pop3_state_next(&p->state, POP3_EVENT_DONE);
	pop3_ok(p, "good bye");
	pop3_hang_up(p, "quit");
}

static void do_quit(struct pop3_session *p)
{
	union ipc_msg *const m = &p->base.listener->msg;
	const bool updating = pop3_state_next(&p->state, POP3_EVENT_QUIT);

	assert(updating);
	(void)updating;
	/* Nothing is to be done that could fail: most sessions find nothing new, and needn't wait.
	 */
	if (p->deleted.marked == 0) {
		ipc_start(m, IPC_CLOSE, p->base.id);
		if (session_send(&p->base, IPC_STORAGE, m))
			say_good_bye(p);
		else
			p->storage_lost = true;
		return;
	}
	if (!send_marks(p)) {
		p->storage_lost = true;
		return;
	}
	ipc_start(m, IPC_COMMIT, p->base.id);
	m->commit.marked = p->deleted.marked;
	(void)ask(p, m, POP3_WAIT_COMMIT);
}

void pop3_committed(struct pop3_session *p, const struct ipc_committed *m)
{
	if (m->status == IPC_OK) {
		p->removed = m->removed;
		metric_add(METRIC_DELETED, m->removed);
		say_good_bye(p);
		return;
	}
	(void)close(p->snapshot);
	p->snapshot = -1;
	(void)pop3_state_next(&p->state, POP3_EVENT_DONE);
	pop3_err(p, m->status == IPC_PERMANENT ? POP3_CODE_SYS_PERM : POP3_CODE_SYS_TEMP,
		 "QUIT: some deleted messages not removed");
	pop3_hang_up(p, "quit, but nothing could be deleted");
}

void pop3_transaction_command(struct pop3_session *p, const struct pop3_command *c)
{
	switch (c->verb) {
	case POP3_STAT:
		do_stat(p);
		break;
	case POP3_LIST:
		do_list(p, c);
		break;
	case POP3_UIDL:
		do_uidl(p, c);
		break;
	case POP3_RETR:
	case POP3_TOP:
		do_get(p, c);
		break;
	case POP3_DELE:
		do_dele(p, c);
		break;
	case POP3_NOOP:
		pop3_ok(p, "");
		break;
	case POP3_RSET:
		deletions_clear(&p->deleted);
		write_counts(p);
		break;
	default:
		/* The codec lets no other verb through in this state. */
		assert(c->verb == POP3_QUIT);
		do_quit(p);
		break;
	}
}
