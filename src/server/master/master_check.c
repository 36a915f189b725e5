/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "auth/user_name.h"
#include "auth/userdb.h"
#include "server/master/master_priv.h"
#include "server/privileges.h"
#include "server/tls_options.h"

static int check_tls(const struct config *config, struct err *err)
{
	struct tls_options options;
	struct tls_server *server;
	int r;

	if (!config_has_tls(config))
		return 0;
	tls_options_fill(config, &options);
	/* Here, and not in each listener once more. */
	options.server.on_notice = tls_options_log;
	r = tls_server_new(&options.server, &server, err);
	if (r == 0)
		tls_server_free(server);
	return r;
}

static int check_accounts(const struct config *config, struct err *err)
{
	if (geteuid() != 0)
		return 0;
	if (config->server_user[0] == '\0')
		return err_set(err, EINVAL, "server_user may not be empty when started by root");

	const int r = privileges_check(config->server_user, err);

	if (r < 0 || config->mail_user[0] == '\0')
		return r;
	return privileges_check(config->mail_user, err);
}

static void on_notice(void *arg, const char *text)
{
	(void)arg;
	log_event(LOG_LEVEL_WARN, "users-file", log_str("notice", text));
}

/* With a user who could be there: what else can be wrong with it is wrong for everybody. */
static int check_location(const struct config *config, struct err *err)
{
	const struct user_location somebody = {
		.name = SPAN_LIT("somebody@example.org"),
		.home = "/home/somebody",
		.default_domain = config->default_domain,
	};
	char path[LIMIT_PATH];
	struct err why;
	const int r = user_mail_path(config->mail_location, &somebody, path, &why);

	return r < 0 ? err_set(err, -r, "mail_location \"%s\": %s", config->mail_location, why.text)
		     : 0;
}

/* That a database is away now is nothing that the configuration could mend. */
static int check_users(const struct config *config, struct err *err)
{
	static struct config_databases databases;
	const struct userdb_rules rules = {
		.default_domain = config->default_domain,
		.recipient_delimiter = config->recipient_delimiter,
		.first_uid = config->pam_first_uid,
	};
	struct userdb *db = userdb_new(&rules, on_notice, NULL);
	int r = db == NULL ? err_sys(err, ENOMEM, "cannot read the users") : 0;

	config_databases(config, &databases);
	for (uint32_t i = 0; r == 0 && i < databases.n; i++)
		r = userdb_check(db, databases.spec[i], err);
	userdb_free(db);
	return r;
}

/* In the order in which the processes do it, and with the same rights. */
static int check(const struct config *config, struct err *err)
{
	int r = check_accounts(config, err);

	if (r == 0)
		r = check_tls(config, err);
	if (r == 0)
		r = check_location(config, err);
	if (r == 0)
		r = privileges_drop(config->server_user, false, err);
	if (r == 0)
		r = check_users(config, err);
	return r;
}

/* The child's result: what check() returned and said. */
struct result {
	int r;
	struct err err;
};

typedef int checker(const struct config *config, struct err *err);

__attribute__((noreturn)) static void be_checker(checker *f, const struct config *config, int pipe)
{
	struct result result = {.err.text = ""};

	result.r = f(config, &result.err);
	if (write(pipe, &result, sizeof(result)) != (ssize_t)sizeof(result))
		_exit(1);
	_exit(0);
}

static int check_apart(checker *f, const struct config *config, struct err *err)
{
	struct result result;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "cannot check the configuration");

	const pid_t pid = fork();

	if (pid == 0)
		be_checker(f, config, ends[1]);
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return err_sys(err, errno, "cannot check the configuration");
	}

	/* Less than PIPE_BUF: it comes in one piece or not at all. */
	const ssize_t n = read(ends[0], &result, sizeof(result));

	(void)close(ends[0]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(result))
		return err_set(err, EIO, "the configuration's check died");
	if (err != NULL && result.r < 0)
		*err = result.err;
	return result.r;
}

int master_check(const struct config *config, struct err *err)
{
	return check_apart(check, config, err);
}

int master_check_tls(const struct config *config, struct err *err)
{
	return check_apart(check_tls, config, err);
}
