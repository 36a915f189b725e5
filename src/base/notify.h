/* SPDX-License-Identifier: MIT */
/*
 * notify.h - tells whoever started this program how it is: the protocol of
 * sd_notify(3), which systemd and others hear.
 *
 * By hand: it is one datagram, and libsystemd would bring decompressors and a
 * cryptographic library into every process.
 */
#pragma once

/*
 * Lines such as "READY=1\nSTATUS=fetching". Where nobody listens (there is no
 * $NOTIFY_SOCKET) nothing happens; nobody waits, and a failure isn't told.
 */
void notify_send(const char *state);
