/* SPDX-License-Identifier: MIT */
/*
 * tls_server_priv.h - the files that a server's side of TLS is made of, among themselves.
 */
#pragma once

#include "net/tls_material.h"
#include "net/tls_names.h"
#include "net/tls_server.h"

/* The certificates of one choice, as OpenSSL wants them. */
struct tls_identity {
	struct tls_choice choice;
	struct ssl_ctx_st *ctx; /* Owned */
};

struct tls_server {
	struct tls_identity *identities; /* number 0 is the default. Owned */
	size_t n_identities;
	struct tls_names *names;        /* Owned */
	struct tls_material *materials; /* Owned */
	size_t n_materials;
	tls_on_notice *on_notice; /* for what happens later; may be NULL */
	void *notice_arg;
};

/* err_set() with OpenSSL's reason: "what 'name': reason". -EINVAL. */
int tls_error(struct err *err, const char *what, const char *name);
