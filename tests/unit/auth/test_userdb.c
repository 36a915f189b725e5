/* SPDX-License-Identifier: MIT */
/* Which user a name belongs to: domains, details, several databases, and answers that take time. */
#include "auth/userdb.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "auth/passwd_file.h"
#include "auth/userdb_priv.h"

/* A database that answers when the test says so. */
struct slow {
	const char *name; /* of its only user */
	struct userdb_query *waiting;
	char asked[256]; /* for which names, in order */
	unsigned cancelled;
	bool later;
	bool away;
};

static enum userdb_status slow_lookup(void *state, struct userdb_query *q, const char *name,
				      struct user_record *ret_record)
{
	struct slow *s = state;
	const size_t n = strlen(s->asked);

	(void)snprintf(s->asked + n, sizeof(s->asked) - n, "%s ", name);
	if (s->later) {
		s->waiting = q;
		return USERDB_LATER;
	}
	if (s->away)
		return USERDB_AWAY;
	if (s->name == NULL || strcmp(s->name, name) != 0)
		return USERDB_UNKNOWN;
	*ret_record = (struct user_record){.uid = 5};
	(void)snprintf(ret_record->name, sizeof(ret_record->name), "%s", name);
	return USERDB_FOUND;
}

static void slow_cancel(void *state, struct userdb_query *q)
{
	struct slow *s = state;

	assert_ptr_equal(s->waiting, q);
	s->waiting = NULL;
	s->cancelled++;
}

static void slow_refresh(void *state)
{
	(void)state;
}

static bool slow_decoy(void *state, const char *name, struct user_record *record)
{
	(void)state;
	(void)name;
	(void)record;
	return false;
}

static void slow_free(void *state)
{
	(void)state;
}

static const struct userdb_source_ops slow_ops = {
	.lookup = slow_lookup,
	.cancel = slow_cancel,
	.refresh = slow_refresh,
	.decoy = slow_decoy,
	.free = slow_free,
};

struct answer {
	unsigned times;
	enum userdb_status status;
	char name[LIMIT_USER + 1];
};

static void on_answer(struct userdb_query *q, enum userdb_status status,
		      const struct user_record *record)
{
	struct answer *a = q->owner;

	a->times++;
	a->status = status;
	assert_int_equal(record != NULL, status == USERDB_FOUND);
	(void)snprintf(a->name, sizeof(a->name), "%s", record != NULL ? record->name : "");
	/* Its owner may free it here: nobody may look at it again. */
	memset(q, 0xa5, sizeof(*q));
}

static struct userdb *new_db(const char *domain, const char *delimiter, struct slow *first,
			     struct slow *second)
{
	const struct userdb_rules rules = {.default_domain = domain,
					   .recipient_delimiter = delimiter};
	struct userdb *db = userdb_new(&rules, NULL, NULL);
	struct userdb_source source = {.ops = &slow_ops, .state = first};

	assert_non_null(db);
	if (first != NULL)
		userdb_add_source(db, &source);
	source.state = second;
	if (second != NULL)
		userdb_add_source(db, &source);
	return db;
}

struct names {
	const char *asked_for;
	const char *domain;
	const char *tried; /* in this order */
};

static void logins(void **state)
{
	static const struct names cases[] = {
		{"alice", "", "alice "},
		{"alice", "example.org", "alice alice@example.org "},
		{"ALICE", "Example.Org", "alice alice@example.org "},
		{"alice@example.org", "", "alice@example.org "},
		{"Alice@EXAMPLE.org", "example.org", "alice@example.org alice "},
		{"alice@example.net", "example.org", "alice@example.net "},
		{"a@b@example.org", "example.org", "a@b@example.org a@b "},
		/* No detail in a login. */
		{"alice+x", "example.org", "alice+x alice+x@example.org "},
		{"", "example.org", ""},
		{"@example.org", "example.org", ""},
		{"alice@", "example.org", ""},
		{"@", "example.org", ""},
		{"../alice", "example.org", ""},
		{"al\nice", "example.org", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slow s = {0};
		struct answer a = {0};
		struct userdb_query q = {.done = on_answer, .owner = &a};
		struct userdb *db = new_db(cases[i].domain, "+", &s, NULL);

		userdb_lookup_login(db, &q, cases[i].asked_for);
		assert_string_equal(s.asked, cases[i].tried);
		assert_int_equal(a.times, 1);
		assert_int_equal(a.status, USERDB_UNKNOWN);
		userdb_free(db);
	}
}

static void names_with_devices(void **state)
{
	static const struct names cases[] = {
		{"alice", "", "alice "},
		{"alice+phone", "", "alice+phone alice "},
		{"Alice+Phone", "example.org",
		 "alice+phone alice+phone@example.org alice alice@example.org "},
		{"alice+phone@Example.Org", "example.org",
		 "alice+phone@example.org alice+phone alice@example.org alice "},
		{"recent:alice+phone@example.net", "example.org",
		 "alice+phone@example.net alice@example.net "},
		{"a+b+c", "", "a+b+c a+b "},
		{"alice+a/b", "", ""},
		{"alice+phone@", "example.org", ""},
		{"../alice+phone", "", ""},
		{"recent:", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slow s = {0};
		struct answer a = {0};
		struct userdb_query q = {.done = on_answer, .owner = &a};
		struct userdb *db = new_db(cases[i].domain, "+", &s, NULL);
		struct login_name name;

		login_name_read(cases[i].asked_for, '+', &name);
		userdb_lookup_name(db, &q, &name);
		assert_string_equal(s.asked, cases[i].tried);
		assert_int_equal(a.times, 1);
		assert_int_equal(a.status, USERDB_UNKNOWN);
		userdb_free(db);
	}
}

/* Who is called so comes first, in whichever database; only then whose device it may be. */
static bool answered_device;

static void on_name(struct userdb_query *q, enum userdb_status status,
		    const struct user_record *record)
{
	answered_device = status == USERDB_FOUND && userdb_is_device(q);
	on_answer(q, status, record);
}

static void the_whole_name_comes_first(void **state)
{
	static const struct {
		const char *first, *second; /* who is in the two databases */
		const char *found;
		bool device;
	} cases[] = {
		{"alice", "alice+phone", "alice+phone", false},
		{"alice+phone", "alice", "alice+phone", false},
		{"alice", NULL, "alice", true},
		{NULL, "alice", "alice", true},
		{"bob", "phone", "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slow first = {.name = cases[i].first};
		struct slow second = {.name = cases[i].second};
		struct answer a = {0};
		struct userdb_query q = {.done = on_name, .owner = &a};
		struct userdb *db = new_db("", "+", &first, &second);
		struct login_name name;

		login_name_read("alice+phone", '+', &name);
		userdb_lookup_name(db, &q, &name);
		assert_string_equal(a.name, cases[i].found);
		assert_int_equal(answered_device, cases[i].device);
		/* And to the letter, there is no device. */
		q = (struct userdb_query){.done = on_answer, .owner = &a};
		userdb_lookup_login(db, &q, "alice+phone");
		assert_int_equal(a.status == USERDB_FOUND,
				 cases[i].found[0] != '\0' && !cases[i].device);
		userdb_free(db);
	}
}

static void addresses(void **state)
{
	static const struct names cases[] = {
		{"alice@example.org", "", "alice@example.org "},
		{"alice@example.org", "example.org", "alice@example.org alice "},
		{"alice", "example.org", "alice alice@example.org "},
		{"Alice+Lists@example.org", "example.org",
		 "alice+lists@example.org alice+lists alice@example.org alice "},
		{"alice-a+b@example.net", "example.org",
		 "alice-a+b@example.net alice@example.net "},
		{"alice+@example.net", "example.org", "alice+@example.net alice@example.net "},
		{"+@example.net", "example.org", "+@example.net "},
		{"alice@a+b.net", "example.org", "alice@a+b.net "},
		{"@example.org", "example.org", ""},
		{"", "example.org", ""},
		/* Quotes are not part of the name (RFC 5321 section 4.1.2). */
		{"\"alice\"@example.org", "example.org", "alice@example.org alice "},
		{"\"al\\ice+x\"@example.net", "", "alice+x@example.net alice@example.net "},
		{"\"\"@example.org", "example.org", ""},
		{"\"../alice\"@example.org", "example.org", ""},
		{"\"alice@example.net\"@example.org", "example.org",
		 "alice@example.net@example.org "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slow s = {0};
		struct answer a = {0};
		struct userdb_query q = {.done = on_answer, .owner = &a};
		/* Any octet of it is a delimiter. */
		struct userdb *db = new_db(cases[i].domain, "+-", &s, NULL);

		userdb_lookup_address(db, &q, cases[i].asked_for);
		assert_string_equal(s.asked, cases[i].tried);
		assert_int_equal(a.status, USERDB_UNKNOWN);
		userdb_free(db);
	}

	struct slow s = {0};
	struct answer a = {0};
	struct userdb_query q = {.done = on_answer, .owner = &a};
	struct userdb *db = new_db("", "", &s, NULL);

	userdb_lookup_address(db, &q, "alice+x@example.org");
	assert_string_equal(s.asked, "alice+x@example.org ");
	userdb_free(db);
}

static void databases_in_order(void **state)
{
	struct slow first = {.name = "alice@example.org"};
	struct slow second = {.name = "alice"};
	struct answer a = {0};
	struct userdb_query q = {.done = on_answer, .owner = &a};
	struct userdb *db = new_db("example.org", "+", &first, &second);

	(void)state;
	/* The name as it is counts more than the order of the databases. */
	userdb_lookup_login(db, &q, "alice");
	assert_int_equal(a.status, USERDB_FOUND);
	assert_string_equal(a.name, "alice");
	assert_string_equal(first.asked, "alice ");
	/* One that is away doesn't hide who is found in another; but nobody is unknown now. */
	first.away = true;
	q = (struct userdb_query){.done = on_answer, .owner = &a};
	userdb_lookup_login(db, &q, "alice");
	assert_int_equal(a.status, USERDB_FOUND);
	q = (struct userdb_query){.done = on_answer, .owner = &a};
	userdb_lookup_login(db, &q, "bob");
	assert_int_equal(a.status, USERDB_AWAY);
	assert_int_equal(a.times, 3);
	userdb_free(db);
}

static void no_database(void **state)
{
	struct answer a = {0};
	struct userdb_query q = {.done = on_answer, .owner = &a};
	struct userdb *db = new_db("", "", NULL, NULL);
	struct user_record decoy = {.name = "mine"};
	struct scram_keys keys;

	(void)state;
	userdb_lookup_login(db, &q, "alice");
	assert_int_equal(a.times, 1);
	assert_int_equal(a.status, USERDB_UNKNOWN);
	/* There is always something to verify in vain. */
	userdb_decoy(db, "alice", &decoy);
	assert_string_equal(decoy.name, "mine");
	assert_false(userdb_scram(&decoy, SCRAM_SHA_256, &keys));
	assert_int_equal(scheme_check(decoy.secret, NULL), 0);
	assert_false(scheme_is_locked(decoy.secret));
	assert_int_equal(scheme_verify(decoy.secret, "alice", NULL), 0);
	userdb_free(db);
}

static void answers_that_come_later(void **state)
{
	struct slow first = {.later = true};
	struct slow second = {.name = "alice@example.org"};
	struct answer a = {0};
	struct userdb_query q = {.done = on_answer, .owner = &a};
	struct userdb *db = new_db("example.org", "+", &first, &second);
	struct user_record record = {.name = "alice@example.org"};

	(void)state;
	userdb_lookup_login(db, &q, "alice");
	assert_int_equal(a.times, 0);
	/* Unknown there: the second is asked at once, then the first for the other name. */
	userdb_answer(first.waiting, USERDB_UNKNOWN, NULL);
	assert_int_equal(a.times, 0);
	assert_string_equal(first.asked, "alice alice@example.org ");
	assert_string_equal(second.asked, "alice ");
	userdb_answer(first.waiting, USERDB_FOUND, &record);
	assert_int_equal(a.times, 1);
	assert_int_equal(a.status, USERDB_FOUND);
	assert_string_equal(a.name, "alice@example.org");

	q = (struct userdb_query){.done = on_answer, .owner = &a};
	userdb_lookup_login(db, &q, "bob@example.net");
	userdb_answer(first.waiting, USERDB_AWAY, NULL);
	assert_int_equal(a.times, 2);
	assert_int_equal(a.status, USERDB_AWAY);
	userdb_free(db);
}

static void cancelled_means_no_answer(void **state)
{
	struct slow first = {.later = true};
	struct answer a = {0};
	struct userdb_query q = {.done = on_answer, .owner = &a};
	struct userdb_query never = {0};
	struct userdb *db = new_db("", "", &first, NULL);

	(void)state;
	userdb_lookup_login(db, &q, "alice");
	userdb_cancel(&q);
	userdb_cancel(&q);
	userdb_cancel(&never);
	assert_int_equal(first.cancelled, 1);
	assert_null(first.waiting);
	assert_int_equal(a.times, 0);
	userdb_free(db);
}

static void maildrops(void **state)
{
	static const struct {
		uint32_t uid;
		uint32_t gid;
		bool own_ids;
		bool good;
	} cases[] = {
		{1000, 100, true, true},
		{PASSWD_NO_ID, PASSWD_NO_ID, true, true},
		{1000, PASSWD_NO_ID, true, false},
		{PASSWD_NO_ID, 100, true, false},
		{0, 100, true, false},
		{1000, 0, true, false},
		{0, 0, true, false},
		{PASSWD_BAD_ID, 100, true, false},
		{1000, PASSWD_BAD_ID, true, false},
		/* One user owns all: then nothing of the row matters. */
		{0, 0, false, true},
		{PASSWD_BAD_ID, PASSWD_BAD_ID, false, true},
		{1000, 100, false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct user_record r = {
			.name = "alice", .uid = cases[i].uid, .gid = cases[i].gid};
		const struct maildrop_rules rules = {.newest = 7};
		const struct userdb_place place = {.mail_location = "/v/%d/%n",
						   .default_domain = "example.org",
						   .own_ids = cases[i].own_ids,
						   .rules = &rules};
		struct userdb_maildrop m;
		struct err err;
		const int got = userdb_maildrop(&r, &place, &m, &err);

		if (got != (cases[i].good ? 0 : -EINVAL))
			fail_msg("case %zu: %d", i, got);
		if (!cases[i].good)
			continue;
		assert_string_equal(m.path, "/v/example.org/alice");
		assert_int_equal(m.uid, cases[i].own_ids ? cases[i].uid : UINT32_MAX);
		assert_int_equal(m.gid, cases[i].own_ids ? cases[i].gid : UINT32_MAX);
		assert_int_equal(m.rules.newest, 7);
	}
}

/* Perhaps it said what may be deleted: nobody is let in, and no mail is sent back. */
static void a_rule_that_is_wrong(void **state)
{
	const struct user_record r = {.name = "alice", .rules = {.wrong = 1}};
	const struct maildrop_rules rules = {0};
	const struct userdb_place place = {
		.mail_location = "/v/%n", .default_domain = "", .rules = &rules};
	struct userdb_maildrop m;
	struct err err;

	(void)state;
	assert_int_equal(userdb_maildrop(&r, &place, &m, &err), -EINVAL);
	assert_string_equal(err.text, "a rule of the user's cannot be understood");
}

static unsigned notices;
static char last_notice[512];

static void on_notice(void *arg, const char *text)
{
	(void)arg;
	notices++;
	(void)snprintf(last_notice, sizeof(last_notice), "%s", text);
}

/* Trouble with a file is said when it begins and when it ends, however many ask meanwhile. */
static void trouble_is_said_once(void **state)
{
	const struct userdb_rules rules = {.default_domain = "", .recipient_delimiter = ""};
	struct userdb *db = userdb_new(&rules, on_notice, NULL);
	char path[] = "/tmp/restante-userdb-XXXXXX";
	const int fd = mkstemp(path);
	struct answer a = {0};

	(void)state;
	assert_non_null(db);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "alice:{PLAIN}a\n", 15), 15);
	(void)close(fd);
	notices = 0;
	assert_int_equal(userdb_add_passwd_file(db, path), 0);
	assert_int_equal(notices, 0);
	assert_int_equal(unlink(path), 0);
	for (int i = 0; i < 5; i++) {
		struct userdb_query q = {.done = on_answer, .owner = &a};

		userdb_lookup_login(db, &q, "alice");
		assert_int_equal(a.status, USERDB_FOUND);
	}
	assert_int_equal(notices, 1);
	assert_non_null(strstr(last_notice, path));
	assert_non_null(strstr(last_notice, "stay"));

	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs("bob:{PLAIN}b\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	userdb_refresh(db);
	userdb_refresh(db);
	assert_int_equal(notices, 2);
	assert_non_null(strstr(last_notice, "well again"));
	(void)unlink(path);
	userdb_free(db);
}

static void write_file(const char *path, const char *text)
{
	FILE *const f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static enum userdb_status ask(struct userdb *db, bool by_address)
{
	struct answer a = {0};
	struct userdb_query q = {.done = on_answer, .owner = &a};

	if (by_address)
		userdb_lookup_address(db, &q, "bob");
	else
		userdb_lookup_login(db, &q, "bob");
	return a.status;
}

/* Half of a file is no reason to send mail back; a whole one that was put there is. */
static void a_file_that_is_being_written(void **state)
{
	const struct userdb_rules rules = {.default_domain = "", .recipient_delimiter = ""};
	const struct timespec back[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	struct userdb *db = userdb_new(&rules, NULL, NULL);
	char path[] = "/tmp/restante-userdb-XXXXXX";
	char other[sizeof(path) + 4];

	(void)state;
	assert_non_null(db);
	(void)close(mkstemp(path));
	(void)snprintf(other, sizeof(other), "%s.new", path);
	write_file(path, "alice:{PLAIN}a\nbob:{PLAIN}b\n");
	assert_int_equal(userdb_add_passwd_file(db, path), 0);
	assert_int_equal(ask(db, true), USERDB_FOUND);

	write_file(path, "alice:{PLAIN}a\n");
	assert_int_equal(ask(db, true), USERDB_AWAY);
	assert_int_equal(ask(db, false), USERDB_UNKNOWN);
	assert_int_equal(ask(db, true), USERDB_AWAY);
	/* It was written long ago: this is all. */
	assert_int_equal(utimensat(AT_FDCWD, path, back, 0), 0);
	assert_int_equal(ask(db, true), USERDB_UNKNOWN);

	write_file(other, "alice:{PLAIN}a\n");
	assert_int_equal(rename(other, path), 0);
	assert_int_equal(ask(db, true), USERDB_UNKNOWN);
	(void)unlink(path);
	userdb_free(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins),
		cmocka_unit_test(names_with_devices),
		cmocka_unit_test(the_whole_name_comes_first),
		cmocka_unit_test(addresses),
		cmocka_unit_test(databases_in_order),
		cmocka_unit_test(no_database),
		cmocka_unit_test(answers_that_come_later),
		cmocka_unit_test(cancelled_means_no_answer),
		cmocka_unit_test(maildrops),
		cmocka_unit_test(a_rule_that_is_wrong),
		cmocka_unit_test(trouble_is_said_once),
		cmocka_unit_test(a_file_that_is_being_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
