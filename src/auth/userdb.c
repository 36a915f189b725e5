/* SPDX-License-Identifier: MIT */
#include "auth/userdb.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/out.h"
#include "base/secret.h"
#include "codec/smtp/smtp_address.h"
#include "auth/passwd_file.h"
#include "auth/user_name.h"
#include "auth/userdb_priv.h"

/*
 * For a database without any secret to take as decoy: our default scheme, over a
 * password that nobody knows, for it was random.
 */
static const char dummy_secret[] =
	"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$TBJMyVc0srJZ4DIPWKetBg$"
	"BfhFTyxb7jSiRk3KPIPjl6V8rczz2Tv36gsFJGKnJJ8";

struct userdb {
	char domain[LIMIT_ADDRESS + 1];
	char delimiters[8];
	userdb_notice *notice;
	void *notice_arg;
	struct userdb_source sources[USERDB_SOURCES_MAX];
	unsigned n_sources;
	unsigned running; /* queries */
	uint32_t first_uid;
	struct userdb_pam_asker pam;
	int epoll; /* the sources' descriptors; -1: none has one */
};

struct userdb *userdb_new(const struct userdb_rules *rules, userdb_notice *notice, void *arg)
{
	struct userdb *db = calloc(1, sizeof(*db));

	if (db == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof(db->domain) - 1 && rules->default_domain[i] != '\0'; i++)
		db->domain[i] = span_ascii_lower(rules->default_domain[i]);
	(void)snprintf(db->delimiters, sizeof(db->delimiters), "%s", rules->recipient_delimiter);
	db->first_uid = rules->first_uid;
	db->notice = notice;
	db->notice_arg = arg;
	db->epoll = -1;
	return db;
}

void userdb_free(struct userdb *db)
{
	if (db == NULL)
		return;
	for (unsigned i = 0; i < db->n_sources; i++)
		db->sources[i].ops->free(db->sources[i].state);
	if (db->epoll >= 0)
		(void)close(db->epoll);
	free(db);
}

void userdb_add_source(struct userdb *db, const struct userdb_source *source)
{
	assert(db->n_sources < USERDB_SOURCES_MAX);
	db->sources[db->n_sources++] = *source;
}

int userdb_add_watched(struct userdb *db, const struct userdb_source *source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = db->n_sources};

	if (db->epoll < 0)
		db->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (db->epoll < 0 ||
	    epoll_ctl(db->epoll, EPOLL_CTL_ADD, source->ops->fd(source->state), &event) < 0)
		return -errno;
	userdb_add_source(db, source);
	return 0;
}

static int open_passwd_file(const struct userdb_spec *spec, struct userdb_source *ret_source,
			    struct err *err)
{
	const int r = userdb_passwd_open(spec->argument, spec->notice, spec->notice_arg,
					 ret_source);

	return r < 0 ? err_sys(err, -r, "cannot open '%s'", spec->title) : 0;
}

static const struct {
	const char *kind;
	int (*open)(const struct userdb_spec *spec, struct userdb_source *ret_source,
		    struct err *err);
	bool network; /* what answers may be on another machine */
} kinds[] = {
	{"passwd-file:", open_passwd_file, false}, {"sqlite:", userdb_sqlite_open, false},
	{"pam:", userdb_pam_open, false},
#ifdef USERDB_PGSQL
	{"pgsql:", userdb_pgsql_open, true},
#endif
#ifdef USERDB_LDAP
	{"ldap:", userdb_ldap_open, true},
#endif
};

bool userdb_needs_network(const char *spec)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strncmp(spec, kinds[i].kind, strlen(kinds[i].kind)) == 0)
			return kinds[i].network;
	}
	return false;
}

static int add(struct userdb *db, const char *text, struct err *err)
{
	struct userdb_source source;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const size_t n = strlen(kinds[i].kind);
		const struct userdb_spec spec = {
			.title = text,
			.argument = text + n,
			.notice = db->notice,
			.notice_arg = db->notice_arg,
			.first_uid = db->first_uid,
			.pam = db->pam,
		};

		if (strncmp(text, kinds[i].kind, n) != 0)
			continue;

		int r = kinds[i].open(&spec, &source, err);

		if (r < 0)
			return r;
		if (source.ops->fd == NULL) {
			userdb_add_source(db, &source);
			return 0;
		}
		r = userdb_add_watched(db, &source);
		if (r == 0)
			return 0;
		source.ops->free(source.state);
		return err_sys(err, -r, "cannot open '%s'", text);
	}
	return err_set(err, EINVAL, "'%s' is no kind of database that this program was built with",
		       text);
}

void userdb_use_pam(struct userdb *db, const struct userdb_pam_asker *asker)
{
	db->pam = *asker;
}

int userdb_add(struct userdb *db, const char *spec, struct err *err)
{
	const int r = add(db, spec, err);

	if (r == 0) {
		const struct userdb_source *s = &db->sources[db->n_sources - 1];

		s->ops->refresh(s->state);
	}
	return r;
}

int userdb_check(struct userdb *db, const char *spec, struct err *err)
{
	const int r = add(db, spec, err);

	if (r < 0)
		return r;

	const struct userdb_source *s = &db->sources[db->n_sources - 1];

	return s->ops->check == NULL ? 0 : s->ops->check(s->state, err);
}

/* ---- a database that could not be added ---- */

static enum userdb_status away_lookup(void *state, struct userdb_query *q, const char *name,
				      struct user_record *ret_record)
{
	(void)state;
	(void)q;
	(void)name;
	(void)ret_record;
	return USERDB_AWAY;
}

static void away_nothing(void *state)
{
	(void)state;
}

static bool away_decoy(void *state, const char *name, struct user_record *record)
{
	(void)state;
	(void)name;
	(void)record;
	return false;
}

void userdb_add_away(struct userdb *db)
{
	static const struct userdb_source_ops away_ops = {
		.lookup = away_lookup,
		.refresh = away_nothing,
		.decoy = away_decoy,
		.free = away_nothing,
	};

	userdb_add_source(db, &(const struct userdb_source){.ops = &away_ops});
}

/* ---- all of them ---- */

int userdb_fd(const struct userdb *db)
{
	return db->epoll;
}

void userdb_dispatch(struct userdb *db)
{
	struct epoll_event ready[USERDB_SOURCES_MAX];
	const int n = epoll_wait(db->epoll, ready, USERDB_SOURCES_MAX, 0);

	for (int i = 0; i < n; i++) {
		const struct userdb_source *s = &db->sources[ready[i].data.u32];

		s->ops->dispatch(s->state);
	}
}

bool userdb_may_be_away(const struct userdb *db)
{
	for (unsigned i = 0; i < db->n_sources; i++) {
		if (db->sources[i].ops->cancel != NULL)
			return true;
	}
	return false;
}

bool userdb_is_idle(const struct userdb *db)
{
	return db->running == 0;
}

int userdb_list(struct userdb *db, userdb_name *say, void *arg, struct err *err)
{
	for (unsigned i = 0; i < db->n_sources; i++) {
		const struct userdb_source *s = &db->sources[i];
		const int r = s->ops->list == NULL
				      ? err_set(err, ENOTSUP, "the users can't be listed")
				      : s->ops->list(s->state, say, arg, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int userdb_add_passwd_file(struct userdb *db, const char *path)
{
	struct userdb_source source;
	const int r = userdb_passwd_open(path, db->notice, db->notice_arg, &source);

	if (r < 0)
		return r;
	userdb_add_source(db, &source);
	source.ops->refresh(source.state);
	return 0;
}

void userdb_refresh(struct userdb *db)
{
	for (unsigned i = 0; i < db->n_sources; i++)
		db->sources[i].ops->refresh(db->sources[i].state);
}

static void finish(struct userdb_query *q, enum userdb_status status,
		   const struct user_record *record)
{
	q->_answered = q->_db;
	q->_db->running--;
	q->_db = NULL;
	/* The query's memory may be gone after this. */
	q->done(q, status, record);
}

/* One source has answered for one name. True when the next one is to be asked. */
static bool take_answer(struct userdb_query *q, enum userdb_status status,
			const struct user_record *record)
{
	if (status == USERDB_FOUND) {
		finish(q, USERDB_FOUND, record);
		return false;
	}
	if (status == USERDB_AWAY)
		q->_away = true;
	if (++q->_at_source == q->_db->n_sources) {
		q->_at_source = 0;
		q->_at_name++;
	}
	return true;
}

static void run(struct userdb_query *q)
{
	struct user_record record;
	bool more = true;

	while (more) {
		if (q->_at_name == q->_n_names || q->_db->n_sources == 0) {
			finish(q, q->_away ? USERDB_AWAY : USERDB_UNKNOWN, NULL);
			break;
		}

		const struct userdb_source *s = &q->_db->sources[q->_at_source];

		record.rules = (struct maildrop_own_rules){0};
		record.verifies = false;

		const enum userdb_status status = s->ops->lookup(s->state, q, q->_name[q->_at_name],
								 &record);

		if (status == USERDB_LATER) {
			q->_waiting = true;
			break;
		}
		more = take_answer(q, status, &record);
	}
	secret_wipe(record.secret, sizeof(record.secret));
}

void userdb_answer(struct userdb_query *q, enum userdb_status status,
		   const struct user_record *record)
{
	assert(q->_waiting);
	q->_waiting = false;
	if (q->_verifies)
		finish(q, status, NULL);
	else if (take_answer(q, status, record))
		run(q);
}

void userdb_verify(struct userdb_query *q, const struct user_record *record, const char *password,
		   const char *remote)
{
	const struct userdb_source *s = &q->_answered->sources[q->_at_source];

	assert(record->verifies);
	q->_db = q->_answered;
	q->_db->running++;
	q->_verifies = true;

	const enum userdb_status status = s->ops->verify(s->state, q, record, password, remote);

	if (status == USERDB_LATER)
		q->_waiting = true;
	else
		finish(q, status, NULL);
}

void userdb_cancel(struct userdb_query *q)
{
	if (q->_db == NULL)
		return;
	if (q->_waiting) {
		const struct userdb_source *s = &q->_db->sources[q->_at_source];

		s->ops->cancel(s->state, q);
		q->_waiting = false;
	}
	q->_db->running--;
	q->_db = NULL;
}

/* Adds a name to look for, when it is one and isn't there yet. */
static void add_name(struct userdb_query *q, struct span local, struct span domain)
{
	char whole[LIMIT_USER + 1];
	char name[LIMIT_USER + 1];
	struct out out = {.p = whole, .cap = LIMIT_USER};

	if (!out_put(&out, local))
		return;
	if (domain.n > 0 && (!out_char(&out, '@') || !out_put(&out, domain)))
		return;
	if (!user_name_normalise(out_span(&out), name))
		return;
	for (unsigned i = 0; i < q->_n_names; i++) {
		if (strcmp(q->_name[i], name) == 0)
			return;
	}
	assert(q->_n_names < USERDB_CANDIDATES);
	memcpy(q->_name[q->_n_names++], name, strlen(name) + 1);
}

/* The name as it is, and with or without the default domain. */
static void add_names(const struct userdb *db, struct userdb_query *q, struct span local,
		      struct span domain)
{
	const struct span ours = span_str(db->domain);

	add_name(q, local, domain);
	if (ours.n > 0 && domain.n == 0)
		add_name(q, local, ours);
	else if (ours.n > 0 && span_eq_nocase(domain, ours))
		add_name(q, local, span_of(NULL, 0));
}

static void begin(struct userdb *db, struct userdb_query *q)
{
	q->_db = db;
	db->running++;
	q->_answered = NULL;
	q->_verifies = false;
	q->_n_names = 0;
	q->_n_whole = 0;
	q->_at_name = 0;
	q->_at_source = 0;
	q->_away = false;
	q->_by_address = false;
	q->_waiting = false;
}

/* "alice@" is not alice: what has an '@' without a domain is nobody's name. */
static bool has_bare_at(struct span name)
{
	return user_name_domain(name).n == 0 && user_name_local(name).n < name.n;
}

static void add_login(const struct userdb *db, struct userdb_query *q, struct span name)
{
	if (!has_bare_at(name))
		add_names(db, q, user_name_local(name), user_name_domain(name));
}

void userdb_lookup_login(struct userdb *db, struct userdb_query *q, const char *login)
{
	begin(db, q);
	add_login(db, q, span_str(login));
	q->_n_whole = q->_n_names;
	run(q);
}

void userdb_lookup_name(struct userdb *db, struct userdb_query *q, const struct login_name *name)
{
	begin(db, q);
	add_login(db, q, span_str(name->whole));
	q->_n_whole = q->_n_names;
	if (name->device[0] != '\0')
		add_login(db, q, span_str(name->user));
	run(q);
}

bool userdb_is_device(const struct userdb_query *q)
{
	return q->_at_name >= q->_n_whole;
}

static void add_address(const struct userdb *db, struct userdb_query *q, struct span local,
			struct span domain)
{
	size_t n = 0;

	if (span_find(local, '@') < local.n) {
		/* Without our domain, "a@b"@our.domain would be the user of another one. */
		add_name(q, local, domain);
		return;
	}
	add_names(db, q, local, domain);
	while (n < local.n && strchr(db->delimiters, local.p[n]) == NULL)
		n++;
	if (n < local.n)
		add_names(db, q, span_of(local.p, n), domain);
}

void userdb_lookup_address(struct userdb *db, struct userdb_query *q, const char *address)
{
	const struct span whole = span_str(address);
	char local[LIMIT_USER];
	struct out out = {.p = local, .cap = sizeof(local)};
	const bool fits = smtp_local_unquote(&out, user_name_local(whole));

	begin(db, q);
	q->_by_address = true;
	if (fits && !has_bare_at(whole))
		add_address(db, q, out_span(&out), user_name_domain(whole));
	run(q);
}

void userdb_decoy(const struct userdb *db, const char *login, struct user_record *record)
{
	for (unsigned i = 0; i < db->n_sources; i++) {
		if (db->sources[i].ops->decoy(db->sources[i].state, login, record))
			return;
	}
	memcpy(record->secret, dummy_secret, sizeof(dummy_secret));
	memset(record->scram, 0, sizeof(record->scram));
}

bool userdb_scram(const struct user_record *r, enum scram_hash hash, struct scram_keys *ret_keys)
{
	if (scheme_is_locked(r->secret))
		return false;
	return scheme_scram(r->secret, hash, ret_keys) ||
	       scram_keys_parse(hash, span_str(r->scram[hash]), ret_keys);
}

int userdb_maildrop(const struct user_record *r, const struct userdb_place *place,
		    struct userdb_maildrop *ret_maildrop, struct err *err)
{
	const struct user_location of = {
		.name = span_str(r->name),
		.home = r->home,
		.default_domain = place->default_domain,
	};
	struct userdb_maildrop m = {.uid = UINT32_MAX, .gid = UINT32_MAX, .rules = *place->rules};

	if (r->rules.wrong != 0)
		return err_set(err, EINVAL, "a rule of the user's cannot be understood");
	maildrop_rules_override(&m.rules, &r->rules);
	maildrop_rules_bound(&m.rules, &place->bounds);

	if (place->own_ids) {
		m.uid = r->uid;
		m.gid = r->gid;
		if (m.uid == PASSWD_BAD_ID || m.gid == PASSWD_BAD_ID)
			return err_set(err, EINVAL, "the uid or gid is not a number");
		if (m.uid == 0 || m.gid == 0)
			return err_set(err, EINVAL, "mail may not belong to root");
		if ((m.uid == PASSWD_NO_ID) != (m.gid == PASSWD_NO_ID))
			return err_set(err, EINVAL, "there is a uid without a gid, or a gid alone");
	}

	const int r2 = user_mail_path(r->mail[0] != '\0' ? r->mail : place->mail_location, &of,
				      m.path, err);

	if (r2 == 0)
		*ret_maildrop = m;
	return r2;
}
