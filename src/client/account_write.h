/* SPDX-License-Identifier: MIT */
/*
 * account_write.h - writes accounts as restante.conf(5) has them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "client/account.h"

/* An account as a section, with what isn't as its fallback says. */
void account_write(FILE *f, const struct account *a);

/*
 * Writes the accounts into path, which nobody else may read; what was there stays there unless
 * replace. They are read back first, so what is there at the end is what was meant. -EEXIST: it
 * is there; the others as writing went, with *err.
 */
int account_file_write(const char *path, const struct account *accounts, size_t n, bool replace,
		       struct err *err);
