/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_priv.h"
#include "store/store_sys.h"
#include "store/view/view.h"

static const struct store_driver *const drivers[] = {&store_maildir_driver, &store_mem_driver};

void store_say(const struct store *s, const char *maildrop, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	if (s->notice == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->notice(s->notice_arg, maildrop, text);
}

/* '/' and ':' would break a Maildir name, ',' would look like one of its parts. */
static void hostname_copy(char out[static STORE_HOSTNAME_MAX + 1], const char *hostname)
{
	size_t n = 0;

	for (; hostname[n] != '\0' && n < STORE_HOSTNAME_MAX; n++) {
		const char c = hostname[n];
		const bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
				  (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.';

		out[n] = c;
		if (!fine)
			out[n] = '-';
	}
	if (n == 0)
		out[n++] = '-';
	out[n] = '\0';
}

int store_new(const char *driver, const char *hostname, store_notice *notice, void *notice_arg,
	      struct store **ret_store, struct err *err)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		if (strcmp(drivers[i]->name, driver) != 0)
			continue;

		struct store *const s = drivers[i]->store_new();

		if (s == NULL)
			return err_set(err, ENOMEM, "no memory for the store");
		s->driver = drivers[i];
		s->notice = notice;
		s->notice_arg = notice_arg;
		hostname_copy(s->hostname, hostname);
		*ret_store = s;
		return 0;
	}
	return err_set(err, EINVAL, "no store driver is called '%s'", driver);
}

void store_free(struct store *s)
{
	if (s != NULL)
		s->driver->store_free(s);
}

static int owner_check(const struct store_owner *owner, struct err *err)
{
	if (owner->path == NULL || owner->path[0] != '/' || strlen(owner->path) >= LIMIT_PATH)
		return err_set(err, EINVAL, "the maildrop's path isn't an absolute one");
	return 0;
}

int maildrop_open(struct store *s, const struct store_owner *owner, struct maildrop **ret_maildrop,
		  struct err *err)
{
	int r = owner_check(owner, err);

	if (r == 0 && !view_wanted(&owner->rules)) {
		r = s->driver->open(s, owner, NULL, ret_maildrop, err);
		if (r == 0)
			(*ret_maildrop)->driver = s->driver;
		/* It may be a view's session that has it, for as long as it makes its list. */
		if (r != STORE_HAS_VIEWS && !(r == -EBUSY && view_is_in_use(s, owner)))
			return r;
		r = 0;
	}
	return r < 0 ? r : view_open(s, owner, ret_maildrop, err);
}

int maildrop_open_now(struct store *s, const struct store_owner *owner,
		      struct maildrop **ret_maildrop)
{
	int r;

	if (s->driver->open_now == NULL || owner_check(owner, NULL) < 0 ||
	    view_wanted(&owner->rules))
		return -EAGAIN;
	r = s->driver->open_now(s, owner, ret_maildrop);
	if (r == 0)
		(*ret_maildrop)->driver = s->driver;
	return r;
}

void maildrop_close(struct maildrop *m)
{
	if (m == NULL)
		return;

	uint8_t *const marks = m->marks;
	const int fd = m->snapshot_fd;

	m->driver->close(m);
	free(marks);
	sys_close(fd);
}

bool maildrop_is_clean(const struct maildrop *m)
{
	bool (*const writes)(const struct maildrop *) = m->driver->writes_at_close;

	return m->marked == 0 && (writes == NULL || !writes(m));
}

uint32_t maildrop_count(const struct maildrop *m)
{
	return m->count;
}

uint64_t maildrop_octets(const struct maildrop *m)
{
	return m->octets;
}

int64_t maildrop_growth(const struct maildrop *m)
{
	return m->growth;
}

int maildrop_snapshot_fd(const struct maildrop *m)
{
	return m->snapshot_fd;
}

int maildrop_message(struct maildrop *m, uint32_t n, struct store_message *ret_message,
		     struct err *err)
{
	if (n < 1 || n > m->count)
		return err_set(err, EINVAL, "there is no message %u", n);
	return m->driver->message(m, n, ret_message, err);
}

int maildrop_message_now(struct maildrop *m, uint32_t n, struct store_message *ret_message)
{
	if (m->driver->message_now == NULL || n < 1 || n > m->count)
		return -EAGAIN;
	return m->driver->message_now(m, n, ret_message);
}

int maildrop_check(struct maildrop *m, uint32_t n, struct store_message *message, struct err *err)
{
	int r = 0;

	if (!message->counted)
		r = m->driver->check(m, n, message, err);
	if (r < 0)
		sys_close(message->fd);
	return r;
}

int maildrop_mark(struct maildrop *m, uint32_t n)
{
	if (n < 1 || n > m->count)
		return -EINVAL;
	if (m->marks == NULL) {
		m->marks = calloc(((size_t)m->count + 7) / 8, 1);
		if (m->marks == NULL)
			return -ENOMEM;
	}
	if (!maildrop_is_marked(m, n)) {
		m->marks[(n - 1) / 8] |= (uint8_t)(1U << ((n - 1) % 8));
		m->marked++;
	}
	return 0;
}

int maildrop_commit(struct maildrop *m, uint32_t *ret_removed, struct err *err)
{
	if (m->marked > 0) {
		const int r = m->driver->commit(m, err);

		if (r < 0)
			return r;
	}
	*ret_removed = m->marked;
	return 0;
}

int store_usage(struct store *s, const struct store_owner *owner, struct store_usage *ret_usage,
		struct err *err)
{
	const int r = owner_check(owner, err);

	return r < 0 ? r : s->driver->usage(s, owner, ret_usage, err);
}

int store_room(const struct store_owner *owner, const struct store_usage *used, uint64_t octets,
	       struct err *err)
{
	const struct maildrop_rules *const r = &owner->rules;

	if (r->quota_messages != 0 && used->messages >= r->quota_messages)
		return err_set(
			err, -STORE_OVER_QUOTA, "the quota is used up: %llu of %llu messages",
			(unsigned long long)used->messages, (unsigned long long)r->quota_messages);
	if (r->quota_octets != 0 &&
	    (used->octets > r->quota_octets || octets > r->quota_octets - used->octets))
		return err_set(err, -STORE_OVER_QUOTA,
			       "the quota has no room for %llu octets: %llu of %llu are used",
			       (unsigned long long)octets, (unsigned long long)used->octets,
			       (unsigned long long)r->quota_octets);
	return 0;
}

int store_expire(struct store *s, const struct store_owner *owner, uint64_t before,
		 uint32_t *ret_removed, struct err *err)
{
	struct store_usage used;
	struct maildrop *m;
	int r = store_usage(s, owner, &used, err);

	*ret_removed = 0;
	if (r < 0)
		return r;
	if (view_wanted(&owner->rules))
		return view_expire(s, owner, before, ret_removed, err);
	if (used.messages == 0)
		return 0;
	r = s->driver->open(s, owner, NULL, &m, err);
	if (r == STORE_HAS_VIEWS)
		return view_expire(s, owner, before, ret_removed, err);
	if (r < 0)
		return r;
	m->driver = s->driver;
	r = s->driver->mark_older(m, before, err);
	if (r == 0)
		r = maildrop_commit(m, ret_removed, err);
	maildrop_close(m);
	return r;
}

int delivery_begin(struct store *s, const struct store_owner *owner, struct delivery **ret_delivery,
		   struct err *err)
{
	const int r = owner_check(owner, err);

	return r < 0 ? r : s->driver->deliver_begin(s, owner, ret_delivery, err);
}

int delivery_fd(const struct delivery *d)
{
	return d->fd;
}

static bool ends_in_crlf(struct span s)
{
	return s.n >= 2 && s.p[s.n - 2] == '\r' && s.p[s.n - 1] == '\n';
}

/*
 * The length and the last line end are all that is cheap to check of what the
 * writer says, and enough to catch a write that was cut short.
 */
static int written_check(const struct delivery *d, uint64_t octets, struct err *err)
{
	struct stat st;
	char end[2];

	if (sys_fstat(d->fd, &st) < 0)
		return err_sys(err, errno, "cannot examine the message");
	if ((uint64_t)st.st_size != octets)
		return err_set(err, EINVAL,
			       "the message has %llu octets, not the %llu it should have",
			       (unsigned long long)st.st_size, (unsigned long long)octets);
	if (octets == 0)
		return 0;
	if (octets == 1 || sys_pread_all(d->fd, end, sizeof(end), octets - sizeof(end)) < 0)
		return octets == 1 ? err_set(err, EINVAL, "the message doesn't end with CRLF")
				   : err_sys(err, errno, "cannot read the message");
	return ends_in_crlf(span_of(end, sizeof(end)))
		       ? 0
		       : err_set(err, EINVAL, "the message doesn't end with CRLF");
}

static int targets_check(const struct delivery_info *info, const struct delivery_target *targets,
			 size_t n, struct err *err)
{
	if (info->prefix_at > info->octets)
		return err_set(err, EINVAL, "a prefix would stand behind the message");
	for (size_t i = 0; i < n; i++) {
		const int r = owner_check(&targets[i].owner, err);

		if (r < 0)
			return r;
		if (targets[i].prefix.n > 0 && !ends_in_crlf(targets[i].prefix))
			return err_set(err, EINVAL, "a prefix doesn't end with CRLF");
	}
	return 0;
}

int delivery_commit(struct delivery *d, const struct delivery_info *info,
		    struct delivery_target *targets, size_t n, struct err *err)
{
	struct err first = {.text = ""};
	int r;

	assert(n > 0);
	r = written_check(d, info->octets, &first);
	if (r == 0)
		r = targets_check(info, targets, n, &first);
	for (size_t i = 0; i < n; i++)
		targets[i].status = r;
	if (r == 0)
		d->store->driver->deliver_commit(d, info, targets, n, &first);
	for (size_t i = 0; i < n && r == 0; i++)
		r = targets[i].status;
	if (r < 0 && err != NULL)
		*err = first;
	return r;
}

void delivery_free(struct delivery *d)
{
	if (d != NULL)
		d->store->driver->deliver_free(d);
}
