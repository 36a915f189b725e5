/* SPDX-License-Identifier: MIT */
#include "auth/guard.h"

#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/secret.h"

#define HOUR_MS UINT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define HALF_LIFE_MS HOUR_MS
#define WINDOW_MS (2 * DAY_MS)
#define KNOWN_MS (42 * DAY_MS)

/* A failure is ONE, so that it can be halved a few times. */
#define ONE 256U

/* Different ones of which a record knows, as bits of a hash. */
#define SEEN_BITS 256U
#define ALARM_AT 20U

enum { WAYS = 8, SETS = 4096, KNOWN_WAYS = 4, KNOWN_SETS = 4096, KNOWN_PLACES = 16, WRONG = 4 };

/* What has failed by one address, network, user or pair. */
struct record {
	uint64_t tag; /* 0: free */
	uint64_t at_ms;
	uint32_t score;  /* in ONEs, as it was then */
	uint32_t window; /* number of the window that seen[0] and failures[0] are of */
	uint32_t told;   /* the number of the last alarm */
	uint32_t failures[2];
	uint32_t wrong[WRONG]; /* of a pair: hashes of the last wrong passwords; 0: none */
	uint64_t seen[2][SEEN_BITS / 64]; /* the addresses of a user, or users of an address */
};

struct table {
	struct record records[SETS][WAYS];
};

/* Where a user was let in. */
struct known {
	uint64_t user; /* 0: free */
	uint64_t at_ms;
	struct {
		uint64_t address;
		uint64_t at_ms; /* 0: free */
	} places[KNOWN_PLACES];
};

struct guard {
	EVP_MAC_CTX *mac;       /* Owned: with the key in it */
	struct table addresses; /* and networks */
	struct table users;
	struct table pairs;
	struct known known[KNOWN_SETS][KNOWN_WAYS];
};

/* ---- hashes ---- */

static EVP_MAC_CTX *new_mac(void)
{
	uint8_t key[32];
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);

	EVP_MAC_free(mac);
	rand_fill(key, sizeof(key));
	if (ctx != NULL && EVP_MAC_init(ctx, key, sizeof(key), params) != 1) {
		EVP_MAC_CTX_free(ctx);
		ctx = NULL;
	}
	secret_wipe(key, sizeof(key));
	return ctx;
}

/* Never 0, but when OpenSSL fails: then there is no record, and nobody waits. */
static uint64_t hash(struct guard *g, char kind, const void *a, size_t n, const void *b, size_t m)
{
	uint8_t out[32];
	uint64_t tag = 0;
	size_t got;

	if (EVP_MAC_init(g->mac, NULL, 0, NULL) != 1 ||
	    EVP_MAC_update(g->mac, (const unsigned char *)&kind, 1) != 1 ||
	    EVP_MAC_update(g->mac, a, n) != 1 || (m > 0 && EVP_MAC_update(g->mac, b, m) != 1) ||
	    EVP_MAC_final(g->mac, out, &got, sizeof(out)) != 1)
		return 0;
	memcpy(&tag, out, sizeof(tag));
	return tag != 0 ? tag : 1;
}

void guard_who_init(struct guard *g, struct guard_who *who, struct span user, const char *remote,
		    bool local)
{
	struct in6_addr v6;
	struct in_addr v4;

	*who = (struct guard_who){.user = hash(g, 'u', user.p, user.n, NULL, 0)};
	if (inet_pton(AF_INET, remote, &v4) == 1) {
		who->address = hash(g, '4', &v4, sizeof(v4), NULL, 0);
	} else if (inet_pton(AF_INET6, remote, &v6) == 1) {
		/* A /64 is what one customer gets, and a /48 what one site does. */
		who->address = hash(g, '6', &v6, 8, NULL, 0);
		who->network = hash(g, 'n', &v6, 6, NULL, 0);
	} else {
		who->address = hash(g, 'a', remote, strlen(remote), NULL, 0);
	}
	who->pair = hash(g, 'p', &who->user, sizeof(who->user), &who->address,
			 sizeof(who->address));
	if (local)
		who->address = who->network = 0;
}

/* ---- records ---- */

static uint32_t score_at(const struct record *r, uint64_t now_ms)
{
	uint64_t past = now_ms > r->at_ms ? now_ms - r->at_ms : 0;
	uint64_t score = r->score;

	for (; past >= HALF_LIFE_MS && score > 0; past -= HALF_LIFE_MS)
		score /= 2;
	/* A straight line to the next half. */
	return (uint32_t)(score - score * past / (2 * HALF_LIFE_MS));
}

static struct record *set_of(struct table *t, uint64_t tag)
{
	return t->records[(tag >> 32) % SETS];
}

static struct record *find(struct table *t, uint64_t tag)
{
	struct record *set = set_of(t, tag);

	for (size_t i = 0; i < WAYS && tag != 0; i++) {
		if (set[i].tag == tag)
			return &set[i];
	}
	return NULL;
}

/*
 * Its record, or one in the place of that with the least in it: to be forgotten, one would have
 * to fail as often from elsewhere, and wait for it.
 */
static struct record *find_or_make(struct table *t, uint64_t tag, uint64_t now_ms)
{
	struct record *set = set_of(t, tag);
	struct record *const there = find(t, tag);
	struct record *least = &set[0];

	if (there != NULL)
		return there;
	for (size_t i = 1; i < WAYS && least->tag != 0; i++) {
		const uint32_t a = score_at(&set[i], now_ms);
		const uint32_t b = score_at(least, now_ms);

		if (set[i].tag == 0 || a < b || (a == b && set[i].at_ms < least->at_ms))
			least = &set[i];
	}
	*least = (struct record){.tag = tag, .at_ms = now_ms};
	return least;
}

static void turn_window(struct record *r, uint64_t now_ms)
{
	const uint32_t window = (uint32_t)(now_ms / WINDOW_MS);

	if (window == r->window)
		return;
	if (window == r->window + 1) {
		memcpy(r->seen[1], r->seen[0], sizeof(r->seen[0]));
		r->failures[1] = r->failures[0];
	} else {
		memset(r->seen[1], 0, sizeof(r->seen[1]));
		r->failures[1] = 0;
		r->told = 0;
	}
	memset(r->seen[0], 0, sizeof(r->seen[0]));
	r->failures[0] = 0;
	r->window = window;
}

/*
 * How many different ones it takes, as a rule, to set so many of the bits: the last free
 * ones are hit rarely.
 */
static unsigned seen(const struct record *r, uint64_t now_ms)
{
	const uint32_t age = (uint32_t)(now_ms / WINDOW_MS) - r->window;
	unsigned bits = 0;
	unsigned sum = 0; /* in ONEs */

	if (age > 1)
		return 0;
	for (size_t i = 0; i < SEEN_BITS / 64; i++)
		bits += (unsigned)__builtin_popcountll(r->seen[0][i] |
						       (age == 0 ? r->seen[1][i] : 0));
	for (unsigned i = 0; i < bits; i++)
		sum += ONE * SEEN_BITS / (SEEN_BITS - i);
	return (sum + ONE / 2) / ONE;
}

static void add(struct record *r, uint32_t score, uint64_t other, uint64_t now_ms)
{
	const uint32_t now = score_at(r, now_ms);

	turn_window(r, now_ms);
	r->score = now > UINT32_MAX - score ? UINT32_MAX : now + score;
	r->at_ms = now_ms;
	r->failures[0]++;
	r->seen[0][other / 64 % (SEEN_BITS / 64)] |= UINT64_C(1) << other % 64;
}

/* ---- where users have been ---- */

static struct known *known_set(struct guard *g, uint64_t user)
{
	return g->known[(user >> 32) % KNOWN_SETS];
}

static bool is_known(struct guard *g, const struct guard_who *who, uint64_t now_ms)
{
	const struct known *set = known_set(g, who->user);

	for (size_t i = 0; i < KNOWN_WAYS; i++) {
		for (size_t k = 0; k < KNOWN_PLACES && set[i].user == who->user; k++) {
			if (set[i].places[k].address == who->pair && set[i].places[k].at_ms != 0 &&
			    now_ms - set[i].places[k].at_ms < KNOWN_MS)
				return true;
		}
	}
	return false;
}

static void make_known(struct guard *g, const struct guard_who *who, uint64_t now_ms)
{
	struct known *const set = known_set(g, who->user);
	struct known *k = &set[0];
	size_t at = 0;

	for (size_t i = 0; i < KNOWN_WAYS; i++) {
		if (set[i].user == who->user) {
			k = &set[i];
			break;
		}
		if (set[i].at_ms < k->at_ms)
			k = &set[i];
	}
	if (k->user != who->user)
		*k = (struct known){.user = who->user};
	for (size_t i = 0; i < KNOWN_PLACES; i++) {
		if (k->places[i].address == who->pair) {
			at = i;
			break;
		}
		if (k->places[i].at_ms < k->places[at].at_ms)
			at = i;
	}
	k->at_ms = now_ms;
	k->places[at].address = who->pair;
	k->places[at].at_ms = now_ms;
}

/* ---- what follows from it ---- */

struct guard *guard_new(void)
{
	/* Pages of it that are never used are never there. */
	struct guard *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->mac = new_mac();
	if (g->mac == NULL) {
		free(g);
		return NULL;
	}
	return g;
}

void guard_free(struct guard *g)
{
	if (g == NULL)
		return;
	EVP_MAC_CTX_free(g->mac);
	free(g);
}

/* So many are free; the next waits a second, and after each so many steps twice as long. */
static uint64_t wait_for(const struct record *r, uint32_t free_ones, uint32_t step, uint64_t now_ms)
{
	const uint32_t n = r == NULL ? 0 : score_at(r, now_ms) / ONE;

	if (n <= free_ones)
		return 0;

	const uint32_t doublings = (n - free_ones - 1) / step;

	return UINT64_C(1000) << (doublings < 20 ? doublings : 20);
}

/* Nobody fails often, but many do. */
static uint64_t wait_for_many(const struct record *r, uint64_t now_ms)
{
	const unsigned n = r == NULL ? 0 : seen(r, now_ms);
	uint64_t wait = n < ALARM_AT ? 0 : 4000;

	for (unsigned more = 2 * ALARM_AT; more <= n; more *= 2)
		wait *= 2;
	return wait;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t guard_wait_ms(struct guard *g, const struct guard_who *who, uint64_t max_ms,
		       uint64_t now_ms)
{
	const struct record *const pair = find(&g->pairs, who->pair);
	const struct record *const address = find(&g->addresses, who->address);
	const struct record *const user = find(&g->users, who->user);
	uint64_t wait;

	/* Somebody else may be there too, and guess: but not for long at full speed. */
	if (is_known(g, who, now_ms)) {
		wait = wait_for(pair, 10, 3, now_ms);
		return wait < max_ms / 4 ? wait : max_ms / 4;
	}
	wait = wait_for(pair, 3, 1, now_ms);
	wait = larger(wait, wait_for(address, 10, 3, now_ms));
	wait = larger(wait, wait_for(find(&g->addresses, who->network), 40, 10, now_ms));
	wait = larger(wait, wait_for(user, 10, 3, now_ms));
	wait = larger(wait, wait_for_many(address, now_ms));
	wait = larger(wait, wait_for_many(user, now_ms));
	return wait < max_ms ? wait : max_ms;
}

void guard_let_in(struct guard *g, const struct guard_who *who, uint64_t now_ms)
{
	struct record *const pair = find(&g->pairs, who->pair);

	if (who->user == 0 || who->pair == 0)
		return;
	/* Not the address's, or who has one account could clear it between guesses at others. */
	if (pair != NULL)
		*pair = (struct record){0};
	make_known(g, who, now_ms);
}

/* The same password as one of the last few? If not, it is one of them now. */
static bool is_repeated(struct guard *g, struct record *pair, const char *wrong)
{
	const uint32_t tag =
		(uint32_t)hash(g, 'w', &pair->tag, sizeof(pair->tag), wrong, strlen(wrong)) | 1;

	for (size_t i = 0; i < WRONG; i++) {
		if (pair->wrong[i] == tag)
			return true;
	}
	memmove(&pair->wrong[1], &pair->wrong[0], sizeof(pair->wrong) - sizeof(pair->wrong[0]));
	pair->wrong[0] = tag;
	return false;
}

/* The number, when it is to be told. */
static unsigned tell(struct record *r, uint64_t now_ms)
{
	const unsigned n = seen(r, now_ms);

	if (n < ALARM_AT || n < 2 * r->told)
		return 0;
	r->told = n;
	return n;
}

bool guard_failed(struct guard *g, const struct guard_who *who, const char *wrong, uint64_t now_ms,
		  struct guard_alarm *ret_alarm)
{
	uint32_t score = ONE;

	*ret_alarm = (struct guard_alarm){0};
	if (who->user == 0 || who->pair == 0)
		return true;

	struct record *const pair = find_or_make(&g->pairs, who->pair, now_ms);

	if (wrong[0] != '\0' && is_repeated(g, pair, wrong))
		return false;
	if (wrong[0] == '\0' && score_at(pair, now_ms) >= 5 * ONE)
		score = ONE / 8;
	add(pair, score, 0, now_ms);

	struct record *const user = find_or_make(&g->users, who->user, now_ms);

	/* By the pair: programs of this machine are one address. */
	add(user, score, who->address != 0 ? who->address : who->pair, now_ms);
	ret_alarm->addresses = tell(user, now_ms);
	ret_alarm->failures = user->failures[0] + user->failures[1];
	if (who->network != 0)
		add(find_or_make(&g->addresses, who->network, now_ms), score, who->user, now_ms);
	if (who->address != 0) {
		struct record *const address = find_or_make(&g->addresses, who->address, now_ms);

		add(address, score, who->user, now_ms);
		ret_alarm->users = tell(address, now_ms);
		if (ret_alarm->users > ret_alarm->addresses)
			ret_alarm->failures = address->failures[0] + address->failures[1];
	}
	return true;
}
