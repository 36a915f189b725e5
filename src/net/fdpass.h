/* SPDX-License-Identifier: MIT */
/*
 * fdpass.h - packets with at most one descriptor over a UNIX SOCK_SEQPACKET
 * socket (unix(7), SCM_RIGHTS).
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * Sends n octets, at least one, as one packet, with fd unless it is -1 (borrowed).
 * 0 or negative errno: -EAGAIN when a non-blocking socket is full. A lost peer
 * raises no SIGPIPE.
 */
int fdpass_send(int socket, const void *p, size_t n, int fd);

/*
 * Receives one packet. Its length, or 0 when the peer has closed, or negative
 * errno. *ret_fd is set in every case: -1, or a descriptor (close-on-exec) that
 * is now the caller's.
 *
 * -EBADMSG for a packet that was longer than max or carried more than one
 * descriptor, -EMFILE when this process may not have one more descriptor; such a
 * packet is gone, and none of its descriptors stays open.
 */
ssize_t fdpass_recv(int socket, void *p, size_t max, int *ret_fd);
