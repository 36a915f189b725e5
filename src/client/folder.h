/* SPDX-License-Identifier: MIT */
/*
 * folder.h - makes folders that are nobody else's, so that they are there after a
 * power loss.
 */
#pragma once

#include "base/err.h"

/* Makes path and what is missing above it. 0 also when it is there already. */
int folder_make(const char *path, struct err *err);

/* The same for the folder that path, a file, is in. */
int folder_make_above(const char *path, struct err *err);

/* Syncs what was made or renamed in it. name is for *err. */
int folder_sync(int fd, const char *name, struct err *err);

/* Syncs the folder that path is in. */
int folder_sync_above(const char *path, struct err *err);
