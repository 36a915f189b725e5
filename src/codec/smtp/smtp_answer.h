/* SPDX-License-Identifier: MIT */
/*
 * smtp_answer.h - what an SMTP or LMTP server answers, read line by line by who hands mail
 * to it (RFC 5321 section 4.2).
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

struct smtp_answer {
	unsigned code;    /* 200 to 599 */
	bool more;        /* another line of the same answer follows */
	struct span text; /* what stands behind the code */
};

/* A line without its end. False when it is none of an answer. */
bool smtp_answer_line(struct span line, struct smtp_answer *ret_answer);

/* Whether a line of the answer to LHLO or EHLO announces that extension, in any case. */
bool smtp_answer_announces(struct span text, struct span keyword);
