/* SPDX-License-Identifier: MIT */
/*
 * What is fetched and what is known, over a real state and a real Maildir: each test is
 * a maildrop as a server shows it, after a history.
 */
#include "client/plan.h"

#include <errno.h>

#include "client_help.h"

#define IDENTITY "alice@pop.example.org"

struct world {
	struct plan plan;
	struct listing listing;
};

static struct world w;

static int open_maildir(struct err *err)
{
	static struct account a;

	account_init(&a);
	(void)snprintf(a.maildir, sizeof(a.maildir), "%s", in_scratch("M"));
	return destination_open(
		&(struct destination_options){.account = &a, .identity = IDENTITY, .stop_fd = -1},
		&w.plan.target, err);
}

static int make_world(void **state)
{
	struct err err;
	int r = scratch_make(state);

	memset(&w, 0, sizeof(w));
	w.plan.identity = SPAN_LIT(IDENTITY);
	w.plan.listing = &w.listing;
	if (r == 0)
		r = state_open(in_scratch("state.db"), &w.plan.state, &err);
	if (r == 0)
		r = state_account(w.plan.state, IDENTITY, "alice", &w.plan.account, &err);
	if (r == 0)
		r = open_maildir(&err);
	return r;
}

static int remove_world(void **state)
{
	listing_done(&w.listing);
	destination_close(w.plan.target);
	state_close(w.plan.state);
	return scratch_remove(state);
}

static struct header_digest header(const char *text)
{
	struct header_reader h = {0};
	struct header_digest d;

	assert_true(header_reader_init(&h));
	header_reader_take(&h, span_str(text));
	header_reader_end(&h, &d);
	header_reader_done(&h);
	return d;
}

static struct message_key key(const char *uidl, const char *text, unsigned ordinal)
{
	struct message_key k;
	struct header_digest d;

	if (text != NULL)
		d = header(text);
	assert_true(message_key_make(SPAN_LIT(IDENTITY), span_str(uidl), text == NULL ? NULL : &d,
				     ordinal, &k));
	return k;
}

/* Messages on the server: a list of "UIDL", octets. */
static void server(const char *uidl, uint64_t octets)
{
	const uint32_t number = (uint32_t)w.listing.n + 1;

	assert_int_equal(listing_add(&w.listing, number, octets), 0);
	assert_int_equal(listing_set_uidl(&w.listing, number, span_str(uidl)), 0);
}

/* What is remembered; its key is that of the UIDL alone unless text says otherwise. */
static int64_t remembered(const char *uidl, const char *text, bool keyed, uint64_t octets)
{
	const struct state_stored stored = {
		.key = key(uidl, keyed ? text : NULL, 0),
		.header = header(text),
		.uidl = span_str(uidl),
		.octets = octets,
		.maildir = in_scratch("M"),
	};
	int64_t id;
	struct err err;

	assert_int_equal(state_begin(w.plan.state, &err), 0);
	assert_int_equal(state_add(w.plan.state, w.plan.account, &stored, &id, &err), 0);
	assert_int_equal(state_commit(w.plan.state, &err), 0);
	return id;
}

static void status(int64_t id, enum state_status s)
{
	struct err err;

	assert_int_equal(state_begin(w.plan.state, &err), 0);
	assert_int_equal(state_set_status(w.plan.state, id, s, &err), 0);
	assert_int_equal(state_commit(w.plan.state, &err), 0);
}

static void vanish_all(void)
{
	struct err err;

	assert_int_equal(state_begin(w.plan.state, &err), 0);
	assert_int_equal(state_compare(w.plan.state, w.plan.account, NULL, 0, 1000, &err), 0);
	assert_int_equal(state_commit(w.plan.state, &err), 0);
}

/* A file in the Maildir that a session has left, which died before it remembered it. */
static void left_behind(struct message_key k, const char *text)
{
	struct incoming in;
	struct err err;

	assert_int_equal(destination_begin(w.plan.target, &in, &err), 0);
	assert_int_equal(destination_write(w.plan.target, &in, span_str(text), &err), 0);
	assert_int_equal(destination_finish(w.plan.target, &in, &err), 0);
	in.key = k;
	assert_int_equal(destination_place(w.plan.target, &in, 1, &err), 0);
}

static void plan(void)
{
	struct err err;

	assert_int_equal(listing_find_shared(&w.listing), 0);
	assert_int_equal(destination_scan(w.plan.target, &err), 0);
	if (plan_all(&w.plan, &err) != 0)
		fail_msg("%s", err.text);
}

static struct message *message(size_t number)
{
	return &w.listing.messages[number - 1];
}

/* The answer to TOP. */
static void top(size_t number, const char *text)
{
	const struct header_digest d = header(text);
	struct err err;

	assert_int_equal(message(number)->fate, FATE_ASK);
	if (plan_header(&w.plan, message(number), &d, &err) != 0)
		fail_msg("%s", err.text);
}

static void assert_key(size_t number, struct message_key k)
{
	assert_true(message_key_equal(&message(number)->key, &k));
}

static void new_ones(void **state)
{
	(void)state;
	server("u1", 100);
	server("u2", 100);
	plan();
	assert_int_equal(message(1)->fate, FATE_FETCH);
	assert_int_equal(message(2)->fate, FATE_FETCH);
	assert_key(1, key("u1", NULL, 0));
	assert_key(2, key("u2", NULL, 0));
}

static void known_ones(void **state)
{
	const int64_t one = remembered("u1", "A: 1\n", false, 100);
	const int64_t two = remembered("u2", "A: 2\n", false, 100);

	(void)state;
	status(two, STATE_PENDING);
	server("u2", 100);
	server("u1", 100);
	server("u3", 100);
	plan();
	assert_int_equal(message(1)->fate, FATE_KNOWN);
	assert_int_equal(message(1)->row, two);
	assert_true(message(1)->pending);
	assert_int_equal(message(2)->fate, FATE_KNOWN);
	assert_int_equal(message(2)->row, one);
	assert_false(message(2)->pending);
	assert_false(message(2)->resized);
	assert_int_equal(message(3)->fate, FATE_FETCH);
}

/* The server counts otherwise since its update: it is the same message still. */
static void size_changed(void **state)
{
	const int64_t id = remembered("u1", "A: 1\n", false, 100);

	(void)state;
	server("u1", 102);
	plan();
	top(1, "A: 1\r\n\r\n");
	assert_int_equal(message(1)->fate, FATE_KNOWN);
	assert_int_equal(message(1)->row, id);
	assert_true(message(1)->resized);
}

/* A server that counts from 1 again: the UIDL is another message's now. */
static void uidl_used_again(void **state)
{
	(void)state;
	(void)remembered("1", "A: old\n", false, 100);
	server("1", 200);
	plan();
	top(1, "A: new\r\n\r\n");
	assert_int_equal(message(1)->fate, FATE_FETCH);
	/* Not by the old one's key: its file may be there. */
	assert_key(1, key("1", "A: new\n", 0));
}

/* The same size as well: only seen through when there is a reason for doubt. */
static void used_again_after_it_was_gone(void **state)
{
	const int64_t id = remembered("1", "A: old\n", false, 100);

	(void)state;
	status(id, STATE_GONE);
	server("1", 100);
	plan();
	top(1, "A: new\r\n\r\n");
	assert_int_equal(message(1)->fate, FATE_FETCH);
}

static void used_again_after_it_had_vanished(void **state)
{
	(void)state;
	(void)remembered("1", "A: old\n", false, 100);
	vanish_all();
	server("1", 100);
	plan();
	top(1, "A: new\r\n\r\n");
	assert_int_equal(message(1)->fate, FATE_FETCH);
}

/* The server said +OK to QUIT and kept it; or showed an old list for a day. */
static void comes_back(void **state)
{
	const int64_t one = remembered("u1", "A: 1\n", false, 100);
	const int64_t two = remembered("u2", "A: 2\n", false, 100);

	(void)state;
	status(one, STATE_GONE);
	vanish_all();
	server("u1", 100);
	server("u2", 100);
	plan();
	top(1, "A: 1\r\n\r\n");
	top(2, "A: 2\r\n\r\n");
	assert_int_equal(message(1)->fate, FATE_KNOWN);
	assert_int_equal(message(1)->row, one);
	assert_true(message(1)->pending); /* deleting it was decided */
	assert_int_equal(message(2)->fate, FATE_KNOWN);
	assert_int_equal(message(2)->row, two);
	assert_false(message(2)->pending);
}

static void shared_uidls(void **state)
{
	(void)state;
	(void)remembered("u", "A: 1\n", false, 100);
	server("u", 100);
	server("u", 100);
	server("u", 100);
	plan();
	top(1, "A: 2\r\n\r\n");
	top(2, "A: 1\r\n\r\n");
	top(3, "A: 3\r\n\r\n");
	assert_int_equal(message(1)->fate, FATE_FETCH);
	assert_int_equal(message(2)->fate, FATE_KNOWN);
	assert_int_equal(message(3)->fate, FATE_FETCH);
	assert_false(message_key_equal(&message(1)->key, &message(3)->key));
}

/* Alike in all that can be told, and still two: both are fetched, and both are known then. */
static void alike(void **state)
{
	(void)state;
	server("u", 100);
	server("u", 100);
	plan();
	top(1, "A: 1\r\n\r\n");
	top(2, "A: 1\r\n\r\n");
	assert_int_equal(message(1)->fate, FATE_FETCH);
	assert_int_equal(message(2)->fate, FATE_FETCH);
	assert_key(1, key("u", "A: 1\n", 0));
	assert_key(2, key("u", "A: 1\n", 1));
}

static void alike_and_one_known(void **state)
{
	const int64_t id = remembered("u", "A: 1\n", true, 100);

	(void)state;
	server("u", 100);
	server("u", 100);
	plan();
	top(1, "A: 1\r\n\r\n");
	top(2, "A: 1\r\n\r\n");
	assert_int_equal(message(1)->fate, FATE_KNOWN);
	assert_int_equal(message(1)->row, id);
	assert_int_equal(message(2)->fate, FATE_FETCH);
	assert_key(2, key("u", "A: 1\n", 1));
}

static void without_uidls(void **state)
{
	const int64_t id = remembered("", "A: 1\n", true, 100);

	(void)state;
	server("", 100);
	server("", 100);
	plan();
	top(1, "A: 2\r\n\r\n");
	top(2, "A: 1\r\n\r\n");
	assert_int_equal(message(1)->fate, FATE_FETCH);
	assert_key(1, key("", "A: 2\n", 0));
	assert_int_equal(message(2)->fate, FATE_KNOWN);
	assert_int_equal(message(2)->row, id);
}

/* Deleted, and one like it has come: it isn't the old one, whose file may be there. */
static void without_uidls_again(void **state)
{
	const int64_t id = remembered("", "A: 1\n", true, 100);

	(void)state;
	left_behind(key("", "A: 1\n", 0), "A: 1\r\n\r\n");
	status(id, STATE_GONE);
	server("", 100);
	plan();
	top(1, "A: 1\r\n\r\n");
	assert_int_equal(message(1)->fate, FATE_FETCH);
	assert_key(1, key("", "A: 1\n", 1));
}

/* One line was missing in UIDL's list: it is known by the header that it came with. */
static void uidl_missing(void **state)
{
	const int64_t id = remembered("u1", "A: 1\n", false, 100);

	(void)state;
	server("", 100);
	plan();
	top(1, "A: 1\r\n\r\n");
	assert_int_equal(message(1)->fate, FATE_KNOWN);
	assert_int_equal(message(1)->row, id);
}

/* Between the rename and the commit. */
static void left_and_found(void **state)
{
	static const char text[] = "A: 1\r\n\r\n";

	(void)state;
	left_behind(key("u1", NULL, 0), text);
	server("u1", sizeof(text) - 1);
	plan();
	assert_int_equal(message(1)->fate, FATE_ADOPT);
	assert_key(1, key("u1", NULL, 0));
}

/* The server's sizes are wrong, or it is another message: the header tells. */
static void left_with_another_size(void **state)
{
	(void)state;
	left_behind(key("u1", NULL, 0), "A: 1\r\n\r\n");
	left_behind(key("u2", NULL, 0), "A: 2\r\n\r\n");
	server("u1", 100);
	server("u2", 100);
	plan();
	top(1, "A: 1\r\n\r\n");
	top(2, "A: other\r\n\r\n");
	assert_int_equal(message(1)->fate, FATE_ADOPT);
	assert_key(1, key("u1", NULL, 0));
	assert_int_equal(message(2)->fate, FATE_FETCH);
	assert_key(2, key("u2", "A: other\n", 0));
}

static void left_by_header(void **state)
{
	(void)state;
	left_behind(key("u", "A: 1\n", 0), "A: 1\r\n\r\n");
	left_behind(key("", "A: 3\n", 0), "A: 3\r\n\r\n");
	server("u", 8);
	server("u", 8);
	server("", 8);
	plan();
	top(1, "A: 1\r\n\r\n");
	top(2, "A: 2\r\n\r\n");
	top(3, "A: 3\r\n\r\n");
	assert_int_equal(message(1)->fate, FATE_ADOPT);
	assert_int_equal(message(2)->fate, FATE_FETCH);
	assert_int_equal(message(3)->fate, FATE_ADOPT);
}

static void fetched(size_t number, const char *text)
{
	const struct header_digest d = header(text);
	struct err err;

	assert_int_equal(message(number)->fate, FATE_FETCH);
	assert_int_equal(plan_fetched(&w.plan, message(number), &d, &err), 0);
}

/* A server without TOP: what the message is shows when it has come. */
static void seen_when_it_came(void **state)
{
	const int64_t id = remembered("u1", "A: 1\n", false, 100);

	(void)state;
	server("u1", 102);
	server("u1", 102);
	plan();
	for (size_t i = 1; i <= 2; i++) {
		assert_int_equal(message(i)->fate, FATE_ASK);
		message(i)->fate = FATE_FETCH;
		message(i)->unsure = true;
	}
	fetched(1, "A: 1\r\n\r\nbody");
	fetched(2, "A: 2\r\n\r\nbody");
	assert_int_equal(message(1)->fate, FATE_KNOWN);
	assert_int_equal(message(1)->row, id);
	assert_int_equal(message(2)->fate, FATE_FETCH);
	assert_key(2, key("u1", "A: 2\n", 0));
}

static void header_is_remembered(void **state)
{
	const struct header_digest d = header("A: 1\n");

	(void)state;
	server("u1", 100);
	plan();
	fetched(1, "A: 1\r\n\r\nbody");
	assert_int_equal(message(1)->fate, FATE_FETCH);
	assert_key(1, key("u1", NULL, 0));
	assert_true(header_digest_equal(&message(1)->header, &d));
}

/* TOP's header is the one to compare with, should RETR show another. */
static void header_of_top(void **state)
{
	const struct header_digest d = header("A: 1\n");

	(void)state;
	server("", 100);
	plan();
	top(1, "A: 1\r\n\r\n");
	fetched(1, "A: 1\r\nX-Seen: yes\r\n\r\nbody");
	assert_int_equal(message(1)->fate, FATE_FETCH);
	assert_true(header_digest_equal(&message(1)->header, &d));
}

/* It shared its UIDL when it was stored, and is alone with it now. */
static void left_when_shared(void **state)
{
	(void)state;
	left_behind(key("u", "A: 1\n", 0), "A: 1\r\n\r\n");
	server("u", 8);
	plan();
	fetched(1, "A: 1\r\n\r\n");
	assert_int_equal(message(1)->fate, FATE_ADOPT);
	assert_key(1, key("u", "A: 1\n", 0));
}

#define world_test(f) cmocka_unit_test_setup_teardown(f, make_world, remove_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(new_ones),
		world_test(known_ones),
		world_test(size_changed),
		world_test(uidl_used_again),
		world_test(used_again_after_it_was_gone),
		world_test(used_again_after_it_had_vanished),
		world_test(comes_back),
		world_test(shared_uidls),
		world_test(alike),
		world_test(alike_and_one_known),
		world_test(without_uidls),
		world_test(without_uidls_again),
		world_test(uidl_missing),
		world_test(left_and_found),
		world_test(left_with_another_size),
		world_test(left_by_header),
		world_test(seen_when_it_came),
		world_test(header_is_remembered),
		world_test(header_of_top),
		world_test(left_when_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
