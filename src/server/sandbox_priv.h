/* SPDX-License-Identifier: MIT */
/*
 * sandbox_priv.h - the profiles (sandbox_profile.c) and what the kernel is told of
 * them (sandbox.c). Signals are not in them: to itself each process may send one, and
 * to no other.
 */
#pragma once

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/sandbox.h"

/* A system call, or some of its calls: those with these arguments. */
struct sandbox_rule {
	const char *name;
	unsigned n_args;
	struct scmp_arg_cmp args[2];
	uint32_t then; /* 0: as the profile says */
};

struct sandbox_profile {
	const char *name;
	bool limits_files;
	bool may_connect;    /* by TCP */
	uint64_t files_left; /* Landlock's rights that stay, on every path */
	/* What the filter does with the rules' calls, and with all others. */
	uint32_t then;
	uint32_t otherwise;
	const struct sandbox_rule *rules;  /* ends with a NULL name */
	const struct sandbox_rule *more;   /* the same, or NULL */
	const struct sandbox_rule *system; /* the same, or NULL */
};
