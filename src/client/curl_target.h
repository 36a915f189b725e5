/* SPDX-License-Identifier: MIT */
/*
 * curl_target.h - what destinations that libcurl connects to (SMTP, IMAP) have in common.
 */
#pragma once

#include <curl/curl.h>

#include "client/destination.h"

/*
 * A handle that is set as the account says: address, whom to trust, who logs in, times.
 * NULL: no memory. error is CURL_ERROR_SIZE octets, which live as long.
 *
 * With TLS from the first octet (imaps, smtps), or by STARTTLS; a password is never sent
 * without. Without a password, and without the s, it is in clear.
 */
CURL *curl_target_new(const struct destination_options *o, const char *url, char *error);

/*
 * What a failure of libcurl is for destination.h: what is wrong with the line, with TLS or with
 * the password, and so with all messages. The text goes into *err.
 */
int curl_target_failed(CURLcode code, const char *url, const char *error, struct err *err);
