/* SPDX-License-Identifier: MIT */
#include "client/imap_session.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "codec/imap/imap_answer.h"
#include "codec/line.h"
#include "net/wait.h"
#include "client/dialogue.h"

/* Of answers to one command: more than any server has to say. */
#define LINES_MAX 1000

#define QUOTED_MAX (2 * LIMIT_PATH + 3)

static int failed(struct imap_session *s, CURLcode code, struct err *err)
{
	const int r = curl_target_failed(code, s->url, s->error, err);

	imap_session_close(s);
	return r;
}

int imap_session_open(struct imap_session *s, const struct destination_options *o, struct err *err)
{
	CURLcode code;

	s->url = o->account->imap;
	s->timeout_ms = o->account->timeout * 1000;
	s->in_at = s->in_n = 0;
	s->tag = 0;
	s->curl = curl_target_new(o, s->url, s->error);
	if (s->curl == NULL)
		return err_sys(err, ENOMEM, "cannot deliver");
	(void)curl_easy_setopt(s->curl, CURLOPT_CONNECT_ONLY, 1L);
	code = curl_easy_perform(s->curl);
	return code == CURLE_OK ? 0 : failed(s, code, err);
}

void imap_session_close(struct imap_session *s)
{
	if (s->curl != NULL)
		curl_easy_cleanup(s->curl);
	s->curl = NULL;
}

/* ---- Octets ---- */

static int wait_for(struct imap_session *s, short events, struct err *err)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	struct pollfd fds[] = {{.fd = -1}, {.events = events}};

	(void)curl_easy_getinfo(s->curl, CURLINFO_ACTIVESOCKET, &fd);
	fds[1].fd = fd;
	if (wait_ready(fds, 2, clock_mono_ms() + s->timeout_ms) == 0)
		return 0;
	(void)snprintf(s->error, sizeof(s->error), "no answer within %lu s",
		       (unsigned long)s->timeout_ms / 1000);
	return failed(s, CURLE_OPERATION_TIMEDOUT, err);
}

static int send_all(struct imap_session *s, struct span octets, struct err *err)
{
	while (octets.n > 0) {
		size_t n = 0;
		const CURLcode code = curl_easy_send(s->curl, octets.p, octets.n, &n);
		int r = 0;

		if (code == CURLE_AGAIN)
			r = wait_for(s, POLLOUT, err);
		else if (code != CURLE_OK)
			r = failed(s, code, err);
		if (r < 0)
			return r;
		span_skip(&octets, n);
	}
	return 0;
}

static int receive(struct imap_session *s, struct err *err)
{
	for (;;) {
		size_t n = 0;
		const CURLcode code = curl_easy_recv(s->curl, s->in + s->in_n,
						     sizeof(s->in) - s->in_n, &n);

		if (code == CURLE_OK && n > 0) {
			s->in_n += n;
			return 0;
		}
		if (code == CURLE_OK)
			(void)snprintf(s->error, sizeof(s->error), "it has closed the connection");
		if (code != CURLE_AGAIN)
			return failed(s, code, err);

		const int r = wait_for(s, POLLIN, err);

		if (r < 0)
			return r;
	}
}

static int nonsense(struct imap_session *s, struct err *err)
{
	(void)snprintf(s->error, sizeof(s->error), "it says what no IMAP server says");
	return failed(s, CURLE_WEIRD_SERVER_REPLY, err);
}

static int read_line(struct imap_session *s, struct span *ret_line, struct err *err)
{
	struct line_reader reader = {.max = sizeof(s->in)};

	for (;;) {
		struct span in = span_of(s->in + s->in_at, s->in_n - s->in_at);
		const enum line_status status = line_take(&reader, &in, ret_line);
		int r;

		s->in_at = s->in_n - in.n;
		if (status == LINE_GOT)
			return 0;
		if (status == LINE_TOO_LONG)
			return nonsense(s, err);
		memmove(s->in, s->in + s->in_at, in.n);
		s->in_at = 0;
		s->in_n = in.n;
		r = receive(s, err);
		if (r < 0)
			return r;
	}
}

/* ---- Commands ---- */

/* Until what ends the command, or asks for more; *ret_found when SEARCH named a message. */
static int read_answer(struct imap_session *s, struct imap_answer *ret_answer, bool *ret_found,
		       struct err *err)
{
	char tag[16];
	struct span line;

	(void)snprintf(tag, sizeof(tag), "r%u", s->tag);
	for (int i = 0; i < LINES_MAX; i++) {
		const int r = read_line(s, &line, err);

		if (r < 0)
			return r;
		if (!imap_answer_line(line, span_str(tag), ret_answer))
			return nonsense(s, err);
		if (imap_answer_found(ret_answer))
			*ret_found = true;
		if (ret_answer->kind != IMAP_UNTAGGED)
			return 0;
	}
	return nonsense(s, err);
}

/* Sends "rN COMMAND". */
__attribute__((format(printf, 3, 4))) static int command(struct imap_session *s, struct err *err,
							 const char *fmt, ...)
{
	char line[QUOTED_MAX + LIMIT_PATH];
	const int front = snprintf(line, sizeof(line), "r%u ", ++s->tag);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = front + vsnprintf(line + front, sizeof(line) - (size_t)front - 2, fmt, ap);
	va_end(ap);
	assert((size_t)n < sizeof(line) - 2);
	memcpy(line + n, "\r\n", 2);
	return send_all(s, span_of(line, (size_t)n + 2), err);
}

/* A quoted string. False for what can't be in one, or is too long. */
static bool quote(struct span text, char ret_text[static QUOTED_MAX])
{
	struct out o = {.p = ret_text, .cap = QUOTED_MAX - 2};
	bool ok = out_char(&o, '"');

	for (size_t i = 0; i < text.n && ok; i++) {
		const unsigned char c = (unsigned char)text.p[i];

		ok = c >= ' ' && c < 0x7f;
		if (c == '"' || c == '\\')
			ok = ok && out_char(&o, '\\');
		ok = ok && out_char(&o, (char)c);
	}
	ret_text[o.n] = '"';
	ret_text[o.n + 1] = '\0';
	return ok;
}

/* What isn't OK: about this message, unless the server says that it is about itself. */
static int refused(struct imap_session *s, const struct imap_answer *a, struct err *err)
{
	static const char *const now[] = {"UNAVAILABLE", "INUSE",     "OVERQUOTA",
					  "LIMIT",       "SERVERBUG", "CONTACTADMIN"};
	char text[DIALOGUE_TEXT_MAX + 1];
	int e = EBADMSG;

	if (a->kind == IMAP_CONTINUE)
		return nonsense(s, err);
	for (size_t i = 0; i < sizeof(now) / sizeof(now[0]); i++) {
		if (imap_answer_has_code(a, span_str(now[i])))
			e = EAGAIN;
	}
	dialogue_text(a->text, text);
	return err_set(err, e, "%s refused it: %s", s->url, text);
}

/* "25-Nov-2026 09:00:00 +0000". Not strftime(): the months are English in every language. */
static void write_date(int64_t seconds, char *ret_text, size_t cap)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	const time_t t = (time_t)seconds;
	struct tm tm = {.tm_mday = 1, .tm_year = 70};

	(void)gmtime_r(&t, &tm);
	(void)snprintf(ret_text, cap, "%02d-%s-%04d %02d:%02d:%02d +0000", tm.tm_mday,
		       months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static int send_message(struct imap_session *s, const struct imap_message *m, struct err *err)
{
	char chunk[16384];
	uint64_t sent = 0;
	ssize_t n;

	while ((n = wire_reader_read(m->reader, chunk, sizeof(chunk))) > 0) {
		const int r = send_all(s, span_of(chunk, (size_t)n), err);

		if (r < 0)
			return r;
		sent += (uint64_t)n;
	}
	if (n < 0 || sent != m->octets) {
		/* The server waits for what won't come. */
		imap_session_close(s);
		return err_sys(err, n < 0 ? (int)-n : EIO, "cannot read a message again");
	}
	return send_all(s, SPAN_LIT("\r\n"), err);
}

/* Announces it; *ret_answer is that it is waited for, or why not. */
static int announce(struct imap_session *s, const struct imap_message *m, const char *folder,
		    struct imap_answer *ret_answer, struct err *err)
{
	char date[48];
	bool found;
	int r;

	write_date(m->seconds, date, sizeof(date));
	r = command(s, err, "APPEND %s (%s) \"%s\" {%llu}", folder, m->flags, date,
		    (unsigned long long)m->octets);
	return r < 0 ? r : read_answer(s, ret_answer, &found, err);
}

int imap_session_append(struct imap_session *s, const struct imap_message *m, struct err *err)
{
	char folder[QUOTED_MAX];
	struct imap_answer a;
	bool found;
	int r;

	if (!quote(span_str(m->folder), folder))
		return err_set(err, EINVAL, "imap_folder: not ASCII, or too long");
	r = announce(s, m, folder, &a, err);
	if (r == 0 && a.kind == IMAP_NO && imap_answer_has_code(&a, SPAN_LIT("TRYCREATE"))) {
		r = command(s, err, "CREATE %s", folder);
		if (r == 0)
			r = read_answer(s, &a, &found, err);
		if (r == 0)
			r = announce(s, m, folder, &a, err);
	}
	if (r < 0)
		return r;
	if (a.kind != IMAP_CONTINUE)
		return refused(s, &a, err);
	r = send_message(s, m, err);
	if (r == 0)
		r = read_answer(s, &a, &found, err);
	return r < 0 || a.kind == IMAP_OK ? r : refused(s, &a, err);
}

int imap_session_has(struct imap_session *s, const char *folder, struct span message_id,
		     uint64_t octets, bool *ret_has, struct err *err)
{
	char name[QUOTED_MAX];
	char id[QUOTED_MAX];
	struct imap_answer a;
	int r;

	*ret_has = false;
	if (message_id.n == 0 || message_id.n > LIMIT_PATH / 2 || octets == 0 ||
	    !quote(message_id, id) || !quote(span_str(folder), name))
		return 0;
	r = command(s, err, "EXAMINE %s", name);
	if (r == 0)
		r = read_answer(s, &a, ret_has, err);
	*ret_has = false;
	/* No such folder, so no such message. */
	if (r < 0 || a.kind != IMAP_OK)
		return r;
	r = command(s, err, "UID SEARCH HEADER Message-ID %s LARGER %llu SMALLER %llu", id,
		    (unsigned long long)octets - 1, (unsigned long long)octets + 1);
	if (r == 0)
		r = read_answer(s, &a, ret_has, err);
	return r;
}
