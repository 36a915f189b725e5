/* SPDX-License-Identifier: MIT */
/*
 * ctl.h - restantectl: its commands and what they share. Commands say on standard
 * error what went wrong, and return what to exit with (sysexits.h).
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "server/config.h"

/* What the command line said. Strings are borrowed from argv. */
struct ctl {
	const char *config_path;
	struct config config;
	const char *scheme; /* --scheme; NULL when not given, as all below */
	const char *uid;
	const char *gid;
	const char *home;
	bool no_scram;
	const char *service;
	const char *device;
	const char *name;         /* the user's, for commands that want one */
	const char *label;        /* and what of that user's */
	const char *const *words; /* what follows them, up to NULL */
	bool list;

	/* Moving in. */
	const char *source; /* the word behind "import" */
	bool all;
	bool dry_run;
	bool remove_gone;
	const char *from;
	const char *read_as;
	const char *uidl_format;
	const char *folder;
	const char *login;
	const char *passwords;
	const char *tls;
	const char *cafile;
	const char *to;
	const char *to_tls;
	const char *to_passwords;
	bool json;

	/* Which sessions. */
	const char *user;
	const char *address;

	/* How often, and how long between. */
	const char *count;
	const char *interval;
};

/* One row a command: restantectl --help and a test of the manual read it. */
struct ctl_command {
	const char *group; /* "user" */
	const char *verb;  /* "add"; NULL when the command is one word */
	const char *arguments;
	const char *what;
	bool wants_name; /* or --all, where that is among its options */
	bool may_name;   /* it may be left out */
	bool wants_label;
	bool wants_words;    /* one at least, behind the name */
	bool may_have_words; /* or --all, which then says nothing of the name */
	unsigned options;    /* enum ctl_option that make sense with it */
	int (*run)(struct ctl *ctl);
};

enum ctl_option {
	CTL_SCHEME = 1 << 0,
	CTL_UID = 1 << 1,
	CTL_GID = 1 << 2,
	CTL_HOME = 1 << 3,
	CTL_NO_SCRAM = 1 << 4,
	CTL_SERVICE = 1 << 5,
	CTL_LIST = 1 << 6,
	CTL_DEVICE = 1 << 7,
	CTL_USER = 1 << 12,
	CTL_ADDRESS = 1 << 13,
	CTL_COUNT = 1 << 14,
	CTL_INTERVAL = 1 << 15,
	CTL_ALL = 1 << 16,
	CTL_DRY_RUN = 1 << 17,
	CTL_REMOVE_GONE = 1 << 18,
	CTL_FROM = 1 << 19,
	CTL_READ_AS = 1 << 20,
	CTL_UIDL_FORMAT = 1 << 21,
	CTL_LOGIN = 1 << 22,
	CTL_PASSWORDS = 1 << 23,
	CTL_TLS = 1 << 24,
	CTL_CAFILE = 1 << 25,
	CTL_TO = 1 << 26,
	CTL_TO_TLS = 1 << 27,
	CTL_TO_PASSWORDS = 1 << 28,
	CTL_JSON = 1 << 29,
	CTL_FOLDER = 1 << 30,
};

int ctl_user_add(struct ctl *ctl);
int ctl_user_passwd(struct ctl *ctl);
int ctl_user_remove(struct ctl *ctl);
int ctl_user_list(struct ctl *ctl);
int ctl_user_show(struct ctl *ctl);
int ctl_user_set(struct ctl *ctl);
int ctl_user_unset(struct ctl *ctl);

int ctl_undelete(struct ctl *ctl);
int ctl_device_list(struct ctl *ctl);
int ctl_device_forget(struct ctl *ctl);

int ctl_app_password_add(struct ctl *ctl);
int ctl_app_password_list(struct ctl *ctl);
int ctl_app_password_revoke(struct ctl *ctl);

/* Takes all of them from a user who is removed. An exit status. */
int ctl_app_password_forget(struct ctl *ctl, const char *user);

/* Behind a word that can't be a device's name. */
#define CTL_DEVICE_NAMES \
	"a device's name is made of letters and digits, with '-', '_' and '.' between them"

/* How many the user has. */
size_t ctl_app_password_count(const struct ctl *ctl, const char *user);

/* ctl->name as its database has it. An exit status; what failed is said. */
int ctl_find_user(const struct ctl *ctl, char ret_name[LIMIT_USER + 1]);

/* Whose group a file is that root makes, and that those who check passwords must read; or -1. */
gid_t ctl_server_group(const struct ctl *ctl);

int ctl_import(struct ctl *ctl);
int ctl_verify_uidl(struct ctl *ctl);

int ctl_status(struct ctl *ctl);
int ctl_sessions(struct ctl *ctl);
int ctl_kick(struct ctl *ctl);
int ctl_top(struct ctl *ctl);

int ctl_config_check(struct ctl *ctl);
int ctl_reload(struct ctl *ctl);
int ctl_upgrade(struct ctl *ctl);
int ctl_stop(struct ctl *ctl);

/* Says "restantectl: TEXT" on standard error. Returns status, so that it can be returned. */
int ctl_complain(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same for a negative errno with its words: the status is chosen by the errno. */
int ctl_fail(int r, const struct err *err);

/* Ends standard output: 0, or EX_IOERR said when what was printed went nowhere. */
int ctl_printed(void);
