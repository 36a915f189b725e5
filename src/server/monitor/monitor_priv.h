/* SPDX-License-Identifier: MIT */
/*
 * monitor_priv.h - what the monitor has, for the files of this folder:
 *
 *	monitor.c           the process's life
 *	monitor_http.c      HTTP, by libmicrohttpd on our loop
 *	metrics_text.c      what is counted, as text
 *	monitor_operator.c  restantectl, at the control socket
 */
#pragma once

#include <uv.h>

#include "base/buf.h"
#include "server/metrics.h"
#include "server/monitor/monitor.h"

struct monitor;

/* More operators at once are kept waiting. */
#define OPERATORS_MAX 8

/* One at the control socket, who asks one question at a time. */
struct operator
{
	struct monitor *monitor; /* Borrowed */
	struct ipc_channel channel;
	bool open;        /* channel is in use, also while it closes */
	uint64_t asked;   /* head.session of what a listener is asked for it; 0: nothing */
	uint64_t ticket;  /* what the listener knows it as */
	uint32_t at;      /* that listener */
	uint32_t answers; /* that it may still give */
};

/* A listener. */
struct monitor_link {
	struct monitor_link *next;
	struct monitor *monitor; /* Borrowed */
	struct ipc_channel channel;
};

/* HTTP at one address. */
struct http {
	struct monitor *monitor;   /* Borrowed */
	struct MHD_Daemon *daemon; /* Owned */
	uv_poll_t poll;
	uv_timer_t timer;
	bool open;
};

struct monitor {
	struct process *process;
	struct http http[CONFIG_LISTEN_MAX];
	uint32_t n_http;
	struct metrics_snapshot now; /* as read for the answer that is made */

	/* The control socket */
	uid_t owner; /* who started the server */
	int control; /* -1: none */
	uv_poll_t control_poll;
	struct operator operators[OPERATORS_MAX];
	struct monitor_link *links; /* Owned */
	uint64_t next_ticket;
	union ipc_msg msg; /* to build messages in */
};

/* Reads m->now. False: there is nothing to read, or not at the moment. */
bool monitor_read(struct monitor *m);

/* ---- monitor_operator.c ---- */

/* fd listens. Operators are let in whose user is root, or has started the server. */
int operator_open(struct monitor *m, int fd, struct err *err);
void operator_link(struct monitor *m, uint32_t listener, int fd);
void operator_close(struct monitor *m);

/* ---- monitor_http.c ---- */

/* fd listens, and belongs to h from here on. */
int http_open(struct http *h, struct monitor *m, int fd, struct err *err);
void http_close(struct http *h);

/* ---- metrics_text.c ---- */

enum metrics_format {
	METRICS_PROMETHEUS,  /* text format 0.0.4 */
	METRICS_OPENMETRICS, /* 1.0.0: counters' families without _total, and an end */
};

/* "RETR": a command that has a histogram. */
const char *metrics_timed_name(unsigned timed);

/* False when text is full. */
bool metrics_text(const struct metrics_snapshot *s, enum metrics_format format, struct buf *text);
