/* SPDX-License-Identifier: MIT */
#include "auth/app_password_use.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"

enum { ID = 16, TIME = 14, RECORD = ID + 1 + TIME + 1 };

/* The file's owner and mode are those of the passwords, where there are any. */
static int take_after(int fd, const char *passwords)
{
	struct stat st;

	if (stat(passwords, &st) < 0)
		return 0;
	return fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, st.st_mode & 0660) < 0 ? -errno
											 : 0;
}

int app_password_use_open(const char *path, struct err *err)
{
	char name[LIMIT_PATH + sizeof(APP_PASSWORD_USE_SUFFIX)];
	struct stat st;

	(void)snprintf(name, sizeof(name), "%s" APP_PASSWORD_USE_SUFFIX, path);

	const int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);

	if (fd < 0)
		return err_sys(err, errno, "cannot open '%s'", name);

	int r = 0;

	if (fstat(fd, &st) < 0)
		r = err_sys(err, errno, "cannot read '%s'", name);
	/* Whoever owns the directory must not make us write into a file of somebody else's. */
	else if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		r = err_set(err, EINVAL, "'%s' is not a file of its own", name);
	else if (st.st_size == 0 && (r = take_after(fd, path)) < 0)
		r = err_sys(err, -r, "cannot give '%s' an owner", name);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return fd;
}

static void id_of(const uint8_t hash[APP_PASSWORD_HASH], char ret_id[ID + 1])
{
	uint64_t first = 0;

	for (size_t i = 0; i < ID / 2; i++)
		first = first << 8 | hash[i];
	(void)snprintf(ret_id, ID + 1, "%016" PRIx64, first);
}

bool app_password_use_read(int fd, uint32_t slot, const uint8_t hash[APP_PASSWORD_HASH],
			   uint64_t *ret_time)
{
	char record[RECORD];
	char id[ID + 1];

	id_of(hash, id);
	return pread(fd, record, sizeof(record), (off_t)slot * RECORD) == (ssize_t)sizeof(record) &&
	       memcmp(record, id, ID) == 0 && record[ID] == ' ' &&
	       num_parse_u64(span_of(record + ID + 1, TIME), INT64_MAX, ret_time);
}

void app_password_use_note(int fd, uint32_t slot, const uint8_t hash[APP_PASSWORD_HASH],
			   uint64_t now)
{
	char record[RECORD + 1];
	char id[ID + 1];
	uint64_t last;

	if (app_password_use_read(fd, slot, hash, &last) && last <= now &&
	    now - last < APP_PASSWORD_USE_SECONDS)
		return;
	id_of(hash, id);
	(void)snprintf(record, sizeof(record), "%s %014" PRIu64 "\n", id, now);

	const ssize_t n = pwrite(fd, record, RECORD, (off_t)slot * RECORD);

	/* A full disk is no reason to refuse a login. */
	(void)n;
}
