/* SPDX-License-Identifier: MIT */
/*
 * config.h - what the operator's one configuration file says. Each option is
 * declared once, in config.c's table; restanted.conf(5) and the annotated example
 * are held against that table by a test.
 *
 * The struct has no pointers: the master sends it to the other processes as it is
 * (IPC_CONFIG), and they take the master's word for what is in it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/maildrop_rules.h"

enum config_protocol {
	CONFIG_POP3,
	CONFIG_POP3S,
	CONFIG_LMTP,
	CONFIG_SMTP,
	CONFIG_METRICS,
	CONFIG_CONTROL,
	CONFIG_PROTOCOLS
};

/* One address to listen on. */
struct config_listen {
	enum config_protocol protocol;
	char host[LIMIT_PATH]; /* numeric address, "*" for all, or a UNIX socket's path */
	uint16_t port;         /* 0 for a UNIX socket */
	bool proxy;            /* each connection begins with a PROXY protocol header */
};

/* Addresses that have their first bits in common. */
struct config_network {
	uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint32_t bits;       /* of these 128 */
};

/* A certificate beside others. */
struct config_certificate {
	char certificate[LIMIT_PATH];
	char key[LIMIT_PATH]; /* never empty */
};

/* When a password may cross the network without TLS. */
enum config_plaintext {
	CONFIG_PLAINTEXT_NEVER,    /* "never" */
	CONFIG_PLAINTEXT_LOOPBACK, /* "loopback": from this machine only. The default */
	CONFIG_PLAINTEXT_ALWAYS,   /* "send-passwords-in-clear": from anywhere */
};

/* What in a client's certificate names the user. */
enum config_client_name { CONFIG_CLIENT_EMAIL, CONFIG_CLIENT_CN };

enum config_delivered_to {
	CONFIG_DELIVERED_TO_SINGLE, /* "single": when the message has one recipient */
	CONFIG_DELIVERED_TO_EACH,   /* "each": always, at the price of a copy for each */
	CONFIG_DELIVERED_TO_NEVER,
};

#define CONFIG_LISTEN_MAX 16
#define CONFIG_NETWORKS_MAX 32
#define CONFIG_CERTIFICATES_MAX 64
#define CONFIG_DATABASES_MAX 8
#define CONFIG_DATABASE_MAX (LIMIT_PATH + 16) /* with its NUL */

/* Where users are looked for, in this order: "kind:argument". */
struct config_databases {
	uint32_t n;
	char spec[CONFIG_DATABASES_MAX][CONFIG_DATABASE_MAX];
};

struct config {
	/* Network */
	struct config_listen listen[CONFIG_LISTEN_MAX]; /* pop3_listen and its like */
	uint32_t n_listen;
	char hostname[LIMIT_ADDRESS + 1]; /* in greetings and file names; default: the machine's */
	uint32_t lmtp_socket_mode;        /* 0660 */
	char lmtp_socket_group[64];       /* "": the server's own */
	struct config_network proxy_trusted[CONFIG_NETWORKS_MAX];
	uint32_t n_proxy_trusted;

	/* TLS */
	char tls_certificate[LIMIT_PATH]; /* PEM, the chain; the default one. "": none of its own */
	char tls_key[LIMIT_PATH];         /* never empty when there is a certificate */
	struct config_certificate tls_certificates[CONFIG_CERTIFICATES_MAX]; /* and these */
	uint32_t n_tls_certificates;
	char tls_client_ca[LIMIT_PATH]; /* "": clients aren't asked for a certificate */
	uint32_t tls_client_name;       /* enum config_client_name */
	uint32_t tls_min_version;       /* 12 or 13 */
	uint32_t tls_watch;             /* seconds between looks at the files; 0: none */
	char tls_ciphers[512];          /* TLS 1.2, OpenSSL's words; default RFC 9325's */
	enum config_plaintext plaintext_login;

	/* Users */
	char users_file[LIMIT_PATH];
	struct config_databases userdb; /* none: users_file alone */
	char default_domain[LIMIT_ADDRESS + 1];
	char recipient_delimiter[8]; /* "+"; "": no detail */
	char device_separator[8];    /* config_device_separator() */
	uint32_t auth_threads;       /* 0: one a core */
	uint32_t auth_cache_seconds;
	uint32_t auth_failure_delay_ms;
	uint32_t auth_penalty_max; /* seconds that a guess waits at most; 0: no guess does */
	char app_passwords_file[LIMIT_PATH];      /* "": none */
	char oauth_jwks_file[LIMIT_PATH];         /* "": no JWT is taken */
	char oauth_introspection_url[LIMIT_PATH]; /* "": nobody is asked about tokens */
	char oauth_client_id[256];
	char oauth_client_secret_file[LIMIT_PATH];
	char oauth_ca_file[LIMIT_PATH]; /* "": the system's */
	char oauth_issuer[512];
	char oauth_audience[512];
	char oauth_scope[256];
	char oauth_user_claim[64];
	uint32_t oauth_cache_seconds;
	uint32_t pam_first_uid; /* users of this machine below it are none here */
	uint32_t pam_processes; /* that verify passwords at a time */
	uint32_t pam_timeout;   /* seconds that a module may take */
	bool apop;              /* greet with a timestamp, offer APOP and CRAM-MD5 */

	/* Mail */
	char store_driver[32];
	char mail_location[LIMIT_PATH]; /* %u user, %n local part, %d domain, %h home */
	char mail_user[64];          /* storage runs as this user; "": as each owner (needs root) */
	char server_user[64];        /* listeners and auth run as this user when started by root */
	uint32_t storage_threads;    /* 0: 4 */
	uint64_t message_size_limit; /* octets; 0: none */
	uint32_t lmtp_max_recipients;
	enum config_delivered_to lmtp_delivered_to;
	bool utf8_downgrade;      /* internationalised messages, for clients that don't say UTF8 */
	uint64_t quota_grace;     /* octets by which the last message may exceed a quota */
	uint32_t login_delay_max; /* seconds; 0: login_delay */
	uint32_t expire_days_min; /* 0: expire_days */
	uint32_t expire_interval; /* seconds from one look at a maildrop to the next */
	struct maildrop_rules rules; /* of users who have none of their own */

	/* Limits */
	uint32_t listeners; /* 0: one a core */
	uint32_t max_connections;
	uint32_t max_connections_per_address;
	uint32_t max_connections_per_user; /* logged in or logging in */
	uint32_t login_timeout;            /* seconds, before login */
	uint32_t idle_timeout;             /* seconds, after login; RFC 1939 asks for 600 */
	uint32_t write_timeout;            /* seconds in which a client must take something */
	uint32_t max_bad_commands;
	uint32_t drain_timeout; /* seconds that old sessions have after SIGTERM */

	/* Operation */
	char control[LIMIT_PATH]; /* UNIX socket for restantectl, also in listen; "": none */
	char pid_file[LIMIT_PATH];
	enum log_target log_target;
	enum log_format log_format;
	enum log_level log_level;
};

/* Without a certificate there is no TLS. */
static inline bool config_has_tls(const struct config *c)
{
	return c->tls_certificate[0] != '\0' || c->n_tls_certificates > 0;
}

/*
 * Reads path into *ret_config, with defaults for what it doesn't say. On failure
 * *err names the file and line and *ret_config is untouched. -EINVAL for what is
 * wrong in the file, otherwise as reading it went.
 */
int config_load(const char *path, struct config *ret_config, struct err *err);

/* What stands between user and device in the name of a login; '\0': there are no such names. */
static inline char config_device_separator(const struct config *c)
{
	return c->device_separator[0] != '\0' && c->device_separator[1] == '\0'
		       ? c->device_separator[0]
		       : '\0';
}

/* What users' own rules are held to. */
struct maildrop_bounds config_bounds(const struct config *c);

/* The user databases, also where userdb names none and users_file is the only one. */
void config_databases(const struct config *c, struct config_databases *ret);

/* Of them, whether any is PAM; and whether any is not: then some may know what SCRAM wants. */
bool config_has_pam(const struct config *c);
bool config_keeps_secrets(const struct config *c);

/* APOP and CRAM-MD5 are on, and can work. */
bool config_offers_apop(const struct config *c);

/* Whether PAM is asked as this service. */
bool config_is_pam_service(const struct config *c, const char *service);

/* False when userdb names databases, and none of them is users_file. */
bool config_reads_users_file(const struct config *c);

/* What is allowed and still worth a line in the log. Number i from 0, or NULL past the end. */
const char *config_warning(const struct config *c, unsigned i);

/* OAuth's mechanisms can be offered: somebody can say whether a token is good. */
static inline bool config_has_oauth(const struct config *c)
{
	return c->oauth_jwks_file[0] != '\0' || c->oauth_introspection_url[0] != '\0';
}

/* The table, for checks and documentation: name, default as text, one line of what it is. */
struct config_option {
	const char *name;
	const char *
		type; /* "string", "number", "duration", "size", "mode", "bool", "choice", "list" */
	const char *fallback;
	const char *what;
};

/* Number i from 0, or NULL past the end. */
const struct config_option *config_option(unsigned i);
