/* SPDX-License-Identifier: MIT */
/*
 * A mail spool, whatever is in it: the lines that are told are the file, each octet once and in
 * order; a message ends in front of the next one, or a blank line earlier; and however it is
 * cut, the same messages are in it.
 */
#include "fuzz.h"

#include "import/mbox_reader.h"

struct told {
	uint64_t messages; /* a sum over where each begins and ends */
	uint64_t at;       /* what was told, up to here */
	uint64_t end;      /* of the text that was told last */
	bool inside;
	bool cut; /* in a From line of which only the beginning was told */
};

static void tell(struct told *t, enum mbox_status status, const struct mbox_event *e)
{
	if (t->cut && e->at > t->at) {
		t->at = t->end = e->at;
		t->cut = false;
	}
	if (status == MBOX_END) {
		fuzz_need(t->inside && e->text.n == 0 && e->at <= t->at && e->at + 2 >= t->end);
		t->inside = false;
		t->messages = t->messages * 31 + e->at;
		return;
	}
	fuzz_need(e->at >= t->at && e->text.n > 0 && e->text.n <= MBOX_LINE_MAX);
	t->at = t->end = e->at + e->text.n;
	if (status == MBOX_FROM) {
		fuzz_need(!t->inside && e->begins && memcmp(e->text.p, "From ", 5) == 0);
		t->inside = true;
		t->cut = !e->ends;
		t->messages = t->messages * 31 + e->at;
	} else {
		fuzz_need(t->inside);
	}
}

static void run(const struct mbox_rule *rule, struct span text, struct fuzz_random *random,
		struct told *t)
{
	static struct mbox_reader r;
	enum mbox_status status = MBOX_MORE;
	struct mbox_event e;
	const uint64_t all = text.n;

	mbox_reader_init(&r, rule);
	while (text.n > 0 && status != MBOX_NONE) {
		const size_t n = random == NULL ? text.n : fuzz_length(random, text.n);
		struct span in = span_of(text.p, n);

		while ((status = mbox_reader_next(&r, &in, &e)) != MBOX_MORE &&
		       status != MBOX_NONE) {
			fuzz_need(e.at + e.text.n <= all);
			tell(t, status, &e);
		}
		fuzz_need(status == MBOX_NONE || in.n == 0);
		span_skip(&text, n);
	}
	while (status != MBOX_NONE && (status = mbox_reader_end(&r, &e)) != MBOX_MORE &&
	       status != MBOX_NONE)
		tell(t, status, &e);
	fuzz_need(!t->inside);
	fuzz_need(status == MBOX_NONE || t->messages == 0 || t->at == all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	const uint8_t choice = fuzz_choice(&in);
	const struct mbox_rule rule = {.after_blank = (choice & 1) != 0,
				       .with_date = (choice & 2) != 0};
	const struct span file = fuzz_copy(in);
	struct fuzz_random random = {choice};
	struct told whole = {0};
	struct told cut = {0};

	run(&rule, file, NULL, &whole);
	run(&rule, file, &random, &cut);
	fuzz_need(whole.messages == cut.messages);
	fuzz_free(file);
	return 0;
}
