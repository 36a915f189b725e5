/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h - a process gives up, for good, what it will not need again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* What a kind of process may still do. */
struct sandbox_profile {
	const char *name;
	bool no_files; /* Landlock: no path can be opened, made or removed */
	const char *const
		*syscalls; /* seccomp: everything else ends the process; NULL: no seccomp */
	size_t n_syscalls;
};

/* The event loop and its descriptors: no open, socket, connect, execve, fork, ptrace. */
extern const struct sandbox_profile sandbox_listener;

/*
 * Seals this process: no_new_privs, Landlock, seccomp. Call it when
 * all descriptors and threads are there, from the only thread.
 *
 * What an old kernel doesn't have is left out with one line in the log; 0 then
 * too. Negative errno when the kernel has it and refuses.
 *
 * BUGS: syslog(3) can't be connected again when syslogd is restarted: a listener
 * under syslog then logs nothing until it is restarted (SIGHUP to the master). A
 * build with sanitizers or for coverage isn't sealed, for those open files at the
 * end; it says so.
 */
int sandbox_enter(const struct sandbox_profile *profile, struct err *err);
