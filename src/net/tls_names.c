/* SPDX-License-Identifier: MIT */
#include "net/tls_names.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* RFC 1035 section 2.3.4. */
#define NAME_OCTETS_MAX 255

struct entry {
	char *name; /* lower case. Owned */
	int number; /* of the certificate that it was found in; of no use once entries are merged */
	struct tls_choice choice;
};

struct tls_names {
	struct entry *entries; /* sorted by name, each once. Owned */
	size_t n;
	struct tls_choice first;
};

static const struct tls_choice no_choice = {.of = {-1, -1, -1}};
_Static_assert(TLS_KEY_KINDS == 3, "no_choice");

/* ASCII only: what isn't ASCII is an A-label in certificates and on the wire. */
static void to_lower(char *to, const char *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] - 'A' + 'a') : from[i];
	to[n] = '\0';
}

static int add(struct tls_names *t, const ASN1_STRING *name, int number, enum tls_key_kind kind)
{
	const char *const p = (const char *)ASN1_STRING_get0_data(name);
	const size_t n = (size_t)ASN1_STRING_length(name);
	struct entry *entries;
	struct entry *e;

	/* Such a name can't be asked for. */
	if (n == 0 || n > NAME_OCTETS_MAX || memchr(p, '\0', n) != NULL)
		return 0;
	entries = realloc(t->entries, (t->n + 1) * sizeof(*entries));
	if (entries == NULL)
		return -ENOMEM;
	t->entries = entries;
	e = &entries[t->n];
	*e = (struct entry){.name = malloc(n + 1), .number = number, .choice = no_choice};
	if (e->name == NULL)
		return -ENOMEM;
	to_lower(e->name, p, n);
	e->choice.of[kind] = number;
	t->n++;
	return 0;
}

static int add_all(struct tls_names *t, const struct tls_material *m, int number)
{
	GENERAL_NAMES *const names = X509_get_ext_d2i(m->leaf, NID_subject_alt_name, NULL, NULL);
	int r = 0;

	for (int i = 0; r == 0 && i < sk_GENERAL_NAME_num(names); i++) {
		int type;
		const void *const value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i),
								  &type);

		if (type == GEN_DNS)
			r = add(t, value, number, m->kind);
	}
	GENERAL_NAMES_free(names);
	return r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static int compare(const void *a, const void *b)
{
	const int by_name = compare_names(a, b);

	return by_name != 0 ? by_name
			    : ((const struct entry *)a)->number - ((const struct entry *)b)->number;
}

/* What to lacks, from has. */
static void fill(struct tls_choice *to, const struct tls_choice *from)
{
	for (unsigned kind = 0; kind < TLS_KEY_KINDS; kind++) {
		if (to->of[kind] < 0)
			to->of[kind] = from->of[kind];
	}
}

/* Entries of one name lie together, those of the first certificate in front. */
static void merge(struct tls_names *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (kept > 0 && strcmp(t->entries[kept - 1].name, t->entries[i].name) == 0) {
			fill(&t->entries[kept - 1].choice, &t->entries[i].choice);
			free(t->entries[i].name);
		} else {
			t->entries[kept++] = t->entries[i];
		}
	}
	t->n = kept;
}

static struct entry *look_up(const struct tls_names *t, char *name)
{
	const struct entry key = {.name = name};

	return t->n == 0 ? NULL : bsearch(&key, t->entries, t->n, sizeof(key), compare_names);
}

static struct entry *wildcard_of(const struct tls_names *t, const char *name)
{
	const char *const dot = strchr(name, '.');
	char wild[1 + NAME_OCTETS_MAX + 1] = "*";

	if (dot == NULL || dot == name)
		return NULL;
	memcpy(wild + 1, dot, strlen(dot) + 1);
	return look_up(t, wild);
}

/* A certificate for "*" may be the only one with the kind of key that a client knows. */
static void fill_from_wildcards(struct tls_names *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct entry *const wild = wildcard_of(t, t->entries[i].name);

		if (wild != NULL)
			fill(&t->entries[i].choice, &wild->choice);
	}
}

static void choose_default(struct tls_names *t, const struct tls_material *first,
			   const char *first_name)
{
	char copy[NAME_OCTETS_MAX + 1];

	t->first = no_choice;
	t->first.of[first->kind] = 0;
	if (first_name != NULL) {
		memcpy(copy, first_name, strlen(first_name) + 1);
		fill(&t->first, &look_up(t, copy)->choice);
	}
}

int tls_names_new(const struct tls_material *materials, size_t n, struct tls_names **ret_names)
{
	struct tls_names *const t = calloc(1, sizeof(*t));
	char first_name[NAME_OCTETS_MAX + 1] = "";
	int r = t == NULL ? -ENOMEM : 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = add_all(t, &materials[i], (int)i);
		if (i == 0 && t->n > 0)
			memcpy(first_name, t->entries[0].name, strlen(t->entries[0].name) + 1);
	}
	if (r < 0) {
		tls_names_free(t);
		return r;
	}
	if (t->n > 0)
		qsort(t->entries, t->n, sizeof(*t->entries), compare);
	merge(t);
	fill_from_wildcards(t);
	choose_default(t, &materials[0], first_name[0] != '\0' ? first_name : NULL);
	*ret_names = t;
	return 0;
}

void tls_names_free(struct tls_names *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->entries[i].name);
	free(t->entries);
	free(t);
}

const struct tls_choice *tls_names_find(const struct tls_names *t, const char *name)
{
	char lower[NAME_OCTETS_MAX + 1];
	const size_t n = strlen(name);
	const struct entry *e;

	if (n > NAME_OCTETS_MAX)
		return NULL;
	to_lower(lower, name, n);
	e = look_up(t, lower);
	if (e == NULL)
		e = wildcard_of(t, lower);
	return e != NULL ? &e->choice : NULL;
}

struct tls_choice tls_names_default(const struct tls_names *t)
{
	return t->first;
}

const struct tls_choice *tls_names_at(const struct tls_names *t, size_t i)
{
	return i < t->n ? &t->entries[i].choice : NULL;
}
