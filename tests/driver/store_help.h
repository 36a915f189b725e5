/* SPDX-License-Identifier: MIT */
/*
 * store_help.h - what the tests of the store share: a scratch directory, a store
 * that collects its notices, and the calls of store.h in a form that fits a test.
 * All of it fails the running test when it can't do its work.
 */
#pragma once

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/index/index_record.h"
#include "store/store.h"

#define HELP_PATH_MAX 512

struct help {
	struct store *store;
	char root[HELP_PATH_MAX];     /* scratch, removed at the end */
	char maildrop[HELP_PATH_MAX]; /* root/alice */
	pthread_mutex_t lock;
	char notices[8192]; /* one a line */
};

struct help *help_new(const char *driver);
void help_free(struct help *h);

/* A store as h->store is one: for who ends that to begin anew. */
struct store *help_store(struct help *h, const char *driver);

/* Has any notice these words in it? */
bool help_noticed(struct help *h, const char *words);
void help_forget_notices(struct help *h);

struct store_owner help_owner(const char *path);

/* Writes text into a delivery and commits it to path; the status of that. */
int help_deliver(struct help *h, const char *path, const char *text);
int help_deliver_octets(struct help *h, const char *path, struct span text, const char *prefix);

struct maildrop *help_open(struct help *h);
int help_try_open(struct help *h, struct maildrop **ret_m);

/* The UIDL of message n, in static memory (eight are kept). */
const char *help_uidl(const struct maildrop *m, uint32_t n);
struct index_record help_record(const struct maildrop *m, uint32_t n);

/* Message n as a string; the caller frees it. With its length, unless that is NULL. */
char *help_text(struct maildrop *m, uint32_t n, size_t *ret_n);
void help_expect_text(struct maildrop *m, uint32_t n, const char *text);

/* All UIDLs in order, with a space after each; the caller frees it. */
char *help_list(const struct maildrop *m);

/* Opens, lists, closes. */
char *help_poll(struct help *h, uint32_t *ret_count);

/* Opens, marks those numbers (0 ends them), commits, closes; what commit said. */
int help_delete(struct help *h, ...);

/* Files. Paths are printf formats. */
void help_write(const char *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool help_exists(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int help_count_files(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void help_make_maildir(const char *path);
void help_remove_tree(const char *path);
/* The first name in a directory, in static memory, or NULL. */
const char *help_first_file(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
