/* SPDX-License-Identifier: MIT */
/*
 * monitor.h - the process that tells how the server is (server/process.h): to a
 * monitoring system by HTTP. It reads the memory that all count in, and has no other
 * right: no file, no mail, no password, and of the network the sockets it was given.
 */
#pragma once

#include "server/process.h"

extern const struct process_ops monitor_ops;
