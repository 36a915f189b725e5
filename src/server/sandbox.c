/* SPDX-License-Identifier: MIT */
#include "server/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

/* Newer than the headers of some systems that we build on. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif
#define CREATE_RULESET_VERSION 1U

/* clang-format off */
static const char *const listener_syscalls[] = {
	/* the loop */
	"epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "clock_gettime", "gettimeofday",
	/* connections and channels */
	"accept4", "read", "readv", "recvfrom", "recvmsg", "write", "writev", "sendto", "sendmsg",
	"sendfile", "shutdown", "close", "getsockopt", "setsockopt", "getsockname", "getpeername",
	"fcntl",
	/* snapshots, messages, deliveries: descriptors that storage has opened */
	"pread64", "pwrite64", "lseek", "fstat", "newfstatat", "statx",
	/* memory; mmap and mprotect are below */
	"brk", "munmap", "mremap", "madvise", "futex", "getrandom",
	/* the end, also an abort() */
	"exit", "exit_group", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "restart_syscall",
	"sched_yield", "gettid", "getpid", "tgkill",
};
/* clang-format on */

const struct sandbox_profile sandbox_listener = {
	.name = "listener",
	.no_files = true,
	.syscalls = listener_syscalls,
	.n_syscalls = sizeof(listener_syscalls) / sizeof(listener_syscalls[0]),
};

#ifndef RESTANTE_UNSEALED

/* struct landlock_ruleset_attr of the newest kernel that we know. */
struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

/* What each version of Landlock can forbid; bits of a newer one would be refused. */
static struct ruleset everything(long version)
{
	struct ruleset r = {.fs = (UINT64_C(1) << 13) - 1};

	if (version >= 2)
		r.fs |= UINT64_C(1) << 13; /* refer */
	if (version >= 3)
		r.fs |= UINT64_C(1) << 14; /* truncate */
	if (version >= 4)
		r.net = 3; /* bind, connect */
	if (version >= 5)
		r.fs |= UINT64_C(1) << 15; /* ioctl on devices */
	if (version >= 6)
		r.scoped = 3; /* abstract sockets, signals */
	return r;
}

static void say_missing(const struct sandbox_profile *p, const char *what, int error)
{
	log_event(LOG_LEVEL_WARN, "sandbox-partial", log_str("profile", p->name),
		  log_str("missing", what), log_str("error", strerror(error)),
		  log_str("consequence", "ignored"));
}

static int forbid_files(const struct sandbox_profile *p, struct err *err)
{
	const long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
				     CREATE_RULESET_VERSION);

	if (version < 0) {
		say_missing(p, "landlock", errno);
		return 0;
	}

	const struct ruleset rules = everything(version);
	const int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0U);

	if (fd < 0)
		return err_sys(err, errno, "cannot make a Landlock rule set");

	const long r = syscall(SYS_landlock_restrict_self, fd, 0U);
	const int error = errno;

	(void)close(fd);
	return r < 0 ? err_sys(err, error, "cannot enter Landlock") : 0;
}

static int allow(scmp_filter_ctx filter, const struct sandbox_profile *p)
{
	for (size_t i = 0; i < p->n_syscalls; i++) {
		const int number = seccomp_syscall_resolve_name(p->syscalls[i]);
		const int r = number == __NR_SCMP_ERROR
				      ? 0 /* not on this machine */
				      : seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);

		if (r < 0)
			return r;
	}
	return 0;
}

/* What is fine with some arguments only. */
static int allow_some(scmp_filter_ctx filter)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_EQ, FIONBIO, 0));
	/* syslog(3) tries to connect again: it must fail, and not kill. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 0);
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(connect), 0);
	return r;
}

static int forbid_syscalls(const struct sandbox_profile *p, struct err *err)
{
	const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (filter == NULL)
		return err_sys(err, ENOMEM, "cannot make a seccomp filter");
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A tree of comparisons: the filter runs at every system call. */
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = allow(filter, p);
	if (r == 0)
		r = allow_some(filter);
	if (r < 0) {
		seccomp_release(filter);
		return err_sys(err, -r, "cannot make a seccomp filter");
	}
	r = seccomp_load(filter);
	seccomp_release(filter);
	if (r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP) {
		say_missing(p, "seccomp", -r);
		return 0;
	}
	return r < 0 ? err_sys(err, -r, "cannot enter seccomp") : 0;
}

int sandbox_enter(const struct sandbox_profile *p, struct err *err)
{
	int r = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "cannot set no_new_privs");
	if (p->no_files)
		r = forbid_files(p, err);
	if (r == 0 && p->syscalls != NULL)
		r = forbid_syscalls(p, err);
	return r;
}

#else

int sandbox_enter(const struct sandbox_profile *p, struct err *err)
{
	(void)err;
	log_event(LOG_LEVEL_WARN, "sandbox-off", log_str("profile", p->name),
		  log_str("reason", "built for coverage or with sanitizers"));
	return 0;
}

#endif
