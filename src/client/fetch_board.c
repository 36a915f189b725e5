/* SPDX-License-Identifier: MIT */
#include "client/fetch_board.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "client/restante.h"

void fetch_board_init(struct fetch_board *b, bool quiet, bool verbose, bool dry_run)
{
	memset(b, 0, sizeof(*b));
	b->quiet = quiet;
	b->dry_run = dry_run;
	b->bar = !quiet && !verbose && isatty(STDERR_FILENO) == 1;
	(void)pthread_mutex_init(&b->_lock, NULL);
}

void fetch_board_done(struct fetch_board *b)
{
	progress_clear(&b->_progress);
	(void)pthread_mutex_destroy(&b->_lock);
}

/* As it is, but for what a terminal would obey. */
static void print_octets(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		const unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' || c >= 0x7f)
			(void)fprintf(stderr, "\\x%02x", c);
		else
			(void)fputc(c, stderr);
	}
}

static void on_line(void *ctx, bool sent, struct span line)
{
	const struct fetch_view *const v = ctx;

	(void)pthread_mutex_lock(&v->board->_lock);
	(void)fprintf(stderr, "%s %s ", v->account, sent ? ">" : "<");
	print_octets(line);
	(void)fputc('\n', stderr);
	(void)pthread_mutex_unlock(&v->board->_lock);
}

/* The line is begun anew whenever an account joins: its title and totals are others then. */
static void begin_line(struct fetch_board *b, const struct fetch_view *v)
{
	const uint64_t began_ms = b->_running > 1 ? b->_progress.began_ms : 0;

	if (b->_running > 1)
		(void)snprintf(b->_title, sizeof(b->_title), "%zu accounts", b->_running);
	else
		(void)snprintf(b->_title, sizeof(b->_title), "%s", v->account);
	progress_begin(&b->_progress, b->_title, STDERR_FILENO, b->_messages, b->_octets);
	if (began_ms > 0)
		b->_progress.began_ms = began_ms;
}

static void on_begin(void *ctx, size_t messages, uint64_t octets)
{
	struct fetch_view *const v = ctx;
	struct fetch_board *const b = v->board;

	(void)pthread_mutex_lock(&b->_lock);
	if (b->_running == 0) {
		b->_messages = b->_messages_come = 0;
		b->_octets = b->_octets_come = 0;
	}
	b->_running += !v->_begun;
	v->_messages_come = 0;
	v->_octets_come = 0;
	b->_messages += messages;
	b->_octets += octets;
	v->_begun = true;
	if (b->bar)
		begin_line(b, v);
	(void)pthread_mutex_unlock(&b->_lock);
}

static void on_progress(void *ctx, size_t messages, uint64_t octets)
{
	struct fetch_view *const v = ctx;
	struct fetch_board *const b = v->board;

	(void)pthread_mutex_lock(&b->_lock);
	b->_messages_come += messages - v->_messages_come;
	b->_octets_come += octets - v->_octets_come;
	v->_messages_come = messages;
	v->_octets_come = octets;
	if (b->bar)
		progress_update(&b->_progress, b->_messages_come, b->_octets_come);
	(void)pthread_mutex_unlock(&b->_lock);
}

static void on_remark(void *ctx, const char *text)
{
	const struct fetch_view *const v = ctx;

	(void)pthread_mutex_lock(&v->board->_lock);
	progress_clear(&v->board->_progress);
	(void)restante_complain(EX_OK, "%s: %s", v->account, text);
	(void)pthread_mutex_unlock(&v->board->_lock);
}

struct fetch_observer fetch_view_observer(struct fetch_view *v, bool verbose)
{
	return (struct fetch_observer){
		.line = verbose ? on_line : NULL,
		.begin = on_begin,
		.progress = on_progress,
		.remark = on_remark,
		.ctx = v,
	};
}

static void summarize(const struct fetch_view *v, const struct fetch_result *result)
{
	char size[PROGRESS_SIZE_MAX];

	if (v->board->quiet || v->board->dry_run)
		return;
	if (v->board->only_news && result->fetched + result->adopted + result->deleted == 0)
		return;
	progress_size(result->octets, size);
	(void)printf("%s: %zu fetched (%s)", v->account, result->fetched, size);
	if (result->adopted > 0)
		(void)printf(", %zu found that were stored before", result->adopted);
	if (result->large > 0)
		(void)printf(", %zu left that are too large", result->large);
	if (result->left > 0)
		(void)printf(", %zu left for the next time", result->left);
	if (result->deleted > 0)
		(void)printf(", %zu deleted on the server", result->deleted);
	if (result->refused > 0)
		(void)printf(", %zu refused by the server", result->refused);
	if (result->undelivered > 0)
		(void)printf(", %zu that can't be delivered", result->undelivered);
	if (result->deferred > 0)
		(void)printf(", %zu to be delivered later", result->deferred);
	if (result->pending > 0)
		(void)printf(", %zu to be deleted later", result->pending);
	(void)printf(", %zu on the server\n", result->remaining);
}

void fetch_view_end(struct fetch_view *v, enum fetch_status status,
		    const struct fetch_result *result, const struct err *err)
{
	struct fetch_board *const b = v->board;
	const bool done = status == FETCH_OK || status == FETCH_REFUSED || status == FETCH_DEFERRED;

	(void)pthread_mutex_lock(&b->_lock);
	if (v->_begun)
		b->_running--;
	progress_clear(&b->_progress);
	if (done || result->fetched > 0)
		summarize(v, result);
	/* Who watches and is told to stop was between two sessions, or might have been. */
	if (!done && !(b->only_news && status == FETCH_STOPPED))
		(void)restante_complain(EX_OK, "%s: %s", v->account, err->text);
	/* Into a file or a journal too, now and not when there is more. */
	(void)fflush(stdout);
	(void)pthread_mutex_unlock(&b->_lock);
}
