/* SPDX-License-Identifier: MIT */
/*
 * metrics.h - what all processes count, in memory that they share.
 *
 * The master makes the area before it starts anybody. Each child gets a page of its own
 * there and keeps nothing else of it: it counts with an addition, without a lock and
 * without a system call, and nobody else writes there. The monitor reads all pages. When
 * a child has gone, the master adds what it counted to the page of those that have, so
 * that no counter ever goes back; what was only so at the time (a gauge) goes with it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "codec/pop3/pop3_command.h"
#include "server/config.h"
#include "server/ipc.h"

enum metric_result {
	METRIC_OK,
	METRIC_REFUSED, /* wrong password, unknown user; no such recipient */
	METRIC_TEMPORARY,
	METRIC_RESULTS
};

enum metric_login {
	METRIC_BY_USER,
	METRIC_BY_APOP,
	METRIC_BY_PLAIN,
	METRIC_BY_LOGIN,
	METRIC_BY_CRAM_MD5,
	METRIC_BY_SCRAM,
	METRIC_BY_OTHER, /* certificates, tokens */
	METRIC_LOGINS
};

/* What has a histogram: POP3's commands until their reply begins, then these. */
enum metric_timed {
	METRIC_LMTP_RCPT = POP3_VERBS,
	METRIC_LMTP_DATA,    /* until the message may come */
	METRIC_LMTP_MESSAGE, /* from its end to the answer for its recipients */
	METRIC_TIMED
};

/* Those that end at a bound, the last one for all above; then the nanoseconds in all. */
#define METRIC_BUCKETS 12
#define METRIC_HISTOGRAM (METRIC_BUCKETS + 1)

/* Everything that is counted, by number; "+" says what is added to it. */
enum metric {
	METRIC_CONNECTIONS = 0, /* + protocol */
	METRIC_REFUSED_CONNECTIONS = METRIC_CONNECTIONS + CONFIG_PROTOCOLS,
	METRIC_TLS_HANDSHAKES, /* + is 1.3, + 2 resumed */
	METRIC_TLS_FAILED = METRIC_TLS_HANDSHAKES + 4,
	METRIC_LOGIN, /* + by * RESULTS + result */
	METRIC_RETRIEVED = METRIC_LOGIN + METRIC_LOGINS * METRIC_RESULTS,
	METRIC_DELETED,
	METRIC_DELIVERIES, /* + result */
	METRIC_RECEIVED_OCTETS = METRIC_DELIVERIES + METRIC_RESULTS,
	METRIC_SENT_OCTETS,
	METRIC_RESTARTS,                               /* + role */
	METRIC_RELOADS = METRIC_RESTARTS + IPC_ROLES,  /* + result: OK, REFUSED */
	METRIC_TIME = METRIC_RELOADS + METRIC_RESULTS, /* + timed * HISTOGRAM */
	/* Gauges: their sum over the pages of those that live. */
	METRIC_GAUGES = METRIC_TIME + METRIC_TIMED * METRIC_HISTOGRAM,
	METRIC_SESSIONS = METRIC_GAUGES, /* + protocol */
	METRIC_LOGGED_IN = METRIC_SESSIONS + CONFIG_PROTOCOLS,
	METRIC_AUTH_WAITING,       /* passwords that wait for a thread */
	METRIC_USERS_AWAY,         /* 1: the last question about a user found no answer */
	METRIC_STORAGE_WAITING,    /* operations that are with the disk, or wait for a thread */
	METRIC_CERTIFICATE_EXPIRY, /* seconds since 1970; in all, the earliest; 0: no TLS */
	METRICS
};

/* ---- counting: any thread of any process ---- */

void metric_add(unsigned metric, uint64_t n);
void metric_sub(unsigned metric, uint64_t n);

/* One more that took so long. */
void metric_time(enum metric_timed timed, uint64_t ns);

/* The upper bound of a bucket in nanoseconds; UINT64_MAX: none. */
uint64_t metric_bound(unsigned bucket);

/* ---- the area ---- */

/* A process as the master knows it. */
struct metrics_process {
	uint32_t role; /* enum ipc_role */
	uint32_t id;   /* 0: the master */
	uint32_t pid;
	uint32_t state;   /* enum metrics_state */
	uint64_t started; /* seconds since 1970 */
};

enum metrics_state {
	METRICS_STARTING,
	METRICS_READY,
	METRICS_DRAINING,
	METRICS_OLD /* of the program before an upgrade */
};

#define METRICS_PROCESSES 1024

/* What the master says of the server, and all have counted. */
struct metrics_snapshot {
	uint64_t started;    /* seconds since 1970 */
	uint64_t reloaded;   /* when the configuration was read that is in use */
	uint32_t generation; /* of listeners: counted up by reloads */
	uint32_t n_processes;
	struct metrics_process processes[METRICS_PROCESSES];
	uint64_t values[METRICS];
};

struct metrics_area;

/* NULL without memory: then nothing is counted that anybody could read. */
struct metrics_area *metrics_area_new(void);

/*
 * A page for a child to come, or -1 when none is free: what it counts is then lost. In
 * the child, metrics_take() keeps that page alone, or for the monitor all of them, to read.
 */
int metrics_reserve(struct metrics_area *area);
void metrics_take(struct metrics_area *area, int page, bool read_all);

/* The child of this page has gone. */
void metrics_retire(struct metrics_area *area, int page);

/*
 * The master says how things are: between the two, *the result may be written, except
 * values, which are counted.
 */
struct metrics_snapshot *metrics_begin(struct metrics_area *area);
void metrics_commit(struct metrics_area *area);

/* Reads everything as it was at one time. False while the master changes it: try again. */
bool metrics_read(const struct metrics_area *area, struct metrics_snapshot *ret_snapshot);
