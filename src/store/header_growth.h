/* SPDX-License-Identifier: MIT */
/*
 * header_growth.h - is a stored message internationalised, and how long is it for
 * clients that must get it downgraded? What a listener will do when it sends it is
 * asked of the same function (codec/mail/downgrade.h), once, when the message is
 * delivered or listed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct header_growth {
	bool utf8;     /* it has to be downgraded */
	int16_t value; /* octets by which it becomes longer then, or shorter; 0 unless utf8 */
};

/* Reads the header of the message that fd is, from its beginning. 0, -ENOMEM, or as the disk says.
 */
int header_growth(int fd, struct header_growth *ret);
