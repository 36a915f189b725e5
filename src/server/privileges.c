/* SPDX-License-Identifier: MIT */
#include "server/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's interface, without libcap: two words of bits for each set. */
static int limit_capabilities(uint64_t wanted)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = (uint32_t)wanted, .permitted = (uint32_t)wanted},
		{.effective = (uint32_t)(wanted >> 32), .permitted = (uint32_t)(wanted >> 32)},
	};

	/* A container may have taken some already: what isn't there can't be dropped. */
	for (unsigned long cap = 0; cap < 64; cap++) {
		if ((wanted & UINT64_C(1) << cap) == 0)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int find_user(const char *user, struct passwd *pw, char *text, size_t n, struct err *err)
{
	struct passwd *found;
	const int r = getpwnam_r(user, pw, text, n, &found);

	if (r != 0)
		return err_sys(err, r, "cannot look up user '%s'", user);
	if (found == NULL)
		return err_set(err, ENOENT, "there is no user '%s'", user);
	return 0;
}

int privileges_check(const char *user, struct err *err)
{
	struct passwd pw;
	char text[4096];

	return find_user(user, &pw, text, sizeof(text), err);
}

static int change_user(const char *user, struct err *err)
{
	struct passwd pw;
	char text[4096];
	const int r = find_user(user, &pw, text, sizeof(text), err);

	if (r < 0)
		return r;
	if (pw.pw_uid == 0)
		return err_set(err, EINVAL, "user '%s' is root", user);
	if (initgroups(user, pw.pw_gid) < 0 || setresgid(pw.pw_gid, pw.pw_gid, pw.pw_gid) < 0 ||
	    setresuid(pw.pw_uid, pw.pw_uid, pw.pw_uid) < 0)
		return err_sys(err, errno, "cannot become user '%s'", user);
	if (setuid(0) == 0)
		return err_set(err, EPERM, "became user '%s' and could go back", user);
	/* Libraries look for files there: root's can't be read, and libpq then connects nowhere. */
	if (setenv("HOME", pw.pw_dir, 1) < 0)
		return err_sys(err, errno, "cannot become user '%s'", user);
	return 0;
}

int privileges_drop(const char *user, bool as_owners, struct err *err)
{
	if (geteuid() == 0) {
		int r;

		if (user[0] == '\0' && as_owners) {
			r = limit_capabilities(UINT64_C(1) << CAP_SETUID | UINT64_C(1)
										   << CAP_SETGID);
			if (r < 0)
				return err_sys(err, -r, "cannot drop capabilities");
		} else {
			r = change_user(user, err);
			if (r < 0)
				return r;
		}
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "cannot set no_new_privs");
	return 0;
}

/* What we may do now. A container or a service manager may have taken some already. */
static uint64_t permitted(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{.permitted = 0}};

	if (syscall(SYS_capget, &head, data) < 0)
		return 0;
	return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

int privileges_keep_for_pam(struct err *err)
{
	static const unsigned kept[] = {CAP_AUDIT_WRITE, CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,
					CAP_KILL,        CAP_SETGID, CAP_SETUID};
	uint64_t wanted = 0;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		wanted |= UINT64_C(1) << kept[i];
	if (geteuid() == 0) {
		const int r = limit_capabilities(wanted & permitted());

		if (r < 0)
			return err_sys(err, -r, "cannot drop capabilities");
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "cannot set no_new_privs");
	return 0;
}

int privileges_forbid_dumps(struct err *err)
{
	const struct rlimit none = {0, 0};
#ifdef RESTANTE_UNSEALED
	const unsigned long dumpable = 1;
#else
	const unsigned long dumpable = 0;
#endif

	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) < 0)
		return err_sys(err, errno, "cannot forbid dumps");
	return 0;
}
