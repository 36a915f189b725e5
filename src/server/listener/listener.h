/* SPDX-License-Identifier: MIT */
/*
 * listener.h - the process that talks to the network (server/process.h).
 */
#pragma once

#include "server/process.h"

extern const struct process_ops listener_ops;
