/* SPDX-License-Identifier: MIT */
/*
 * restante save - attachments of a message into files of their own. A file that is there
 * is never written over, and none gets a name that a mail could make dangerous.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/num.h"
#include "client/display.h"
#include "client/mail_reading.h"
#include "client/mail_summary.h"
#include "client/restante.h"
#include "client/stored_row.h"

#define NAME_MAX_OCTETS 200
#define SAME_NAME_MAX 1000

/* "../../.bashrc" is "bashrc"; what is left of nothing gets a name of ours. */
static void file_name(const struct mail_attachment *a, const char *id, size_t number,
		      char ret_name[static NAME_MAX_OCTETS + 1])
{
	const char *const slash = strrchr(a->name, '/');
	const char *const backslash = strrchr(slash != NULL ? slash + 1 : a->name, '\\');
	const char *const last = backslash != NULL ? backslash + 1
				 : slash != NULL   ? slash + 1
						   : a->name;
	char *const shown = display_text(last, DISPLAY_ALL, false);
	const char *name = shown;
	size_t n;

	while (*name == '.' || *name == '-' || *name == ' ')
		name++;
	n = strlen(name);
	if (n > NAME_MAX_OCTETS)
		n = NAME_MAX_OCTETS;
	/* Not in the middle of a character. */
	while (n > 0 && n < strlen(name) && ((unsigned char)name[n] & 0xc0) == 0x80)
		n--;
	if (n == 0)
		(void)snprintf(ret_name, NAME_MAX_OCTETS + 1, "message-%.20s-%zu", id, number);
	else
		(void)snprintf(ret_name, NAME_MAX_OCTETS + 1, "%.*s", (int)n, name);
	free(shown);
}

/* A new file: "report.pdf", or "report-2.pdf" if that is taken. */
static int create(int directory, const char *name, char *ret_name, size_t cap)
{
	const char *const dot = strrchr(name, '.');
	const int stem = dot != NULL && dot > name ? (int)(dot - name) : (int)strlen(name);
	int fd = -1;

	(void)snprintf(ret_name, cap, "%s", name);
	for (unsigned i = 2; i < SAME_NAME_MAX; i++) {
		fd = openat(directory, ret_name,
			    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
		if (fd >= 0 || errno != EEXIST)
			break;
		(void)snprintf(ret_name, cap, "%.*s-%u%s", stem, name, i, name + stem);
	}
	return fd >= 0 ? fd : -errno;
}

static int save_one(const struct restante *r, int directory, const char *id, int mail_fd,
		    const struct mail_reading *mail, size_t number)
{
	char wanted[NAME_MAX_OCTETS + 1];
	char name[NAME_MAX_OCTETS + 16];
	int fd;
	int e;

	file_name(&mail->attachments[number - 1], id, number, wanted);
	fd = create(directory, wanted, name, sizeof(name));
	e = fd < 0 ? fd : mail_attachment_write(mail_fd, number, fd);
	if (fd >= 0 && close(fd) < 0 && e == 0)
		e = -errno;
	if (e < 0) {
		if (fd >= 0)
			(void)unlinkat(directory, name, 0);
		return restante_complain(EX_CANTCREAT, "cannot save '%s': %s", name, strerror(-e));
	}
	if (!r->quiet)
		(void)printf("%s\n", name);
	return EX_OK;
}

static int save_wanted(const struct restante *r, int directory, const char *id, int mail_fd,
		       const struct mail_reading *mail)
{
	int status = EX_OK;

	if (mail->n_attachments == 0)
		return restante_complain(EX_NOINPUT, "message %s has no attachments", id);
	for (size_t i = 1; i <= mail->n_attachments && r->names[1] == NULL && status == EX_OK; i++)
		status = save_one(r, directory, id, mail_fd, mail, i);
	for (char **text = r->names + 1; r->names[1] != NULL && *text != NULL && status == EX_OK;
	     text++) {
		uint64_t number;

		if (!num_parse_u64((struct span){*text, strlen(*text)}, mail->n_attachments,
				   &number) ||
		    number == 0)
			return restante_complain(EX_NOINPUT, "message %s has no attachment '%s'",
						 id, *text);
		status = save_one(r, directory, id, mail_fd, mail, (size_t)number);
	}
	return status;
}

static int save(const struct restante *r, const char *id, int mail_fd)
{
	const char *const where = r->directory != NULL ? r->directory : ".";
	const int directory = open(where, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct mail_reading mail;
	int status;
	int e;

	if (directory < 0)
		return restante_complain(EX_CANTCREAT, "cannot save in '%s': %s", where,
					 strerror(errno));
	e = mail_reading_read(mail_fd, &mail);
	if (e < 0) {
		status = restante_complain(EX_IOERR, "cannot read message %s: %s", id,
					   strerror(-e));
	} else {
		status = save_wanted(r, directory, id, mail_fd, &mail);
		mail_reading_done(&mail);
	}
	(void)close(directory);
	return status;
}

int restante_save(struct restante *r)
{
	struct stored_mail files = {0};
	struct state *state;
	int64_t stored_at;
	int fd = -1;
	int status;

	if (r->names[0] == NULL)
		return restante_complain(EX_USAGE,
					 "of which message? restante list has their numbers");
	status = restante_open_state(r, &state);
	mail_summary_init();
	if (status == EX_OK)
		status = stored_row_open(state, &files, r->names[0], &fd, &stored_at);
	if (status == EX_OK)
		status = save(r, r->names[0], fd);
	if (fd >= 0)
		(void)close(fd);
	stored_mail_done(&files);
	state_close(state);
	return status == EX_OK ? restante_printed() : status;
}
