/* SPDX-License-Identifier: MIT */
/*
 * The options: each is declared here, once. restanted.conf(5) and the annotated
 * example are held against this table.
 */
#include "restante-build.h"
#include "server/config_priv.h"

static const struct choice plaintext_choices[] = {
	{"never", CONFIG_PLAINTEXT_NEVER},
	{"loopback", CONFIG_PLAINTEXT_LOOPBACK},
	{"send-passwords-in-clear", CONFIG_PLAINTEXT_ALWAYS},
	{NULL, 0},
};
static const struct choice delivered_to_choices[] = {
	{"single", CONFIG_DELIVERED_TO_SINGLE},
	{"each", CONFIG_DELIVERED_TO_EACH},
	{"never", CONFIG_DELIVERED_TO_NEVER},
	{NULL, 0},
};
/* A string all the same: the drivers are the store's business. */
static const struct choice driver_choices[] = {{"maildir", 0}, {"mem", 0}, {NULL, 0}};
static const struct choice client_name_choices[] = {
	{"email", CONFIG_CLIENT_EMAIL},
	{"cn", CONFIG_CLIENT_CN},
	{NULL, 0},
};
static const struct choice tls_choices[] = {{"1.2", 12}, {"1.3", 13}, {NULL, 0}};
static const struct choice target_choices[] = {
	{"stderr", LOG_TARGET_STDERR}, {"syslog", LOG_TARGET_SYSLOG}, {NULL, 0}};
static const struct choice format_choices[] = {
	{"text", LOG_FORMAT_KV}, {"json", LOG_FORMAT_JSON}, {NULL, 0}};
static const struct choice level_choices[] = {{"error", LOG_LEVEL_ERROR},
					      {"warn", LOG_LEVEL_WARN},
					      {"info", LOG_LEVEL_INFO},
					      {"debug", LOG_LEVEL_DEBUG},
					      {NULL, 0}};

/* Enums go into struct config through a uint32_t. */
_Static_assert(sizeof(enum config_plaintext) == sizeof(uint32_t), "enum size");

#define AT(m) .at = offsetof(struct config, m)
#define TEXT(m) .kind = STRING, AT(m), .max = sizeof(((struct config *)NULL)->m)
#define NUM(m, lo, hi) .kind = NUMBER, AT(m), .min = (lo), .max = (hi)
#define SECONDS(m, lo, hi) .kind = DURATION, AT(m), .min = (lo), .max = (hi)
#define WORD(m, list) .kind = CHOICE, AT(m), .choices = (list)
#define DAY 86400

/* clang-format off */
const struct config_row config_rows[] = {
	/* Network */
	{{"pop3_listen", "list", "{}", "addresses for POP3, with STLS when there is a certificate"},
	 .kind = LISTEN, .protocol = CONFIG_POP3},
	{{"pop3s_listen", "list", "{}", "addresses for POP3 in TLS from the first octet"},
	 .kind = LISTEN, .protocol = CONFIG_POP3S},
	{{"lmtp_listen", "list", "{}", "addresses where an MTA delivers by LMTP"},
	 .kind = LISTEN, .protocol = CONFIG_LMTP},
	{{"smtp_listen", "list", "{}", "loopback addresses where programs leave mail by SMTP"},
	 .kind = LISTEN, .protocol = CONFIG_SMTP},
	{{"hostname", "string", "", "name in greetings and file names; empty: the machine's"},
	 TEXT(hostname)},
	{{"lmtp_socket_mode", "mode", "0660", "permissions of LMTP's and SMTP's UNIX sockets"},
	 .kind = MODE, AT(lmtp_socket_mode)},
	{{"lmtp_socket_group", "string", "", "their group; empty: the server's own"},
	 TEXT(lmtp_socket_group)},
	{{"proxy_trusted", "list", "{}", "networks whose PROXY protocol headers are believed"},
	 .kind = NETWORKS},

	/* TLS */
	{{"tls_certificate", "string", "", "certificate and its chain, PEM; empty: no TLS"},
	 TEXT(tls_certificate)},
	{{"tls_key", "string", "", "its private key, PEM; empty: in the certificate's file"},
	 TEXT(tls_key)},
	{{"tls_certificates", "list", "{}",
	  "more certificates, each with its key: \"certificate.pem key.pem\""},
	 .kind = PAIRS},
	{{"tls_client_ca", "string", "",
	  "CAs whose certificates clients may log in with, PEM; empty: they aren't asked for one"},
	 TEXT(tls_client_ca)},
	{{"tls_client_name", "choice", "email",
	  "what in them names the user: email (rfc822Name) or cn"},
	 WORD(tls_client_name, client_name_choices)},
	{{"tls_min_version", "choice", "1.2", "oldest TLS version: 1.2 or 1.3"},
	 WORD(tls_min_version, tls_choices)},
	{{"tls_ciphers", "string",
	  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
	  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
	  "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305",
	  "cipher suites of TLS 1.2, as OpenSSL writes them"},
	 TEXT(tls_ciphers)},
	{{"tls_watch", "duration", "1m",
	  "how often certificate files are looked at for new ones; 0: when told to"},
	 SECONDS(tls_watch, 0, DAY)},
	{{"plaintext_login", "choice", "loopback",
	  "passwords without TLS: never, loopback, or send-passwords-in-clear"},
	 WORD(plaintext_login, plaintext_choices)},

	/* Users */
	{{"users_file", "string", RESTANTE_SYSCONFDIR "/users", "names and password hashes"},
	 TEXT(users_file)},
	{{"userdb", "list", "{}", "databases of users, in the order in which they are asked"},
	 .kind = DATABASES},
	{{"default_domain", "string", "", "appended to a name without @"}, TEXT(default_domain)},
	{{"recipient_delimiter", "string", "+", "user+detail is user; empty: no detail"},
	 TEXT(recipient_delimiter)},
	{{"device_separator", "string", "+", "user+device is a login of a device; none: there are none"},
	 TEXT(device_separator)},
	{{"auth_threads", "number", "0", "threads that check passwords; 0: one a core"},
	 NUM(auth_threads, 0, 128)},
	{{"auth_cache_seconds", "duration", "1h", "how long a right password is remembered; 0: not at all"},
	 SECONDS(auth_cache_seconds, 0, 7 * DAY)},
	{{"auth_failure_delay_ms", "number", "2000", "milliseconds before a wrong password is answered"},
	 NUM(auth_failure_delay_ms, 0, 60000)},
	{{"auth_penalty_max", "duration", "15s", "the longest that who guesses has to wait; 0: nobody does"},
	 SECONDS(auth_penalty_max, 0, 3600)},
	{{"app_passwords_file", "string", "",
	  "application passwords, and beside it when each was used; empty: none"},
	 TEXT(app_passwords_file)},
	{{"oauth_jwks_file", "string", "", "keys that OAuth tokens are signed with, JWKS; empty: none"},
	 TEXT(oauth_jwks_file)},
	{{"oauth_introspection_url", "string", "",
	  "whom to ask about OAuth tokens that are no JWT (RFC 7662); empty: nobody"},
	 TEXT(oauth_introspection_url)},
	{{"oauth_client_id", "string", "", "who asks there"}, TEXT(oauth_client_id)},
	{{"oauth_client_secret_file", "string", "", "file with the secret of who asks there"},
	 TEXT(oauth_client_secret_file)},
	{{"oauth_ca_file", "string", "", "CA certificates for who is asked, PEM; empty: the system's"},
	 TEXT(oauth_ca_file)},
	{{"oauth_issuer", "string", "", "who must have issued a token; empty: anybody"},
	 TEXT(oauth_issuer)},
	{{"oauth_audience", "string", "", "whom a token must be for; empty: anybody"},
	 TEXT(oauth_audience)},
	{{"oauth_scope", "string", "", "scope that a token must have; empty: none"},
	 TEXT(oauth_scope)},
	{{"oauth_user_claim", "string", "email", "the claim of a token that names the user"},
	 TEXT(oauth_user_claim)},
	{{"oauth_cache_seconds", "duration", "5m",
	  "how long an answer about a token is remembered; 0: not at all"},
	 SECONDS(oauth_cache_seconds, 0, 3600)},
	{{"pam_first_uid", "number", "1000", "users of this machine with a lower uid are none here"},
	 NUM(pam_first_uid, 1, UINT32_MAX - 1)},
	{{"pam_processes", "number", "8", "how many passwords PAM verifies at a time"},
	 NUM(pam_processes, 1, 256)},
	{{"pam_timeout", "duration", "30s", "the longest that PAM may take with one"},
	 SECONDS(pam_timeout, 1, 600)},
	{{"apop", "bool", "no", "offer APOP and CRAM-MD5 to users with {PLAIN} secrets"},
	 .kind = BOOL, AT(apop)},

	/* Mail */
	{{"store_driver", "choice", "maildir", "how mail is kept: maildir, or mem to try things out"},
	 TEXT(store_driver), .choices = driver_choices},
	{{"mail_location", "string", "/var/mail/restante/%d/%n",
	  "a user's maildrop: %u user, %n local part, %d domain, %h home"},
	 TEXT(mail_location)},
	{{"mail_user", "string", "restante-mail",
	  "owner of all mail, when started by root; empty: each user's own uid"},
	 TEXT(mail_user)},
	{{"server_user", "string", "restante", "whom listeners and auth run as, when started by root"},
	 TEXT(server_user)},
	{{"storage_threads", "number", "0", "threads that wait for the disk; 0: four"},
	 NUM(storage_threads, 0, 128)},
	{{"message_size_limit", "size", "50M", "largest message that LMTP takes; 0: any"},
	 .kind = SIZE, AT(message_size_limit), .max = UINT64_C(1) << 50},
	{{"lmtp_max_recipients", "number", "100", "recipients of one LMTP message"},
	 NUM(lmtp_max_recipients, 1, LIMIT_RECIPIENTS)},
	{{"lmtp_delivered_to", "choice", "single",
	  "Delivered-To line: single (messages with one recipient), each, or never"},
	 WORD(lmtp_delivered_to, delivered_to_choices)},
	{{"utf8_downgrade", "bool", "yes",
	  "downgrade internationalised messages for clients that don't say UTF8"},
	 .kind = BOOL, AT(utf8_downgrade)},

	{{"quota_octets", "size", "0", "how much one maildrop may hold; 0: any amount"},
	 .kind = RULE},
	{{"quota_messages", "number", "0", "messages in one maildrop; 0: any number"}, .kind = RULE},
	{{"dele", "choice", "delete", "what DELE does: delete, hide, or trash"}, .kind = RULE},
	{{"dele_days", "number", "0", "days until hidden mail or trash is gone for good; 0: never"},
	 .kind = RULE},
	{{"trash", "string", "Trash", "folder that DELE moves to"}, .kind = RULE},
	{{"folders", "string", "INBOX", "folders that make up the maildrop: INBOX,Junk"},
	 .kind = RULE},
	{{"newest", "number", "0", "so many messages are listed, the newest; 0: all"}, .kind = RULE},
	{{"device_days", "number", "30",
	  "days that what a device has deleted stays for others; 0: until they have it"},
	 .kind = RULE},
	{{"recent_days", "number", "30", "what a login as recent:user shows; 0: there is none"},
	 .kind = RULE},
	{{"quota_grace", "size", "10M", "by how much the last message may exceed quota_octets"},
	 .kind = SIZE, AT(quota_grace), .max = UINT64_C(1) << 50},

	{{"login_delay", "duration", "0", "time from one login of a user to the next; 0: none"},
	 .kind = RULE},
	{{"login_delay_max", "duration", "0", "the longest login_delay of any user; 0: login_delay"},
	 SECONDS(login_delay_max, 0, DAY)},
	{{"expire_days", "number", "0", "days after which the server deletes mail; 0: never"},
	 .kind = RULE},
	{{"expire_days_min", "number", "0", "the fewest expire_days of any user; 0: expire_days"},
	 NUM(expire_days_min, 0, 36500)},
	{{"expire_interval", "duration", "6h", "how often each maildrop is looked through for old mail"},
	 SECONDS(expire_interval, 1, 30 * DAY)},

	/* Limits */
	{{"listeners", "number", "0", "listener processes; 0: one a core"}, NUM(listeners, 0, 256)},
	{{"max_connections", "number", "10000", "connections in all"},
	 NUM(max_connections, 1, 1000000)},
	{{"max_connections_per_address", "number", "100", "connections from one address; 0: any"},
	 NUM(max_connections_per_address, 0, 1000000)},
	{{"max_connections_per_user", "number", "10",
	  "sessions of one user, and logins from one address; 0: any"},
	 NUM(max_connections_per_user, 0, 1000000)},
	{{"login_timeout", "duration", "1m", "time to log in"}, SECONDS(login_timeout, 1, DAY)},
	{{"idle_timeout", "duration", "10m", "silence after login; RFC 1939 asks for 10m at least"},
	 SECONDS(idle_timeout, 1, 7 * DAY)},
	{{"write_timeout", "duration", "2m", "time in which a client must take some of a reply"},
	 SECONDS(write_timeout, 1, DAY)},
	{{"max_bad_commands", "number", "10", "senseless commands before a client is sent away"},
	 NUM(max_bad_commands, 1, 1000)},
	{{"drain_timeout", "duration", "30s", "time that sessions have to end after SIGTERM"},
	 SECONDS(drain_timeout, 0, DAY)},

	/* Operation */
	{{"metrics_listen", "list", "{}", "addresses where a monitoring system reads metrics by HTTP"},
	 .kind = LISTEN, .protocol = CONFIG_METRICS},
	{{"control", "string", "", "UNIX socket that restantectl asks the server by; empty: none"},
	 TEXT(control)},
	{{"pid_file", "string", "", "where the master writes its process id; empty: nowhere"},
	 TEXT(pid_file)},
	{{"log_target", "choice", "stderr", "stderr or syslog"}, WORD(log_target, target_choices)},
	{{"log_format", "choice", "text", "text (key=value) or json"},
	 WORD(log_format, format_choices)},
	{{"log_level", "choice", "info", "error, warn, info or debug"},
	 WORD(log_level, level_choices)},
};
/* clang-format on */

const size_t config_n_rows = sizeof(config_rows) / sizeof(config_rows[0]);

_Static_assert(sizeof(config_rows) / sizeof(config_rows[0]) <= CONFIG_ROWS_MAX, "options");

#undef AT
#undef TEXT
#undef NUM
#undef SECONDS
#undef WORD

const struct config_option *config_option(unsigned i)
{
	return i < config_n_rows ? &config_rows[i].option : NULL;
}
