/* SPDX-License-Identifier: MIT */
/*
 * log.h - one event, one line, as key=value or JSON, to stderr or syslog.
 *
 * Only server, client and ctl log; lower layers fill a struct err. A line is
 * written with one write(2), so lines of several processes don't mix. Values may
 * hold any octet: what could break a line, a terminal or JSON is escaped here.
 * Never give it a password.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_KV, LOG_FORMAT_JSON };
enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG };

/*
 * Call once, before any thread is started. process names this process in each
 * line ("listener-1"); it is copied. To syslog all are "restanted", and syslog is reached through
 * the descriptor that openlog() opens now, so it works in a sealed process too.
 */
void log_init(enum log_target target, enum log_format format, enum log_level max,
	      const char *process);

bool log_enabled(enum log_level level);

/* One key with its value. Built by the functions below; lives as long as its value. */
struct log_field {
	const char *key; /* NULL leaves the field out */
	enum { LOG_VALUE_STR, LOG_VALUE_NUM, LOG_VALUE_HEX, LOG_VALUE_END } type;
	const char *str;
	uint64_t num;
};

static inline struct log_field log_str(const char *key, const char *value)
{
	return (struct log_field){.key = key, .type = LOG_VALUE_STR, .str = value};
}

static inline struct log_field log_num(const char *key, uint64_t value)
{
	return (struct log_field){.key = key, .type = LOG_VALUE_NUM, .num = value};
}

/* Session ids: 16 hexadecimal digits. */
static inline struct log_field log_hex(const char *key, uint64_t value)
{
	return (struct log_field){.key = key, .type = LOG_VALUE_HEX, .num = value};
}

/*
 * Writes one line: time, level, process, event and the fields. event is a fixed
 * name such as "login" or "delivered". Use the macro: it ends the list of fields.
 */
void log_event_(enum log_level level, const char *event, const struct log_field *fields);

#define log_event(level, event, ...) \
	log_event_((level), (event), \
		   (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.type = LOG_VALUE_END}})
