/* SPDX-License-Identifier: MIT */
#include "codec/mail/mail_trace.h"

static bool put_field(struct out *out, struct span before, struct span address, struct span after)
{
	const size_t start = out->n;

	return (out_put(out, before) && out_put(out, address) && out_put(out, after)) ||
	       out_undo(out, start);
}

bool mail_return_path(struct out *out, struct span address)
{
	return put_field(out, SPAN_LIT("Return-Path: <"), address, SPAN_LIT(">\r\n"));
}

bool mail_delivered_to(struct out *out, struct span address)
{
	return put_field(out, SPAN_LIT("Delivered-To: "), address, SPAN_LIT("\r\n"));
}

/* Days of the proleptic Gregorian calendar since 1970-01-01, as year, month and day. */
struct date {
	uint64_t year;
	unsigned month; /* 0 to 11 */
	unsigned day;   /* 1 to 31 */
};

static bool is_leap(uint64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static struct date date_of(uint64_t days)
{
	static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	/* 400 years have 146097 days, whichever year they begin with. */
	struct date d = {.year = 1970 + days / 146097 * 400};
	uint64_t left = days % 146097;

	while (left >= 365U + is_leap(d.year))
		left -= 365U + is_leap(d.year++);
	while (left >= lengths[d.month] + (d.month == 1 && is_leap(d.year))) {
		left -= lengths[d.month] + (d.month == 1 && is_leap(d.year));
		d.month++;
	}
	d.day = (unsigned)left + 1;
	return d;
}

static bool put_two(struct out *out, uint64_t n)
{
	return out_char(out, (char)('0' + n / 10 % 10)) && out_char(out, (char)('0' + n % 10));
}

/* "Wed, 25 Nov 2026 04:20:15 +0000" */
static bool put_date(struct out *out, uint64_t seconds)
{
	static const char days[] = "ThuFriSatSunMonTueWed"; /* the first day was a Thursday */
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const struct date d = date_of(seconds / 86400);
	const uint64_t clock = seconds % 86400;

	return out_put(out, span_of(days + seconds / 86400 % 7 * 3, 3)) &&
	       out_put(out, SPAN_LIT(", ")) && out_u64(out, d.day) && out_char(out, ' ') &&
	       out_put(out, span_of(months + (size_t)d.month * 3, 3)) && out_char(out, ' ') &&
	       out_u64(out, d.year) && out_char(out, ' ') && put_two(out, clock / 3600) &&
	       out_char(out, ':') && put_two(out, clock / 60 % 60) && out_char(out, ':') &&
	       put_two(out, clock % 60) && out_put(out, SPAN_LIT(" +0000"));
}

static bool put_name(struct out *out, struct span name)
{
	const struct span breaks = SPAN_LIT(" ()\"\\;<>,");
	bool fits = true;

	for (size_t i = 0; i < name.n && i < LIMIT_ADDRESS && fits; i++)
		fits = out_char(out, span_find(breaks, name.p[i]) < breaks.n ? '?' : name.p[i]);
	return fits;
}

bool mail_received(struct out *out, const struct mail_received *r)
{
	const size_t start = out->n;

	return (out_put(out, SPAN_LIT("Received: from ")) && put_name(out, r->from) &&
		(r->address.n == 0 || (out_put(out, SPAN_LIT(" ([")) && out_put(out, r->address) &&
				       out_put(out, SPAN_LIT("])")))) &&
		out_put(out, SPAN_LIT("\r\n\tby ")) && put_name(out, r->by) &&
		out_put(out, SPAN_LIT(" with ")) && out_put(out, r->with) &&
		out_put(out, SPAN_LIT(" id ")) && out_put(out, r->id) &&
		out_put(out, SPAN_LIT("; ")) && put_date(out, r->seconds) &&
		out_put(out, SPAN_LIT("\r\n"))) ||
	       out_undo(out, start);
}
