/* SPDX-License-Identifier: MIT */
/*
 * What a hostile IMAP server says: it is the same however it is cut, and a message's spans lie
 * in the text that they are from.
 */
#include "fuzz.h"

#include "import/imap_reader.h"

static void check(const struct imap_event *e)
{
	struct imap_message m = {.uid = 0};
	size_t n = 0;

	if (!imap_message_take(&m, e))
		return;
	fuzz_need_inside(m.date, e->text);
	fuzz_need_inside(m.quoted, e->text);
	for (; n < sizeof(m.flags) && m.flags[n] != '\0'; n++)
		fuzz_need(n == 0 || m.flags[n] > m.flags[n - 1]);
	fuzz_need(n < sizeof(m.flags));
}

static uint64_t add(uint64_t sum, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		sum = sum * 31 + (uint8_t)s.p[i];
	return sum;
}

static uint64_t run(struct span text, struct fuzz_random *random)
{
	static struct imap_reader r;
	enum imap_status status = IMAP_MORE;
	struct imap_event e;
	uint64_t sum = 0;

	r = (struct imap_reader){._n = 0};
	while (text.n > 0 && status != IMAP_BAD) {
		const size_t n = random == NULL ? text.n : fuzz_length(random, text.n);
		struct span in = span_of(text.p, n);

		while ((status = imap_reader_next(&r, &in, &e)) == IMAP_TEXT ||
		       status == IMAP_DATA) {
			sum = add(sum, e.text);
			if (status == IMAP_TEXT) {
				sum = sum * 31 + e.octets + e.begins + 2U * e.literal;
				check(&e);
			}
		}
		fuzz_need(status == IMAP_BAD || in.n == 0);
		span_skip(&text, n);
	}
	return sum * 31 + (status == IMAP_BAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	struct fuzz_random random = {fuzz_choice(&in)};
	const struct span text = fuzz_copy(in);

	fuzz_need(run(text, NULL) == run(text, &random));
	fuzz_free(text);
	return 0;
}
