/* SPDX-License-Identifier: MIT */
#include "client/foreign_seen.h"

#include "base/num.h"

/* The part of *s before the first c, which is taken away with it. False: there is none. */
static bool cut(struct span *s, char c, struct span *ret_part)
{
	const size_t n = span_find(*s, c);

	if (n == s->n)
		return false;
	*ret_part = span_of(s->p, n);
	span_skip(s, n + 1);
	return true;
}

/* USER may have an '@' too, and neither it nor HOST a space. */
static bool fetchmail(const struct foreign_seen *s, struct span line, struct span *ret_uidl)
{
	const struct span user = span_str(s->user);
	const struct span host = span_str(s->host);
	struct span who;

	if (!cut(&line, ' ', &who) || who.n != user.n + 1 + host.n)
		return false;
	*ret_uidl = line;
	return span_eq(span_of(who.p, user.n), user) && who.p[user.n] == '@' &&
	       span_eq_nocase(span_of(who.p + user.n + 1, host.n), host);
}

static bool mpop(struct foreign_seen *s, struct span line, struct span *ret_uidl)
{
	struct span number;
	struct span host;

	if (line.n > 0 && line.p[0] == '#')
		return false;
	if (line.n > 0 && line.p[0] == ' ') {
		span_skip(&line, 1);
		s->_ours = cut(&line, ' ', &number) && cut(&line, ' ', &host) &&
			   span_eq_nocase(host, span_str(s->host)) &&
			   span_eq(line, span_str(s->user));
		return false;
	}
	*ret_uidl = line;
	return s->_ours;
}

static bool fdm(struct span line, struct span *ret_uidl)
{
	struct span length;
	uint64_t n;

	if (!cut(&line, ' ', &length) || !num_parse_u64(length, line.n, &n))
		return false;
	*ret_uidl = span_of(line.p, (size_t)n);
	return true;
}

bool foreign_seen_next(struct foreign_seen *s, struct span *ret_uidl)
{
	while (s->left.n > 0) {
		const size_t n = span_find(s->left, '\n');
		struct span line = span_of(s->left.p, n);
		bool found = false;

		span_skip(&s->left, n < s->left.n ? n + 1 : n);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		switch (s->program) {
		case FOREIGN_FETCHMAIL:
			found = fetchmail(s, line, ret_uidl);
			break;
		case FOREIGN_MPOP:
			found = mpop(s, line, ret_uidl);
			break;
		case FOREIGN_GETMAIL:
			found = cut(&line, '\0', ret_uidl);
			break;
		case FOREIGN_FDM:
			found = fdm(line, ret_uidl);
			break;
		case FOREIGN_PROGRAMS:
			break;
		}
		if (found && ret_uidl->n > 0)
			return true;
	}
	return false;
}
