/* SPDX-License-Identifier: MIT */
#include "base/ask.h"

#include <errno.h>
#include <poll.h>
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

/*
 * Octet by octet. At a terminal signals are blocked, and come only where mask lets
 * them: one that came just before read(2) would be noticed only after the next key.
 */
static int read_line(char *ret_password, size_t cap, const sigset_t *mask, struct err *err)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	size_t n = 0;

	for (;;) {
		char c;
		ssize_t got = 1;

		if (mask != NULL)
			got = ppoll(&input, 1, NULL, mask);
		if (got > 0)
			got = read(STDIN_FILENO, &c, 1);
		if (got < 0 && errno == EINTR && mask != NULL && caught == 0)
			continue; /* stopped, and continued */
		if (got < 0)
			return errno == EINTR ? -EINTR
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

int ask_password_line(char *ret_password, size_t cap, struct err *err)
{
	return read_line(ret_password, cap, NULL, err);
}

int ask_password(const char *prompt, char *ret_password, size_t cap, struct err *err)
{
	struct sigaction before[SIGNALS];
	const struct sigaction quiet = {.sa_handler = on_signal}; /* ppoll(2) returns */
	struct termios normal;
	struct termios silent;
	sigset_t waiting;
	sigset_t mask;
	int r;

	if (tcgetattr(STDIN_FILENO, &normal) < 0)
		return err_sys(err, errno, "cannot use the terminal");
	silent = normal;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	silent.c_lflag |= ICANON | ISIG;
	caught = 0;
	(void)sigemptyset(&waiting);
	for (size_t i = 0; i < SIGNALS; i++)
		(void)sigaddset(&waiting, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &waiting, &mask);
	for (size_t i = 0; i < SIGNALS; i++)
		(void)sigaction(signals[i], &quiet, &before[i]);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0) {
		r = err_sys(err, errno, "cannot switch the terminal's echo off");
	} else {
		(void)fputs(prompt, stderr);
		(void)fflush(stderr);
		r = read_line(ret_password, cap, &mask, err);
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &normal);
		(void)fputc('\n', stderr);
	}
	for (size_t i = 0; i < SIGNALS; i++)
		(void)sigaction(signals[i], &before[i], NULL);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	if (r == -EINTR) {
		/* Stopped and continued, it comes back here. */
		(void)raise(caught);
		return err_set(err, EINTR, "interrupted");
	}
	return r;
}
