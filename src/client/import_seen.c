/* SPDX-License-Identifier: MIT */
#include "client/import_seen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "client/foreign_seen.h"
#include "client/listing.h"

/* UIDLs of two million messages. */
#define SEEN_FILE_MAX (256U << 20)

static int read_file(const char *path, struct buf *ret_text, struct err *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n = 1;
	int r = 0;

	if (fd < 0)
		return err_sys(err, errno, "cannot read '%s'", path);
	while (r == 0 && n > 0) {
		char octets[16384];

		n = read(fd, octets, sizeof(octets));
		if (n < 0)
			r = err_sys(err, errno, "cannot read '%s'", path);
		else if (buf_put(ret_text, span_of(octets, (size_t)n)) < 0)
			r = err_sys(err, EFBIG, "cannot read '%s'", path);
	}
	(void)close(fd);
	return r;
}

/* In a transaction. */
static int remember(struct state *s, int64_t account, const char *identity, struct span uidl,
		    struct import_seen *seen, struct err *err)
{
	struct state_message row;
	struct message_key key;
	size_t n;
	int r;

	if (uidl.n > LISTING_UIDL_MAX) {
		seen->too_long++;
		return 0;
	}
	r = state_find(s, account, uidl, &row, 1, &n, err);
	if (r < 0)
		return r;
	if (n > 0) {
		seen->known++;
		return 0;
	}
	if (!message_key_make(span_str(identity), uidl, NULL, 0, &key))
		return err_sys(err, ENOMEM, "cannot remember messages");
	seen->imported++;
	return state_add_elsewhere(s, account, &key, uidl, err);
}

static int remember_all(struct state *s, int64_t account, const char *identity,
			struct foreign_seen *in, struct import_seen *seen, struct err *err)
{
	struct span uidl;
	int r = state_begin(s, err);

	if (r < 0)
		return r;
	while (r == 0 && foreign_seen_next(in, &uidl))
		r = remember(s, account, identity, uidl, seen, err);
	if (r == 0)
		r = state_commit(s, err);
	if (r < 0)
		state_abort(s);
	return r;
}

int import_seen(struct state *s, enum foreign_program program, const struct foreign_account *a,
		struct import_seen *ret_seen, struct err *err)
{
	char identity[ACCOUNT_IDENTITY_MAX + 1];
	struct foreign_seen in = {
		.program = program, .user = a->account.user, .host = a->seen_host};
	struct buf text;
	int64_t account;
	int r;

	*ret_seen = (struct import_seen){.imported = 0};
	buf_init(&text, SEEN_FILE_MAX);
	account_identity(&a->account, identity);
	r = read_file(a->seen_file, &text, err);
	in.left = buf_span(&text);
	if (r == 0)
		r = state_account(s, identity, a->account.name, &account, err);
	if (r == 0)
		r = remember_all(s, account, identity, &in, ret_seen, err);
	buf_done(&text);
	return r;
}
