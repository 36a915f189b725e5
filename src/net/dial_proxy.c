/* SPDX-License-Identifier: MIT */
#include "net/dial_proxy.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

#define POLL_MS 60000

static const struct {
	const char *scheme;
	long type; /* of CURLOPT_PROXYTYPE */
} kinds[] = {
	{"socks5", CURLPROXY_SOCKS5_HOSTNAME},
	{"http", CURLPROXY_HTTP},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* A part of a URL, or NULL: curl_free() it. */
static char *part(CURLU *u, CURLUPart what)
{
	char *text;

	return curl_url_get(u, what, &text, 0) == CURLUE_OK ? text : NULL;
}

/* -1: another scheme than ours. */
static long kind_of(CURLU *u)
{
	char *const scheme = part(u, CURLUPART_SCHEME);
	long type = -1;

	for (size_t i = 0; i < KINDS && scheme != NULL; i++) {
		if (strcmp(scheme, kinds[i].scheme) == 0)
			type = kinds[i].type;
	}
	curl_free(scheme);
	return type;
}

static CURLU *parse(const char *proxy)
{
	CURLU *const u = curl_url();

	if (u == NULL ||
	    curl_url_set(u, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
		return u;
	curl_url_cleanup(u);
	return NULL;
}

/* Behind a proxy's host and port nothing follows. */
static bool has_more(CURLU *u)
{
	char *const path = part(u, CURLUPART_PATH);
	char *const query = part(u, CURLUPART_QUERY);
	char *const fragment = part(u, CURLUPART_FRAGMENT);
	const bool more = (path != NULL && strcmp(path, "/") != 0 && path[0] != '\0') ||
			  query != NULL || fragment != NULL;

	curl_free(path);
	curl_free(query);
	curl_free(fragment);
	return more;
}

const char *dial_proxy_check(const char *proxy)
{
	CURLU *const u = parse(proxy);
	const char *wrong = NULL;

	if (u == NULL || has_more(u))
		wrong = "proxy must be socks5://HOST:PORT or http://HOST:PORT, with USER:PASSWORD@ "
			"before "
			"HOST if need be";
	else if (kind_of(u) < 0)
		wrong = "proxy must begin with socks5:// or http://";
	curl_url_cleanup(u);
	return wrong;
}

/* Nobody else's idea of what a server's name may look like: it is put into a URL by libcurl. */
static int set_server(CURL *easy, const struct dial_options *options)
{
	char port[8];
	char host[512];
	CURLU *const u = curl_url();
	const bool v6 = strchr(options->host, ':') != NULL;
	char *url = NULL;
	bool ok;

	(void)snprintf(port, sizeof(port), "%u", options->port);
	(void)snprintf(host, sizeof(host), v6 ? "[%s]" : "%s", options->host);
	ok = u != NULL && curl_url_set(u, CURLUPART_SCHEME, "http", 0) == CURLUE_OK &&
	     curl_url_set(u, CURLUPART_HOST, host, 0) == CURLUE_OK &&
	     curl_url_set(u, CURLUPART_PORT, port, 0) == CURLUE_OK &&
	     curl_url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK &&
	     curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK;
	curl_free(url);
	curl_url_cleanup(u);
	return ok ? 0 : -ENOMEM;
}

static int set_proxy(CURL *easy, const char *proxy)
{
	CURLU *const u = parse(proxy);
	const long type = u == NULL ? -1 : kind_of(u);

	curl_url_cleanup(u);
	if (type < 0)
		return -EINVAL;
	/* Without the scheme, for libcurl's own "socks5" would resolve here. */
	if (curl_easy_setopt(easy, CURLOPT_PROXYTYPE, type) != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_PROXY, strstr(proxy, "://") + 3) != CURLE_OK)
		return -ENOMEM;
	/* What the environment says of proxies is for other programs. */
	(void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	return 0;
}

static int meaning_of(CURL *easy, CURLcode code)
{
	long detail = CURLPX_OK;

	(void)curl_easy_getinfo(easy, CURLINFO_PROXY_ERROR, &detail);
	switch (detail) {
	case CURLPX_REPLY_HOST_UNREACHABLE:
		return -EHOSTUNREACH;
	case CURLPX_REPLY_CONNECTION_REFUSED:
		return -ECONNREFUSED;
	case CURLPX_USER_REJECTED:
	case CURLPX_NO_AUTH:
	case CURLPX_REPLY_NOT_ALLOWED:
		return -EACCES;
	default:
		break;
	}
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -ENXIO;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_RECV_ERROR: /* a CONNECT that was refused: libcurl's text has the status */
		return -EACCES;
	default:
		return -EHOSTUNREACH;
	}
}

/* Until it is connected, has failed, or somebody stops it. */
static int perform(CURLM *multi, const struct dial_options *options, CURLcode *ret_code)
{
	struct curl_waitfd stop = {.fd = options->stop_fd, .events = CURL_WAIT_POLLIN};
	const unsigned n_stop = options->stop_fd >= 0 ? 1 : 0;
	const CURLMsg *done;
	int running;
	int left;

	for (;;) {
		if (curl_multi_perform(multi, &running) != CURLM_OK)
			return -ENOMEM;
		done = curl_multi_info_read(multi, &left);
		if (done != NULL) {
			*ret_code = done->data.result;
			return 0;
		}
		stop.revents = 0;
		if (curl_multi_poll(multi, &stop, n_stop, POLL_MS, NULL) != CURLM_OK)
			return -ENOMEM;
		if (stop.revents != 0)
			return -ECANCELED;
	}
}

/* libcurl keeps its own, and closes that. */
static int take_socket(CURL *easy)
{
	curl_socket_t socket = CURL_SOCKET_BAD;
	const int on = 1;
	int fd;

	if (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK ||
	    socket == CURL_SOCKET_BAD)
		return -EHOSTUNREACH;
	fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	return fd;
}

static int failed(const char *proxy, const struct dial_options *options, int r, const char *why,
		  struct err *err)
{
	const char *const at = strrchr(proxy, '@');
	const char *const shown = at != NULL ? at + 1 : strstr(proxy, "://") + 3;

	return err_set(err, -r, "cannot connect to '%s' port %u through the proxy %s: %s",
		       options->host, options->port, shown, why);
}

static int run(CURLM *multi, CURL *easy, const char *proxy, const struct dial_options *options,
	       struct err *err)
{
	char why[CURL_ERROR_SIZE] = "";
	CURLcode code = CURLE_OK;
	int r = set_proxy(easy, proxy);

	if (r == 0)
		r = set_server(easy, options);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->timeout_ms);
	if (r == 0 && curl_multi_add_handle(multi, easy) != CURLM_OK)
		r = -ENOMEM;
	if (r == 0)
		r = perform(multi, options, &code);
	if (r < 0)
		return failed(proxy, options, r, strerror(-r), err);
	if (code != CURLE_OK) {
		r = meaning_of(easy, code);
		return failed(proxy, options, r, why[0] != '\0' ? why : curl_easy_strerror(code),
			      err);
	}
	r = take_socket(easy);
	return r < 0 ? failed(proxy, options, r, strerror(-r), err) : r;
}

int dial_proxy(const char *proxy, const struct dial_options *options, int *ret_fd, struct err *err)
{
	CURLM *const multi = curl_multi_init();
	CURL *const easy = curl_easy_init();
	int r;

	if (multi == NULL || easy == NULL)
		r = err_set(err, ENOMEM, "cannot use the proxy: no memory");
	else
		r = run(multi, easy, proxy, options, err);
	/* The connection belongs to the multi handle, and is closed with it. */
	if (multi != NULL && easy != NULL)
		(void)curl_multi_remove_handle(multi, easy);
	curl_easy_cleanup(easy);
	(void)curl_multi_cleanup(multi);
	if (r < 0)
		return r;
	*ret_fd = r;
	return 0;
}
