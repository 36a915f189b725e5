/* SPDX-License-Identifier: MIT */
/*
 * smtp_command.h - the commands of LMTP (RFC 2033) and SMTP (RFC 5321 section
 * 4.1.1), which differ by their greeting: one table, and a parser that it drives.
 * BDAT is RFC 3030's, STARTTLS RFC 3207's. Parameters are those of SIZE (RFC 1870),
 * 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531) and DSN (RFC 3461).
 *
 * Verbs and keywords are read in any case; spaces at the end of a line, and behind
 * the colon of MAIL FROM: and RCPT TO:, are passed over, as many clients put them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/out.h"
#include "base/span.h"
#include "codec/smtp/smtp_address.h"
#include "codec/smtp/smtp_dsn.h"

enum smtp_dialect { SMTP_DIALECT_LMTP, SMTP_DIALECT_SMTP };

enum smtp_verb {
	SMTP_BDAT,
	SMTP_DATA,
	SMTP_EHLO,
	SMTP_HELO,
	SMTP_HELP,
	SMTP_LHLO,
	SMTP_MAIL,
	SMTP_NOOP,
	SMTP_QUIT,
	SMTP_RCPT,
	SMTP_RSET,
	SMTP_STARTTLS,
	SMTP_VRFY,
	SMTP_VERBS
};

enum smtp_argument {
	SMTP_ARGUMENT_NONE,
	SMTP_ARGUMENT_HOST,     /* a domain or address literal: what the peer calls itself */
	SMTP_ARGUMENT_REVERSE,  /* FROM: a path, parameters */
	SMTP_ARGUMENT_FORWARD,  /* TO: a path, parameters */
	SMTP_ARGUMENT_TEXT,     /* something */
	SMTP_ARGUMENT_CHUNK,    /* how many octets follow, and perhaps LAST */
	SMTP_ARGUMENT_ANYTHING, /* something or nothing; it isn't looked at */
};

struct smtp_command_row {
	const char *name;  /* upper case */
	uint8_t dialects;  /* 1 << enum smtp_dialect */
	uint8_t argument;  /* enum smtp_argument */
	const char *needs; /* "MAIL needs FROM:<address>" */
};

/* The row of a verb below SMTP_VERBS. */
const struct smtp_command_row *smtp_command_row(enum smtp_verb verb);

enum smtp_command_status {
	SMTP_COMMAND_OK,
	SMTP_COMMAND_UNKNOWN,       /* 500 5.5.2 */
	SMTP_COMMAND_WRONG_DIALECT, /* 500 5.5.1: EHLO and HELO in LMTP, LHLO in SMTP */
	SMTP_COMMAND_SYNTAX,        /* 501 5.5.4: what it needs isn't there, or is something else */
	SMTP_COMMAND_EXTRA_ARGUMENT, /* 501 5.5.4 */
	SMTP_COMMAND_BAD_ADDRESS,    /* 501 5.1.7 for a sender, 5.1.3 for a recipient */
	SMTP_COMMAND_LONG_ADDRESS,   /* the same, with other words */
	SMTP_COMMAND_NEEDS_UTF8,     /* 550 5.6.7: an address that SMTPUTF8 must have announced */
	SMTP_COMMAND_BAD_PARAMETER,  /* 501 5.5.4: a value that can't be, or the same twice */
	SMTP_COMMAND_UNKNOWN_PARAMETER, /* 555 5.5.4 */
	SMTP_COMMAND_STATUSES
};

enum smtp_body { SMTP_BODY_UNSAID, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

/* Spans are parts of the line. What a verb doesn't take is zero. */
struct smtp_command {
	enum smtp_verb verb;   /* SMTP_VERBS with SMTP_COMMAND_UNKNOWN */
	struct span host;      /* LHLO, EHLO, HELO: 1 octet at least, printable ASCII or UTF-8 */
	struct smtp_path path; /* MAIL, RCPT */
	bool has_size;         /* MAIL: SIZE= */
	uint64_t size;
	enum smtp_body body;   /* MAIL: BODY= */
	bool smtputf8;         /* MAIL: SMTPUTF8 */
	enum smtp_dsn_ret ret; /* MAIL: RET= */
	struct span envid;     /* MAIL: ENVID=, as it is written; empty: unsaid */
	uint8_t notify;        /* RCPT: NOTIFY=, of enum smtp_dsn_notify; 0: unsaid */
	struct span orcpt;     /* RCPT: ORCPT=, with its type; empty: unsaid */
	uint64_t chunk;        /* BDAT: octets that follow the line, whatever is said to it */
	bool last;             /* BDAT: LAST */
	struct span text;      /* VRFY, HELP, NOOP */
};

/*
 * Reads a line, without its end. What isn't OK of BDAT doesn't say how many octets of
 * mail follow, so nothing that follows can be read as commands. smtputf8 says whether this
 * transaction's MAIL announced it, for RCPT; MAIL looks at its own parameters. *ret_command is
 * filled in whatever the status is; its verb says which command was meant.
 */
enum smtp_command_status smtp_command_parse(struct span line, enum smtp_dialect dialect,
					    bool smtputf8, struct smtp_command *ret_command);

/*
 * Appends the reply to a command that isn't SMTP_COMMAND_OK. False, and nothing
 * appended, without room for SMTP_COMMAND_ERROR_MAX octets.
 */
#define SMTP_COMMAND_ERROR_MAX 128
bool smtp_command_error(struct out *out, enum smtp_command_status status, enum smtp_verb verb,
			enum smtp_dialect dialect);
