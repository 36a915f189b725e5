/* SPDX-License-Identifier: MIT */
#include "store_help.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void on_notice(void *arg, const char *maildrop, const char *text)
{
	struct help *const h = arg;

	(void)maildrop;
	(void)pthread_mutex_lock(&h->lock);
	const size_t n = strlen(h->notices);

	(void)snprintf(h->notices + n, sizeof(h->notices) - n, "%s\n", text);
	(void)pthread_mutex_unlock(&h->lock);
}

struct store *help_store(struct help *h, const char *driver)
{
	struct store *s;
	struct err err;

	if (store_new(driver, "mx.example", on_notice, h, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

struct help *help_new(const char *driver)
{
	struct help *const h = calloc(1, sizeof(*h));
	const char *const tmp = getenv("TMPDIR");

	assert_non_null(h);
	(void)snprintf(h->root, sizeof(h->root), "%s/restante-store-XXXXXX",
		       tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(h->root));
	(void)snprintf(h->maildrop, sizeof(h->maildrop), "%.400s/alice", h->root);
	assert_int_equal(pthread_mutex_init(&h->lock, NULL), 0);
	h->store = help_store(h, driver);
	return h;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void help_remove_tree(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void help_free(struct help *h)
{
	store_free(h->store);
	help_remove_tree(h->root);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}

bool help_noticed(struct help *h, const char *words)
{
	(void)pthread_mutex_lock(&h->lock);
	const bool found = strstr(h->notices, words) != NULL;

	(void)pthread_mutex_unlock(&h->lock);
	return found;
}

void help_forget_notices(struct help *h)
{
	(void)pthread_mutex_lock(&h->lock);
	h->notices[0] = '\0';
	(void)pthread_mutex_unlock(&h->lock);
}

struct store_owner help_owner(const char *path)
{
	return (struct store_owner){
		.user = "alice", .path = path, .uid = (uid_t)-1, .gid = (gid_t)-1};
}

static uint64_t dot_lines(struct span s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '.' && (i == 0 || s.p[i - 1] == '\n') ? 1 : 0;
	return n;
}

int help_deliver_octets(struct help *h, const char *path, struct span text, const char *prefix)
{
	struct delivery_target target = {.owner = help_owner(path), .prefix = span_str(prefix)};
	const struct delivery_info info = {.octets = text.n, .dot_lines = dot_lines(text)};
	struct delivery *d;
	int r = delivery_begin(h->store, &target.owner, &d, NULL);

	if (r < 0)
		return r;
	for (size_t at = 0; at < text.n;) {
		const ssize_t n = write(delivery_fd(d), text.p + at, text.n - at);

		assert_true(n > 0);
		at += (size_t)n;
	}
	r = delivery_commit(d, &info, &target, 1, NULL);
	assert_int_equal(r, target.status);
	delivery_free(d);
	return r;
}

int help_deliver(struct help *h, const char *path, const char *text)
{
	return help_deliver_octets(h, path, span_str(text), "");
}

int help_try_open(struct help *h, struct maildrop **ret_m)
{
	const struct store_owner owner = help_owner(h->maildrop);

	return maildrop_open(h->store, &owner, ret_m, NULL);
}

/*
 * Every second time as storage does it: at once, if that can be. So each test also says
 * that what is opened so is what the other way gives.
 */
struct maildrop *help_open(struct help *h)
{
	const struct store_owner owner = help_owner(h->maildrop);
	static unsigned turn;
	struct maildrop *m = NULL;
	struct err err;

	if (turn++ % 2 == 0 && maildrop_open_now(h->store, &owner, &m) == 0)
		return m;
	if (maildrop_open(h->store, &owner, &m, &err) < 0)
		fail_msg("%s", err.text);
	return m;
}

struct index_record help_record(const struct maildrop *m, uint32_t n)
{
	char raw[INDEX_RECORD_SIZE];
	struct index_record r;

	assert_int_equal(pread(maildrop_snapshot_fd(m), raw, sizeof(raw),
			       INDEX_HEADER_SIZE + (off_t)(n - 1) * INDEX_RECORD_SIZE),
			 sizeof(raw));
	assert_true(index_record_decode(raw, &r));
	return r;
}

const char *help_uidl(const struct maildrop *m, uint32_t n)
{
	static char kept[8][LIMIT_UIDL + 1];
	static unsigned int next;
	char *const out = kept[next++ % 8];
	const struct index_record r = help_record(m, n);

	memcpy(out, r.text, r.uidl_len);
	out[r.uidl_len] = '\0';
	return out;
}

char *help_text(struct maildrop *m, uint32_t n, size_t *ret_n)
{
	struct store_message message;
	struct store_message now;
	struct err err;
	char *text;

	if (maildrop_message(m, n, &message, &err) < 0)
		fail_msg("%s", err.text);
	if (maildrop_message_now(m, n, &now) == 0) {
		assert_int_equal(now.offset, message.offset);
		assert_int_equal(now.bytes, message.bytes);
		assert_int_equal(now.octets, message.octets);
		assert_int_equal(now.flags, message.flags);
		assert_true(now.counted && message.counted);
		assert_int_equal(close(message.fd), 0);
		message = now;
	}
	text = malloc(message.bytes + 1);
	assert_non_null(text);
	assert_int_equal(pread(message.fd, text, message.bytes, (off_t)message.offset),
			 message.bytes);
	text[message.bytes] = '\0';
	assert_int_equal(close(message.fd), 0);
	if (ret_n != NULL)
		*ret_n = message.bytes;
	return text;
}

void help_expect_text(struct maildrop *m, uint32_t n, const char *text)
{
	char *const got = help_text(m, n, NULL);

	assert_string_equal(got, text);
	free(got);
}

char *help_list(const struct maildrop *m)
{
	const uint32_t count = maildrop_count(m);
	char *const list = calloc((size_t)count + 1, LIMIT_UIDL + 1);
	size_t n = 0;

	assert_non_null(list);
	for (uint32_t i = 1; i <= count; i++) {
		const struct index_record r = help_record(m, i);

		memcpy(list + n, r.text, r.uidl_len);
		n += r.uidl_len;
		list[n++] = ' ';
	}
	list[n] = '\0';
	return list;
}

char *help_poll(struct help *h, uint32_t *ret_count)
{
	struct maildrop *const m = help_open(h);
	char *const list = help_list(m);

	if (ret_count != NULL)
		*ret_count = maildrop_count(m);
	maildrop_close(m);
	return list;
}

int help_delete(struct help *h, ...)
{
	struct maildrop *const m = help_open(h);
	uint32_t removed = 0;
	uint32_t marked = 0;
	va_list ap;
	int r;

	va_start(ap, h);
	for (unsigned int n = va_arg(ap, unsigned int); n != 0; n = va_arg(ap, unsigned int)) {
		assert_int_equal(maildrop_mark(m, n), 0);
		marked++;
	}
	va_end(ap);
	r = maildrop_commit(m, &removed, NULL);
	if (r == 0)
		assert_int_equal(removed, marked);
	maildrop_close(m);
	return r;
}

#define FORMAT(path, fmt)                                          \
	do {                                                       \
		va_list ap_;                                       \
		va_start(ap_, fmt);                                \
		(void)vsnprintf((path), sizeof(path), (fmt), ap_); \
		va_end(ap_);                                       \
	} while (0)

void help_write(const char *text, const char *fmt, ...)
{
	char path[HELP_PATH_MAX * 2];

	FORMAT(path, fmt);
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

bool help_exists(const char *fmt, ...)
{
	char path[HELP_PATH_MAX * 2];
	struct stat st;

	FORMAT(path, fmt);
	return lstat(path, &st) == 0;
}

static const char *walk(const char *path, int *ret_count)
{
	static char first[NAME_MAX + 1];
	DIR *const dir = opendir(path);
	const struct dirent *e;

	*ret_count = 0;
	if (dir == NULL)
		return NULL;
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if ((*ret_count)++ == 0)
			(void)snprintf(first, sizeof(first), "%s", e->d_name);
	}
	(void)closedir(dir);
	return *ret_count > 0 ? first : NULL;
}

int help_count_files(const char *fmt, ...)
{
	char path[HELP_PATH_MAX * 2];
	int n;

	FORMAT(path, fmt);
	(void)walk(path, &n);
	return n;
}

const char *help_first_file(const char *fmt, ...)
{
	char path[HELP_PATH_MAX * 2];
	int n;

	FORMAT(path, fmt);
	return walk(path, &n);
}

void help_make_maildir(const char *path)
{
	static const char *const subs[] = {"", "/tmp", "/new", "/cur"};

	for (size_t i = 0; i < 4; i++) {
		char sub[HELP_PATH_MAX + 8];

		(void)snprintf(sub, sizeof(sub), "%s%s", path, subs[i]);
		if (mkdir(sub, 0700) < 0 && errno != EEXIST)
			fail_msg("%s: %s", sub, strerror(errno));
	}
}
