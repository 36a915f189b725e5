/* SPDX-License-Identifier: MIT */
/*
 * maildir_tidy.h - what dead programs left in a maildrop.
 */
#pragma once

#include <stdint.h>

/*
 * Removes files from tmp/ that nobody has touched for 36 hours before now_ns (wall
 * clock): deliveries that will not be finished. And a journal that was not.
 * Call it with the maildrop locked. What can't be removed stays.
 */
void maildir_tidy(int root_fd, uint64_t now_ns);
