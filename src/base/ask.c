/* SPDX-License-Identifier: MIT */
#include "base/ask.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

/* What came while the terminal was without echo. */
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

int ask_password_line(char *ret_password, size_t cap, struct err *err)
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
		ret_password[n++] = c;
	}
	ret_password[n] = '\0';
	return 0;
}

int ask_password(const char *prompt, char *ret_password, size_t cap, struct err *err)
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
		r = ask_password_line(ret_password, cap, err);
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
