/* SPDX-License-Identifier: MIT */
/*
 * conn_priv.h - the TLS half of conn.h, which conn.c calls when there is TLS.
 */
#pragma once

#include "net/conn.h"

ssize_t conn_tls_read(struct conn *c, void *p, size_t n);
ssize_t conn_tls_write(struct conn *c, const void *p, size_t n);
ssize_t conn_tls_sendfile(struct conn *c, int file, uint64_t offset, size_t n);
/* Says goodbye if that is still possible. */
void conn_tls_shutdown(struct conn *c);
