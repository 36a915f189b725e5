/* SPDX-License-Identifier: MIT */
/*
 * Every message, every member: what an honest sender writes passes, and each way
 * of writing it wrong doesn't. The members are listed here a second time, so that
 * one that the program forgets to check shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "codec/mail/mail_trace.h"
#include "server/ipc.h"

enum kind { ANY, STR, ZERO, MAX, MIN1, RANGE1, FILE_AT, STATUSES, OCTETS };

struct member {
	enum kind kind;
	size_t at;
	size_t size;
	uint32_t max;
};

#define M(s, m, k, max)                                                        \
	{                                                                      \
		k, offsetof(struct s, m), sizeof(((struct s *)NULL)->m), (max) \
	}
#define HEAD(s) M(s, head.type, ANY, 0), M(s, head.zero, ZERO, 0), M(s, head.session, ANY, 0)
#define END                  \
	{                    \
		ANY, 0, 0, 0 \
	}
#define STATUS (IPC_STATUSES - 1)
#define ORIGIN(s) \
	M(s, origin.flags, MAX, 3), M(s, origin.storage, ANY, 0), M(s, origin.remote, STR, 0)

static const struct member plain[] = {HEAD(ipc_plain), END};
static const struct member drain[] = {HEAD(ipc_drain), M(ipc_drain, seconds, ANY, 0),
				      M(ipc_drain, zero, ZERO, 0), END};
static const struct member link_[] = {HEAD(ipc_link), M(ipc_link, peer_role, MAX, IPC_ROLES - 1),
				      M(ipc_link, peer_id, ANY, 0), END};
static const struct member sign[] = {
	HEAD(ipc_sign),         M(ipc_sign, key_id, ANY, 0),    M(ipc_sign, scheme, ANY, 0),
	M(ipc_sign, n, ANY, 0), M(ipc_sign, octets, OCTETS, 0), END};
static const struct member signed_[] = {HEAD(ipc_signed), M(ipc_signed, zero, ZERO, 0),
					M(ipc_signed, n, ANY, 0), M(ipc_signed, octets, OCTETS, 0),
					END};
static const struct member pass[] = {HEAD(ipc_auth_pass),
				     ORIGIN(ipc_auth_pass),
				     M(ipc_auth_pass, user, STR, 0),
				     M(ipc_auth_pass, password, STR, 0),
				     M(ipc_auth_pass, zero, ZERO, 0),
				     END};
static const struct member apop[] = {HEAD(ipc_auth_apop),
				     ORIGIN(ipc_auth_apop),
				     M(ipc_auth_apop, user, STR, 0),
				     M(ipc_auth_apop, timestamp, STR, 0),
				     M(ipc_auth_apop, digest, STR, 0),
				     M(ipc_auth_apop, zero, ZERO, 0),
				     END};
#define SASL_TAIL \
	M(ipc_sasl, has_initial, MAX, 1), M(ipc_sasl, n, ANY, 0), M(ipc_sasl, data, OCTETS, 0)
static const struct member sasl_start[] = {HEAD(ipc_sasl),
					   ORIGIN(ipc_sasl),
					   M(ipc_sasl, mechanism, STR, 0),
					   M(ipc_sasl, binding.kind, MAX, IPC_BINDING_KINDS - 1),
					   M(ipc_sasl, binding.n, MAX, 32),
					   M(ipc_sasl, binding.octets, ANY, 0),
					   M(ipc_sasl, end_point.n, MAX, 64),
					   M(ipc_sasl, end_point.zero, ZERO, 0),
					   M(ipc_sasl, end_point.octets, ANY, 0),
					   SASL_TAIL,
					   END};
static const struct member external[] = {HEAD(ipc_external),
					 ORIGIN(ipc_external),
					 M(ipc_external, authzid, STR, 0),
					 M(ipc_external, zero, ZERO, 0),
					 M(ipc_external, n, ANY, 0),
					 M(ipc_external, certificate, OCTETS, 0),
					 END};
static const struct member sasl_step[] = {HEAD(ipc_sasl),
					  ORIGIN(ipc_sasl),
					  M(ipc_sasl, mechanism, ZERO, 0),
					  M(ipc_sasl, binding, ZERO, 0),
					  M(ipc_sasl, end_point, ZERO, 0),
					  SASL_TAIL,
					  END};
static const struct member challenge[] = {HEAD(ipc_sasl),
					  M(ipc_sasl, origin, ZERO, 0),
					  M(ipc_sasl, mechanism, ZERO, 0),
					  M(ipc_sasl, binding, ZERO, 0),
					  M(ipc_sasl, end_point, ZERO, 0),
					  SASL_TAIL,
					  END};
static const struct member rcpt[] = {HEAD(ipc_rcpt), M(ipc_rcpt, transaction, MIN1, 0),
				     M(ipc_rcpt, zero, ZERO, 0), M(ipc_rcpt, address, STR, 0), END};
static const struct member rcpt_reply[] = {HEAD(ipc_rcpt_reply),
					   M(ipc_rcpt_reply, status, MAX, STATUS),
					   M(ipc_rcpt_reply, quota, MAX, 1), END};
static const struct member room[] = {HEAD(ipc_room), M(ipc_room, transaction, MIN1, 0),
				     M(ipc_room, recipients, RANGE1, LIMIT_RECIPIENTS),
				     M(ipc_room, octets, FILE_AT, 0), END};
static const struct member begin[] = {HEAD(ipc_deliver), M(ipc_deliver, transaction, MIN1, 0),
				      M(ipc_deliver, recipients, RANGE1, LIMIT_RECIPIENTS), END};
static const struct member reset[] = {HEAD(ipc_deliver), M(ipc_deliver, transaction, MIN1, 0),
				      M(ipc_deliver, recipients, ZERO, 0), END};
static const struct member result[] = {HEAD(ipc_result), M(ipc_result, status, MAX, STATUS),
				       M(ipc_result, zero, ZERO, 0), END};
static const struct member failed[] = {HEAD(ipc_result), M(ipc_result, status, RANGE1, STATUS),
				       M(ipc_result, zero, ZERO, 0), END};
#define GRANT_MIDDLE                                                                               \
	M(ipc_grant, uid, ANY, 0), M(ipc_grant, gid, ANY, 0),                                      \
		M(ipc_grant, rules.quota_octets, ANY, 0),                                          \
		M(ipc_grant, rules.quota_messages, ANY, 0),                                        \
		M(ipc_grant, rules.dele, MAX, MAILDROP_DELES - 1),                                 \
		M(ipc_grant, rules.dele_days, ANY, 0), M(ipc_grant, rules.newest, ANY, 0),         \
		M(ipc_grant, rules.expire_days, ANY, 0), M(ipc_grant, rules.login_delay, ANY, 0),  \
		M(ipc_grant, rules.device_days, ANY, 0), M(ipc_grant, rules.recent_offer, ANY, 0), \
		M(ipc_grant, rules.trash, STR, 0), M(ipc_grant, rules.folders, STR, 0),            \
		M(ipc_grant, rules.device, STR, 0), M(ipc_grant, rules.recent_days, ANY, 0),       \
		M(ipc_grant, user, STR, 0), M(ipc_grant, path, STR, 0)
static const struct member grant_open[] = {
	HEAD(ipc_grant), M(ipc_grant, listener, ANY, 0), M(ipc_grant, transaction, ZERO, 0),
	GRANT_MIDDLE,    M(ipc_grant, address, ZERO, 0), END};
static const struct member grant_deliver[] = {
	HEAD(ipc_grant), M(ipc_grant, listener, ANY, 0), M(ipc_grant, transaction, MIN1, 0),
	GRANT_MIDDLE,    M(ipc_grant, address, STR, 0),  END};
static const struct member get[] = {HEAD(ipc_get), M(ipc_get, number, MIN1, 0),
				    M(ipc_get, whole, MAX, 1), END};
static const struct member mark[] = {HEAD(ipc_mark), M(ipc_mark, first, MIN1, 0),
				     M(ipc_mark, n, ANY, 0), M(ipc_mark, bits, OCTETS, 0), END};
static const struct member commit[] = {HEAD(ipc_commit), M(ipc_commit, marked, ANY, 0),
				       M(ipc_commit, zero, ZERO, 0), END};
static const struct member deliver_commit[] = {
	HEAD(ipc_deliver_commit),
	M(ipc_deliver_commit, octets, FILE_AT, 0),
	M(ipc_deliver_commit, dot_lines, FILE_AT, 0),
	M(ipc_deliver_commit, prefix, MAX, 1),
	M(ipc_deliver_commit, prefix_at, MAX, MAIL_TRACE_MAX),
	END};
static const struct member opened[] = {HEAD(ipc_opened),
				       M(ipc_opened, status, MAX, STATUS),
				       M(ipc_opened, count, MAX, 0x7fffffff),
				       M(ipc_opened, octets, ANY, 0),
				       M(ipc_opened, growth, ANY, 0),
				       M(ipc_opened, login_delay, ANY, 0),
				       M(ipc_opened, expire_days, ANY, 0),
				       M(ipc_opened, device, STR, 0),
				       M(ipc_opened, recent, ANY, 0),
				       M(ipc_opened, zero, ZERO, 0),
				       M(ipc_opened, user, STR, 0),
				       END};
static const struct member message[] = {HEAD(ipc_message),
					M(ipc_message, status, MAX, STATUS),
					M(ipc_message, number, MIN1, 0),
					M(ipc_message, offset, FILE_AT, 0),
					M(ipc_message, bytes, FILE_AT, 0),
					M(ipc_message, octets, FILE_AT, 0),
					M(ipc_message, flags, MAX, 0x3ff),
					M(ipc_message, zero, ZERO, 0),
					END};
static const struct member committed[] = {HEAD(ipc_committed),
					  M(ipc_committed, status, MAX, STATUS),
					  M(ipc_committed, removed, ANY, 0), END};
static const struct member delivered[] = {HEAD(ipc_delivered), M(ipc_delivered, n, ANY, 0),
					  M(ipc_delivered, status, STATUSES, 0),
					  M(ipc_delivered, zero, ANY, 0), END};

static const struct member pam_find[] = {HEAD(ipc_pam_find), M(ipc_pam_find, user, STR, 0), END};
static const struct member pam_verify[] = {HEAD(ipc_pam_verify),
					   M(ipc_pam_verify, user, STR, 0),
					   M(ipc_pam_verify, service, STR, 0),
					   M(ipc_pam_verify, remote, STR, 0),
					   M(ipc_pam_verify, password, STR, 0),
					   M(ipc_pam_verify, zero, ZERO, 0),
					   END};
static const struct member pam_answer[] = {HEAD(ipc_pam_answer),
					   M(ipc_pam_answer, status, MAX, STATUS),
					   M(ipc_pam_answer, uid, ANY, 0),
					   M(ipc_pam_answer, gid, ANY, 0),
					   M(ipc_pam_answer, zero, ZERO, 0),
					   M(ipc_pam_answer, user, STR, 0),
					   M(ipc_pam_answer, home, STR, 0),
					   END};
static const struct member select_[] = {HEAD(ipc_select),
					M(ipc_select, listener, ANY, 0),
					M(ipc_select, zero, ZERO, 0),
					M(ipc_select, id, ANY, 0),
					M(ipc_select, user, STR, 0),
					M(ipc_select, remote, STR, 0),
					END};
#define ANY_OF(s, m) M(s, m, ANY, 0)
static const struct member server[] = {HEAD(ipc_server),
				       M(ipc_server, version, STR, 0),
				       ANY_OF(ipc_server, started),
				       ANY_OF(ipc_server, reloaded),
				       ANY_OF(ipc_server, generation),
				       ANY_OF(ipc_server, sessions),
				       ANY_OF(ipc_server, logged_in),
				       ANY_OF(ipc_server, connections),
				       ANY_OF(ipc_server, refused_connections),
				       ANY_OF(ipc_server, logins),
				       ANY_OF(ipc_server, deliveries),
				       ANY_OF(ipc_server, retrieved),
				       ANY_OF(ipc_server, deleted),
				       ANY_OF(ipc_server, received_octets),
				       ANY_OF(ipc_server, sent_octets),
				       ANY_OF(ipc_server, deaths),
				       ANY_OF(ipc_server, waiting),
				       ANY_OF(ipc_server, users_away),
				       ANY_OF(ipc_server, certificate_expiry),
				       END};
static const struct member process[] = {HEAD(ipc_process),
					M(ipc_process, role, MAX, IPC_ROLES - 1),
					ANY_OF(ipc_process, id),
					ANY_OF(ipc_process, pid),
					M(ipc_process, state, MAX, IPC_OLD),
					ANY_OF(ipc_process, started),
					END};
static const struct member command[] = {HEAD(ipc_command), M(ipc_command, name, STR, 0),
					ANY_OF(ipc_command, n), ANY_OF(ipc_command, ns), END};
static const struct member session_[] = {HEAD(ipc_session),
					 ANY_OF(ipc_session, listener),
					 M(ipc_session, protocol, MAX, 3),
					 ANY_OF(ipc_session, id),
					 ANY_OF(ipc_session, since),
					 ANY_OF(ipc_session, received_octets),
					 ANY_OF(ipc_session, sent_octets),
					 ANY_OF(ipc_session, commands),
					 M(ipc_session, state, MAX, IPC_SESSION_MESSAGE),
					 M(ipc_session, maildrop, MAX, 1),
					 ANY_OF(ipc_session, messages),
					 ANY_OF(ipc_session, marked),
					 M(ipc_session, command, STR, 0),
					 M(ipc_session, tls, STR, 0),
					 M(ipc_session, remote, STR, 0),
					 M(ipc_session, user, STR, 0),
					 END};
static const struct member done[] = {HEAD(ipc_done), M(ipc_done, status, MAX, STATUS),
				     ANY_OF(ipc_done, n), ANY_OF(ipc_done, next), END};

enum fd { NEVER, ALWAYS, WHEN_OK };

#define A(role) (1U << IPC_##role)
#define CHILDREN (A(LISTENER) | A(AUTH) | A(STORAGE) | A(MONITOR) | A(PAM) | A(SIGNER))

static const struct row {
	enum ipc_type type;
	unsigned from;
	unsigned to;
	enum fd fd;
	bool session;
	size_t size;
	const struct member *members;
	size_t count_at; /* 0: no array */
	size_t array_at;
	size_t array_max;
} rows[] = {
	{IPC_LINK, A(MASTER), CHILDREN, ALWAYS, false, sizeof(struct ipc_link), link_, 0, 0, 0},
	{IPC_CONFIG, A(MASTER), CHILDREN, ALWAYS, false, sizeof(struct ipc_plain), plain, 0, 0, 0},
	{IPC_DRAIN, A(MASTER), CHILDREN, NEVER, false, sizeof(struct ipc_drain), drain, 0, 0, 0},
	{IPC_READY, CHILDREN, A(MASTER), NEVER, false, sizeof(struct ipc_plain), plain, 0, 0, 0},
	{IPC_PING, A(MASTER), CHILDREN, NEVER, false, sizeof(struct ipc_plain), plain, 0, 0, 0},
	{IPC_PONG, CHILDREN, A(MASTER), NEVER, false, sizeof(struct ipc_plain), plain, 0, 0, 0},
	{IPC_AUTH_PASS, A(LISTENER), A(AUTH), NEVER, true, sizeof(struct ipc_auth_pass), pass, 0, 0,
	 0},
	{IPC_AUTH_APOP, A(LISTENER), A(AUTH), NEVER, true, sizeof(struct ipc_auth_apop), apop, 0, 0,
	 0},
	{IPC_AUTH_EXTERNAL, A(LISTENER), A(AUTH), NEVER, true, sizeof(struct ipc_external),
	 external, offsetof(struct ipc_external, n), offsetof(struct ipc_external, certificate),
	 IPC_CERTIFICATE_MAX},
	{IPC_AUTH_SASL_START, A(LISTENER), A(AUTH), NEVER, true, sizeof(struct ipc_sasl),
	 sasl_start, offsetof(struct ipc_sasl, n), offsetof(struct ipc_sasl, data),
	 LIMIT_SASL_OCTETS},
	{IPC_AUTH_SASL_STEP, A(LISTENER), A(AUTH), NEVER, true, sizeof(struct ipc_sasl), sasl_step,
	 offsetof(struct ipc_sasl, n), offsetof(struct ipc_sasl, data), LIMIT_SASL_OCTETS},
	{IPC_AUTH_CANCEL, A(LISTENER), A(AUTH), NEVER, true, sizeof(struct ipc_plain), plain, 0, 0,
	 0},
	{IPC_AUTH_RCPT, A(LISTENER), A(AUTH), NEVER, true, sizeof(struct ipc_rcpt), rcpt, 0, 0, 0},
	{IPC_AUTH_CHALLENGE, A(AUTH), A(LISTENER), NEVER, true, sizeof(struct ipc_sasl), challenge,
	 offsetof(struct ipc_sasl, n), offsetof(struct ipc_sasl, data), LIMIT_SASL_OCTETS},
	{IPC_AUTH_FAILED, A(AUTH), A(LISTENER), NEVER, true, sizeof(struct ipc_result), failed, 0,
	 0, 0},
	{IPC_AUTH_RCPT_REPLY, A(AUTH), A(LISTENER), NEVER, true, sizeof(struct ipc_rcpt_reply),
	 rcpt_reply, 0, 0, 0},
	{IPC_GRANT_OPEN, A(AUTH), A(STORAGE), NEVER, true, sizeof(struct ipc_grant), grant_open, 0,
	 0, 0},
	{IPC_GRANT_DELIVER, A(AUTH), A(STORAGE), NEVER, true, sizeof(struct ipc_grant),
	 grant_deliver, 0, 0, 0},
	{IPC_GET, A(LISTENER), A(STORAGE), NEVER, true, sizeof(struct ipc_get), get, 0, 0, 0},
	{IPC_MARK, A(LISTENER), A(STORAGE), NEVER, true, sizeof(struct ipc_mark), mark,
	 offsetof(struct ipc_mark, n), offsetof(struct ipc_mark, bits), IPC_MARK_BYTES},
	{IPC_COMMIT, A(LISTENER), A(STORAGE), NEVER, true, sizeof(struct ipc_commit), commit, 0, 0,
	 0},
	{IPC_CLOSE, A(LISTENER), A(STORAGE), NEVER, true, sizeof(struct ipc_plain), plain, 0, 0, 0},
	{IPC_ROOM, A(LISTENER), A(STORAGE), NEVER, true, sizeof(struct ipc_room), room, 0, 0, 0},
	{IPC_ROOM_REPLY, A(STORAGE), A(LISTENER), NEVER, true, sizeof(struct ipc_result), result, 0,
	 0, 0},
	{IPC_DELIVER_BEGIN, A(LISTENER), A(STORAGE), NEVER, true, sizeof(struct ipc_deliver), begin,
	 0, 0, 0},
	{IPC_DELIVER_COMMIT, A(LISTENER), A(STORAGE), NEVER, true,
	 sizeof(struct ipc_deliver_commit), deliver_commit, 0, 0, 0},
	{IPC_DELIVER_RESET, A(LISTENER), A(STORAGE), NEVER, true, sizeof(struct ipc_deliver), reset,
	 0, 0, 0},
	{IPC_OPENED, A(STORAGE), A(LISTENER), WHEN_OK, true, sizeof(struct ipc_opened), opened, 0,
	 0, 0},
	{IPC_MESSAGE, A(STORAGE), A(LISTENER), WHEN_OK, true, sizeof(struct ipc_message), message,
	 0, 0, 0},
	{IPC_COMMITTED, A(STORAGE), A(LISTENER), NEVER, true, sizeof(struct ipc_committed),
	 committed, 0, 0, 0},
	{IPC_DELIVER_READY, A(STORAGE), A(LISTENER), WHEN_OK, true, sizeof(struct ipc_result),
	 result, 0, 0, 0},
	{IPC_DELIVERED, A(STORAGE), A(LISTENER), NEVER, true, sizeof(struct ipc_delivered),
	 delivered, offsetof(struct ipc_delivered, n), offsetof(struct ipc_delivered, status),
	 LIMIT_RECIPIENTS},
	{IPC_PAM_FIND, A(AUTH), A(PAM), NEVER, true, sizeof(struct ipc_pam_find), pam_find, 0, 0,
	 0},
	{IPC_PAM_VERIFY, A(AUTH), A(PAM), NEVER, true, sizeof(struct ipc_pam_verify), pam_verify, 0,
	 0, 0},
	{IPC_PAM_CANCEL, A(AUTH), A(PAM), NEVER, true, sizeof(struct ipc_plain), plain, 0, 0, 0},
	{IPC_PAM_ANSWER, A(PAM), A(AUTH), NEVER, true, sizeof(struct ipc_pam_answer), pam_answer, 0,
	 0, 0},
	{IPC_ASK_STATUS, A(OPERATOR), A(MONITOR), NEVER, true, sizeof(struct ipc_plain), plain, 0,
	 0, 0},
	{IPC_ASK_SESSIONS, A(OPERATOR) | A(MONITOR), A(MONITOR) | A(LISTENER), NEVER, true,
	 sizeof(struct ipc_select), select_, 0, 0, 0},
	{IPC_KICK, A(OPERATOR) | A(MONITOR), A(MONITOR) | A(LISTENER), NEVER, true,
	 sizeof(struct ipc_select), select_, 0, 0, 0},
	{IPC_SERVER, A(MONITOR), A(OPERATOR), NEVER, true, sizeof(struct ipc_server), server, 0, 0,
	 0},
	{IPC_PROCESS, A(MONITOR), A(OPERATOR), NEVER, true, sizeof(struct ipc_process), process, 0,
	 0, 0},
	{IPC_COMMAND, A(MONITOR), A(OPERATOR), NEVER, true, sizeof(struct ipc_command), command, 0,
	 0, 0},
	{IPC_SESSION, A(LISTENER) | A(MONITOR), A(MONITOR) | A(OPERATOR), NEVER, true,
	 sizeof(struct ipc_session), session_, 0, 0, 0},
	{IPC_DONE, A(LISTENER) | A(MONITOR), A(MONITOR) | A(OPERATOR), NEVER, true,
	 sizeof(struct ipc_done), done, 0, 0, 0},
	{IPC_SIGN, A(LISTENER), A(SIGNER), NEVER, true, sizeof(struct ipc_sign), sign,
	 offsetof(struct ipc_sign, n), offsetof(struct ipc_sign, octets), IPC_SIGN_OCTETS},
	{IPC_SIGNED, A(SIGNER), A(LISTENER), NEVER, true, sizeof(struct ipc_signed), signed_,
	 offsetof(struct ipc_signed, n), offsetof(struct ipc_signed, octets), IPC_SIGNED_OCTETS},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static enum ipc_role first_role(unsigned mask)
{
	return (enum ipc_role)__builtin_ctz(mask);
}

static void put_u32(union ipc_msg *m, size_t at, uint32_t v)
{
	memcpy((char *)m + at, &v, sizeof(v));
}

static void put_u64(union ipc_msg *m, size_t at, uint64_t v)
{
	memcpy((char *)m + at, &v, sizeof(v));
}

/* What an honest sender makes: each member has its largest value, arrays are used as far as n. */
static size_t make(const struct row *row, union ipc_msg *m, size_t n)
{
	memset(m, 0x7e, sizeof(*m));
	ipc_start(m, row->type, row->session ? UINT64_MAX : 0);
	for (const struct member *k = row->members + 3; k->size != 0; k++) {
		if (k->kind == STR)
			memset((char *)m + k->at, 'x', k->size - 1);
		else if (k->kind == MAX || k->kind == RANGE1)
			put_u32(m, k->at, k->max);
		else if (k->kind == MIN1)
			put_u32(m, k->at, 1);
		else if (k->kind == FILE_AT)
			put_u64(m, k->at, INT64_MAX / 2);
		else if (k->kind == STATUSES)
			memset((char *)m + k->at, STATUS, k->size);
	}
	if (row->count_at != 0)
		put_u32(m, row->count_at, (uint32_t)n);
	return ipc_length(m);
}

static bool check(const struct row *row, const union ipc_msg *m, size_t n)
{
	return ipc_check(m, n, row->fd == ALWAYS, first_role(row->from), first_role(row->to));
}

static void test_rows_are_all(void **state)
{
	bool seen[IPC_TYPES] = {false};

	(void)state;
	for (size_t i = 0; i < N_ROWS; i++)
		seen[rows[i].type] = true;
	for (uint32_t t = IPC_LINK; t < IPC_TYPES; t++) {
		assert_true(seen[t]);
		assert_string_not_equal(ipc_type_name(t), "?");
	}
	assert_string_equal(ipc_type_name(0), "?");
	assert_string_equal(ipc_type_name(IPC_TYPES), "?");
	assert_string_equal(ipc_type_name(UINT32_MAX), "?");
	for (uint32_t s = 0; s < IPC_STATUSES; s++)
		assert_string_not_equal(ipc_status_name(s), "?");
	assert_string_equal(ipc_status_name(IPC_STATUSES), "?");
}

/* No octet of a struct belongs to no member: padding would carry memory to another process. */
static void test_members_fill_the_structs(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ROWS; i++) {
		size_t at = 0;

		for (const struct member *k = rows[i].members; k->size != 0; k++) {
			assert_int_equal(k->at, at);
			at += k->size;
		}
		assert_int_equal(at, rows[i].size);
	}
}

static void test_honest(void **state)
{
	static union ipc_msg m;

	(void)state;
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct row *const row = &rows[i];
		const size_t full = make(row, &m, row->array_max);

		assert_true(check(row, &m, full));
		assert_int_equal(full,
				 row->count_at != 0 ? row->array_at + row->array_max : row->size);
		if (row->count_at != 0)
			assert_true(check(row, &m, make(row, &m, 0)));
	}
}

static void test_start_is_clean(void **state)
{
	static union ipc_msg m;

	(void)state;
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct row *const row = &rows[i];
		const size_t end = row->count_at != 0 ? row->array_at : row->size;

		memset(&m, 0xff, sizeof(m));
		ipc_start(&m, row->type, 7);
		assert_int_equal(m.head.type, row->type);
		assert_int_equal(m.head.session, 7);
		for (size_t k = sizeof(struct ipc_head); k < end; k++)
			assert_int_equal(((const char *)&m)[k], 0);
	}
}

static void test_lengths(void **state)
{
	static union ipc_msg m;

	(void)state;
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct row *const row = &rows[i];
		const size_t used[] = {0, 1, row->array_max};

		for (size_t k = 0; k < (row->count_at != 0 ? 3 : 1); k++) {
			const size_t n = make(row, &m, used[k]);

			for (size_t wrong = 0; wrong <= sizeof(m); wrong++)
				assert_int_equal(check(row, &m, wrong), wrong == n);
		}
		if (row->count_at == 0)
			continue;
		/* A count that is larger than the array, whatever length goes with it. */
		for (size_t extra = 1; extra < 9; extra++) {
			(void)make(row, &m, row->array_max);
			put_u32(&m, row->count_at, (uint32_t)(row->array_max + extra));
			assert_false(check(row, &m, row->array_at + row->array_max + extra));
			assert_false(check(row, &m, row->array_at + row->array_max));
		}
		put_u32(&m, row->count_at, UINT32_MAX);
		assert_false(check(row, &m, row->array_at - 1));
	}
}

static void test_roles(void **state)
{
	static union ipc_msg m;

	(void)state;
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct row *const row = &rows[i];
		const size_t n = make(row, &m, 0);

		for (unsigned from = 0; from < IPC_PEERS; from++) {
			for (unsigned to = 0; to < IPC_PEERS; to++) {
				const bool right = (row->from >> from & 1) && (row->to >> to & 1);

				assert_int_equal(ipc_check(&m, n, row->fd == ALWAYS,
							   (enum ipc_role)from, (enum ipc_role)to),
						 right);
			}
		}
	}
}

static void test_descriptors(void **state)
{
	static union ipc_msg m;

	(void)state;
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct row *const row = &rows[i];
		const enum ipc_role from = first_role(row->from);
		const enum ipc_role to = first_role(row->to);
		const size_t n = make(row, &m, 0);

		if (row->fd != WHEN_OK) {
			assert_int_equal(ipc_check(&m, n, true, from, to), row->fd == ALWAYS);
			assert_int_equal(ipc_check(&m, n, false, from, to), row->fd == NEVER);
			continue;
		}
		for (uint32_t status = 0; status < IPC_STATUSES; status++) {
			put_u32(&m, sizeof(struct ipc_head), status);
			assert_int_equal(ipc_check(&m, n, true, from, to), status == IPC_OK);
			assert_int_equal(ipc_check(&m, n, false, from, to), status != IPC_OK);
		}
	}
}

static void test_sessions(void **state)
{
	static union ipc_msg m;

	(void)state;
	for (size_t i = 0; i < N_ROWS; i++) {
		const size_t n = make(&rows[i], &m, 0);

		m.head.session = 0;
		assert_int_equal(check(&rows[i], &m, n), !rows[i].session);
		m.head.session = 1;
		assert_int_equal(check(&rows[i], &m, n), rows[i].session);
	}
}

static void test_types(void **state)
{
	static union ipc_msg m;
	static const uint32_t unknown[] = {0, IPC_TYPES, IPC_TYPES + 1, UINT32_MAX, 0x80000001};

	(void)state;
	for (size_t i = 0; i < N_ROWS; i++) {
		const size_t n = make(&rows[i], &m, 0);

		for (size_t k = 0; k < sizeof(unknown) / sizeof(unknown[0]); k++) {
			m.head.type = unknown[k];
			assert_false(check(&rows[i], &m, n));
		}
	}
}

static void wrong_member(const struct row *row, const struct member *k)
{
	static union ipc_msg m;
	const size_t n = make(row, &m, row->array_max);
	char *const p = (char *)&m + k->at;

	switch (k->kind) {
	case ANY:
	case OCTETS:
		return;
	case STR:
		p[k->size - 1] = 'x'; /* never ends */
		assert_false(check(row, &m, n));
		p[0] = '\0'; /* what is behind the end is nobody's business */
		assert_true(check(row, &m, n));
		return;
	case ZERO:
		for (size_t i = 0; i < k->size; i++) {
			p[i] = 1;
			assert_false(check(row, &m, n));
			p[i] = 0;
		}
		return;
	case MAX:
		put_u32(&m, k->at, k->max + 1);
		assert_false(check(row, &m, n));
		put_u32(&m, k->at, UINT32_MAX);
		assert_false(check(row, &m, n));
		return;
	case RANGE1:
		put_u32(&m, k->at, k->max + 1);
		assert_false(check(row, &m, n));
		put_u32(&m, k->at, 0);
		assert_false(check(row, &m, n));
		return;
	case MIN1:
		put_u32(&m, k->at, 0);
		assert_false(check(row, &m, n));
		put_u32(&m, k->at, UINT32_MAX);
		assert_true(check(row, &m, n));
		return;
	case FILE_AT:
		put_u64(&m, k->at, (uint64_t)INT64_MAX / 2 + 1);
		assert_false(check(row, &m, n));
		put_u64(&m, k->at, UINT64_MAX);
		assert_false(check(row, &m, n));
		return;
	case STATUSES:
		for (size_t i = 0; i < k->size; i++) {
			p[i] = (char)IPC_STATUSES;
			assert_false(check(row, &m, n));
			/* Past the count it isn't sent, and isn't looked at. */
			put_u32(&m, row->count_at, (uint32_t)i);
			assert_true(check(row, &m, row->array_at + i));
			put_u32(&m, row->count_at, (uint32_t)row->array_max);
			p[i] = 0;
		}
		return;
	}
}

static void test_members(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ROWS; i++) {
		for (const struct member *k = rows[i].members; k->size != 0; k++)
			wrong_member(&rows[i], k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_all),
		cmocka_unit_test(test_members_fill_the_structs),
		cmocka_unit_test(test_honest),
		cmocka_unit_test(test_start_is_clean),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_members),
	};

	return cmocka_run_group_tests_name("ipc", tests, NULL, NULL);
}
