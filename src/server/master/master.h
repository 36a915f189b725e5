/* SPDX-License-Identifier: MIT */
/*
 * master.h - the process that starts all others, keeps them alive and connects
 * them with each other. It parses nothing that comes from the network and holds
 * no key: it stays root, where it was started by root, to bind and to start.
 */
#pragma once

#include "base/err.h"
#include "server/config.h"

/*
 * Runs until SIGTERM or SIGINT. path is the configuration's, absolute, for SIGHUP.
 * Returns what to exit with; failures to start are in the log.
 */
int master_run(const char *path, const struct config *config);
