/* SPDX-License-Identifier: MIT */
/*
 * pop3_session.h - POP3 on one connection (RFC 1939, 2449, 2595, 3206, 5034).
 */
#pragma once

#include "server/listener/session.h"

extern const struct session_ops pop3_session_ops;
