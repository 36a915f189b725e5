/* SPDX-License-Identifier: MIT */
#include "store/view/view_priv.h"

#include <errno.h>
#include <limits.h>

struct store_owner view_owner_at(const struct view *v, const char *path)
{
	struct store_owner owner = v->owner;

	owner.path = path;
	return owner;
}

unsigned int view_folder_find(const struct view *v, struct span name)
{
	for (unsigned int i = 0; i < v->n_folders; i++) {
		if (span_eq(span_str(v->folders[i].name), name))
			return i;
	}
	return UINT_MAX;
}

/* As Maildir++ has it: a folder is a maildrop in the maildrop, with a dot in front. */
static bool path_of(const struct view *v, struct span name, char path[static LIMIT_PATH])
{
	const int n = name.n == 0 ? snprintf(path, LIMIT_PATH, "%s", v->path)
				  : snprintf(path, LIMIT_PATH, "%s/.%.*s", v->path, (int)name.n,
					     name.p);

	return n < LIMIT_PATH;
}

unsigned int view_folder_get(struct view *v, struct span name)
{
	const unsigned int at = view_folder_find(v, name);
	struct view_folder *const f = &v->folders[v->n_folders];

	if (at != UINT_MAX)
		return at;
	if (v->n_folders == VIEW_FOLDERS_MAX || name.n > VIEW_FOLDER_MAX ||
	    !path_of(v, name, f->path))
		return VIEW_FOLDERS_MAX;
	if (name.n > 0)
		memcpy(f->name, name.p, name.n);
	f->name[name.n] = '\0';
	return v->n_folders++;
}

int view_folders_add(struct view *v, struct err *err)
{
	struct span list = span_str(v->owner.rules.folders);

	v->folders[0].listed = list.n == 0;
	while (list.n > 0) {
		const size_t n = span_find(list, ' ');
		const struct span word = span_of(list.p, n);
		unsigned int at = 0;

		span_skip(&list, n < list.n ? n + 1 : n);
		if (!span_eq(word, SPAN_LIT("INBOX")))
			at = view_folder_get(v, word);
		if (at == VIEW_FOLDERS_MAX)
			return err_set(err, EINVAL, "'%s' has too many folders, or a name too long",
				       v->path);
		/* What is deleted there would come back to where it is. */
		if (v->owner.rules.dele == MAILDROP_DELE_TRASH && at > 0 &&
		    span_eq(word, span_str(v->owner.rules.trash[0] != '\0' ? v->owner.rules.trash
									   : "Trash")))
			return err_set(err, EINVAL, "'%s' has its trash among its folders",
				       v->path);
		v->folders[at].listed = true;
	}
	return 0;
}

static int compare_away(const void *a, const void *b)
{
	const struct store_away *const x = a;
	const struct store_away *const y = b;

	if (x->uidl.n != y->uidl.n)
		return x->uidl.n < y->uidl.n ? -1 : 1;
	return memcmp(x->uidl.p, y->uidl.p, x->uidl.n);
}

/* Those of one folder that are in the trash, sorted. The caller frees *ret_away. */
static int find_away(const struct view_folder *f, const struct view_loaded *deleted,
		     struct store_away **ret_away, size_t *ret_n)
{
	struct view_reader entries = view_list_entries(deleted->whole);
	const struct span name = span_str(f->name);
	struct view_entry e;
	size_t n = 0;

	*ret_away = NULL;
	while (view_list_next(&entries, &e))
		n += e.kind == VIEW_TRASHED && span_eq(e.folder, name) ? 1 : 0;
	*ret_n = n;
	if (n == 0)
		return 0;
	*ret_away = malloc(n * sizeof(**ret_away));
	if (*ret_away == NULL)
		return -ENOMEM;
	n = 0;
	entries = view_list_entries(deleted->whole);
	while (view_list_next(&entries, &e)) {
		if (e.kind == VIEW_TRASHED && span_eq(e.folder, name))
			(*ret_away)[n++] = (struct store_away){.uidl = e.uidl, .key = e.key};
	}
	qsort(*ret_away, n, sizeof(**ret_away), compare_away);
	return 0;
}

static int folder_open(struct view *v, struct view_folder *f, const struct view_loaded *deleted,
		       struct err *err)
{
	const struct store_owner owner = view_owner_at(v, f->path);
	struct store_opening opening = {.is_main = f == v->folders, .must_exist = f != v->folders};
	struct store_away *away;
	int r = find_away(f, deleted, &away, &opening.n_away);

	if (r < 0)
		return err_sys(err, -r, "cannot open '%s'", f->path);
	opening.away = away;
	r = v->driver->open(v->base.store, &owner, &opening, &f->m, err);
	free(away);
	if (r == -ENOENT && opening.must_exist)
		return 0;
	if (r < 0)
		return r;
	f->m->driver = v->driver;
	f->held = true;
	return 0;
}

int view_folders_open(struct view *v, const struct view_loaded *deleted, struct err *err)
{
	int r = 0;

	for (unsigned int i = 0; i < v->n_folders && r == 0; i++)
		r = folder_open(v, &v->folders[i], deleted, err);
	return r;
}

static void let_go(struct view_folder *f)
{
	if (f->held)
		f->m->driver->let_go(f->m);
	f->held = false;
}

void view_folders_let_go(struct view *v)
{
	for (unsigned int i = 0; i < v->n_folders; i++)
		let_go(&v->folders[i]);
}

int view_folder_hold(struct view_folder *f, struct err *err)
{
	const int r = f->held ? 0 : f->m->driver->take_again(f->m, err);

	f->held = f->held || r == 0;
	return r;
}

void view_folders_close(struct view *v)
{
	for (unsigned int i = 0; i < v->n_folders; i++) {
		struct view_folder *const f = &v->folders[i];

		maildrop_close(f->m);
		f->m = NULL;
		f->held = false;
	}
}

void view_folder_unmark(struct view_folder *f)
{
	if (f->m == NULL)
		return;
	free(f->m->marks);
	f->m->marks = NULL;
	f->m->marked = 0;
}

int view_trash_path(const struct view *v, char path[static LIMIT_PATH], struct err *err)
{
	const char *const name = v->owner.rules.trash;

	return path_of(v, span_str(name[0] != '\0' ? name : "Trash"), path)
		       ? 0
		       : err_set(err, ENAMETOOLONG, "'%s' has no room for a trash folder's name",
				 v->path);
}

int view_trash_open(const struct view *v, struct maildrop **ret_m, struct err *err)
{
	const struct store_opening opening = {.must_exist = true};
	char path[LIMIT_PATH];
	int r = view_trash_path(v, path, err);

	if (r < 0)
		return r;

	const struct store_owner owner = view_owner_at(v, path);

	r = v->driver->open(v->base.store, &owner, &opening, ret_m, err);
	if (r == 0)
		(*ret_m)->driver = v->driver;
	return r;
}
