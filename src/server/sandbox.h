/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h - a process gives up, for good, what it will not need again.
 */
#pragma once

#include "base/err.h"

/* What a kind of process may still do. */
struct sandbox_profile;

/*
 * The event loop and its descriptors: no file, socket, program, process, signal to
 * others. Whatever is not on its list ends it.
 */
extern const struct sandbox_profile sandbox_listener;

/* The same, and what libmicrohttpd asks of its sockets. */
extern const struct sandbox_profile sandbox_monitor;

/* Its channels, and threads: no connection is ever accepted. */
extern const struct sandbox_profile sandbox_signer;

/*
 * auth may read files, storage may do with them what its user may. Neither starts a
 * program or a process, reaches the network or another process, or changes the
 * system; what is on that list fails with EPERM.
 */
extern const struct sandbox_profile sandbox_auth;

/* auth that asks others over IP: it may connect, and still not be connected to. */
extern const struct sandbox_profile sandbox_auth_network;

extern const struct sandbox_profile sandbox_storage;

/*
 * What PAM's modules do, nobody knows in advance: they load code, start programs, reach files
 * and the network. Only the system itself and other processes' memory are out of reach.
 */
extern const struct sandbox_profile sandbox_pam;

/*
 * Seals this process: no_new_privs, Landlock, seccomp. Call it when all descriptors
 * are there, from the only thread; threads that it starts later are sealed as well.
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
