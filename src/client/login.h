/* SPDX-License-Identifier: MIT */
/*
 * login.h - from a new connection to a maildrop that is open: greeting, TLS,
 * capabilities, and the best way to log in that server and configuration allow.
 *
 *	implicit   TLS, greeting, CAPA, UTF8, login, CAPA
 *	stls       greeting, CAPA, STLS, TLS, CAPA, UTF8, login, CAPA
 *	in clear   greeting, CAPA, UTF8, login, CAPA
 *
 * UTF8 only to a server that offers it, so that mail comes as it is (RFC 6856).
 * With stls nothing but CAPA and STLS is said without TLS, and what was heard without
 * it is forgotten. If STLS isn't offered, or refused, the session ends: somebody on the
 * way may have taken it out.
 *
 * Ways to log in, from the best: SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, then without
 * TLS APOP, then those that send the password: PLAIN, LOGIN, USER and PASS. The first
 * one that the server offers is taken. If it is refused and sent no password, one that
 * does is tried once, in TLS only: the server may keep passwords in a form that
 * suffices for nothing else. Without TLS a refusal is final, for whoever
 * listens could cause it to get at the password.
 *
 * When that helped, it is noted for the next session, which needn't be refused first:
 * that would take the time that servers let pass then, and look like an attack to them.
 */
#pragma once

#include "base/err.h"
#include "codec/pop3/pop3_capabilities.h"
#include "client/account.h"
#include "client/dialogue.h"
#include "client/fetch_status.h"

struct ssl_ctx_st;

/*
 * What is worth remembering: the mechanisms that a server offered, in TLS, when the best
 * of them was refused and the password itself was taken. "": nothing.
 */
struct login_memory {
	char refused[POP3_CAPABILITIES_SASL_MAX];
};

/*
 * d is open and nothing was read from it. ctx may be NULL when a->tls is
 * ACCOUNT_TLS_NONE. *ret_capabilities are those after login. memory is that of the last
 * session, and is changed when there is something new.
 */
enum fetch_status login(struct dialogue *d, const struct account *a, const char *password,
			struct ssl_ctx_st *ctx, struct login_memory *memory,
			struct pop3_capabilities *ret_capabilities, struct err *err);

/* What a -ERR means, with its words in *err: "pop.example.org: RETR 5: no such message". */
enum fetch_status login_refusal(const struct dialogue *d, const struct pop3_client_event *e,
				struct err *err);
