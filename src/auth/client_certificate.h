/* SPDX-License-Identifier: MIT */
/*
 * client_certificate.h - who a certificate is for, by the word of the CAs that the operator
 * trusts with that (SASL's EXTERNAL, RFC 4422 appendix A).
 *
 * Only the certificate is looked at. That the client has its key, TLS has shown to the process
 * that spoke it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"

/* Which field names the user. */
enum client_name_field {
	CLIENT_NAME_EMAIL, /* each rfc822Name of subjectAltName */
	CLIENT_NAME_CN,    /* the one common name of the subject */
};

/* Of one certificate; more are not looked at. */
#define CLIENT_NAMES_MAX 8

struct client_names {
	size_t n;
	char name[CLIENT_NAMES_MAX][LIMIT_USER + 1];
};

struct client_authority;

/*
 * Reads the CAs' certificates, intermediate ones too, and their CRLs if there are some: then
 * no certificate is good whose CA has no current CRL here, or is on it. 0 or negative
 * errno, with *err naming the file.
 */
int client_authority_new(const char *file, struct client_authority **ret_authority,
			 struct err *err);
void client_authority_free(struct client_authority *a);

/*
 * The names in a certificate (DER), when it is one for TLS clients, current, not revoked, and
 * one of the CAs vouches for it. NULL, or why not: a literal for the log.
 */
const char *client_certificate_names(const struct client_authority *a, struct span der,
				     enum client_name_field field, struct client_names *ret_names);
