/* SPDX-License-Identifier: MIT */
/*
 * An mbox file as a destination. What is appended stands in a journal first
 * (mbox_journal.h), so the next session can tell what this one has left there.
 */
#include "client/destination_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "codec/mail/mail_field.h"
#include "codec/mail/mbox_quote.h"
#include "client/folder.h"
#include "client/mbox_file.h"
#include "client/mbox_journal.h"

/* A Return-Path stands at the top. */
#define HEAD_MAX 8192
#define CHUNK 32768

struct mbox {
	struct mbox_file file;
	struct mbox_journal journal;
	bool found; /* all that the journal tells of is in the file */
};

static int lock(struct destination *d, const char *path, bool make, struct err *err)
{
	struct mbox *const m = d->own;

	return mbox_file_open(&m->file, path, make, d->options.account->timeout * 1000,
			      d->options.stop_fd, err);
}

/* ---- What an earlier session has left ---- */

/* A part of what was to be appended is cut off, unless others have written behind it. */
static int undo(struct mbox *m, uint64_t there, struct err *err)
{
	const uint64_t offset = m->journal.head.offset;
	const int fd = mbox_file_fd(&m->file);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot look at '%s'", m->file.path);
	if (there > 0 && (uint64_t)st.st_size == offset + there &&
	    (ftruncate(fd, (off_t)offset) < 0 || fsync(fd) < 0))
		return err_sys(err, errno, "cannot cut '%s'", m->file.path);
	return 0;
}

/* With the file locked. */
static int look(struct mbox *m, struct err *err)
{
	uint64_t there;
	const int r = mbox_journal_compare(&m->journal, mbox_file_fd(&m->file), &there);

	if (r < 0)
		return err_sys(err, -r, "cannot read '%s'", m->file.path);
	if (there < m->journal.head.length)
		return undo(m, there, err);
	if (fsync(mbox_file_fd(&m->file)) < 0)
		return err_sys(err, errno, "cannot sync '%s'", m->file.path);
	m->found = true;
	return 0;
}

static int recover(struct destination *d, struct err *err)
{
	struct mbox *const m = d->own;
	bool remembered = false;
	int r = 0;

	if (d->options.look_only)
		return 0;
	if (mbox_journal_read(&m->journal)) {
		r = d->options.is_remembered(d->options.ctx, &m->journal.head.messages[0].key,
					     &remembered, err);
		if (r == 0 && !remembered)
			r = lock(d, m->journal.head.path, false, err);
		if (r == 0 && !remembered)
			r = look(m, err);
		mbox_file_close(&m->file);
	}
	/* The whole file is gone: so is what was half of it. */
	if (r == -ENOENT)
		r = 0;
	if (r == 0 && !m->found)
		mbox_journal_forget(&m->journal);
	return r;
}

/* What is no mbox is found before anything is fetched. */
static int look_at_file(struct destination *d, struct err *err)
{
	struct mbox *const m = d->own;
	const int r = lock(d, d->options.account->mbox, false, err);

	mbox_file_close(&m->file);
	return r == -ENOENT ? 0 : r;
}

static int open_mbox(struct destination *d, struct err *err)
{
	struct mbox *const m = calloc(1, sizeof(*m));
	int r;

	if (m == NULL)
		return err_sys(err, ENOMEM, "cannot deliver");
	d->own = m;
	r = mbox_journal_init(&m->journal, d->options.state_file, d->options.identity, err);
	if (r == 0)
		r = look_at_file(d, err);
	return r == 0 ? recover(d, err) : r;
}

static void close_mbox(struct destination *d)
{
	struct mbox *const m = d->own;

	if (m == NULL)
		return;
	mbox_file_close(&m->file);
	mbox_journal_close(&m->journal);
	free(m);
}

static const struct mbox_journal_message *find(const struct destination *d,
					       const struct message_key *key)
{
	const struct mbox *const m = d->own;

	for (size_t i = 0; m->found && i < m->journal.head.n; i++) {
		if (message_key_equal(&m->journal.head.messages[i].key, key))
			return &m->journal.head.messages[i];
	}
	return NULL;
}

static bool has(const struct destination *d, const struct message_key *key, uint64_t *ret_bytes)
{
	const struct mbox_journal_message *const found = find(d, key);

	if (found != NULL)
		*ret_bytes = found->bytes;
	return found != NULL;
}

static int header(struct destination *d, const struct message_key *key,
		  struct header_digest *ret_digest, struct err *err)
{
	const struct mbox_journal_message *const found = find(d, key);

	if (found == NULL)
		return err_sys(err, ENOENT, "cannot read a message");
	*ret_digest = found->header;
	return 0;
}

/* ---- Delivering ---- */

/* "From alice@example.org Wed Nov 25 09:00:00 2026". */
static int add_from_line(struct mbox *m, const struct incoming *in, struct err *err)
{
	char head[HEAD_MAX];
	char sender[LIMIT_ADDRESS + 1];
	char line[LIMIT_ADDRESS + 64];
	char date[32] = "Thu Jan  1 00:00:00 1970\n";
	struct out o = {.p = sender, .cap = LIMIT_ADDRESS};
	const time_t now = time(NULL);
	struct tm tm;
	const ssize_t n = spool_head(in, head, sizeof(head));

	if (n < 0)
		return err_sys(err, (int)-n, "cannot read a message again");
	mail_field_sender(span_of(head, (size_t)n), &o);
	sender[o.n] = '\0';
	/* A quoted local part may have spaces, which readers would take for the end. */
	if (o.n == 0 || memchr(sender, ' ', o.n) != NULL)
		(void)snprintf(sender, sizeof(sender), "MAILER-DAEMON");
	/* Not strftime(): the months are English, whatever the user speaks. */
	if (gmtime_r(&now, &tm) != NULL)
		(void)asctime_r(&tm, date);

	const int length = snprintf(line, sizeof(line), "From %s %s", sender, date);

	return mbox_journal_add(&m->journal, span_of(line, (size_t)length), err);
}

static int add_text(struct mbox *m, int fd, struct err *err)
{
	char from[CHUNK];
	char to[CHUNK];
	struct mbox_quoter q = {._matched = 0};
	struct out out = {.p = to, .cap = sizeof(to)};
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read(fd, from, sizeof(from))) != 0) {
		struct span in = span_of(from, n < 0 ? 0 : (size_t)n);

		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "cannot read a message again");
		while (in.n > 0 && r == 0) {
			mbox_quote(&q, &in, &out);
			r = mbox_journal_add(&m->journal, out_span(&out), err);
			out.n = 0;
		}
	}
	mbox_quote_end(&q, &out);
	return r < 0 ? r : mbox_journal_add(&m->journal, out_span(&out), err);
}

static int add_message(struct mbox *m, const struct incoming *in, struct err *err)
{
	struct mbox_journal_message *const entry = &m->journal.head.messages[m->journal.head.n];
	const int fd = spool_open(in);
	int r;

	if (fd < 0)
		return err_sys(err, -fd, "cannot read a message again");
	entry->key = in->key;
	entry->bytes = in->bytes;
	r = header_digest_read(fd, &entry->header);
	if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
		r = err_sys(err, r < 0 ? -r : errno, "cannot read a message again");
	if (r == 0)
		r = add_from_line(m, in, err);
	if (r == 0)
		r = add_text(m, fd, err);
	(void)close(fd);
	m->journal.head.n++;
	return r;
}

/* Where it begins: behind an empty line, or others wouldn't see that it does. */
static int find_end(struct mbox *m, struct err *err)
{
	const int fd = mbox_file_fd(&m->file);
	struct stat st;
	char last[2] = "\n";

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "cannot look at '%s'", m->file.path);
	m->journal.head.offset = (uint64_t)st.st_size;
	if (st.st_size < 2)
		return 0;
	if (pread(fd, last, sizeof(last), st.st_size - 2) != 2)
		return err_sys(err, errno, "cannot read '%s'", m->file.path);
	return memcmp(last, "\n\n", 2) == 0 ? 0 : last[1] == '\n' ? 1 : 2;
}

/* The journal first, and then the file. */
static int append(struct mbox *m, struct err *err)
{
	const int fd = mbox_file_fd(&m->file);
	int r = mbox_journal_commit(&m->journal, err);

	if (r < 0)
		return r;
	r = mbox_journal_append(&m->journal, fd);
	/* Its name must last too, and may be new. */
	if (r == 0)
		return folder_sync_above(m->file.path, err);
	(void)err_sys(err, -r, "cannot write into '%s'", m->file.path);
	/* As it was. If that fails, the next session does it. */
	if (ftruncate(fd, (off_t)m->journal.head.offset) == 0 && fsync(fd) == 0)
		mbox_journal_forget(&m->journal);
	return r;
}

static int place(struct destination *d, struct incoming *in, size_t n, struct err *err)
{
	struct mbox *const m = d->own;
	int r;

	m->found = false;
	r = lock(d, d->options.account->mbox, true, err);
	if (r == 0)
		r = mbox_journal_begin(&m->journal, err);
	if (r == 0)
		r = find_end(m, err);
	if (r > 0)
		r = mbox_journal_add(&m->journal, span_of("\n\n", (size_t)r), err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_message(m, &in[i], err);
	if (r == 0) {
		(void)snprintf(m->journal.head.path, sizeof(m->journal.head.path), "%s",
			       d->options.account->mbox);
		r = append(m, err);
	}
	mbox_file_close(&m->file);
	for (size_t i = 0; i < n && r == 0; i++)
		spool_abort(&d->spool, &in[i]);
	return r;
}

static void settle(struct destination *d)
{
	struct mbox *const m = d->own;

	m->found = false;
	mbox_journal_forget(&m->journal);
}

const struct destination_driver destination_mbox = {
	.together = MBOX_JOURNAL_MESSAGES,
	.open = open_mbox,
	.close = close_mbox,
	.has = has,
	.header = header,
	.place = place,
	.settle = settle,
};
