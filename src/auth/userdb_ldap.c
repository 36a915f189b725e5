/* SPDX-License-Identifier: MIT */
/*
 * Users in an LDAP directory (RFC 4511). Either their passwords are read, or the directory
 * verifies them by a bind, on a connection of its own: the one that searches stays who it is.
 */
#include <errno.h>
#include <ldap.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/out.h"
#include "auth/user_name.h"
#include "auth/userdb_settings.h"
#include "auth/userdb_worker.h"

enum {
	URI,
	STARTTLS,
	CA_FILE,
	BIND_DN,
	BIND_PASSWORD,
	BASE,
	FILTER,
	ADDRESS_FILTER,
	LIST_FILTER,
	LIST_ATTRIBUTE,
	ATTRIBUTES,
	VERIFY,
	DEFAULT_SCHEME,
	TIMEOUT,
	CONNECTIONS,
	ROWS
};

static const struct userdb_setting rows[ROWS] = {
	[URI] = {"uri", USERDB_SETTING_TEXT, true, ""},
	[STARTTLS] = {"starttls", USERDB_SETTING_BOOL, false, "no"},
	[CA_FILE] = {"ca_file", USERDB_SETTING_PATH, false, ""},
	[BIND_DN] = {"bind_dn", USERDB_SETTING_TEXT, false, ""},
	[BIND_PASSWORD] = {"bind_password", USERDB_SETTING_SECRET, false, ""},
	[BASE] = {"base", USERDB_SETTING_TEXT, true, ""},
	[FILTER] = {"filter", USERDB_SETTING_TEXT, true, ""},
	[ADDRESS_FILTER] = {"address_filter", USERDB_SETTING_TEXT, false, ""},
	[LIST_FILTER] = {"list_filter", USERDB_SETTING_TEXT, false, ""},
	[LIST_ATTRIBUTE] = {"list_attribute", USERDB_SETTING_TEXT, false, "uid"},
	[ATTRIBUTES] = {"attributes", USERDB_SETTING_TEXT, false, ""},
	[VERIFY] = {"verify", USERDB_SETTING_TEXT, false, "password"},
	[DEFAULT_SCHEME] = {"default_scheme", USERDB_SETTING_TEXT, false, ""},
	[TIMEOUT] = {"timeout", USERDB_SETTING_SECONDS, false, "5s"},
	[CONNECTIONS] = {"connections", USERDB_SETTING_THREADS, false, "4"},
};

#define ATTRIBUTES_MAX 32
#define NAME_MAX_OCTETS 64

/* Three octets for each of a name's, wherever it stands. */
#define FILTER_MAX (8 * 3 * LIMIT_USER)

/* In front of the DN in the record's secret: no scheme has this name. */
#define SECRET_PREFIX "{LDAP-BIND}"

struct ldap_settings {
	struct userdb_settings s;
	bool binds; /* to verify */
	unsigned n;
	char attribute[ATTRIBUTES_MAX][NAME_MAX_OCTETS];
	char column[ATTRIBUTES_MAX][NAME_MAX_OCTETS];
	char *wanted[ATTRIBUTES_MAX + 1]; /* attribute, as libldap wants them */
};

struct connection {
	const struct ldap_settings *l;
	LDAP *ld;
	LDAP *as_user; /* verifies. NULL: not yet */
	uint64_t deadline_ms;
};

static struct timeval time_left(const struct connection *c)
{
	const uint64_t now = clock_mono_ms();
	const uint64_t left = c->deadline_ms > now ? c->deadline_ms - now : 1;

	return (struct timeval){.tv_sec = (time_t)(left / 1000),
				.tv_usec = (suseconds_t)(left % 1000 * 1000)};
}

/* With GnuTLS, libldap has no other words for a certificate that it refuses. */
static const char *in_words(const char *diagnostic)
{
	return strcmp(diagnostic, "(unknown error code)") == 0
		       ? "its certificate is not trusted, or is not for this host"
		       : diagnostic;
}

static int failed(LDAP *ld, int code, struct err *err, const char *what)
{
	char *more = NULL;

	if (code == LDAP_TIMEOUT)
		return err_set(err, ETIMEDOUT, "the directory doesn't answer in time");
	if (ld != NULL)
		(void)ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
	(void)err_set(err, EIO, "cannot %s the directory: %s%s%s", what, ldap_err2string(code),
		      more != NULL && more[0] != '\0' ? ", " : "",
		      more != NULL ? in_words(more) : "");
	ldap_memfree(more);
	return -EIO;
}

/* The answers to message id, to be ldap_msgfree()d, or negative errno. */
static int wait_for(const struct connection *c, LDAP *ld, int id, LDAPMessage **ret,
		    struct err *err)
{
	struct timeval left = time_left(c);
	int code = LDAP_SERVER_DOWN;

	*ret = NULL;
	if (ldap_result(ld, id, LDAP_MSG_ALL, &left, ret) > 0)
		return 0;
	(void)ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &code);
	(void)ldap_abandon_ext(ld, id, NULL, NULL);
	return failed(ld, code == LDAP_SUCCESS ? LDAP_TIMEOUT : code, err, "ask");
}

/* LDAP's result code, or negative errno. */
static int bind_as(const struct connection *c, LDAP *ld, const char *dn, const char *password,
		   struct err *err)
{
	struct berval cred = {.bv_val = (char *)password, .bv_len = strlen(password)};
	LDAPMessage *answer;
	int id;
	int code = ldap_sasl_bind(ld, dn, LDAP_SASL_SIMPLE, &cred, NULL, NULL, &id);
	int r;

	if (code != LDAP_SUCCESS)
		return failed(ld, code, err, "connect to");
	r = wait_for(c, ld, id, &answer, err);
	if (r < 0)
		return r;
	r = ldap_parse_result(ld, answer, &code, NULL, NULL, NULL, NULL, 1);
	return r == LDAP_SUCCESS ? code : failed(ld, r, err, "ask");
}

/* What the system's ldap.conf says of any of these doesn't count here. */
static bool set_options(LDAP *ld, const struct connection *c)
{
	const struct userdb_settings *s = &c->l->s;
	const struct timeval left = time_left(c);
	const int version = LDAP_VERSION3;
	const int demand = LDAP_OPT_X_TLS_DEMAND;
	const int client = 0;

	return ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) == LDAP_OPT_SUCCESS &&
	       ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &left) == LDAP_OPT_SUCCESS &&
	       ldap_set_option(ld, LDAP_OPT_TIMEOUT, &left) == LDAP_OPT_SUCCESS &&
	       ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
	       ldap_set_option(ld, LDAP_OPT_RESTART, LDAP_OPT_ON) == LDAP_OPT_SUCCESS &&
	       ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) == LDAP_OPT_SUCCESS &&
	       (s->value[CA_FILE][0] == '\0' ||
		ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, s->value[CA_FILE]) ==
			LDAP_OPT_SUCCESS) &&
	       ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS;
}

static void close_ldap(LDAP *ld)
{
	if (ld != NULL)
		(void)ldap_unbind_ext(ld, NULL, NULL);
}

static LDAP *open_ldap(const struct connection *c, struct err *err)
{
	LDAP *ld = NULL;
	int code = ldap_initialize(&ld, c->l->s.value[URI]);

	if (code == LDAP_SUCCESS && !set_options(ld, c))
		code = LDAP_LOCAL_ERROR;
	if (code == LDAP_SUCCESS && c->l->s.number[STARTTLS] != 0)
		code = ldap_start_tls_s(ld, NULL, NULL);
	if (code == LDAP_SUCCESS)
		return ld;
	(void)failed(ld, code, err, "connect to");
	close_ldap(ld);
	return NULL;
}

static void disconnect(void *connection)
{
	struct connection *c = connection;

	close_ldap(c->ld);
	close_ldap(c->as_user);
	free(c);
}

static void *open_connection(const void *settings, uint64_t deadline_ms, struct err *err)
{
	struct connection *c = calloc(1, sizeof(*c));
	int code;

	if (c == NULL) {
		(void)err_sys(err, ENOMEM, "cannot connect");
		return NULL;
	}
	c->l = settings;
	c->deadline_ms = deadline_ms;
	c->ld = open_ldap(c, err);
	if (c->ld == NULL)
		goto fail;
	code = bind_as(c, c->ld, c->l->s.value[BIND_DN], c->l->s.value[BIND_PASSWORD], err);
	if (code != LDAP_SUCCESS) {
		if (code > 0)
			(void)failed(c->ld, code, err, "bind to");
		goto fail;
	}
	return c;

fail:
	disconnect(c);
	return NULL;
}

/* RFC 4515, 3: what an octet of a value can't mean is itself. All but letters and digits. */
static bool put_escaped(struct out *out, struct span value)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < value.n; i++) {
		const unsigned char octet = (unsigned char)value.p[i];
		const bool plain = (octet >= '0' && octet <= '9') ||
				   (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z');
		const bool fits = plain ? out_char(out, (char)octet)
					: out_char(out, '\\') && out_char(out, hex[octet >> 4]) &&
						  out_char(out, hex[octet & 15]);

		if (!fits)
			return false;
	}
	return true;
}

/* The filter with the name in it. False when it is too long. */
static bool make_filter(const char *pattern, const char *name, struct out *out)
{
	const struct span whole = span_str(name);
	bool fits = true;

	for (const char *p = pattern; fits && *p != '\0'; p++) {
		if (p[0] == '%' && p[1] == 'n')
			fits = put_escaped(out, whole);
		else if (p[0] == '%' && p[1] == 'u')
			fits = put_escaped(out, user_name_local(whole));
		else if (p[0] == '%' && p[1] == 'd')
			fits = put_escaped(out, user_name_domain(whole));
		else {
			fits = out_char(out, *p);
			continue;
		}
		p++;
	}
	return fits && out_char(out, '\0');
}

/* Asks with the filter, for max entries at most; 0: all that the server gives. */
static int search(const struct connection *c, size_t row, const char *filter, char **wanted,
		  int max, LDAPMessage **ret, struct err *err)
{
	struct timeval left = time_left(c);
	int id;
	int code = ldap_search_ext(c->ld, c->l->s.value[BASE], LDAP_SCOPE_SUBTREE, filter, wanted,
				   0, NULL, NULL, &left, max, &id);
	int r;

	if (code == LDAP_FILTER_ERROR) {
		(void)userdb_settings_wrong(&c->l->s, row, err, "is no filter");
		return -EIO;
	}
	if (code != LDAP_SUCCESS)
		return failed(c->ld, code, err, "ask");
	r = wait_for(c, c->ld, id, ret, err);
	if (r < 0)
		return r;
	r = ldap_parse_result(c->ld, *ret, &code, NULL, NULL, NULL, NULL, 0);
	if (r == LDAP_SUCCESS)
		r = code;
	/* That there is more is seen by what came. */
	if (r == LDAP_SUCCESS || (r == LDAP_SIZELIMIT_EXCEEDED && max > 0))
		return 0;
	(void)failed(c->ld, r, err, "ask");
	(void)ldap_msgfree(*ret);
	return -EIO;
}

static int take_attribute(const struct connection *c, LDAPMessage *entry, unsigned i,
			  struct user_record *r, struct err *err)
{
	const struct ldap_settings *l = c->l;
	struct berval **values = ldap_get_values_len(c->ld, entry, l->attribute[i]);
	int result = 0;

	if (values == NULL)
		return 0;
	if (ldap_count_values_len(values) > 1)
		result = err_set(err, EINVAL, "user '%s': %s has several values", r->name,
				 l->attribute[i]);
	else if (values[0] != NULL)
		result = userdb_record_set(r, span_str(l->column[i]), l->s.value[DEFAULT_SCHEME],
					   span_of(values[0]->bv_val, values[0]->bv_len), err);
	ldap_value_free_len(values);
	return result;
}

static int take_entry(const struct connection *c, LDAPMessage *entry, struct user_record *r,
		      struct err *err)
{
	char *dn;
	int n;

	for (unsigned i = 0; i < c->l->n; i++) {
		const int result = take_attribute(c, entry, i, r, err);

		if (result < 0)
			return result;
	}
	if (!c->l->binds)
		return 1;
	dn = ldap_get_dn(c->ld, entry);
	if (dn == NULL)
		return err_set(err, ENOMEM, "cannot ask the directory");
	n = snprintf(r->secret, sizeof(r->secret), "%s%s", SECRET_PREFIX, dn);
	r->verifies = true;
	ldap_memfree(dn);
	if (n < 0 || (size_t)n >= sizeof(r->secret))
		return err_set(err, EINVAL, "user '%s': the DN is too long", r->name);
	return 1;
}

static int lookup(void *connection, const struct userdb_question *q, struct user_record *ret_record,
		  struct err *err)
{
	struct connection *c = connection;
	const size_t row = q->by_address && c->l->s.value[ADDRESS_FILTER][0] != '\0'
				   ? ADDRESS_FILTER
				   : FILTER;
	char filter[FILTER_MAX];
	struct out out = {.p = filter, .cap = sizeof(filter)};
	LDAPMessage *answer;
	int r;

	c->deadline_ms = q->deadline_ms;
	if (!make_filter(c->l->s.value[row], q->name, &out))
		return userdb_settings_wrong(&c->l->s, row, err, "is too long");
	r = search(c, row, filter, (char **)c->l->wanted, 2, &answer, err);
	if (r < 0)
		return r;
	if (ldap_count_entries(c->ld, answer) > 1)
		r = err_set(err, EINVAL, "there is more than one entry for '%s'", q->name);
	else if (ldap_count_entries(c->ld, answer) == 1)
		r = take_entry(c, ldap_first_entry(c->ld, answer), ret_record, err);
	(void)ldap_msgfree(answer);
	return r;
}

/* An entry that may not log in, or has no password, is nobody who is away. */
static bool is_refusal(int code)
{
	return code == LDAP_INVALID_CREDENTIALS || code == LDAP_INAPPROPRIATE_AUTH ||
	       code == LDAP_NO_SUCH_OBJECT || code == LDAP_UNWILLING_TO_PERFORM ||
	       code == LDAP_CONSTRAINT_VIOLATION;
}

static int verify(void *connection, const struct userdb_question *q, struct err *err)
{
	struct connection *c = connection;
	const size_t n = strlen(SECRET_PREFIX);
	int code;

	/* RFC 4513, 5.1.2: without a password, a bind verifies nothing, and is a success. */
	if (q->password[0] == '\0' || strncmp(q->secret, SECRET_PREFIX, n) != 0 ||
	    q->secret[n] == '\0')
		return 0;
	c->deadline_ms = q->deadline_ms;
	if (c->as_user == NULL)
		c->as_user = open_ldap(c, err);
	if (c->as_user == NULL)
		return -EIO;
	code = bind_as(c, c->as_user, q->secret + n, q->password, err);
	if (code < 0)
		return code;
	if (code == LDAP_SUCCESS)
		return 1;
	return is_refusal(code) ? 0 : failed(c->as_user, code, err, "bind to");
}

static int list(void *connection, userdb_name *say, void *arg, struct err *err)
{
	struct connection *c = connection;
	const struct userdb_settings *s = &c->l->s;
	char *wanted[] = {(char *)s->value[LIST_ATTRIBUTE], NULL};
	LDAPMessage *answer;
	int r;

	if (s->value[LIST_FILTER][0] == '\0')
		return userdb_settings_wrong(s, LIST_FILTER, err,
					     "is missing: the users can't be listed");
	r = search(c, LIST_FILTER, s->value[LIST_FILTER], wanted, 0, &answer, err);
	if (r < 0)
		return r;
	for (LDAPMessage *e = ldap_first_entry(c->ld, answer); e != NULL;
	     e = ldap_next_entry(c->ld, e)) {
		struct berval **values = ldap_get_values_len(c->ld, e, s->value[LIST_ATTRIBUTE]);

		/* libldap puts a NUL behind each. */
		if (values != NULL && values[0] != NULL)
			say(arg, values[0]->bv_val);
		ldap_value_free_len(values);
	}
	(void)ldap_msgfree(answer);
	return 0;
}

static void settings_free(void *settings)
{
	struct ldap_settings *l = settings;

	userdb_settings_done(&l->s);
	free(l);
}

static const struct userdb_driver driver = {
	.connect = open_connection,
	.lookup = lookup,
	.verify = verify,
	.list = list,
	.disconnect = disconnect,
	.free = settings_free,
};

static bool take_word(char *to, struct span word)
{
	if (word.n == 0 || word.n >= NAME_MAX_OCTETS)
		return false;
	memcpy(to, word.p, word.n);
	to[word.n] = '\0';
	return true;
}

/* "attribute=column, attribute=column": commas and spaces between. */
static int read_attributes(struct ldap_settings *l, struct err *err)
{
	static const char between[] = ", \t";
	const char *p = l->s.value[ATTRIBUTES];

	if (p[0] == '\0' && !l->binds)
		p = "userPassword=password";
	for (p += strspn(p, between); *p != '\0'; p += strspn(p, between)) {
		const size_t n = strcspn(p, between);
		const size_t n_name = span_find(span_of(p, n), '=');

		if (l->n == ATTRIBUTES_MAX || n_name == n ||
		    !take_word(l->attribute[l->n], span_of(p, n_name)) ||
		    !take_word(l->column[l->n], span_of(p + n_name + 1, n - n_name - 1)))
			return userdb_settings_wrong(&l->s, ATTRIBUTES, err,
						     "needs attribute=column, ...");
		if (l->binds && (strcmp(l->column[l->n], "password") == 0 ||
				 strncmp(l->column[l->n], "scram_", 6) == 0))
			return userdb_settings_wrong(
				&l->s, ATTRIBUTES, err,
				"has a password, which is not read with verify = bind");
		l->wanted[l->n] = l->attribute[l->n];
		l->n++;
		p += n;
	}
	/* Else it would be all. */
	if (l->n == 0)
		l->wanted[0] = (char *)LDAP_NO_ATTRS;
	return 0;
}

static int check(struct ldap_settings *l, struct err *err)
{
	const char *const how = l->s.value[VERIFY];

	l->binds = strcmp(how, "bind") == 0;
	if (!l->binds && strcmp(how, "password") != 0)
		return userdb_settings_wrong(&l->s, VERIFY, err, "needs \"password\" or \"bind\"");
	if (ldap_is_ldap_url(l->s.value[URI]) == 0)
		return userdb_settings_wrong(&l->s, URI, err,
					     "needs ldap://, ldaps:// or ldapi://");
	if (l->s.value[BIND_DN][0] != '\0' && l->s.value[BIND_PASSWORD][0] == '\0')
		return userdb_settings_wrong(&l->s, BIND_PASSWORD, err, "is missing");
	return read_attributes(l, err);
}

int userdb_ldap_open(const struct userdb_spec *spec, struct userdb_source *ret_source,
		     struct err *err)
{
	struct ldap_settings *l = calloc(1, sizeof(*l));
	int r;

	if (l == NULL)
		return err_sys(err, ENOMEM, "cannot open '%s'", spec->title);
	r = userdb_settings_read(spec->argument, rows, ROWS, &l->s, err);
	if (r == 0)
		r = check(l, err);
	if (r < 0) {
		settings_free(l);
		return r;
	}

	const struct userdb_worker_options options = {
		.driver = &driver,
		.settings = l,
		.title = spec->title,
		.threads = l->s.number[CONNECTIONS],
		.timeout_ms = l->s.number[TIMEOUT] * 1000,
		.notice = spec->notice,
		.notice_arg = spec->notice_arg,
	};

	r = userdb_worker_open(&options, ret_source);
	return r < 0 ? err_sys(err, -r, "cannot open '%s'", spec->title) : 0;
}
