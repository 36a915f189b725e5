/* SPDX-License-Identifier: MIT */
#include "ctl/prompt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/limits.h"
#include "base/secret.h"

static int ask_twice(const char *user, char *ret_password, size_t cap, struct err *err)
{
	char again[LIMIT_PASSWORD + 2];
	char prompt[LIMIT_USER + 64];
	int r;

	(void)snprintf(prompt, sizeof(prompt), "New password for %s: ", user);
	r = ask_password(prompt, ret_password, cap, err);
	if (r == 0)
		r = ask_password("The same again: ", again, sizeof(again), err);
	if (r == 0 && strcmp(ret_password, again) != 0)
		r = err_set(err, EINVAL, "the two passwords are different; nothing is changed");
	secret_wipe(again, sizeof(again));
	return r;
}

static int check(const char *password, struct err *err)
{
	if (password[0] == '\0')
		return err_set(err, EINVAL, "the password is empty");
	for (const char *c = password; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return err_set(err, EINVAL,
				       "the password has a control character, which no mail "
				       "program can send");
	}
	return 0;
}

int prompt_new_password(const char *user, char *ret_password, size_t cap, struct err *err)
{
	int r = isatty(STDIN_FILENO) ? ask_twice(user, ret_password, cap, err)
				     : ask_password_line(ret_password, cap, err);

	if (r == 0)
		r = check(ret_password, err);
	if (r < 0)
		secret_wipe(ret_password, cap);
	return r;
}
