/* SPDX-License-Identifier: MIT */
/*
 * tls_clients.h - clients that have a certificate. They are asked for one and may have none; one
 * that is no good costs them nothing but what it would have been good for.
 */
#pragma once

#include "base/err.h"

struct ssl_ctx_st;

/*
 * Connections of this context ask for a certificate that one of the CAs in the file vouches
 * for. Reads the file. 0 or negative errno, with *err naming it.
 */
int tls_clients_ask(struct ssl_ctx_st *ctx, const char *ca_file, struct err *err);
