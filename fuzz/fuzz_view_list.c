/* SPDX-License-Identifier: MIT */
/*
 * A list of what was deleted and is kept, as somebody or a power cut left it: what is
 * believed is exactly what a writer writes, leads nowhere, and is the beginning of what it
 * would be if the file were longer. One octet of choice: with the checksums that are there,
 * or as one batch with the right one (which search would never find).
 */
#include "fuzz.h"

#include "codec/index/index_record.h"
#include "store/view/view_list.h"

static void check_entry(const struct view_entry *e, struct span file)
{
	fuzz_need_inside(e->folder, file);
	fuzz_need_inside(e->uidl, file);
	fuzz_need_inside(e->key, file);
	fuzz_need(e->folder.n <= VIEW_FOLDER_MAX);
	fuzz_need(span_find(e->folder, '/') == e->folder.n &&
		  span_find(e->folder, '\0') == e->folder.n);
	fuzz_need((e->kind == VIEW_MOVED) == (e->uidl.n == 0));
	fuzz_need((e->kind == VIEW_TRASHED) == (e->key.n > 0));
	fuzz_need(e->uidl.n == 0 || index_uidl_valid(e->uidl));
	fuzz_need(e->key.n == 0 || index_uidl_valid(e->key));
}

/* All that is whole, as one batch; then as it is read again. */
static void check_again(struct span whole, size_t count)
{
	struct view_reader r = view_list_entries(whole);
	struct view_reader again;
	struct view_entry e;
	struct view_entry f;
	struct view_batch b;
	struct buf out;

	buf_init(&out, VIEW_LIST_BYTES_MAX);
	fuzz_need(view_list_new(&out) == 0 && view_batch_begin(&b, &out) == 0);
	while (view_list_next(&r, &e))
		fuzz_need(view_batch_put(&b, &e) == 0);
	fuzz_need(view_batch_seal(&b, buf_span(&out)) == 0);
	fuzz_need(b.count == count && view_list_whole(buf_span(&out)) == out.n);
	r = view_list_entries(whole);
	again = view_list_entries(buf_span(&out));
	while (view_list_next(&again, &f)) {
		fuzz_need(view_list_next(&r, &e));
		fuzz_need(e.kind == f.kind && e.seconds == f.seconds);
		fuzz_need(span_eq(e.folder, f.folder) && span_eq(e.uidl, f.uidl) &&
			  span_eq(e.key, f.key));
	}
	fuzz_need(!view_list_next(&r, &e));
	buf_done(&out);
}

static void check(struct span octets)
{
	const struct span file = fuzz_copy(octets);
	const size_t n = view_list_whole(file);
	const struct span whole = span_of(file.p, n);
	struct view_reader r = view_list_entries(whole);
	struct view_entry e;
	size_t count = 0;

	fuzz_need(n <= file.n && (n == 0 || n >= VIEW_LIST_HEAD));
	fuzz_need(view_list_whole(whole) == n);
	for (; view_list_next(&r, &e); count++)
		check_entry(&e, whole);
	fuzz_need(r.rest.n == 0 && r.left == 0);
	/* Cut by a crash in its last batch, it is as it was before that. */
	if (n > VIEW_LIST_HEAD) {
		const size_t cut = view_list_whole(span_of(file.p, n - 1));

		fuzz_need(cut < n && cut >= VIEW_LIST_HEAD);
		fuzz_need(view_list_whole(span_of(file.p, cut)) == cut);
	}
	check_again(whole, count);
	fuzz_free(file);
}

/* The octets as entries, as many as the first of them says. */
static void check_sealed(struct span in)
{
	struct view_batch b;
	struct buf out;

	buf_init(&out, VIEW_LIST_BYTES_MAX);
	fuzz_need(view_list_new(&out) == 0 && view_batch_begin(&b, &out) == 0);
	b.count = fuzz_choice(&in);
	fuzz_need(buf_put(&out, in) == 0 && view_batch_seal(&b, buf_span(&out)) == 0);
	check(buf_span(&out));
	/* And one that proves nothing, for it is of another list. */
	out.p[VIEW_LIST_HEAD - 1] ^= 1;
	fuzz_need(view_list_whole(buf_span(&out)) == VIEW_LIST_HEAD);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);

	if (fuzz_choice(&in) & 1)
		check_sealed(in);
	else
		check(in);
	return 0;
}
