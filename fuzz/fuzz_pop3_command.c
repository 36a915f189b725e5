/* SPDX-License-Identifier: MIT */
/*
 * A line of a POP3 client: one octet for the state, then the line. What is
 * accepted is allowed there, and says the same when it is written out again.
 */
#include "base/out.h"
#include "codec/pop3/pop3_command.h"
#include "codec/sasl/sasl_frame.h"
#include "fuzz.h"

static void put_word(struct out *out, struct span word)
{
	fuzz_need(out_char(out, ' ') && out_put(out, word));
}

static void put_number(struct out *out, uint64_t n)
{
	fuzz_need(out_char(out, ' ') && out_u64(out, n));
}

static void check_again(const struct pop3_command *c, enum pop3_state state, struct span line)
{
	const struct pop3_command_row *row = pop3_command_row(c->verb);
	struct out out = {.p = malloc(line.n + 64), .cap = line.n + 64};
	struct pop3_command again;

	fuzz_need(out.p != NULL && out_put(&out, span_str(row->name)));
	if (c->has_number)
		put_number(&out, c->number);
	if (row->argument == POP3_ARGUMENT_NUMBER_LINES)
		put_number(&out, c->lines);
	if (c->user.n > 0)
		put_word(&out, c->user);
	if (row->argument == POP3_ARGUMENT_PASSWORD)
		put_word(&out, c->password);
	if (c->digest.n > 0)
		put_word(&out, c->digest);
	if (c->language.n > 0)
		put_word(&out, c->language);
	if (c->mechanism.n > 0)
		put_word(&out, c->mechanism);
	if (c->has_initial)
		put_word(&out, c->initial);
	fuzz_need(pop3_command_parse(out_span(&out), state, &again) == POP3_COMMAND_OK);
	fuzz_need(again.verb == c->verb && again.has_number == c->has_number &&
		  again.number == c->number && again.lines == c->lines &&
		  again.has_initial == c->has_initial && span_eq(again.user, c->user) &&
		  span_eq(again.password, c->password) && span_eq(again.digest, c->digest) &&
		  span_eq(again.language, c->language) && span_eq(again.mechanism, c->mechanism) &&
		  span_eq(again.initial, c->initial));
	free(out.p);
}

static void check_initial(struct span initial)
{
	struct out out = {.p = malloc(initial.n + 1), .cap = BASE64_DECODED(initial.n)};

	fuzz_need(out.p != NULL);
	/* There is room for whatever it stands for, and it cancels nothing. */
	switch (sasl_frame_initial(&out, initial)) {
	case SASL_FRAME_OK:
	case SASL_FRAME_BAD:
		break;
	case SASL_FRAME_CANCEL:
	case SASL_FRAME_TOO_LONG:
		abort();
	}
	free(out.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of((const char *)data, size);
	const enum pop3_state state = (enum pop3_state)(fuzz_choice(&in) % POP3_STATES);
	const struct span line = fuzz_copy(in);
	struct pop3_command c;
	const enum pop3_command_status status = pop3_command_parse(line, state, &c);

	fuzz_need_inside(c.user, line);
	fuzz_need_inside(c.password, line);
	fuzz_need_inside(c.digest, line);
	fuzz_need_inside(c.mechanism, line);
	fuzz_need_inside(c.language, line);
	fuzz_need_inside(c.initial, line);
	fuzz_need((c.verb == POP3_VERBS) == (status == POP3_COMMAND_UNKNOWN));
	if (status == POP3_COMMAND_OK) {
		fuzz_need((pop3_command_row(c.verb)->states & 1U << state) != 0);
		fuzz_need(c.has_number == (c.number != 0));
		fuzz_need(span_find(c.user, '\0') == c.user.n);
		fuzz_need(span_find(c.password, '\0') == c.password.n);
		check_again(&c, state, line);
		if (c.has_initial)
			check_initial(c.initial);
	} else {
		fuzz_need(pop3_command_error(status, c.verb, state)[0] != '\0');
	}
	fuzz_free(line);
	return 0;
}
