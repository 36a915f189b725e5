/* SPDX-License-Identifier: MIT */
/*
 * mail_field.h - looks up a field in the header of a message as it came: CRLF or LF,
 * folded or not, well formed or not.
 */
#pragma once

#include <stdbool.h>

#include "base/out.h"
#include "base/span.h"

/*
 * Appends the value of the first field with that name ("Subject", in any case), unfolded
 * and without spaces around it; other control octets become spaces. head is the beginning of a
 * message; what follows the header isn't looked at. A value is cut where out is full. False
 * when there is no such field.
 */
bool mail_field(struct span head, struct span name, struct out *out);

/*
 * The address in a Return-Path, as it may stand in MAIL FROM:<...>; empty when there is none,
 * or nothing that could stand there.
 */
void mail_field_sender(struct span head, struct out *out);
