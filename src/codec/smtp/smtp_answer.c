/* SPDX-License-Identifier: MIT */
#include "codec/smtp/smtp_answer.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool smtp_answer_line(struct span line, struct smtp_answer *ret_answer)
{
	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !is_digit(line.p[1]) ||
	    !is_digit(line.p[2]))
		return false;
	/* "250" alone is the last line, too (RFC 5321 section 4.2.1). */
	if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return false;
	*ret_answer = (struct smtp_answer){
		.code = (unsigned)(line.p[0] - '0') * 100 + (unsigned)(line.p[1] - '0') * 10 +
			(unsigned)(line.p[2] - '0'),
		.more = line.n > 3 && line.p[3] == '-',
	};
	span_skip(&line, line.n > 3 ? 4 : 3);
	ret_answer->text = line;
	return true;
}

bool smtp_answer_announces(struct span text, struct span keyword)
{
	return span_starts_with_nocase(text, keyword) &&
	       (text.n == keyword.n || text.p[keyword.n] == ' ');
}
