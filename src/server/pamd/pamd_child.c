/* SPDX-License-Identifier: MIT */
/* One question, in a process of its own: what modules do here ends with it. */
#include <errno.h>
#include <fcntl.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "server/pamd/pamd_priv.h"

/* Where the pipe is, once everything else is closed. */
#define PIPE_FD 3

/* As a program that was started anew, without anything of ours but the question. */
static void leave_parent(int pipe)
{
	static const int signals[] = {SIGCHLD, SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
	sigset_t none;
	int null;

	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)signal(signals[i], SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (pipe != PIPE_FD)
		(void)dup3(pipe, PIPE_FD, O_CLOEXEC);
	(void)close_range(PIPE_FD + 1, ~0U, 0);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
	}
}

/* ---- PAM ---- */

/* Where the module doesn't show what it asks for, it asks for the password. */
static bool reply(const struct question *q, int style, struct pam_response *r)
{
	if (style == PAM_PROMPT_ECHO_OFF)
		r->resp = strdup(q->password);
	else if (style == PAM_PROMPT_ECHO_ON)
		r->resp = strdup(q->user);
	else
		return true;
	return r->resp != NULL;
}

static int converse(int n, const struct pam_message **messages, struct pam_response **ret_replies,
		    void *arg)
{
	struct pam_response *const replies = n > 0 && n <= PAM_MAX_NUM_MSG
						     ? calloc((size_t)n, sizeof(*replies))
						     : NULL;

	if (replies == NULL)
		return PAM_CONV_ERR;
	for (int i = 0; i < n; i++) {
		/* A module's process ends soon, and what is left of it with it. */
		if (!reply(arg, messages[i]->msg_style, &replies[i]))
			return PAM_CONV_ERR;
	}
	*ret_replies = replies;
	return PAM_SUCCESS;
}

/* Who guesses is slowed by auth, and nobody else is. */
static void no_delay(int status, unsigned microseconds, void *arg)
{
	(void)status;
	(void)microseconds;
	(void)arg;
}

static enum ipc_status status_of(int code)
{
	switch (code) {
	case PAM_SUCCESS:
		return IPC_OK;
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
	case PAM_PERM_DENIED:
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_AUTHTOK_EXPIRED:
	case PAM_CRED_EXPIRED:
	case PAM_CRED_ERR:
		return IPC_BAD_CREDENTIALS;
	default:
		return IPC_TEMPORARY;
	}
}

static int set_items(pam_handle_t *h, const struct question *q)
{
	void (*const delay)(int, unsigned, void *) = no_delay;
	int code = pam_set_item(h, PAM_TTY, q->service);

	if (code == PAM_SUCCESS)
		code = pam_set_item(h, PAM_RHOST, q->remote);
	if (code == PAM_SUCCESS)
		code = pam_set_item(h, PAM_FAIL_DELAY, *(const void *const *)&delay);
	return code;
}

/* A module may make another user of this one, whose mail it then isn't. */
static bool is_same_user(pam_handle_t *h, const char *name)
{
	const void *now = NULL;

	return pam_get_item(h, PAM_USER, &now) == PAM_SUCCESS && now != NULL &&
	       strcmp(now, name) == 0;
}

static void judge(struct verdict *v, pam_handle_t *h, int code, const char *step)
{
	v->status = status_of(code);
	/* That a password is wrong, auth says. */
	if (code != PAM_SUCCESS && code != PAM_AUTH_ERR)
		(void)snprintf(v->reason, sizeof(v->reason), "%s: %s", step, pam_strerror(h, code));
}

static void verify(const struct question *q, const char *name, struct verdict *v)
{
	const struct pam_conv conversation = {.conv = converse, .appdata_ptr = (void *)q};
	const char *step = "cannot start";
	pam_handle_t *h = NULL;
	int code = pam_start(q->service, name, &conversation, &h);

	if (code == PAM_SUCCESS)
		code = set_items(h, q);
	if (code == PAM_SUCCESS) {
		step = "authentication";
		code = pam_authenticate(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	}
	if (code == PAM_SUCCESS) {
		step = "account";
		code = pam_acct_mgmt(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	}
	if (code == PAM_SUCCESS && !is_same_user(h, name)) {
		step = "another user";
		code = PAM_PERM_DENIED;
	}
	judge(v, h, code, step);
	if (h != NULL)
		(void)pam_end(h, code);
}

static void look(const struct question *q, uint32_t first_uid, struct verdict *v)
{
	struct system_user user;
	struct err err;
	const int r = system_user_find(q->user, first_uid, &user, &err);

	if (r < 0) {
		(void)snprintf(v->reason, sizeof(v->reason), "%.200s", err.text);
		return;
	}
	if (r == 0) {
		v->status = IPC_NO_USER;
		return;
	}
	/* Also here: nobody may try root's passwords, whoever asks. */
	if (q->verifies) {
		verify(q, user.name, v);
		return;
	}
	v->status = IPC_OK;
	v->user = user;
}

__attribute__((noreturn)) void pamd_child(const struct question *q, uint32_t first_uid, int pipe)
{
	/* Zeroed as a whole: nothing of this process's memory goes with it. */
	static struct verdict v;

	v.status = IPC_TEMPORARY;
	leave_parent(pipe);
	look(q, first_uid, &v);
	_exit(write(PIPE_FD, &v, sizeof(v)) == (ssize_t)sizeof(v) ? 0 : 1);
}
