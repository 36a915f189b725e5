/* SPDX-License-Identifier: MIT */
#include "auth/known_users.h"

#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/secret.h"
#include "auth/user_name.h"

enum { WAYS = 4, SETS = KNOWN_USERS_MAX / WAYS };

/* The record's strings, which are much shorter than there is room for, one behind the other. */
struct entry {
	uint64_t until_ms;
	uint32_t uid;
	uint32_t gid;
	bool verifies;
	struct maildrop_own_rules rules;
	size_t n;
	char text[]; /* login, then what strings_of() says */
};

#define STRINGS (4 + SCRAM_HASHES)

struct known_users {
	uint64_t seed;
	struct entry *entries[SETS][WAYS]; /* Owned */
};

/* A record's strings, in the order in which they are kept. */
static void strings_of(struct user_record *r, char *ret_at[STRINGS])
{
	ret_at[0] = r->name;
	ret_at[1] = r->secret;
	ret_at[2] = r->home;
	ret_at[3] = r->mail;
	for (enum scram_hash hash = 0; hash < SCRAM_HASHES; hash++)
		ret_at[4 + hash] = r->scram[hash];
}

struct known_users *known_users_new(void)
{
	struct known_users *k = calloc(1, sizeof(*k));

	if (k != NULL)
		k->seed = rand_u64() | 1;
	return k;
}

static void forget(struct entry **e)
{
	if (*e != NULL)
		secret_wipe((*e)->text, (*e)->n);
	free(*e);
	*e = NULL;
}

void known_users_clear(struct known_users *k)
{
	for (size_t i = 0; i < SETS; i++) {
		for (size_t way = 0; way < WAYS; way++)
			forget(&k->entries[i][way]);
	}
}

void known_users_free(struct known_users *k)
{
	if (k == NULL)
		return;
	known_users_clear(k);
	free(k);
}

static size_t set_of(const struct known_users *k, const char *name)
{
	uint64_t h = k->seed;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(1099511628211);
	/* Names that differ in their last octet only would share few sets. */
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	return (size_t)(h >> 32) % SETS;
}

/* Where it is kept, or NULL. */
static struct entry **find(struct known_users *k, const char *login, char ret_name[LIMIT_USER + 1])
{
	if (!user_name_normalise(span_str(login), ret_name))
		return NULL;

	struct entry **set = k->entries[set_of(k, ret_name)];

	for (size_t way = 0; way < WAYS; way++) {
		if (set[way] != NULL && strcmp(set[way]->text, ret_name) == 0)
			return &set[way];
	}
	return NULL;
}

static struct entry *make(const char *login, const struct user_record *record)
{
	struct user_record r = *record;
	char *at[STRINGS];
	size_t n = strlen(login) + 1;

	strings_of(&r, at);
	for (size_t i = 0; i < STRINGS; i++)
		n += strlen(at[i]) + 1;

	struct entry *e = malloc(sizeof(*e) + n);

	if (e != NULL) {
		*e = (struct entry){.uid = r.uid,
				    .gid = r.gid,
				    .verifies = r.verifies,
				    .rules = r.rules,
				    .n = n};
		n = strlen(login) + 1;
		memcpy(e->text, login, n);
		for (size_t i = 0; i < STRINGS; i++) {
			const size_t length = strlen(at[i]) + 1;

			memcpy(e->text + n, at[i], length);
			n += length;
		}
	}
	secret_wipe(&r, sizeof(r));
	return e;
}

void known_users_put(struct known_users *k, const char *login, const struct user_record *record,
		     uint64_t now_ms, uint64_t until_ms)
{
	char name[LIMIT_USER + 1];

	if (until_ms <= now_ms || !user_name_normalise(span_str(login), name))
		return;

	struct entry **set = k->entries[set_of(k, name)];
	struct entry **to = &set[0];
	struct entry *e = make(name, record);

	if (e == NULL)
		return;
	e->until_ms = until_ms;
	for (size_t way = 0; way < WAYS; way++) {
		if (set[way] == NULL) {
			to = &set[way];
		} else if (strcmp(set[way]->text, name) == 0) {
			to = &set[way];
			break;
		} else if (*to != NULL && set[way]->until_ms < (*to)->until_ms) {
			to = &set[way];
		}
	}
	forget(to);
	*to = e;
}

bool known_users_get(struct known_users *k, const char *login, uint64_t now_ms,
		     struct user_record *ret_record)
{
	char name[LIMIT_USER + 1];
	struct entry **found = find(k, login, name);
	char *at[STRINGS];

	if (found == NULL || (*found)->until_ms <= now_ms)
		return false;

	const struct entry *e = *found;
	const char *text = e->text + strlen(e->text) + 1;

	memset(ret_record, 0, sizeof(*ret_record));
	strings_of(ret_record, at);
	for (size_t i = 0; i < STRINGS; i++) {
		const size_t n = strlen(text) + 1;

		memcpy(at[i], text, n);
		text += n;
	}
	ret_record->uid = e->uid;
	ret_record->gid = e->gid;
	ret_record->verifies = e->verifies;
	ret_record->rules = e->rules;
	return true;
}

void known_users_compare(struct known_users *k, const char *login, const struct user_record *record)
{
	char name[LIMIT_USER + 1];
	struct entry **found = find(k, login, name);

	if (found == NULL)
		return;

	const char *kept_name = (*found)->text + strlen((*found)->text) + 1;
	const char *kept_secret = kept_name + strlen(kept_name) + 1;

	if (record == NULL || strcmp(kept_secret, record->secret) != 0)
		forget(found);
}
