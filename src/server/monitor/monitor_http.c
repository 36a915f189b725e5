/* SPDX-License-Identifier: MIT */
/*
 * HTTP as far as a monitoring system needs it: GET /metrics. libmicrohttpd reads it, in
 * our thread and when our loop says that its epoll descriptor has something.
 */
#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/monitor/monitor_priv.h"

/* More than this is no monitoring system. */
#define CONNECTIONS 16
#define TIMEOUT_SECONDS 10
/* Of one connection: a request's head, and what its answer is sent from. */
#define MEMORY_BYTES 8192
#define TEXT_MAX (1U << 20)

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type,
			      struct span text)
{
	struct MHD_Response *const r = MHD_create_response_from_buffer(
		text.n, (void *)(uintptr_t)text.p, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result done;

	if (r == NULL)
		return MHD_NO;
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	done = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return done;
}

static enum MHD_Result complain(struct MHD_Connection *c, unsigned status, const char *text)
{
	return answer(c, status, "text/plain; charset=utf-8", span_str(text));
}

/* Prometheus names both, and prefers the newer one by its place and weight. */
static enum metrics_format wanted_format(struct MHD_Connection *c)
{
	const char *const accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND,
							       MHD_HTTP_HEADER_ACCEPT);

	return accept != NULL && strstr(accept, "application/openmetrics-text") != NULL
		       ? METRICS_OPENMETRICS
		       : METRICS_PROMETHEUS;
}

static enum MHD_Result answer_metrics(struct monitor *m, struct MHD_Connection *c)
{
	static const char *const types[] = {
		[METRICS_PROMETHEUS] = "text/plain; version=0.0.4; charset=utf-8",
		[METRICS_OPENMETRICS] =
			"application/openmetrics-text; version=1.0.0; charset=utf-8",
	};
	const enum metrics_format format = wanted_format(c);
	enum MHD_Result done;
	struct buf text;

	if (!monitor_read(m))
		return complain(c, MHD_HTTP_SERVICE_UNAVAILABLE, "try again\n");
	buf_init(&text, TEXT_MAX);
	done = metrics_text(&m->now, format, &text)
		       ? answer(c, MHD_HTTP_OK, types[format], buf_span(&text))
		       : complain(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n");
	buf_done(&text);
	return done;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_n, void **request)
{
	static int seen;
	const struct http *const h = arg;

	(void)version;
	(void)upload;
	/* The first call is for the head alone; what a body says is not read. */
	if (*request == NULL) {
		*request = &seen;
		return MHD_YES;
	}
	if (*upload_n > 0) {
		*upload_n = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return complain(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
	if (strcmp(url, "/metrics") != 0)
		return complain(c, MHD_HTTP_NOT_FOUND, "there is /metrics and nothing else\n");
	return answer_metrics(h->monitor, c);
}

static void run(struct http *h);

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

static void run(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	(void)MHD_run(h->daemon);
	if (MHD_get_timeout(h->daemon, &ms) == MHD_YES)
		(void)uv_timer_start(&h->timer, on_timer, ms, 0);
	else
		(void)uv_timer_stop(&h->timer);
}

int http_open(struct http *h, struct monitor *m, int fd, struct err *err)
{
	const union MHD_DaemonInfo *info;
	int r;

	h->monitor = m;
	h->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, h,
				     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				     (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
				     (unsigned)TIMEOUT_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				     (size_t)MEMORY_BYTES, MHD_OPTION_END);
	if (h->daemon == NULL)
		return err_set(err, EIO, "cannot start HTTP for metrics_listen");
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL) {
		r = -EIO;
		goto stop;
	}
	r = uv_poll_init(&m->process->loop, &h->poll, info->epoll_fd);
	if (r < 0)
		goto stop;
	(void)uv_timer_init(&m->process->loop, &h->timer);
	h->poll.data = h;
	h->timer.data = h;
	h->open = true;
	return uv_poll_start(&h->poll, UV_READABLE, on_poll);

stop:
	MHD_stop_daemon(h->daemon);
	return err_sys(err, -r, "cannot start HTTP for metrics_listen");
}

void http_close(struct http *h)
{
	if (!h->open)
		return;
	h->open = false;
	uv_close((uv_handle_t *)&h->poll, NULL);
	uv_close((uv_handle_t *)&h->timer, NULL);
	MHD_stop_daemon(h->daemon);
}
