/* SPDX-License-Identifier: MIT */
/*
 * restante - fetches mail. restante(1) describes it; a test holds the page against
 * what --help says.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "restante-build.h"
#include "client/restante.h"

struct command {
	const char *name;
	const char *arguments;
	const char *what;
	unsigned options; /* 1 << enum group, of those that make sense with it */
	int (*run)(struct restante *r);
};

/* Whose an option is. */
enum group { COMMON, ACCOUNT, FETCHING, SHOWING, SAVING, IMPORTING };

static const struct command commands[] = {
	{"fetch", "[ACCOUNT ...]", "fetch what is new, for these accounts or for all",
	 1 << COMMON | 1 << ACCOUNT | 1 << FETCHING, restante_fetch},
	{"watch", "[ACCOUNT ...]", "fetch again and again, until a signal ends it",
	 1 << COMMON | 1 << ACCOUNT | 1 << FETCHING, restante_watch},
	{"list", "[ACCOUNT ...]", "list what was fetched and is still in its Maildir", 1 << COMMON,
	 restante_list},
	{"show", "NUMBER ...", "show messages by the numbers that list has",
	 1 << COMMON | 1 << SHOWING, restante_show},
	{"save", "NUMBER [ATTACHMENT ...]", "save a message's attachments",
	 1 << COMMON | 1 << SAVING, restante_save},
	{"search", "WORD ...", "list the messages that have all of the words", 1 << COMMON,
	 restante_search},
	{"import-config", "FILE ...",
	 "take over what fetchmail, mpop, getmail or fdm is told and has done",
	 1 << COMMON | 1 << IMPORTING, restante_import},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* Values of getopt_long for what has no letter. */
enum {
	OPT_HELP = 256,
	OPT_VERSION,
	OPT_STATE,
	OPT_KEEP,
	OPT_DELETE,
	OPT_RAW,
	OPT_FROM,
	OPT_FORCE,
	OPT_PRINT,
	OPT_ACCOUNT
};

struct program_option {
	const char *name;
	const char *argument; /* NULL: it takes none */
	const char *what;
	int value; /* of getopt_long: a letter, or one of the above */
	enum group group;
};

static const struct program_option options[] = {
	{"config", "FILE", "read FILE instead of ~/.config/restante/restante.conf", 'c', COMMON},
	{"state-file", "FILE", "remember in FILE what was fetched", OPT_STATE, COMMON},
	{"keep", NULL, "the same as --on-server keep", OPT_KEEP, FETCHING},
	{"delete", NULL, "the same as --on-server delete", OPT_DELETE, FETCHING},
	{"dry-run", NULL, "say what would be fetched and deleted, and don't", 'n', FETCHING},
	{"parallel", "N", "fetch N accounts at the same time", 'j', FETCHING},
	{"quiet", NULL, "say nothing but what goes wrong", 'q', FETCHING},
	{"verbose", NULL, "show the dialogue with the server, without passwords", 'v', FETCHING},
	{"raw", NULL, "show the octets as they came", OPT_RAW, SHOWING},
	{"directory", "DIR", "save in DIR instead of here", 'd', SAVING},
	{"from", "PROGRAM", "the files are fetchmail's, mpop's, getmail's or fdm's", OPT_FROM,
	 IMPORTING},
	{"force", NULL, "replace a configuration that is there", OPT_FORCE, IMPORTING},
	{"print", NULL, "show the configuration, and change nothing", OPT_PRINT, IMPORTING},
	{"help", NULL, "show this; behind a command, its options", OPT_HELP, COMMON},
	{"version", NULL, "show the version", OPT_VERSION, COMMON},
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

static volatile sig_atomic_t caught;
static int stop_fd = -1;

static void on_signal(int number)
{
	const int e = errno;
	const uint64_t one = 1;

	caught = number;
	/* It can't be full, and there is nobody here to tell. */
	if (write(stop_fd, &one, sizeof(one)) < 0)
		errno = e;
	errno = e;
}

int restante_complain(int status, const char *fmt, ...)
{
	va_list ap;

	(void)fputs("restante: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	return status;
}

int restante_printed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EX_OK;
	return restante_complain(EX_IOERR, "cannot write: %s", strerror(errno));
}

int restante_exit_status(enum fetch_status status)
{
	static const int exits[FETCH_STATUSES] = {
		[FETCH_OK] = EX_OK,
		[FETCH_REFUSED] = EX_DATAERR,
		[FETCH_DEFERRED] = EX_TEMPFAIL,
		[FETCH_STOPPED] = EX_TEMPFAIL,
		[FETCH_BUSY] = EX_TEMPFAIL,
		[FETCH_LATER] = EX_TEMPFAIL,
		[FETCH_NETWORK] = EX_TEMPFAIL,
		[FETCH_NO_HOST] = EX_NOHOST,
		[FETCH_UNAVAILABLE] = EX_UNAVAILABLE,
		[FETCH_LOGIN] = EX_NOPERM,
		[FETCH_INSECURE] = EX_PROTOCOL,
		[FETCH_PROTOCOL] = EX_PROTOCOL,
		[FETCH_DISK] = EX_IOERR,
		[FETCH_STATE] = EX_IOERR,
		[FETCH_CONFIG] = EX_CONFIG,
		[FETCH_MEMORY] = EX_OSERR,
	};

	return exits[status];
}

/* "password_command" in a file is --password-command here. */
static void dashed(const char *name, char *ret_name, size_t cap)
{
	size_t i = 0;

	for (; name[i] != '\0' && i + 1 < cap; i++)
		ret_name[i] = name[i] == '_' ? '-' : name[i];
	ret_name[i] = '\0';
}

static void print_option(const char *name, const char *argument, int letter, const char *what)
{
	char words[128];

	(void)snprintf(words, sizeof(words), "%c%c%s--%s%s%s", letter < 256 ? '-' : ' ',
		       letter < 256 ? letter : ' ', letter < 256 ? ", " : "  ", name,
		       argument != NULL ? " " : "", argument != NULL ? argument : "");
	(void)printf("  %-30s  %s\n", words, what);
}

/* Completion in shells reads that, too. */
static void print_choices(unsigned option)
{
	const char *word;

	for (unsigned n = 0; (word = account_option_choice(option, n)) != NULL; n++)
		(void)printf(n == 0 ? "%34sone of: %s" : "%.0s, %s", "", word);
	if (account_option_choice(option, 0) != NULL)
		(void)fputc('\n', stdout);
}

static void print_options(unsigned groups)
{
	const struct account_option *o;
	char name[64];

	for (size_t i = 0; i < OPTIONS; i++) {
		if ((groups & 1U << options[i].group) != 0)
			print_option(options[i].name, options[i].argument, options[i].value,
				     options[i].what);
	}
	if ((groups & 1U << ACCOUNT) == 0)
		return;
	(void)printf(
		"\nAn account instead of those in the configuration (--host, --user, --maildir "
		"at least),\nor what is to be different this time:\n\n");
	for (unsigned i = 0; (o = account_option(i)) != NULL; i++) {
		if (o->argument == NULL)
			continue;
		dashed(o->name, name, sizeof(name));
		print_option(name, o->argument, 256, o->what);
		print_choices(i);
	}
}

static int help(const struct command *only)
{
	unsigned groups = ~0U;

	(void)printf("usage: restante %s [OPTION ...] %s\n\n",
		     only != NULL ? only->name : "COMMAND",
		     only != NULL ? only->arguments : "[ACCOUNT ...]");
	if (only != NULL) {
		groups = only->options;
		(void)printf("restante %s: %s.\n\n", only->name, only->what);
	} else {
		for (size_t i = 0; i < COMMANDS; i++) {
			char words[64];

			(void)snprintf(words, sizeof(words), "%s %s", commands[i].name,
				       commands[i].arguments);
			(void)printf("  %-30s  %s\n", words, commands[i].what);
		}
		(void)fputc('\n', stdout);
	}
	print_options(groups);
	return restante_printed();
}

static int usage(void)
{
	(void)fputs("usage: restante COMMAND [OPTION ...] [ACCOUNT ...]\n"
		    "       restante --help\n",
		    stderr);
	return EX_USAGE;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

/* "keep" or "delete", which have a name of their own on the command line. */
static void set_on_server(struct restante *r, const char *what)
{
	for (unsigned i = 0; account_option(i) != NULL; i++) {
		if (strcmp(account_option(i)->name, "on_server") == 0)
			r->account_options[i] = what;
	}
}

static void set_option(struct restante *r, int value)
{
	switch (value) {
	case 'c':
		r->config_path = optarg;
		break;
	case 'd':
		r->directory = optarg;
		break;
	case OPT_FROM:
		r->from = optarg;
		break;
	case OPT_FORCE:
		r->force = true;
		break;
	case OPT_PRINT:
		r->print = true;
		break;
	case OPT_RAW:
		r->raw = true;
		break;
	case 'j':
		r->parallel = optarg;
		break;
	case 'n':
		r->dry_run = true;
		break;
	case 'q':
		r->quiet = true;
		break;
	case 'v':
		r->verbose = true;
		break;
	case OPT_STATE:
		r->state_file = optarg;
		break;
	case OPT_KEEP:
		set_on_server(r, "keep");
		break;
	case OPT_DELETE:
		set_on_server(r, "delete");
		break;
	default:
		r->account_options[value - OPT_ACCOUNT] = optarg;
		break;
	}
}

#define KNOWN_MAX (OPTIONS + RESTANTE_ACCOUNT_OPTIONS + 1)

struct names {
	struct option known[KNOWN_MAX];
	char text[RESTANTE_ACCOUNT_OPTIONS][64];
};

static void fill_names(struct names *n)
{
	const struct account_option *o;
	size_t at = 0;

	memset(n, 0, sizeof(*n));
	for (size_t i = 0; i < OPTIONS; i++)
		n->known[at++] = (struct option){options[i].name,
						 options[i].argument != NULL ? required_argument
									     : no_argument,
						 NULL, options[i].value};
	for (unsigned i = 0; (o = account_option(i)) != NULL; i++) {
		if (o->argument == NULL)
			continue;
		dashed(o->name, n->text[i], sizeof(n->text[i]));
		n->known[at++] = (struct option){n->text[i], required_argument, NULL,
						 OPT_ACCOUNT + (int)i};
	}
}

static enum group group_of(int value)
{
	for (size_t i = 0; i < OPTIONS; i++) {
		if (options[i].value == value)
			return options[i].group;
	}
	return ACCOUNT;
}

/* Reads the options, wherever they stand. -1: go on; otherwise exit with it. */
static int read_options(int argc, char **argv, struct restante *r, const struct command **ret)
{
	struct names names;
	unsigned given = 0;
	bool want_help = false;
	int c;

	fill_names(&names);
	while ((c = getopt_long(argc, argv, "c:d:j:nqv", names.known, NULL)) != -1) {
		if (c == '?')
			return usage();
		if (c == OPT_VERSION) {
			(void)printf("restante %s\n", RESTANTE_VERSION);
			return restante_printed();
		}
		given |= 1U << group_of(c);
		if (c == OPT_HELP)
			want_help = true;
		else
			set_option(r, c);
	}
	*ret = optind < argc ? find_command(argv[optind]) : NULL;
	if (want_help && (*ret != NULL || optind == argc))
		return help(*ret);
	if (*ret == NULL) {
		if (optind < argc)
			(void)restante_complain(EX_USAGE, "there is no command '%s'", argv[optind]);
		return usage();
	}
	if ((given & ~(*ret)->options) != 0)
		return restante_complain(EX_USAGE, "an option that '%s' doesn't have",
					 (*ret)->name);
	r->names = argv + optind + 1;
	return -1;
}

/* A signal ends the session between two octets; what is whole is stored. */
static int catch_signals(void)
{
	const struct sigaction stop = {.sa_handler = on_signal};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop_fd < 0)
		return restante_complain(EX_OSERR, "cannot make an eventfd: %s", strerror(errno));
	(void)sigaction(SIGINT, &stop, NULL);
	(void)sigaction(SIGTERM, &stop, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	/* A file that is larger than may be is an error like a full disk. */
	(void)sigaction(SIGXFSZ, &ignore, NULL);
	return EX_OK;
}

int main(int argc, char **argv)
{
	struct restante r = {.stop_fd = -1};
	const struct command *command = NULL;
	int status = read_options(argc, argv, &r, &command);

	if (status >= 0)
		return status;
	status = catch_signals();
	if (status != EX_OK)
		return status;
	r.stop_fd = stop_fd;
	status = command->run(&r);
	client_config_done(&r.config);
	if (caught != 0) {
		/* So that the shell sees it too, and a script ends. */
		(void)signal(caught, SIG_DFL);
		(void)raise(caught);
	}
	return status;
}
