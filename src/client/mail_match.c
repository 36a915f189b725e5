/* SPDX-License-Identifier: MIT */
#include "client/mail_match.h"

#include <gmime/gmime.h>
#include <string.h>

#include "client/mail_reading.h"

enum place { ANYWHERE, FROM, TO, SUBJECT, TEXT, PLACES };

struct word {
	enum place place;
	char *folded; /* Owned */
};

struct mail_match {
	GArray *words; /* of struct word */
};

/* A form in which equal to the eye is equal to strstr(3). */
static char *fold(const char *text)
{
	char *const valid = g_utf8_make_valid(text, -1);
	char *const lower = g_utf8_casefold(valid, -1);
	char *const ret = g_utf8_normalize(lower, -1, G_NORMALIZE_NFKC);

	g_free(valid);
	g_free(lower);
	return ret;
}

struct mail_match *mail_match_new(const char *const *words)
{
	static const char *const places[PLACES] = {
		[FROM] = "from:", [TO] = "to:", [SUBJECT] = "subject:", [TEXT] = "text:"};
	struct mail_match *const m = g_new0(struct mail_match, 1);

	m->words = g_array_new(FALSE, TRUE, sizeof(struct word));
	for (; *words != NULL; words++) {
		struct word w = {.place = ANYWHERE};
		const char *text = *words;

		for (int p = FROM; p < PLACES; p++) {
			const size_t n = strlen(places[p]);

			if (g_ascii_strncasecmp(text, places[p], n) == 0) {
				w.place = (enum place)p;
				text += n;
				break;
			}
		}
		w.folded = fold(text);
		g_array_append_val(m->words, w);
	}
	return m;
}

void mail_match_free(struct mail_match *m)
{
	if (m == NULL)
		return;
	for (guint i = 0; i < m->words->len; i++)
		g_free(g_array_index(m->words, struct word, i).folded);
	(void)g_array_free(m->words, TRUE);
	g_free(m);
}

static char *to_and_cc(const struct mail_reading *mail)
{
	char *const both = g_strconcat(mail->to, "\n", mail->cc, NULL);
	char *const ret = fold(both);

	g_free(both);
	return ret;
}

/* The names of what is attached, a line each. */
static char *attached(const struct mail_reading *mail)
{
	GString *const names = g_string_new(NULL);
	char *ret;

	for (size_t i = 0; i < mail->n_attachments; i++)
		g_string_append_printf(names, "%s\n", mail->attachments[i].name);
	ret = fold(names->str);
	(void)g_string_free(names, TRUE);
	return ret;
}

int mail_match_file(const struct mail_match *m, int fd, bool *ret_found)
{
	struct mail_reading mail;
	const int r = mail_reading_read(fd, &mail);

	if (r < 0)
		return r;

	char *const folded[PLACES] = {
		[ANYWHERE] = attached(&mail),   [FROM] = fold(mail.from), [TO] = to_and_cc(&mail),
		[SUBJECT] = fold(mail.subject), [TEXT] = fold(mail.text),
	};

	*ret_found = true;
	for (guint i = 0; i < m->words->len && *ret_found; i++) {
		const struct word *const w = &g_array_index(m->words, struct word, i);
		bool found = false;

		for (int p = 0; p < PLACES && !found; p++)
			found = (w->place == ANYWHERE || (int)w->place == p) &&
				strstr(folded[p], w->folded) != NULL;
		*ret_found = found;
	}
	for (int p = 0; p < PLACES; p++)
		g_free(folded[p]);
	mail_reading_done(&mail);
	return 0;
}
