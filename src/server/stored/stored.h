/* SPDX-License-Identifier: MIT */
/*
 * stored.h - the process that owns the maildrops (server/process.h).
 */
#pragma once

#include "server/process.h"

extern const struct process_ops stored_ops;
