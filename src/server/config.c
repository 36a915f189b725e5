/* SPDX-License-Identifier: MIT */
#include "server/config.h"

#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/comment.h"
#include "base/num.h"
#include "base/out.h"
#include "restante-build.h"
#include "server/config_value.h"

/* A configuration is a page or two; a file that is longer is another file. */
#define FILE_MAX (1U << 20)

enum kind { STRING, NUMBER, DURATION, SIZE, MODE, BOOL, CHOICE, LISTEN };

/* One of the words of a choice, and the number that stands for it in struct config. */
struct choice {
	const char *word;
	uint32_t value;
};

struct row {
	struct config_option option;
	enum kind kind;
	size_t at;
	uint64_t max; /* the greatest number; of a string, its octets with the NUL */
	uint64_t min;
	const struct choice
		*choices; /* ends with a NULL word; for CHOICE, and for a STRING or NULL */
	enum config_protocol protocol;
};

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
static const struct row rows[] = {
	/* Network */
	{{"pop3_listen", "list", "{}", "addresses for POP3, with STLS when there is a certificate"},
	 .kind = LISTEN, .protocol = CONFIG_POP3},
	{{"pop3s_listen", "list", "{}", "addresses for POP3 in TLS from the first octet"},
	 .kind = LISTEN, .protocol = CONFIG_POP3S},
	{{"lmtp_listen", "list", "{}", "addresses where an MTA delivers by LMTP"},
	 .kind = LISTEN, .protocol = CONFIG_LMTP},
	{{"hostname", "string", "", "name in greetings and file names; empty: the machine's"},
	 TEXT(hostname)},
	{{"lmtp_socket_mode", "mode", "0660", "permissions of LMTP's UNIX sockets"},
	 .kind = MODE, AT(lmtp_socket_mode)},
	{{"lmtp_socket_group", "string", "", "group of LMTP's UNIX sockets; empty: the server's own"},
	 TEXT(lmtp_socket_group)},

	/* TLS */
	{{"tls_certificate", "string", "", "certificate and its chain, PEM; empty: no TLS"},
	 TEXT(tls_certificate)},
	{{"tls_key", "string", "", "its private key, PEM; empty: in the certificate's file"},
	 TEXT(tls_key)},
	{{"tls_min_version", "choice", "1.2", "oldest TLS version: 1.2 or 1.3"},
	 WORD(tls_min_version, tls_choices)},
	{{"tls_ciphers", "string",
	  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
	  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
	  "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305",
	  "cipher suites of TLS 1.2, as OpenSSL writes them"},
	 TEXT(tls_ciphers)},
	{{"plaintext_login", "choice", "loopback",
	  "passwords without TLS: never, loopback, or send-passwords-in-clear"},
	 WORD(plaintext_login, plaintext_choices)},

	/* Users */
	{{"users_file", "string", RESTANTE_SYSCONFDIR "/users", "names and password hashes"},
	 TEXT(users_file)},
	{{"default_domain", "string", "", "appended to a name without @"}, TEXT(default_domain)},
	{{"recipient_delimiter", "string", "+", "user+detail is user; empty: no detail"},
	 TEXT(recipient_delimiter)},
	{{"auth_threads", "number", "0", "threads that check passwords; 0: one a core"},
	 NUM(auth_threads, 0, 128)},
	{{"auth_cache_seconds", "duration", "1h", "how long a right password is remembered; 0: not at all"},
	 SECONDS(auth_cache_seconds, 0, 7 * DAY)},
	{{"auth_failure_delay_ms", "number", "2000", "milliseconds before a wrong password is answered"},
	 NUM(auth_failure_delay_ms, 0, 60000)},
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

	/* Limits */
	{{"listeners", "number", "0", "listener processes; 0: one a core"}, NUM(listeners, 0, 256)},
	{{"max_connections", "number", "10000", "connections in all"},
	 NUM(max_connections, 1, 1000000)},
	{{"max_connections_per_address", "number", "100", "connections from one address; 0: any"},
	 NUM(max_connections_per_address, 0, 1000000)},
	{{"max_connections_per_user", "number", "10",
	  "sessions of one user, logged in or logging in; 0: any"},
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
	{{"pid_file", "string", "", "where the master writes its process id; empty: nowhere"},
	 TEXT(pid_file)},
	{{"log_target", "choice", "stderr", "stderr or syslog"}, WORD(log_target, target_choices)},
	{{"log_format", "choice", "text", "text (key=value) or json"},
	 WORD(log_format, format_choices)},
	{{"log_level", "choice", "info", "error, warn, info or debug"},
	 WORD(log_level, level_choices)},
};
/* clang-format on */

#undef AT
#undef TEXT
#undef NUM
#undef SECONDS
#undef WORD

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/*
 * libconfuse's callbacks have no argument of ours: one file is read at a time,
 * and this is it.
 */
static struct {
	const char *path;
	struct config *config;
	struct err *err;
	bool failed;
	int line[N_ROWS]; /* where each option was given last; 0: nowhere */
} reading;

const struct config_option *config_option(unsigned i)
{
	return i < N_ROWS ? &rows[i].option : NULL;
}

/* The first thing that is wrong with the file is what the operator is told. */
__attribute__((format(printf, 2, 3))) static void complain(int line, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX / 2];
	va_list ap;

	if (reading.failed)
		return;
	reading.failed = true;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (line > 0)
		(void)err_set(reading.err, EINVAL, "%s:%d: %s", reading.path, line, text);
	else
		(void)err_set(reading.err, EINVAL, "%s: %s", reading.path, text);
}

/* What libconfuse itself finds: unknown options, syntax. */
__attribute__((format(printf, 2, 0))) static void on_confuse_error(cfg_t *cfg, const char *fmt,
								   va_list ap)
{
	char text[ERR_TEXT_MAX / 2];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	complain(cfg->line, "%s", text);
}

static bool in_range(const struct row *row, int line, uint64_t n)
{
	if (n >= row->min && n <= row->max)
		return true;
	complain(line, "%s must be from %llu to %llu", row->option.name,
		 (unsigned long long)row->min, (unsigned long long)row->max);
	return false;
}

static bool set_number(const struct row *row, int line, const char *text)
{
	char *const to = (char *)reading.config + row->at;
	uint64_t n;
	bool ok;

	if (row->kind == DURATION)
		ok = config_duration(text, UINT64_MAX, &n);
	else if (row->kind == SIZE)
		ok = config_size(text, UINT64_MAX, &n);
	else
		ok = num_parse_u64(span_str(text), UINT64_MAX, &n);
	if (!ok) {
		static const char *const wanted[] = {
			[NUMBER] = "a number",
			[DURATION] = "a time such as \"90\", \"90s\", \"10m\" or \"1h\"",
			[SIZE] = "a size such as \"1048576\", \"50M\" or \"1G\"",
		};

		complain(line, "%s needs %s, not \"%s\"", row->option.name, wanted[row->kind],
			 text);
		return false;
	}
	if (!in_range(row, line, n))
		return false;
	if (row->kind == SIZE) {
		memcpy(to, &n, sizeof(n));
	} else {
		const uint32_t n32 = (uint32_t)n;

		memcpy(to, &n32, sizeof(n32));
	}
	return true;
}

/* The choice that is called text, or NULL after saying which ones there are. */
static const struct choice *find_choice(const struct row *row, int line, const char *text)
{
	char words[256] = "";
	struct out o = {.p = words, .cap = sizeof(words) - 1};

	for (const struct choice *c = row->choices; c->word != NULL; c++) {
		if (strcmp(c->word, text) == 0)
			return c;
		(void)(o.n == 0 || out_put(&o, SPAN_LIT(", ")));
		(void)out_put(&o, span_str(c->word));
	}
	words[o.n] = '\0';
	complain(line, "%s must be one of: %s; not \"%s\"", row->option.name, words, text);
	return NULL;
}

static bool set_choice(const struct row *row, int line, const char *text)
{
	const struct choice *const c = find_choice(row, line, text);

	if (c == NULL)
		return false;
	memcpy((char *)reading.config + row->at, &c->value, sizeof(c->value));
	return true;
}

static bool add_listen(const struct row *row, int line, const char *text)
{
	struct config *const c = reading.config;

	if (c->n_listen == CONFIG_LISTEN_MAX) {
		complain(line, "more than %d addresses to listen on", CONFIG_LISTEN_MAX);
		return false;
	}

	struct config_listen *const l = &c->listen[c->n_listen];
	const char *const wrong = config_address(text, row->protocol, l);

	if (wrong != NULL) {
		complain(line, "%s: \"%s\": %s", row->option.name, text, wrong);
		return false;
	}
	l->protocol = row->protocol;
	for (uint32_t i = 0; i < c->n_listen; i++) {
		if (c->listen[i].port == l->port && strcmp(c->listen[i].host, l->host) == 0) {
			complain(line, "%s: \"%s\" is given twice", row->option.name, text);
			return false;
		}
	}
	c->n_listen++;
	return true;
}

static bool set_string(const struct row *row, int line, const char *text)
{
	const size_t n = strlen(text);

	if (row->choices != NULL && find_choice(row, line, text) == NULL)
		return false;
	if (n >= row->max) {
		complain(line, "%s is longer than %llu octets", row->option.name,
			 (unsigned long long)row->max - 1);
		return false;
	}
	/* All of it, for no trace of a longer value shall stay behind the NUL. */
	memset((char *)reading.config + row->at, 0, row->max);
	memcpy((char *)reading.config + row->at, text, n);
	return true;
}

static bool set_value(const struct row *row, int line, const char *text)
{
	char *const to = (char *)reading.config + row->at;

	switch (row->kind) {
	case STRING:
		return set_string(row, line, text);
	case NUMBER:
	case DURATION:
	case SIZE:
		return set_number(row, line, text);
	case CHOICE:
		return set_choice(row, line, text);
	case LISTEN:
		return add_listen(row, line, text);
	case MODE: {
		uint32_t mode;

		if (config_mode(text, &mode)) {
			memcpy(to, &mode, sizeof(mode));
			return true;
		}
		complain(line, "%s needs permissions such as \"0660\", not \"%s\"",
			 row->option.name, text);
		return false;
	}
	case BOOL: {
		bool value;

		if (config_bool(text, &value)) {
			memcpy(to, &value, sizeof(value));
			return true;
		}
		complain(line, "%s needs \"yes\" or \"no\", not \"%s\"", row->option.name, text);
		return false;
	}
	}
	return false;
}

static const struct row *row_named(const char *name, size_t *ret_i)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		if (strcmp(rows[i].option.name, name) == 0) {
			*ret_i = i;
			return &rows[i];
		}
	}
	return NULL;
}

/* Called by libconfuse for each value in the file, while it stands on the value's line. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	size_t i;
	const struct row *const row = row_named(opt->name, &i);

	assert(row != NULL);
	if (row->kind != LISTEN && reading.line[i] != 0) {
		complain(cfg->line, "%s is given twice (first in line %d)", opt->name,
			 reading.line[i]);
		return -1;
	}
	reading.line[i] = cfg->line;
	*(const char **)result = value;
	return set_value(row, cfg->line, value) ? 0 : -1;
}

static int line_of(const char *name)
{
	size_t i;

	return row_named(name, &i) != NULL ? reading.line[i] : 0;
}

static bool is_path(const char *name, const char *value)
{
	if (value[0] == '\0' || value[0] == '/')
		return true;
	complain(line_of(name), "%s needs an absolute path, not \"%s\"", name, value);
	return false;
}

/* What no single option can know. */
static bool check_together(const struct config *c)
{
	if (c->n_listen == 0) {
		complain(0, "there is nothing to listen on: give pop3_listen, pop3s_listen or "
			    "lmtp_listen");
		return false;
	}
	for (uint32_t i = 0; i < c->n_listen; i++) {
		if (c->listen[i].protocol == CONFIG_POP3S && c->tls_certificate[0] == '\0') {
			complain(line_of("pop3s_listen"), "pop3s_listen needs tls_certificate");
			return false;
		}
	}
	if (c->tls_key[0] != '\0' && c->tls_certificate[0] == '\0') {
		complain(line_of("tls_key"), "tls_key needs tls_certificate");
		return false;
	}
	if (c->users_file[0] == '\0') {
		complain(line_of("users_file"), "users_file may not be empty");
		return false;
	}
	if (c->mail_location[0] != '/' && strncmp(c->mail_location, "%h", 2) != 0) {
		complain(line_of("mail_location"),
			 "mail_location must begin with \"/\" or \"%%h\"");
		return false;
	}
	return is_path("tls_certificate", c->tls_certificate) && is_path("tls_key", c->tls_key) &&
	       is_path("users_file", c->users_file) && is_path("pid_file", c->pid_file);
}

static void fill_in(struct config *c)
{
	if (c->hostname[0] == '\0' && gethostname(c->hostname, sizeof(c->hostname)) < 0)
		c->hostname[0] = '\0';
	c->hostname[sizeof(c->hostname) - 1] = '\0';
	if (c->hostname[0] == '\0')
		memcpy(c->hostname, "localhost", sizeof("localhost"));
	if (c->tls_key[0] == '\0')
		memcpy(c->tls_key, c->tls_certificate, sizeof(c->tls_key));
}

/* The whole file and a NUL, or NULL. The caller frees it. */
static char *read_file(const char *path, int *ret_r, struct err *err)
{
	struct stat st;
	char *text = NULL;
	size_t n = 0;
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		*ret_r = err_sys(err, errno, "cannot open '%s'", path);
		return NULL;
	}
	if (fstat(fd, &st) < 0) {
		*ret_r = err_sys(err, errno, "cannot read '%s'", path);
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)FILE_MAX) {
		*ret_r = err_set(err, EINVAL, "%s: not a configuration file", path);
		goto out;
	}
	text = malloc(FILE_MAX + 1);
	if (text == NULL) {
		*ret_r = err_sys(err, ENOMEM, "cannot read '%s'", path);
		goto out;
	}
	while (n < FILE_MAX) {
		const ssize_t got = read(fd, text + n, FILE_MAX - n);

		if (got < 0) {
			*ret_r = err_sys(err, errno, "cannot read '%s'", path);
			free(text);
			text = NULL;
			goto out;
		}
		if (got == 0)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
	if (strlen(text) != n) {
		*ret_r = err_set(err, EINVAL, "%s: not a text file", path);
		free(text);
		text = NULL;
	}
out:
	(void)close(fd);
	return text;
}

static bool parse(char *text)
{
	cfg_opt_t opts[N_ROWS + 1];
	bool ok;

	memset(opts, 0, sizeof(opts));
	for (size_t i = 0; i < N_ROWS; i++) {
		opts[i].name = rows[i].option.name;
		opts[i].type = CFGT_STR;
		opts[i].flags = rows[i].kind == LISTEN ? CFGF_LIST | CFGF_NODEFAULT
						       : CFGF_NODEFAULT;
		opts[i].parsecb = on_value;
	}

	cfg_t *const cfg = cfg_init(opts, CFGF_NONE);

	if (cfg == NULL) {
		complain(0, "no memory");
		return false;
	}
	cfg_set_error_function(cfg, on_confuse_error);
	comment_blank(text);
	ok = cfg_parse_buf(cfg, text) == CFG_SUCCESS;
	cfg_free(cfg);
	if (!ok)
		complain(0, "it cannot be understood");
	return ok && !reading.failed;
}

static void set_fallbacks(void)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		if (rows[i].kind == LISTEN)
			continue;

		const bool ok = set_value(&rows[i], 0, rows[i].option.fallback);

		assert(ok);
		(void)ok;
	}
}

int config_load(const char *path, struct config *ret_config, struct err *err)
{
	int r = -EINVAL;
	char *const text = read_file(path, &r, err);
	struct config *const c = calloc(1, sizeof(*c));

	if (text == NULL || c == NULL) {
		if (text != NULL)
			r = err_sys(err, ENOMEM, "cannot read '%s'", path);
		free(text);
		free(c);
		return r;
	}
	memset(&reading, 0, sizeof(reading));
	reading.path = path;
	reading.config = c;
	reading.err = err;
	set_fallbacks();
	if (parse(text) && check_together(c)) {
		fill_in(c);
		memcpy(ret_config, c, sizeof(*c));
		r = 0;
	} else {
		r = -EINVAL;
	}
	free(text);
	free(c);
	memset(&reading, 0, sizeof(reading));
	return r;
}

const char *config_warning(const struct config *c, unsigned i)
{
	const char *const warnings[] = {
		c->idle_timeout < 600
			? "idle_timeout is below the ten minutes that RFC 1939 asks for"
			: NULL,
		c->plaintext_login == CONFIG_PLAINTEXT_ALWAYS
			? "passwords may cross the network in clear: plaintext_login"
			: NULL,
	};

	for (size_t k = 0; k < sizeof(warnings) / sizeof(warnings[0]); k++) {
		if (warnings[k] != NULL && i-- == 0)
			return warnings[k];
	}
	return NULL;
}
