/* SPDX-License-Identifier: MIT */
#include "codec/mail/mail_trace.h"

static bool put_field(struct out *out, struct span before, struct span address, struct span after)
{
	const size_t start = out->n;

	return (out_put(out, before) && out_put(out, address) && out_put(out, after)) ||
	       out_undo(out, start);
}

bool mail_return_path(struct out *out, struct span address)
{
	return put_field(out, SPAN_LIT("Return-Path: <"), address, SPAN_LIT(">\r\n"));
}

bool mail_delivered_to(struct out *out, struct span address)
{
	return put_field(out, SPAN_LIT("Delivered-To: "), address, SPAN_LIT("\r\n"));
}
