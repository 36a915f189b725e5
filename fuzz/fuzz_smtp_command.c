/* SPDX-License-Identifier: MIT */
/*
 * A line of an LMTP or SMTP client: one octet of choices, then the line. What is
 * accepted says the same when it is written out again, and an address that is
 * accepted can stand in a header and in a log.
 */
#include "base/limits.h"
#include "base/out.h"
#include "codec/smtp/smtp_command.h"
#include "fuzz.h"

static void check_address(const struct smtp_path *path)
{
	fuzz_need(path->address.n <= LIMIT_ADDRESS);
	fuzz_need_inside(path->local, path->address);
	fuzz_need_inside(path->domain, path->address);
	for (size_t i = 0; i < path->address.n; i++) {
		const unsigned char c = (unsigned char)path->address.p[i];

		fuzz_need(c >= ' ' && c != 0x7f && (c < 0x80 || path->utf8));
	}
	if (path->local.n > 0 && path->local.p[0] != '"')
		fuzz_need(span_find(path->local, ' ') == path->local.n &&
			  span_find(path->local, '@') == path->local.n);
	if (path->domain.n > 0)
		fuzz_need(path->address.n == path->local.n + 1 + path->domain.n);

	char plain[LIMIT_ADDRESS];
	struct out out = {.p = plain, .cap = sizeof(plain)};

	fuzz_need(smtp_local_unquote(&out, path->local));
	fuzz_need(out.n <= path->local.n);
}

static bool write_dsn(struct out *out, const struct smtp_command *c)
{
	static const char *const notify[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
	bool wrote = true;
	bool first = true;

	if (c->ret != SMTP_DSN_RET_UNSAID)
		wrote = out_put(out, c->ret == SMTP_DSN_RET_FULL ? SPAN_LIT(" RET=FULL")
								 : SPAN_LIT(" RET=HDRS"));
	if (c->envid.n > 0)
		wrote = wrote && out_put(out, SPAN_LIT(" ENVID=")) && out_put(out, c->envid);
	for (unsigned i = 0; i < 4; i++) {
		if ((c->notify & 1U << i) == 0)
			continue;
		wrote = wrote && out_put(out, first ? SPAN_LIT(" NOTIFY=") : SPAN_LIT(",")) &&
			out_put(out, span_str(notify[i]));
		first = false;
	}
	if (c->orcpt.n > 0)
		wrote = wrote && out_put(out, SPAN_LIT(" ORCPT=")) && out_put(out, c->orcpt);
	return wrote;
}

static void check_again(const struct smtp_command *c, enum smtp_dialect dialect, bool utf8,
			struct span line)
{
	struct out out = {.p = malloc(line.n + 128), .cap = line.n + 128};
	struct smtp_command again;
	bool wrote;

	fuzz_need(out.p != NULL);
	wrote = out_put(&out,
			c->verb == SMTP_MAIL ? SPAN_LIT("MAIL FROM:<") : SPAN_LIT("RCPT TO:<")) &&
		out_put(&out, c->path.address) && out_char(&out, '>');
	if (c->has_size)
		wrote = wrote && out_put(&out, SPAN_LIT(" SIZE=")) && out_u64(&out, c->size);
	if (c->body != SMTP_BODY_UNSAID)
		wrote = wrote &&
			out_put(&out, c->body == SMTP_BODY_7BIT ? SPAN_LIT(" BODY=7BIT")
								: SPAN_LIT(" BODY=8BITMIME"));
	if (c->smtputf8)
		wrote = wrote && out_put(&out, SPAN_LIT(" SMTPUTF8"));
	fuzz_need(wrote && write_dsn(&out, c));
	fuzz_need(smtp_command_parse(out_span(&out), dialect, utf8, &again) == SMTP_COMMAND_OK);
	fuzz_need(again.verb == c->verb && span_eq(again.path.address, c->path.address) &&
		  span_eq(again.path.local, c->path.local) &&
		  span_eq(again.path.domain, c->path.domain) && again.path.utf8 == c->path.utf8 &&
		  again.has_size == c->has_size && again.size == c->size && again.body == c->body &&
		  again.smtputf8 == c->smtputf8);
	fuzz_need(again.ret == c->ret && again.notify == c->notify &&
		  span_eq(again.envid, c->envid) && span_eq(again.orcpt, c->orcpt));
	fuzz_need(c->envid.n <= LIMIT_DSN_ENVID && c->orcpt.n <= LIMIT_DSN_ORCPT);
	free(out.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	const uint8_t choice = fuzz_choice(&in);
	const enum smtp_dialect dialect = choice & 1 ? SMTP_DIALECT_SMTP : SMTP_DIALECT_LMTP;
	const bool utf8 = (choice & 2) != 0;
	const struct span line = fuzz_copy(in);
	struct smtp_command c;
	const enum smtp_command_status status = smtp_command_parse(line, dialect, utf8, &c);

	fuzz_need_inside(c.host, line);
	fuzz_need_inside(c.path.address, line);
	fuzz_need_inside(c.text, line);
	fuzz_need_inside(c.envid, line);
	fuzz_need_inside(c.orcpt, line);
	fuzz_need((c.verb == SMTP_VERBS) == (status == SMTP_COMMAND_UNKNOWN));
	if (status != SMTP_COMMAND_OK) {
		char memory[SMTP_COMMAND_ERROR_MAX];
		struct out out = {.p = memory, .cap = sizeof(memory)};

		fuzz_need(smtp_command_error(&out, status, c.verb, dialect));
	} else if (c.verb == SMTP_MAIL || c.verb == SMTP_RCPT) {
		fuzz_need(!c.path.utf8 || (c.verb == SMTP_MAIL ? c.smtputf8 : utf8));
		check_address(&c.path);
		check_again(&c, dialect, utf8, line);
	}
	fuzz_free(line);
	return 0;
}
