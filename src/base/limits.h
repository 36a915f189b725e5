/* SPDX-License-Identifier: MIT */
/*
 * limits.h - everything a stranger can make longer, and how long it may get.
 */
#pragma once

/* RFC 2449 section 4: a command line is at most 255 octets, CRLF included. */
#define LIMIT_POP3_COMMAND 255

/*
 * A SASL response line after AUTH (RFC 5034 section 4), and what is in its base64. 12288
 * octets of base64 is what RFC 4954 asks for SMTP; an OAuth token of 16 KiB with its user, host
 * and port (RFC 7628) needs this much, and AUTH and the mechanism's name may stand before it.
 */
#define LIMIT_SASL_LINE 23400
#define LIMIT_SASL_OCTETS 17408

/* RFC 5321 section 4.5.3.1.4 asks 512; SMTP extensions and long addresses add to it. */
#define LIMIT_SMTP_COMMAND 2048

/* RFC 5321 section 4.5.3.1.3: a path is 256 octets with its brackets. */
#define LIMIT_ADDRESS 255

/* RFC 3461 sections 4.4 and 4.2, as they are written. */
#define LIMIT_DSN_ENVID 100
#define LIMIT_DSN_ORCPT 500

/* RFC 1939 section 7: a UIDL has 1 to 70 octets from 0x21 to 0x7E. */
#define LIMIT_UIDL 70

/* A response line a POP3 client reads (RFC 2449 says 512; real servers exceed it). */
#define LIMIT_POP3_REPLY 8192

#define LIMIT_USER 255
#define LIMIT_PASSWORD 1024
#define LIMIT_PATH 1024

/* Recipients of one LMTP transaction (RFC 5321 section 4.5.3.1.8 asks for 100 at least). */
#define LIMIT_RECIPIENTS 128
