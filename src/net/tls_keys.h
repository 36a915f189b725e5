/* SPDX-License-Identifier: MIT */
/*
 * tls_keys.h - the private keys of a TLS server, for the process that does nothing but sign
 * with them. Signing changes nothing: any number of threads may.
 */
#pragma once

#include "net/tls_material.h"
#include "net/tls_signature.h"

struct tls_keys;

/*
 * Reads them, each with its certificate, to which it must belong. 0 or negative errno, with
 * *err naming the file.
 */
int tls_keys_load(const struct tls_pair *pairs, size_t n, struct tls_keys **ret_keys,
		  struct err *err);

/* Wipes them. NULL is fine. */
void tls_keys_free(struct tls_keys *keys);

/* The key of that id; NULL: it isn't here. Of keys. */
struct evp_pkey_st *tls_keys_find(const struct tls_keys *keys, const uint8_t id[TLS_KEY_ID_OCTETS]);
