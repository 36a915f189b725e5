/* SPDX-License-Identifier: MIT */
/*
 * dot.h - dot-stuffed text: what follows DATA in SMTP and LMTP, and what a
 * POP3 multi-line response carries (RFC 5321 section 4.5.2, RFC 1939 section 3).
 *
 * Nothing here allocates, blocks, logs or asks the time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/out.h"
#include "base/span.h"

enum dot_status {
	DOT_MORE, /* all input is used: call again when there is more */
	DOT_TEXT, /* *ret_text is the next run of the message */
	DOT_END,  /* the lone "." was read; what follows it is still in *in */
	DOT_BAD,  /* strict only: a bare CR or LF. Every later call says so again, but see below */
};

/*
 * What a decoder does about CR and LF that don't stand together.
 *
 * DOT_STRICT, for who takes mail in (LMTP): refused, not repaired. Servers that
 * repair them in different ways disagree about where a message ends, which is
 * how mail is smuggled past one of them.
 *
 * DOT_LENIENT, for who fetches mail (the POP3 client): kept as they are, or mail
 * would be lost. Only CRLF "." CRLF ends a message (the client has asked for this
 * one message; there is no command to smuggle), and only CRLF begins a line.
 */
enum dot_mode { DOT_STRICT, DOT_LENIENT };

/*
 * Embed it, set mode and zero the rest before the first byte, and don't look
 * inside. It needs no cleanup, and after DOT_END it is ready for the next message.
 */
struct dot_decoder {
	enum dot_mode mode;
	uint8_t _state;
};

/*
 * Takes bytes from the front of *in and says what they were.
 *
 * On DOT_TEXT, *ret_text is a part of the caller's input, or of static memory
 * when a CR or dot from an earlier call turns out to be text (nothing is copied),
 * and lives as long as the input does. It is never empty, keeps every CRLF and
 * has lost the stuffing dots. On any other status *ret_text is untouched.
 *
 * However a stream is cut into calls, the text put together and the status at
 * the end are the same.
 */
enum dot_status dot_decode(struct dot_decoder *d, struct span *in, struct span *ret_text);

/*
 * After DOT_BAD: goes on as DOT_LENIENT, as if the mode had been that from the
 * first byte. For who must answer behind a message that it refuses, and so needs
 * its end. What follows that end may be a part of what the sender took for the
 * message: don't read commands from it.
 */
void dot_decoder_relent(struct dot_decoder *d);

/*
 * The other way: a stored message, in any mixture of CRLF and LF, made ready for
 * the wire. Zero it before the first byte of a message.
 */
struct dot_encoder {
	uint8_t _state;
	uint64_t octets; /* of the message on the wire so far, without stuffing dots */
};

/*
 * Takes from *in and appends to *out until one of them is used up: a bare LF
 * becomes CRLF, a dot that begins a line is doubled, all else stays as it is
 * (NUL, bare CR, 8-bit, lines of any length).
 */
void dot_encode(struct dot_encoder *e, struct span *in, struct out *out);

/*
 * Ends the message: a line end if the last line has none (it is counted in
 * octets), then the lone dot. False, and nothing written, unless out has room for
 * DOT_END_MAX octets.
 */
#define DOT_END_MAX 5
bool dot_encode_end(struct dot_encoder *e, struct out *out);

/*
 * Measures a stored message without writing it: zero it, feed it, and read the
 * results after the last octet.
 */
struct dot_measure {
	uint64_t bytes;     /* fed so far */
	uint64_t bare_lf;   /* LFs that need a CR on the wire */
	uint64_t dot_lines; /* lines that begin with '.' */
	uint8_t _state;
};

void dot_measure(struct dot_measure *m, struct span in);

/* The last line has no LF. False for an empty message. */
bool dot_measure_no_eol(const struct dot_measure *m);

/* Octets on the wire: what LIST says and RETR sends, stuffing and end not counted. */
uint64_t dot_measure_octets(const struct dot_measure *m);
