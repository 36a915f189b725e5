/* SPDX-License-Identifier: MIT */
#include "server/ipc.h"

#include <assert.h>
#include <string.h>

#include "codec/index/index_record.h"
#include "codec/mail/mail_trace.h"
#include "server/config.h"

/* How one member of a message is checked. */
enum check_kind {
	CHECK_END,   /* zero: ends a list */
	CHECK_STR,   /* octets up to a NUL within arg */
	CHECK_ZERO,  /* arg octets of zero */
	CHECK_MAX,   /* a uint32_t of arg at most */
	CHECK_MIN1,  /* a uint32_t, not 0 */
	CHECK_FILE,  /* a uint64_t that is a place in a file: two of them can be added */
	CHECK_RULES, /* a struct maildrop_rules */
};

struct check {
	enum check_kind kind;
	size_t at;
	size_t arg;
};

enum fd_rule { FD_NEVER, FD_ALWAYS, FD_WHEN_OK };
enum session_rule { SESSION_SET, SESSION_ZERO };

/* Where a struct's last array is, and where it says how much of it is used. */
struct array {
	size_t count_at;
	size_t at;
	size_t max;
};

struct row {
	const char *name;
	unsigned from; /* masks of 1 << role */
	unsigned to;
	enum fd_rule fd;
	enum session_rule session;
	size_t size; /* of its struct; 0 for no row */
	const struct array *array;
	const struct check *checks;
};

#define FROM(role) (1U << IPC_##role)
#define STR(s, m)                                                               \
	{                                                                       \
		CHECK_STR, offsetof(struct s, m), sizeof(((struct s *)NULL)->m) \
	}
#define ZERO(s, m)                                                               \
	{                                                                        \
		CHECK_ZERO, offsetof(struct s, m), sizeof(((struct s *)NULL)->m) \
	}
#define MAX(s, m, max)                                  \
	{                                               \
		CHECK_MAX, offsetof(struct s, m), (max) \
	}
#define MIN1(s, m)                                   \
	{                                            \
		CHECK_MIN1, offsetof(struct s, m), 0 \
	}
#define FILE_AT(s, m)                                \
	{                                            \
		CHECK_FILE, offsetof(struct s, m), 0 \
	}
#define RULES(s, m)                                   \
	{                                             \
		CHECK_RULES, offsetof(struct s, m), 0 \
	}
#define STATUS(s) MAX(s, status, IPC_STATUSES - 1)
#define ORIGIN(s) MAX(s, origin.flags, IPC_AUTH_TLS | IPC_AUTH_LOOPBACK), STR(s, origin.remote)
#define ARRAY(s, count, m)                                                                      \
	&(const struct array)                                                                   \
	{                                                                                       \
		offsetof(struct s, count), offsetof(struct s, m), sizeof(((struct s *)NULL)->m) \
	}
#define CHECKS(...)                     \
	(const struct check[])          \
	{                               \
		__VA_ARGS__,            \
		{                       \
			CHECK_END, 0, 0 \
		}                       \
	}
#define TO_CHILDREN \
	(FROM(LISTENER) | FROM(AUTH) | FROM(STORAGE) | FROM(MONITOR) | FROM(PAM) | FROM(SIGNER))

/* A member that a struct has and no list names would be one that nobody checks. */
_Static_assert(sizeof(struct ipc_auth_pass) == offsetof(struct ipc_auth_pass, zero) + 7, "padding");
_Static_assert(sizeof(struct ipc_auth_apop) == offsetof(struct ipc_auth_apop, zero) + 7, "padding");
_Static_assert(offsetof(struct ipc_external, zero) ==
		       offsetof(struct ipc_external, authzid) + LIMIT_USER + 1,
	       "padding");
_Static_assert(offsetof(struct ipc_sasl, has_initial) == offsetof(struct ipc_sasl, binding) +
								 2 * sizeof(uint32_t) + 32 +
								 2 * sizeof(uint32_t) + 64,
	       "padding");
_Static_assert(sizeof(struct ipc_pam_verify) == offsetof(struct ipc_pam_verify, zero) + 7,
	       "padding");
_Static_assert(sizeof(struct ipc_delivered) == offsetof(struct ipc_delivered, zero) + 4, "padding");
_Static_assert(sizeof(struct ipc_grant) == offsetof(struct ipc_grant, address) + LIMIT_ADDRESS + 1,
	       "padding");

/* clang-format off */
static const struct row rows[IPC_TYPES] = {
	[IPC_LINK] = {"link", FROM(MASTER), TO_CHILDREN, FD_ALWAYS, SESSION_ZERO,
		sizeof(struct ipc_link), NULL,
		CHECKS(MAX(ipc_link, peer_role, IPC_ROLES - 1))},
	[IPC_CONFIG] = {"config", FROM(MASTER), TO_CHILDREN, FD_ALWAYS, SESSION_ZERO,
		sizeof(struct ipc_plain), NULL, NULL},
	[IPC_DRAIN] = {"drain", FROM(MASTER), TO_CHILDREN, FD_NEVER, SESSION_ZERO,
		sizeof(struct ipc_drain), NULL, CHECKS(ZERO(ipc_drain, zero))},
	[IPC_READY] = {"ready", TO_CHILDREN, FROM(MASTER), FD_NEVER, SESSION_ZERO,
		sizeof(struct ipc_plain), NULL, NULL},

	[IPC_AUTH_PASS] = {"auth-pass", FROM(LISTENER), FROM(AUTH), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_auth_pass), NULL,
		CHECKS(ORIGIN(ipc_auth_pass), STR(ipc_auth_pass, user),
		       STR(ipc_auth_pass, password), ZERO(ipc_auth_pass, zero))},
	[IPC_AUTH_APOP] = {"auth-apop", FROM(LISTENER), FROM(AUTH), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_auth_apop), NULL,
		CHECKS(ORIGIN(ipc_auth_apop), STR(ipc_auth_apop, user),
		       STR(ipc_auth_apop, timestamp), STR(ipc_auth_apop, digest),
		       ZERO(ipc_auth_apop, zero))},
	[IPC_AUTH_EXTERNAL] = {"auth-external", FROM(LISTENER), FROM(AUTH), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_external), ARRAY(ipc_external, n, certificate),
		CHECKS(ORIGIN(ipc_external), STR(ipc_external, authzid), ZERO(ipc_external, zero))},
	[IPC_AUTH_SASL_START] = {"auth-sasl-start", FROM(LISTENER), FROM(AUTH), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_sasl), ARRAY(ipc_sasl, n, data),
		CHECKS(ORIGIN(ipc_sasl), STR(ipc_sasl, mechanism),
		       MAX(ipc_sasl, binding.kind, IPC_BINDING_KINDS - 1), MAX(ipc_sasl, binding.n, 32),
		       MAX(ipc_sasl, end_point.n, 64), ZERO(ipc_sasl, end_point.zero), MAX(ipc_sasl, has_initial, 1))},
	[IPC_AUTH_SASL_STEP] = {"auth-sasl-step", FROM(LISTENER), FROM(AUTH), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_sasl), ARRAY(ipc_sasl, n, data),
		CHECKS(ORIGIN(ipc_sasl), ZERO(ipc_sasl, mechanism), ZERO(ipc_sasl, binding), ZERO(ipc_sasl, end_point),
		       MAX(ipc_sasl, has_initial, 1))},
	[IPC_AUTH_CANCEL] = {"auth-cancel", FROM(LISTENER), FROM(AUTH), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_plain), NULL, NULL},
	[IPC_AUTH_RCPT] = {"auth-rcpt", FROM(LISTENER), FROM(AUTH), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_rcpt), NULL, CHECKS(MIN1(ipc_rcpt, transaction), ZERO(ipc_rcpt, zero), STR(ipc_rcpt, address))},
	[IPC_AUTH_CHALLENGE] = {"auth-challenge", FROM(AUTH), FROM(LISTENER), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_sasl), ARRAY(ipc_sasl, n, data),
		CHECKS(ZERO(ipc_sasl, origin), ZERO(ipc_sasl, mechanism), ZERO(ipc_sasl, binding), ZERO(ipc_sasl, end_point),
		       MAX(ipc_sasl, has_initial, 1))},
	[IPC_AUTH_FAILED] = {"auth-failed", FROM(AUTH), FROM(LISTENER), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_result), NULL,
		CHECKS(STATUS(ipc_result), MIN1(ipc_result, status), ZERO(ipc_result, zero))},
	[IPC_AUTH_RCPT_REPLY] = {"auth-rcpt-reply", FROM(AUTH), FROM(LISTENER), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_rcpt_reply), NULL,
		CHECKS(STATUS(ipc_rcpt_reply), MAX(ipc_rcpt_reply, quota, 1))},

	[IPC_GRANT_OPEN] = {"grant-open", FROM(AUTH), FROM(STORAGE), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_grant), NULL,
		CHECKS(MAX(ipc_grant, transaction, 0), RULES(ipc_grant, rules), STR(ipc_grant, user), STR(ipc_grant, path),
		       ZERO(ipc_grant, address))},
	[IPC_GRANT_DELIVER] = {"grant-deliver", FROM(AUTH), FROM(STORAGE), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_grant), NULL,
		CHECKS(MIN1(ipc_grant, transaction), RULES(ipc_grant, rules), STR(ipc_grant, user), STR(ipc_grant, path),
		       STR(ipc_grant, address))},

	[IPC_GET] = {"get", FROM(LISTENER), FROM(STORAGE), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_get), NULL, CHECKS(MIN1(ipc_get, number), MAX(ipc_get, whole, 1))},
	[IPC_MARK] = {"mark", FROM(LISTENER), FROM(STORAGE), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_mark), ARRAY(ipc_mark, n, bits), CHECKS(MIN1(ipc_mark, first))},
	[IPC_COMMIT] = {"commit", FROM(LISTENER), FROM(STORAGE), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_commit), NULL, CHECKS(ZERO(ipc_commit, zero))},
	[IPC_CLOSE] = {"close", FROM(LISTENER), FROM(STORAGE), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_plain), NULL, NULL},
	[IPC_ROOM] = {"room", FROM(LISTENER), FROM(STORAGE), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_room), NULL,
		CHECKS(MIN1(ipc_room, transaction), MIN1(ipc_room, recipients),
		       MAX(ipc_room, recipients, LIMIT_RECIPIENTS), FILE_AT(ipc_room, octets))},
	[IPC_DELIVER_BEGIN] = {"deliver-begin", FROM(LISTENER), FROM(STORAGE), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_deliver), NULL,
		CHECKS(MIN1(ipc_deliver, transaction), MIN1(ipc_deliver, recipients),
		       MAX(ipc_deliver, recipients, LIMIT_RECIPIENTS))},
	[IPC_DELIVER_COMMIT] = {"deliver-commit", FROM(LISTENER), FROM(STORAGE), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_deliver_commit), NULL,
		CHECKS(FILE_AT(ipc_deliver_commit, octets), FILE_AT(ipc_deliver_commit, dot_lines),
		       MAX(ipc_deliver_commit, prefix, 1),
		       MAX(ipc_deliver_commit, prefix_at, MAIL_TRACE_MAX))},
	[IPC_DELIVER_RESET] = {"deliver-reset", FROM(LISTENER), FROM(STORAGE), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_deliver), NULL,
		CHECKS(MIN1(ipc_deliver, transaction), MAX(ipc_deliver, recipients, 0))},
	[IPC_OPENED] = {"opened", FROM(STORAGE), FROM(LISTENER), FD_WHEN_OK, SESSION_SET,
		sizeof(struct ipc_opened), NULL,
		CHECKS(STATUS(ipc_opened), MAX(ipc_opened, count, INDEX_COUNT_MAX),
		       STR(ipc_opened, device), ZERO(ipc_opened, zero), STR(ipc_opened, user))},
	[IPC_MESSAGE] = {"message", FROM(STORAGE), FROM(LISTENER), FD_WHEN_OK, SESSION_SET,
		sizeof(struct ipc_message), NULL,
		CHECKS(STATUS(ipc_message), MIN1(ipc_message, number), FILE_AT(ipc_message, offset),
		       FILE_AT(ipc_message, bytes), FILE_AT(ipc_message, octets),
		       MAX(ipc_message, flags, INDEX_FLAGS_ALL), ZERO(ipc_message, zero))},
	[IPC_COMMITTED] = {"committed", FROM(STORAGE), FROM(LISTENER), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_committed), NULL, CHECKS(STATUS(ipc_committed))},
	[IPC_ROOM_REPLY] = {"room-reply", FROM(STORAGE), FROM(LISTENER), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_result), NULL,
		CHECKS(STATUS(ipc_result), ZERO(ipc_result, zero))},
	[IPC_DELIVER_READY] = {"deliver-ready", FROM(STORAGE), FROM(LISTENER), FD_WHEN_OK, SESSION_SET,
		sizeof(struct ipc_result), NULL,
		CHECKS(STATUS(ipc_result), ZERO(ipc_result, zero))},
	[IPC_DELIVERED] = {"delivered", FROM(STORAGE), FROM(LISTENER), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_delivered), ARRAY(ipc_delivered, n, status), NULL},

	[IPC_PAM_FIND] = {"pam-find", FROM(AUTH), FROM(PAM), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_pam_find), NULL, CHECKS(STR(ipc_pam_find, user))},
	[IPC_PAM_VERIFY] = {"pam-verify", FROM(AUTH), FROM(PAM), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_pam_verify), NULL,
		CHECKS(STR(ipc_pam_verify, user), STR(ipc_pam_verify, service), STR(ipc_pam_verify, remote),
		       STR(ipc_pam_verify, password), ZERO(ipc_pam_verify, zero))},
	[IPC_PAM_CANCEL] = {"pam-cancel", FROM(AUTH), FROM(PAM), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_plain), NULL, NULL},
	[IPC_PAM_ANSWER] = {"pam-answer", FROM(PAM), FROM(AUTH), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_pam_answer), NULL,
		CHECKS(STATUS(ipc_pam_answer), ZERO(ipc_pam_answer, zero), STR(ipc_pam_answer, user),
		       STR(ipc_pam_answer, home))},

	[IPC_PING] = {"ping", FROM(MASTER), TO_CHILDREN, FD_NEVER, SESSION_ZERO,
		sizeof(struct ipc_plain), NULL, NULL},
	[IPC_ASK_STATUS] = {"ask-status", FROM(OPERATOR), FROM(MONITOR), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_plain), NULL, NULL},
	[IPC_ASK_SESSIONS] = {"ask-sessions", FROM(OPERATOR) | FROM(MONITOR), FROM(MONITOR) | FROM(LISTENER),
		FD_NEVER, SESSION_SET, sizeof(struct ipc_select), NULL,
		CHECKS(ZERO(ipc_select, zero), STR(ipc_select, user), STR(ipc_select, remote))},
	[IPC_KICK] = {"kick", FROM(OPERATOR) | FROM(MONITOR), FROM(MONITOR) | FROM(LISTENER),
		FD_NEVER, SESSION_SET, sizeof(struct ipc_select), NULL,
		CHECKS(ZERO(ipc_select, zero), STR(ipc_select, user), STR(ipc_select, remote))},
	[IPC_SERVER] = {"server", FROM(MONITOR), FROM(OPERATOR), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_server), NULL, CHECKS(STR(ipc_server, version))},
	[IPC_PROCESS] = {"process", FROM(MONITOR), FROM(OPERATOR), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_process), NULL,
		CHECKS(MAX(ipc_process, role, IPC_ROLES - 1), MAX(ipc_process, state, IPC_PROCESS_STATES - 1))},
	[IPC_COMMAND] = {"command", FROM(MONITOR), FROM(OPERATOR), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_command), NULL, CHECKS(STR(ipc_command, name))},
	[IPC_SESSION] = {"session", FROM(LISTENER) | FROM(MONITOR), FROM(MONITOR) | FROM(OPERATOR),
		FD_NEVER, SESSION_SET, sizeof(struct ipc_session), NULL,
		CHECKS(MAX(ipc_session, protocol, CONFIG_SMTP), MAX(ipc_session, state, IPC_SESSION_STATES - 1),
		       MAX(ipc_session, maildrop, 1), STR(ipc_session, command), STR(ipc_session, tls),
		       STR(ipc_session, remote), STR(ipc_session, user))},
	[IPC_DONE] = {"done", FROM(LISTENER) | FROM(MONITOR), FROM(MONITOR) | FROM(OPERATOR),
		FD_NEVER, SESSION_SET, sizeof(struct ipc_done), NULL, CHECKS(STATUS(ipc_done))},
	[IPC_PONG] = {"pong", TO_CHILDREN, FROM(MASTER), FD_NEVER, SESSION_ZERO,
		sizeof(struct ipc_plain), NULL, NULL},

	[IPC_SIGN] = {"sign", FROM(LISTENER), FROM(SIGNER), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_sign), ARRAY(ipc_sign, n, octets), NULL},
	[IPC_SIGNED] = {"signed", FROM(SIGNER), FROM(LISTENER), FD_NEVER, SESSION_SET,
		sizeof(struct ipc_signed), ARRAY(ipc_signed, n, octets), CHECKS(ZERO(ipc_signed, zero))},
};
/* clang-format on */

static const char *const status_names[IPC_STATUSES] = {
	[IPC_OK] = "ok",
	[IPC_BAD_CREDENTIALS] = "bad-credentials",
	[IPC_BAD_SASL] = "bad-sasl",
	[IPC_TOO_MANY] = "too-many",
	[IPC_IN_USE] = "in-use",
	[IPC_TEMPORARY] = "temporary",
	[IPC_PERMANENT] = "permanent",
	[IPC_NO_SPACE] = "no-space",
	[IPC_NO_USER] = "no-user",
	[IPC_LOGIN_DELAY] = "login-delay",
	[IPC_OVER_QUOTA] = "over-quota",
	[IPC_GONE] = "gone",
};

static const struct row *row_of(uint32_t type)
{
	return type < IPC_TYPES && rows[type].size != 0 ? &rows[type] : NULL;
}

static uint32_t get_u32(const union ipc_msg *m, size_t at)
{
	uint32_t v;

	memcpy(&v, (const char *)m + at, sizeof(v));
	return v;
}

static uint64_t get_u64(const union ipc_msg *m, size_t at)
{
	uint64_t v;

	memcpy(&v, (const char *)m + at, sizeof(v));
	return v;
}

void ipc_start(union ipc_msg *m, enum ipc_type type, uint64_t session)
{
	const struct row *const row = row_of(type);

	assert(row != NULL);
	memset(m, 0, row->array != NULL ? row->array->at : row->size);
	m->head.type = type;
	m->head.session = session;
}

size_t ipc_length(const union ipc_msg *m)
{
	const struct row *const row = row_of(m->head.type);

	assert(row != NULL);
	if (row->array == NULL)
		return row->size;

	const size_t n = get_u32(m, row->array->count_at);

	assert(n <= row->array->max);
	return row->array->at + n;
}

static bool is_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != 0)
			return false;
	}
	return true;
}

static bool check_member(const union ipc_msg *m, const struct check *c)
{
	const char *const p = (const char *)m + c->at;

	switch (c->kind) {
	case CHECK_STR:
		return memchr(p, '\0', c->arg) != NULL;
	case CHECK_ZERO:
		return is_zero(p, c->arg);
	case CHECK_MAX:
		return get_u32(m, c->at) <= c->arg;
	case CHECK_MIN1:
		return get_u32(m, c->at) != 0;
	case CHECK_FILE:
		return get_u64(m, c->at) <= INT64_MAX / 2;
	case CHECK_RULES: {
		struct maildrop_rules rules;

		memcpy(&rules, p, sizeof(rules));
		return maildrop_rules_check(&rules);
	}
	case CHECK_END:
		break;
	}
	return false;
}

/* Exactly as long as its row and its count say. Nothing else has been checked but the head. */
static bool length_is_right(const struct row *row, const union ipc_msg *m, size_t n)
{
	if (row->array == NULL)
		return n == row->size;
	if (n < row->array->at)
		return false;

	const uint32_t count = get_u32(m, row->array->count_at);

	return count <= row->array->max && n - row->array->at == count;
}

static bool fd_is_right(const struct row *row, const union ipc_msg *m, bool has_fd)
{
	switch (row->fd) {
	case FD_NEVER:
		return !has_fd;
	case FD_ALWAYS:
		return has_fd;
	case FD_WHEN_OK:
		break;
	}
	return has_fd == (get_u32(m, sizeof(struct ipc_head)) == IPC_OK);
}

/* FD_WHEN_OK looks for the status where these have it. */
_Static_assert(offsetof(struct ipc_opened, status) == sizeof(struct ipc_head), "status");
_Static_assert(offsetof(struct ipc_message, status) == sizeof(struct ipc_head), "status");
_Static_assert(offsetof(struct ipc_result, status) == sizeof(struct ipc_head), "status");

static bool statuses_are_right(const struct ipc_delivered *d)
{
	for (uint32_t i = 0; i < d->n; i++) {
		if (d->status[i] >= IPC_STATUSES)
			return false;
	}
	return true;
}

bool ipc_check(const union ipc_msg *m, size_t n, bool has_fd, enum ipc_role from, enum ipc_role to)
{
	if (n < sizeof(struct ipc_head))
		return false;

	const struct row *const row = row_of(m->head.type);

	if (row == NULL || m->head.zero != 0)
		return false;
	if ((row->from & 1U << from) == 0 || (row->to & 1U << to) == 0)
		return false;
	if ((row->session == SESSION_ZERO) != (m->head.session == 0))
		return false;
	if (!length_is_right(row, m, n) || !fd_is_right(row, m, has_fd))
		return false;
	for (const struct check *c = row->checks; c != NULL && c->kind != CHECK_END; c++) {
		if (!check_member(m, c))
			return false;
	}
	return m->head.type != IPC_DELIVERED || statuses_are_right(&m->delivered);
}

const char *ipc_type_name(uint32_t type)
{
	const struct row *const row = row_of(type);

	return row != NULL ? row->name : "?";
}

const char *ipc_status_name(uint32_t status)
{
	return status < IPC_STATUSES ? status_names[status] : "?";
}
