/* SPDX-License-Identifier: MIT */
/* Who may do what: a list of what is allowed, or of what isn't. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "server/sandbox_priv.h"

/* Landlock's rights to read a file and to list a folder (linux/landlock.h). */
#define READ_FILE (UINT64_C(1) << 2)
#define READ_DIR (UINT64_C(1) << 3)

/* Connects, where a plain send(2) would only send. */
#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#ifndef TCP_ULP
#define TCP_ULP 31
#endif

/* clang-format off */
#define IS(arg, value) {(arg), SCMP_CMP_EQ, (value), 0}
#define IS_NOT(arg, value) {(arg), SCMP_CMP_NE, (value), 0}
#define IS_ABOVE(arg, value) {(arg), SCMP_CMP_GT, (value), 0}
#define HAS_NONE(arg, bits) {(arg), SCMP_CMP_MASKED_EQ, (bits), 0}
#define HAS_ALL(arg, bits) {(arg), SCMP_CMP_MASKED_EQ, (bits), (bits)}

/* A call whatever its arguments, with one or two that are looked at, and one that fails. */
#define ANY(call) {.name = (call)}
#define ONE(call, arg) {.name = (call), .n_args = 1, .args = {arg}}
#define TWO(call, arg, other) {.name = (call), .n_args = 2, .args = {arg, other}}
#define FAIL(call, error) {.name = (call), .then = SCMP_ACT_ERRNO(error)}

static const struct sandbox_rule listener_rules[] = {
	/* the loop, and what libc and OpenSSL ask now and then */
	ANY("epoll_ctl"), ANY("epoll_wait"), ANY("epoll_pwait"),
	ANY("epoll_pwait2"), ANY("clock_gettime"), ANY("gettimeofday"),
	ANY("time"), ANY("getpid"), ANY("gettid"), ANY("getrandom"),
	ONE("ioctl", IS(1, FIONBIO)),
	/* for a signature */
	ANY("poll"), ANY("ppoll"),
	/* connections and channels: what is there, and no way to another peer */
	ANY("accept4"), ANY("read"), ANY("write"), ANY("writev"),
	ANY("recvfrom"), ANY("recvmsg"),
	TWO("sendto", IS(4, 0), HAS_NONE(3, MSG_FASTOPEN)),
	ONE("sendmsg", HAS_NONE(2, MSG_FASTOPEN)),
	ANY("sendfile"), ANY("shutdown"), ANY("close"),
	ONE("getsockopt", IS(1, IPPROTO_TCP)),
	TWO("setsockopt", IS(1, IPPROTO_TCP), IS(2, TCP_ULP)),
	ONE("setsockopt", IS(1, SOL_TLS)),
	ONE("fcntl", IS(1, F_DUPFD_CLOEXEC)),
	/* syslog(3) tries to connect again: it must fail, and not kill */
	FAIL("socket", EPERM),
	FAIL("connect", EPERM),
	/* snapshots and messages: descriptors that storage has opened */
	ANY("pread64"),
	/* memory, none of it for code */
	ANY("brk"), ANY("munmap"), ANY("mremap"), ANY("madvise"),
	ANY("futex"),
	ONE("mmap", HAS_NONE(2, PROT_EXEC)),
	ONE("mprotect", HAS_NONE(2, PROT_EXEC)),
	/* the end, also an abort() */
	ANY("exit"), ANY("exit_group"), ANY("rt_sigaction"),
	ANY("rt_sigprocmask"), ANY("rt_sigreturn"), ANY("restart_syscall"),
	{.name = NULL},
};

static const struct sandbox_rule monitor_rules[] = {
	/* the loop, and libmicrohttpd's own */
	ANY("epoll_ctl"), ANY("epoll_wait"), ANY("epoll_pwait"),
	ANY("epoll_pwait2"), ANY("clock_gettime"), ANY("gettimeofday"),
	ANY("nanosleep"), ANY("clock_nanosleep"),
	ANY("time"), ANY("getpid"), ANY("gettid"), ANY("getrandom"),
	ONE("ioctl", IS(1, FIONBIO)),
	/* connections that it accepts, and the control channel */
	ANY("accept4"), ANY("read"), ANY("write"), ANY("writev"),
	ANY("recvfrom"), ANY("recvmsg"),
	TWO("sendto", IS(4, 0), HAS_NONE(3, MSG_FASTOPEN)),
	ONE("sendmsg", HAS_NONE(2, MSG_FASTOPEN)),
	ANY("shutdown"), ANY("close"), ANY("getsockname"),
	ONE("getsockopt", IS(1, IPPROTO_TCP)),
	/* who asks at the control socket */
	TWO("getsockopt", IS(1, SOL_SOCKET), IS(2, SO_PEERCRED)),
	ONE("setsockopt", IS(1, IPPROTO_TCP)),
	ONE("fcntl", IS(1, F_GETFL)), ONE("fcntl", IS(1, F_SETFL)),
	ONE("fcntl", IS(1, F_GETFD)), ONE("fcntl", IS(1, F_SETFD)),
	FAIL("socket", EPERM),
	FAIL("connect", EPERM),
	/* memory, none of it for code */
	ANY("brk"), ANY("munmap"), ANY("mremap"), ANY("madvise"),
	ANY("futex"),
	ONE("mmap", HAS_NONE(2, PROT_EXEC)),
	ONE("mprotect", HAS_NONE(2, PROT_EXEC)),
	/* the end, also an abort() */
	ANY("exit"), ANY("exit_group"), ANY("rt_sigaction"),
	ANY("rt_sigprocmask"), ANY("rt_sigreturn"), ANY("restart_syscall"),
	{.name = NULL},
};

static const struct sandbox_rule signer_rules[] = {
	/* the loop, for the control channel, and what libc and OpenSSL ask now and then */
	ANY("epoll_ctl"), ANY("epoll_wait"), ANY("epoll_pwait"),
	ANY("epoll_pwait2"), ANY("clock_gettime"), ANY("gettimeofday"),
	ANY("time"), ANY("getpid"), ANY("gettid"), ANY("getrandom"),
	ONE("ioctl", IS(1, FIONBIO)),
	/* channels, and the log */
	ANY("read"), ANY("write"), ANY("recvmsg"), ANY("shutdown"), ANY("close"),
	TWO("sendto", IS(4, 0), HAS_NONE(3, MSG_FASTOPEN)),
	ONE("sendmsg", HAS_NONE(2, MSG_FASTOPEN)),
	ONE("fcntl", IS(1, F_SETFL)),
	FAIL("socket", EPERM),
	FAIL("connect", EPERM),
	/* a thread for each listener; clone3(2)'s flags can't be seen here */
	ONE("clone", HAS_ALL(0, CLONE_THREAD)), FAIL("clone3", ENOSYS),
	ANY("set_robust_list"), ANY("rseq"),
	TWO("prlimit64", IS(0, 0), IS(2, 0)),
	/* memory, none of it for code */
	ANY("brk"), ANY("munmap"), ANY("mremap"), ANY("madvise"),
	ANY("futex"),
	ONE("mmap", HAS_NONE(2, PROT_EXEC)),
	ONE("mprotect", HAS_NONE(2, PROT_EXEC)),
	/* the end, also an abort() */
	ANY("exit"), ANY("exit_group"), ANY("rt_sigaction"),
	ANY("rt_sigprocmask"), ANY("rt_sigreturn"), ANY("restart_syscall"),
	{.name = NULL},
};

static const struct sandbox_rule worker_rules[] = {
	/* programs and processes; threads are made by clone(2) with CLONE_THREAD, for clone3(2)'s
	 * flags can't be seen here */
	ANY("execve"), ANY("execveat"), ANY("fork"), ANY("vfork"),
	ONE("clone", HAS_NONE(0, CLONE_THREAD)),
	FAIL("clone3", ENOSYS),
	ONE("mmap", HAS_ALL(2, PROT_EXEC)),
	ONE("mprotect", HAS_ALL(2, PROT_EXEC)),
	ONE("pkey_mprotect", HAS_ALL(2, PROT_EXEC)),
	ANY("kill"),
	/* nobody connects to a worker */
	ANY("bind"), ANY("listen"), ANY("accept"), ANY("accept4"),
	{.name = NULL},
};

static const struct sandbox_rule system_rules[] = {
	/* others */
	ANY("ptrace"), ANY("process_vm_readv"), ANY("process_vm_writev"),
	ANY("process_madvise"), ANY("pidfd_open"), ANY("pidfd_getfd"),
	ANY("pidfd_send_signal"), ANY("tkill"),
	ANY("rt_sigqueueinfo"), ANY("rt_tgsigqueueinfo"), ANY("kcmp"),
	ONE("fcntl", IS(1, F_SETOWN)), ONE("fcntl", IS(1, F_SETOWN_EX)), ONE("fcntl", IS(1, F_SETSIG)),
	ONE("prlimit64", IS_NOT(0, 0)),
	/* the system */
	ANY("mount"), ANY("umount2"), ANY("pivot_root"), ANY("chroot"),
	ANY("unshare"), ANY("setns"), ANY("open_tree"), ANY("move_mount"),
	ANY("fsopen"), ANY("fsconfig"), ANY("fsmount"), ANY("fspick"),
	ANY("mount_setattr"), ANY("swapon"), ANY("swapoff"), ANY("reboot"),
	ANY("kexec_load"), ANY("kexec_file_load"), ANY("init_module"),
	ANY("finit_module"), ANY("delete_module"), ANY("settimeofday"),
	ANY("clock_settime"), ANY("clock_adjtime"), ANY("adjtimex"),
	ANY("sethostname"), ANY("setdomainname"), ANY("syslog"), ANY("acct"),
	ANY("quotactl"), ANY("quotactl_fd"), ANY("mknod"), ANY("mknodat"),
	ANY("open_by_handle_at"), ANY("iopl"), ANY("ioperm"),
	ANY("modify_ldt"), ANY("personality"),
	/* what is young or large in the kernel, and not needed */
	ANY("bpf"), ANY("perf_event_open"), ANY("userfaultfd"),
	ANY("io_uring_setup"), ANY("io_uring_enter"), ANY("io_uring_register"),
	ANY("keyctl"), ANY("add_key"), ANY("request_key"),
	{.name = NULL},
};

/* No network. syslog(3) may connect again. */
static const struct sandbox_rule unix_rules[] = {
	ONE("socket", IS_NOT(0, AF_UNIX)),
	{.name = NULL},
};

/* UNIX sockets, IPv4 and IPv6: all that lies between them or behind them is of no use. */
static const struct sandbox_rule ip_rules[] = {
	ONE("socket", IS(0, AF_AX25)), ONE("socket", IS(0, AF_IPX)),
	ONE("socket", IS(0, AF_APPLETALK)), ONE("socket", IS(0, AF_NETROM)),
	ONE("socket", IS(0, AF_BRIDGE)), ONE("socket", IS(0, AF_ATMPVC)),
	ONE("socket", IS(0, AF_X25)), ONE("socket", IS_ABOVE(0, AF_INET6)),
	{.name = NULL},
};
/* clang-format on */

const struct sandbox_profile sandbox_listener = {
	.name = "listener",
	.limits_files = true,
	.then = SCMP_ACT_ALLOW,
	.otherwise = SCMP_ACT_KILL_PROCESS,
	.rules = listener_rules,
};

const struct sandbox_profile sandbox_monitor = {
	.name = "monitor",
	.limits_files = true,
	.then = SCMP_ACT_ALLOW,
	.otherwise = SCMP_ACT_KILL_PROCESS,
	.rules = monitor_rules,
};

const struct sandbox_profile sandbox_signer = {
	.name = "signer",
	.limits_files = true,
	.then = SCMP_ACT_ALLOW,
	.otherwise = SCMP_ACT_KILL_PROCESS,
	.rules = signer_rules,
};

const struct sandbox_profile sandbox_auth = {
	.name = "auth",
	.limits_files = true,
	.files_left = READ_FILE | READ_DIR,
	.then = SCMP_ACT_ERRNO(EPERM),
	.otherwise = SCMP_ACT_ALLOW,
	.rules = worker_rules,
	.more = unix_rules,
	.system = system_rules,
};

const struct sandbox_profile sandbox_auth_network = {
	.name = "auth-network",
	.limits_files = true,
	.may_connect = true,
	.files_left = READ_FILE | READ_DIR,
	.then = SCMP_ACT_ERRNO(EPERM),
	.otherwise = SCMP_ACT_ALLOW,
	.rules = worker_rules,
	.more = ip_rules,
	.system = system_rules,
};

/*
 * Where mail is, each user's line may say: storage has no folder that Landlock could
 * keep it in.
 */
const struct sandbox_profile sandbox_storage = {
	.name = "storage",
	.then = SCMP_ACT_ERRNO(EPERM),
	.otherwise = SCMP_ACT_ALLOW,
	.rules = worker_rules,
	.more = unix_rules,
	.system = system_rules,
};

const struct sandbox_profile sandbox_pam = {
	.name = "pam",
	.then = SCMP_ACT_ERRNO(EPERM),
	.otherwise = SCMP_ACT_ALLOW,
	.rules = system_rules,
};
