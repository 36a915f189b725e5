/* SPDX-License-Identifier: MIT */
#include "auth/system_user.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "auth/user_name.h"

/* Whoever has nothing: not an owner of mail, on any system. */
#define NOBODY 65534U

/* What NSS needs for one entry; more would be no user. */
#define ENTRY_MAX 16384

static bool may_have_mail(const struct passwd *pw, uint32_t first_uid)
{
	return pw->pw_uid != 0 && pw->pw_uid >= first_uid && pw->pw_uid != NOBODY &&
	       pw->pw_uid != UINT32_MAX;
}

static int take(const struct passwd *pw, struct system_user *ret_user, struct err *err)
{
	char normal[LIMIT_USER + 1];

	if (!user_name_normalise(span_str(pw->pw_name), normal))
		return err_set(err, EINVAL, "the system's name of the user is none here");
	if (strlen(pw->pw_dir) >= sizeof(ret_user->home))
		return err_set(err, EINVAL, "user '%s': the home's path is too long", pw->pw_name);
	(void)snprintf(ret_user->name, sizeof(ret_user->name), "%s", pw->pw_name);
	(void)snprintf(ret_user->home, sizeof(ret_user->home), "%s", pw->pw_dir);
	ret_user->uid = pw->pw_uid;
	ret_user->gid = pw->pw_gid;
	return 1;
}

int system_user_find(const char *name, uint32_t first_uid, struct system_user *ret_user,
		     struct err *err)
{
	char text[ENTRY_MAX];
	struct passwd entry;
	struct passwd *found = NULL;
	const int error = getpwnam_r(name, &entry, text, sizeof(text), &found);

	if (found != NULL)
		return may_have_mail(found, first_uid) ? take(found, ret_user, err) : 0;
	/* Of what getpwnam(3) says that it may mean "no user", glibc and musl return only 0. */
	return error == 0 ? 0 : err_sys(err, error, "cannot look up user '%s' of the system", name);
}

void system_user_list(uint32_t first_uid, system_user_name *say, void *arg)
{
	const struct passwd *pw;

	setpwent();
	while ((pw = getpwent()) != NULL) {
		if (may_have_mail(pw, first_uid))
			say(arg, pw->pw_name);
	}
	endpwent();
}
