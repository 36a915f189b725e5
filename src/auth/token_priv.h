/* SPDX-License-Identifier: MIT */
/* token_priv.h - claims as JSON, wherever they came from. */
#pragma once

#include <jansson.h>

#include "auth/token.h"

/* needs_end: a token without exp is no good. A signed one never ends otherwise. */
struct token_verdict token_check_claims(const json_t *claims, const struct token_rules *rules,
					bool needs_end);

struct token_verdict token_refused(enum token_status status, const char *why);
