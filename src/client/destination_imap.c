/* SPDX-License-Identifier: MIT */
/*
 * A folder of an IMAP server as a destination. Which message is about to be appended stands
 * in a file beside the state, so that a session that comes after a crash asks the server
 * whether it has got that one.
 */
#include "client/destination_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "codec/mail/mail_field.h"
#include "client/imap_session.h"

/* What is looked at of a message: Message-ID and Received may stand behind many others. */
#define HEAD_MAX 32768
#define VALUE_MAX 1024

struct imap {
	struct imap_session session;
	struct wire_reader reader;
	int marker;                /* the file's descriptor. Owned, + 1 */
	struct message_key marked; /* what the last session was about to append */
	bool is_marked;
	char marker_path[PATH_MAX];
	char head[HEAD_MAX];
};

static int name_marker(struct destination *d, struct err *err)
{
	struct imap *const i = d->own;
	struct message_key account;

	if (!message_key_make(span_str(d->options.identity), SPAN_LIT("imap"), NULL, 0, &account))
		return err_sys(err, ENOMEM, "cannot deliver");
	if ((size_t)snprintf(i->marker_path, sizeof(i->marker_path),
			     "%s.imap-%02x%02x%02x%02x%02x%02x", d->options.state_file,
			     account.octets[0], account.octets[1], account.octets[2],
			     account.octets[3], account.octets[4],
			     account.octets[5]) >= sizeof(i->marker_path))
		return err_sys(err, ENAMETOOLONG, "cannot make a file beside '%s'",
			       d->options.state_file);
	return 0;
}

static int open_imap(struct destination *d, struct err *err)
{
	struct imap *const i = calloc(1, sizeof(*i));
	int fd;
	int r;

	if (i == NULL)
		return err_sys(err, ENOMEM, "cannot deliver");
	d->own = i;
	r = name_marker(d, err);
	if (r < 0 || d->options.look_only)
		return r;
	fd = open(i->marker_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, errno, "cannot open '%s'", i->marker_path);
	i->marker = fd + 1;
	i->is_marked = pread(fd, i->marked.octets, sizeof(i->marked.octets), 0) ==
		       (ssize_t)sizeof(i->marked.octets);
	return 0;
}

static void close_imap(struct destination *d)
{
	struct imap *const i = d->own;

	if (i == NULL)
		return;
	imap_session_close(&i->session);
	if (i->marker != 0)
		(void)close(i->marker - 1);
	free(i);
}

/* Received's date is when it arrived; else that of who wrote it, else now. */
static int64_t date_of(struct span head)
{
	char value[VALUE_MAX + 1];
	struct out o = {.p = value, .cap = VALUE_MAX};
	const char *from = value;
	time_t t;

	if (mail_field(head, SPAN_LIT("Received"), &o)) {
		value[o.n] = '\0';
		from = strrchr(value, ';');
		t = from == NULL ? -1 : curl_getdate(from + 1, NULL);
		if (t >= 0)
			return t;
	}
	o.n = 0;
	(void)mail_field(head, SPAN_LIT("Date"), &o);
	value[o.n] = '\0';
	t = curl_getdate(value, NULL);
	return t >= 0 ? t : time(NULL);
}

static int ask(struct destination *d, const struct incoming *in, struct span head, bool *ret_has,
	       struct err *err)
{
	struct imap *const i = d->own;
	char id[VALUE_MAX];
	struct out o = {.p = id, .cap = sizeof(id)};

	(void)mail_field(head, SPAN_LIT("Message-ID"), &o);
	return imap_session_has(&i->session, d->options.account->imap_folder, out_span(&o),
				in->octets, ret_has, err);
}

/* On disk before the server has the first octet. */
static int mark(struct imap *i, const struct message_key *key, struct err *err)
{
	const int fd = i->marker - 1;

	if (pwrite(fd, key->octets, sizeof(key->octets), 0) != (ssize_t)sizeof(key->octets) ||
	    fdatasync(fd) < 0)
		return err_sys(err, errno, "cannot write '%s'", i->marker_path);
	return 0;
}

static int append(struct destination *d, const struct incoming *in, struct span head,
		  struct err *err)
{
	struct imap *const i = d->own;
	const int fd = spool_open(in);
	int r;

	if (fd < 0)
		return err_sys(err, -fd, "cannot read a message again");
	i->reader = (struct wire_reader){.fd = fd};

	const struct imap_message m = {
		.folder = d->options.account->imap_folder,
		.flags = d->options.account->imap_flags,
		.seconds = date_of(head),
		.octets = in->octets,
		.reader = &i->reader,
	};

	r = mark(i, &in->key, err);
	if (r == 0)
		r = imap_session_append(&i->session, &m, err);
	(void)close(fd);
	return r;
}

static int place(struct destination *d, struct incoming *in, size_t n, struct err *err)
{
	struct imap *const i = d->own;
	const ssize_t length = spool_head(in, i->head, sizeof(i->head));
	const struct span head = span_of(i->head, length < 0 ? 0 : (size_t)length);
	bool has = false;
	int r = 0;

	assert(n == 1);
	if (length < 0)
		return err_sys(err, (int)-length, "cannot read a message again");
	if (i->session.curl == NULL)
		r = imap_session_open(&i->session, &d->options, err);
	if (r == 0 && i->is_marked && message_key_equal(&i->marked, &in->key))
		r = ask(d, in, head, &has, err);
	if (r == 0 && !has)
		r = append(d, in, head, err);
	if (r == 0)
		spool_abort(&d->spool, in);
	return r;
}

const struct destination_driver destination_imap = {
	.together = 1,
	.open = open_imap,
	.close = close_imap,
	.place = place,
};
