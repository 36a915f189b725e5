/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "auth/token_priv.h"

struct token_verdict token_refused(enum token_status status, const char *why)
{
	return (struct token_verdict){.status = status, .why = why};
}

static struct span span_of_string(const json_t *s)
{
	return span_of(json_string_value(s), json_string_length(s));
}

static bool is_string(const json_t *value, const char *text)
{
	return json_is_string(value) && span_eq(span_of_string(value), span_str(text));
}

/* A string, or one of an array of strings: "aud" may be either, and so may "scp". */
static bool has_string(const json_t *value, const char *text)
{
	const json_t *each;
	size_t i;

	if (!json_is_array(value))
		return is_string(value, text);
	json_array_foreach(value, i, each)
	{
		if (is_string(each, text))
			return true;
	}
	return false;
}

/* A list of words with spaces between (RFC 8693 section 4.2), or an array. */
static bool has_word(const json_t *value, const char *word)
{
	if (!json_is_string(value))
		return has_string(value, word);

	struct span words = span_of_string(value);

	while (words.n > 0) {
		const size_t n = span_find(words, ' ');

		if (span_eq(span_of(words.p, n), span_str(word)))
			return true;
		span_skip(&words, n < words.n ? n + 1 : n);
	}
	return false;
}

/*
 * A NumericDate (RFC 7519 section 2), which may have a fraction. False when it is there and
 * isn't one that a clock could show; *ret is untouched when it isn't there.
 */
static bool read_date(const json_t *claims, const char *name, double *ret)
{
	const json_t *value = json_object_get(claims, name);

	if (value == NULL)
		return true;
	if (!json_is_number(value))
		return false;

	const double seconds = json_number_value(value);

	if (!(seconds >= 0 && seconds < 1e12))
		return false;
	*ret = seconds;
	return true;
}

static const char *wrong_dates(const json_t *claims, const struct token_rules *rules,
			       bool needs_end, uint64_t *ret_expires)
{
	const double now = (double)rules->now;
	double begins = 0;
	double ends = -1;

	if (!read_date(claims, "exp", &ends) || !read_date(claims, "nbf", &begins))
		return "token-date-malformed";
	if (ends < 0 && needs_end)
		return "token-without-end";
	if (ends >= 0 && now >= ends + TOKEN_LEEWAY)
		return "token-expired";
	if (begins > now + TOKEN_LEEWAY)
		return "token-not-yet-valid";
	*ret_expires = ends < 0 ? UINT64_MAX : (uint64_t)ends;
	return NULL;
}

static const char *wrong_user(const json_t *claims, const char *claim,
			      char ret_user[LIMIT_USER + 1])
{
	const json_t *name = json_object_get(claims, claim);
	const json_t *verified = json_object_get(claims, "email_verified");

	if (!json_is_string(name))
		return "token-names-no-user";

	const struct span user = span_of_string(name);

	if (user.n == 0 || user.n > LIMIT_USER || span_find(user, '\0') < user.n)
		return "token-names-no-user";
	/* Some servers write it as a string. */
	if (strcmp(claim, "email") == 0 && verified != NULL && !json_is_true(verified) &&
	    !is_string(verified, "true"))
		return "token-email-not-verified";
	memcpy(ret_user, user.p, user.n);
	ret_user[user.n] = '\0';
	return NULL;
}

struct token_verdict token_check_claims(const json_t *claims, const struct token_rules *rules,
					bool needs_end)
{
	struct token_verdict v = {.status = TOKEN_GOOD};

	if (!json_is_object(claims))
		return token_refused(TOKEN_INVALID, "token-has-no-claims");
	v.why = wrong_dates(claims, rules, needs_end, &v.expires);
	if (v.why == NULL && rules->issuer[0] != '\0' &&
	    !is_string(json_object_get(claims, "iss"), rules->issuer))
		v.why = "token-of-another-issuer";
	if (v.why == NULL && rules->audience[0] != '\0' &&
	    !has_string(json_object_get(claims, "aud"), rules->audience))
		v.why = "token-for-another-audience";
	if (v.why == NULL)
		v.why = wrong_user(claims, rules->user_claim, v.user);
	if (v.why != NULL)
		return token_refused(TOKEN_INVALID, v.why);
	if (rules->scope[0] != '\0' && !has_word(json_object_get(claims, "scope"), rules->scope) &&
	    !has_word(json_object_get(claims, "scp"), rules->scope))
		return token_refused(TOKEN_INSUFFICIENT_SCOPE, "token-without-scope");
	return v;
}

struct token_verdict token_read_answer(struct span answer, const struct token_rules *rules)
{
	json_t *claims = json_loadb(answer.p, answer.n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *active = json_object_get(claims, "active");
	struct token_verdict v;

	if (!json_is_boolean(active))
		v = token_refused(TOKEN_UNDECIDED, "introspection-answer-malformed");
	else if (json_is_false(active))
		v = token_refused(TOKEN_INVALID, "token-not-active");
	else
		v = token_check_claims(claims, rules, false);
	json_decref(claims);
	return v;
}
