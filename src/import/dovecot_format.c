/* SPDX-License-Identifier: MIT */
#include "import/dovecot_format.h"

#include <errno.h>
#include <stdio.h>

#include "base/num.h"

/* How a value is to be written. */
struct shape {
	bool hex;
	bool fill;
	char letters; /* 'L', 'U' or 0 */
	unsigned width;
};

#define WIDTH_MAX 64

static const struct {
	char letter;
	const char *name;
} keys[] = {{'u', "uid"}, {'v', "uidvalidity"}, {'f', "filename"}, {'g', "guid"}};

static char key_of(struct span name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (span_eq(name, span_str(keys[i].name)) ||
		    (name.n == 1 && name.p[0] == keys[i].letter))
			return keys[i].letter;
	}
	return '\0';
}

static bool put_shaped(struct out *out, struct span s, const struct shape *shape)
{
	if (shape->width > 0 && !shape->fill && s.n > shape->width)
		s.n = shape->width;
	for (size_t n = s.n; shape->fill && n < shape->width; n++) {
		if (!out_char(out, '0'))
			return false;
	}
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (shape->letters == 'L')
			c = span_ascii_lower(c);
		else if (shape->letters == 'U' && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (!out_char(out, c))
			return false;
	}
	return true;
}

static bool put_value(struct out *out, char key, const struct shape *shape,
		      const struct dovecot_values *v, struct err *err)
{
	char digits[24];
	struct span s;

	if (key == 'u' || key == 'v') {
		(void)snprintf(digits, sizeof(digits), shape->hex ? "%x" : "%u",
			       key == 'u' ? v->uid : v->uid_validity);
		s = span_str(digits);
	} else {
		s = key == 'f' ? v->filename : v->guid;
		if (s.n == 0) {
			(void)err_set(err, EINVAL, "the UIDL format's %%%c isn't known here", key);
			return false;
		}
	}
	if (put_shaped(out, s, shape))
		return true;
	(void)err_set(err, EINVAL, "the UIDL format makes too long a UIDL");
	return false;
}

static void skip_spaces(struct span *s)
{
	while (s->n > 0 && s->p[0] == ' ')
		span_skip(s, 1);
	while (s->n > 0 && s->p[s->n - 1] == ' ')
		s->n--;
}

/* "hex(8)", "hex", "lower", "upper". */
static bool read_filter(struct span filter, struct shape *shape)
{
	uint64_t width;

	skip_spaces(&filter);
	if (span_eq(filter, SPAN_LIT("lower")) || span_eq(filter, SPAN_LIT("upper"))) {
		shape->letters = filter.p[0] == 'l' ? 'L' : 'U';
		return true;
	}
	if (filter.n < 3 || memcmp(filter.p, "hex", 3) != 0)
		return false;
	span_skip(&filter, 3);
	shape->hex = true;
	if (filter.n == 0)
		return true;
	if (filter.n < 3 || filter.p[0] != '(' || filter.p[filter.n - 1] != ')' ||
	    !num_parse_u64(span_of(filter.p + 1, filter.n - 2), WIDTH_MAX, &width))
		return false;
	shape->fill = true;
	shape->width = (unsigned)width;
	return true;
}

/* "{uid | hex(8)}", from behind the brace. */
static bool read_long(struct span *f, char *ret_key, struct shape *shape)
{
	const size_t end = span_find(*f, '}');
	struct span inside = span_of(f->p, end);
	size_t n = span_find(inside, '|');
	struct span name = span_of(inside.p, n);

	if (end == f->n)
		return false;
	span_skip(f, end + 1);
	skip_spaces(&name);
	*ret_key = key_of(name);
	span_skip(&inside, n);
	while (inside.n > 0) {
		span_skip(&inside, 1);
		n = span_find(inside, '|');
		if (!read_filter(span_of(inside.p, n), shape))
			return false;
		span_skip(&inside, n);
	}
	return *ret_key != '\0';
}

/* What stands behind a '%', up to the end of it. */
static bool read_variable(struct span *f, char *ret_key, struct shape *shape)
{
	uint64_t width = 0;
	size_t n = 0;

	*shape = (struct shape){0};
	shape->fill = f->n > 0 && f->p[0] == '0';
	while (n < f->n && f->p[n] >= '0' && f->p[n] <= '9')
		n++;
	if (n > 0 && !num_parse_u64(span_of(f->p, n), WIDTH_MAX, &width))
		return false;
	shape->width = (unsigned)width;
	span_skip(f, n);
	for (; f->n > 0 && (f->p[0] == 'X' || f->p[0] == 'L' || f->p[0] == 'U'); span_skip(f, 1)) {
		if (f->p[0] == 'X')
			shape->hex = true;
		else
			shape->letters = f->p[0];
	}
	if (f->n == 0)
		return false;

	const char c = f->p[0];

	span_skip(f, 1);
	if (c == '{')
		return read_long(f, ret_key, shape);
	*ret_key = key_of(span_of(&c, 1));
	return *ret_key != '\0';
}

bool dovecot_format(const char *format, const struct dovecot_values *values, struct out *out,
		    struct err *err)
{
	const size_t before = out->n;
	struct span f = span_str(format);
	bool any = false;

	while (f.n > 0) {
		const char c = f.p[0];
		struct shape shape;
		char key;
		bool ok;

		span_skip(&f, 1);
		if (c != '%' || (f.n > 0 && f.p[0] == '%')) {
			ok = out_char(out, c);
			if (c == '%')
				span_skip(&f, 1);
			if (!ok)
				(void)err_set(err, EINVAL, "the UIDL format is too long");
		} else if (!read_variable(&f, &key, &shape)) {
			(void)err_set(err, EINVAL, "the UIDL format '%s' has what isn't known here",
				      format);
			ok = false;
		} else {
			any = true;
			ok = put_value(out, key, &shape, values, err);
		}
		if (!ok)
			return out_undo(out, before);
	}
	if (any)
		return true;
	(void)err_set(err, EINVAL, "the UIDL format '%s' is the same for all messages", format);
	return out_undo(out, before);
}
