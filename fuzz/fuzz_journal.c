/* SPDX-License-Identifier: MIT */
/*
 * A journal of deletions. The octets are taken as a file; and, since nobody guesses a SHA-256,
 * once more as what stands between a good head and a good checksum: what is then believed
 * names messages and nothing else, and an entry that doesn't make sense makes all of it none.
 */
#include "fuzz.h"

#include "store/journal.h"

/* How many entries there were; UINT32_MAX: it is no journal. */
static uint32_t read_all(struct span file)
{
	struct journal_reader r;
	struct journal_entry e;
	uint32_t n = 0;

	if (!journal_open(&r, file))
		return UINT32_MAX;
	while (journal_next(&r, &e)) {
		fuzz_need(e.in_cur <= 1 && journal_name_valid(e.name));
		fuzz_need_inside(e.name, file);
		n++;
	}
	fuzz_need(r.left == 0 && r.rest.n == 0);
	return n;
}

static void read_sealed(uint32_t count, struct span entries)
{
	struct journal j;
	struct span file;

	journal_init(&j);
	fuzz_need(journal_seal(&j) == 0);
	/* The head alone; the checksum is made anew. */
	j.buf.n -= 32;
	fuzz_need(buf_put(&j.buf, entries) == 0);
	j.count = count;
	fuzz_need(journal_seal(&j) == 0);
	file = fuzz_copy(buf_span(&j.buf));

	const uint32_t n = read_all(file);

	fuzz_need(n == UINT32_MAX || n == count);
	fuzz_free(file);
	journal_done(&j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	const struct span file = fuzz_copy(in);

	(void)read_all(file);
	fuzz_free(file);

	const uint32_t count = fuzz_choice(&in);

	read_sealed(count, in);
	return 0;
}
