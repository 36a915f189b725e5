/* SPDX-License-Identifier: MIT */
/*
 * lmtp_session.h - LMTP on one connection (RFC 2033): mail from an MTA into
 * maildrops, with a reply for each recipient.
 */
#pragma once

#include "server/listener/session.h"

extern const struct session_ops lmtp_session_ops;
