/* SPDX-License-Identifier: MIT */
#include "store/owner.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel answers setfsuid() with the id as it was before, and says nothing of success. */
static uid_t set_fsuid(uid_t uid)
{
	(void)syscall(SYS_setfsuid, uid);
	return (uid_t)syscall(SYS_setfsuid, (uid_t)-1);
}

static gid_t set_fsgid(gid_t gid)
{
	(void)syscall(SYS_setfsgid, gid);
	return (gid_t)syscall(SYS_setfsgid, (gid_t)-1);
}

static bool set_groups(int n, const gid_t *groups)
{
	return syscall(SYS_setgroups, (size_t)n, groups) == 0;
}

/*
 * A file system uid other than 0 takes the capabilities that pass over file
 * permissions out of the effective set, unless somebody set the securebit that
 * prevents it. So it is looked at, not believed.
 */
static bool has_file_powers(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	const uint32_t powers = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE |
				1U << CAP_DAC_READ_SEARCH | 1U << CAP_FOWNER | 1U << CAP_FSETID;

	return syscall(SYS_capget, &head, data) != 0 || (data[0].effective & powers) != 0;
}

static void restore(const struct owner_switch *sw)
{
	if (set_fsuid(sw->uid) != sw->uid || set_fsgid(sw->gid) != sw->gid ||
	    !set_groups(sw->group_count, sw->groups))
		abort();
}

int owner_enter(struct owner_switch *sw, const struct store_owner *owner, struct err *err)
{
	const uid_t self = geteuid();

	sw->switched = false;
	if (owner->uid == (uid_t)-1)
		return 0;
	if (owner->uid == 0)
		return err_set(err, EPERM, "root can't own a maildrop ('%s')", owner->path);
	if (self != 0) {
		if (owner->uid == self)
			return 0;
		return err_set(err, EPERM, "only root can open '%s' as its owner (uid %u)",
			       owner->path, owner->uid);
	}
	if (owner->gid == (gid_t)-1)
		return err_set(err, EINVAL, "the owner of '%s' has a uid and no gid", owner->path);

	sw->group_count = getgroups(OWNER_GROUPS_MAX, sw->groups);
	if (sw->group_count < 0)
		return err_sys(err, errno, "cannot read our groups");
	sw->uid = (uid_t)syscall(SYS_setfsuid, (uid_t)-1);
	sw->gid = (gid_t)syscall(SYS_setfsgid, (gid_t)-1);
	sw->switched = true;

	/* Groups first and uid last: the way back needs them in the other order. */
	if (set_groups(0, NULL) && set_fsgid(owner->gid) == owner->gid &&
	    set_fsuid(owner->uid) == owner->uid && !has_file_powers())
		return 0;
	restore(sw);
	sw->switched = false;
	return err_set(err, EPERM, "cannot become the owner of '%s' (uid %u, gid %u)", owner->path,
		       owner->uid, owner->gid);
}

void owner_leave(const struct owner_switch *sw)
{
	const int saved = errno;

	if (sw->switched)
		restore(sw);
	errno = saved;
}
