/* SPDX-License-Identifier: MIT */
/*
 * The first octet is the separator, the rest what a client logs in as: what was taken apart is
 * all of it, and a device is called so that it can be a part of a file's name.
 */
#include "auth/login_name.h"
#include "fuzz.h"

/* user, separator and device, with the domain behind them, are the whole name again. */
static void need_whole(const struct login_name *n, char separator)
{
	const struct span user = span_str(n->user);
	struct span rest = span_str(n->whole);
	size_t same = 0;

	fuzz_need(rest.n == user.n + 1 + strlen(n->device));
	while (same < user.n && user.p[same] == rest.p[same])
		same++;
	/* What differs first is the separator, or an octet behind it. */
	while (rest.p[same] != separator ||
	       !span_eq_nocase(span_of(rest.p + same + 1, strlen(n->device)),
			       span_str(n->device))) {
		fuzz_need(same > 0);
		same--;
	}
	fuzz_need(same > 0);
	span_skip(&rest, same + 1 + strlen(n->device));
	fuzz_need(span_eq(rest, span_of(user.p + same, user.n - same)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[LIMIT_USER + 1] = "";
	char device[MAILDROP_DEVICE_MAX + 1];
	struct login_name n;

	if (size < 1 || size > LIMIT_USER || memchr(data + 1, '\0', size - 1) != NULL)
		return 0;
	memcpy(text, data + 1, size - 1);
	login_name_read(text, (char)data[0], &n);
	fuzz_need(strlen(text) == strlen(n.whole) + (n.recent ? strlen("recent:") : 0));
	fuzz_need(strcmp(text + (n.recent ? strlen("recent:") : 0), n.whole) == 0);
	if (n.device[0] == '\0') {
		fuzz_need(strcmp(n.user, n.whole) == 0);
		return 0;
	}
	fuzz_need(maildrop_device_name(span_str(n.device), device) &&
		  strcmp(device, n.device) == 0);
	fuzz_need(strspn(device, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(device) &&
		  device[0] != '.');
	need_whole(&n, (char)data[0]);
	return 0;
}
