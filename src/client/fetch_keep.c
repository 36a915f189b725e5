/* SPDX-License-Identifier: MIT */
#include "client/fetch_priv.h"

void fetch_limit(struct session *s)
{
	const struct account *const a = s->options->account;
	size_t n = 0;

	for (size_t i = 0; i < s->listing.n; i++) {
		struct message *const m = &s->listing.messages[i];

		if (m->fate != FATE_FETCH)
			continue;
		if (a->max_size > 0 && m->octets > a->max_size) {
			m->fate = FATE_LEAVE;
			s->result->large++;
		} else if (a->max_messages > 0 && n == a->max_messages) {
			m->fate = FATE_LEAVE;
			s->result->left++;
		} else {
			n++;
		}
	}
}

/*
 * When not one of the messages is where it was stored, a disk isn't mounted or the
 * Maildir was moved: nobody has deleted them.
 */
void fetch_look_for_deleted(struct session *s)
{
	size_t away = 0;
	size_t here = 0;

	if (s->options->account->on_server != ACCOUNT_MIRROR)
		return;
	for (size_t i = 0; i < s->listing.n; i++) {
		const struct message *const m = &s->listing.messages[i];

		if (m->fate == FATE_KNOWN && m->away)
			away++;
		else if (m->fate == FATE_KNOWN)
			here++;
	}
	s->mirrors = here > 0;
	if (away > 0 && here == 0)
		fetch_remark(
			s,
			"nothing that was stored is in '%s' any more: it isn't taken for deleted",
			s->options->account->maildir);
}

/* Numbers are in the order of arrival (all servers that we know of count so). */
static bool is_newest(const struct session *s, const struct message *m)
{
	const size_t behind = s->listing.n - 1 - (size_t)(m - s->listing.messages);

	return behind < s->options->account->keep_newest;
}

bool fetch_deletes_new(const struct session *s, const struct message *m)
{
	return s->options->account->on_server == ACCOUNT_DELETE && !is_newest(s, m);
}

const char *fetch_why_deleted(const struct session *s, const struct message *m)
{
	if (m->fate != FATE_KNOWN)
		return NULL;
	if (m->pending)
		return "to be deleted since an earlier session";
	if (fetch_deletes_new(s, m))
		return "stored";
	if (is_newest(s, m))
		return NULL;
	if (m->old)
		return "stored long enough ago";
	return s->mirrors && m->away ? "deleted here" : NULL;
}
