/* SPDX-License-Identifier: MIT */
/*
 * pop3_client_priv.h - the states of pop3_client.h, which pop3_client.c (what is
 * read) and pop3_client_send.c (what is written) share.
 *
 *	GREETING ──► REPLY ◄──► LINES, MESSAGE     a multi-line reply, and its end
 *	               │  ◄──► CHALLENGED          "+ ", and the response to it
 *	               │  ◄──► SECURING            +OK to STLS, and pop3_client_tls()
 *	               └─────► OVER                the reply to QUIT
 *	GREETING ────────────► OVER                -ERR
 *	each of them ────────► BAD
 *
 * Always true: in LINES, MESSAGE and CHALLENGED the first command ahead is the one
 * that is being answered; in the others that may be sent from, none is half answered.
 */
#pragma once

#include "codec/pop3/pop3_client.h"

enum pop3_client_state {
	POP3_CLIENT_GREETED_NEXT, /* zero, so a zeroed client is ready */
	POP3_CLIENT_REPLY_NEXT,
	POP3_CLIENT_IN_LINES,
	POP3_CLIENT_IN_MESSAGE,
	POP3_CLIENT_CHALLENGED,
	POP3_CLIENT_SECURING,
	POP3_CLIENT_ENDED,
	POP3_CLIENT_BROKEN,
};
