/* SPDX-License-Identifier: MIT */
/*
 * old_server.h - how to reach a server that users have to be logged in at, as the command
 * line says it, and with which passwords.
 */
#pragma once

#include "base/limits.h"
#include "base/text_file.h"
#include "import/import_server.h"
#include "ctl/maildrops.h"

/* Zero it. */
struct ctl_server {
	char host[LIMIT_ADDRESS + 1];
	struct import_server server; /* all but user and password; its strings are here */
	const char *login;           /* how users log in: "%u*master". Borrowed */
	struct text_file passwords;  /* Owned */
	const char *passwords_path;  /* Borrowed; NULL: one user's, that is asked for */
	char asked[LIMIT_PASSWORD + 2];
};

/*
 * where is "HOST", "HOST:PORT" or "[ADDRESS]:PORT"; tls one of the words of restante.conf(5),
 * or NULL. An exit status, after saying what is wrong.
 */
int ctl_server_init(struct ctl_server *s, const char *where, const char *tls, const char *cafile,
		    const char *login, const char *passwords);
void ctl_server_done(struct ctl_server *s);

/* How the user is called at a server where logins look like pattern; "%u" for NULL. */
int ctl_server_login(const char *pattern, const struct ctl *ctl, const char *user,
		     char ret_login[static LIMIT_USER + 1]);

/*
 * Fills in the user's login and password, wherever they come from: the file, or for want of
 * one the terminal. *ret_server borrows from s and ret_login. An exit status.
 */
int ctl_server_user(struct ctl_server *s, const struct ctl *ctl, const struct ctl_maildrop *m,
		    char ret_login[static LIMIT_USER + 1],
		    char ret_password[static LIMIT_PASSWORD + 2], struct import_server *ret_server);
