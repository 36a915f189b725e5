/* SPDX-License-Identifier: MIT */
#include "client/account.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/out.h"
#include "base/value.h"
#include "net/dial_proxy.h"
#include "client/account_priv.h"
#include "client/pin.h"
#include "client/server_address.h"

#define POP3_PORT 110
#define POP3S_PORT 995

static bool find_choice(const struct account_row *row, const char *text, uint32_t *ret_value,
			struct err *err)
{
	char words[256] = "";
	struct out o = {.p = words, .cap = sizeof(words) - 1};

	for (const struct account_choice *c = row->choices; c->word != NULL; c++) {
		if (strcmp(c->word, text) == 0) {
			*ret_value = c->value;
			return true;
		}
		(void)(o.n == 0 || out_put(&o, SPAN_LIT(", ")));
		(void)out_put(&o, span_str(c->word));
	}
	words[o.n] = '\0';
	(void)err_set(err, EINVAL, "%s must be one of: %s; not \"%s\"", row->option.name, words,
		      text);
	return false;
}

static bool set_size(struct account *a, const struct account_row *row, const char *text,
		     struct err *err)
{
	uint64_t n;

	if (!value_size(text, row->max, &n)) {
		(void)err_set(err, EINVAL,
			      "%s needs a size such as \"1000000\" or \"50M\", not \"%s\"",
			      row->option.name, text);
		return false;
	}
	memcpy((char *)a + row->at, &n, sizeof(n));
	return true;
}

static bool set_number(struct account *a, const struct account_row *row, const char *text,
		       struct err *err)
{
	uint32_t n32;
	uint64_t n;

	if (row->kind == ACCOUNT_DURATION ? !value_duration(text, UINT64_MAX, &n)
					  : !num_parse_u64(span_str(text), UINT64_MAX, &n)) {
		(void)err_set(err, EINVAL, "%s needs %s, not \"%s\"", row->option.name,
			      row->kind == ACCOUNT_DURATION
				      ? "a time such as \"90\", \"90s\", \"10m\" or \"1h\""
				      : "a number",
			      text);
		return false;
	}
	if (n < row->min || n > row->max) {
		(void)err_set(err, EINVAL, "%s must be from %llu to %llu", row->option.name,
			      (unsigned long long)row->min, (unsigned long long)row->max);
		return false;
	}
	n32 = (uint32_t)n;
	memcpy((char *)a + row->at, &n32, sizeof(n32));
	return true;
}

static bool set_string(const char *name, struct span s, size_t cap, char *to, struct err *err)
{
	if (s.n >= cap) {
		(void)err_set(err, EINVAL, "%s is longer than %zu octets", name, cap - 1);
		return false;
	}
	/* What goes to the server goes there in a line. */
	for (size_t i = 0; i < s.n; i++) {
		if (iscntrl((unsigned char)s.p[i])) {
			(void)err_set(err, EINVAL, "%s has a control character", name);
			return false;
		}
	}
	/* All of it, for no trace of a longer value shall stay behind the NUL. */
	memset(to, 0, cap);
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	return true;
}

bool account_path(const char *name, const char *text, size_t cap, char *ret_path, struct err *err)
{
	char whole[2 * LIMIT_PATH];
	char here[LIMIT_PATH];
	const char *front = "";

	if (text[0] == '~' && text[1] == '/') {
		front = getenv("HOME");
		text++;
	} else if (text[0] != '/' && text[0] != '\0') {
		front = getcwd(here, sizeof(here));
	}
	if (front == NULL) {
		(void)err_set(err, EINVAL, "%s needs an absolute path", name);
		return false;
	}

	const int n = snprintf(whole, sizeof(whole), "%s%s%s", front, front == here ? "/" : "",
			       text);

	/* What was cut here is longer than may be. */
	return set_string(name, span_of(whole, (size_t)n < sizeof(whole) ? (size_t)n : cap), cap,
			  ret_path, err);
}

bool account_set(struct account *a, unsigned i, const char *text, struct err *err)
{
	const struct account_row *const row = &account_rows[i];
	char *const to = (char *)a + row->at;
	uint32_t value;

	assert(i < ACCOUNT_ROWS);
	switch (row->kind) {
	case ACCOUNT_STRING:
		return (row->choices == NULL || find_choice(row, text, &value, err)) &&
		       set_string(row->option.name, span_str(text), row->max, to, err);
	case ACCOUNT_PATH:
		return account_path(row->option.name, text, row->max, to, err);
	case ACCOUNT_NUMBER:
	case ACCOUNT_DURATION:
		return set_number(a, row, text, err);
	case ACCOUNT_SIZE:
		return set_size(a, row, text, err);
	case ACCOUNT_CHOICE:
		if (!find_choice(row, text, &value, err))
			return false;
		memcpy(to, &value, sizeof(value));
		return true;
	}
	return false;
}

void account_init(struct account *a)
{
	memset(a, 0, sizeof(*a));
	for (unsigned i = 0; i < ACCOUNT_ROWS; i++) {
		const bool ok = account_set(a, i, account_rows[i].option.fallback, NULL);

		assert(ok);
		(void)ok;
	}
}

static const struct {
	const char *option;
	size_t at;
} destinations[ACCOUNT_DESTINATIONS] = {
	[ACCOUNT_TO_MAILDIR] = {"maildir", offsetof(struct account, maildir)},
	[ACCOUNT_TO_MBOX] = {"mbox", offsetof(struct account, mbox)},
	[ACCOUNT_TO_COMMAND] = {"deliver_command", offsetof(struct account, deliver_command)},
	[ACCOUNT_TO_LMTP] = {"lmtp", offsetof(struct account, lmtp)},
	[ACCOUNT_TO_SMTP] = {"smtp", offsetof(struct account, smtp)},
	[ACCOUNT_TO_IMAP] = {"imap", offsetof(struct account, imap)},
};

const char *account_destination_option(enum account_destination to)
{
	return destinations[to].option;
}

const char *account_destination_value(const struct account *a, enum account_destination to)
{
	return (const char *)a + destinations[to].at;
}

enum account_destination account_destination(const struct account *a)
{
	enum account_destination to = ACCOUNT_TO_MAILDIR;

	while (to + 1 < ACCOUNT_DESTINATIONS && account_destination_value(a, to)[0] == '\0')
		to++;
	return to;
}

void account_forget_destination(struct account *a)
{
	for (unsigned to = 0; to < ACCOUNT_DESTINATIONS; to++)
		((char *)a)[destinations[to].at] = '\0';
}

/* "smtps://mail.example.org:465": what curl would make of more isn't what is meant. */
static bool is_url(const char *text, const char *scheme)
{
	struct server_address address;
	struct span s = span_str(text);

	if (!span_starts_with_nocase(s, span_str(scheme)))
		return false;
	span_skip(&s, strlen(scheme));
	if (s.n > 0 && (s.p[0] == 's' || s.p[0] == 'S'))
		span_skip(&s, 1);
	if (s.n < 3 || memcmp(s.p, "://", 3) != 0)
		return false;
	span_skip(&s, 3);
	return server_address_parse(s, 1, &address) && address.path[0] == '\0' &&
	       strpbrk(s.p, "/@?#% ") == NULL;
}

static const char *wrong_server(const struct account *a, enum account_destination to)
{
	if (to == ACCOUNT_TO_SMTP && !is_url(a->smtp, "smtp"))
		return "smtp must be smtp://HOST, smtps://HOST or these with :PORT";
	if (to == ACCOUNT_TO_IMAP && !is_url(a->imap, "imap"))
		return "imap must be imaps://HOST, imap://HOST or these with :PORT";
	if (to == ACCOUNT_TO_IMAP && a->deliver_user[0] == '\0')
		return "imap needs a deliver_user";
	if (strpbrk(a->imap_flags, "(){}\"%*[]") != NULL)
		return "imap_flags must be flags with spaces between them, such as \\Seen";
	if (a->deliver_password_command[0] != '\0' && a->deliver_password_file[0] != '\0')
		return "deliver_password_command and deliver_password_file exclude each other";
	return NULL;
}

static const char *wrong_destination(const struct account *a)
{
	const enum account_destination to = account_destination(a);
	struct server_address address;
	unsigned n = 0;

	for (unsigned i = 0; i < ACCOUNT_DESTINATIONS; i++)
		n += account_destination_value(a, i)[0] != '\0';
	if (n == 0)
		return "there is no maildir, and nothing else that the mail could go to";
	if (n > 1)
		return "maildir, mbox, deliver_command, lmtp, smtp and imap exclude each other";
	if (to != ACCOUNT_TO_MAILDIR && a->on_server == ACCOUNT_MIRROR)
		return "on_server = mirror needs a maildir: nothing else shows what was deleted";
	if (to == ACCOUNT_TO_COMMAND && a->deliver_command[0] != '/')
		return "deliver_command must begin with an absolute path: there is no shell";
	if (to == ACCOUNT_TO_LMTP && !server_address_parse(span_str(a->lmtp), 1, &address))
		return "lmtp must be HOST, HOST:PORT, [ADDRESS]:PORT or unix:PATH";
	if ((to == ACCOUNT_TO_LMTP || to == ACCOUNT_TO_SMTP) && a->recipient[0] == '\0')
		return "lmtp and smtp need a recipient";
	return wrong_server(a, to);
}

const char *account_check(const struct account *a)
{
	const int sources = (a->password[0] != '\0') + (a->password_command[0] != '\0') +
			    (a->password_file[0] != '\0') + (a->password_credential[0] != '\0');
	const char *wrong;

	if (a->host[0] == '\0')
		return "there is no host";
	if (a->user[0] == '\0')
		return "there is no user";
	wrong = wrong_destination(a);
	if (wrong != NULL)
		return wrong;
	if (sources > 1)
		return "password, password_command, password_file and password_credential exclude "
		       "each other";
	if (strchr(a->password_credential, '/') != NULL)
		return "password_credential is a name, and no path";
	if (a->proxy[0] != '\0' && dial_proxy_check(a->proxy) != NULL)
		return dial_proxy_check(a->proxy);
	if (!pin_check(span_str(a->pin)))
		return "pin must be sha256// and 44 letters of base64, with ';' between several";
	if (a->tls == ACCOUNT_TLS_NONE && a->pin[0] != '\0')
		return "pin is for TLS, and tls says that there is none";
	if (a->tls == ACCOUNT_TLS_NONE && a->cafile[0] != '\0')
		return "cafile is for TLS, and tls says that there is none";
	return NULL;
}

uint16_t account_port(const struct account *a)
{
	if (a->port != 0)
		return (uint16_t)a->port;
	return a->tls == ACCOUNT_TLS_IMPLICIT ? POP3S_PORT : POP3_PORT;
}

void account_identity(const struct account *a, char ret_identity[static ACCOUNT_IDENTITY_MAX + 1])
{
	const uint16_t port = account_port(a);
	struct out o = {.p = ret_identity, .cap = ACCOUNT_IDENTITY_MAX};
	bool ok = out_put(&o, span_str(a->user)) && out_char(&o, '@');

	for (const char *c = a->host; *c != '\0' && ok; c++)
		ok = out_char(&o, span_ascii_lower(*c));
	if (port != POP3_PORT && port != POP3S_PORT)
		ok = ok && out_char(&o, ':') && out_u64(&o, port);
	assert(ok);
	ret_identity[o.n] = '\0';
}
