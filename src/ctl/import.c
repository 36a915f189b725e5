/* SPDX-License-Identifier: MIT */
/* restantectl import: mail from another server, with its UIDLs and their order. */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/secret.h"
#include "auth/user_name.h"
#include "import/dovecot_format.h"
#include "import/import_run.h"
#include "import/import_source.h"
#include "ctl/ctl.h"
#include "ctl/maildrops.h"
#include "ctl/old_server.h"

/* Sources that are files below --from, or without it the maildrop. */
static const struct {
	const char *name;
	int (*open)(const struct import_place *place, struct import_source **ret_source,
		    struct err *err);
	bool is_spool; /* never the maildrop */
} file_sources[] = {
	{"courier", import_courier_open, false}, {"qmail", import_qmail_open, false},
	{"popa3d", import_popa3d_open, true},    {"uw", import_uw_open, true},
	{"qpopper", import_qpopper_open, true},
};

#define FILE_SOURCES (sizeof(file_sources) / sizeof(file_sources[0]))

struct import {
	struct ctl *ctl;
	struct store *store;
	bool by_network;
	bool by_imap;             /* then */
	struct ctl_server server; /* by network */
	const char *user;         /* whose mail is moving */
	size_t users;
	size_t failed_users;
	struct import_result total;
};

static void remark(void *ctx, const char *text)
{
	const struct import *const im = ctx;

	(void)ctl_complain(0, "%s: %s", im->user, text);
}

static void store_remark(void *ctx, const char *maildrop, const char *text)
{
	(void)maildrop;
	remark(ctx, text);
}

/* Where the user's old mail is, and whose rights it is read with. An exit status. */
static int find_place(const struct import *im, const struct ctl_maildrop *m, char *ret_path,
		      struct import_place *ret_place)
{
	const struct ctl *const ctl = im->ctl;
	const struct user_location of = {
		.name = span_str(m->user),
		.home = m->home,
		.default_domain = ctl->config.default_domain,
	};
	const struct passwd *pw;
	struct err err;

	if (ctl->from == NULL)
		(void)snprintf(ret_path, LIMIT_PATH, "%s", m->path);
	else if (user_mail_path(ctl->from, &of, ret_path, &err) < 0)
		return ctl_complain(EX_USAGE, "--from: %s", err.text);
	*ret_place = (struct import_place){
		.path = ret_path, .uid = m->owner.uid, .gid = m->owner.gid};
	if (ctl->read_as == NULL)
		return EX_OK;
	pw = getpwnam(ctl->read_as);
	if (pw == NULL)
		return ctl_complain(EX_NOUSER, "--read-as: there is no account '%s'", ctl->read_as);
	/* Root is whom the store never becomes: then it stays what it is. */
	ret_place->uid = pw->pw_uid == 0 && geteuid() == 0 ? UINT32_MAX : pw->pw_uid;
	ret_place->gid = pw->pw_uid == 0 ? UINT32_MAX : pw->pw_gid;
	return EX_OK;
}

static int open_files(const struct ctl *ctl, const struct import_place *place,
		      struct import_source **ret_source, struct err *err)
{
	if (strcmp(ctl->source, "dovecot") == 0)
		return import_dovecot_open(
			place, ctl->uidl_format != NULL ? ctl->uidl_format : DOVECOT_FORMAT_DEFAULT,
			ret_source, err);
	for (size_t i = 0; i < FILE_SOURCES; i++) {
		if (strcmp(ctl->source, file_sources[i].name) == 0)
			return file_sources[i].open(place, ret_source, err);
	}
	return err_set(err, EINVAL, "there is no source '%s'", ctl->source);
}

/* 0; negative errno with *err; or an exit status, which was said. */
static int open_source(struct import *im, const struct ctl_maildrop *m,
		       struct import_source **ret_source, struct err *err)
{
	const char *const folder = im->ctl->folder != NULL ? im->ctl->folder : "INBOX";
	char path[LIMIT_PATH];
	char login[LIMIT_USER + 1];
	char password[LIMIT_PASSWORD + 2];
	struct import_place place;
	struct import_server server;
	int r;

	if (strcmp(im->ctl->source, "doveadm") == 0) {
		r = ctl_server_login(im->ctl->login, im->ctl, m->user, login);
		return r != EX_OK ? r : import_doveadm_open(im->ctl->from, login, ret_source, err);
	}
	if (!im->by_network) {
		r = find_place(im, m, path, &place);
		return r != EX_OK ? r : open_files(im->ctl, &place, ret_source, err);
	}
	r = ctl_server_user(&im->server, im->ctl, m, login, password, &server);
	if (r == EX_OK)
		r = im->by_imap ? import_imap_open(&server, folder, im->ctl->uidl_format,
						   ret_source, err)
				: import_pop3_source(&server, ret_source, err);
	secret_wipe(password, sizeof(password));
	return r;
}

static void print_result(const struct ctl *ctl, const char *who, const struct import_result *r)
{
	(void)printf("%s: %zu messages", who, r->listed);
	if (r->in_place)
		(void)printf("%s, in their place: %zu %s UIDL and order",
			     ctl->dry_run ? " (dry run)" : "", r->here,
			     ctl->dry_run ? "would keep" : "keep");
	else
		(void)printf("%s: %zu %s, %zu here before", ctl->dry_run ? " (dry run)" : "",
			     r->brought, ctl->dry_run ? "would be brought" : "brought", r->here);
	if (r->deleted > 0)
		(void)printf(", %zu deleted here since", r->deleted);
	if (r->gone > 0)
		(void)printf(", %zu gone from the old server%s", r->gone,
			     !ctl->remove_gone ? ""
			     : ctl->dry_run    ? " (would be removed)"
					       : " (removed)");
	if (r->failed > 0)
		(void)printf(", %zu could not be read", r->failed);
	(void)printf("\n");
}

static void add(struct import_result *total, const struct import_result *r)
{
	total->listed += r->listed;
	total->here += r->here;
	total->brought += r->brought;
	total->deleted += r->deleted;
	total->gone += r->gone;
	total->failed += r->failed;
}

static int status_of(int r)
{
	switch (-r) {
	case EBUSY:
	case EAGAIN:
	case ETIMEDOUT:
	case ECONNREFUSED:
	case ECONNRESET:
		return EX_TEMPFAIL;
	case EBADMSG:
	case EINVAL:
		return EX_DATAERR;
	case EACCES:
	case EPERM:
	case EROFS:
		return EX_NOPERM;
	default:
		return EX_IOERR;
	}
}

static int import_user(void *arg, const struct ctl_maildrop *m)
{
	struct import *const im = arg;
	struct import_job job = {
		.store = im->store,
		.owner = m->owner,
		.dry_run = im->ctl->dry_run,
		.remove_gone = im->ctl->remove_gone,
		.remark = remark,
		.ctx = im,
	};
	struct import_result result;
	struct err err;
	int r;

	im->user = m->user;
	im->users++;
	r = open_source(im, m, &job.source, &err);
	if (r == 0) {
		r = import_run(&job, &result, &err);
		import_source_close(job.source);
	}
	if (r != 0)
		im->failed_users++;
	if (r > 0)
		return r;
	if (r < 0) {
		return ctl_complain(status_of(r), "%s: %s", m->user, err.text);
	}
	print_result(im->ctl, m->user, &result);
	add(&im->total, &result);
	return result.failed > 0 ? EX_DATAERR : EX_OK;
}

static int init(struct import *im)
{
	const struct ctl *const ctl = im->ctl;

	/* Whoever hangs up is an error of that user's, not our end. */
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < FILE_SOURCES; i++) {
		if (file_sources[i].is_spool && ctl->from == NULL &&
		    strcmp(ctl->source, file_sources[i].name) == 0)
			return ctl_complain(EX_USAGE, "--from says where the spools are");
	}
	im->by_imap = strcmp(ctl->source, "imap") == 0;
	im->by_network = im->by_imap || strcmp(ctl->source, "pop3") == 0;
	if (!im->by_network)
		return EX_OK;
	if (ctl->from == NULL)
		return ctl_complain(EX_USAGE, "--from says which server has the mail");
	if (im->by_imap && ctl->uidl_format == NULL)
		return ctl_complain(EX_USAGE, "--uidl-format says how its POP3 makes UIDLs");
	if (ctl->all && ctl->passwords == NULL)
		return ctl_complain(EX_USAGE, "--all wants --passwords: nobody types them all");
	return ctl_server_init(&im->server, ctl->from, ctl->tls, ctl->cafile, ctl->login,
			       ctl->passwords);
}

int ctl_import(struct ctl *ctl)
{
	struct import im = {.ctl = ctl, .user = ""};
	struct err err;
	int status = init(&im);
	int r;

	if (status != EX_OK) {
		ctl_server_done(&im.server);
		return status;
	}
	r = store_new(ctl->config.store_driver, ctl->config.hostname, store_remark, &im, &im.store,
		      &err);

	status = r < 0 ? ctl_fail(r, &err) : ctl_each_maildrop(ctl, import_user, &im);
	store_free(im.store);
	ctl_server_done(&im.server);
	if (ctl->all) {
		(void)printf("%zu users, %zu of them failed; ", im.users, im.failed_users);
		print_result(ctl, "in all", &im.total);
	}
	r = ctl_printed();
	return status != EX_OK ? status : r;
}
