/* SPDX-License-Identifier: MIT */
#include "ctl/prompt.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/secret.h"

/* What came while the terminal was without echo. */
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

/* One line from standard input, without its end, octet by octet: what follows isn't ours. */
static int read_line(char *ret_line, size_t cap, struct err *err)
{
	size_t n = 0;

	for (;;) {
		char c;
		const ssize_t got = read(STDIN_FILENO, &c, 1);

		if (got < 0)
			return caught != 0 || errno == EINTR
				       ? -EINTR
				       : err_sys(err, errno, "cannot read the password");
		if (got == 0 && n == 0)
			return err_set(err, EINVAL, "there is no password to read");
		if (got == 0 || c == '\n')
			break;
		if (n + 1 >= cap)
			return err_set(err, EINVAL, "the password is too long");
		if (c == '\0')
			return err_set(err, EINVAL, "the password has a NUL octet");
		ret_line[n++] = c;
	}
	ret_line[n] = '\0';
	return 0;
}

static int ask(const char *prompt, char *ret_password, size_t cap, struct err *err)
{
	struct sigaction before[SIGNALS];
	const struct sigaction quiet = {.sa_handler = on_signal}; /* read(2) returns */
	struct termios normal;
	struct termios silent;
	int r;

	if (tcgetattr(STDIN_FILENO, &normal) < 0)
		return err_sys(err, errno, "cannot use the terminal");
	silent = normal;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	silent.c_lflag |= ICANON | ISIG;
	caught = 0;
	for (size_t i = 0; i < SIGNALS; i++)
		(void)sigaction(signals[i], &quiet, &before[i]);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0) {
		r = err_sys(err, errno, "cannot switch the terminal's echo off");
	} else {
		(void)fputs(prompt, stderr);
		(void)fflush(stderr);
		r = read_line(ret_password, cap, err);
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &normal);
		(void)fputc('\n', stderr);
	}
	for (size_t i = 0; i < SIGNALS; i++)
		(void)sigaction(signals[i], &before[i], NULL);
	if (r == -EINTR) {
		/* Stopped and continued, it comes back here. */
		(void)raise(caught);
		return err_set(err, EINTR, "interrupted");
	}
	return r;
}

static int ask_twice(const char *user, char *ret_password, size_t cap, struct err *err)
{
	char again[LIMIT_PASSWORD + 2];
	char prompt[LIMIT_USER + 64];
	int r;

	(void)snprintf(prompt, sizeof(prompt), "New password for %s: ", user);
	r = ask(prompt, ret_password, cap, err);
	if (r == 0)
		r = ask("The same again: ", again, sizeof(again), err);
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
				     : read_line(ret_password, cap, err);

	if (r == 0)
		r = check(ret_password, err);
	if (r < 0)
		secret_wipe(ret_password, cap);
	return r;
}
