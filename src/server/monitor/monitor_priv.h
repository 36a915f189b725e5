/* SPDX-License-Identifier: MIT */
/*
 * monitor_priv.h - what the monitor has, for the files of this folder:
 *
 *	monitor.c       the process's life
 *	monitor_http.c  HTTP, by libmicrohttpd on our loop
 *	metrics_text.c  what is counted, as text
 */
#pragma once

#include <uv.h>

#include "base/buf.h"
#include "server/metrics.h"
#include "server/monitor/monitor.h"

struct monitor;

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
};

/* ---- monitor_http.c ---- */

/* fd listens, and belongs to h from here on. */
int http_open(struct http *h, struct monitor *m, int fd, struct err *err);
void http_close(struct http *h);

/* ---- metrics_text.c ---- */

enum metrics_format {
	METRICS_PROMETHEUS,  /* text format 0.0.4 */
	METRICS_OPENMETRICS, /* 1.0.0: counters' families without _total, and an end */
};

/* False when text is full. */
bool metrics_text(const struct metrics_snapshot *s, enum metrics_format format, struct buf *text);
