/* SPDX-License-Identifier: MIT */
#include "import/imap_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/out.h"
#include "base/secret.h"
#include "codec/sasl/base64.h"
#include "net/dial.h"
#include "net/stream.h"
#include "net/tls_client.h"
#include "import/import_date.h"

#define IDLE_MS 120000
#define COMMAND_MAX 4096
#define PORT_TLS 993
#define PORT_CLEAR 143

struct imap_session {
	struct stream stream;
	struct imap_reader reader;
	unsigned tag;
	bool starttls, plain, login_disabled; /* what it can */
	uint32_t uid_validity;
	uint64_t exists;
	const char *said; /* to which command, for errors */
	size_t in_at;
	size_t in_n;
	char in[1 << 16];
};

static int surprise(struct imap_session *s, struct span text, struct err *err)
{
	char shown[128];
	size_t n = 0;

	for (; n < text.n && n < sizeof(shown) - 1; n++)
		shown[n] = text.p[n] >= 0x20 && text.p[n] < 0x7f ? text.p[n] : '?';
	shown[n] = '\0';
	return err_set(err, EPROTO, "%s answers '%s' to %s", s->stream.host, shown, s->said);
}

/* The next piece of what it says; never IMAP_MORE or IMAP_BAD. */
static int next(struct imap_session *s, enum imap_status *ret_status, struct imap_event *ret,
		struct err *err)
{
	for (;;) {
		struct span in = span_of(s->in + s->in_at, s->in_n - s->in_at);
		ssize_t n;

		*ret_status = imap_reader_next(&s->reader, &in, ret);
		s->in_at = s->in_n - in.n;
		if (*ret_status == IMAP_BAD)
			return surprise(s, SPAN_LIT("a line without end"), err);
		if (*ret_status != IMAP_MORE)
			return 0;
		n = stream_read(&s->stream, s->in, sizeof(s->in), err);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return err_set(err, ECONNRESET, "%s has closed the connection",
				       s->stream.host);
		s->in_at = 0;
		s->in_n = (size_t)n;
	}
}

static bool take_prefix(struct span *s, const char *prefix)
{
	const struct span p = span_str(prefix);

	if (!span_starts_with_nocase(*s, p))
		return false;
	span_skip(s, p.n);
	return true;
}

static void take_capabilities(struct imap_session *s, struct span text)
{
	s->starttls = s->plain = s->login_disabled = false;
	while (text.n > 0) {
		struct span word = span_of(text.p, span_find(text, ' '));

		span_skip(&text, word.n < text.n ? word.n + 1 : word.n);
		s->starttls = s->starttls || span_eq_nocase(word, SPAN_LIT("STARTTLS"));
		s->plain = s->plain || span_eq_nocase(word, SPAN_LIT("AUTH=PLAIN"));
		s->login_disabled = s->login_disabled ||
				    span_eq_nocase(word, SPAN_LIT("LOGINDISABLED"));
	}
}

/* "[UIDVALIDITY 7] ...", and what else we go by of that which wasn't asked for. */
static void take_untagged(struct imap_session *s, struct span text)
{
	struct span t = text;
	uint64_t v;

	if (take_prefix(&t, "CAPABILITY ")) {
		take_capabilities(s, t);
	} else if (take_prefix(&t, "OK [UIDVALIDITY ")) {
		if (num_parse_u64(span_of(t.p, span_find(t, ']')), UINT32_MAX, &v))
			s->uid_validity = (uint32_t)v;
	} else if (num_parse_u64(span_of(t.p, span_find(t, ' ')), UINT32_MAX, &v)) {
		span_skip(&t, span_find(t, ' '));
		if (span_eq_nocase(t, SPAN_LIT(" EXISTS")))
			s->exists = v;
	}
}

/* What the tagged answer means. no: the errno of a NO, if it says nothing about the reason. */
static int end_of(struct imap_session *s, struct span text, int no, struct err *err)
{
	struct span t = text;
	bool later;

	if (take_prefix(&t, "OK"))
		return 0;
	if (!take_prefix(&t, "NO "))
		return surprise(s, text, err);
	later = span_starts_with_nocase(t, SPAN_LIT("[UNAVAILABLE]")) ||
		span_starts_with_nocase(t, SPAN_LIT("[INUSE]"));
	(void)surprise(s, text, err);
	return later ? -EAGAIN : no;
}

/* True: the text is the tagged answer to the last command, and its tag was skipped. */
static bool is_tagged(const struct imap_session *s, const struct imap_event *e, struct span *text)
{
	char tag[16];

	(void)snprintf(tag, sizeof(tag), "r%u ", s->tag);
	*text = e->text;
	return e->begins && take_prefix(text, tag);
}

/*
 * Reads up to the end of the answer. *ret_go_on: up to a continuation request, where one may
 * come; NULL: none may.
 */
static int answer(struct imap_session *s, int no, bool *ret_go_on, struct err *err)
{
	for (;;) {
		enum imap_status status;
		struct imap_event e;
		struct span text;
		const int r = next(s, &status, &e, err);

		if (r < 0)
			return r;
		if (status != IMAP_TEXT)
			continue;
		if (is_tagged(s, &e, &text))
			return end_of(s, text, no, err);
		if (e.begins && e.text.n > 0 && e.text.p[0] == '+' && ret_go_on != NULL) {
			*ret_go_on = true;
			return 0;
		}
		if (e.begins && take_prefix(&text, "* "))
			take_untagged(s, text);
	}
}

static int send(struct imap_session *s, const char *said, const char *arguments, struct err *err)
{
	char line[COMMAND_MAX];
	int n;
	int r;

	s->said = said;
	n = snprintf(line, sizeof(line), "r%u %s%s%s\r\n", ++s->tag, said,
		     arguments[0] != '\0' ? " " : "", arguments);
	if (n < 0 || (size_t)n >= sizeof(line))
		return err_set(err, EINVAL, "%s would be too long for a line", said);
	r = stream_write(&s->stream, line, (size_t)n, err);
	secret_wipe(line, sizeof(line));
	return r;
}

static int ask(struct imap_session *s, const char *said, const char *arguments, int no,
	       struct err *err)
{
	const int r = send(s, said, arguments, err);

	return r < 0 ? r : answer(s, no, NULL, err);
}

/* A string in quotes. False: it doesn't go into one, or is too long. */
static bool quote(struct out *out, const char *text)
{
	bool ok = out_char(out, '"');

	for (const char *p = text; *p != '\0' && ok; p++) {
		const unsigned char c = (unsigned char)*p;

		ok = c >= 0x20 && c < 0x7f && ((c != '"' && c != '\\') || out_char(out, '\\')) &&
		     out_char(out, *p);
	}
	return ok && out_char(out, '"');
}

/* ---- opening ---- */

static int start_tls(struct imap_session *s, const struct import_server *server, struct err *err)
{
	struct ssl_ctx_st *tls;
	int r = tls_client_new(&(struct tls_client_options){.cafile = server->cafile}, &tls, err);

	if (r < 0)
		return r;
	r = stream_start_tls(&s->stream, tls, err);
	tls_client_free(tls);
	return r == -EPROTO ? -EKEYREJECTED : r;
}

/* "* OK ..." before anything was asked. */
static int greet(struct imap_session *s, struct err *err)
{
	enum imap_status status;
	struct imap_event e;
	struct span text;
	int r;

	s->said = "nothing yet";
	r = next(s, &status, &e, err);
	if (r < 0)
		return r;
	text = e.text;
	return status == IMAP_TEXT && !e.literal && take_prefix(&text, "* OK")
		       ? 0
		       : surprise(s, e.text, err);
}

static int starttls(struct imap_session *s, const struct import_server *server, struct err *err)
{
	int r;

	if (!s->starttls)
		return err_set(err, EKEYREJECTED, "%s offers no STARTTLS", s->stream.host);
	r = ask(s, "STARTTLS", "", -EKEYREJECTED, err);
	if (r < 0)
		return r;
	/* What came in clear behind the OK isn't the server's, maybe (CVE-2011-0411). */
	if (s->in_at < s->in_n)
		return err_set(err, EKEYREJECTED, "%s says more in clear behind its OK to STARTTLS",
			       s->stream.host);
	r = start_tls(s, server, err);
	return r < 0 ? r : ask(s, "CAPABILITY", "", -EPROTO, err);
}

/* RFC 4616: no authorization identity, the user, the password. */
static int authenticate(struct imap_session *s, const struct import_server *server, struct err *err)
{
	char plain[COMMAND_MAX / 2];
	char line[COMMAND_MAX];
	struct out out = {.p = line, .cap = sizeof(line)};
	const int n = snprintf(plain, sizeof(plain), "%c%s%c%s", '\0', server->user, '\0',
			       server->password);
	bool go_on = false;
	int r;

	if (n < 0 || (size_t)n >= sizeof(plain) ||
	    !base64_encode(&out, span_of(plain, (size_t)n)) || !out_put(&out, SPAN_LIT("\r\n")))
		r = err_set(err, EINVAL, "the password of '%s' is too long", server->user);
	else
		r = send(s, "AUTHENTICATE PLAIN", "", err);
	if (r == 0)
		r = answer(s, -EACCES, &go_on, err);
	if (r == 0 && !go_on)
		r = surprise(s, SPAN_LIT("OK at once"), err);
	if (r == 0)
		r = stream_write(&s->stream, line, out.n, err);
	if (r == 0)
		r = answer(s, -EACCES, NULL, err);
	secret_wipe(plain, sizeof(plain));
	secret_wipe(line, sizeof(line));
	return r;
}

static int log_in(struct imap_session *s, const struct import_server *server, struct err *err)
{
	char arguments[COMMAND_MAX];
	struct out out = {.p = arguments, .cap = sizeof(arguments) - 1};
	int r;

	if (s->plain)
		return authenticate(s, server, err);
	if (s->login_disabled)
		return err_set(err, EACCES, "%s lets nobody log in by password", s->stream.host);
	if (quote(&out, server->user) && out_char(&out, ' ') && quote(&out, server->password)) {
		arguments[out.n] = '\0';
		r = ask(s, "LOGIN", arguments, -EACCES, err);
	} else {
		r = err_set(err, EINVAL, "the password of '%s' can't be sent by LOGIN",
			    server->user);
	}
	secret_wipe(arguments, sizeof(arguments));
	return r;
}

static int examine(struct imap_session *s, const char *folder, struct err *err)
{
	char name[COMMAND_MAX / 2];
	struct out out = {.p = name, .cap = sizeof(name) - 1};
	int r;

	if (!quote(&out, folder))
		return err_set(err, EINVAL, "'%s' is no folder's name in IMAP", folder);
	name[out.n] = '\0';
	r = ask(s, "EXAMINE", name, -ENOENT, err);
	if (r == 0 && s->uid_validity == 0)
		return err_set(err, EOPNOTSUPP, "%s says no UIDVALIDITY", s->stream.host);
	return r;
}

static int open_session(struct imap_session *s, const struct import_server *server,
			const char *folder, struct err *err)
{
	const bool implicit = server->tls == IMPORT_TLS_IMPLICIT;
	int fd;
	int r = dial(&(struct dial_options){.host = server->host,
					    .port = server->port != 0 ? server->port
						    : implicit        ? PORT_TLS
								      : PORT_CLEAR,
					    .timeout_ms = IDLE_MS,
					    .stop_fd = -1},
		     &fd, err);

	if (r < 0)
		return r;
	stream_open(&s->stream, fd, server->host, IDLE_MS, -1);
	if (implicit)
		r = start_tls(s, server, err);
	if (r == 0)
		r = greet(s, err);
	if (r == 0)
		r = ask(s, "CAPABILITY", "", -EPROTO, err);
	if (r == 0 && server->tls == IMPORT_TLS_STARTTLS)
		r = starttls(s, server, err);
	if (r == 0)
		r = log_in(s, server, err);
	return r < 0 ? r : examine(s, folder, err);
}

int imap_session_open(const struct import_server *server, const char *folder,
		      struct imap_session **ret_session, struct err *err)
{
	struct imap_session *const s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return err_sys(err, ENOMEM, "cannot connect to %s", server->host);
	r = open_session(s, server, folder, err);
	if (r < 0) {
		stream_close(&s->stream);
		free(s);
		return r;
	}
	*ret_session = s;
	return 0;
}

uint32_t imap_session_uid_validity(const struct imap_session *s)
{
	return s->uid_validity;
}

void imap_session_close(struct imap_session *s)
{
	struct err err;

	if (s == NULL)
		return;
	/* Whatever it says: nothing was changed. */
	(void)send(s, "LOGOUT", "", &err);
	stream_close(&s->stream);
	free(s);
}

/* ---- messages ---- */

static int add(struct imap_session *s, struct import_listing *l, const struct imap_message *m,
	       struct err *err)
{
	struct import_message message = {.order = m->uid, .at = m->uid, .bytes = m->octets};
	int r;

	(void)import_date_parse(m->date, &message.arrived);
	memcpy(message.flags, m->flags, sizeof(message.flags));
	r = import_listing_add(l, &message, span_of("", 0));
	return r < 0 ? err_sys(err, -r, "cannot list the messages at %s", s->stream.host) : 0;
}

int imap_session_list(struct imap_session *s, struct import_listing *l, struct err *err)
{
	int r;

	/* "1:*" of nothing is the last one there is, and an error with some servers. */
	if (s->exists == 0)
		return 0;
	r = send(s, "UID FETCH", "1:* (UID FLAGS INTERNALDATE RFC822.SIZE)", err);
	while (r == 0) {
		struct imap_message m = {.uid = 0};
		enum imap_status status;
		struct imap_event e;
		struct span text;

		r = next(s, &status, &e, err);
		if (r < 0 || status != IMAP_TEXT)
			continue;
		if (is_tagged(s, &e, &text))
			return end_of(s, text, -EPROTO, err);
		/* A change of flags comes without UID. */
		if (imap_message_take(&m, &e) && !e.literal && m.uid != 0 && m.date.n > 0)
			r = add(s, l, &m, err);
	}
	return r;
}

/* A message of one line may come so. */
static void put_quoted(struct import_text *to, struct span quoted)
{
	for (size_t i = 0; i < quoted.n; i++) {
		if (quoted.p[i] == '\\' && i + 1 < quoted.n)
			i++;
		import_text_put(to, span_of(quoted.p + i, 1));
	}
}

int imap_session_fetch(struct imap_session *s, uint32_t uid, struct import_text *to,
		       struct err *err)
{
	struct imap_message m = {.uid = 0};
	char arguments[64];
	bool inside = false; /* of what was asked for */
	bool found = false;
	int r;

	(void)snprintf(arguments, sizeof(arguments), "%u (UID BODY.PEEK[])", uid);
	r = send(s, "UID FETCH", arguments, err);
	while (r == 0) {
		enum imap_status status;
		struct imap_event e;
		struct span text;

		r = next(s, &status, &e, err);
		if (r < 0)
			break;
		if (status == IMAP_DATA) {
			if (inside)
				import_text_put(to, e.text);
			continue;
		}
		if (is_tagged(s, &e, &text)) {
			r = end_of(s, text, -ENOENT, err);
			break;
		}
		if (e.begins)
			m = (struct imap_message){.uid = 0};
		inside = imap_message_take(&m, &e) && m.body && e.literal && !found;
		if (m.body && !found)
			put_quoted(to, m.quoted);
		found = found || m.body;
	}
	if (r == 0 && !found)
		return err_set(err, ENOENT, "UID %u is gone from %s", uid, s->stream.host);
	return r;
}
