/* SPDX-License-Identifier: MIT */
/*
 * authd.h - the one process that reads passwords (server/process.h).
 */
#pragma once

#include "server/process.h"

extern const struct process_ops authd_ops;
