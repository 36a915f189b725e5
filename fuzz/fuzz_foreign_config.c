/* SPDX-License-Identifier: MIT */
/*
 * Another program's configuration, whatever is in it: it is refused with a reason, or its
 * accounts are ones that restante could have, and of what is said nothing is a control
 * character. The first octet says whose it is.
 */
#include "fuzz.h"

#include "client/foreign_config.h"

static void remark(void *ctx, unsigned line, const char *text)
{
	(void)ctx;
	(void)line;
	for (; *text != '\0'; text++)
		fuzz_need((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void check(const struct foreign_account *a)
{
	char identity[ACCOUNT_IDENTITY_MAX + 1];

	fuzz_need(a->account.host[0] != '\0' && a->account.user[0] != '\0');
	fuzz_need(a->seen_file[0] == '\0' || a->seen_file[0] == '/');
	fuzz_need(a->account.maildir[0] == '\0' || a->account.maildir[0] == '/');
	for (const char *p = a->account.user; *p != '\0'; p++)
		fuzz_need((unsigned char)*p >= ' ' && *p != 0x7f);
	account_identity(&a->account, identity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct foreign_config c = {.path = "/home/alice/rc", .remark = remark};
	struct err err = {""};
	struct span text;
	int r;

	if (size == 0)
		return 0;
	text = fuzz_copy(span_of((const char *)data + 1, size - 1));
	(void)foreign_program_guess(text);
	r = foreign_config_parse(&c, (enum foreign_program)(data[0] % FOREIGN_PROGRAMS), text,
				 &err);
	fuzz_need((r < 0) == (err.text[0] != '\0'));
	for (size_t i = 0; i < c.n; i++)
		check(&c.accounts[i]);
	foreign_config_done(&c);
	fuzz_free(text);
	return 0;
}
