/* SPDX-License-Identifier: MIT */
#include "import/import_date.h"

#include <string.h>
#include <time.h>

#include "base/num.h"

struct parts {
	struct tm tm;
	long offset; /* seconds east of UTC */
	bool day, month, year, time, zone;
};

static bool number(struct span s, uint64_t max, int *ret_value)
{
	uint64_t v;

	if (!num_parse_u64(s, max, &v))
		return false;
	*ret_value = (int)v;
	return true;
}

static bool take_month(struct span s, struct parts *p)
{
	static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	if (s.n < 3 || p->month)
		return false;
	for (int m = 0; m < 12; m++) {
		if (span_eq_nocase(span_of(s.p, 3), span_of(months + (size_t)3 * m, 3))) {
			p->tm.tm_mon = m;
			p->month = true;
		}
	}
	return p->month;
}

/* Years of two digits are from before there was mail that long (RFC 5322 section 4.3). */
static void take_year(int year, struct parts *p)
{
	p->tm.tm_year = year < 50 ? year + 100 : year < 1000 ? year : year - 1900;
	p->year = true;
}

static void take_time(struct span s, struct parts *p)
{
	const size_t a = span_find(s, ':');
	const struct span rest = span_of(s.p + a + 1, s.n - a - 1);
	const size_t b = span_find(rest, ':');

	p->time = number(span_of(s.p, a), 24, &p->tm.tm_hour) &&
		  number(span_of(rest.p, b), 59, &p->tm.tm_min);
	if (p->time && b < rest.n)
		p->time = number(span_of(rest.p + b + 1, rest.n - b - 1), 60, &p->tm.tm_sec);
}

/* "-0330". */
static void take_zone(struct span s, struct parts *p)
{
	uint64_t v;

	if (s.n != 5 || !num_parse_u64(span_of(s.p + 1, 4), 9959, &v))
		return;
	p->zone = true;
	p->offset = (s.p[0] == '-' ? -60L : 60L) * (long)(v / 100 * 60 + v % 100);
}

/* "17-Jul-1996". */
static void take_dashed(struct span s, struct parts *p)
{
	const size_t a = span_find(s, '-');
	const struct span rest = span_of(s.p + a + 1, s.n - a - 1);
	const size_t b = span_find(rest, '-');
	int year;

	p->day = number(span_of(s.p, a), 31, &p->tm.tm_mday);
	(void)take_month(span_of(rest.p, b), p);
	if (b < rest.n && number(span_of(rest.p + b + 1, rest.n - b - 1), 9999, &year))
		take_year(year, p);
}

static void take_word(struct span s, struct parts *p)
{
	int v;

	if (s.p[0] == '+' || s.p[0] == '-') {
		if (p->time)
			take_zone(s, p);
	} else if (span_find(s, ':') < s.n) {
		if (!p->time)
			take_time(s, p);
	} else if (span_find(s, '-') < s.n) {
		if (!p->day)
			take_dashed(s, p);
	} else if (number(s, 9999, &v)) {
		if (!p->day && s.n <= 2 && v <= 31) {
			p->tm.tm_mday = v;
			p->day = true;
		} else if (!p->year) {
			take_year(v, p);
		}
	} else {
		(void)take_month(s, p);
	}
}

static bool parse(struct span text, bool local, uint64_t *ret_seconds)
{
	struct parts p = {.offset = 0};
	int64_t seconds;

	/* What follows in parentheses is for people. */
	text.n = span_find(text, '(');
	while (text.n > 0) {
		size_t n = 0;

		while (n < text.n && strchr(" \t\r\n,", text.p[n]) == NULL)
			n++;
		if (n > 0)
			take_word(span_of(text.p, n), &p);
		span_skip(&text, n < text.n ? n + 1 : n);
	}
	if (!p.day || !p.month || !p.year || !p.time)
		return false;
	p.tm.tm_isdst = -1;
	seconds = local && !p.zone ? (int64_t)mktime(&p.tm) : (int64_t)timegm(&p.tm) - p.offset;
	if (seconds < 0)
		return false;
	*ret_seconds = (uint64_t)seconds;
	return true;
}

bool import_date_parse(struct span text, uint64_t *ret_seconds)
{
	return parse(text, false, ret_seconds);
}

bool import_date_parse_local(struct span text, uint64_t *ret_seconds)
{
	return parse(text, true, ret_seconds);
}

static void end_field(struct import_date *d)
{
	struct span field = span_of(d->_field, d->_n);

	d->_n = 0;
	if (d->received == 0 && span_starts_with_nocase(field, SPAN_LIT("Received:"))) {
		const char *const semicolon = memrchr(field.p, ';', field.n);

		if (semicolon != NULL)
			(void)import_date_parse(
				span_of(semicolon + 1, (size_t)(field.p + field.n - semicolon) - 1),
				&d->received);
	} else if (d->date == 0 && span_starts_with_nocase(field, SPAN_LIT("Date:"))) {
		(void)import_date_parse(span_of(field.p + 5, field.n - 5), &d->date);
	}
}

/* An octet at a time: headers are short, and what follows them isn't looked at. */
void import_date_take(struct import_date *d, struct span text)
{
	for (size_t i = 0; i < text.n && !d->_body; i++) {
		const char c = text.p[i];
		const bool begins = d->_n > 0 && d->_field[d->_n - 1] == '\n';

		if (c == '\r')
			continue;
		if (begins && c != ' ' && c != '\t')
			end_field(d);
		if (c == '\n' && d->_n == 0) {
			d->_body = true;
		} else if (d->_n < sizeof(d->_field)) {
			d->_field[d->_n++] = c;
		} else if (c == '\n') {
			/* A field that is too long ends at a line's end all the same. */
			d->_field[d->_n - 1] = '\n';
		}
	}
}

uint64_t import_date_end(struct import_date *d)
{
	if (!d->_body && d->_n > 0)
		end_field(d);
	return d->received != 0 ? d->received : d->date;
}
