/* SPDX-License-Identifier: MIT */
/* restantectl status: the server as a whole, on one page. */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/clock.h"
#include "ctl/control.h"
#include "ctl/show.h"

/* What LSB and systemd want of a "status" of what doesn't run. */
#define STATUS_NOT_RUNNING 3

static uint64_t now(void)
{
	return clock_wall_ns() / 1000000000;
}

static void elapsed(uint64_t since, char *ret, size_t cap)
{
	const uint64_t t = now();

	show_elapsed(t > since ? t - since : 0, ret, cap);
}

static void print_certificate(uint64_t expiry)
{
	const uint64_t t = now();
	char until[32];

	if (expiry == 0) {
		(void)printf("certificate  none\n");
		return;
	}
	show_time(expiry, until, sizeof(until));
	if (expiry <= t)
		(void)printf("certificate  EXPIRED at %s\n", until);
	else
		(void)printf("certificate  until %s, %" PRIu64 " days\n", until,
			     (expiry - t) / 86400);
}

static void print_server(const struct ipc_server *s)
{
	char version[4 * sizeof(s->version)];
	char up[32];
	char reloaded[32];
	char received[32];
	char sent[32];

	show_word(s->version, version, sizeof(version));
	elapsed(s->started, up, sizeof(up));
	show_time(s->reloaded, reloaded, sizeof(reloaded));
	show_octets(s->received_octets, received, sizeof(received));
	show_octets(s->sent_octets, sent, sizeof(sent));
	(void)printf("restanted %s, up %s, configuration of %s, generation %" PRIu64 "\n\n",
		     version, up, reloaded, s->generation);
	(void)printf("sessions     %" PRIu64 " POP3, %" PRIu64 " POP3S, %" PRIu64 " LMTP, %" PRIu64
		     " SMTP; %" PRIu64 " logged in\n",
		     s->sessions[CONFIG_POP3], s->sessions[CONFIG_POP3S], s->sessions[CONFIG_LMTP],
		     s->sessions[CONFIG_SMTP], s->logged_in);
	(void)printf("connections  %" PRIu64 " taken, %" PRIu64 " refused\n", s->connections,
		     s->refused_connections);
	(void)printf("logins       %" PRIu64 " let in, %" PRIu64 " wrong, %" PRIu64 " failed\n",
		     s->logins[0], s->logins[1], s->logins[2]);
	(void)printf("deliveries   %" PRIu64 " done, %" PRIu64 " refused, %" PRIu64 " put off\n",
		     s->deliveries[0], s->deliveries[1], s->deliveries[2]);
	(void)printf("messages     %" PRIu64 " retrieved, %" PRIu64 " deleted\n", s->retrieved,
		     s->deleted);
	(void)printf("octets       %s received, %s sent\n", received, sent);
	(void)printf("waiting      %" PRIu64 " passwords, %" PRIu64 " for the disk\n",
		     s->waiting[0], s->waiting[1]);
	(void)printf("users        %s\n", s->users_away != 0
						  ? "AWAY: the last question found no database "
						    "that answers"
						  : "can be asked");
	print_certificate(s->certificate_expiry);
	(void)printf("deaths       %" PRIu64 " processes\n\n", s->deaths);
}

static void print_processes(const struct control_state *s)
{
	(void)printf("%7s  %-8s  %3s  %-8s  %6s  %9s  %s\n", "PID", "ROLE", "ID", "STATE", "RSS",
		     "CPU", "UP");
	for (size_t i = 0; i < s->n_processes; i++) {
		const struct ipc_process *const p = &s->processes[i];
		struct process_use use;
		char rss[32];
		char up[32];

		show_process((pid_t)p->pid, &use);
		show_octets(use.rss_bytes, rss, sizeof(rss));
		elapsed(p->started, up, sizeof(up));
		(void)printf("%7" PRIu32 "  %-8s  %3" PRIu32 "  %-8s  %6s  %8.2fs  %s\n", p->pid,
			     control_role(p->role), p->id, control_process_state(p->state), rss,
			     (double)use.cpu_ms / 1000, up);
	}
}

static void json_number(const char *name, uint64_t n)
{
	(void)printf(", \"%s\": %" PRIu64, name, n);
}

static void json_results(const char *name, const uint64_t results[3])
{
	(void)printf(", \"%s\": {\"ok\": %" PRIu64 ", \"refused\": %" PRIu64
		     ", \"temporary\": %" PRIu64 "}",
		     name, results[0], results[1], results[2]);
}

static void json_processes(const struct control_state *s)
{
	(void)printf(", \"processes\": [");
	for (size_t i = 0; i < s->n_processes; i++) {
		const struct ipc_process *const p = &s->processes[i];
		struct process_use use;

		show_process((pid_t)p->pid, &use);
		(void)printf("%s\n  {\"pid\": %" PRIu32 ", \"role\": \"%s\", \"id\": %" PRIu32
			     ", \"state\": \"%s\"",
			     i > 0 ? "," : "", p->pid, control_role(p->role), p->id,
			     control_process_state(p->state));
		json_number("started", p->started);
		json_number("rss_bytes", use.rss_bytes);
		json_number("cpu_ms", use.cpu_ms);
		(void)printf("}");
	}
	(void)printf("]");
}

static void print_json(const struct control_state *state)
{
	const struct ipc_server *const s = &state->server;

	(void)printf("{\"version\": ");
	show_json(s->version);
	json_number("started", s->started);
	json_number("reloaded", s->reloaded);
	json_number("generation", s->generation);
	(void)printf(", \"sessions\": {\"pop3\": %" PRIu64 ", \"pop3s\": %" PRIu64
		     ", \"lmtp\": %" PRIu64 ", \"smtp\": %" PRIu64 "}",
		     s->sessions[CONFIG_POP3], s->sessions[CONFIG_POP3S], s->sessions[CONFIG_LMTP],
		     s->sessions[CONFIG_SMTP]);
	json_number("logged_in", s->logged_in);
	json_number("connections", s->connections);
	json_number("connections_refused", s->refused_connections);
	json_results("logins", s->logins);
	json_results("deliveries", s->deliveries);
	json_number("retrieved", s->retrieved);
	json_number("deleted", s->deleted);
	json_number("received_octets", s->received_octets);
	json_number("sent_octets", s->sent_octets);
	json_number("auth_waiting", s->waiting[0]);
	json_number("storage_waiting", s->waiting[1]);
	(void)printf(", \"users_away\": %s", s->users_away != 0 ? "true" : "false");
	if (s->certificate_expiry != 0)
		json_number("certificate_expiry", s->certificate_expiry);
	json_number("deaths", s->deaths);
	json_processes(state);
	(void)printf("}\n");
}

int ctl_status(struct ctl *ctl)
{
	struct control_state state;
	const int status = control_read(ctl, NULL, &state);

	if (status != EX_OK)
		return status == EX_UNAVAILABLE ? STATUS_NOT_RUNNING : status;
	if (ctl->json) {
		print_json(&state);
	} else {
		print_server(&state.server);
		print_processes(&state);
	}
	control_state_done(&state);
	return ctl_printed();
}
