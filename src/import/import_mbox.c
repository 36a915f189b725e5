/* SPDX-License-Identifier: MIT */
/*
 * The spool stays locked from the first look at it to the last message: where a message
 * begins counts only as long as nobody rewrites the file, and what is delivered meanwhile waits
 * instead of being missed.
 */
#include "import/import_mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/owner.h"
#include "import/import_date.h"
#include "import/mbox_lock.h"

#define LOCK_MS 30000

struct mbox_source {
	struct import_source base;
	const struct mbox_flavour *flavour;
	struct import_place place; /* its path is the one that follows */
	char path[LIMIT_PATH];
	int fd; /* -1: there is no such spool. Owned */
	struct mbox_lock lock;
	struct mbox_reader reader;
	char chunk[1 << 16];
};

static struct mbox_source *of(struct import_source *s)
{
	return (struct mbox_source *)s;
}

static int enter(const struct mbox_source *s, struct owner_switch *sw, struct err *err)
{
	const struct store_owner as = {
		.user = "", .path = s->path, .uid = s->place.uid, .gid = s->place.gid};

	return owner_enter(sw, &as, err);
}

/* ---- all messages ---- */

/* One message's header, as it is read. */
struct scan {
	const struct mbox_flavour *flavour;
	struct import_listing *l;
	void *memory;   /* the flavour's. Owned */
	EVP_MD_CTX *md; /* of the header, for one that clients know by nothing. Owned */
	struct import_message m;
	struct mbox_flags flags;
	int failed;
};

static void begin(struct scan *s, const struct mbox_event *e)
{
	struct span date;

	s->m = (struct import_message){.at = e->at, .order = s->l->n};
	s->flags = (struct mbox_flags){0};
	if (mbox_from_date(mbox_line(e->text), &date))
		(void)import_date_parse_local(date, &s->m.arrived);
	if (EVP_DigestInit_ex(s->md, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(s->md, e->text.p, e->text.n) != 1)
		s->failed = -ENOMEM;
	s->flavour->begin(s->memory);
}

static void header(struct scan *s, const struct mbox_event *e)
{
	const bool changes = e->begins && mbox_flags_take(&s->flags, mbox_line(e->text));

	if (!changes && EVP_DigestUpdate(s->md, e->text.p, e->text.n) != 1)
		s->failed = -ENOMEM;
	s->flavour->header(s->memory, e);
}

/*
 * Nobody knows it yet; but it may be brought while the old server still runs, and in the
 * next run be known by the same.
 */
static void make_uidl(struct scan *s, struct out *uidl)
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	char digits[41];

	if (EVP_DigestFinal_ex(s->md, sum, NULL) != 1) {
		s->failed = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < sizeof(digits) / 2; i++)
		(void)snprintf(digits + 2 * i, 3, "%02x", sum[i]);
	(void)out_put(uidl, span_str(digits));
}

static void end(struct scan *s, const struct mbox_event *e)
{
	char text[MBOX_UIDL_MAX];
	struct out uidl = {.p = text, .cap = sizeof(text)};

	s->m.bytes = e->at - s->m.at;
	mbox_flags_maildir(&s->flags, s->m.flags);
	s->m.where = (uint8_t)((s->flags.seen ? MBOX_SEEN : 0) | (s->flags.old ? MBOX_OLD : 0));
	if (!s->flavour->end(s->memory, &s->flags, &s->m, &uidl))
		return;
	if (uidl.n == 0)
		make_uidl(s, &uidl);
	if (s->failed == 0)
		s->failed = import_listing_add(s->l, &s->m, span_of("", 0));
	if (s->failed == 0)
		s->failed = import_listing_set_uidl(s->l, s->l->n - 1, out_span(&uidl));
}

static void take(struct scan *s, enum mbox_status status, const struct mbox_event *e)
{
	if (status == MBOX_FROM)
		begin(s, e);
	else if (status == MBOX_HEADER)
		header(s, e);
	else if (status == MBOX_END)
		end(s, e);
}

static int scan_file(struct mbox_source *s, struct scan *scan)
{
	enum mbox_status status = MBOX_MORE;
	struct mbox_event e;
	uint64_t at = 0;
	ssize_t n;

	mbox_reader_init(&s->reader, &s->flavour->rule);
	while ((n = pread(s->fd, s->chunk, sizeof(s->chunk), (off_t)at)) > 0) {
		struct span in = span_of(s->chunk, (size_t)n);

		at += (uint64_t)n;
		while (scan->failed == 0 &&
		       (status = mbox_reader_next(&s->reader, &in, &e)) != MBOX_MORE) {
			if (status == MBOX_NONE)
				return -EBADMSG;
			take(scan, status, &e);
		}
		if (scan->failed < 0)
			return scan->failed;
	}
	if (n < 0)
		return -errno;
	while (scan->failed == 0 && (status = mbox_reader_end(&s->reader, &e)) != MBOX_MORE) {
		if (status == MBOX_NONE)
			return -EBADMSG;
		take(scan, status, &e);
	}
	return scan->failed;
}

static int list(struct import_source *base, struct import_listing *l, struct err *err)
{
	struct mbox_source *const s = of(base);
	struct scan scan = {.flavour = s->flavour, .l = l};
	int r = 0;

	if (s->fd < 0)
		return 0;
	scan.memory = s->flavour->new ();
	scan.md = EVP_MD_CTX_new();
	if (scan.memory == NULL || scan.md == NULL)
		r = -ENOMEM;
	if (r == 0)
		r = scan_file(s, &scan);
	if (r == 0 && s->flavour->finish != NULL)
		r = s->flavour->finish(scan.memory, l);
	s->flavour->free(scan.memory);
	EVP_MD_CTX_free(scan.md);
	if (r == -EBADMSG)
		return err_set(err, EBADMSG, "'%s' doesn't begin as a file of mails does", s->path);
	return r < 0 ? err_sys(err, -r, "cannot read '%s'", s->path) : 0;
}

/* ---- one message ---- */

struct sending {
	const struct mbox_source *s;
	const struct import_message *m;
	struct import_text *to;
	bool hidden; /* the field that the header is in */
	bool status; /* is sent */
};

static void send_status(struct sending *g)
{
	const struct import_message *const m = g->m;
	char line[] = "Status:   \n";

	if (!g->s->flavour->sends_status || g->status)
		return;
	g->status = true;
	line[8] = (m->where & MBOX_SEEN) != 0 ? 'R' : ' ';
	line[9] = (m->where & MBOX_OLD) != 0 ? 'O' : ' ';
	import_text_put(g->to, span_str(line));
}

static void send(struct sending *g, enum mbox_status status, const struct mbox_event *e)
{
	const struct mbox_flavour *const f = g->s->flavour;
	const bool goes_on = e->text.n > 0 && (e->text.p[0] == ' ' || e->text.p[0] == '\t');

	switch (status) {
	case MBOX_HEADER:
		if (e->begins && !goes_on)
			g->hidden = f->hides != NULL && f->hides(e->text);
		if (!g->hidden)
			import_text_put(g->to, e->text);
		break;
	case MBOX_BLANK:
		send_status(g);
		import_text_put(g->to, e->text);
		break;
	case MBOX_BODY:
		import_text_put(g->to, e->text);
		break;
	case MBOX_END:
		send_status(g);
		break;
	default:
		break;
	}
}

static int send_file(struct mbox_source *s, struct sending *g)
{
	const struct import_message *const m = g->m;
	enum mbox_status status;
	struct mbox_event e;
	uint64_t at = 0;

	mbox_reader_init(&s->reader, &s->flavour->rule);
	while (at < m->bytes) {
		const uint64_t left = m->bytes - at;
		const size_t want = left < sizeof(s->chunk) ? (size_t)left : sizeof(s->chunk);
		const ssize_t n = pread(s->fd, s->chunk, want, (off_t)(m->at + at));
		struct span in = span_of(s->chunk, n < 0 ? 0 : (size_t)n);

		if (n < 0)
			return -errno;
		/* Who heeds no lock has cut it off. */
		if (n == 0)
			return -ESTALE;
		at += (uint64_t)n;
		while ((status = mbox_reader_next(&s->reader, &in, &e)) != MBOX_MORE) {
			if (status == MBOX_NONE || (status == MBOX_FROM && e.at != 0))
				return -ESTALE;
			send(g, status, &e);
		}
	}
	while ((status = mbox_reader_end(&s->reader, &e)) != MBOX_MORE) {
		if (status == MBOX_NONE)
			return -ESTALE;
		send(g, status, &e);
	}
	return 0;
}

static int fetch(struct import_source *base, const struct import_listing *l,
		 const struct import_message *m, struct import_text *to, uint64_t *ret_arrived,
		 struct err *err)
{
	struct mbox_source *const s = of(base);
	struct sending g = {.s = s, .m = m, .to = to};
	const int r = send_file(s, &g);

	(void)l;
	*ret_arrived = m->arrived;
	if (r == -ESTALE)
		return err_set(err, ESTALE, "'%s' was changed while it was locked", s->path);
	return r < 0 ? err_sys(err, -r, "cannot read '%s'", s->path) : 0;
}

/* ---- opening ---- */

static void close_source(struct import_source *base)
{
	struct mbox_source *const s = of(base);
	struct owner_switch sw;
	struct err err;

	if (s->lock.fd >= 0 && enter(s, &sw, &err) == 0) {
		mbox_unlock(&s->lock);
		owner_leave(&sw);
	}
	if (s->fd >= 0)
		(void)close(s->fd);
	free(s);
}

static const struct import_source_ops ops = {.list = list, .fetch = fetch, .close = close_source};

/* Everybody may leave something else in a spool's place: only a file itself is read. */
static int open_as_owner(struct mbox_source *s, struct err *err)
{
	struct stat st;
	struct stat now;
	int r;

	s->fd = open(s->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (s->fd < 0 && errno == ENOENT)
		return 0;
	if (s->fd < 0)
		return err_sys(err, errno, "cannot open '%s'", s->path);
	if (fstat(s->fd, &st) < 0)
		return err_sys(err, errno, "cannot examine '%s'", s->path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "'%s' is no file", s->path);
	r = mbox_lock(&s->lock, s->fd, s->path, LOCK_MS, err);
	if (r < 0)
		return r;
	/* Some put a new file in the place of the one that they have locked. */
	if (stat(s->path, &now) < 0 || now.st_ino != st.st_ino || now.st_dev != st.st_dev)
		return err_set(err, EAGAIN, "'%s' was replaced just now", s->path);
	return 0;
}

int import_mbox_open(const struct import_place *place, const struct mbox_flavour *flavour,
		     struct import_source **ret_source, struct err *err)
{
	struct mbox_source *const s = calloc(1, sizeof(*s));
	struct owner_switch sw;
	int r;

	if (s == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", place->path);
	s->base.ops = &ops;
	s->flavour = flavour;
	s->place = *place;
	s->fd = -1;
	s->lock.fd = -1;
	(void)snprintf(s->path, sizeof(s->path), "%s", place->path);
	s->place.path = s->path;
	r = enter(s, &sw, err);
	if (r == 0) {
		r = open_as_owner(s, err);
		owner_leave(&sw);
	}
	if (r < 0) {
		close_source(&s->base);
		return r;
	}
	*ret_source = &s->base;
	return 0;
}
