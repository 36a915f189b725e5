/* SPDX-License-Identifier: MIT */
#include "client/mail_summary.h"

#include <errno.h>
#include <gmime/gmime.h>
#include <string.h>
#include <unistd.h>

#include "client/mail_charset.h"

/* What is looked at: a header that is longer isn't read to its end. */
#define HEADER_MAX (256 * 1024)

void mail_summary_init(void)
{
	g_mime_init();
}

/* The first lines of a file, to the blank one. */
static int read_header(int fd, GByteArray *to)
{
	char buffer[16384];
	size_t searched = 0;

	while (to->len < HEADER_MAX) {
		const ssize_t n = read(fd, buffer, sizeof(buffer));

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		(void)g_byte_array_append(to, (const guint8 *)buffer, (guint)n);
		/* The blank line may begin in what was read before. */
		searched = searched > 3 ? searched - 3 : 0;
		if (memmem(to->data + searched, to->len - searched, "\n\n", 2) != NULL ||
		    memmem(to->data + searched, to->len - searched, "\n\r\n", 3) != NULL)
			break;
		searched = to->len;
	}
	return 0;
}

static GMimeMessage *parse(GByteArray *header)
{
	GMimeStream *const stream = g_mime_stream_mem_new_with_byte_array(header);
	GMimeParser *const parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *message;

	/* The array is the caller's still. */
	g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
	message = g_mime_parser_construct_message(parser, NULL);
	g_object_unref(parser);
	g_object_unref(stream);
	return message;
}

static char *from_of(GMimeMessage *message)
{
	InternetAddressList *const list = g_mime_message_get_from(message);
	InternetAddress *const first = list != NULL && internet_address_list_length(list) > 0
					       ? internet_address_list_get_address(list, 0)
					       : NULL;
	const char *text = NULL;

	if (first != NULL)
		text = internet_address_get_name(first);
	if ((text == NULL || text[0] == '\0') && first != NULL &&
	    INTERNET_ADDRESS_IS_MAILBOX(first))
		text = internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(first));
	if (text == NULL)
		text = g_mime_object_get_header(GMIME_OBJECT(message), "From");
	return mail_charset_escapes(text != NULL ? text : "");
}

int mail_summary_read(int fd, struct mail_summary *ret_summary)
{
	GByteArray *const header = g_byte_array_new();
	const int r = read_header(fd, header);

	header->len = (guint)mail_charset_fix_words((char *)header->data, header->len);

	GMimeMessage *const message = r == 0 ? parse(header) : NULL;

	if (message != NULL) {
		const char *const subject = g_mime_message_get_subject(message);
		GDateTime *const date = g_mime_message_get_date(message);

		*ret_summary = (struct mail_summary){
			.from = from_of(message),
			.subject = mail_charset_escapes(subject != NULL ? subject : ""),
			.date = date != NULL ? g_date_time_to_unix(date) : 0,
		};
		g_object_unref(message);
	} else if (r == 0) {
		/* An empty file, or nothing that looks like a header. */
		*ret_summary = (struct mail_summary){.from = g_strdup(""), .subject = g_strdup("")};
	}
	(void)g_byte_array_free(header, TRUE);
	return r;
}

void mail_summary_done(struct mail_summary *s)
{
	g_free(s->from);
	g_free(s->subject);
	memset(s, 0, sizeof(*s));
}
