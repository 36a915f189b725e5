/* SPDX-License-Identifier: MIT */
/* What views keep beside the messages: in the box, as long as there is one. */
#include "store/mem/mem_priv.h"

#include <errno.h>

#include "base/clock.h"

struct mem_views {
	struct store_views base;
	struct mem_box *box;
	struct mem_device *device; /* whose session this is, or NULL */
	bool locked;
};

static struct mem_views *of(struct store_views *v)
{
	return (struct mem_views *)v;
}

static struct mem_store *lock_store(struct store_views *v)
{
	struct mem_store *const s = (struct mem_store *)v->store;

	(void)pthread_mutex_lock(&s->lock);
	return s;
}

static void unlock_store(struct mem_store *s)
{
	(void)pthread_mutex_unlock(&s->lock);
}

void mem_views_free(struct mem_box *box)
{
	while (box->lists != NULL) {
		struct mem_list *const l = box->lists;

		box->lists = l->next;
		free(l->p);
		free(l);
	}
	while (box->devices != NULL) {
		struct mem_device *const d = box->devices;

		box->devices = d->next;
		free(d);
	}
}

static int views_open(struct store *store, const struct store_owner *owner, bool make,
		      struct store_views **ret_views, struct err *err)
{
	struct mem_store *const s = (struct mem_store *)store;
	struct mem_views *const v = calloc(1, sizeof(*v));
	int r = v == NULL ? -ENOMEM : 0;

	if (r == 0) {
		v->base.store = store;
		(void)pthread_mutex_lock(&s->lock);
		v->box = make ? mem_box_get(s, owner->path) : mem_box_find(s, owner->path);
		if (v->box == NULL)
			r = make ? -ENOMEM : -ENOENT;
		else if (!make && v->box->devices == NULL && v->box->lists == NULL)
			r = -ENOENT;
		(void)pthread_mutex_unlock(&s->lock);
	}
	if (r < 0) {
		free(v);
		return err_sys(err, -r, "cannot open '%s'", owner->path);
	}
	*ret_views = &v->base;
	return 0;
}

static void views_unlock(struct store_views *views)
{
	struct mem_store *const s = lock_store(views);

	if (of(views)->locked)
		of(views)->box->views_busy = false;
	of(views)->locked = false;
	unlock_store(s);
}

static void views_close(struct store_views *views)
{
	struct mem_store *s;

	views_unlock(views);
	s = lock_store(views);
	if (of(views)->device != NULL)
		of(views)->device->busy = false;
	unlock_store(s);
	free(views);
}

static int views_lock(struct store_views *views, bool patient, struct err *err)
{
	struct mem_store *const s = lock_store(views);

	of(views)->locked = mem_wait(s, &of(views)->box->views_busy,
				     patient ? MEM_PATIENCE_MS : 10);
	unlock_store(s);
	return of(views)->locked ? 0
				 : err_sys(err, patient ? EBUSY : EAGAIN, "cannot lock '%s'",
					   of(views)->box->path);
}

/* With the store's lock held. Where it hangs, or where it would. */
static struct mem_device **find_device(struct mem_box *box, const char *name)
{
	struct mem_device **at = &box->devices;

	while (*at != NULL && strcmp((*at)->is.name, name) != 0)
		at = &(*at)->next;
	return at;
}

static struct mem_device *get_device(struct mem_box *box, const char *name)
{
	struct mem_device **const at = find_device(box, name);

	if (*at == NULL) {
		*at = calloc(1, sizeof(**at));
		if (*at != NULL) {
			(void)snprintf((*at)->is.name, sizeof((*at)->is.name), "%s", name);
			(*at)->is.seen = clock_wall_ns() / 1000000000U;
		}
	}
	return *at;
}

static int views_take(struct store_views *views, const char *device, bool make, struct err *err)
{
	struct mem_store *const s = lock_store(views);
	struct mem_views *const v = of(views);
	struct mem_device *d = *find_device(v->box, device);
	int r = 0;

	/* Whoever had mail before there were devices is one of them. */
	if (d == NULL && make && (v->box->devices != NULL || get_device(v->box, "") != NULL))
		d = get_device(v->box, device);
	if (d == NULL)
		r = make ? -ENOMEM : -ENOENT;
	else if (d->busy)
		r = -EBUSY;
	if (r == 0) {
		d->busy = true;
		d->is.seen = clock_wall_ns() / 1000000000U;
		v->device = d;
	}
	unlock_store(s);
	return r < 0 ? err_sys(err, -r, "cannot open device '%s' of '%s'", device, v->box->path)
		     : 0;
}

static int views_devices(struct store_views *views, struct store_device *ret, size_t max,
			 struct err *err)
{
	struct mem_store *const s = lock_store(views);
	size_t n = 0;

	(void)err;
	for (const struct mem_device *d = of(views)->box->devices; d != NULL && n < max;
	     d = d->next)
		ret[n++] = d->is;
	unlock_store(s);
	return (int)n;
}

static int views_forget(struct store_views *views, const char *device, struct err *err)
{
	struct mem_store *const s = lock_store(views);
	struct mem_device **const at = find_device(of(views)->box, device);
	struct mem_device *const d = *at;
	const int r = d == NULL ? -ENOENT : d->busy ? -EBUSY : 0;

	if (r == 0) {
		*at = d->next;
		free(d);
	}
	unlock_store(s);
	return r < 0 ? err_sys(err, -r, "cannot forget device '%s' of '%s'", device,
			       of(views)->box->path)
		     : 0;
}

/* ---- lists ---- */

static struct mem_list **find_list(struct mem_box *box, const char *name)
{
	struct mem_list **at = &box->lists;

	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static int views_read(struct store_views *views, const char *list, char **ret_p, size_t *ret_n,
		      struct err *err)
{
	struct mem_store *const s = lock_store(views);
	const struct mem_list *const l = *find_list(of(views)->box, list);
	int r = 0;

	*ret_p = NULL;
	*ret_n = 0;
	if (l != NULL) {
		*ret_p = malloc(l->n + 1);
		if (*ret_p != NULL)
			memcpy(*ret_p, l->p, l->n);
		r = *ret_p == NULL ? -ENOMEM : 0;
		*ret_n = l->n;
	}
	unlock_store(s);
	return r < 0 ? err_sys(err, -r, "cannot read the list '%s'", list) : 0;
}

static int views_peek(struct store_views *views, const char *list, char *p, size_t n,
		      uint64_t *ret_size, struct err *err)
{
	struct mem_store *const s = lock_store(views);
	const struct mem_list *const l = *find_list(of(views)->box, list);

	(void)err;
	memset(p, 0, n);
	*ret_size = l == NULL ? 0 : l->n;
	if (l != NULL)
		memcpy(p, l->p, l->n < n ? l->n : n);
	unlock_store(s);
	return 0;
}

/* Keeps the first octets of what is there, and puts these behind them. */
static int write_list(struct store_views *views, const char *name, size_t at, struct span octets)
{
	struct mem_list **const hook = find_list(of(views)->box, name);
	struct mem_list *l = *hook;
	char *const p = malloc(at + octets.n + 1);

	if (l == NULL)
		l = calloc(1, sizeof(*l));
	if (l == NULL || p == NULL || l->n < at) {
		if (l != *hook)
			free(l);
		free(p);
		return -ENOMEM;
	}
	if (at > 0)
		memcpy(p, l->p, at);
	if (octets.n > 0)
		memcpy(p + at, octets.p, octets.n);
	free(l->p);
	l->p = p;
	l->n = at + octets.n;
	(void)snprintf(l->name, sizeof(l->name), "%s", name);
	*hook = l;
	return 0;
}

static int views_append(struct store_views *views, const char *list, uint64_t at,
			struct span octets, struct err *err)
{
	struct mem_store *const s = lock_store(views);
	const int r = write_list(views, list, (size_t)at, octets);

	unlock_store(s);
	return r < 0 ? err_sys(err, -r, "cannot write the list '%s'", list) : 0;
}

static int views_replace(struct store_views *views, const char *list, struct span octets,
			 struct err *err)
{
	return views_append(views, list, 0, octets, err);
}

static int views_remove(struct store_views *views, const char *list, struct err *err)
{
	struct mem_store *const s = lock_store(views);
	struct mem_list **const at = find_list(of(views)->box, list);
	struct mem_list *const l = *at;

	(void)err;
	if (l != NULL) {
		*at = l->next;
		free(l->p);
		free(l);
	}
	unlock_store(s);
	return 0;
}

const struct store_views_row mem_views_row = {
	.open = views_open,
	.close = views_close,
	.lock = views_lock,
	.unlock = views_unlock,
	.take = views_take,
	.devices = views_devices,
	.forget = views_forget,
	.read = views_read,
	.peek = views_peek,
	.append = views_append,
	.replace = views_replace,
	.remove = views_remove,
};
