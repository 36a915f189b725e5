/* SPDX-License-Identifier: MIT */
#include "import/mbox_status.h"

#include <string.h>

static bool skip_name(struct span *line, const char *name)
{
	const struct span prefix = span_str(name);

	if (line->n < prefix.n || memcmp(line->p, prefix.p, prefix.n) != 0)
		return false;
	span_skip(line, prefix.n);
	return true;
}

bool mbox_flags_take(struct mbox_flags *f, struct span line)
{
	const struct {
		char letter;
		bool *flag;
	} letters[] = {
		{'R', &f->seen},    {'O', &f->old},      {'D', &f->deleted},
		{'F', &f->flagged}, {'A', &f->answered}, {'T', &f->draft},
	};

	/* In no other case: so they are written, and so they are read. */
	if (!skip_name(&line, "Status:") && !skip_name(&line, "X-Status:"))
		return false;
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
		if (span_find(line, letters[i].letter) < line.n)
			*letters[i].flag = true;
	}
	return true;
}

void mbox_flags_maildir(const struct mbox_flags *f, char ret[static IMPORT_FLAGS_MAX + 1])
{
	size_t n = 0;

	if (f->draft)
		ret[n++] = 'D';
	if (f->flagged)
		ret[n++] = 'F';
	if (f->answered)
		ret[n++] = 'R';
	if (f->seen)
		ret[n++] = 'S';
	if (f->deleted)
		ret[n++] = 'T';
	ret[n] = '\0';
}
