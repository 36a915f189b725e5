/* SPDX-License-Identifier: MIT */
#include "ctl/show.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "base/out.h"

void show_word(const char *text, char *ret, size_t cap)
{
	struct out o = {.p = ret, .cap = cap - 1};

	for (; *text != '\0'; text++) {
		const unsigned char c = (unsigned char)*text;
		char hex[5];

		if (c > 0x20 && c < 0x7f && c != '\\') {
			if (!out_char(&o, (char)c))
				break;
			continue;
		}
		(void)snprintf(hex, sizeof(hex), "\\x%02x", c);
		if (!out_put(&o, span_str(hex)))
			break;
	}
	ret[o.n] = '\0';
}

/* Octets of the character that text begins with, 0 when it is none of UTF-8 (RFC 3629). */
static size_t utf8_length(const char *text)
{
	const unsigned char *const c = (const unsigned char *)text;
	const size_t n = c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++) {
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Too long for what it says, surrogates, beyond the last, and C1's controls. */
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
	    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f) ||
	    (c[0] == 0xc2 && c[1] < 0xa0))
		return 0;
	return n;
}

void show_json(const char *text)
{
	(void)putchar('"');
	while (*text != '\0') {
		const unsigned char c = (unsigned char)*text;
		const size_t n = utf8_length(text);

		if (n > 0)
			(void)fwrite(text, 1, n, stdout);
		else if (c == '"' || c == '\\')
			(void)printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			(void)printf("\\u%04x", c);
		else
			(void)putchar(c);
		text += n > 0 ? n : 1;
	}
	(void)putchar('"');
}

void show_elapsed(uint64_t seconds, char *ret, size_t cap)
{
	const uint64_t minutes = seconds / 60;
	const uint64_t hours = minutes / 60;

	if (seconds < 60)
		(void)snprintf(ret, cap, "%" PRIu64 "s", seconds);
	else if (minutes < 60)
		(void)snprintf(ret, cap, "%" PRIu64 "m", minutes);
	else if (hours < 24)
		(void)snprintf(ret, cap, "%" PRIu64 "h%02" PRIu64 "m", hours, minutes % 60);
	else
		(void)snprintf(ret, cap, "%" PRIu64 "d%02" PRIu64 "h", hours / 24, hours % 24);
}

void show_octets(uint64_t octets, char *ret, size_t cap)
{
	static const char units[] = "KMGTPE";
	double n = (double)octets;
	size_t unit = 0;

	if (octets < 1024) {
		(void)snprintf(ret, cap, "%" PRIu64, octets);
		return;
	}
	for (n /= 1024; n >= 1000; n /= 1024)
		unit++;
	(void)snprintf(ret, cap, n < 10 ? "%.1f%c" : "%.0f%c", n, units[unit]);
}

void show_time(uint64_t seconds, char *ret, size_t cap)
{
	const time_t t = (time_t)seconds;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL || strftime(ret, cap, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(ret, cap, "?");
}

/* A small file below /proc/PID, or "". */
static void read_proc(pid_t pid, const char *name, char *ret, size_t cap)
{
	char path[64];

	ret[0] = '\0';
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);

	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;

	const ssize_t n = read(fd, ret, cap - 1);

	(void)close(fd);
	ret[n > 0 ? n : 0] = '\0';
}

/* Word number i of text, from 0, as a number; 0 when there is none. */
static uint64_t number_at(const char *text, unsigned i)
{
	uint64_t n;

	while (i-- > 0) {
		text += strcspn(text, " ");
		text += strspn(text, " ");
	}
	return num_parse_u64(span_of(text, strcspn(text, " \n")), UINT64_MAX, &n) ? n : 0;
}

void show_process(pid_t pid, struct process_use *ret_use)
{
	const long ticks = sysconf(_SC_CLK_TCK);
	const long page = sysconf(_SC_PAGESIZE);
	char text[1024];
	const char *rest;

	*ret_use = (struct process_use){0};
	read_proc(pid, "statm", text, sizeof(text));
	ret_use->rss_bytes = number_at(text, 1) * (uint64_t)page;
	/* proc(5): the second word is a name in brackets, which may have spaces. */
	read_proc(pid, "stat", text, sizeof(text));
	rest = strrchr(text, ')');
	if (rest != NULL && rest[1] == ' ' && ticks > 0)
		ret_use->cpu_ms = (number_at(rest + 2, 11) + number_at(rest + 2, 12)) * 1000 /
				  (uint64_t)ticks;
}
