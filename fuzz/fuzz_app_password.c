/* SPDX-License-Identifier: MIT */
/*
 * Lines of application passwords, whatever is in them: what is read is within the line, and
 * written again it is read as the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/app_password.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int true_always)
{
	if (!true_always)
		abort();
}

static void within(struct span part, struct span line)
{
	need(part.n == 0 || (part.p >= line.p && part.n <= line.n &&
			     (size_t)(part.p - line.p) <= line.n - part.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span line = span_of((const char *)data, size);
	char text[APP_PASSWORD_LINE_MAX];
	struct out out = {.p = text, .cap = sizeof(text)};
	struct app_password p;
	struct app_password again;
	struct err err;

	if (app_password_parse(line, &p, &err) != APP_PASSWORD_OK)
		return 0;
	within(p.user, line);
	within(p.name, line);
	within(p.device, line);
	need(p.slot < APP_PASSWORD_SLOTS);
	/* Services that we don't know are not written by us. */
	if (p.services == 0)
		return 0;
	need(app_password_put(&out, &p));
	need(app_password_parse(out_span(&out), &again, &err) == APP_PASSWORD_OK);
	need(span_eq(p.user, again.user) && span_eq(p.name, again.name) &&
	     span_eq(p.device, again.device));
	need(p.services == again.services && p.slot == again.slot && p.created == again.created);
	need(memcmp(p.hash, again.hash, sizeof(p.hash)) == 0);
	return 0;
}
