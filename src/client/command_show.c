/* SPDX-License-Identifier: MIT */
/*
 * restante show - messages that were fetched, for reading.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "client/display.h"
#include "client/mail_line.h"
#include "client/mail_reading.h"
#include "client/progress.h"
#include "client/restante.h"
#include "client/stored_row.h"

static void print_header(const char *name, const char *text)
{
	char *const shown = display_text(text, DISPLAY_ALL, false);

	if (shown[0] != '\0')
		(void)printf("%-9s%s\n", name, shown);
	free(shown);
}

static void print_attachments(const char *id, const struct mail_reading *mail)
{
	(void)printf("\nAttachments, for restante save %s:\n", id);
	for (size_t i = 0; i < mail->n_attachments; i++) {
		const struct mail_attachment *const a = &mail->attachments[i];
		char *const name = display_text(a->name[0] != '\0' ? a->name : "(no name)",
						DISPLAY_ALL, false);
		char *const type = display_text(a->type, DISPLAY_ALL, false);
		char size[PROGRESS_SIZE_MAX];

		progress_size(a->octets, size);
		(void)printf("%4zu  %s  (%s, %s)\n", i + 1, name, type, size);
		free(name);
		free(type);
	}
}

static int show_mail(const char *id, int fd, int64_t stored_at)
{
	struct mail_reading mail;
	char date[MAIL_LINE_DATE_MAX];
	const int r = mail_reading_read(fd, &mail);

	if (r < 0)
		return restante_complain(EX_IOERR, "cannot read message %s: %s", id, strerror(-r));

	char *const text = display_lines(mail.text);

	mail_line_date(mail.date, stored_at, date);
	print_header("From:", mail.from);
	print_header("To:", mail.to);
	print_header("Cc:", mail.cc);
	print_header("Date:", date);
	print_header("Subject:", mail.subject);
	(void)printf("\n%s", text);
	if (mail.n_attachments > 0)
		print_attachments(id, &mail);
	free(text);
	mail_reading_done(&mail);
	return EX_OK;
}

/* As it came; on a terminal it is shown and not obeyed, like everything. */
static int show_raw(const char *id, int fd)
{
	const bool terminal = isatty(STDOUT_FILENO) == 1;
	char octets[16384];
	char line[4 * sizeof(octets) + 1];
	ssize_t n;

	while ((n = read(fd, octets, sizeof(octets))) > 0) {
		size_t to = 0;

		for (ssize_t i = 0; i < n && terminal; i++) {
			const unsigned char c = (unsigned char)octets[i];

			if ((c >= ' ' && c < 0x7f) || c == '\n' || c == '\t')
				line[to++] = (char)c;
			else if (c != '\r')
				to += (size_t)snprintf(line + to, 5, "\\x%02x", c);
		}
		(void)fwrite(terminal ? line : octets, 1, terminal ? to : (size_t)n, stdout);
	}
	if (n < 0)
		return restante_complain(EX_IOERR, "cannot read message %s: %s", id,
					 strerror(errno));
	return EX_OK;
}

static int show_one(const struct restante *r, struct state *state, struct stored_mail *files,
		    const char *id)
{
	int64_t stored_at;
	int fd;
	int status = stored_row_open(state, files, id, &fd, &stored_at);

	if (status != EX_OK)
		return status;
	status = r->raw ? show_raw(id, fd) : show_mail(id, fd, stored_at);
	(void)close(fd);
	return status;
}

int restante_show(struct restante *r)
{
	struct stored_mail files = {0};
	struct state *state;
	int status;

	if (r->names[0] == NULL)
		return restante_complain(EX_USAGE,
					 "which message? restante list has their numbers");
	status = restante_open_state(r, &state);
	mail_summary_init();
	for (char **id = r->names; *id != NULL && status == EX_OK; id++) {
		if (id > r->names && !r->raw)
			(void)printf("\n%.72s\n\n", "----------------------------------------"
						    "----------------------------------------");
		status = show_one(r, state, &files, *id);
	}
	stored_mail_done(&files);
	state_close(state);
	return status == EX_OK ? restante_printed() : status;
}
