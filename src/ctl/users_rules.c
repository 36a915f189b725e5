/* SPDX-License-Identifier: MIT */
/* restantectl user set, unset: words at the end of a user's line. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/maildrop_rules.h"
#include "base/out.h"
#include "auth/passwd_file.h"
#include "ctl/users.h"

/* Rules that one command can name. */
#define NAMES_MAX 32

void users_print_rules(const struct ctl *ctl, const struct maildrop_own_rules *own)
{
	struct maildrop_rules rules = ctl->config.rules;
	const struct maildrop_bounds bounds = config_bounds(&ctl->config);
	const struct maildrop_rule *rule;

	maildrop_rules_override(&rules, own);
	maildrop_rules_bound(&rules, &bounds);
	for (unsigned i = 0; (rule = maildrop_rule(i)) != NULL; i++) {
		char text[256];
		struct out out = {.p = text, .cap = sizeof(text)};

		if (rule->obeyed && maildrop_rules_put(&out, &rules, i))
			(void)printf("%s: %.*s%s\n", rule->name, (int)out.n, text,
				     (own->given & 1U << i) != 0 ? " (own)" : "");
	}
}

/* Puts words in the place of those of these names, in the file. */
static int edit(const struct ctl *ctl, const struct span *rules, size_t n, const char *words)
{
	struct users_edit edit;
	struct users_line line;
	struct names names;
	const char *name;
	struct err err;
	int r = users_can_edit(ctl) ? users_read_names(ctl, &names) : EX_CONFIG;

	if (r != EX_OK)
		return r;
	r = users_edit_begin(ctl->config.users_file, false, (gid_t)-1, &edit, &err);
	if (r < 0)
		return ctl_fail(r, &err);
	if (!users_find(&edit, &names, &line, &name)) {
		r = users_no_such(ctl);
	} else {
		r = users_edit_replace_words(&edit, &line, rules, n, words, &err);
		if (r < 0)
			r = ctl_fail(r, &err);
		else
			(void)printf("changed '%s'\n", name);
	}
	users_edit_done(&edit);
	return r != EX_OK ? r : ctl_printed();
}

/* What the configuration would bring back is refused while somebody is there to read why. */
static int check_bounds(const struct ctl *ctl, const struct maildrop_own_rules *own)
{
	const struct maildrop_bounds bounds = config_bounds(&ctl->config);
	struct maildrop_rules bounded = own->rules;
	const struct maildrop_rule *rule;

	maildrop_rules_bound(&bounded, &bounds);
	for (unsigned i = 0; (rule = maildrop_rule(i)) != NULL; i++) {
		char text[2][256];
		struct out wanted = {.p = text[0], .cap = sizeof(text[0])};
		struct out held = {.p = text[1], .cap = sizeof(text[1])};

		if ((own->given & 1U << i) != 0 && maildrop_rules_put(&wanted, &own->rules, i) &&
		    maildrop_rules_put(&held, &bounded, i) &&
		    !span_eq(out_span(&wanted), out_span(&held)))
			return ctl_complain(
				EX_DATAERR, "%s=%.*s: the configuration allows a user %.*s",
				rule->name, (int)wanted.n, wanted.p, (int)held.n, held.p);
	}
	return EX_OK;
}

int ctl_user_set(struct ctl *ctl)
{
	struct maildrop_own_rules own = {0};
	struct span names[NAMES_MAX];
	char words[PASSWD_LINE_MAX];
	struct out out = {.p = words, .cap = sizeof(words) - 1};
	size_t n = 0;
	struct err err;

	for (const char *const *word = ctl->words; *word != NULL; word++) {
		const struct span w = span_str(*word);
		const struct span name = span_of(w.p, span_find(w, '='));

		if (name.n == w.n)
			return ctl_complain(EX_USAGE, "'%s' is no RULE=VALUE", *word);

		const struct span value = span_of(w.p + name.n + 1, w.n - name.n - 1);

		if (maildrop_own_rules_set(&own, name, value, &err) < 0)
			return ctl_complain(EX_DATAERR, "%s", err.text);
		if (strpbrk(*word, " \r\n") != NULL)
			return ctl_complain(EX_DATAERR, "'%s' may have no space", *word);
		if (n == NAMES_MAX || (n > 0 && !out_char(&out, ' ')) || !out_put(&out, w))
			return ctl_complain(EX_DATAERR, "too much at once");
		names[n++] = name;
	}
	words[out.n] = '\0';

	const int r = check_bounds(ctl, &own);

	return r != EX_OK ? r : edit(ctl, names, n, words);
}

static bool is_rule(const char *name)
{
	const struct maildrop_rule *rule;

	for (unsigned i = 0; (rule = maildrop_rule(i)) != NULL; i++) {
		if (rule->obeyed && strcmp(rule->name, name) == 0)
			return true;
	}
	return false;
}

int ctl_user_unset(struct ctl *ctl)
{
	struct span names[NAMES_MAX];
	size_t n = 0;

	for (const char *const *word = ctl->words; *word != NULL; word++) {
		if (!is_rule(*word))
			return ctl_complain(EX_DATAERR, "there is no rule '%s'", *word);
		if (n == NAMES_MAX)
			return ctl_complain(EX_DATAERR, "too much at once");
		names[n++] = span_str(*word);
	}
	return edit(ctl, names, n, "");
}
