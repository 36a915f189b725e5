/* SPDX-License-Identifier: MIT */
/*
 * An account's options: each is declared here, once. restante.conf(5), restante(1) and
 * the annotated example are held against this table.
 */
#include "client/account_priv.h"

#include <stddef.h>

static const struct account_choice tls_choices[] = {
	{"implicit", ACCOUNT_TLS_IMPLICIT},
	{"stls", ACCOUNT_TLS_STLS},
	{"send-passwords-in-clear", ACCOUNT_TLS_NONE},
	{NULL, 0},
};
static const struct account_choice on_server_choices[] = {
	{"keep", ACCOUNT_KEEP},
	{"delete", ACCOUNT_DELETE},
	{"mirror", ACCOUNT_MIRROR},
	{NULL, 0},
};
static const struct account_choice yes_no[] = {{"no", 0}, {"yes", 1}, {NULL, 0}};
/* A string all the same: login.c knows what they are. */
static const struct account_choice auth_choices[] = {
	{"auto", 0},  {"scram-sha-256", 0}, {"scram-sha-1", 0}, {"cram-md5", 0}, {"apop", 0},
	{"plain", 0}, {"login", 0},         {"user", 0},        {NULL, 0},
};

#define AT(m) .at = offsetof(struct account, m)
#define TEXT(m) .kind = ACCOUNT_STRING, AT(m), .max = sizeof(((struct account *)NULL)->m)
#define FILE_PATH(m) .kind = ACCOUNT_PATH, AT(m), .max = sizeof(((struct account *)NULL)->m)
#define WORD(m, list) .kind = ACCOUNT_CHOICE, AT(m), .choices = (list)

/* clang-format off */
const struct account_row account_rows[ACCOUNT_ROWS] = {
	{{"host", "string", "", "the server's name or address", "HOST"}, TEXT(host)},
	{{"port", "number", "0", "its port; 0: 995, or 110 when TLS isn't implicit", "PORT"},
	 .kind = ACCOUNT_NUMBER, AT(port), .max = UINT16_MAX},
	{{"tls", "choice", "implicit", "implicit, stls (required), or send-passwords-in-clear", "HOW"},
	 WORD(tls, tls_choices)},
	{{"cafile", "string", "", "trust these certificates (PEM) and no others", "FILE"},
	 FILE_PATH(cafile)},
	{{"pin", "string", "", "the server's public key must be this one: sha256//BASE64", "PIN"},
	 TEXT(pin)},
	{{"proxy", "string", "", "connect through socks5://HOST:PORT or http://HOST:PORT", "PROXY"},
	 TEXT(proxy)},
	{{"user", "string", "", "who logs in", "NAME"}, TEXT(user)},
	{{"auth", "choice", "auto", "how to log in; auto: the best way that the server offers", "HOW"},
	 TEXT(auth), .choices = auth_choices},
	{{"password", "string", "", "the password", NULL}, TEXT(password)},
	{{"password_command", "string", "", "a command that prints the password", "COMMAND"},
	 TEXT(password_command)},
	{{"password_file", "string", "", "a file, yours alone, with the password in its first line",
	  "FILE"},
	 FILE_PATH(password_file)},
	{{"password_credential", "string", "", "the name of a systemd credential with the password",
	  "NAME"},
	 TEXT(password_credential)},
	{{"maildir", "string", "", "the Maildir that the mail goes to", "DIR"}, FILE_PATH(maildir)},
	{{"mbox", "string", "", "or the mbox file that it goes to", "FILE"}, FILE_PATH(mbox)},
	{{"deliver_command", "string", "", "or a program that is given each message", "COMMAND"},
	 TEXT(deliver_command)},
	{{"lmtp", "string", "", "or an LMTP server: HOST:PORT, or unix:PATH", "SERVER"}, TEXT(lmtp)},
	{{"smtp", "string", "", "or an SMTP server: smtp:// or smtps://HOST:PORT", "URL"}, TEXT(smtp)},
	{{"imap", "string", "", "or an IMAP server: imap:// or imaps://HOST:PORT", "URL"}, TEXT(imap)},
	{{"imap_folder", "string", "INBOX", "the folder there", "FOLDER"}, TEXT(imap_folder)},
	{{"imap_flags", "string", "", "flags that messages get there, such as \\Seen", "FLAGS"},
	 TEXT(imap_flags)},
	{{"deliver_user", "string", "", "who logs in to the SMTP or IMAP server", "NAME"},
	 TEXT(deliver_user)},
	{{"deliver_password_command", "string", "", "a command that prints that password", "COMMAND"},
	 TEXT(deliver_password_command)},
	{{"deliver_password_file", "string", "", "a file, yours alone, with that password", "FILE"},
	 FILE_PATH(deliver_password_file)},
	{{"deliver_cafile", "string", "", "trust these certificates (PEM) there and no others", "FILE"},
	 FILE_PATH(deliver_cafile)},
	{{"recipient", "string", "", "who gets it there", "ADDRESS"}, TEXT(recipient)},
	{{"on_server", "choice", "keep",
	  "keep or delete what is stored here, or mirror what is deleted here", "WHAT"},
	 WORD(on_server, on_server_choices)},
	{{"delete_after", "duration", "0", "delete on the server what was stored so long ago", "TIME"},
	 .kind = ACCOUNT_DURATION, AT(delete_after), .max = 10 * 365 * 86400},
	{{"keep_newest", "number", "0", "never delete the newest N on the server", "N"},
	 .kind = ACCOUNT_NUMBER, AT(keep_newest), .max = UINT32_MAX},
	{{"max_messages", "number", "0", "fetch N at most in a session; 0: all", "N"},
	 .kind = ACCOUNT_NUMBER, AT(max_messages), .max = UINT32_MAX},
	{{"max_size", "size", "0", "don't fetch what is larger; 0: any size", "SIZE"},
	 .kind = ACCOUNT_SIZE, AT(max_size), .max = UINT64_C(1) << 50},
	{{"drain", "choice", "no", "yes: session after session, until nothing is new", "YES"},
	 WORD(drain, yes_no)},
	{{"interval", "duration", "5m", "how long restante watch lets pass between sessions", "TIME"},
	 .kind = ACCOUNT_DURATION, AT(interval), .min = 1, .max = 30 * 86400},
	{{"timeout", "duration", "2m", "how long the server may say nothing", "TIME"},
	 .kind = ACCOUNT_DURATION, AT(timeout), .min = 1, .max = 86400},
};
/* clang-format on */

#undef AT
#undef TEXT
#undef FILE_PATH
#undef WORD

const struct account_option *account_option(unsigned i)
{
	return i < ACCOUNT_ROWS ? &account_rows[i].option : NULL;
}

const char *account_option_choice(unsigned i, unsigned n)
{
	const struct account_choice *choice = i < ACCOUNT_ROWS ? account_rows[i].choices : NULL;

	if (choice == NULL)
		return NULL;
	for (; n > 0 && choice->word != NULL; n--) /* the last one has no word */
		choice++;
	return choice->word;
}
