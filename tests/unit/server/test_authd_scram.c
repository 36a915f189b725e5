/* SPDX-License-Identifier: MIT */
/*
 * The auth process: SCRAM with every kind of user. What a stranger hears must not
 * depend on whether there is one.
 */
#include "authd_peers.h"

#include "../auth/scram_client.h"

#define KEYS_1 "4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE="
#define KEYS_256                                        \
	"4096,W22ZaJ0SNY7soEsUEjb6gQ==,"                \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define HASH "{SSHA256}o+F310OzAPbJ5ME2rXvBcq/u7HZHnWXv/CHSuqDhhvZyZQ08"

/* With keys beside a hash, with keys alone, with the password itself, and without all that. */
static const char users[] = "both:" HASH "::::::scram_sha_1=" KEYS_1 " scram_sha_256=" KEYS_256 "\n"
			    "keys:{SCRAM-SHA-256}" KEYS_256 "\n"
			    "plain:{PLAIN}pencil\n"
			    "full:{PLAIN.b64}77yR77yS\n" /* full-width: 12 */
			    "hash:" HASH "\n"
			    "locked:!" HASH "::::::scram_sha_256=" KEYS_256 "\n"
			    "broken:" HASH "::::::scram_sha_256=4096,x\n";

/* Nobody's login can take another way than theirs. */
static const char only_keys[] = "both:" HASH "::::::scram_sha_256=" KEYS_256 "\n";
static const char only_plain[] = "plain:{PLAIN}pencil\n";

static int setup(void **state)
{
	struct peers *p = malloc(sizeof(*p));

	assert_non_null(p);
	peers_prepare(p);
	p->config.rules.recent_offer = 30;
	peers_write_users(p, users);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct peers *p = *state;

	peers_stop(p);
	free(p);
	return 0;
}

/* As far as the challenge with the salt, which is in msg then. */
static void begin_scram(int fd, uint64_t session, struct scram_client *c, const char *user)
{
	char text[1024];
	const size_t n = scram_client_first(c, user, text, sizeof(text));

	say_sasl(fd, session, c->sha256 ? "SCRAM-SHA-256" : "SCRAM-SHA-1", text, n);
	hear_challenge(fd, session);
}

static void answer_scram(int fd, uint64_t session, struct scram_client *c, const char *password)
{
	char text[2048];
	const size_t n = scram_client_final(c, password, span_of(msg.sasl.data, msg.sasl.n), text,
					    sizeof(text));

	say_sasl(fd, session, NULL, text, n);
}

static void proves(struct peers *p, uint64_t session, bool sha256, const char *user,
		   const char *password, const char *granted)
{
	struct scram_client c = {.sha256 = sha256};

	begin_scram(p->a, session, &c, user);
	answer_scram(p->a, session, &c, password);
	hear_challenge(p->a, session);
	assert_true(span_eq(span_of(msg.sasl.data, msg.sasl.n), span_str(c.proved)));
	/* Nothing is granted before the client has agreed. */
	assert_false(peers_readable(p->storage));
	say_sasl(p->a, session, NULL, NULL, 0);
	hear_open(p, LISTENER_A, session, granted);
}

static void fails(struct peers *p, uint64_t session, bool sha256, const char *user,
		  const char *password)
{
	struct scram_client c = {.sha256 = sha256};

	begin_scram(p->a, session, &c, user);
	answer_scram(p->a, session, &c, password);
	hear_failed(p->a, session, IPC_BAD_CREDENTIALS);
	assert_false(peers_readable(p->storage));
}

static void every_kind_of_user(void **state)
{
	struct peers *p = *state;

	peers_start(p);
	proves(p, 1, true, "both", "pencil", "both");
	proves(p, 2, false, "both", "pencil", "both");
	proves(p, 3, true, "keys", "pencil", "keys");
	proves(p, 4, true, "plain", "pencil", "plain");
	proves(p, 5, false, "PLAIN@Example.org", "pencil", "plain");
	/* What SASLprep says is the same password: clients send that. */
	proves(p, 6, true, "full", "12", "full");

	/* The name as it was sent is in what is proved. */
	proves(p, 7, true, "both+phone", "pencil", "both");
	assert_string_equal(msg.grant.rules.device, "phone");
	proves(p, 8, false, "plain+laptop@example.org", "pencil", "plain");
	assert_string_equal(msg.grant.rules.device, "laptop");
	proves(p, 9, true, "recent:keys", "pencil", "keys");
	assert_string_equal(msg.grant.rules.device, "");
	fails(p, 18, true, "both+phone", "Pencil");
	fails(p, 19, true, "nobody+phone", "pencil");

	fails(p, 10, true, "both", "Pencil");
	fails(p, 11, false, "keys", "pencil"); /* keys of the other hash only */
	fails(p, 12, true, "plain", "Pencil");
	fails(p, 13, true, "hash", "pass word");
	assert_non_null(strstr(peers_log(p), "reason=no-scram-keys"));
	fails(p, 14, true, "locked", "pencil");
	assert_non_null(strstr(peers_log(p), "reason=locked"));
	fails(p, 15, true, "broken", "pencil");
	assert_non_null(strstr(peers_log(p), "user 'broken' cannot use SCRAM-SHA-256"));
	fails(p, 16, true, "nobody", "pencil");
	assert_non_null(strstr(peers_log(p), "reason=unknown-user"));
	fails(p, 17, true, "=2C=3D", "pencil");

	/* Keys are good for a password that is sent, too. */
	say_pass(p->a, 20, "keys", "pencil");
	hear_open(p, LISTENER_A, 20, "keys");
	say_pass(p->a, 21, "keys", "Pencil");
	hear_failed(p->a, 21, IPC_BAD_CREDENTIALS);
}

/* Salt and iterations as the challenge has them. */
static void salt_of(struct peers *p, uint64_t session, const char *user, char ret[128])
{
	struct scram_client c = {.sha256 = true};

	begin_scram(p->a, session, &c, user);
	msg.sasl.data[msg.sasl.n] = '\0';
	(void)snprintf(ret, 128, "%s", strstr(msg.sasl.data, ",s="));
	say_cancel(p->a, session);
}

static void strangers_hear_a_salt(void **state)
{
	struct peers *p = *state;
	char first[128], second[128], other[128], real[128];

	peers_write_users(p, only_keys);
	peers_start(p);
	salt_of(p, 1, "both", real);
	assert_string_equal(real, ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	/* As a real one looks; always the same for one name, however it is written. */
	salt_of(p, 2, "nobody", first);
	assert_int_equal(strlen(first), strlen(real));
	assert_string_equal(strstr(first, ",i="), strstr(real, ",i="));
	salt_of(p, 3, "NoBody@example.ORG", second);
	assert_string_equal(first, second);
	salt_of(p, 4, "nobody2", other);
	assert_string_not_equal(first, other);
	/* A user's devices have the user's salt, so nobody's have nobody's. */
	salt_of(p, 8, "both+phone", other);
	assert_string_equal(other, ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	salt_of(p, 9, "nobody+phone", other);
	assert_string_equal(other, first);
	salt_of(p, 10, "recent:nobody", other);
	assert_string_equal(other, first);

	/* A user whose password is kept hears what a stranger of that name would hear. */
	peers_write_users(p, only_plain);
	salt_of(p, 5, "plain", real);
	salt_of(p, 6, "nobody", first);
	assert_int_equal(strlen(first), strlen(real));
	assert_string_equal(strstr(first, ",i="), strstr(real, ",i="));
	peers_write_users(p, "other:{PLAIN}pencil\n");
	salt_of(p, 7, "plain", second);
	assert_string_equal(second, real);
}

static void garbage_sounds_the_same(void **state)
{
	static const char *const names[] = {"both", "plain", "nobody", "locked"};
	struct peers *p = *state;
	static char big[LIMIT_SASL_OCTETS];
	static const char proof[] = "c=biws,r=x,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

	peers_start(p);
	memset(big, 'x', sizeof(big));
	for (uint64_t i = 0; i < 4; i++) {
		struct scram_client c = {.sha256 = true};

		begin_scram(p->a, 10 + i, &c, names[i]);
		say_sasl(p->a, 10 + i, NULL, big, sizeof(big));
		hear_failed(p->a, 10 + i, IPC_BAD_SASL);
		begin_scram(p->a, 20 + i, &c, names[i]);
		say_sasl(p->a, 20 + i, NULL, NULL, 0);
		hear_failed(p->a, 20 + i, IPC_BAD_SASL);
		begin_scram(p->a, 30 + i, &c, names[i]);
		say_sasl(p->a, 30 + i, NULL, proof, sizeof(proof) - 1);
		hear_failed(p->a, 30 + i, IPC_BAD_CREDENTIALS);
	}
	say_sasl(p->a, 40, "SCRAM-SHA-256", "n,a=keys,n=both,r=abc", 21);
	hear_failed(p->a, 40, IPC_BAD_CREDENTIALS);
	/* Where a password may not be sent, nothing may be heard that it can be tried against. */
	say_sasl_from(p->a, 41, "SCRAM-SHA-256", "n,,n=both,r=abc", 15, 0);
	hear_failed(p->a, 41, IPC_PERMANENT);
	assert_false(peers_readable(p->storage));
}

/* Keys are made where passwords are verified: not more at a time, and gone with who asked. */
static void keys_are_made_in_the_pool(void **state)
{
	struct peers *p = *state;
	struct scram_client c = {.sha256 = true};
	char text[1024];
	const size_t n = scram_client_first(&c, "plain", text, sizeof(text));

	p->config.max_connections_per_user = 3;
	peers_start(p);
	for (uint64_t i = 1; i <= 3; i++)
		say_sasl(p->a, i, "SCRAM-SHA-256", text, n);
	for (uint64_t i = 1; i <= 3; i++)
		say_cancel(p->a, i);
	for (uint64_t i = 11; i <= 13; i++) {
		c = (struct scram_client){.sha256 = true};
		begin_scram(p->a, i, &c, "plain");
	}
	answer_scram(p->a, 13, &c, "pencil");
	hear_challenge(p->a, 13);
	/* Those that have their salt don't count any more. */
	say_pass(p->a, 14, "plain", "pencil");
	hear_open(p, LISTENER_A, 14, "plain");
	say_sasl(p->a, 13, NULL, NULL, 0);
	hear_open(p, LISTENER_A, 13, "plain");
}

static void say_bound(int fd, uint64_t session, const char *mechanism, const char *first,
		      enum ipc_binding_kind kind)
{
	ipc_start(&msg, IPC_AUTH_SASL_START, session);
	msg.sasl.origin.flags = IPC_AUTH_TLS;
	msg.sasl.origin.storage = listeners_storage;
	put(msg.sasl.origin.remote, sizeof(msg.sasl.origin.remote), "192.0.2.9");
	put(msg.sasl.mechanism, sizeof(msg.sasl.mechanism), mechanism);
	msg.sasl.binding.kind = kind;
	msg.sasl.binding.n = kind == IPC_BINDING_TLS_UNIQUE ? 12 : 32;
	memset(msg.sasl.binding.octets, 'b', msg.sasl.binding.n);
	msg.sasl.has_initial = 1;
	msg.sasl.n = (uint32_t)strlen(first);
	memcpy(msg.sasl.data, first, msg.sasl.n);
	peers_send(fd, &msg, -1);
}

static void bound_to_the_connection(void **state)
{
	static const char octets[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
	static const struct {
		enum ipc_binding_kind kind;
		const char *gs2;
		size_t n;
	} cases[] = {
		{IPC_BINDING_TLS_EXPORTER, "p=tls-exporter,,", 32},
		{IPC_BINDING_TLS_UNIQUE, "p=tls-unique,,", 12},
	};
	struct peers *p = *state;
	char text[1024];

	peers_start(p);
	for (uint64_t i = 0; i < 4; i++) {
		/* The second time somebody is between us. */
		struct scram_client c = {
			.sha256 = true,
			.gs2 = cases[i % 2].gs2,
			.binding = span_of(i < 2 ? octets : "another connection, but as long",
					   cases[i % 2].n),
		};

		(void)scram_client_first(&c, "both", text, sizeof(text));
		say_bound(p->a, i + 1, "SCRAM-SHA-256-PLUS", text, cases[i % 2].kind);
		hear_challenge(p->a, i + 1);
		answer_scram(p->a, i + 1, &c, "pencil");
		if (i >= 2) {
			hear_failed(p->a, i + 1, IPC_BAD_CREDENTIALS);
			continue;
		}
		hear_challenge(p->a, i + 1);
		say_sasl(p->a, i + 1, NULL, NULL, 0);
		hear_open(p, LISTENER_A, i + 1, "both");
	}
	/* Somebody has taken -PLUS out of the list; and there is nothing to bind to. */
	say_bound(p->a, 10, "SCRAM-SHA-256", "y,,n=both,r=abc", IPC_BINDING_TLS_EXPORTER);
	hear_failed(p->a, 10, IPC_BAD_CREDENTIALS);
	say_bound(p->a, 11, "SCRAM-SHA-256", "y,,n=both,r=abc", IPC_BINDING_NONE);
	hear_challenge(p->a, 11);
	say_bound(p->a, 12, "SCRAM-SHA-256-PLUS", "p=tls-unique,,n=both,r=abc", IPC_BINDING_NONE);
	hear_failed(p->a, 12, IPC_BAD_SASL);
	assert_false(peers_readable(p->storage));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_kind_of_user),      TEST(strangers_hear_a_salt),
		TEST(garbage_sounds_the_same), TEST(keys_are_made_in_the_pool),
		TEST(bound_to_the_connection),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
