/* SPDX-License-Identifier: MIT */
/*
 * pamd.h - the process that asks PAM about users of this machine. It runs only when the
 * configuration has such users, and speaks with auth alone.
 */
#pragma once

#include "server/process.h"

extern const struct process_ops pamd_ops;
