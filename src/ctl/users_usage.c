/* SPDX-License-Identifier: MIT */
/* What of a quota is used: read where the mail is, whether the server runs or not. */
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "auth/userdb.h"
#include "store/store.h"
#include "ctl/users.h"

/* Whose files they are: as storage is when root has started it. */
static void set_owner(const struct ctl *ctl, const struct userdb_maildrop *maildrop,
		      struct store_owner *owner)
{
	const struct passwd *pw = NULL;

	owner->uid = maildrop->uid;
	owner->gid = maildrop->gid;
	if (ctl->config.mail_user[0] != '\0' && geteuid() == 0)
		pw = getpwnam(ctl->config.mail_user);
	if (pw != NULL) {
		owner->uid = pw->pw_uid;
		owner->gid = pw->pw_gid;
	}
}

void users_print_usage(const struct ctl *ctl, const struct userdb_maildrop *maildrop)
{
	struct store_owner owner = {.user = "", .path = maildrop->path, .rules = maildrop->rules};
	struct store_usage used;
	struct store *store;
	struct err err;

	/* What isn't on disk, only the server knows. */
	if (strcmp(ctl->config.store_driver, "maildir") != 0)
		return;
	set_owner(ctl, maildrop, &owner);
	if (store_new(ctl->config.store_driver, "localhost", NULL, NULL, &store, &err) < 0) {
		(void)printf("used: unknown: %s\n", err.text);
		return;
	}
	if (store_usage(store, &owner, &used, &err) < 0)
		(void)printf("used: unknown: %s\n", err.text);
	else
		(void)printf("used: %llu messages, %llu octets\n",
			     (unsigned long long)used.messages, (unsigned long long)used.octets);
	store_free(store);
}
