/* SPDX-License-Identifier: MIT */
#include "store/maildir/maildir_tidy.h"

#include <dirent.h>

#include "store/maildir/maildir_priv.h"

/* What Maildir's specification gives a delivery. */
#define OLD_NS (UINT64_C(36) * 3600 * 1000000000U)

static bool is_old(struct timespec t, uint64_t now_ns)
{
	return sys_ns(t) < now_ns && now_ns - sys_ns(t) > OLD_NS;
}

void maildir_tidy(int root_fd, uint64_t now_ns)
{
	/* Were it a link to another maildrop's cur/, old mail would be deleted. */
	const int fd = sys_openat(root_fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	DIR *const dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	(void)sys_unlinkat(root_fd, MAILDIR_JOURNAL_TMP, 0);
	if (dir == NULL) {
		sys_close(fd);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		struct stat st;

		/* Written long ago, and not put here by a program that keeps old dates. */
		if (e->d_name[0] != '.' && sys_fstatat(fd, e->d_name, &st) == 0 &&
		    S_ISREG(st.st_mode) && is_old(st.st_mtim, now_ns) && is_old(st.st_ctim, now_ns))
			(void)sys_unlinkat(fd, e->d_name, 0);
	}
	(void)closedir(dir);
}
