/* SPDX-License-Identifier: MIT */
#include "client/state.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "client_help.h"

static struct state *open_state(void)
{
	struct state *s;
	struct err err;

	if (state_open(in_scratch("dir/state.db"), &s, &err) != 0)
		fail_msg("%s", err.text);
	return s;
}

static int64_t account(struct state *s, const char *identity)
{
	int64_t id;
	struct err err;

	assert_int_equal(state_account(s, identity, "name", &id, &err), 0);
	return id;
}

static struct state_stored stored(uint8_t n, const char *uidl)
{
	return (struct state_stored){
		.key = {.octets = {n}},
		.header = {.octets = {n, 1}},
		.uidl = span_str(uidl),
		.octets = 100U + n,
		.maildir = "/mail",
	};
}

static int64_t add(struct state *s, int64_t a, const struct state_stored *m)
{
	int64_t id;
	struct err err;

	assert_int_equal(state_begin(s, &err), 0);
	if (state_add(s, a, m, &id, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(state_commit(s, &err), 0);
	return id;
}

static int64_t add_simple(struct state *s, int64_t a, uint8_t n, const char *uidl)
{
	const struct state_stored m = stored(n, uidl);

	return add(s, a, &m);
}

static size_t find(struct state *s, int64_t a, const char *uidl, struct state_message *ret_found)
{
	size_t n;
	struct err err;

	assert_int_equal(state_find(s, a, span_str(uidl), ret_found, 4, &n, &err), 0);
	return n;
}

static void remembers(void **state)
{
	struct state *s = open_state();
	struct state_message found[4];
	struct state_stored m = stored(1, "u1");
	const int64_t a = account(s, "a@h");
	const int64_t b = account(s, "b@h");
	struct stat st;
	int64_t id;

	(void)state;
	assert_int_not_equal(a, b);
	assert_int_equal(account(s, "a@h"), a);
	assert_int_equal(find(s, a, "u1", found), 0);
	m.pending = true;
	id = add(s, a, &m);
	state_close(s);

	s = open_state();
	assert_int_equal(account(s, "a@h"), a);
	assert_int_equal(find(s, a, "u1", found), 1);
	assert_int_equal(found[0].id, id);
	assert_int_equal(found[0].octets, 101);
	assert_int_equal(found[0].status, STATE_PENDING);
	assert_false(found[0].vanished);
	assert_memory_equal(found[0].key.octets, m.key.octets, MESSAGE_KEY_OCTETS);
	assert_memory_equal(found[0].header.octets, m.header.octets, HEADER_DIGEST_OCTETS);
	assert_int_equal(find(s, a, "u", found), 0);
	assert_int_equal(find(s, a, "", found), 0);
	assert_int_equal(find(s, b, "u1", found), 0);
	state_close(s);

	/* Whose mail it is, and from whom it comes, is nobody else's business. */
	assert_int_equal(stat(in_scratch("dir/state.db"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(in_scratch("dir"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void any_octets(void **state)
{
	static const char odd[] = "a\0b\xff' --";
	struct state *s = open_state();
	const int64_t a = account(s, "o'hara@h");
	struct state_stored m = stored(1, "");
	struct state_message found[4];
	size_t n;
	struct err err;

	(void)state;
	m.uidl = span_of(odd, sizeof(odd) - 1);
	(void)add(s, a, &m);
	assert_int_equal(find(s, a, "a", found), 0);
	assert_int_equal(state_find(s, a, m.uidl, found, 4, &n, &err), 0);
	assert_int_equal(n, 1);
	state_close(s);
}

static void by_header(void **state)
{
	struct state *s = open_state();
	const int64_t a = account(s, "a@h");
	struct state_stored m = stored(1, "u1");
	struct state_message found[4];
	bool has;
	size_t n;
	struct err err;

	(void)state;
	(void)add(s, a, &m);
	m.key.octets[0] = 2;
	m.uidl = span_str("u2");
	(void)add(s, a, &m);
	assert_int_equal(state_find_header(s, a, span_str("u1"), &m.header, found, 4, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(found[0].key.octets[0], 1);
	assert_int_equal(state_find_header(s, a, span_str(""), &m.header, found, 4, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(found[0].key.octets[0], 1);
	assert_int_equal(state_find_header(s, a, span_str(""), &m.header, found, 1, &n, &err), 0);
	assert_int_equal(n, 1);
	m.header.octets[0] = 9;
	assert_int_equal(state_find_header(s, a, span_str(""), &m.header, found, 4, &n, &err), 0);
	assert_int_equal(n, 0);

	assert_int_equal(state_has_key(s, a, &m.key, &has, &err), 0);
	assert_true(has);
	m.key.octets[0] = 3;
	assert_int_equal(state_has_key(s, a, &m.key, &has, &err), 0);
	assert_false(has);
	state_close(s);
}

static void has_uidls(void **state)
{
	struct state *s = open_state();
	const int64_t a = account(s, "a@h");
	bool has;
	struct err err;

	(void)state;
	(void)add_simple(s, a, 1, "");
	assert_int_equal(state_has_uidls(s, a, &has, &err), 0);
	assert_false(has);
	(void)add_simple(s, a, 2, "u");
	assert_int_equal(state_has_uidls(s, a, &has, &err), 0);
	assert_true(has);
	state_close(s);
}

static void all_or_nothing(void **state)
{
	struct state *s = open_state();
	const int64_t a = account(s, "a@h");
	const struct state_stored m = stored(1, "u1");
	struct state_message found[4];
	int64_t id;
	struct err err;

	(void)state;
	assert_int_equal(state_begin(s, &err), 0);
	assert_int_equal(state_add(s, a, &m, &id, &err), 0);
	state_abort(s);
	assert_int_equal(find(s, a, "u1", found), 0);
	/* Without one to abort. */
	state_abort(s);
	(void)add(s, a, &m);
	assert_int_equal(find(s, a, "u1", found), 1);
	state_close(s);
}

/* The same key: what is left of the file's earlier life gives way. */
static void once_more(void **state)
{
	struct state *s = open_state();
	const int64_t a = account(s, "a@h");
	struct state_stored m = stored(1, "u1");
	struct state_message found[4];
	const int64_t id = add(s, a, &m);

	(void)state;
	m.uidl = span_str("u2");
	m.octets = 7;
	assert_int_equal(add(s, a, &m), id);
	assert_int_equal(find(s, a, "u1", found), 0);
	assert_int_equal(find(s, a, "u2", found), 1);
	assert_int_equal(found[0].octets, 7);
	state_close(s);
}

static void changes(void **state)
{
	struct state *s = open_state();
	const int64_t a = account(s, "a@h");
	const int64_t id = add_simple(s, a, 1, "u1");
	struct state_message found[4];
	struct err err;

	(void)state;
	assert_int_equal(state_begin(s, &err), 0);
	assert_int_equal(state_set_status(s, id, STATE_GONE, &err), 0);
	assert_int_equal(state_set_octets(s, id, UINT64_C(5) << 32, &err), 0);
	assert_int_equal(state_commit(s, &err), 0);
	assert_int_equal(find(s, a, "u1", found), 1);
	assert_int_equal(found[0].status, STATE_GONE);
	assert_int_equal(found[0].octets, UINT64_C(5) << 32);
	state_close(s);
}

static void compare(struct state *s, int64_t a, const int64_t *ids, size_t n, int64_t now)
{
	struct err err;

	assert_int_equal(state_begin(s, &err), 0);
	if (state_compare(s, a, ids, n, now, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(state_commit(s, &err), 0);
}

static void vanishes_and_comes_back(void **state)
{
	struct state *s = open_state();
	const int64_t a = account(s, "a@h");
	const int64_t b = account(s, "b@h");
	const int64_t ids[] = {add_simple(s, a, 1, "u1"), add_simple(s, a, 2, "u2")};
	struct state_stored pending = stored(3, "u3");
	struct state_message found[4];

	(void)state;
	(void)add_simple(s, b, 1, "u1");
	pending.pending = true;
	(void)add(s, a, &pending);

	compare(s, a, ids, 1, 1000);
	assert_int_equal(find(s, a, "u1", found), 1);
	assert_false(found[0].vanished);
	assert_int_equal(find(s, a, "u2", found), 1);
	assert_true(found[0].vanished);
	assert_int_equal(found[0].status, STATE_STORED);
	/* To be deleted, and not there: that has happened. */
	assert_int_equal(find(s, a, "u3", found), 1);
	assert_true(found[0].vanished);
	assert_int_equal(found[0].status, STATE_GONE);
	/* Another account's messages aren't in this one's list. */
	assert_int_equal(find(s, b, "u1", found), 1);
	assert_false(found[0].vanished);

	compare(s, a, ids, 2, 2000);
	assert_int_equal(find(s, a, "u2", found), 1);
	assert_false(found[0].vanished);
	state_close(s);
}

static bool is_there(void *ctx, const struct message_key *key)
{
	return key->octets[0] == *(const uint8_t *)ctx;
}

static void forgets(void **state)
{
	struct state *s = open_state();
	const int64_t a = account(s, "a@h");
	const int64_t ids[] = {add_simple(s, a, 1, "u1"), add_simple(s, a, 2, "u2"),
			       add_simple(s, a, 3, "u3"), add_simple(s, a, 4, "u4")};
	uint8_t there = 2;
	struct state_message found[4];
	struct err err;

	(void)state;
	compare(s, a, ids, 3, 1000); /* u4 vanishes */
	compare(s, a, ids, 1, 2000); /* u2 and u3 */
	assert_int_equal(state_begin(s, &err), 0);
	assert_int_equal(state_forget(s, a, 1000, is_there, &there, &err), 0);
	assert_int_equal(find(s, a, "u4", found), 1);
	assert_int_equal(state_forget(s, a, 1001, is_there, &there, &err), 0);
	assert_int_equal(find(s, a, "u4", found), 0);
	assert_int_equal(find(s, a, "u3", found), 1);
	assert_int_equal(state_forget(s, a, 3000, is_there, &there, &err), 0);
	assert_int_equal(state_commit(s, &err), 0);
	assert_int_equal(find(s, a, "u1", found), 1); /* on the server */
	assert_int_equal(find(s, a, "u2", found), 1); /* in the Maildir */
	assert_int_equal(find(s, a, "u3", found), 0);
	state_close(s);
}

struct seen {
	char text[256];
	int end_at;
};

static int note(void *ctx, const struct state_row *row)
{
	struct seen *const seen = ctx;
	const size_t n = strlen(seen->text);

	(void)snprintf(seen->text + n, sizeof(seen->text) - n, "%s %d %s;", row->account,
		       row->key.octets[0], row->maildir);
	return row->key.octets[0] == seen->end_at ? 17 : 0;
}

static void shows_all(void **state)
{
	struct state *s = open_state();
	struct state_stored elsewhere = stored(3, "u3");
	struct seen seen = {.text = ""};
	int64_t a;
	int64_t b;
	bool has;
	struct err err;

	(void)state;
	assert_int_equal(state_account(s, "a@h", "work", &a, &err), 0);
	assert_int_equal(state_account(s, "b@h", "home", &b, &err), 0);
	(void)add_simple(s, b, 2, "u2");
	(void)add_simple(s, a, 1, "u1");
	elsewhere.maildir = "/mail2";
	(void)add(s, a, &elsewhere);
	assert_int_equal(state_each(s, NULL, note, &seen, &err), 0);
	assert_string_equal(seen.text, "home 2 /mail;work 1 /mail;work 3 /mail2;");
	seen.text[0] = '\0';
	assert_int_equal(state_each(s, "home", note, &seen, &err), 0);
	assert_int_equal(state_each(s, "b@h", note, &seen, &err), 0);
	assert_string_equal(seen.text, "home 2 /mail;home 2 /mail;");
	seen = (struct seen){.text = "", .end_at = 1};
	assert_int_equal(state_each(s, NULL, note, &seen, &err), 17);
	assert_string_equal(seen.text, "home 2 /mail;work 1 /mail;");

	assert_int_equal(state_has_account(s, "work", &has, &err), 0);
	assert_true(has);
	assert_int_equal(state_has_account(s, "a@h", &has, &err), 0);
	assert_true(has);
	assert_int_equal(state_has_account(s, "c@h", &has, &err), 0);
	assert_false(has);
	/* Renamed in the configuration. */
	assert_int_equal(state_account(s, "a@h", "job", &b, &err), 0);
	assert_int_equal(b, a);
	assert_int_equal(state_has_account(s, "work", &has, &err), 0);
	assert_false(has);
	state_close(s);
}

static void login(void **state)
{
	struct state *s = open_state();
	const int64_t a = account(s, "a@h");
	const int64_t b = account(s, "b@h");
	char text[8] = "before";
	struct err err;

	(void)state;
	assert_int_equal(state_login(s, a, text, sizeof(text), &err), 0);
	assert_string_equal(text, "");
	assert_int_equal(state_set_login(s, a, "PLAIN X", &err), 0);
	assert_int_equal(account(s, "a@h"), a);
	assert_int_equal(state_login(s, a, text, sizeof(text), &err), 0);
	assert_string_equal(text, "PLAIN X");
	assert_int_equal(state_login(s, b, text, sizeof(text), &err), 0);
	assert_string_equal(text, "");
	assert_int_equal(state_set_login(s, a, "TOO LONG", &err), 0);
	assert_int_equal(state_login(s, a, text, sizeof(text), &err), -ENOBUFS);
	state_close(s);
}

static void locks(void **state)
{
	struct state *one = open_state();
	struct state *other = open_state();
	const int64_t a = account(one, "a@h");
	const int64_t b = account(one, "b@h");
	struct err err;

	(void)state;
	assert_int_equal(state_lock(one, a, &err), 0);
	assert_int_equal(state_lock(other, a, &err), -EBUSY);
	assert_contains(err.text, "another restante is fetching this account");
	assert_int_equal(state_lock(other, b, &err), 0);
	state_close(other);
	other = open_state();
	state_close(one);
	assert_int_equal(state_lock(other, a, &err), 0);
	state_close(other);
}

/* The lock of a process that was killed is nobody's any more. */
static void lock_of_the_dead(void **state)
{
	struct state *s = open_state();
	const int64_t a = account(s, "a@h");
	struct err err;
	int status;
	char ready;
	int pair[2];
	pid_t child;

	(void)state;
	assert_int_equal(pipe(pair), 0);
	child = fork();
	if (child == 0) {
		struct state *own;

		if (state_open(in_scratch("dir/state.db"), &own, &err) == 0 &&
		    state_lock(own, a, &err) == 0 && write(pair[1], "x", 1) == 1)
			(void)pause();
		_exit(1);
	}
	assert_int_equal(read(pair[0], &ready, 1), 1);
	assert_int_equal(state_lock(s, a, &err), -EBUSY);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(state_lock(s, a, &err), 0);
	(void)close(pair[0]);
	(void)close(pair[1]);
	state_close(s);
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void not_ours(void **state)
{
	struct state *s;
	struct err err;

	(void)state;
	write_file(in_scratch("text"),
		   SPAN_LIT("This is a text, and longer than any header is."
			    "It goes on, and on, and on, and on, and on."),
		   0600);
	assert_int_equal(state_open(in_scratch("text"), &s, &err), -EPROTO);
	assert_contains(err.text, "text");

	run_sql(in_scratch("other.db"), "CREATE TABLE message (id INTEGER)");
	assert_int_equal(state_open(in_scratch("other.db"), &s, &err), -EPROTO);
	assert_contains(err.text, "is no state of restante");

	state_close(open_state());
	run_sql(in_scratch("dir/state.db"), "PRAGMA user_version = 2");
	assert_int_equal(state_open(in_scratch("dir/state.db"), &s, &err), -EPROTO);
	assert_contains(err.text, "is of a newer restante");

	assert_true(state_open(in_scratch("text/state.db"), &s, &err) < 0);
	assert_contains(err.text, "text");
}

/* A row that somebody has written who didn't know how. */
static void makes_no_sense(void **state)
{
	struct state *s = open_state();
	const int64_t a = account(s, "a@h");
	struct state_message found[4];
	size_t n;
	struct err err;

	(void)state;
	(void)add_simple(s, a, 1, "u1");
	state_close(s);
	run_sql(in_scratch("dir/state.db"), "UPDATE message SET header = x'00'");
	s = open_state();
	assert_int_equal(state_find(s, a, span_str("u1"), found, 4, &n, &err), -EPROTO);
	assert_contains(err.text, "makes no sense");
	state_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(remembers),
		scratch_test(any_octets),
		scratch_test(by_header),
		scratch_test(has_uidls),
		scratch_test(all_or_nothing),
		scratch_test(once_more),
		scratch_test(changes),
		scratch_test(vanishes_and_comes_back),
		scratch_test(forgets),
		scratch_test(shows_all),
		scratch_test(login),
		scratch_test(locks),
		scratch_test(lock_of_the_dead),
		scratch_test(not_ours),
		scratch_test(makes_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
