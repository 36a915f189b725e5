/* SPDX-License-Identifier: MIT */
#include "server/config.h"

#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/comment.h"
#include "base/text_file.h"
#include "server/config_priv.h"

/* A configuration is a page or two; a file that is longer is another file. */
#define FILE_MAX (1U << 20)

/*
 * libconfuse's callbacks have no argument of ours: one file is read at a time,
 * and this is it.
 */
static struct config_reading reading;

/* What libconfuse itself finds: unknown options, syntax. */
__attribute__((format(printf, 2, 0))) static void on_confuse_error(cfg_t *cfg, const char *fmt,
								   va_list ap)
{
	char text[ERR_TEXT_MAX / 2];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	config_complain(&reading, cfg->line, "%s", text);
}

static const struct config_row *row_named(const char *name, size_t *ret_i)
{
	for (size_t i = 0; i < config_n_rows; i++) {
		if (strcmp(config_rows[i].option.name, name) == 0) {
			*ret_i = i;
			return &config_rows[i];
		}
	}
	return NULL;
}

/* Called by libconfuse for each value in the file, while it stands on the value's line. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	size_t i;
	const struct config_row *const row = row_named(opt->name, &i);

	assert(row != NULL);
	if (!config_row_is_list(row) && reading.line[i] != 0) {
		config_complain(&reading, cfg->line, "%s is given twice (first in line %d)",
				opt->name, reading.line[i]);
		return -1;
	}
	reading.line[i] = cfg->line;
	*(const char **)result = value;
	return config_set(&reading, row, cfg->line, value) ? 0 : -1;
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
	config_complain(&reading, line_of(name), "%s needs an absolute path, not \"%s\"", name,
			value);
	return false;
}

/* It stands in greetings and timestamps, and its line is one. */
static bool check_hostname(const char *name)
{
	for (const char *c = name; *c != '\0'; c++) {
		if (*c > ' ' && *c < 0x7f && strchr("<>@\"\\", *c) == NULL)
			continue;
		config_complain(&reading, line_of("hostname"),
				"hostname is the name of a machine, without spaces");
		return false;
	}
	return true;
}

/* It is put behind an '@'; ASCII or UTF-8. */
static bool check_domain(const char *domain)
{
	for (const char *c = domain; *c != '\0'; c++) {
		if ((unsigned char)*c > ' ' && *c != 0x7f && *c != '@' && *c != '/')
			continue;
		config_complain(&reading, line_of("default_domain"),
				"default_domain is a domain, without \"@\" and spaces");
		return false;
	}
	return true;
}

/* No part of a device's name, nor anything that has a meaning in a user's. */
static bool check_device_separator(const struct config *c)
{
	const char *const text = c->device_separator;

	if (strcmp(text, "none") == 0 ||
	    (config_device_separator(c) != '\0' && strchr("!#$%&*+,;=^|~", text[0]) != NULL))
		return true;
	config_complain(&reading, line_of("device_separator"),
			"device_separator is \"none\", or one of: ! # $ %% & * + , ; = ^ | ~");
	return false;
}

/* What no single option can know. */
/* A secret and tokens go there: in clear only to this machine itself. */
static bool is_safe_url(const char *url)
{
	static const char *const prefixes[] = {
		"https://",      "http://127.0.0.1:", "http://127.0.0.1/", "http://[::1]:",
		"http://[::1]/", "http://localhost:", "http://localhost/"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (strncmp(url, prefixes[i], strlen(prefixes[i])) == 0)
			return url[strlen(prefixes[i])] != '\0';
	}
	return url[0] == '\0';
}

static bool check_oauth(const struct config *c)
{
	/* Any program's token of an issuer would open the mail of whom it is for. */
	if (c->oauth_jwks_file[0] != '\0' &&
	    (c->oauth_issuer[0] == '\0' || c->oauth_audience[0] == '\0')) {
		config_complain(
			&reading, line_of("oauth_jwks_file"),
			"oauth_jwks_file needs oauth_issuer and oauth_audience: whose tokens "
			"count, and that they are for this server");
		return false;
	}
	if (!is_safe_url(c->oauth_introspection_url)) {
		config_complain(&reading, line_of("oauth_introspection_url"),
				"oauth_introspection_url begins with https://, or with http:// and "
				"localhost, 127.0.0.1 or [::1]");
		return false;
	}
	if (c->oauth_client_secret_file[0] != '\0' && c->oauth_client_id[0] == '\0') {
		config_complain(&reading, line_of("oauth_client_secret_file"),
				"oauth_client_secret_file needs oauth_client_id");
		return false;
	}
	if (c->oauth_user_claim[0] == '\0') {
		config_complain(&reading, line_of("oauth_user_claim"),
				"oauth_user_claim may not be empty");
		return false;
	}
	return is_path("oauth_jwks_file", c->oauth_jwks_file) &&
	       is_path("oauth_client_secret_file", c->oauth_client_secret_file) &&
	       is_path("oauth_ca_file", c->oauth_ca_file);
}

static bool check_together(const struct config *c)
{
	uint32_t n_mail = 0;

	for (uint32_t i = 0; i < c->n_listen; i++)
		n_mail += c->listen[i].protocol <= CONFIG_SMTP;
	if (n_mail == 0) {
		config_complain(&reading, 0,
				"there is nothing to listen on: give pop3_listen, pop3s_listen, "
				"lmtp_listen or smtp_listen");
		return false;
	}
	if (c->control[0] != '\0' && c->n_listen == CONFIG_LISTEN_MAX) {
		config_complain(&reading, line_of("control"), "more than %d addresses to listen on",
				CONFIG_LISTEN_MAX);
		return false;
	}
	for (uint32_t i = 0; i < c->n_listen; i++) {
		if (c->listen[i].protocol == CONFIG_POP3S && !config_has_tls(c)) {
			config_complain(&reading, line_of("pop3s_listen"),
					"pop3s_listen needs tls_certificate");
			return false;
		}
		if (c->listen[i].proxy && c->n_proxy_trusted == 0) {
			config_complain(&reading, 0,
					"an address with \"proxy\" needs proxy_trusted: whom to "
					"believe");
			return false;
		}
	}
	if (c->tls_key[0] != '\0' && c->tls_certificate[0] == '\0') {
		config_complain(&reading, line_of("tls_key"), "tls_key needs tls_certificate");
		return false;
	}
	if (c->tls_client_ca[0] != '\0' && !config_has_tls(c)) {
		config_complain(&reading, line_of("tls_client_ca"),
				"tls_client_ca needs tls_certificate");
		return false;
	}
	if (c->users_file[0] == '\0') {
		config_complain(&reading, line_of("users_file"), "users_file may not be empty");
		return false;
	}
	if (c->mail_location[0] != '/' && strncmp(c->mail_location, "%h", 2) != 0) {
		config_complain(&reading, line_of("mail_location"),
				"mail_location must begin with \"/\" or \"%%h\"");
		return false;
	}
	return check_hostname(c->hostname) && check_domain(c->default_domain) &&
	       check_device_separator(c) && is_path("tls_certificate", c->tls_certificate) &&
	       is_path("tls_key", c->tls_key) && is_path("tls_client_ca", c->tls_client_ca) &&
	       is_path("users_file", c->users_file) &&
	       is_path("app_passwords_file", c->app_passwords_file) && check_oauth(c) &&
	       is_path("control", c->control) && is_path("pid_file", c->pid_file);
}

static void fill_in(struct config *c)
{
	if (c->hostname[0] == '\0' && gethostname(c->hostname, sizeof(c->hostname)) < 0)
		c->hostname[0] = '\0';
	c->hostname[sizeof(c->hostname) - 1] = '\0';
	if (c->hostname[0] == '\0')
		memcpy(c->hostname, "localhost", sizeof("localhost"));
	if (c->control[0] != '\0') {
		struct config_listen *const l = &c->listen[c->n_listen++];

		*l = (struct config_listen){.protocol = CONFIG_CONTROL};
		memcpy(l->host, c->control, sizeof(l->host));
	}
	if (c->tls_key[0] == '\0')
		memcpy(c->tls_key, c->tls_certificate, sizeof(c->tls_key));
}

static bool parse(char *text)
{
	cfg_opt_t opts[CONFIG_ROWS_MAX + 1];
	bool ok;
	int plus;

	memset(opts, 0, sizeof(opts));
	for (size_t i = 0; i < config_n_rows; i++) {
		opts[i].name = config_rows[i].option.name;
		opts[i].type = CFGT_STR;
		opts[i].flags = CFGF_NODEFAULT;
		if (config_row_is_list(&config_rows[i]))
			opts[i].flags |= CFGF_LIST;
		opts[i].parsecb = on_value;
	}

	cfg_t *const cfg = cfg_init(opts, CFGF_NONE);

	if (cfg == NULL) {
		config_complain(&reading, 0, "no memory");
		return false;
	}
	cfg_set_error_function(cfg, on_confuse_error);
	comment_blank(text);
	plus = comment_lone_plus(text);
	if (plus != 0)
		config_complain(&reading, plus,
				"unexpected token '+': a value with it stands in quotes");
	ok = cfg_parse_buf(cfg, text) == CFG_SUCCESS;
	cfg_free(cfg);
	if (!ok)
		config_complain(&reading, 0, "it cannot be understood");
	return ok && !reading.failed;
}

static void set_fallbacks(void)
{
	for (size_t i = 0; i < config_n_rows; i++) {
		if (config_row_is_list(&config_rows[i]))
			continue;

		const bool ok = config_set(&reading, &config_rows[i], 0,
					   config_rows[i].option.fallback);

		assert(ok);
		(void)ok;
	}
}

int config_load(const char *path, struct config *ret_config, struct err *err)
{
	struct text_file file;
	struct config *c;
	int r = text_file_read(path, FILE_MAX, &file, err);

	if (r < 0)
		return r;
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		free(file.text);
		return err_sys(err, ENOMEM, "cannot read '%s'", path);
	}
	memset(&reading, 0, sizeof(reading));
	reading.path = path;
	reading.config = c;
	reading.err = err;
	set_fallbacks();
	if (parse(file.text) && check_together(c)) {
		fill_in(c);
		memcpy(ret_config, c, sizeof(*c));
	} else {
		r = -EINVAL;
	}
	free(file.text);
	free(c);
	memset(&reading, 0, sizeof(reading));
	return r;
}

struct maildrop_bounds config_bounds(const struct config *c)
{
	const uint32_t delay = c->rules.login_delay;
	const uint32_t days = c->rules.expire_days;
	const uint32_t least = c->expire_days_min;

	return (struct maildrop_bounds){
		.login_delay = c->login_delay_max > delay ? c->login_delay_max : delay,
		.expire_days = days == 0 || (least != 0 && least < days) ? least : days,
	};
}

void config_databases(const struct config *c, struct config_databases *ret)
{
	*ret = c->userdb;
	if (ret->n > 0)
		return;
	ret->n = 1;
	(void)snprintf(ret->spec[0], sizeof(ret->spec[0]), "passwd-file:%s", c->users_file);
}

static const char pam_kind[] = "pam:";

static bool is_pam(const char *spec)
{
	return strncmp(spec, pam_kind, sizeof(pam_kind) - 1) == 0;
}

bool config_has_pam(const struct config *c)
{
	for (uint32_t i = 0; i < c->userdb.n; i++) {
		if (is_pam(c->userdb.spec[i]))
			return true;
	}
	return false;
}

bool config_keeps_secrets(const struct config *c)
{
	for (uint32_t i = 0; i < c->userdb.n; i++) {
		if (!is_pam(c->userdb.spec[i]))
			return true;
	}
	return c->userdb.n == 0;
}

bool config_offers_apop(const struct config *c)
{
	return c->apop && config_keeps_secrets(c);
}

bool config_is_pam_service(const struct config *c, const char *service)
{
	for (uint32_t i = 0; i < c->userdb.n; i++) {
		if (is_pam(c->userdb.spec[i]) &&
		    strcmp(c->userdb.spec[i] + sizeof(pam_kind) - 1, service) == 0)
			return true;
	}
	return false;
}

bool config_reads_users_file(const struct config *c)
{
	static const char kind[] = "passwd-file:";

	for (uint32_t i = 0; i < c->userdb.n; i++) {
		if (strncmp(c->userdb.spec[i], kind, sizeof(kind) - 1) == 0 &&
		    strcmp(c->userdb.spec[i] + sizeof(kind) - 1, c->users_file) == 0)
			return true;
	}
	return c->userdb.n == 0;
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
		c->oauth_introspection_url[0] != '\0' && c->oauth_audience[0] == '\0'
			? "a token for any other program opens mail too: oauth_audience is empty"
			: NULL,
		c->auth_penalty_max >= c->login_timeout
			? "who guesses right after all has no time left: auth_penalty_max isn't "
			  "below login_timeout"
			: NULL,
		c->apop && !config_keeps_secrets(c)
			? "apop has no effect: PAM tells nobody a user's password"
			: NULL,
	};

	for (size_t k = 0; k < sizeof(warnings) / sizeof(warnings[0]); k++) {
		if (warnings[k] != NULL && i-- == 0)
			return warnings[k];
	}
	return NULL;
}
