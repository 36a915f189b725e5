/* SPDX-License-Identifier: MIT */
/* restantectl verify-uidl: old and new server, compared over POP3 as each user's clients see them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/secret.h"
#include "import/import_verify.h"
#include "ctl/ctl.h"
#include "ctl/old_server.h"

/* So many are told of each user; the table counts them all. */
#define TOLD_MAX 20

struct verify {
	struct ctl *ctl;
	struct ctl_server old;
	struct ctl_server now;
	const char *user;
	size_t told;
	size_t users;
	size_t different;
	size_t failed;
};

/* UIDLs are other people's octets, and go to terminals and into JSON. */
static void print_quoted(struct span s)
{
	(void)putchar('"');
	for (size_t i = 0; i < s.n; i++) {
		const unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			(void)printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			(void)printf("\\u%04x", c);
		else
			(void)putchar(c);
	}
	(void)putchar('"');
}

static void print_side(const char *name, const struct import_message *m)
{
	if (m != NULL)
		(void)printf(", \"%s\": {\"number\": %llu, \"octets\": %llu}", name,
			     (unsigned long long)m->at, (unsigned long long)m->bytes);
}

static void seen(void *ctx, enum import_difference what, struct span uidl,
		 const struct import_message *old, const struct import_message *now)
{
	struct verify *const v = ctx;

	if (v->ctl->json) {
		(void)printf("%s{\"what\": \"%s\", \"uidl\": ", v->told++ > 0 ? ", " : "",
			     import_difference_word(what));
		print_quoted(uidl);
		print_side("old", old);
		print_side("new", now);
		(void)printf("}");
		return;
	}
	if (v->told++ >= TOLD_MAX)
		return;
	(void)printf("  %-7s ", import_difference_word(what));
	print_quoted(uidl);
	if (old != NULL)
		(void)printf("  old %llu (%llu octets)", (unsigned long long)old->at,
			     (unsigned long long)old->bytes);
	if (now != NULL)
		(void)printf("  new %llu (%llu octets)", (unsigned long long)now->at,
			     (unsigned long long)now->bytes);
	(void)printf("\n");
}

/* What a server shows this user. An exit status. */
static int list(struct verify *v, struct ctl_server *s, const struct ctl_maildrop *m,
		struct import_listing *l)
{
	char login[LIMIT_USER + 1];
	char password[LIMIT_PASSWORD + 2];
	struct import_server server;
	struct import_pop3 *session = NULL;
	struct err err;
	int status = ctl_server_user(s, v->ctl, m, login, password, &server);
	int r;

	if (status != EX_OK)
		return status;
	r = import_pop3_open(&server, &session, &err);
	secret_wipe(password, sizeof(password));
	if (r == 0)
		r = import_pop3_list(session, l, &err);
	import_pop3_close(session);
	if (r < 0)
		return ctl_complain(r == -EACCES ? EX_NOPERM : EX_TEMPFAIL, "%s: %s", m->user,
				    err.text);
	return EX_OK;
}

static void print_begin(const struct verify *v)
{
	if (v->ctl->json) {
		(void)printf("%s\n  {\"user\": ", v->users > 1 ? "," : "");
		print_quoted(span_str(v->user));
	}
}

static void print_end(const struct verify *v, const struct import_comparison *c, bool same)
{
	if (v->ctl->json) {
		(void)printf("], \"old\": %zu, \"new\": %zu, \"same\": %s}", c->old_count,
			     c->new_count, same ? "true" : "false");
		return;
	}
	if (v->told > TOLD_MAX)
		(void)printf("  and %zu more\n", v->told - TOLD_MAX);
	(void)printf("%-32s %8zu %8zu", v->user, c->old_count, c->new_count);
	for (int d = 0; d < IMPORT_DIFFERENCES; d++)
		(void)printf(" %8zu", c->differences[d]);
	(void)printf("  %s\n", same ? "same" : "DIFFERENT");
}

static int compare(struct verify *v, const struct import_listing *old,
		   const struct import_listing *now)
{
	struct import_comparison c;
	struct err err;
	bool same = true;
	int r;

	v->told = 0;
	print_begin(v);
	if (v->ctl->json)
		(void)printf(", \"differences\": [");
	r = import_compare(old, now, seen, v, &c, &err);
	for (int d = 0; d < IMPORT_DIFFERENCES; d++)
		same = same && c.differences[d] == 0;
	print_end(v, &c, same);
	if (r < 0)
		return ctl_fail(r, &err);
	v->different += !same;
	return same ? EX_OK : EX_DATAERR;
}

static int verify_user(void *arg, const struct ctl_maildrop *m)
{
	struct verify *const v = arg;
	struct import_listing old;
	struct import_listing now;
	int status;

	v->user = m->user;
	v->users++;
	import_listing_init(&old);
	import_listing_init(&now);
	status = list(v, &v->old, m, &old);
	if (status == EX_OK)
		status = list(v, &v->now, m, &now);
	if (status == EX_OK) {
		status = compare(v, &old, &now);
	} else {
		v->failed++;
		print_begin(v);
		if (v->ctl->json)
			(void)printf(", \"same\": null}");
		else
			(void)printf("%-32s could not be compared\n", m->user);
	}
	import_listing_done(&old);
	import_listing_done(&now);
	return status;
}

static int init(struct verify *v)
{
	const struct ctl *const ctl = v->ctl;
	int status;

	if (ctl->from == NULL || ctl->to == NULL)
		return ctl_complain(EX_USAGE, "--from and --to say which servers are compared");
	if (ctl->all && ctl->passwords == NULL)
		return ctl_complain(EX_USAGE, "--all wants --passwords: nobody types them all");
	status = ctl_server_init(&v->old, ctl->from, ctl->tls, ctl->cafile, ctl->login,
				 ctl->passwords);
	if (status == EX_OK)
		status = ctl_server_init(&v->now, ctl->to, ctl->to_tls, ctl->cafile, NULL,
					 ctl->to_passwords != NULL ? ctl->to_passwords
								   : ctl->passwords);
	return status;
}

int ctl_verify_uidl(struct ctl *ctl)
{
	struct verify v = {.ctl = ctl};
	int status = init(&v);
	int printed;

	/* A server that hangs up is an error of that user's, not our end. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (status == EX_OK) {
		if (ctl->json)
			(void)printf("[");
		else
			(void)printf("%-32s %8s %8s %8s %8s %8s %8s\n", "USER", "OLD", "NEW",
				     "MISSING", "EXTRA", "ORDER", "SIZE");
		status = ctl_each_maildrop(ctl, verify_user, &v);
		if (ctl->json)
			(void)printf("\n]\n");
		else if (ctl->all)
			(void)printf(
				"%zu users, %zu of them different, %zu could not be compared\n",
				v.users, v.different, v.failed);
	}
	ctl_server_done(&v.old);
	ctl_server_done(&v.now);
	printed = ctl_printed();
	return status != EX_OK ? status : printed;
}
