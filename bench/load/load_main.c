/* SPDX-License-Identifier: MIT */
/*
 * bench-load MODE TARGET [options] - loads a POP3 or LMTP server and says how it went,
 * as one line of JSON. bench/README.md has the options in words.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"
#include "load.h"

/* Connections that log in at a time, where all are to be held. */
#define RAMP 32

/* The server is given up when nothing at all has happened for so long. */
#define QUIET_TICKS_MAX 600
#define TICK_MS 100

static const char *const modes[LOAD_MODES] = {
	[LOAD_POLL] = "poll", [LOAD_LIST] = "list",     [LOAD_FETCH] = "fetch",
	[LOAD_RETR] = "retr", [LOAD_IDLE] = "idle",     [LOAD_STUCK] = "stuck",
	[LOAD_LMTP] = "lmtp", [LOAD_VERIFY] = "verify",
};

__attribute__((noreturn)) static void die(const char *what)
{
	(void)fprintf(stderr, "bench-load: %s\n", what);
	exit(64);
}

/* ---- options ---- */

struct number_option {
	const char *name;
	size_t at; /* in struct load_options */
};

#define NUMBER(name, member)                                \
	{                                                   \
		name, offsetof(struct load_options, member) \
	}

static const struct number_option numbers[] = {
	NUMBER("connections", connections),
	NUMBER("sessions", sessions),
	NUMBER("seconds", seconds),
	NUMBER("user", user),
	NUMBER("users", users),
	NUMBER("messages", messages),
	NUMBER("first", first),
	NUMBER("octets", octets),
	NUMBER("ahead", ahead),
	NUMBER("read-octets", read_octets),
	NUMBER("per-connection", per_connection),
	NUMBER("deliveries", deliveries),
};

#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

enum word_option { TLS, PASSWORD, DOMAIN, KIND, ANY_CONTENT, DELETE, N_WORDS };

static const struct option words[N_WORDS] = {
	[TLS] = {"tls", required_argument, NULL, 0},
	[PASSWORD] = {"password", required_argument, NULL, 0},
	[DOMAIN] = {"domain", required_argument, NULL, 0},
	[KIND] = {"kind", required_argument, NULL, 0},
	[ANY_CONTENT] = {"any-content", no_argument, NULL, 0},
	[DELETE] = {"delete", no_argument, NULL, 0},
};

static void take_word(struct load_options *o, enum word_option option, const char *value)
{
	switch (option) {
	case TLS:
		if (strcmp(value, "full") != 0 && strcmp(value, "resumed") != 0)
			die("--tls is full or resumed");
		o->tls = strcmp(value, "full") == 0 ? LOAD_TLS : LOAD_TLS_RESUMED;
		break;
	case PASSWORD:
		o->password = value;
		break;
	case DOMAIN:
		o->domain = value;
		break;
	case KIND:
		if (!mail_kind_parse(value, &o->kind))
			die("--kind is crlf, lf or dots");
		break;
	case ANY_CONTENT:
		o->any_content = true;
		break;
	case DELETE:
		o->delete = true;
		break;
	case N_WORDS:
		break;
	}
}

static void take_number(struct load_options *o, const struct number_option *option,
			const char *value)
{
	uint64_t n;

	if (!num_parse_u64(span_str(value), UINT64_MAX, &n))
		die("an option's value is not a number");
	memcpy((char *)o + option->at, &n, sizeof(n));
}

static void take_options(struct load_options *o, int argc, char **argv)
{
	struct option all[N_NUMBERS + N_WORDS + 1] = {0};
	int index;
	int c;

	for (size_t i = 0; i < N_NUMBERS; i++)
		all[i] = (struct option){numbers[i].name, required_argument, NULL, 0};
	memcpy(all + N_NUMBERS, words, sizeof(words));
	while ((c = getopt_long(argc, argv, "", all, &index)) != -1) {
		if (c != 0)
			exit(64);
		if ((size_t)index < N_NUMBERS)
			take_number(o, &numbers[index], optarg);
		else
			take_word(o, (enum word_option)((size_t)index - N_NUMBERS), optarg);
	}
	if (argc - optind != 2)
		die("usage: bench-load MODE TARGET [options]");
	for (unsigned i = 0; i < LOAD_MODES; i++) {
		if (strcmp(argv[optind], modes[i]) == 0)
			o->mode = (enum load_mode)i;
	}
	if (o->mode == LOAD_MODES)
		die("MODE is poll, list, fetch, retr, idle, stuck, lmtp or verify");
	o->target = argv[optind + 1];
}

static void check_options(struct load_options *o)
{
	if (o->mode == LOAD_IDLE || o->mode == LOAD_STUCK)
		o->sessions = o->connections;
	if (o->mode == LOAD_VERIFY)
		o->sessions = o->users;
	if (o->connections == 0 || (o->sessions == 0 && o->seconds == 0))
		die("--connections, and --sessions or --seconds, are needed");
	if (o->user + o->users > UINT32_MAX || o->first + o->sessions > UINT32_MAX)
		die("more users or messages than there are numbers");
	if (o->users < o->connections && o->mode != LOAD_LMTP)
		die("each connection needs a user for itself");
	if (o->users < o->connections)
		o->users = o->connections;
	if (o->octets <= MAIL_HEADER || o->octets % MAIL_LINE != 0)
		die("--octets must be a multiple of 64 and more than 192");
	if (o->messages != UINT64_MAX && o->messages > UINT32_MAX)
		die("--messages is too large");
	if ((o->mode == LOAD_RETR || o->mode == LOAD_STUCK) &&
	    (o->messages == UINT64_MAX || o->messages == 0))
		die("retr and stuck need --messages");
}

static void take_target(struct load *l)
{
	struct sockaddr_un *const un = (struct sockaddr_un *)&l->address;
	struct sockaddr_in *const in = (struct sockaddr_in *)&l->address;
	const struct span all = span_str(l->o.target);
	const size_t colon = span_find(all, ':');
	char host[INET_ADDRSTRLEN] = "";
	uint64_t port;

	if (span_starts_with_nocase(all, SPAN_LIT("unix:")) && all.n - 5 < sizeof(un->sun_path)) {
		un->sun_family = AF_UNIX;
		memcpy(un->sun_path, all.p + 5, all.n - 5);
		l->address_n = sizeof(*un);
		return;
	}
	if (colon < sizeof(host) && colon < all.n)
		memcpy(host, all.p, colon);
	if (inet_pton(AF_INET, host, &in->sin_addr) != 1 ||
	    !num_parse_u64(span_of(all.p + colon + 1, all.n - colon - 1), 65535, &port))
		die("TARGET is 127.0.0.1:110 or unix:PATH");
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	l->address_n = sizeof(*in);
}

/* ---- running ---- */

bool load_begin_one(struct load *l)
{
	if ((l->released && l->o.mode == LOAD_STUCK) ||
	    (l->o.sessions != 0 && l->begun >= l->o.sessions))
		return false;
	if (l->o.seconds != 0 && uv_hrtime() - l->started_ns >= l->o.seconds * 1000000000U)
		return false;
	l->begun++;
	return true;
}

void load_all_held(struct load *l)
{
	l->ended_ns = uv_hrtime();
	(void)printf("{\"held\": %llu, \"seconds\": %.3f}\n", (unsigned long long)l->held,
		     (double)(l->ended_ns - l->started_ns) / 1e9);
	(void)fflush(stdout);
}

static void on_stdin(uv_poll_t *poll, int status, int events)
{
	struct load *const l = poll->data;
	char bytes[64];

	(void)events;
	if (status >= 0 && read(0, bytes, sizeof(bytes)) > 0)
		return;
	(void)uv_poll_stop(poll);
	l->released = true;
	for (uint64_t i = 0; i < l->n_clients; i++)
		pop3_release(l->clients[i]);
}

static void on_tick(uv_timer_t *timer)
{
	struct load *const l = timer->data;
	const bool waits = l->held == l->o.connections && !l->released;

	for (uint64_t i = 0; l->o.read_octets > 0 && i < l->n_clients; i++)
		client_sip(l->clients[i], (size_t)(l->o.read_octets * TICK_MS / 1000));
	l->quiet_ticks = l->moved == l->moved_before ? l->quiet_ticks + 1 : 0;
	l->moved_before = l->moved;
	if (l->quiet_ticks < QUIET_TICKS_MAX || waits)
		return;
	(void)fprintf(stderr, "bench-load: nothing has happened for %d s; %llu connections wait\n",
		      QUIET_TICKS_MAX * TICK_MS / 1000, (unsigned long long)l->active);
	exit(1);
}

static void set_up(struct load *l)
{
	mail_init();
	take_target(l);
	l->ops = l->o.mode == LOAD_LMTP ? &load_lmtp_ops : &load_pop3_ops;
	l->clients = calloc(l->o.connections, sizeof(struct client *));
	l->free_users = calloc(l->o.users, sizeof(uint32_t));
	l->uidl_sums = calloc(l->o.users, sizeof(uint32_t));
	l->tickets = calloc(LOAD_TICKETS, sizeof(SSL_SESSION *));
	l->seen = calloc(l->o.deliveries / 8 + 1, 1);
	if (l->clients == NULL || l->free_users == NULL || l->uidl_sums == NULL ||
	    l->tickets == NULL || l->seen == NULL)
		die("no memory");
	for (; l->n_free < l->o.users; l->n_free++)
		l->free_users[l->n_free] = (uint32_t)(l->o.user + l->n_free);
	if (l->o.tls != LOAD_CLEAR) {
		/* The certificate is the bench's own, and nobody else is on loopback. */
		l->tls = SSL_CTX_new(TLS_client_method());
		if (l->tls == NULL)
			die("no TLS");
		load_keep_tickets(l);
	}
	if (uv_loop_init(&l->loop) < 0 || uv_timer_init(&l->loop, &l->tick) < 0 ||
	    uv_timer_start(&l->tick, on_tick, TICK_MS, TICK_MS) < 0)
		die("no event loop");
	l->tick.data = l;
	if (l->o.mode == LOAD_IDLE || l->o.mode == LOAD_STUCK) {
		if (uv_poll_init(&l->loop, &l->release, 0) < 0 ||
		    uv_poll_start(&l->release, UV_READABLE, on_stdin) < 0)
			die("stdin must be a pipe or a terminal");
		l->release.data = l;
	}
}

static void print_json_text(const char *text)
{
	(void)putchar('"');
	for (; *text != '\0'; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			(void)printf("\\%c", c);
		else
			(void)printf(c < 32 || c > 126 ? "\\u%04x" : "%c", c);
	}
	(void)putchar('"');
}

static void print_result(const struct load *l)
{
	static const struct {
		const char *name;
		uint32_t of_million;
	} points[] = {{"p50", 500000}, {"p90", 900000}, {"p99", 990000}, {"p999", 999000}};
	const struct latency *const t = &l->latency;
	const double seconds = l->ended_ns > l->started_ns
				       ? (double)(l->ended_ns - l->started_ns) / 1e9
				       : 0;

	(void)printf("{\"mode\": \"%s\", \"connections\": %llu, \"done\": %llu, \"seconds\": %.6f, "
		     "\"octets\": %llu, \"resumed\": %llu, \"failures\": %llu, ",
		     modes[l->o.mode], (unsigned long long)l->o.connections,
		     (unsigned long long)l->done, seconds, (unsigned long long)l->octets,
		     (unsigned long long)l->resumed, (unsigned long long)l->failures);
	(void)printf("\"latency_us\": {");
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		(void)printf("\"%s\": %.1f, ", points[i].name,
			     (double)latency_at(t, points[i].of_million) / 1e3);
	(void)printf("\"max\": %.1f, \"mean\": %.1f}, \"first_failure\": ", (double)t->max_ns / 1e3,
		     t->count > 0 ? (double)t->total_ns / (double)t->count / 1e3 : 0);
	print_json_text(l->first_failure);
	(void)printf("}\n");
}

int main(int argc, char **argv)
{
	static struct load load = {
		.o =
			{
				.mode = LOAD_MODES,
				.connections = 1,
				.users = 1,
				.password = "secret",
				.domain = "example.org",
				.messages = UINT64_MAX,
				.first = 1,
				.octets = 8192,
				.ahead = 1,
				.per_connection = 100,
			},
	};
	struct load *const l = &load;

	(void)signal(SIGPIPE, SIG_IGN);
	take_options(&l->o, argc, argv);
	check_options(&l->o);
	set_up(l);
	l->started_ns = uv_hrtime();
	load_start_clients(l, l->o.mode == LOAD_IDLE || l->o.mode == LOAD_STUCK ? RAMP
										: l->o.connections);
	(void)uv_run(&l->loop, UV_RUN_DEFAULT);
	if (l->o.mode == LOAD_VERIFY && l->n_seen != l->o.deliveries && l->failures++ == 0)
		(void)snprintf(l->first_failure, sizeof(l->first_failure),
			       "%llu of %llu deliveries are there", (unsigned long long)l->n_seen,
			       (unsigned long long)l->o.deliveries);
	print_result(l);
	return l->failures > 0 || l->done == 0;
}
