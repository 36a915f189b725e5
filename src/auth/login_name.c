/* SPDX-License-Identifier: MIT */
#include "auth/login_name.h"

#include <assert.h>
#include <string.h>

#include "base/out.h"
#include "auth/user_name.h"

static const struct span recent = {"recent:", 7};

static void put(char to[LIMIT_USER + 1], struct span text)
{
	assert(text.n <= LIMIT_USER);
	memset(to, 0, LIMIT_USER + 1);
	if (text.n > 0)
		memcpy(to, text.p, text.n);
}

void login_name_of_user(const char *user, struct login_name *ret)
{
	memset(ret, 0, sizeof(*ret));
	put(ret->whole, span_str(user));
	put(ret->user, span_str(user));
}

/* Where the separator is in a local part that has a device; its length when there is none. */
static size_t find_device(struct span local, char separator, char device[MAILDROP_DEVICE_MAX + 1])
{
	size_t n = local.n;

	while (n > 0 && local.p[n - 1] != separator)
		n--;
	/* n is behind the separator: there must be somebody in front of it. */
	if (n < 2 || !maildrop_device_name(span_of(local.p + n, local.n - n), device))
		return local.n;
	return n - 1;
}

void login_name_read(const char *text, char separator, struct login_name *ret)
{
	struct span whole = span_str(text);
	const bool is_recent = whole.n >= recent.n &&
			       span_eq_nocase(span_of(whole.p, recent.n), recent);

	if (is_recent)
		span_skip(&whole, recent.n);
	login_name_of_user(whole.n > 0 ? whole.p : "", ret);
	ret->recent = is_recent;
	if (separator == '\0')
		return;

	const struct span local = user_name_local(whole);
	const size_t n = find_device(local, separator, ret->device);

	if (n == local.n)
		return;

	struct out user = {.p = ret->user, .cap = LIMIT_USER};
	const bool fits = out_put(&user, span_of(local.p, n)) &&
			  out_put(&user, span_of(local.p + local.n, whole.n - local.n));

	assert(fits);
	(void)fits;
	ret->user[user.n] = '\0';
}
