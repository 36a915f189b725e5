/* SPDX-License-Identifier: MIT */
/*
 * pop3_command.h - POP3 commands: one table, and a parser that it drives
 * (RFC 1939 sections 4 to 7, RFC 2449, RFC 2595 section 4, RFC 5034, RFC 6856).
 *
 * Verbs are read in any case. One space stands before an argument; spaces at the
 * end of a line are passed over, except after PASS, whose argument is all that
 * follows the one space: a password may hold spaces, and begin and end with them.
 *
 * Numbers are digits and nothing else. Leading zeros mean nothing, so "01" is 1
 * and "010" is ten, never eight; 0, 4294967297, +1, -1 and 1x are no message numbers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "codec/pop3/pop3_state.h"

enum pop3_verb {
	POP3_APOP,
	POP3_AUTH,
	POP3_CAPA,
	POP3_DELE,
	POP3_LANG,
	POP3_LIST,
	POP3_NOOP,
	POP3_PASS,
	POP3_QUIT,
	POP3_RETR,
	POP3_RSET,
	POP3_STAT,
	POP3_STLS,
	POP3_TOP,
	POP3_UIDL,
	POP3_USER,
	POP3_UTF8,
	POP3_VERBS
};

enum pop3_argument {
	POP3_ARGUMENT_NONE,
	POP3_ARGUMENT_NUMBER,          /* a message number */
	POP3_ARGUMENT_OPTIONAL_NUMBER, /* a message number, or nothing */
	POP3_ARGUMENT_NUMBER_LINES,    /* a message number and how many lines */
	POP3_ARGUMENT_USER,            /* a name, perhaps with spaces inside */
	POP3_ARGUMENT_PASSWORD,        /* the rest of the line */
	POP3_ARGUMENT_USER_DIGEST,     /* a name, and an MD5 digest in hexadecimal */
	POP3_ARGUMENT_LANGUAGE,        /* a language range, or nothing */
	POP3_ARGUMENT_MECHANISM,       /* a SASL mechanism, perhaps an initial response */
};

enum pop3_reply_lines {
	POP3_REPLY_LINE,           /* +OK and nothing more */
	POP3_REPLY_LINES,          /* +OK and more lines, ended by "." */
	POP3_REPLY_LINES_IF_ALONE, /* more lines when it had no argument */
	POP3_REPLY_EXCHANGE,       /* "+ " challenges come before it */
};

struct pop3_command_row {
	const char *name;       /* upper case */
	uint8_t states;         /* 1 << enum pop3_state, for each in which it is allowed */
	uint8_t argument;       /* enum pop3_argument */
	uint8_t reply;          /* enum pop3_reply_lines, when it is +OK */
	const char *capability; /* the capability that says the command is there; NULL: always */
	const char *needs;      /* "RETR needs a message number" */
};

/* The row of a verb below POP3_VERBS. */
const struct pop3_command_row *pop3_command_row(enum pop3_verb verb);

enum pop3_command_status {
	POP3_COMMAND_OK,
	POP3_COMMAND_UNKNOWN,
	POP3_COMMAND_WRONG_STATE,
	POP3_COMMAND_MISSING_ARGUMENT,
	POP3_COMMAND_EXTRA_ARGUMENT,
	POP3_COMMAND_BAD_NUMBER, /* no message can have it */
	POP3_COMMAND_BAD_LINES,  /* TOP's second number */
	POP3_COMMAND_BAD_DIGEST,
	POP3_COMMAND_BAD_MECHANISM, /* not a mechanism's name at all (RFC 4422 section 3.1) */
	POP3_COMMAND_BAD_LANGUAGE,  /* not a language range at all (RFC 4647 section 2.1) */
	POP3_COMMAND_BAD_OCTET,     /* a control octet in a name; NUL or CR in a password */
	POP3_COMMAND_STATUSES
};

/* Spans are parts of the line. What a verb doesn't take is zero. */
struct pop3_command {
	enum pop3_verb verb; /* POP3_VERBS with POP3_COMMAND_UNKNOWN */
	bool has_number;
	uint32_t number;      /* from 1 */
	uint64_t lines;       /* TOP */
	struct span user;     /* USER, APOP: 1 octet at least */
	struct span password; /* PASS: may be empty, may hold any octet but NUL, CR and LF */
	struct span digest;   /* APOP: 32 hexadecimal digits in lower case */
	struct span
		language; /* LANG: "*", or words of letters and digits with '-' between; or empty */
	struct span mechanism; /* AUTH: 1 to 20 octets, as sent; empty in a bare AUTH */
	bool has_initial;      /* AUTH */
	struct span initial;   /* AUTH: as sent, base64 or "="; see sasl_frame.h */
};

/*
 * Reads a line, without its end, that came in that state. *ret_command is filled
 * in whatever the status is; its verb says which command was meant.
 *
 * AUTH without a mechanism is POP3_COMMAND_OK: old clients ask so for the list of
 * mechanisms (RFC 1734's successors never said, servers do answer it).
 */
enum pop3_command_status pop3_command_parse(struct span line, enum pop3_state state,
					    struct pop3_command *ret_command);

/* What to say after -ERR about a status that isn't OK, in English: "no such command". */
const char *pop3_command_error(enum pop3_command_status status, enum pop3_verb verb,
			       enum pop3_state state);
