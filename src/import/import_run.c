/* SPDX-License-Identifier: MIT */
#include "import/import_run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/moving.h"
#include "import/import_uidls.h"

struct run {
	const struct import_job *job;
	struct import_result *result;
	struct moving *moving;
	struct import_listing listing;
	struct buf uidls;
	struct moving_message *v;
	size_t *index; /* which of the listing's each of v is */
	size_t n;
	struct import_text *text;
};

static void remark(const struct run *run, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void remark(const struct run *run, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX + 64];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	run->job->remark(run->job->ctx, text);
}

static void remark_uidl(void *ctx, size_t number, const char *text)
{
	remark(ctx, "message %zu: %s", number, text);
}

static int prepare(struct run *run, struct err *err)
{
	const struct import_source *const s = run->job->source;
	ssize_t n;
	int r = s->ops->list(run->job->source, &run->listing, err);

	if (r < 0)
		return r;
	run->result->listed = run->listing.n;
	run->result->in_place = s->is_maildir && moving_is_place(run->moving, s->device, s->inode);
	run->v = calloc(run->listing.n + 1, sizeof(*run->v));
	run->index = calloc(run->listing.n + 1, sizeof(*run->index));
	n = run->v == NULL || run->index == NULL
		    ? -ENOMEM
		    : import_uidls(&run->listing, run->result->in_place, &run->uidls, run->v,
				   run->index, remark_uidl, run);
	if (n < 0)
		return err_sys(err, ENOMEM, "cannot list the messages");
	run->n = (size_t)n;
	for (size_t i = 0; i < run->n; i++) {
		if (run->v[i].arrived == 0)
			run->v[i].arrived = (uint64_t)time(NULL);
	}
	return 0;
}

/* 1: it couldn't be read at the source, which was said. */
static int bring(struct run *run, size_t i, struct err *err)
{
	const struct import_message *const m = &run->listing.v[run->index[i]];
	struct import_source *const s = run->job->source;
	struct moving_info info = {0};
	struct err why;
	int fd;
	int r = moving_fd(run->moving, &fd, err);

	if (r < 0)
		return r;
	import_text_begin(run->text, fd);
	r = s->ops->fetch(s, &run->listing, m, run->text, &info.arrived, &why);
	if (r == -ENOENT || r == -EACCES || r == -EBADMSG) {
		remark(run, "message %zu isn't brought: %s", run->index[i] + 1, why.text);
		return 1;
	}
	if (r < 0) {
		*err = why;
		return r;
	}
	r = import_text_end(run->text, &info.octets, &info.dot_lines);
	if (r < 0)
		return err_sys(err, -r, "cannot write a message for '%s'", run->job->owner.path);
	memcpy(info.flags, m->flags, sizeof(info.flags));
	return moving_arrive(run->moving, i, &info, err);
}

static int bring_all(struct run *run, struct err *err)
{
	int r = 0;

	run->text = malloc(sizeof(*run->text));
	if (run->text == NULL)
		return err_sys(err, ENOMEM, "cannot move mail");
	for (size_t i = 0; i < run->n && r >= 0; i++) {
		if (run->v[i].state != MOVING_MISSING)
			continue;
		r = bring(run, i, err);
		run->result->brought += r == 0;
		run->result->failed += r == 1;
	}
	/* What has come is made durable, also when the next one couldn't be had. */
	const int committed = moving_commit(run->moving, r < 0 ? NULL : err);

	return r < 0 ? r : committed;
}

static int run_moving(struct run *run, struct err *err)
{
	const struct import_job *const job = run->job;
	struct moving_counts counts;
	int r = prepare(run, err);

	if (r < 0)
		return r;
	const struct moving_wish wish = {
		.in_place = run->result->in_place,
		/* In its own Maildir nothing can be gone from the old server and still be here. */
		.remove_gone = job->remove_gone && !run->result->in_place,
	};

	r = moving_plan(run->moving, run->v, run->n, &wish, &counts, err);
	if (r < 0)
		return r;
	run->result->here = counts.here;
	run->result->deleted = counts.deleted;
	run->result->gone = counts.gone;
	if (job->dry_run)
		run->result->brought = counts.missing;
	return job->dry_run || run->result->in_place ? 0 : bring_all(run, err);
}

int import_run(const struct import_job *job, struct import_result *ret_result, struct err *err)
{
	struct run run = {.job = job, .result = ret_result};
	int r;

	*ret_result = (struct import_result){0};
	import_listing_init(&run.listing);
	r = moving_begin(job->store, &job->owner, job->dry_run, &run.moving, err);
	if (r == 0)
		r = run_moving(&run, err);
	moving_close(run.moving);
	free(run.v);
	free(run.index);
	free(run.text);
	buf_done(&run.uidls);
	import_listing_done(&run.listing);
	return r;
}
