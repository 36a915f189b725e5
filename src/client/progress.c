/* SPDX-License-Identifier: MIT */
#include "client/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

#define DRAW_MS 100
#define COLUMNS_OTHERWISE 80
#define BAR_MIN 8
#define BAR_MAX 40

/* Before that, a rate says nothing. */
#define RATE_MS 500

void progress_size(uint64_t octets, char ret_text[static PROGRESS_SIZE_MAX])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double value = (double)octets;
	size_t unit = 0;

	while (value >= 999.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000;
		unit++;
	}
	(void)snprintf(ret_text, PROGRESS_SIZE_MAX, unit == 0 ? "%.0f %s" : "%.1f %s", value,
		       units[unit]);
}

/* "0:04", "1:02:03". */
static void duration(uint64_t seconds, char *ret_text, size_t cap)
{
	const unsigned long long s = seconds;

	if (s >= 3600)
		(void)snprintf(ret_text, cap, "%llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
	else
		(void)snprintf(ret_text, cap, "%llu:%02llu", s / 60, s % 60);
}

/* Rate and time left, as soon as they mean something. */
static void put_rate(const struct progress *p, uint64_t elapsed_ms, char *ret_text, size_t cap)
{
	char rate[PROGRESS_SIZE_MAX];
	char left[32];

	ret_text[0] = '\0';
	if (elapsed_ms < RATE_MS || p->octets_come == 0)
		return;

	const double per_ms = (double)p->octets_come / (double)elapsed_ms;
	const uint64_t rest = p->octets > p->octets_come ? p->octets - p->octets_come : 0;

	progress_size((uint64_t)(per_ms * 1000), rate);
	duration((uint64_t)((double)rest / per_ms / 1000 + 0.5), left, sizeof(left));
	(void)snprintf(ret_text, cap, "  %s/s  %s", rate, left);
}

void progress_line(const struct progress *p, uint64_t elapsed_ms, size_t columns,
		   char ret_line[static PROGRESS_LINE_MAX])
{
	char come[PROGRESS_SIZE_MAX];
	char all[PROGRESS_SIZE_MAX];
	char rate[64];
	char right[160];
	char bar[BAR_MAX + 1];
	const int name = (int)strnlen(p->name, 32);

	progress_size(p->octets_come, come);
	progress_size(p->octets, all);
	put_rate(p, elapsed_ms, rate, sizeof(rate));
	(void)snprintf(right, sizeof(right), "%zu/%zu  %s of %s%s", p->messages_come, p->messages,
		       come, all, rate);

	/* "name  [bar]  right" */
	const size_t taken = (size_t)name + 2 + 2 + 2 + strlen(right);

	if (columns < taken + BAR_MIN) {
		(void)snprintf(ret_line, PROGRESS_LINE_MAX, "%.*s  %s", name, p->name, right);
		if (columns < PROGRESS_LINE_MAX)
			ret_line[columns] = '\0';
		return;
	}

	const size_t width = columns - taken < BAR_MAX ? columns - taken : BAR_MAX;
	const double part = p->octets == 0 ? 1 : (double)p->octets_come / (double)p->octets;
	const size_t full = part >= 1 ? width : (size_t)(part * (double)width);

	memset(bar, '=', full);
	memset(bar + full, ' ', width - full);
	if (full < width)
		bar[full] = '>';
	bar[width] = '\0';
	(void)snprintf(ret_line, PROGRESS_LINE_MAX, "%.*s  [%s]  %s", name, p->name, bar, right);
}

static size_t columns_of(int fd)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return COLUMNS_OTHERWISE;
	return size.ws_col;
}

static void write_text(int fd, const char *text)
{
	/* A terminal that is gone shows nothing: the mail is fetched all the same. */
	if (write(fd, text, strlen(text)) < 0)
		return;
}

static void draw(struct progress *p, uint64_t now)
{
	char line[PROGRESS_LINE_MAX];
	char text[PROGRESS_LINE_MAX + 8];

	/* The last column stays free: a cursor behind it may be on the next line. */
	progress_line(p, now - p->began_ms, columns_of(p->fd) - 1, line);
	(void)snprintf(text, sizeof(text), "\r%s\033[K", line);
	write_text(p->fd, text);
	p->drawn_ms = now;
	p->drawn = true;
}

void progress_begin(struct progress *p, const char *name, int fd, size_t messages, uint64_t octets)
{
	*p = (struct progress){
		.name = name,
		.fd = fd,
		.messages = messages,
		.octets = octets,
		.began_ms = clock_mono_ms(),
	};
	if (messages > 0)
		draw(p, p->began_ms);
}

void progress_update(struct progress *p, size_t messages, uint64_t octets)
{
	const uint64_t now = clock_mono_ms();

	p->messages_come = messages;
	p->octets_come = octets;
	if (now - p->drawn_ms >= DRAW_MS)
		draw(p, now);
}

void progress_clear(struct progress *p)
{
	if (p->drawn)
		write_text(p->fd, "\r\033[K");
	p->drawn = false;
}
