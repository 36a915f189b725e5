/* SPDX-License-Identifier: MIT */
/*
 * restanted - the mail system's daemon. restanted(8) describes it.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "restante-build.h"
#include "server/master/master.h"
#include "server/master/master_priv.h"
#include "server/process.h"

#define DEFAULT_CONFIG RESTANTE_SYSCONFDIR "/restanted.conf"

static const char usage[] = "usage: restanted [-ft] [-c FILE]\n"
			    "       restanted --help | --version\n";

static const char help[] =
	"\n"
	"  -c, --config FILE  read FILE instead of " DEFAULT_CONFIG "\n"
	"  -f, --foreground   stay in the foreground: the default, and the only way\n"
	"  -t, --test         check the configuration, the certificate and the users,\n"
	"                     and exit\n"
	"      --takes-over N  with -t: can it take over from a program that runs?\n"
	"      --help         show this\n"
	"      --version      show the version\n";

static const struct option options[] = {
	{"config", required_argument, NULL, 'c'},
	{"foreground", no_argument, NULL, 'f'},
	{"takes-over", required_argument, NULL, 'u'},
	{"test", no_argument, NULL, 't'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'v'},
	{NULL, 0, NULL, 0},
};

/* -t: what an operator wants to know before a restart. */
static int test(const char *path, const struct config *config)
{
	struct err err;

	log_init(LOG_TARGET_STDERR, config->log_format, LOG_LEVEL_WARN, "restanted");
	for (unsigned i = 0; config_warning(config, i) != NULL; i++)
		(void)fprintf(stderr, "restanted: %s: %s\n", path, config_warning(config, i));
	if (master_check(config, &err) < 0) {
		(void)fprintf(stderr, "restanted: %s\n", err.text);
		return EX_CONFIG;
	}
	(void)printf("%s: OK\n", path);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

/* Standard input, output and error exist: a descriptor of ours must never get their numbers. */
static bool have_standard_files(void)
{
	struct stat st;

	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (fstat(fd, &st) < 0 && errno == EBADF)
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	const char *path = DEFAULT_CONFIG;
	bool only_test = false;
	static struct config config;
	static char absolute[PATH_MAX];
	struct err err;
	int c;

	if (!have_standard_files())
		return EX_OSERR;
	while ((c = getopt_long(argc, argv, "c:ft", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case 'f':
			break;
		case 't':
			only_test = true;
			break;
		case 'u':
			if (!master_takeover_fits(optarg)) {
				(void)fprintf(stderr,
					      "restanted: cannot take over from version %s\n",
					      optarg);
				return EX_UNAVAILABLE;
			}
			break;
		case 'h':
			(void)printf("%s%s", usage, help);
			return EX_OK;
		case 'v':
			(void)printf("restanted %s\n", RESTANTE_VERSION);
			return EX_OK;
		default:
			(void)fputs(usage, stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		(void)fputs(usage, stderr);
		return EX_USAGE;
	}
	/* For SIGHUP, which may come when we are elsewhere. */
	if (realpath(path, absolute) == NULL) {
		(void)fprintf(stderr, "restanted: cannot open '%s': %s\n", path, strerror(errno));
		return EX_CONFIG;
	}
	if (config_load(absolute, &config, &err) < 0) {
		(void)fprintf(stderr, "restanted: %s\n", err.text);
		return EX_CONFIG;
	}
	if (only_test)
		return test(absolute, &config);
	master_takeover_init();
	process_title_init(argc, argv);
	(void)umask(077);
	if (chdir("/") < 0) {
		(void)fprintf(stderr, "restanted: cannot change to '/': %s\n", strerror(errno));
		return EX_OSERR;
	}
	return master_run(absolute, &config);
}
