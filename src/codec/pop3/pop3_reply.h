/* SPDX-License-Identifier: MIT */
/*
 * pop3_reply.h - what a POP3 server says (RFC 1939, RFC 2449 sections 5 to 8,
 * RFC 3206). Each function appends whole lines to *out, or returns false and
 * appends nothing when there isn't room for all of it.
 *
 * Texts are the caller's, and hold no CR, LF or NUL: nothing a peer has said is
 * echoed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/out.h"
#include "base/span.h"
#include "codec/pop3/pop3_state.h"
#include "codec/pop3/pop3_text.h"

enum pop3_code {
	POP3_CODE_NONE,
	POP3_CODE_IN_USE,      /* [IN-USE] the maildrop, by another session */
	POP3_CODE_LOGIN_DELAY, /* [LOGIN-DELAY] too soon after the last time */
	POP3_CODE_SYS_TEMP,    /* [SYS/TEMP] ours, and it will pass */
	POP3_CODE_SYS_PERM,    /* [SYS/PERM] ours, and somebody must mend it */
	POP3_CODE_AUTH,        /* [AUTH] the credentials */
	POP3_CODES
};

/* "SYS/TEMP"; "" for POP3_CODE_NONE. */
const char *pop3_code_name(enum pop3_code code);

/* "+OK text"; just "+OK" without a text. */
bool pop3_reply_ok(struct out *out, struct span text);

/* "-ERR [CODE] text" */
bool pop3_reply_err(struct out *out, enum pop3_code code, struct span text);

/* "+OK 120 octets", before a message of RETR. */
bool pop3_reply_retr(struct out *out, enum pop3_language language, uint64_t octets);

/* "+OK 2 320", to STAT. */
bool pop3_reply_stat(struct out *out, uint32_t count, uint64_t octets);

/* "+OK 2 messages (320 octets)", before the lines of LIST. */
bool pop3_reply_list_begin(struct out *out, enum pop3_language language, uint32_t count,
			   uint64_t octets);

/* "+OK 2 200", to LIST and UIDL with a number. */
bool pop3_reply_list_one(struct out *out, uint32_t number, uint64_t octets);
bool pop3_reply_uidl_one(struct out *out, uint32_t number, struct span uidl);

/* "2 200": a line of LIST or UIDL without one. At most POP3_SCAN_LINE_MAX octets. */
#define POP3_SCAN_LINE_MAX (10 + 1 + LIMIT_UIDL + 2)
bool pop3_reply_list_line(struct out *out, uint32_t number, uint64_t octets);
bool pop3_reply_uidl_line(struct out *out, uint32_t number, struct span uidl);

/* ".": the end of the lines. A message's end is dot_encode_end()'s. */
bool pop3_reply_end(struct out *out);

/*
 * What CAPA tells. Announced is only what is done: TOP, UIDL, RESP-CODES,
 * AUTH-RESP-CODE, PIPELINING, LANG and UTF8 USER always, the rest as these facts are.
 */
struct pop3_capa {
	enum pop3_state state;
	enum pop3_language language; /* of the first line */
	bool stls;                   /* STLS would be taken now; announced before login only */
	bool user;                   /* USER and PASS would be taken */
	uint32_t login_delay;        /* seconds (RFC 2449 section 6.5); 0: not said */
	uint32_t expire_days;        /* (RFC 2449 section 6.7); 0: never */
	bool by_user;                /* some users have less of it than is said here */
	struct span sasl;            /* mechanisms, parted by spaces; empty: no SASL */
	struct span implementation;  /* "restante"; empty: not said */
};

/* The whole reply: "+OK", a line for each, ".". */
bool pop3_reply_capa(struct out *out, const struct pop3_capa *capa);

/* The whole reply to a bare AUTH: "+OK", a line for each mechanism in sasl, ".". */
bool pop3_reply_mechanisms(struct out *out, enum pop3_language language, struct span sasl);

/* The whole reply to a bare LANG: "+OK", a tag and a name for each language, ".". */
bool pop3_reply_languages(struct out *out, enum pop3_language language);

/* "+OK ja" and words, to LANG with a range that was found. */
bool pop3_reply_language(struct out *out, enum pop3_language language);
