/* SPDX-License-Identifier: MIT */
/*
 * The name of a file in a Maildir, from whatever program: its parts lie in it, its sizes can be
 * true, marks of a mail reader change neither stem nor UIDL, and every stem has a UIDL.
 */
#include "fuzz.h"

#include "codec/index/index_record.h"
#include "store/maildir/maildir_name.h"

static void check_uidl(struct span stem)
{
	struct maildir_uidl uidl;
	struct maildir_uidl digest;

	fuzz_need(maildir_uidl_make(stem, &uidl) && maildir_uidl_digest(stem, &digest));
	fuzz_need(index_uidl_valid(maildir_uidl_span(&uidl)));
	fuzz_need(index_uidl_valid(maildir_uidl_span(&digest)));
	fuzz_need(span_eq(maildir_uidl_span(&uidl), stem) ||
		  span_eq(maildir_uidl_span(&uidl), maildir_uidl_span(&digest)));
}

static void check_marked(struct span base, struct span stem)
{
	char marked[MAILDIR_NAME_MAX];
	struct maildir_name n;

	if (base.n + 5 > sizeof(marked))
		return;
	memcpy(marked, base.p, base.n);
	memcpy(marked + base.n, ":2,RS", 5);
	maildir_name_parse(span_of(marked, base.n + 5), &n);
	fuzz_need(span_eq(n.stem, stem) && span_eq(n.base, base));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct maildir_order order;
	struct maildir_name n;

	if (size == 0 || size > MAILDIR_NAME_MAX || memchr(data, '/', size) != NULL ||
	    memchr(data, '\0', size) != NULL)
		return 0;

	const struct span name = fuzz_copy(span_of((const char *)data, size));

	maildir_name_parse(name, &n);
	fuzz_need_inside(n.base, name);
	fuzz_need(n.base.p == name.p && span_eq(n.base, maildir_name_base(name)));
	fuzz_need(n.stem.n <= n.base.n);
	if (n.has_sizes)
		fuzz_need(n.bytes <= n.octets && n.octets <= 2 * n.bytes + 2);
	maildir_name_order(name, &order);
	if (n.stem.n > 0)
		check_uidl(n.stem);
	check_marked(n.base, n.stem);
	fuzz_free(name);
	return 0;
}
