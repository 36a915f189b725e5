/* SPDX-License-Identifier: MIT */
/*
 * config_table - prints config.c's table for tools/check-man: a line an option,
 * name, type, default and description with tabs between. With a file, loads that
 * instead and says what is wrong with it.
 */
#include "server/config.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	static struct config config;
	struct err err;
	const struct config_option *o;

	if (argc > 1) {
		if (config_load(argv[1], &config, &err) == 0)
			return 0;
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (unsigned i = 0; (o = config_option(i)) != NULL; i++)
		(void)printf("%s\t%s\t%s\t%s\n", o->name, o->type, o->fallback, o->what);
	return 0;
}
