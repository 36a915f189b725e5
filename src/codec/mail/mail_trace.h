/* SPDX-License-Identifier: MIT */
/*
 * mail_trace.h - the lines that final delivery puts in front of a message
 * (RFC 5321 section 4.4; Delivered-To as RFC 9228 describes it). Each function
 * appends a whole line with its CRLF, or returns false and appends nothing.
 */
#pragma once

#include <stdbool.h>

#include "base/limits.h"
#include "base/out.h"
#include "base/span.h"

/* The longest line: its name, brackets and CRLF with an address of LIMIT_ADDRESS. */
#define MAIL_TRACE_MAX (LIMIT_ADDRESS + 24)

/* "Return-Path: <address>"; an empty address is the null path. */
bool mail_return_path(struct out *out, struct span address);

/* "Delivered-To: address". Neither address may hold a control octet. */
bool mail_delivered_to(struct out *out, struct span address);
