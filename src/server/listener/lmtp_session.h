/* SPDX-License-Identifier: MIT */
/*
 * lmtp_session.h - LMTP on one connection (RFC 2033): mail from an MTA into
 * maildrops, with a reply for each recipient. And SMTP (RFC 5321) as far as programs
 * on this machine need it to leave mail for its users: one recipient a message.
 */
#pragma once

#include "server/listener/session.h"

extern const struct session_ops lmtp_session_ops;
extern const struct session_ops smtp_session_ops;
