/* SPDX-License-Identifier: MIT */
/*
 * sasl_server_priv.h - a SASL exchange, for the files that it is made of:
 *
 *	sasl_server.c		its life; PLAIN, LOGIN and CRAM-MD5, by GNU SASL
 *	sasl_server_scram.c	SCRAM
 *	sasl_server_token.c	OAUTHBEARER and XOAUTH2
 */
#pragma once

#include <gsasl.h>
#include <stdbool.h>

#include "base/buf.h"
#include "auth/sasl_server.h"
#include "auth/scram.h"

struct sasl_context {
	Gsasl *gsasl;
	char hostname[LIMIT_ADDRESS + 1];
};

struct sasl_session {
	const struct sasl_context *context; /* Borrowed */
	const struct sasl_mechanism *mechanism;
	Gsasl_session *gsasl; /* Owned. NULL for mechanisms that GNU SASL hasn't */
	struct buf challenge; /* Owned */
	struct buf held; /* Owned: a message that waits for the secret, the keys or a verdict */
	bool refused;    /* the callback has seen an identity that may not be */
	bool noted;      /* user and password are there */
	bool proved;     /* and we have said our own proof: the client only says yes */
	/* SCRAM */
	bool answered; /* challenge is the server's first message */
	struct {
		uint8_t octets[SASL_BINDING_MAX];
		size_t n; /* 0: the connection has none of this kind */
	} bindings[SASL_BINDINGS];
	enum sasl_binding bound; /* the one that the client uses */
	struct scram_keys keys;
	char user[LIMIT_USER + 1];
	char password[LIMIT_PASSWORD + 1];
};

/* One step of GNU SASL. */
enum sasl_status sasl_feed(struct sasl_session *s, struct span message);

/* The client's messages, as sasl_session_step() gets them. */
enum sasl_status sasl_take_scram(struct sasl_session *s, struct span message);
enum sasl_status sasl_take_token(struct sasl_session *s, struct span message);
