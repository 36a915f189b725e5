/* SPDX-License-Identifier: MIT */
/*
 * mail_trace.h - the lines that final delivery puts in front of a message
 * (RFC 5321 section 4.4; Delivered-To as RFC 9228 describes it). Each function
 * appends a whole field with its CRLF, or returns false and appends nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/out.h"
#include "base/span.h"

/* The longest line: its name, brackets and CRLF with an address of LIMIT_ADDRESS. */
#define MAIL_TRACE_MAX (LIMIT_ADDRESS + 24)

/* "Return-Path: <address>"; an empty address is the null path. */
bool mail_return_path(struct out *out, struct span address);

/* "Delivered-To: address". Neither address may hold a control octet. */
bool mail_delivered_to(struct out *out, struct span address);

/* What a Received line tells. No span may hold a control octet. */
struct mail_received {
	struct span from;    /* what the client calls itself: at most LIMIT_ADDRESS octets count */
	struct span address; /* where it is: "127.0.0.1", "::1"; empty: said nothing of */
	struct span by;      /* our name, likewise */
	struct span with;    /* "ESMTP", "SMTP", "ESMTPS" */
	struct span id;      /* by which the log knows it */
	uint64_t seconds;    /* since 1970-01-01 UTC */
};

/*
 * "Received: from name ([address]) by host with ESMTP id 1f;" and the date in UTC, on
 * two lines. In the name, what a comment or a folded line could be broken by (spaces,
 * parentheses, quotes, backslashes, semicolons) is replaced by "?".
 */
#define MAIL_RECEIVED_MAX (2 * LIMIT_ADDRESS + 256)
bool mail_received(struct out *out, const struct mail_received *r);
