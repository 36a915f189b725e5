/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/out.h"
#include "base/span.h"

/* A line that would be longer loses its last fields, never its end. */
#define LINE_MAX_BYTES 2048

static struct {
	enum log_target target;
	enum log_format format;
	enum log_level max;
	char process[32];
} state = {.max = LOG_LEVEL_INFO, .process = "restante"};

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static const int syslog_priority[] = {
	[LOG_LEVEL_ERROR] = LOG_ERR,
	[LOG_LEVEL_WARN] = LOG_WARNING,
	[LOG_LEVEL_INFO] = LOG_INFO,
	[LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

void log_init(enum log_target target, enum log_format format, enum log_level max,
	      const char *process)
{
	state.target = target;
	state.format = format;
	state.max = max;
	(void)snprintf(state.process, sizeof(state.process), "%s", process);
	/* localtime is read by syslog(3): load it while files can still be opened. */
	tzset();
	if (target == LOG_TARGET_SYSLOG)
		openlog("restanted", LOG_PID | LOG_NDELAY, LOG_MAIL);
}

bool log_enabled(enum log_level level)
{
	return level <= state.max;
}

static bool put_hex(struct out *o, uint64_t v, int digits)
{
	char hex[17];

	(void)snprintf(hex, sizeof(hex), "%0*llx", digits, (unsigned long long)v);
	return out_put(o, span_str(hex));
}

/* Both formats quote the same way; kv leaves the quotes off simple words. */
static bool put_quoted(struct out *o, const char *s)
{
	if (!out_char(o, '"'))
		return false;
	for (; *s != '\0'; s++) {
		const unsigned char c = (unsigned char)*s;
		bool ok;

		if (c == '"' || c == '\\')
			ok = out_char(o, '\\') && out_char(o, (char)c);
		else if (c < 0x20 || c >= 0x7f)
			ok = out_put(o, SPAN_LIT("\\u")) && put_hex(o, c, 4);
		else
			ok = out_char(o, (char)c);
		if (!ok)
			return false;
	}
	return out_char(o, '"');
}

static bool is_simple(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		const unsigned char c = (unsigned char)*s;

		if (c <= 0x20 || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return true;
}

static bool put_value(struct out *o, const struct log_field *f)
{
	switch (f->type) {
	case LOG_VALUE_NUM:
		return out_u64(o, f->num);
	case LOG_VALUE_HEX:
		if (state.format == LOG_FORMAT_JSON)
			return out_char(o, '"') && put_hex(o, f->num, 16) && out_char(o, '"');
		return put_hex(o, f->num, 16);
	case LOG_VALUE_STR:
	case LOG_VALUE_END:
		break;
	}

	const char *s = f->str == NULL ? "" : f->str;

	if (state.format == LOG_FORMAT_KV && is_simple(s))
		return out_put(o, span_str(s));
	return put_quoted(o, s);
}

static void put_field(struct out *o, const struct log_field *f)
{
	const size_t before = o->n;
	bool ok;

	if (state.format == LOG_FORMAT_JSON)
		ok = (o->n == 1 || out_char(o, ',')) && put_quoted(o, f->key) && out_char(o, ':') &&
		     put_value(o, f);
	else
		ok = (o->n == 0 || out_char(o, ' ')) && out_put(o, span_str(f->key)) &&
		     out_char(o, '=') && put_value(o, f);
	if (!ok)
		o->n = before;
}

static void put_time(struct out *o)
{
	const uint64_t now = clock_wall_ns();
	const time_t seconds = (time_t)(now / 1000000000U);
	struct tm tm;
	char text[80]; /* room for any int: tm is not believed either */

	(void)gmtime_r(&seconds, &tm);
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900,
		       tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		       (unsigned)(now / 1000000U % 1000U));

	const struct log_field f = log_str("time", text);

	put_field(o, &f);
}

void log_event_(enum log_level level, const char *event, const struct log_field *fields)
{
	char line[LINE_MAX_BYTES];
	/* Two octets are kept back, for '}' and the line end. */
	struct out o = {.p = line, .cap = sizeof(line) - 2};

	if (!log_enabled(level))
		return;
	if (state.format == LOG_FORMAT_JSON)
		(void)out_char(&o, '{');
	if (state.target == LOG_TARGET_STDERR)
		put_time(&o);

	const struct log_field head[] = {
		log_str("level", level_names[level]),
		log_str("process", state.process),
		log_str("event", event),
	};

	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		put_field(&o, &head[i]);
	for (const struct log_field *f = fields; f->type != LOG_VALUE_END; f++) {
		if (f->key != NULL)
			put_field(&o, f);
	}
	o.cap = sizeof(line);
	if (state.format == LOG_FORMAT_JSON)
		(void)out_char(&o, '}');
	if (state.target == LOG_TARGET_SYSLOG) {
		syslog(syslog_priority[level], "%.*s", (int)o.n, o.p);
		return;
	}
	(void)out_char(&o, '\n');
	/* A log that can't be written must not stop the mail. */
	if (write(STDERR_FILENO, o.p, o.n) < 0)
		return;
}
