/* SPDX-License-Identifier: MIT */
/*
 * imap_session.h - a session with an IMAP server, to append messages to a folder (RFC 3501).
 * libcurl connects, begins TLS and logs in; what follows is ours, for it can set neither flags
 * nor the date.
 *
 * Failures are those of destination_place().
 */
#pragma once

#include "client/curl_target.h"
#include "client/wire_reader.h"

#define IMAP_LINE_MAX 8192

/* Zero it. */
struct imap_session {
	CURL *curl;      /* Owned; NULL: not connected */
	const char *url; /* Borrowed */
	uint32_t timeout_ms;
	unsigned tag;
	size_t in_at; /* [in_at, in_n) has come and wasn't read yet */
	size_t in_n;
	char in[IMAP_LINE_MAX];
	char error[CURL_ERROR_SIZE];
};

int imap_session_open(struct imap_session *s, const struct destination_options *o, struct err *err);
void imap_session_close(struct imap_session *s);

/* One to be appended. */
struct imap_message {
	const char *folder; /* as IMAP writes it: other than ASCII in modified UTF-7 */
	const char *flags;  /* "\Seen \Flagged", or "" */
	int64_t seconds;    /* its date, since 1970 */
	uint64_t octets;    /* that reader gives */
	struct wire_reader *reader;
};

/* The folder is made when it isn't there. */
int imap_session_append(struct imap_session *s, const struct imap_message *m, struct err *err);

/*
 * Whether the folder has a message with that Message-ID, of so many octets. False also for what
 * can't be asked for.
 */
int imap_session_has(struct imap_session *s, const char *folder, struct span message_id,
		     uint64_t octets, bool *ret_has, struct err *err);
