/* SPDX-License-Identifier: MIT */
/*
 * restantectl - the operator's command. restantectl(8) describes it; a test holds
 * the page against commands[] and options[].
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "restante-build.h"
#include "ctl/ctl.h"

#define DEFAULT_CONFIG RESTANTE_SYSCONFDIR "/restanted.conf"

#define SERVER_OPTIONS (CTL_FROM | CTL_LOGIN | CTL_PASSWORDS | CTL_TLS | CTL_CAFILE)
#define IMPORT_OPTIONS (CTL_ALL | CTL_FROM | CTL_READ_AS | CTL_DRY_RUN | CTL_REMOVE_GONE)

static const struct ctl_command commands[] = {
	{.group = "user",
	 .verb = "add",
	 .arguments = "NAME",
	 .what = "add a user, whose password is asked for",
	 .wants_name = true,
	 .options = CTL_SCHEME | CTL_NO_SCRAM | CTL_UID | CTL_GID | CTL_HOME,
	 .run = ctl_user_add},
	{.group = "user",
	 .verb = "passwd",
	 .arguments = "NAME",
	 .what = "change a user's password",
	 .wants_name = true,
	 .options = CTL_SCHEME | CTL_NO_SCRAM,
	 .run = ctl_user_passwd},
	{.group = "user",
	 .verb = "remove",
	 .arguments = "NAME",
	 .what = "remove a user; the mail stays",
	 .wants_name = true,
	 .run = ctl_user_remove},
	{.group = "user", .verb = "list", .what = "list the users' names", .run = ctl_user_list},
	{.group = "user",
	 .verb = "show",
	 .arguments = "NAME",
	 .what = "show a user's maildrop, owner, password scheme and rules",
	 .wants_name = true,
	 .run = ctl_user_show},
	{.group = "user",
	 .verb = "set",
	 .arguments = "NAME RULE=VALUE ...",
	 .what = "set rules of this user's maildrop",
	 .wants_name = true,
	 .wants_words = true,
	 .run = ctl_user_set},
	{.group = "user",
	 .verb = "unset",
	 .arguments = "NAME RULE ...",
	 .what = "let the configuration set them again",
	 .wants_name = true,
	 .wants_words = true,
	 .run = ctl_user_unset},
	{.group = "app-password",
	 .verb = "add",
	 .arguments = "USER NAME",
	 .what = "make a password for one program of a user, and show it",
	 .wants_name = true,
	 .wants_label = true,
	 .options = CTL_SERVICE | CTL_DEVICE,
	 .run = ctl_app_password_add},
	{.group = "app-password",
	 .verb = "list",
	 .arguments = "USER",
	 .what = "list a user's application passwords and their last use",
	 .wants_name = true,
	 .run = ctl_app_password_list},
	{.group = "app-password",
	 .verb = "revoke",
	 .arguments = "USER NAME",
	 .what = "take an application password away",
	 .wants_name = true,
	 .wants_label = true,
	 .run = ctl_app_password_revoke},
	{.group = "device",
	 .verb = "list",
	 .arguments = "USER",
	 .what = "list a user's devices and what each has deleted",
	 .wants_name = true,
	 .run = ctl_device_list},
	{.group = "device",
	 .verb = "forget",
	 .arguments = "USER DEVICE",
	 .what = "wait for a device no more; -: the login without one",
	 .wants_name = true,
	 .wants_label = true,
	 .run = ctl_device_forget},
	{.group = "undelete",
	 .arguments = "NAME UIDL ...",
	 .what = "bring back what DELE hid or moved to the trash",
	 .wants_name = true,
	 .may_have_words = true,
	 .options = CTL_ALL | CTL_LIST,
	 .run = ctl_undelete},
	{.group = "import",
	 .verb = "dovecot",
	 .arguments = "NAME",
	 .what = "take over a Maildir of Dovecot's",
	 .wants_name = true,
	 .options = IMPORT_OPTIONS | CTL_UIDL_FORMAT,
	 .run = ctl_import},
	{.group = "import",
	 .verb = "courier",
	 .arguments = "NAME",
	 .what = "take over a Maildir of Courier's",
	 .wants_name = true,
	 .options = IMPORT_OPTIONS,
	 .run = ctl_import},
	{.group = "import",
	 .verb = "qmail",
	 .arguments = "NAME",
	 .what = "take over a Maildir of qmail-pop3d's",
	 .wants_name = true,
	 .options = IMPORT_OPTIONS,
	 .run = ctl_import},
	{.group = "import",
	 .verb = "popa3d",
	 .arguments = "NAME",
	 .what = "bring a mail spool of popa3d's",
	 .wants_name = true,
	 .options = IMPORT_OPTIONS,
	 .run = ctl_import},
	{.group = "import",
	 .verb = "uw",
	 .arguments = "NAME",
	 .what = "bring a mail spool of UW ipop3d's",
	 .wants_name = true,
	 .options = IMPORT_OPTIONS,
	 .run = ctl_import},
	{.group = "import",
	 .verb = "qpopper",
	 .arguments = "NAME",
	 .what = "bring a mail spool of qpopper's",
	 .wants_name = true,
	 .options = IMPORT_OPTIONS,
	 .run = ctl_import},
	{.group = "import",
	 .verb = "doveadm",
	 .arguments = "NAME",
	 .what = "bring mail of a Dovecot that runs here: sdbox, mdbox",
	 .wants_name = true,
	 .options = CTL_ALL | CTL_FROM | CTL_LOGIN | CTL_DRY_RUN | CTL_REMOVE_GONE,
	 .run = ctl_import},
	{.group = "import",
	 .verb = "pop3",
	 .arguments = "NAME",
	 .what = "bring the mail of a POP3 server",
	 .wants_name = true,
	 .options = SERVER_OPTIONS | CTL_ALL | CTL_DRY_RUN | CTL_REMOVE_GONE,
	 .run = ctl_import},
	{.group = "import",
	 .verb = "imap",
	 .arguments = "NAME",
	 .what = "bring the mail of a folder at an IMAP server",
	 .wants_name = true,
	 .options = SERVER_OPTIONS | CTL_ALL | CTL_DRY_RUN | CTL_REMOVE_GONE | CTL_UIDL_FORMAT |
		    CTL_FOLDER,
	 .run = ctl_import},
	{.group = "verify-uidl",
	 .arguments = "NAME",
	 .what = "compare old and new server as clients see them",
	 .wants_name = true,
	 .options = SERVER_OPTIONS | CTL_ALL | CTL_TO | CTL_TO_TLS | CTL_TO_PASSWORDS | CTL_JSON,
	 .run = ctl_verify_uidl},
	{.group = "config",
	 .verb = "check",
	 .what = "check the configuration and the file of users",
	 .run = ctl_config_check},
	{.group = "status",
	 .what = "show how the server is",
	 .options = CTL_JSON,
	 .run = ctl_status},
	{.group = "sessions",
	 .what = "list who is connected",
	 .options = CTL_USER | CTL_ADDRESS | CTL_JSON,
	 .run = ctl_sessions},
	{.group = "kick",
	 .arguments = "[ID]",
	 .what = "close sessions, and delete nothing in them",
	 .may_name = true,
	 .options = CTL_USER | CTL_ADDRESS,
	 .run = ctl_kick},
	{.group = "top",
	 .what = "show what the server does now, again and again",
	 .options = CTL_COUNT | CTL_INTERVAL,
	 .run = ctl_top},
	{.group = "reload", .what = "make the server read both again", .run = ctl_reload},
	{.group = "upgrade",
	 .what = "put the installed program in the place of the running one",
	 .run = ctl_upgrade},
	{.group = "stop", .what = "stop the server when its sessions have ended", .run = ctl_stop},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* Long options that belong to some commands. */
static const struct {
	const char *name;
	const char *argument; /* NULL: none */
	const char *what;
	enum ctl_option bit;
} options[] = {
	{"scheme", "SCHEME", "how the password is stored; ARGON2ID when not given", CTL_SCHEME},
	{"no-scram", NULL, "keep no keys for SCRAM beside a hash", CTL_NO_SCRAM},
	{"uid", "UID", "user add: who owns the mail, when mail_user is empty", CTL_UID},
	{"gid", "GID", "user add: and which group", CTL_GID},
	{"home", "DIR", "user add: %h in mail_location", CTL_HOME},
	{"service", "SERVICE", "app-password add: works for this alone (pop3)", CTL_SERVICE},
	{"device", "DEVICE", "app-password add: has this device's view of the mail", CTL_DEVICE},
	{"all", NULL, "import: every user; undelete: every message", CTL_ALL},
	{"list", NULL, "undelete: show what can be brought back", CTL_LIST},
	{"from", "WHERE", "import: where the old mail is, if not in the maildrop", CTL_FROM},
	{"read-as", "USER", "import: whose rights it is read with", CTL_READ_AS},
	{"uidl-format", "FORMAT", "import: Dovecot's pop3_uidl_format", CTL_UIDL_FORMAT},
	{"folder", "FOLDER", "import imap: instead of INBOX", CTL_FOLDER},
	{"dry-run", NULL, "import: say what would be done", CTL_DRY_RUN},
	{"remove-gone", NULL, "import: delete what came and is gone there", CTL_REMOVE_GONE},
	{"passwords", "FILE", "of old users: \"user:password\" or \"*:password\"", CTL_PASSWORDS},
	{"login", "PATTERN", "how they log in there; %u when not given", CTL_LOGIN},
	{"tls", "HOW", "with it: implicit, stls or send-passwords-in-clear", CTL_TLS},
	{"cafile", "FILE", "trust these certificates and no others", CTL_CAFILE},
	{"to", "HOST[:PORT]", "verify-uidl: the new server", CTL_TO},
	{"to-tls", "HOW", "verify-uidl: as --tls", CTL_TO_TLS},
	{"to-passwords", "FILE", "verify-uidl: when they are others there", CTL_TO_PASSWORDS},
	{"json", NULL, "for programs", CTL_JSON},
	{"user", "USER", "sessions, kick: those of this user", CTL_USER},
	{"address", "ADDRESS", "sessions, kick: those from this address", CTL_ADDRESS},
	{"count", "N", "top: so many pages; without end on a terminal, else one", CTL_COUNT},
	{"interval", "SECONDS", "top: from one page to the next; 2 when not given", CTL_INTERVAL},
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

int ctl_complain(int status, const char *fmt, ...)
{
	va_list ap;

	(void)fputs("restantectl: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	return status;
}

int ctl_fail(int r, const struct err *err)
{
	int status = EX_IOERR;

	switch (-r) {
	case EACCES:
	case EPERM:
	case EROFS:
		status = EX_NOPERM;
		break;
	case ENOENT:
	case ENOTDIR:
	case EFBIG:
	case EINVAL:
		status = EX_NOINPUT;
		break;
	case ENOMEM:
		status = EX_OSERR;
		break;
	default:
		break;
	}
	return ctl_complain(status, "%s", err->text);
}

int ctl_printed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EX_OK;
	return ctl_complain(EX_IOERR, "cannot write: %s", strerror(errno));
}

static int help(void)
{
	(void)printf("usage: restantectl [-c FILE] COMMAND [OPTION ...] [NAME ...]\n\n");
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct ctl_command *c = &commands[i];
		char words[64];

		(void)snprintf(words, sizeof(words), "%s%s%s%s%s", c->group,
			       c->verb != NULL ? " " : "", c->verb != NULL ? c->verb : "",
			       c->arguments != NULL ? " " : "",
			       c->arguments != NULL ? c->arguments : "");
		(void)printf("  %-29s  %s\n", words, c->what);
	}
	(void)printf("\n  %-29s  %s\n", "-c, --config FILE", "instead of " DEFAULT_CONFIG);
	for (size_t i = 0; i < OPTIONS; i++) {
		char words[64];

		(void)snprintf(words, sizeof(words), "--%s%s%s", options[i].name,
			       options[i].argument != NULL ? " " : "",
			       options[i].argument != NULL ? options[i].argument : "");
		(void)printf("  %-29s  %s\n", words, options[i].what);
	}
	(void)printf("  %-29s  %s\n  %-29s  %s\n", "--help", "show this", "--version",
		     "show the version");
	(void)printf("\nA password is asked for twice, without echo; when standard input is not a\n"
		     "terminal, its first line is the password.\n");
	return ctl_printed();
}

static int usage(void)
{
	(void)fputs("usage: restantectl [-c FILE] COMMAND [OPTION ...] [NAME ...]\n"
		    "       restantectl --help\n",
		    stderr);
	return EX_USAGE;
}

/* Values of getopt_long for what has no letter. */
enum { OPT_HELP = 256, OPT_VERSION, OPT_FIRST };

static void set_option(struct ctl *ctl, enum ctl_option bit, const char *value)
{
	switch (bit) {
	case CTL_SCHEME:
		ctl->scheme = value;
		break;
	case CTL_UID:
		ctl->uid = value;
		break;
	case CTL_GID:
		ctl->gid = value;
		break;
	case CTL_HOME:
		ctl->home = value;
		break;
	case CTL_SERVICE:
		ctl->service = value;
		break;
	case CTL_DEVICE:
		ctl->device = value;
		break;
	case CTL_NO_SCRAM:
		ctl->no_scram = true;
		break;
	case CTL_LIST:
		ctl->list = true;
		break;
	case CTL_ALL:
		ctl->all = true;
		break;
	case CTL_DRY_RUN:
		ctl->dry_run = true;
		break;
	case CTL_REMOVE_GONE:
		ctl->remove_gone = true;
		break;
	case CTL_FROM:
		ctl->from = value;
		break;
	case CTL_READ_AS:
		ctl->read_as = value;
		break;
	case CTL_UIDL_FORMAT:
		ctl->uidl_format = value;
		break;
	case CTL_FOLDER:
		ctl->folder = value;
		break;
	case CTL_LOGIN:
		ctl->login = value;
		break;
	case CTL_PASSWORDS:
		ctl->passwords = value;
		break;
	case CTL_TLS:
		ctl->tls = value;
		break;
	case CTL_CAFILE:
		ctl->cafile = value;
		break;
	case CTL_TO:
		ctl->to = value;
		break;
	case CTL_TO_TLS:
		ctl->to_tls = value;
		break;
	case CTL_TO_PASSWORDS:
		ctl->to_passwords = value;
		break;
	case CTL_USER:
		ctl->user = value;
		break;
	case CTL_ADDRESS:
		ctl->address = value;
		break;
	case CTL_COUNT:
		ctl->count = value;
		break;
	case CTL_INTERVAL:
		ctl->interval = value;
		break;
	case CTL_JSON:
		ctl->json = true;
		break;
	}
}

/* Reads the options, wherever they stand. -1: go on; otherwise exit with it. */
static int read_options(int argc, char **argv, struct ctl *ctl, unsigned *ret_given)
{
	struct option known[OPTIONS + 4] = {
		{"config", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, OPT_HELP},
		{"version", no_argument, NULL, OPT_VERSION},
	};
	int c;

	for (size_t i = 0; i < OPTIONS; i++)
		known[3 + i] = (struct option){options[i].name,
					       options[i].argument != NULL ? required_argument
									   : no_argument,
					       NULL, OPT_FIRST + (int)i};
	while ((c = getopt_long(argc, argv, "c:", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			ctl->config_path = optarg;
			break;
		case OPT_HELP:
			return help();
		case OPT_VERSION:
			(void)printf("restantectl (restante) %s\n", RESTANTE_VERSION);
			return ctl_printed();
		case '?':
			return usage();
		default:
			set_option(ctl, options[c - OPT_FIRST].bit, optarg);
			*ret_given |= options[c - OPT_FIRST].bit;
			break;
		}
	}
	return -1;
}

/* The command that the words are, which are used up then; NULL after saying what is wrong. */
static const struct ctl_command *find_command(char ***words)
{
	char **w = *words;
	bool group = false;

	if (w[0] == NULL) {
		(void)ctl_complain(EX_USAGE, "there is no command");
		return NULL;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct ctl_command *c = &commands[i];

		if (strcmp(c->group, w[0]) != 0)
			continue;
		group = true;
		if (c->verb != NULL && (w[1] == NULL || strcmp(c->verb, w[1]) != 0))
			continue;
		*words = w + (c->verb != NULL ? 2 : 1);
		return c;
	}
	if (group && w[1] != NULL)
		(void)ctl_complain(EX_USAGE, "there is no command '%s %s'", w[0], w[1]);
	else if (group)
		(void)ctl_complain(EX_USAGE, "'%s' wants another word", w[0]);
	else
		(void)ctl_complain(EX_USAGE, "there is no command '%s'", w[0]);
	return NULL;
}

int main(int argc, char **argv)
{
	struct ctl ctl = {.config_path = DEFAULT_CONFIG};
	unsigned given = 0;
	struct err err;
	const int done = read_options(argc, argv, &ctl, &given);

	if (done >= 0)
		return done;

	char **words = argv + optind;
	const struct ctl_command *command = find_command(&words);

	if (command == NULL)
		return usage();
	if ((given & ~command->options) != 0)
		return ctl_complain(EX_USAGE, "an option that '%s %s' doesn't have", command->group,
				    command->verb != NULL ? command->verb : "");
	ctl.source = command->verb;

	const bool all_names = ctl.all && !command->may_have_words;

	if ((command->wants_name && !all_names) || command->may_name)
		ctl.name = *words != NULL ? *words++ : NULL;
	if (command->wants_label)
		ctl.label = *words != NULL ? *words++ : NULL;
	ctl.words = (const char *const *)words;
	if ((*words != NULL && !command->wants_words && !command->may_have_words) ||
	    (*words == NULL && command->wants_words) ||
	    (command->wants_name && !all_names && ctl.name == NULL) ||
	    (command->wants_label && ctl.label == NULL))
		return usage();
	if (config_load(ctl.config_path, &ctl.config, &err) < 0)
		return ctl_complain(EX_CONFIG, "%s", err.text);
	return command->run(&ctl);
}
