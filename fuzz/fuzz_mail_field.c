/* SPDX-License-Identifier: MIT */
/*
 * The beginning of a message: what is found of a field has no control octet, is as long as
 * there is room, and the same when the header is all there is; a sender could stand in MAIL.
 */
#include "codec/mail/mail_field.h"
#include "codec/smtp/smtp_address.h"
#include "fuzz.h"

static void check_sender(struct span head)
{
	char text[LIMIT_ADDRESS + 2] = "<";
	struct out out = {.p = text, .n = 1, .cap = LIMIT_ADDRESS + 1};
	struct smtp_path path;
	struct span in;

	mail_field_sender(head, &out);
	text[out.n] = '>';
	in = span_of(text, out.n + 1);
	fuzz_need(smtp_path_parse(&in, SMTP_PATH_REVERSE, &path) == SMTP_PATH_OK && !path.utf8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	const size_t cap = fuzz_choice(&in);
	char whole[256];
	char part[256];
	struct out all = {.p = whole, .cap = sizeof(whole)};
	struct out some = {.p = part, .cap = cap};
	const struct span head = fuzz_copy(in);
	const bool found = mail_field(head, SPAN_LIT("Subject"), &all);

	fuzz_need(mail_field(head, SPAN_LIT("sUBJECT"), &some) == found);
	fuzz_need(some.n == (all.n < cap ? all.n : cap) && memcmp(whole, part, some.n) == 0);
	for (size_t i = 0; i < all.n; i++)
		fuzz_need((unsigned char)whole[i] >= ' ' && whole[i] != 0x7f);
	check_sender(head);
	fuzz_free(head);
	return 0;
}
