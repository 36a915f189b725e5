/* SPDX-License-Identifier: MIT */
/*
 * Asks the authorization server about tokens (RFC 7662), by libcurl in our loop: curl says which
 * descriptors it wants watched and when it wants to be called, and does the rest. Names are
 * resolved in threads of libcurl's.
 *
 *	introspector_ask() ─> curl_multi ─> uv_poll_t, uv_timer_t ─> curl_multi_socket_action()
 *	                          └─> take_answers() ─> oauth_introspected()
 */
#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text_file.h"
#include "server/authd/authd_priv.h"

/* A login waits no longer than this: many clients have given up by then. */
#define ANSWER_TIMEOUT_MS 15000L
#define CONNECT_TIMEOUT_MS 5000L

/* To one server, at a time; more wait in libcurl. */
#define CONNECTIONS_MAX 16L

#define SECRET_FILE_MAX 4096

struct introspector {
	CURLM *multi; /* Owned */
	uv_loop_t *loop;
	uv_timer_t timer;
	struct curl_slist *headers; /* Owned */
	char *secret;               /* Owned: the client's, or NULL */
	char trouble[128];          /* what was said last; "" when all is well */
};

/* A descriptor of libcurl's. */
struct watch {
	uv_poll_t poll;
	struct introspector *in;
	curl_socket_t fd;
};

/* One question. */
struct inquiry {
	struct introspector *in;
	struct request *r;
	CURL *easy;        /* Owned */
	struct buf body;   /* Owned: the token is in it */
	struct buf answer; /* Owned */
};

static void take_answers(struct introspector *in);

/* ---- libcurl and the loop ---- */

static void act(struct introspector *in, curl_socket_t fd, int flags)
{
	int running;

	(void)curl_multi_socket_action(in->multi, fd, flags, &running);
	take_answers(in);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	int flags = status < 0 ? CURL_CSELECT_ERR : 0;

	if ((events & UV_READABLE) != 0)
		flags |= CURL_CSELECT_IN;
	if ((events & UV_WRITABLE) != 0)
		flags |= CURL_CSELECT_OUT;
	/* The watch may be gone afterwards. */
	act(w->in, w->fd, flags);
}

static void on_timer(uv_timer_t *timer)
{
	act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static struct watch *new_watch(struct introspector *in, curl_socket_t fd)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL || uv_poll_init_socket(in->loop, &w->poll, fd) < 0) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	w->in = in;
	w->fd = fd;
	(void)curl_multi_assign(in->multi, fd, w);
	return w;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
	struct introspector *in = arg;
	struct watch *w = of_socket;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL) {
			(void)curl_multi_assign(in->multi, fd, NULL);
			uv_close((uv_handle_t *)&w->poll, on_watch_closed);
		}
		return 0;
	}
	if (w == NULL)
		w = new_watch(in, fd);
	/* Without it the question runs into its timeout. */
	if (w != NULL)
		(void)uv_poll_start(&w->poll,
				    ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
					    ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0),
				    on_ready);
	return 0;
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
	struct introspector *in = arg;

	(void)multi;
	if (ms < 0)
		(void)uv_timer_stop(&in->timer);
	else
		(void)uv_timer_start(&in->timer, on_timer, (uint64_t)ms, 0);
	return 0;
}

/* ---- answers ---- */

static size_t on_octets(char *octets, size_t size, size_t n, void *arg)
{
	struct inquiry *q = arg;

	/* A wrong count makes libcurl give up. */
	return buf_put(&q->answer, span_of(octets, size * n)) < 0 ? 0 : size * n;
}

static void free_inquiry(struct inquiry *q)
{
	(void)curl_multi_remove_handle(q->in->multi, q->easy);
	curl_easy_cleanup(q->easy);
	buf_done_secret(&q->body);
	buf_done_secret(&q->answer);
	free(q);
}

/* Says it once, however many logins meet it. */
static void report(struct introspector *in, const char *trouble)
{
	if (strcmp(in->trouble, trouble) == 0)
		return;
	if (trouble[0] != '\0')
		log_event(LOG_LEVEL_WARN, "introspection-failed", log_str("reason", trouble));
	else
		log_event(LOG_LEVEL_INFO, "introspection-works");
	(void)snprintf(in->trouble, sizeof(in->trouble), "%s", trouble);
}

static struct token_verdict verdict_of(struct inquiry *q, CURLcode result)
{
	const struct token_rules rules = oauth_rules(q->r->ad);
	struct token_verdict v = {.status = TOKEN_UNDECIDED, .why = "introspection-failed"};
	char trouble[64];
	long code = 0;

	if (result != CURLE_OK) {
		report(q->in, curl_easy_strerror(result));
		return v;
	}
	(void)curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &code);
	if (code != 200) {
		(void)snprintf(trouble, sizeof(trouble), "the answer's status is %ld", code);
		report(q->in, trouble);
		return v;
	}
	v = token_read_answer(buf_span(&q->answer), &rules);
	report(q->in, v.status == TOKEN_UNDECIDED ? "the answer is none of RFC 7662" : "");
	return v;
}

static void take_answers(struct introspector *in)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(in->multi, &left)) != NULL) {
		struct inquiry *q = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&q);

		struct request *r = q->r;
		const struct token_verdict v = verdict_of(q, m->data.result);

		free_inquiry(q);
		r->login->inquiry = NULL;
		r->state = REQUEST_LOOKUP;
		oauth_introspected(r, &v);
	}
}

/* ---- questions ---- */

/* What every question has in common. */
static bool prepare_easy(const struct introspector *in, const struct config *c, struct inquiry *q)
{
	CURL *e = q->easy;
	bool ok =
		curl_easy_setopt(e, CURLOPT_URL, c->oauth_introspection_url) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_HTTPHEADER, in->headers) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, q->body.p) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)q->body.n) == CURLE_OK &&
		/* No other machine gets our secret, whatever the environment or the answer say. */
		curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, ANSWER_TIMEOUT_MS) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_octets) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_WRITEDATA, q) == CURLE_OK &&
		curl_easy_setopt(e, CURLOPT_PRIVATE, q) == CURLE_OK;

	if (ok && c->oauth_ca_file[0] != '\0')
		ok = curl_easy_setopt(e, CURLOPT_CAINFO, c->oauth_ca_file) == CURLE_OK;
	if (ok && c->oauth_client_id[0] != '\0')
		ok = curl_easy_setopt(e, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) == CURLE_OK &&
		     curl_easy_setopt(e, CURLOPT_USERNAME, c->oauth_client_id) == CURLE_OK &&
		     curl_easy_setopt(e, CURLOPT_PASSWORD, in->secret != NULL ? in->secret : "") ==
			     CURLE_OK;
	return ok;
}

/* RFC 7662 section 2.1: a form. */
static bool write_body(struct inquiry *q, const char *token)
{
	char *escaped = curl_easy_escape(q->easy, token, 0);

	if (escaped == NULL)
		return false;

	const bool ok = buf_put(&q->body, SPAN_LIT("token=")) == 0 &&
			buf_put(&q->body, span_str(escaped)) == 0 &&
			buf_put(&q->body, SPAN_LIT("&token_type_hint=access_token")) == 0;

	secret_wipe(escaped, strlen(escaped));
	curl_free(escaped);
	return ok;
}

bool introspector_ask(struct introspector *in, struct request *r, const char *token)
{
	struct inquiry *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return false;
	q->in = in;
	q->r = r;
	buf_init(&q->body, 3 * LIMIT_SASL_OCTETS + 64);
	buf_init(&q->answer, TOKEN_ANSWER_MAX_BYTES);
	q->easy = curl_easy_init();
	if (q->easy == NULL || !write_body(q, token) || !prepare_easy(in, authd_config(r->ad), q) ||
	    curl_multi_add_handle(in->multi, q->easy) != CURLM_OK) {
		free_inquiry(q);
		return false;
	}
	r->login->inquiry = q;
	r->state = REQUEST_ASKING;
	return true;
}

void introspector_forget(struct request *r)
{
	free_inquiry(r->login->inquiry);
	r->login->inquiry = NULL;
}

/* ---- its life ---- */

/* The secret's first line. It may belong to root: this is read before rights are given up. */
int introspector_read_secret(const char *path, char **ret_secret, struct err *err)
{
	struct text_file file;

	*ret_secret = NULL;
	if (path[0] == '\0')
		return 0;

	const int r = text_file_read(path, SECRET_FILE_MAX, &file, err);

	if (r < 0)
		return r;
	file.text[strcspn(file.text, "\r\n")] = '\0';
	*ret_secret = file.text;
	return 0;
}

struct introspector *introspector_new(uv_loop_t *loop, char *secret)
{
	struct introspector *in = calloc(1, sizeof(*in));

	if (in == NULL)
		return NULL;
	in->loop = loop;
	in->headers = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
			      ? curl_slist_append(NULL, "Accept: application/json")
			      : NULL;
	in->multi = in->headers != NULL ? curl_multi_init() : NULL;
	if (in->multi == NULL || uv_timer_init(loop, &in->timer) < 0) {
		(void)curl_multi_cleanup(in->multi);
		curl_slist_free_all(in->headers);
		free(in);
		return NULL;
	}
	in->timer.data = in;
	in->secret = secret;
	(void)curl_multi_setopt(in->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	(void)curl_multi_setopt(in->multi, CURLMOPT_SOCKETDATA, in);
	(void)curl_multi_setopt(in->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	(void)curl_multi_setopt(in->multi, CURLMOPT_TIMERDATA, in);
	(void)curl_multi_setopt(in->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CONNECTIONS_MAX);
	return in;
}

static void on_timer_closed(uv_handle_t *timer)
{
	free(timer->data);
}

void introspector_close(struct introspector *in)
{
	if (in == NULL)
		return;
	(void)curl_multi_cleanup(in->multi);
	curl_slist_free_all(in->headers);
	curl_global_cleanup();
	if (in->secret != NULL)
		secret_wipe(in->secret, strlen(in->secret));
	free(in->secret);
	uv_close((uv_handle_t *)&in->timer, on_timer_closed);
}
