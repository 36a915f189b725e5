/* SPDX-License-Identifier: MIT */
/*
 * From the text behind an '=' into struct config, or to a complaint with its line.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/out.h"
#include "base/value.h"
#include "server/config_priv.h"
#include "server/config_address.h"

/* The first thing that is wrong with the file is what the operator is told. */
void config_complain(struct config_reading *rd, int line, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX / 2];
	va_list ap;

	if (rd->failed)
		return;
	rd->failed = true;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (line > 0)
		(void)err_set(rd->err, EINVAL, "%s:%d: %s", rd->path, line, text);
	else
		(void)err_set(rd->err, EINVAL, "%s: %s", rd->path, text);
}

static bool in_range(struct config_reading *rd, const struct config_row *row, int line, uint64_t n)
{
	if (n >= row->min && n <= row->max)
		return true;
	config_complain(rd, line, "%s must be from %llu to %llu", row->option.name,
			(unsigned long long)row->min, (unsigned long long)row->max);
	return false;
}

static bool set_number(struct config_reading *rd, const struct config_row *row, int line,
		       const char *text)
{
	char *const to = (char *)rd->config + row->at;
	uint64_t n;
	bool ok;

	if (row->kind == DURATION)
		ok = value_duration(text, UINT64_MAX, &n);
	else if (row->kind == SIZE)
		ok = value_size(text, UINT64_MAX, &n);
	else
		ok = num_parse_u64(span_str(text), UINT64_MAX, &n);
	if (!ok) {
		static const char *const wanted[] = {
			[NUMBER] = "a number",
			[DURATION] = "a time such as \"90\", \"90s\", \"10m\" or \"1h\"",
			[SIZE] = "a size such as \"1048576\", \"50M\" or \"1G\"",
		};

		config_complain(rd, line, "%s needs %s, not \"%s\"", row->option.name,
				wanted[row->kind], text);
		return false;
	}
	if (!in_range(rd, row, line, n))
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
static const struct choice *find_choice(struct config_reading *rd, const struct config_row *row,
					int line, const char *text)
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
	config_complain(rd, line, "%s must be one of: %s; not \"%s\"", row->option.name, words,
			text);
	return NULL;
}

static bool set_choice(struct config_reading *rd, const struct config_row *row, int line,
		       const char *text)
{
	const struct choice *const c = find_choice(rd, row, line, text);

	if (c == NULL)
		return false;
	memcpy((char *)rd->config + row->at, &c->value, sizeof(c->value));
	return true;
}

static bool add_listen(struct config_reading *rd, const struct config_row *row, int line,
		       const char *text)
{
	struct config *const c = rd->config;

	if (c->n_listen == CONFIG_LISTEN_MAX) {
		config_complain(rd, line, "more than %d addresses to listen on", CONFIG_LISTEN_MAX);
		return false;
	}

	struct config_listen *const l = &c->listen[c->n_listen];
	const char *const wrong = config_address(text, row->protocol, l);

	if (wrong != NULL) {
		config_complain(rd, line, "%s: \"%s\": %s", row->option.name, text, wrong);
		return false;
	}
	l->protocol = row->protocol;
	for (uint32_t i = 0; i < c->n_listen; i++) {
		if (c->listen[i].port == l->port && strcmp(c->listen[i].host, l->host) == 0) {
			config_complain(rd, line, "%s: \"%s\" is given twice", row->option.name,
					text);
			return false;
		}
	}
	c->n_listen++;
	return true;
}

static bool add_network(struct config_reading *rd, const struct config_row *row, int line,
			const char *text)
{
	struct config *const c = rd->config;

	if (c->n_proxy_trusted == CONFIG_NETWORKS_MAX) {
		config_complain(rd, line, "%s: more than %d networks", row->option.name,
				CONFIG_NETWORKS_MAX);
		return false;
	}

	const char *const wrong = config_network(text, &c->proxy_trusted[c->n_proxy_trusted]);

	if (wrong != NULL) {
		config_complain(rd, line, "%s: \"%s\": %s", row->option.name, text, wrong);
		return false;
	}
	c->n_proxy_trusted++;
	return true;
}

/* "certificate key", or one file that has both. */
static bool add_certificate(struct config_reading *rd, const struct config_row *row, int line,
			    const char *text)
{
	struct config *const c = rd->config;
	struct config_certificate *const to = &c->tls_certificates[c->n_tls_certificates];
	const size_t n = strcspn(text, " \t");
	const char *const second = text + n + strspn(text + n, " \t");
	const size_t n_second = strlen(second);

	if (c->n_tls_certificates == CONFIG_CERTIFICATES_MAX) {
		config_complain(rd, line, "more than %d certificates", CONFIG_CERTIFICATES_MAX);
		return false;
	}
	if (text[0] != '/' || (n_second > 0 && second[0] != '/') ||
	    strpbrk(second, " \t") != NULL || n >= sizeof(to->certificate) ||
	    n_second >= sizeof(to->key)) {
		config_complain(rd, line,
				"%s needs \"/path/certificate.pem /path/key.pem\", not \"%s\"",
				row->option.name, text);
		return false;
	}
	memcpy(to->certificate, text, n);
	memcpy(to->key, n_second > 0 ? second : text, n_second > 0 ? n_second : n);
	for (uint32_t i = 0; i < c->n_tls_certificates; i++) {
		if (strcmp(c->tls_certificates[i].certificate, to->certificate) == 0) {
			config_complain(rd, line, "%s: \"%s\" is given twice", row->option.name,
					to->certificate);
			return false;
		}
	}
	c->n_tls_certificates++;
	return true;
}

/* A file below /etc/pam.d. */
static bool is_service(const char *name)
{
	const size_t n = strlen(name);

	return n > 0 && n < 64 && name[0] != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       n;
}

/* What is behind the ':' is a file, but for PAM's, a service. */
static const char *wrong_with_database(const char *text)
{
	static const char pam[] = "pam:";
	static const char *const kinds[] = {"passwd-file:", "sqlite:", "pgsql:", "ldap:"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const size_t n = strlen(kinds[i]);

		if (strncmp(text, kinds[i], n) != 0)
			continue;
		return text[n] == '/' ? NULL : "an absolute path must stand behind the ':'";
	}
	if (strncmp(text, pam, sizeof(pam) - 1) == 0)
		return is_service(text + sizeof(pam) - 1)
			       ? NULL
			       : "a service's name, as in /etc/pam.d, must stand behind the ':'";
	return "it must begin with passwd-file:, sqlite:, pgsql:, ldap: or pam:";
}

static bool add_database(struct config_reading *rd, const struct config_row *row, int line,
			 const char *text)
{
	struct config_databases *const to = &rd->config->userdb;
	const char *wrong = wrong_with_database(text);

	if (wrong == NULL && strlen(text) >= sizeof(to->spec[0]))
		wrong = "it is too long";
	for (uint32_t i = 0; wrong == NULL && i < to->n; i++) {
		if (strcmp(to->spec[i], text) == 0)
			wrong = "it is given twice";
	}
	if (wrong == NULL && to->n == CONFIG_DATABASES_MAX)
		wrong = "there are too many";
	if (wrong != NULL) {
		config_complain(rd, line, "%s: \"%s\": %s", row->option.name, text, wrong);
		return false;
	}
	memcpy(to->spec[to->n++], text, strlen(text) + 1);
	return true;
}

static bool set_string(struct config_reading *rd, const struct config_row *row, int line,
		       const char *text)
{
	const size_t n = strlen(text);

	if (row->choices != NULL && find_choice(rd, row, line, text) == NULL)
		return false;
	if (n >= row->max) {
		config_complain(rd, line, "%s is longer than %llu octets", row->option.name,
				(unsigned long long)row->max - 1);
		return false;
	}
	/* All of it, for no trace of a longer value shall stay behind the NUL. */
	memset((char *)rd->config + row->at, 0, row->max);
	memcpy((char *)rd->config + row->at, text, n);
	return true;
}

bool config_set(struct config_reading *rd, const struct config_row *row, int line, const char *text)
{
	char *const to = (char *)rd->config + row->at;

	switch (row->kind) {
	case STRING:
		return set_string(rd, row, line, text);
	case NUMBER:
	case DURATION:
	case SIZE:
		return set_number(rd, row, line, text);
	case CHOICE:
		return set_choice(rd, row, line, text);
	case LISTEN:
		return add_listen(rd, row, line, text);
	case NETWORKS:
		return add_network(rd, row, line, text);
	case PAIRS:
		return add_certificate(rd, row, line, text);
	case DATABASES:
		return add_database(rd, row, line, text);
	case MODE: {
		uint32_t mode;

		if (value_mode(text, &mode)) {
			memcpy(to, &mode, sizeof(mode));
			return true;
		}
		config_complain(rd, line, "%s needs permissions such as \"0660\", not \"%s\"",
				row->option.name, text);
		return false;
	}
	case RULE: {
		struct err err;

		if (maildrop_rules_set(&rd->config->rules, span_str(row->option.name),
				       span_str(text), &err) == 0)
			return true;
		config_complain(rd, line, "%s", err.text);
		return false;
	}
	case BOOL: {
		bool value;

		if (value_bool(text, &value)) {
			memcpy(to, &value, sizeof(value));
			return true;
		}
		config_complain(rd, line, "%s needs \"yes\" or \"no\", not \"%s\"",
				row->option.name, text);
		return false;
	}
	}
	return false;
}
