/* SPDX-License-Identifier: MIT */
/*
 * tls_names.h - which certificates belong to the name that a client asks for (SNI,
 * RFC 6066 section 3): a table made once from the names in all certificates.
 *
 * A name's certificates are one of each kind of key, so that OpenSSL can take the one
 * that the client understands. Where several of a kind have a name, the first counts.
 * "*" stands for one whole label (RFC 6125 section 6.4.3), and a certificate with the
 * name itself goes before it.
 */
#pragma once

#include <stddef.h>

#include "net/tls_material.h"

/* By number in the list of certificates; -1 for none of that kind. */
struct tls_choice {
	int of[TLS_KEY_KINDS];
};

struct tls_names;

/* -ENOMEM. */
int tls_names_new(const struct tls_material *materials, size_t n, struct tls_names **ret_names);

/* NULL is fine. */
void tls_names_free(struct tls_names *names);

/* name is as a client wrote it, in any case. NULL: no certificate has it. */
const struct tls_choice *tls_names_find(const struct tls_names *names, const char *name);

/* The choices of all names, number i from 0; NULL past the end. */
const struct tls_choice *tls_names_at(const struct tls_names *names, size_t i);

/*
 * For who asks for no name, or for one that no certificate has: the first certificate,
 * and those of other kinds that share its first name.
 */
struct tls_choice tls_names_default(const struct tls_names *names);
