/* SPDX-License-Identifier: MIT */
/*
 * What is counted, as OpenMetrics 1.0.0 or in the older text format of Prometheus, which
 * are the same but for the names of counters' families and the last line.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "restante-build.h"
#include "server/monitor/monitor_priv.h"

struct text {
	enum metrics_format format;
	struct buf *buf;
	bool full;
};

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);

	const int n = vsnprintf(line, sizeof(line), fmt, ap);

	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line) || buf_put(t->buf, span_of(line, (size_t)n)) < 0)
		t->full = true;
}

/* A counter's family has no "_total" in OpenMetrics, and has it in the older format. */
static void family(struct text *t, const char *name, const char *type, const char *help)
{
	const bool total = type[0] == 'c' && t->format == METRICS_PROMETHEUS;

	put(t, "# HELP restante_%s%s %s\n", name, total ? "_total" : "", help);
	put(t, "# TYPE restante_%s%s %s\n", name, total ? "_total" : "", type);
}

static void counter(struct text *t, const char *name, const char *help, uint64_t n)
{
	family(t, name, "counter", help);
	put(t, "restante_%s_total %" PRIu64 "\n", name, n);
}

static void gauge(struct text *t, const char *name, const char *help, uint64_t n)
{
	family(t, name, "gauge", help);
	put(t, "restante_%s %" PRIu64 "\n", name, n);
}

static const char *const protocols[] = {
	[CONFIG_POP3] = "pop3",
	[CONFIG_POP3S] = "pop3s",
	[CONFIG_LMTP] = "lmtp",
	[CONFIG_SMTP] = "smtp",
};

static const char *const results[METRIC_RESULTS] = {
	[METRIC_OK] = "ok",
	[METRIC_REFUSED] = "refused",
	[METRIC_TEMPORARY] = "temporary",
};

static const char *const roles[IPC_ROLES] = {
	[IPC_MASTER] = "master",   [IPC_LISTENER] = "listener", [IPC_AUTH] = "auth",
	[IPC_STORAGE] = "storage", [IPC_MONITOR] = "monitor",   [IPC_PAM] = "pam",
	[IPC_SIGNER] = "signer",
};

static void put_connections(struct text *t, const uint64_t *v)
{
	family(t, "connections", "counter", "Connections that were taken.");
	for (unsigned i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		put(t, "restante_connections_total{protocol=\"%s\"} %" PRIu64 "\n", protocols[i],
		    v[METRIC_CONNECTIONS + i]);
	counter(t, "connections_refused",
		"Connections that were refused: too many, or a proxy that is not trusted.",
		v[METRIC_REFUSED_CONNECTIONS]);
	family(t, "sessions", "gauge", "Connections that are open.");
	for (unsigned i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		put(t, "restante_sessions{protocol=\"%s\"} %" PRIu64 "\n", protocols[i],
		    v[METRIC_SESSIONS + i]);
	gauge(t, "maildrops_open", "POP3 sessions that are logged in.", v[METRIC_LOGGED_IN]);
	counter(t, "received_octets", "Octets that clients sent, without TLS's own.",
		v[METRIC_RECEIVED_OCTETS]);
	counter(t, "sent_octets", "Octets that were sent to clients, without TLS's own.",
		v[METRIC_SENT_OCTETS]);
}

static void put_tls(struct text *t, const uint64_t *v)
{
	family(t, "tls_handshakes", "counter", "Handshakes that were completed.");
	for (unsigned i = 0; i < 4; i++)
		put(t, "restante_tls_handshakes_total{version=\"%s\",resumed=\"%s\"} %" PRIu64 "\n",
		    (i & 1) != 0 ? "1.3" : "1.2", (i & 2) != 0 ? "yes" : "no",
		    v[METRIC_TLS_HANDSHAKES + i]);
	counter(t, "tls_failed", "Handshakes that failed.", v[METRIC_TLS_FAILED]);
	if (v[METRIC_CERTIFICATE_EXPIRY] != 0)
		gauge(t, "tls_certificate_expiry_timestamp_seconds",
		      "When the first certificate is no longer valid.",
		      v[METRIC_CERTIFICATE_EXPIRY]);
}

static void put_mail(struct text *t, const uint64_t *v)
{
	static const char *const by[METRIC_LOGINS] = {
		[METRIC_BY_USER] = "USER",         [METRIC_BY_APOP] = "APOP",
		[METRIC_BY_PLAIN] = "PLAIN",       [METRIC_BY_LOGIN] = "LOGIN",
		[METRIC_BY_CRAM_MD5] = "CRAM-MD5", [METRIC_BY_SCRAM] = "SCRAM",
		[METRIC_BY_OTHER] = "other",
	};

	family(t, "logins", "counter", "Logins, by mechanism and result.");
	for (unsigned i = 0; i < METRIC_LOGINS; i++) {
		for (unsigned r = 0; r < METRIC_RESULTS; r++)
			put(t,
			    "restante_logins_total{mechanism=\"%s\",result=\"%s\"} %" PRIu64 "\n",
			    by[i], results[r], v[METRIC_LOGIN + i * METRIC_RESULTS + r]);
	}
	family(t, "deliveries", "counter", "Messages by LMTP and SMTP, once for each recipient.");
	for (unsigned r = 0; r < METRIC_RESULTS; r++)
		put(t, "restante_deliveries_total{result=\"%s\"} %" PRIu64 "\n", results[r],
		    v[METRIC_DELIVERIES + r]);
	counter(t, "messages_retrieved", "Messages that were sent whole.", v[METRIC_RETRIEVED]);
	counter(t, "messages_deleted", "Messages that QUIT deleted.", v[METRIC_DELETED]);
	family(t, "waiting", "gauge", "Work that waits for a thread or the disk.");
	put(t, "restante_waiting{process=\"auth\"} %" PRIu64 "\n", v[METRIC_AUTH_WAITING]);
	put(t, "restante_waiting{process=\"storage\"} %" PRIu64 "\n", v[METRIC_STORAGE_WAITING]);
	gauge(t, "users_away", "1: the last question about a user found no database that answers.",
	      v[METRIC_USERS_AWAY]);
}

static void put_processes(struct text *t, const struct metrics_snapshot *s)
{
	unsigned count[IPC_ROLES] = {0};

	for (uint32_t i = 0; i < s->n_processes; i++) {
		if (s->processes[i].role < IPC_ROLES)
			count[s->processes[i].role]++;
	}
	family(t, "processes", "gauge", "Processes that run.");
	for (unsigned i = 0; i < IPC_ROLES; i++)
		put(t, "restante_processes{role=\"%s\"} %u\n", roles[i], count[i]);
	family(t, "process_deaths", "counter", "Processes that died and were started again.");
	for (unsigned i = IPC_MASTER + 1; i < IPC_ROLES; i++)
		put(t, "restante_process_deaths_total{role=\"%s\"} %" PRIu64 "\n", roles[i],
		    s->values[METRIC_RESTARTS + i]);
	family(t, "reloads", "counter", "Reloads of the configuration.");
	put(t, "restante_reloads_total{result=\"ok\"} %" PRIu64 "\n",
	    s->values[METRIC_RELOADS + METRIC_OK]);
	put(t, "restante_reloads_total{result=\"refused\"} %" PRIu64 "\n",
	    s->values[METRIC_RELOADS + METRIC_REFUSED]);
	gauge(t, "start_timestamp_seconds", "When the server was started.", s->started);
	family(t, "build_info", "gauge", "The version.");
	put(t, "restante_build_info{version=\"%s\"} 1\n", RESTANTE_VERSION);
}

const char *metrics_timed_name(unsigned timed)
{
	static const char *const lmtp[] = {
		[METRIC_LMTP_RCPT - METRIC_LMTP_RCPT] = "RCPT",
		[METRIC_LMTP_DATA - METRIC_LMTP_RCPT] = "DATA",
		[METRIC_LMTP_MESSAGE - METRIC_LMTP_RCPT] = "message",
	};

	return timed < POP3_VERBS ? pop3_command_row((enum pop3_verb)timed)->name
				  : lmtp[timed - METRIC_LMTP_RCPT];
}

static void put_times(struct text *t, const uint64_t *v)
{
	family(t, "command_seconds", "histogram",
	       "From a command to the beginning of its reply, in seconds.");
	for (unsigned i = 0; i < METRIC_TIMED; i++) {
		const uint64_t *const h = v + METRIC_TIME + i * METRIC_HISTOGRAM;
		const char *const protocol = i < POP3_VERBS ? "pop3" : "lmtp";
		const char *const name = metrics_timed_name(i);
		uint64_t n = 0;

		for (unsigned k = 0; k < METRIC_BUCKETS; k++) {
			const uint64_t bound = metric_bound(k);
			char le[32] = "+Inf";

			n += h[k];
			if (bound != UINT64_MAX)
				(void)snprintf(le, sizeof(le), "%g", (double)bound / 1e9);
			put(t,
			    "restante_command_seconds_bucket{protocol=\"%s\",command=\"%s\",le=\"%"
			    "s\"} "
			    "%" PRIu64 "\n",
			    protocol, name, le, n);
		}
		put(t, "restante_command_seconds_sum{protocol=\"%s\",command=\"%s\"} %.9f\n",
		    protocol, name, (double)h[METRIC_BUCKETS] / 1e9);
		put(t,
		    "restante_command_seconds_count{protocol=\"%s\",command=\"%s\"} %" PRIu64 "\n",
		    protocol, name, n);
	}
}

bool metrics_text(const struct metrics_snapshot *s, enum metrics_format format, struct buf *text)
{
	struct text t = {.format = format, .buf = text};

	put_connections(&t, s->values);
	put_tls(&t, s->values);
	put_mail(&t, s->values);
	put_processes(&t, s);
	put_times(&t, s->values);
	if (format == METRICS_OPENMETRICS)
		put(&t, "# EOF\n");
	return !t.full;
}
