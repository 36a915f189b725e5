/* SPDX-License-Identifier: MIT */
#include "codec/sasl/sasl_frame.h"

static enum sasl_frame_status decode(struct out *out, struct span text)
{
	switch (base64_decode(out, text)) {
	case BASE64_OK:
		return SASL_FRAME_OK;
	case BASE64_NO_ROOM:
		return SASL_FRAME_TOO_LONG;
	case BASE64_BAD:
		break;
	}
	return SASL_FRAME_BAD;
}

enum sasl_frame_status sasl_frame_initial(struct out *out, struct span text)
{
	if (span_eq(text, SPAN_LIT("=")))
		return SASL_FRAME_OK;
	/* Nothing at all is no initial response: the command's parser says so with has_initial. */
	if (text.n == 0)
		return SASL_FRAME_BAD;
	return decode(out, text);
}

enum sasl_frame_status sasl_frame_response(struct out *out, struct span line)
{
	if (span_eq(line, SPAN_LIT("*")))
		return SASL_FRAME_CANCEL;
	return decode(out, line);
}

bool sasl_frame_challenge(struct out *out, struct span prefix, struct span challenge)
{
	const size_t before = out->n;

	return (out_put(out, prefix) && base64_encode(out, challenge) &&
		out_put(out, SPAN_LIT("\r\n"))) ||
	       out_undo(out, before);
}
