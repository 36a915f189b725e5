/* SPDX-License-Identifier: MIT */
/*
 * client_config_table - what config_table is for restanted's configuration, for
 * restante's: the options outside of accounts and inside.
 */
#include <stdio.h>

#include "client/client_config.h"

static void print(const struct account_option *o)
{
	(void)printf("%s\t%s\t%s\t%s\n", o->name, o->type, o->fallback, o->what);
}

int main(int argc, char **argv)
{
	struct client_config config;
	const struct account_option *o;
	struct err err;

	if (argc > 1) {
		if (client_config_load(argv[1], &config, &err) == 0) {
			client_config_done(&config);
			return 0;
		}
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (unsigned i = 0; (o = client_config_option(i)) != NULL; i++)
		print(o);
	for (unsigned i = 0; (o = account_option(i)) != NULL; i++)
		print(o);
	return 0;
}
