/* SPDX-License-Identifier: MIT */
/*
 * restantectl top: what the server does now, from two looks at it. On a terminal the page comes
 * anew until q or a signal; elsewhere it comes once.
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "ctl/control.h"
#include "ctl/show.h"

#define INTERVAL_DEFAULT 2
#define INTERVAL_MAX 3600

/* What is printed where nobody says how large it is. */
#define ROWS_ELSEWHERE 60
#define COLUMNS_ELSEWHERE 120
#define PROCESSES_MAX 8
#define COMMANDS_MAX 8

/* ANSI X3.64, which every terminal of today knows. */
#define CLEAR "\033[H\033[2J"
#define HIDE_CURSOR "\033[?25l"
#define SHOW_CURSOR "\033[?25h"

/* One look. */
struct look {
	struct control_state state;
	struct process_use *use; /* Owned: of each process */
	uint64_t at_ms;
};

/* What one user has done, or one process or command: by what they are sorted, first. */
struct row {
	uint64_t weight;
	const char *user; /* Borrowed from a look */
	size_t at;        /* of its process or command */
	uint64_t sessions;
	uint64_t commands;
	uint64_t received_octets;
	uint64_t sent_octets;
};

struct page {
	const struct look *before;
	const struct look *now;
	uint64_t ms; /* between them */
	int rows;    /* that are left */
	int columns;
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

/* ---- looks ---- */

static void look_done(struct look *l)
{
	control_state_done(&l->state);
	free(l->use);
	*l = (struct look){0};
}

/* An exit status. */
static int look_take(const struct ctl *ctl, struct look *ret)
{
	const struct ipc_select all = {0};
	int status;

	*ret = (struct look){0};
	status = control_read(ctl, &all, &ret->state);
	if (status != EX_OK)
		return status;
	ret->at_ms = clock_mono_ms();
	ret->use = calloc(ret->state.n_processes + 1, sizeof(*ret->use));
	if (ret->use == NULL) {
		look_done(ret);
		return ctl_complain(EX_OSERR, "no memory");
	}
	for (size_t i = 0; i < ret->state.n_processes; i++)
		show_process((pid_t)ret->state.processes[i].pid, &ret->use[i]);
	return EX_OK;
}

static int compare_sessions(const void *a, const void *b)
{
	const struct ipc_session *const x = a;
	const struct ipc_session *const y = b;

	if (x->listener != y->listener)
		return x->listener < y->listener ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

static void sort_sessions(struct look *l)
{
	if (l->state.n_sessions > 0)
		qsort(l->state.sessions, l->state.n_sessions, sizeof(*l->state.sessions),
		      compare_sessions);
}

static int compare_users(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->user, ((const struct row *)b)->user);
}

/* The heaviest first. */
static int compare_rows(const void *a, const void *b)
{
	const uint64_t x = ((const struct row *)a)->weight;
	const uint64_t y = ((const struct row *)b)->weight;

	return (x < y) - (x > y);
}

static void sort_rows(struct row *rows, size_t n)
{
	if (n > 0)
		qsort(rows, n, sizeof(*rows), compare_rows);
}

/* Counters begin anew when the server does. */
static uint64_t grown(uint64_t before, uint64_t now)
{
	return now >= before ? now - before : now;
}

/* ---- the page ---- */

static void line(struct page *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One line, cut where the terminal ends. */
static void line(struct page *p, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (p->rows <= 0)
		return;
	p->rows--;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)printf("%.*s\n", p->columns, text);
}

static double rate(const struct page *p, uint64_t before, uint64_t now)
{
	return (double)grown(before, now) * 1000 / (double)p->ms;
}

/* Octets in a second. */
static const char *octet_rate(const struct page *p, uint64_t octets, char *ret, size_t cap)
{
	show_octets(octets * 1000 / p->ms, ret, cap);
	return ret;
}

static void print_server(struct page *p)
{
	const struct ipc_server *const a = &p->before->state.server;
	const struct ipc_server *const b = &p->now->state.server;
	const uint64_t wall = clock_wall_ns() / 1000000000;
	char version[4 * sizeof(b->version)];
	char up[32];
	char in[32];
	char out[32];

	show_word(b->version, version, sizeof(version));
	show_elapsed(wall > b->started ? wall - b->started : 0, up, sizeof(up));
	line(p,
	     "restanted %s, up %s; sessions: %" PRIu64 " POP3, %" PRIu64 " POP3S, %" PRIu64
	     " LMTP, %" PRIu64 " SMTP; %" PRIu64 " logged in",
	     version, up, b->sessions[CONFIG_POP3], b->sessions[CONFIG_POP3S],
	     b->sessions[CONFIG_LMTP], b->sessions[CONFIG_SMTP], b->logged_in);
	line(p,
	     "per second: %.1f connections, %.1f logins, %.1f wrong, %.1f deliveries, %.1f "
	     "retrieved",
	     rate(p, a->connections, b->connections), rate(p, a->logins[0], b->logins[0]),
	     rate(p, a->logins[1], b->logins[1]), rate(p, a->deliveries[0], b->deliveries[0]),
	     rate(p, a->retrieved, b->retrieved));
	line(p,
	     "            %s octets in, %s out; waiting: %" PRIu64 " passwords, %" PRIu64
	     " for the disk%s",
	     octet_rate(p, grown(a->received_octets, b->received_octets), in, sizeof(in)),
	     octet_rate(p, grown(a->sent_octets, b->sent_octets), out, sizeof(out)), b->waiting[0],
	     b->waiting[1], b->users_away != 0 ? "; USERS AWAY" : "");
}

/* What the same process had used before; a young one nothing. */
static uint64_t cpu_before(const struct look *l, const struct ipc_process *p)
{
	for (size_t i = 0; i < l->state.n_processes; i++) {
		if (l->state.processes[i].pid == p->pid &&
		    l->state.processes[i].started == p->started)
			return l->use[i].cpu_ms;
	}
	return 0;
}

static void print_processes(struct page *p)
{
	const struct control_state *const s = &p->now->state;
	struct row *const rows = calloc(s->n_processes + 1, sizeof(*rows));

	if (rows == NULL)
		return;
	for (size_t i = 0; i < s->n_processes; i++)
		rows[i] = (struct row){.weight = grown(cpu_before(p->before, &s->processes[i]),
						       p->now->use[i].cpu_ms),
				       .at = i};
	sort_rows(rows, s->n_processes);
	line(p, "%s", "");
	line(p, "%7s  %-8s  %3s  %-8s  %6s  %6s", "PID", "ROLE", "ID", "STATE", "CPU", "RSS");
	for (size_t i = 0; i < s->n_processes && i < PROCESSES_MAX; i++) {
		const struct ipc_process *const process = &s->processes[rows[i].at];
		char rss[32];

		show_octets(p->now->use[rows[i].at].rss_bytes, rss, sizeof(rss));
		line(p, "%7" PRIu32 "  %-8s  %3" PRIu32 "  %-8s  %5.1f%%  %6s", process->pid,
		     control_role(process->role), process->id,
		     control_process_state(process->state),
		     (double)rows[i].weight * 100 / (double)p->ms, rss);
	}
	free(rows);
}

static void print_commands(struct page *p)
{
	const struct control_state *const a = &p->before->state;
	const struct control_state *const b = &p->now->state;
	const size_t n = a->n_commands < b->n_commands ? a->n_commands : b->n_commands;
	struct row *const rows = calloc(n + 1, sizeof(*rows));

	if (rows == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		rows[i] = (struct row){.weight = grown(a->commands[i].n, b->commands[i].n),
				       .at = i};
	sort_rows(rows, n);
	line(p, "%s", "");
	line(p, "%-12s  %10s  %10s", "COMMAND", "PER SECOND", "TAKES");
	for (size_t i = 0; i < n && i < COMMANDS_MAX && rows[i].weight > 0; i++) {
		const size_t at = rows[i].at;
		const uint64_t ns = grown(a->commands[at].ns, b->commands[at].ns);
		char name[4 * sizeof(b->commands->name)];

		show_word(b->commands[at].name, name, sizeof(name));
		line(p, "%-12s  %10.1f  %7.2f ms", name,
		     (double)rows[i].weight * 1000 / (double)p->ms,
		     (double)ns / 1e6 / (double)rows[i].weight);
	}
	free(rows);
}

/* One row a session, then one a user. How many of these there are. */
static size_t fill_users(const struct page *p, struct row *rows)
{
	const struct control_state *const a = &p->before->state;
	const struct control_state *const b = &p->now->state;
	const struct ipc_session nothing = {0};
	size_t n = 0;

	for (size_t i = 0; i < b->n_sessions; i++) {
		const struct ipc_session *const s = &b->sessions[i];
		const struct ipc_session *old = a->n_sessions == 0
							? NULL
							: bsearch(s, a->sessions, a->n_sessions,
								  sizeof(*a->sessions),
								  compare_sessions);

		if (old == NULL)
			old = &nothing;
		rows[i] = (struct row){
			.user = s->user,
			.sessions = 1,
			.commands = grown(old->commands, s->commands),
			.received_octets = grown(old->received_octets, s->received_octets),
			.sent_octets = grown(old->sent_octets, s->sent_octets),
		};
	}
	if (b->n_sessions > 0)
		qsort(rows, b->n_sessions, sizeof(*rows), compare_users);
	for (size_t i = 0; i < b->n_sessions; i++) {
		if (n == 0 || strcmp(rows[n - 1].user, rows[i].user) != 0) {
			rows[n++] = rows[i];
			continue;
		}
		rows[n - 1].sessions++;
		rows[n - 1].commands += rows[i].commands;
		rows[n - 1].received_octets += rows[i].received_octets;
		rows[n - 1].sent_octets += rows[i].sent_octets;
	}
	for (size_t i = 0; i < n; i++)
		rows[i].weight = rows[i].received_octets + rows[i].sent_octets;
	return n;
}

static void print_users(struct page *p)
{
	struct row *const rows = calloc(p->now->state.n_sessions + 1, sizeof(*rows));
	size_t n;

	if (rows == NULL)
		return;
	n = fill_users(p, rows);
	sort_rows(rows, n);
	line(p, "%s", "");
	line(p, "%-32s  %8s  %10s  %8s  %8s", "USER", "SESSIONS", "COMMANDS/S", "IN/S", "OUT/S");
	for (size_t i = 0; i < n && p->rows > 0; i++) {
		char user[4 * sizeof(p->now->state.sessions->user)];
		char in[32];
		char out[32];

		show_word(rows[i].user, user, sizeof(user));
		line(p, "%-32.32s  %8" PRIu64 "  %10.1f  %8s  %8s", user[0] != '\0' ? user : "-",
		     rows[i].sessions, (double)rows[i].commands * 1000 / (double)p->ms,
		     octet_rate(p, rows[i].received_octets, in, sizeof(in)),
		     octet_rate(p, rows[i].sent_octets, out, sizeof(out)));
	}
	free(rows);
}

static void print_page(const struct look *before, const struct look *now, bool screen)
{
	struct page p = {.before = before,
			 .now = now,
			 .ms = now->at_ms > before->at_ms ? now->at_ms - before->at_ms : 1,
			 .rows = ROWS_ELSEWHERE,
			 .columns = COLUMNS_ELSEWHERE};
	struct winsize size;

	if (screen) {
		(void)fputs(CLEAR, stdout);
		/* The last line stays empty, or the first would scroll away. */
		if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1) {
			p.rows = size.ws_row - 1;
			p.columns = size.ws_col;
		}
	}
	print_server(&p);
	print_processes(&p);
	print_commands(&p);
	print_users(&p);
}

/* ---- the terminal ---- */

/* Waits; false when the operator has had enough. */
static bool wait_for_next(uint64_t seconds, bool keys)
{
	const uint64_t until = clock_mono_ms() + seconds * 1000;
	struct pollfd p = {.fd = keys ? STDIN_FILENO : -1, .events = POLLIN};
	char key;

	for (uint64_t now = clock_mono_ms(); now < until && !ended; now = clock_mono_ms()) {
		if (poll(&p, 1, (int)(until - now)) <= 0 || p.revents == 0)
			continue;
		if (read(STDIN_FILENO, &key, 1) != 1)
			p.fd = -1; /* nobody is there any more */
		else if (key == 'q' || key == 'Q')
			return false;
	}
	return !ended;
}

/* Keys come at once, and aren't shown. False: it is no terminal. */
static bool take_keys(struct termios *ret_old)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, ret_old) < 0)
		return false;
	raw = *ret_old;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static int read_number(const char *name, const char *text, uint64_t max, uint64_t *ret)
{
	if (text == NULL)
		return EX_OK;
	if (!num_parse_u64(span_str(text), max, ret) || *ret == 0)
		return ctl_complain(EX_USAGE, "%s wants a number from 1 to %" PRIu64, name, max);
	return EX_OK;
}

/* count pages, 0: without end. */
static int run(const struct ctl *ctl, uint64_t count, uint64_t interval, bool screen, bool keys)
{
	struct look before;
	int status = look_take(ctl, &before);

	if (status != EX_OK)
		return status;
	sort_sessions(&before);
	for (uint64_t i = 0; status == EX_OK && (count == 0 || i < count); i++) {
		struct look now;

		/* The first page soon: its numbers are of a shorter time. */
		if (!wait_for_next(screen && i == 0 ? 1 : interval, keys))
			break;
		status = look_take(ctl, &now);
		if (status != EX_OK)
			break;
		sort_sessions(&now);
		print_page(&before, &now, screen);
		status = ctl_printed();
		look_done(&before);
		before = now;
	}
	look_done(&before);
	return status;
}

int ctl_top(struct ctl *ctl)
{
	const struct sigaction end = {.sa_handler = on_signal};
	const bool screen = isatty(STDOUT_FILENO);
	uint64_t count = screen ? 0 : 1;
	uint64_t interval = INTERVAL_DEFAULT;
	struct termios old;
	bool keys;
	int status = read_number("--count", ctl->count, UINT32_MAX, &count);

	if (status == EX_OK)
		status = read_number("--interval", ctl->interval, INTERVAL_MAX, &interval);
	if (status != EX_OK)
		return status;
	keys = screen && take_keys(&old);
	(void)sigaction(SIGINT, &end, NULL);
	(void)sigaction(SIGTERM, &end, NULL);
	if (screen)
		(void)fputs(HIDE_CURSOR, stdout);
	status = run(ctl, count, interval, screen, keys);
	if (screen) {
		(void)fputs(SHOW_CURSOR, stdout);
		(void)fflush(stdout);
	}
	if (keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &old);
	return status;
}
