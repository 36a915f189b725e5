/* SPDX-License-Identifier: MIT */
/*
 * app_password.h - application passwords: a user's phone, script or mail program has a
 * password of its own, which can be taken away without touching any other.
 *
 * We make them, so they are random: 20 letters and digits of an alphabet of 32, 100 bits.
 * They are shown in groups of five, and read without regard to case, '-' and spaces, as people
 * type them. What is stored is SHA-256 over the user and those letters. A slow hash protects
 * what people think up; of 100 random bits there is nothing to guess, and one SHA-256 tells
 * which of a user's passwords it is, if any.
 *
 * A file of them has a line for each, and the files of users and of them are edited alike:
 *
 *	user:name:services:device:slot:created:hash
 *
 * services are words with commas between, empty for all; device is whose view of the maildrop
 * a login by it gets, or empty; slot is where its last use is kept (app_password_use.h);
 * created is in seconds since 1970; hash is in hexadecimal. Lines that are empty or begin with
 * '#' are comments.
 *
 * Everything but a table may be used by several threads at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/maildrop_rules.h"
#include "base/out.h"
#include "base/span.h"

#define APP_PASSWORD_LETTERS 20
#define APP_PASSWORD_SHOWN 24 /* "abcde-fghij-kmnpq-rstuv" and NUL */
#define APP_PASSWORD_HASH 32
#define APP_PASSWORD_NAME_MAX 63
#define APP_PASSWORD_SLOTS (1U << 20)

/* Longer than a line with the longest of everything. */
#define APP_PASSWORD_LINE_MAX 768

/* The largest file of them: half a million at their usual length. */
#define APP_PASSWORDS_MAX_BYTES (64U << 20)

/* What it may be used for. A mask; a line without services has all of them. */
enum app_password_service { APP_PASSWORD_POP3 = 1 << 0, APP_PASSWORD_ALL = UINT16_MAX };

/* A line taken apart. Spans are borrowed from it. */
struct app_password {
	struct span user; /* as the database has the user's name */
	struct span name; /* "Alice's phone" */
	unsigned services;
	struct span device;
	uint32_t slot;
	uint64_t created;
	uint8_t hash[APP_PASSWORD_HASH];
};

enum app_password_status { APP_PASSWORD_OK, APP_PASSWORD_COMMENT, APP_PASSWORD_BAD };

/* Takes a line apart, without its end. On APP_PASSWORD_BAD *err says what is wrong. */
enum app_password_status app_password_parse(struct span line, struct app_password *ret,
					    struct err *err);

/* Writes the line, without an end. False when there is no room. */
bool app_password_put(struct out *out, const struct app_password *p);

/* 0 when this may be its name: printable UTF-8 without ':', not empty. -EINVAL. */
int app_password_check_name(struct span name, struct err *err);

/* The mask of a list of services, or false. */
bool app_password_services(struct span words, unsigned *ret_services);

/* A fresh one, as it is shown. Wipe it. */
void app_password_make(char ret_shown[APP_PASSWORD_SHOWN]);

/*
 * The hash of what somebody says is one of the user's. False when it doesn't look like one, or
 * OpenSSL can't.
 */
bool app_password_hash(const char *user, const char *password, uint8_t ret_hash[APP_PASSWORD_HASH]);

/* ---- a table of them, for auth ---- */

/* Which it was that fitted. */
struct app_password_found {
	char name[APP_PASSWORD_NAME_MAX + 1];
	char device[MAILDROP_DEVICE_MAX + 1];
	unsigned services;
	uint32_t slot;
	uint8_t hash[APP_PASSWORD_HASH];
};

struct app_passwords;

/* Something wrong with the file, once for each trouble. */
typedef void app_password_notice(void *arg, const char *text);

/* An empty table for path, which is copied. NULL when there is no memory. */
struct app_passwords *app_passwords_new(const char *path, app_password_notice *notice, void *arg);
void app_passwords_free(struct app_passwords *a);

/*
 * True when the password is one of the user's, whatever the services. Looks first whether the
 * file has changed; while it can't be read, those that were there before stay. One thread.
 */
bool app_passwords_find(struct app_passwords *a, const char *user, const char *password,
			struct app_password_found *ret_found);
