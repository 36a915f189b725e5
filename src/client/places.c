/* SPDX-License-Identifier: MIT */
/*
 * Where the configuration and the state are (XDG Base Directory Specification).
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "client/restante.h"

/* $VARIABLE/name, or $HOME/otherwise/name. False when neither is an absolute path. */
static bool xdg_path(const char *variable, const char *otherwise, const char *name, char *ret_path,
		     size_t cap)
{
	const char *const base = getenv(variable);
	const char *const home = getenv("HOME");
	int n;

	if (base != NULL && base[0] == '/')
		n = snprintf(ret_path, cap, "%s/%s", base, name);
	else if (home != NULL && home[0] == '/')
		n = snprintf(ret_path, cap, "%s/%s/%s", home, otherwise, name);
	else
		return false;
	return n > 0 && (size_t)n < cap;
}

int restante_config_file(const struct restante *r, char *ret_path, size_t cap)
{
	if (r->config_path == NULL)
		return xdg_path("XDG_CONFIG_HOME", ".config", "restante/restante.conf", ret_path,
				cap)
			       ? EX_OK
			       : restante_complain(EX_CONFIG, "there is no HOME and no --config");
	return (size_t)snprintf(ret_path, cap, "%s", r->config_path) < cap
		       ? EX_OK
		       : restante_complain(EX_CONFIG, "the configuration's name is too long");
}

int restante_load(struct restante *r)
{
	char path[PATH_MAX];
	struct err err;
	int e;

	if (r->config_path == NULL) {
		if (!xdg_path("XDG_CONFIG_HOME", ".config", "restante/restante.conf", path,
			      sizeof(path)) ||
		    access(path, F_OK) < 0)
			return EX_OK;
	} else if ((size_t)snprintf(path, sizeof(path), "%s", r->config_path) >= sizeof(path)) {
		return restante_complain(EX_CONFIG, "the configuration's name is too long");
	}
	e = client_config_load(path, &r->config, &err);
	return e == 0 ? EX_OK : restante_complain(EX_CONFIG, "%s", err.text);
}

int restante_state_file(const struct restante *r, char *ret_path, size_t cap)
{
	struct client_config c = {.n = 0};
	struct err err;

	if (r->state_file != NULL) {
		if (!client_config_set_state_file(&c, r->state_file, &err))
			return restante_complain(EX_USAGE, "%s", err.text);
	} else {
		memcpy(c.state_file, r->config.state_file, sizeof(c.state_file));
	}
	if (c.state_file[0] == '\0')
		return xdg_path("XDG_STATE_HOME", ".local/state", "restante/state.db", ret_path,
				cap)
			       ? EX_OK
			       : restante_complain(
					 EX_CONFIG,
					 "there is no HOME and no state_file: where shall "
					 "it be remembered what was fetched?");
	(void)snprintf(ret_path, cap, "%s", c.state_file);
	return EX_OK;
}

int restante_open_state(struct restante *r, struct state **ret_state)
{
	char path[PATH_MAX];
	struct err err;
	int status = restante_load(r);

	*ret_state = NULL;
	if (status == EX_OK)
		status = restante_state_file(r, path, sizeof(path));
	/* Nothing was fetched yet: no file is made to say so. */
	if (status != EX_OK || (access(path, F_OK) < 0 && errno == ENOENT))
		return status;
	if (state_open(path, ret_state, &err) < 0)
		return restante_complain(EX_IOERR, "%s", err.text);
	return EX_OK;
}
