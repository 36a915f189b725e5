/* SPDX-License-Identifier: MIT */
#include "codec/dot.h"
#include "store/header_growth.h"
#include "store/maildir/maildir_priv.h"

#define CHUNK ((size_t)128 * 1024)

int maildir_file_open(int dir_fd, const char *name, struct stat *ret_st)
{
	const int fd = sys_openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	int r = 0;

	if (fd < 0)
		return errno == ENXIO ? -ELOOP : -errno; /* ENXIO: a socket */
	if (sys_fstat(fd, ret_st) < 0)
		r = -errno;
	else if (!S_ISREG(ret_st->st_mode))
		r = -ELOOP;
	if (r < 0)
		sys_close(fd);
	return r < 0 ? r : fd;
}

int maildir_measure(int fd, struct maildir_measured *ret)
{
	struct dot_measure measure = {0};
	struct header_growth growth;
	char *const buf = malloc(CHUNK);
	int r = buf != NULL ? 0 : -ENOMEM;

	while (r == 0) {
		const ssize_t n = sys_pread(fd, buf, CHUNK, measure.bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = -errno;
		if (n <= 0)
			break;
		dot_measure(&measure, span_of(buf, (size_t)n));
		if (measure.bytes > MAILDIR_BYTES_MAX)
			r = -EFBIG;
	}
	free(buf);
	if (r == 0)
		r = header_growth(fd, &growth);
	if (r < 0)
		return r;
	*ret = (struct maildir_measured){
		.bytes = measure.bytes,
		.octets = dot_measure_octets(&measure),
		.flags = INDEX_MEASURED | (measure.bare_lf == 0 ? INDEX_CRLF : 0U) |
			 (measure.dot_lines == 0 ? INDEX_NO_DOT : 0U) |
			 (dot_measure_no_eol(&measure) ? INDEX_NO_EOL : 0U) |
			 (growth.utf8 ? INDEX_UTF8_HEADER : 0U),
		.growth = growth.value,
	};
	return 0;
}

/* It is listed, so that it isn't overlooked, with the one size that is known of it. */
static void set_broken(struct maildir_drop *m, struct maildir_message *msg, const char *name,
		       int dir_fd, int error)
{
	struct stat st;
	uint64_t size = 0;

	if (sys_fstatat(dir_fd, name, &st) == 0 && st.st_size > 0)
		size = (uint64_t)st.st_size;
	if (size > MAILDIR_BYTES_MAX)
		size = MAILDIR_BYTES_MAX;
	msg->bytes = size;
	msg->octets = size;
	msg->flags = INDEX_BROKEN;
	msg->growth = 0;
	maildir_say_odd(m, "cannot read message '%s/%s': %s, listed all the same",
			maildir_where_name(msg->where), name, sys_reason(error));
}

/* What befell us and not the file: the next try may go better, so nothing is written down. */
static bool is_our_fault(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == EINTR;
}

static int measure_message(struct maildir_drop *m, const struct maildir_catalog *c,
			   struct maildir_message *msg, struct err *err)
{
	const struct span span = maildir_message_name(c, msg);
	char name[MAILDIR_NAME_MAX + 1];
	const struct maildir_message before = *msg;
	struct maildir_measured found;
	struct stat st;
	int dir_fd;
	int fd;
	int r;

	memcpy(name, span.p, span.n);
	name[span.n] = '\0';
	dir_fd = maildir_drop_dir(m, msg->where, err);
	if (dir_fd < 0)
		return dir_fd;

	fd = maildir_file_open(dir_fd, name, &st);
	r = fd < 0 ? fd : maildir_measure(fd, &found);
	sys_close(fd);
	if (r == 0) {
		msg->octets = found.octets;
		msg->bytes = found.bytes;
		msg->flags = found.flags;
		msg->growth = found.growth;
	}
	if (r == -ENOENT)
		return r;
	if (r == -ELOOP) {
		maildir_say_odd(m, "'%s/%s' is not a regular file, ignored",
				maildir_where_name(msg->where), name);
		return -ENOENT;
	}
	if (r < 0 && is_our_fault(-r))
		return err_sys(err, -r, "cannot read '%s/%s/%s'", m->owner.path,
			       maildir_where_name(msg->where), name);
	if (r < 0)
		set_broken(m, msg, name, dir_fd, -r);
	msg->changed = msg->changed || msg->octets != before.octets || msg->bytes != before.bytes ||
		       msg->flags != before.flags || msg->growth != before.growth;
	return 0;
}

bool maildir_size_by_name(const struct maildir_catalog *c, struct maildir_message *msg)
{
	struct maildir_name parts;

	maildir_name_parse(maildir_message_name(c, msg), &parts);
	if (!parts.has_sizes)
		return false;

	msg->bytes = parts.bytes;
	msg->octets = parts.octets;
	msg->flags = 0;
	msg->growth = 0;
	if (parts.bytes == parts.octets)
		msg->flags |= INDEX_CRLF;
	/* D= is ours, and we write CRLF: without S=W somebody has put other sizes in. */
	if (parts.bytes == parts.octets && parts.has_dots && parts.dots == 0)
		msg->flags |= INDEX_NO_DOT;
	if (parts.bytes == parts.octets && parts.has_dots && parts.has_growth) {
		msg->flags |= INDEX_UTF8_HEADER;
		msg->growth = parts.growth;
	}
	msg->changed = true;
	return true;
}

int maildir_size(struct maildir_drop *m, const struct maildir_catalog *c,
		 struct maildir_message *msg, struct err *err)
{
	return maildir_size_by_name(c, msg) ? 0 : measure_message(m, c, msg, err);
}

int maildir_size_check(struct maildir_drop *m, const struct maildir_catalog *c,
		       struct maildir_message *msg, struct err *err)
{
	const struct span span = maildir_message_name(c, msg);
	const int dir_fd = maildir_drop_dir(m, msg->where, err);
	char name[MAILDIR_NAME_MAX + 1];
	struct stat st;

	if (dir_fd < 0)
		return dir_fd;
	memcpy(name, span.p, span.n);
	name[span.n] = '\0';
	if (sys_fstatat(dir_fd, name, &st) == 0) {
		if (S_ISREG(st.st_mode) && (uint64_t)st.st_size == msg->bytes &&
		    (msg->flags & INDEX_BROKEN) == 0)
			return 0;
	} else if (errno == ENOENT) {
		return -ENOENT;
	}
	return measure_message(m, c, msg, err);
}
