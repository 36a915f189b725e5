/* SPDX-License-Identifier: MIT */
/*
 * signerd.h - the process that has the private keys of TLS and does nothing but sign with
 * them, for listeners of its generation.
 */
#pragma once

#include "server/process.h"

extern const struct process_ops signerd_ops;
