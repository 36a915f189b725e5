/* SPDX-License-Identifier: MIT */
/*
 * account.h - one mailbox on one server, and what to do with its mail: what a
 * section of restante.conf(5) or a command line says. Each option is declared once, in
 * account_table.c; both ways of giving it, and the manual, follow from that row.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

/* How passwords and mail are kept from others on the way. */
enum account_tls {
	ACCOUNT_TLS_IMPLICIT, /* from the first octet (RFC 8314). The default */
	ACCOUNT_TLS_STLS,     /* begun by STLS before anything else, or nothing happens */
	ACCOUNT_TLS_NONE,     /* "send-passwords-in-clear" */
};

/* What becomes of a message on the server when it is stored here. */
enum account_on_server {
	ACCOUNT_KEEP,
	ACCOUNT_DELETE,
	ACCOUNT_MIRROR, /* deleted there when its file here is gone */
};

/* Where the mail goes: an option for each, and one of them is given. */
enum account_destination {
	ACCOUNT_TO_MAILDIR,
	ACCOUNT_TO_MBOX,
	ACCOUNT_TO_COMMAND,
	ACCOUNT_TO_LMTP,
	ACCOUNT_TO_SMTP,
	ACCOUNT_TO_IMAP,
	ACCOUNT_DESTINATIONS
};

#define ACCOUNT_NAME_MAX 64

/* Without pointers: an account is copied as it is. Empty strings are what wasn't said. */
struct account {
	char name[ACCOUNT_NAME_MAX + 1]; /* the section's */

	char host[LIMIT_ADDRESS + 1];
	uint32_t port; /* 0: what tls says, see account_port() */
	uint32_t tls;  /* enum account_tls */
	char cafile[LIMIT_PATH];
	char pin[512];   /* pin.h's */
	char proxy[512]; /* dial_proxy.h's */

	char user[LIMIT_USER + 1];
	char auth[32]; /* a mechanism, in lower case, or "auto" */
	char password[LIMIT_PASSWORD + 1];
	char password_command[LIMIT_PATH];
	char password_file[LIMIT_PATH];
	char password_credential[256]; /* a file's name */

	char maildir[LIMIT_PATH]; /* absolute */
	char mbox[LIMIT_PATH];    /* absolute */
	char deliver_command[LIMIT_PATH];
	char lmtp[LIMIT_PATH];
	char smtp[LIMIT_PATH]; /* a URL */
	char imap[LIMIT_PATH]; /* a URL */
	char imap_folder[LIMIT_PATH];
	char imap_flags[128];
	char recipient[LIMIT_ADDRESS + 1];
	char deliver_user[LIMIT_USER + 1]; /* who logs in there */
	char deliver_password_command[LIMIT_PATH];
	char deliver_password_file[LIMIT_PATH];
	char deliver_cafile[LIMIT_PATH];
	uint32_t on_server;    /* enum account_on_server */
	uint32_t delete_after; /* seconds since it was stored here; 0: never */
	uint32_t keep_newest;  /* so many stay on the server, whatever is to be deleted */

	uint32_t max_messages; /* fetched in one session; 0: any number */
	uint64_t max_size;     /* octets of a message that is fetched; 0: any */
	uint32_t drain;        /* 1: session after session, until there is nothing new */

	uint32_t interval; /* seconds between sessions, of restante watch */
	uint32_t timeout;  /* seconds without an octet */
};

/* "string", "number", "duration", "choice". */
struct account_option {
	const char *name; /* as in the file; on the command line with dashes */
	const char *type;
	const char *fallback;
	const char *what;
	const char *argument; /* what it takes, for --help; NULL: not for the command line */
};

/* Number i from 0, or NULL past the end. */
const struct account_option *account_option(unsigned i);

/* The words that option number i may be, n from 0; NULL past the last, and where any will do. */
const char *account_option_choice(unsigned i, unsigned n);

/* Every option as its fallback says. */
void account_init(struct account *a);

/*
 * Sets option number i to what text says. False, with the reason in *err (without the
 * place where it stands), for what it can't be.
 */
bool account_set(struct account *a, unsigned i, const char *text, struct err *err);

/*
 * Makes a path absolute, into ret_path of cap octets: "~/" is home, others begin at the
 * working directory. False, with the reason, when it can't be; name is the option's.
 */
bool account_path(const char *name, const char *text, size_t cap, char *ret_path, struct err *err);

/* The destination that is given, the option's name, and what it says. */
enum account_destination account_destination(const struct account *a);
const char *account_destination_option(enum account_destination to);
const char *account_destination_value(const struct account *a, enum account_destination to);

/* None is given any more: what the command line says is in the place of the file's. */
void account_forget_destination(struct account *a);

/* What no single option can know: NULL, or what is missing or contradicts itself. */
const char *account_check(const struct account *a);

/* The port to connect to. */
uint16_t account_port(const struct account *a);

/*
 * What the mailbox is known by in the state and in the names of files: "user@host",
 * with ":port" unless it is one of POP3's two own ports, which lead to the same
 * mailbox. An account that is renamed, or gets TLS, is so the same one still; one that
 * moves to another host is another one.
 */
#define ACCOUNT_IDENTITY_MAX (LIMIT_USER + 1 + LIMIT_ADDRESS + 6)
void account_identity(const struct account *a, char ret_identity[static ACCOUNT_IDENTITY_MAX + 1]);
