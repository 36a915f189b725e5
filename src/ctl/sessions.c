/* SPDX-License-Identifier: MIT */
/* restantectl sessions, kick: who is connected, and their end. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/num.h"
#include "ctl/control.h"
#include "ctl/show.h"

#define ID_DIGITS 16

/* Wide enough for what there is, and not for what somebody made up. */
#define USER_WIDTH_MAX 32

/* An address as the server writes it: IPv6 has many ways to say the same. */
static bool write_address(const char *text, char *ret, size_t cap)
{
	uint8_t address[sizeof(struct in6_addr)];

	if (strcmp(text, "unix") == 0)
		return snprintf(ret, cap, "%s", text) < (int)cap;
	if (inet_pton(AF_INET6, text, address) == 1)
		return inet_ntop(AF_INET6, address, ret, (socklen_t)cap) != NULL;
	return inet_pton(AF_INET, text, address) == 1 &&
	       inet_ntop(AF_INET, address, ret, (socklen_t)cap) != NULL;
}

static int fill_select(const struct ctl *ctl, struct ipc_select *ret)
{
	*ret = (struct ipc_select){0};
	if (ctl->user != NULL &&
	    snprintf(ret->user, sizeof(ret->user), "%s", ctl->user) >= (int)sizeof(ret->user))
		return ctl_complain(EX_NOUSER, "no user has such a long name");
	if (ctl->address != NULL && !write_address(ctl->address, ret->remote, sizeof(ret->remote)))
		return ctl_complain(EX_USAGE, "'%s' is no address: it must be numeric, or unix",
				    ctl->address);
	return EX_OK;
}

/* ---- sessions ---- */

static uint64_t age(const struct ipc_session *s)
{
	const uint64_t now = clock_wall_ns() / 1000000000;

	return now > s->since ? now - s->since : 0;
}

static void print_session(const struct ipc_session *s, int user_width)
{
	char user[4 * sizeof(s->user)];
	char remote[4 * sizeof(s->remote)];
	char tls[4 * sizeof(s->tls)];
	char command[4 * sizeof(s->command)];
	char up[32];
	char received[32];
	char sent[32];
	char maildrop[48] = "-";

	show_word(s->user, user, sizeof(user));
	show_word(s->remote, remote, sizeof(remote));
	show_word(s->tls, tls, sizeof(tls));
	show_word(s->command, command, sizeof(command));
	show_elapsed(age(s), up, sizeof(up));
	show_octets(s->received_octets, received, sizeof(received));
	show_octets(s->sent_octets, sent, sizeof(sent));
	if (s->maildrop != 0)
		(void)snprintf(maildrop, sizeof(maildrop), "%" PRIu32 "/%" PRIu32, s->marked,
			       s->messages);
	(void)printf("%3" PRIu32 ".%016" PRIx64 "  %-*s  %-15s  %-5s  %-7s  %6s  %-13s  %-7s  %6s  "
		     "%6s  %s\n",
		     s->listener, s->id, user_width, user[0] != '\0' ? user : "-", remote,
		     control_protocol(s->protocol), tls[0] != '\0' ? tls : "-", up,
		     control_session_state(s->state), command[0] != '\0' ? command : "-", received,
		     sent, maildrop);
}

static void print_table(const struct control_state *state)
{
	char user[4 * sizeof(state->sessions->user)];
	int width = 4;

	for (size_t i = 0; i < state->n_sessions; i++) {
		show_word(state->sessions[i].user, user, sizeof(user));
		if ((int)strlen(user) > width)
			width = (int)strlen(user);
	}
	if (width > USER_WIDTH_MAX)
		width = USER_WIDTH_MAX;
	(void)printf("%-20s  %-*s  %-15s  %-5s  %-7s  %6s  %-13s  %-7s  %6s  %6s  %s\n", "ID",
		     width, "USER", "ADDRESS", "PROTO", "TLS", "UP", "STATE", "LAST", "IN", "OUT",
		     "DELETED");
	for (size_t i = 0; i < state->n_sessions; i++)
		print_session(&state->sessions[i], width);
}

static void json_text(const char *name, const char *text)
{
	(void)printf(", \"%s\": ", name);
	if (text[0] == '\0')
		(void)printf("null");
	else
		show_json(text);
}

static void print_json(const struct control_state *state)
{
	(void)putchar('[');
	for (size_t i = 0; i < state->n_sessions; i++) {
		const struct ipc_session *const s = &state->sessions[i];

		(void)printf("%s\n{\"id\": \"%" PRIu32 ".%016" PRIx64 "\"", i > 0 ? "," : "",
			     s->listener, s->id);
		json_text("user", s->user);
		json_text("address", s->remote);
		(void)printf(", \"protocol\": \"%s\"", control_protocol(s->protocol));
		json_text("tls", s->tls);
		(void)printf(", \"since\": %" PRIu64 ", \"state\": \"%s\"", s->since,
			     control_session_state(s->state));
		json_text("command", s->command);
		(void)printf(", \"commands\": %" PRIu64 ", \"received_octets\": %" PRIu64
			     ", \"sent_octets\": %" PRIu64 ", \"maildrop\": %s"
			     ", \"messages\": %" PRIu32 ", \"deleted\": %" PRIu32 "}",
			     s->commands, s->received_octets, s->sent_octets,
			     s->maildrop != 0 ? "true" : "false", s->messages, s->marked);
	}
	(void)printf("%s]\n", state->n_sessions > 0 ? "\n" : "");
}

int ctl_sessions(struct ctl *ctl)
{
	struct control_state state;
	struct ipc_select select;
	int status = fill_select(ctl, &select);

	if (status == EX_OK)
		status = control_read(ctl, &select, &state);
	if (status != EX_OK)
		return status;
	if (ctl->json)
		print_json(&state);
	else
		print_table(&state);
	control_state_done(&state);
	return ctl_printed();
}

/* ---- kick ---- */

static bool hex_digit(char c, uint64_t *ret_digit)
{
	if (c >= '0' && c <= '9')
		*ret_digit = (uint64_t)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*ret_digit = (uint64_t)(c - 'a') + 10;
	else
		return false;
	return true;
}

/* "LISTENER.ID", as sessions shows it, or ID alone, as the log does. */
static bool read_id(const char *text, struct ipc_select *select)
{
	const char *const dot = strchr(text, '.');
	const char *const digits = dot != NULL ? dot + 1 : text;
	uint64_t listener = 0;

	if (dot != NULL &&
	    (!num_parse_u64(span_of(text, (size_t)(dot - text)), UINT32_MAX, &listener) ||
	     listener == 0))
		return false;
	if (strlen(digits) != ID_DIGITS)
		return false;
	for (const char *c = digits; *c != '\0'; c++) {
		uint64_t digit;

		if (!hex_digit(*c, &digit))
			return false;
		select->id = select->id << 4 | digit;
	}
	select->listener = (uint32_t)listener;
	return select->id != 0;
}

int ctl_kick(struct ctl *ctl)
{
	struct ipc_select select;
	uint64_t n;
	int status = fill_select(ctl, &select);

	if (status != EX_OK)
		return status;
	if ((ctl->name != NULL) + (select.user[0] != '\0') + (select.remote[0] != '\0') != 1)
		return ctl_complain(EX_USAGE, "kick wants a session's id, --user or --address");
	if (ctl->name != NULL && !read_id(ctl->name, &select))
		return ctl_complain(EX_USAGE, "'%s' is no session's id", ctl->name);
	status = control_kick(ctl, &select, &n);
	if (status != EX_OK)
		return status;
	if (n == 0 && ctl->name != NULL)
		return ctl_complain(EX_NOUSER, "there is no session '%s'", ctl->name);
	(void)printf("%" PRIu64 " %s closed\n", n, n == 1 ? "session" : "sessions");
	return ctl_printed();
}
