/* SPDX-License-Identifier: MIT */
#include "ctl/users_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/out.h"
#include "base/secret.h"
#include "auth/passwd_file.h"
#include "auth/user_name.h"

/* The new file has one name, not a random one: what a crash leaves, the next editor removes. */
#define NEW_SUFFIX ".restantectl-new"

static int open_or_make(const char *path, bool create, gid_t group, struct err *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT && create) {
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
		if (fd < 0 && errno == EEXIST)
			return -EAGAIN; /* somebody else has just made it */
		if (fd >= 0 && (fchmod(fd, 0640) < 0 ||
				(group != (gid_t)-1 && fchown(fd, (uid_t)-1, group) < 0))) {
			const int r = err_sys(err, errno, "cannot make '%s'", path);

			(void)close(fd);
			return r;
		}
	}
	return fd < 0 ? err_sys(err, errno, "cannot open '%s'", path) : fd;
}

/* The file that has the name now, locked: an editor before us has replaced it, perhaps. */
static int lock(const char *path, bool create, gid_t group, struct stat *ret_st, struct err *err)
{
	for (;;) {
		struct stat now;
		const int fd = open_or_make(path, create, group, err);

		if (fd == -EAGAIN)
			continue;
		if (fd < 0)
			return fd;

		int r = 0;

		while (flock(fd, LOCK_EX) < 0 && r == 0) {
			if (errno != EINTR)
				r = err_sys(err, errno, "cannot lock '%s'", path);
		}
		if (r == 0 && fstat(fd, ret_st) < 0)
			r = err_sys(err, errno, "cannot read '%s'", path);
		if (r == 0 && !S_ISREG(ret_st->st_mode))
			r = err_set(err, EINVAL, "'%s' is not a file", path);
		if (r < 0) {
			(void)close(fd);
			return r;
		}
		if (stat(path, &now) == 0 && now.st_dev == ret_st->st_dev &&
		    now.st_ino == ret_st->st_ino)
			return fd;
		(void)close(fd);
	}
}

static int read_all(struct users_edit *e, struct err *err)
{
	if (e->st.st_size > (off_t)PASSWD_FILE_MAX_BYTES)
		return err_set(err, EFBIG, "'%s' is too large for a file of users", e->path);

	const size_t size = (size_t)e->st.st_size;

	e->text = malloc(size + 1);
	if (e->text == NULL)
		return err_sys(err, ENOMEM, "cannot read '%s'", e->path);
	while (e->n < size) {
		const ssize_t got = pread(e->lock, e->text + e->n, size - e->n, (off_t)e->n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(err, errno, "cannot read '%s'", e->path);
		if (got == 0)
			break;
		e->n += (size_t)got;
	}
	return 0;
}

int users_edit_begin(const char *path, bool create, gid_t group, struct users_edit *ret_edit,
		     struct err *err)
{
	struct users_edit e = {.lock = -1};
	int r;

	/* The new file goes where the file is, not where a link to it is. */
	e.path = realpath(path, NULL);
	if (e.path == NULL && errno == ENOENT)
		e.path = strdup(path);
	if (e.path == NULL)
		return err_sys(err, errno, "cannot find '%s'", path);
	e.lock = lock(e.path, create, group, &e.st, err);
	r = e.lock < 0 ? e.lock : read_all(&e, err);
	if (r < 0) {
		users_edit_done(&e);
		return r;
	}
	*ret_edit = e;
	return 0;
}

void users_edit_done(struct users_edit *e)
{
	if (e->lock >= 0)
		(void)close(e->lock);
	secret_wipe(e->text, e->n);
	free(e->text);
	free(e->path);
	*e = (struct users_edit){.lock = -1};
}

/* Takes a line with its end from the front. */
static struct span take_line(struct span *text)
{
	const size_t n = span_find(*text, '\n');
	const struct span line = span_of(text->p, n < text->n ? n + 1 : n);

	span_skip(text, line.n);
	return line;
}

/* True when the line (with its end) is this name's, as the server would read it. */
static bool is_of(struct span line, const char *name, struct users_line *ret_line)
{
	struct passwd_line parsed;
	char normal[LIMIT_USER + 1];
	struct err ignored;

	if (line.n > 0 && line.p[line.n - 1] == '\n')
		line.n--;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;

	const enum passwd_status status = passwd_line_parse(line, &parsed, &ignored);

	if ((status != PASSWD_USER && status != PASSWD_FLAWED) ||
	    !user_name_normalise(parsed.name, normal) || strcmp(normal, name) != 0)
		return false;
	*ret_line = (struct users_line){
		.line = line, .secret = parsed.secret, .extra = parsed.extra};
	return true;
}

bool users_edit_find(const struct users_edit *e, const char *name, struct users_line *ret_line)
{
	struct span text = span_of(e->text, e->n);

	while (text.n > 0) {
		if (is_of(take_line(&text), name, ret_line))
			return true;
	}
	return false;
}

/* ---- writing ---- */

static int write_spans(int fd, const struct span *spans, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct span rest = spans[i];

		while (rest.n > 0) {
			const ssize_t put = write(fd, rest.p, rest.n);

			if (put < 0 && errno == EINTR)
				continue;
			if (put < 0)
				return -errno;
			span_skip(&rest, (size_t)put);
		}
	}
	return 0;
}

static int sync_directory(const char *path, struct err *err)
{
	char copy[PATH_MAX];
	int r = 0;

	(void)snprintf(copy, sizeof(copy), "%s", path);

	const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		r = err_sys(err, errno, "'%s' is changed, but may not survive a power cut", path);
	if (fd >= 0)
		(void)close(fd);
	return r;
}

/* All that the new file must be before it may take the old one's place. */
static int fill(int fd, const struct users_edit *e, const struct span *spans, size_t n,
		const char *path, struct err *err)
{
	const int r = write_spans(fd, spans, n);

	if (r < 0)
		return err_sys(err, -r, "cannot write '%s'", path);
	if (fchown(fd, e->st.st_uid, e->st.st_gid) < 0)
		return err_sys(err, errno, "cannot give '%s' the owner that it has", e->path);
	if (fchmod(fd, e->st.st_mode & 07777) < 0)
		return err_sys(err, errno, "cannot give '%s' the mode that it has", e->path);
	if (fsync(fd) < 0)
		return err_sys(err, errno, "cannot sync '%s'", path);
	return 0;
}

int users_edit_rewrite(const struct users_edit *e, const struct span *parts, size_t n,
		       struct err *err)
{
	char path[PATH_MAX];
	int r;

	if (strlen(e->path) + sizeof(NEW_SUFFIX) > sizeof(path))
		return err_sys(err, ENAMETOOLONG, "cannot write beside '%s'", e->path);
	(void)snprintf(path, sizeof(path), "%s" NEW_SUFFIX, e->path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, errno, "cannot remove '%s'", path);

	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, errno, "cannot make '%s'", path);
	r = fill(fd, e, parts, n, path, err);
	if (close(fd) < 0 && r == 0)
		r = err_sys(err, errno, "cannot write '%s'", path);
	if (r == 0 && rename(path, e->path) < 0)
		r = err_sys(err, errno, "cannot replace '%s'", e->path);
	if (r < 0) {
		(void)unlink(path);
		return r;
	}
	return sync_directory(e->path, err);
}

int users_edit_append(const struct users_edit *e, struct span line, struct err *err)
{
	const bool ended = e->n == 0 || e->text[e->n - 1] == '\n';
	const struct span spans[] = {
		span_of(e->text, e->n),
		ended ? span_of(NULL, 0) : SPAN_LIT("\n"),
		line,
		SPAN_LIT("\n"),
	};

	return users_edit_rewrite(e, spans, sizeof(spans) / sizeof(spans[0]), err);
}

static bool is_named(struct span word, const struct span *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (span_eq(span_of(word.p, span_find(word, '=')), names[i]))
			return true;
	}
	return false;
}

/* The words of a line without those of these names, and others behind them. */
static bool put_words(struct out *out, struct span extra, const struct span *names, size_t n_names,
		      struct span words)
{
	bool ok = true;

	while (extra.n > 0 && ok) {
		const size_t n = span_find(extra, ' ');
		const size_t with_space = n < extra.n ? n + 1 : n;

		if (!is_named(span_of(extra.p, n), names, n_names))
			ok = out_put(out, span_of(extra.p, with_space));
		span_skip(&extra, with_space);
	}
	if (words.n > 0 && out->n > 0 && out->p[out->n - 1] != ' ')
		ok = ok && out_char(out, ' ');
	return ok && out_put(out, words);
}

/* How many colons a line lacks before it has words. */
static size_t missing_fields(struct span line)
{
	size_t missing = 7;

	for (size_t i = 0; i < line.n && missing > 0; i++)
		missing -= line.p[i] == ':';
	return missing;
}

/* The line with another secret, and with words in the place of those of these names. */
static int replace_parts(const struct users_edit *e, const struct users_line *l, struct span secret,
			 const struct span *names, size_t n_names, const char *more,
			 struct err *err)
{
	char words[PASSWD_LINE_MAX];
	struct out out = {.p = words, .cap = sizeof(words)};
	const size_t at = (size_t)(l->secret.p - e->text);
	const size_t after = at + l->secret.n;
	const size_t extra = (size_t)(l->extra.p - e->text);
	const size_t end = extra + l->extra.n;
	const bool fits = put_words(&out, l->extra, names, n_names, span_str(more));
	const struct span spans[] = {
		span_of(e->text, at),
		secret,
		span_of(e->text + after, extra - after),
		span_of(":::::::", more[0] != '\0' ? missing_fields(l->line) : 0),
		fits ? out_span(&out) : l->extra,
		span_of(e->text + end, e->n - end),
	};
	const size_t longest = PASSWD_LINE_MAX - l->line.n + l->secret.n + l->extra.n;
	int r;

	if (!fits || secret.n + spans[3].n + out.n > longest)
		r = err_set(err, EINVAL, "the user's line would be too long");
	else
		r = users_edit_rewrite(e, spans, sizeof(spans) / sizeof(spans[0]), err);
	secret_wipe(words, sizeof(words));
	return r;
}

int users_edit_replace_secret(const struct users_edit *e, const struct users_line *l,
			      const char *secret, const char *keys, struct err *err)
{
	struct span names[SCRAM_HASHES];

	for (enum scram_hash hash = 0; hash < SCRAM_HASHES; hash++)
		names[hash] = span_str(scram_word(hash));
	return replace_parts(e, l, span_str(secret), names, SCRAM_HASHES, keys, err);
}

int users_edit_replace_words(const struct users_edit *e, const struct users_line *l,
			     const struct span *names, size_t n, const char *words, struct err *err)
{
	return replace_parts(e, l, l->secret, names, n, words, err);
}

int users_edit_remove(const struct users_edit *e, const char *name, struct err *err)
{
	struct span text = span_of(e->text, e->n);
	char *kept = malloc(e->n + 1);
	size_t n = 0;

	if (kept == NULL)
		return err_sys(err, ENOMEM, "cannot write '%s'", e->path);
	while (text.n > 0) {
		const struct span line = take_line(&text);
		struct users_line ignored;

		if (is_of(line, name, &ignored))
			continue;
		memcpy(kept + n, line.p, line.n);
		n += line.n;
	}

	const struct span all = span_of(kept, n);
	const int r = users_edit_rewrite(e, &all, 1, err);

	secret_wipe(kept, n);
	free(kept);
	return r;
}
