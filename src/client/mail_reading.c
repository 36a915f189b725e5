/* SPDX-License-Identifier: MIT */
#include "client/mail_reading.h"

#include <errno.h>
#include <gmime/gmime.h>
#include <string.h>
#include <unistd.h>

#include "client/mail_charset.h"
#include "client/mail_html.h"

/* Deeper than any program nests, and far from where recursion ends. */
#define DEPTH_MAX 50

/* A walk through the parts: it reads all of them, or looks for one attachment. */
struct walk {
	GString *text;       /* NULL: not wanted */
	GArray *attachments; /* of struct mail_attachment; NULL: not wanted */
	size_t n;            /* attachments so far */
	size_t wanted;       /* number of the one to be written, or 0 */
	int to_fd;
	int status; /* of writing it */
};

static void walk(struct walk *w, GMimeObject *o, unsigned depth);

static GMimeMessage *parse(int fd)
{
	const int own = dup(fd);
	GMimeMessage *message = NULL;

	if (own < 0 || lseek(own, 0, SEEK_SET) < 0) {
		if (own >= 0)
			(void)close(own);
		return NULL;
	}

	/* Parts stay in the file until they are looked at. */
	GMimeStream *const stream = g_mime_stream_fs_new(own);
	GMimeParser *const parser = g_mime_parser_new_with_stream(stream);

	message = g_mime_parser_construct_message(parser, NULL);
	g_object_unref(parser);
	g_object_unref(stream);
	return message;
}

/* The part's octets, without their transfer encoding, up to the limit. */
static GByteArray *content_of(GMimePart *part)
{
	GMimeDataWrapper *const content = g_mime_part_get_content(part);
	GByteArray *const octets = g_byte_array_new();
	char buffer[16384];
	ssize_t n;

	if (content == NULL)
		return octets;

	GMimeStream *const raw = g_mime_data_wrapper_get_stream(content);
	GMimeStream *const decoded = g_mime_stream_filter_new(raw);
	GMimeFilter *const decoder = g_mime_filter_basic_new(
		g_mime_data_wrapper_get_encoding(content), FALSE);

	(void)g_mime_stream_reset(raw);
	(void)g_mime_stream_filter_add(GMIME_STREAM_FILTER(decoded), decoder);
	while (octets->len < MAIL_READING_TEXT_MAX &&
	       (n = g_mime_stream_read(decoded, buffer, sizeof(buffer))) > 0)
		(void)g_byte_array_append(octets, (const guint8 *)buffer, (guint)n);
	g_object_unref(decoder);
	g_object_unref(decoded);
	return octets;
}

static void put_text(struct walk *w, GMimePart *part)
{
	GMimeContentType *const type = g_mime_object_get_content_type(GMIME_OBJECT(part));
	GByteArray *const octets = content_of(part);
	char *text = mail_charset_utf8((struct span){(const char *)octets->data, octets->len},
				       g_mime_content_type_get_parameter(type, "charset"));
	const bool cut = octets->len >= MAIL_READING_TEXT_MAX;

	(void)g_byte_array_free(octets, TRUE);
	if (g_mime_content_type_is_type(type, "text", "html")) {
		char *const html = text;

		text = mail_html_text(html);
		g_free(html);
	}
	if (w->text->len > 0 && text[0] != '\0')
		g_string_append_c(w->text, '\n');
	g_string_append(w->text, text);
	if (w->text->len > 0 && w->text->str[w->text->len - 1] != '\n')
		g_string_append_c(w->text, '\n');
	if (cut)
		g_string_append(w->text, "[...]\n");
	g_free(text);
}

static uint64_t size_of(GMimePart *part)
{
	GMimeDataWrapper *const content = g_mime_part_get_content(part);
	GMimeStream *const null = g_mime_stream_null_new();
	gint64 n = 0;

	if (content != NULL)
		n = g_mime_data_wrapper_write_to_stream(content, null);
	g_object_unref(null);
	return n > 0 ? (uint64_t)n : 0;
}

static int write_content(GMimeObject *o, int to_fd)
{
	const int own = dup(to_fd);
	gint64 n = -1;

	if (own < 0)
		return -errno;

	GMimeStream *const to = g_mime_stream_fs_new(own);

	errno = 0;
	if (GMIME_IS_MESSAGE_PART(o)) {
		GMimeMessage *const inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(o));

		n = inner == NULL ? 0
				  : g_mime_object_write_to_stream(GMIME_OBJECT(inner), NULL, to);
	} else {
		GMimeDataWrapper *const content = g_mime_part_get_content(GMIME_PART(o));

		n = content == NULL ? 0 : g_mime_data_wrapper_write_to_stream(content, to);
	}

	const int e = errno;
	const bool flushed = g_mime_stream_flush(to) == 0;

	g_object_unref(to);
	return n >= 0 && flushed ? 0 : -(e != 0 ? e : EIO);
}

static void put_attachment(struct walk *w, GMimeObject *o)
{
	w->n++;
	if (w->attachments != NULL) {
		GMimeContentType *const type = g_mime_object_get_content_type(o);
		const char *const name = GMIME_IS_PART(o) ? g_mime_part_get_filename(GMIME_PART(o))
							  : NULL;
		const struct mail_attachment a = {
			.name = g_strdup(name != NULL ? name : ""),
			.type = g_mime_content_type_get_mime_type(type),
			.octets = GMIME_IS_PART(o) ? size_of(GMIME_PART(o)) : 0,
		};

		g_array_append_val(w->attachments, a);
	}
	if (w->wanted == w->n)
		w->status = write_content(o, w->to_fd);
}

/* Whether there is a text of that kind in it, so that it may stand for all of them. */
static bool has_text(GMimeObject *o, const char *subtype, unsigned depth)
{
	if (depth > DEPTH_MAX)
		return false;
	if (!GMIME_IS_MULTIPART(o))
		return g_mime_content_type_is_type(g_mime_object_get_content_type(o), "text",
						   subtype);
	for (int i = 0; i < g_mime_multipart_get_count(GMIME_MULTIPART(o)); i++) {
		if (has_text(g_mime_multipart_get_part(GMIME_MULTIPART(o), i), subtype, depth + 1))
			return true;
	}
	return false;
}

/* One of several forms of the same: plain text before HTML before whatever is the last. */
static void walk_alternatives(struct walk *w, GMimeMultipart *m, unsigned depth)
{
	static const char *const kinds[] = {"plain", "html"};
	const int n = g_mime_multipart_get_count(m);

	for (size_t kind = 0; kind < 2; kind++) {
		for (int i = 0; i < n; i++) {
			GMimeObject *const part = g_mime_multipart_get_part(m, i);

			if (has_text(part, kinds[kind], depth + 1)) {
				walk(w, part, depth + 1);
				return;
			}
		}
	}
	if (n > 0)
		walk(w, g_mime_multipart_get_part(m, n - 1), depth + 1);
}

static bool is_attached(GMimeObject *o)
{
	GMimeContentDisposition *const d = g_mime_object_get_content_disposition(o);
	const char *const what = d != NULL ? g_mime_content_disposition_get_disposition(d) : NULL;

	return what != NULL && g_ascii_strcasecmp(what, "attachment") == 0;
}

static bool is_text(GMimeObject *o)
{
	GMimeContentType *const type = g_mime_object_get_content_type(o);

	return GMIME_IS_PART(o) && !is_attached(o) &&
	       (g_mime_content_type_is_type(type, "text", "plain") ||
		g_mime_content_type_is_type(type, "text", "html") ||
		(g_mime_content_type_is_type(type, "text", "*") &&
		 g_mime_part_get_filename(GMIME_PART(o)) == NULL));
}

static void walk(struct walk *w, GMimeObject *o, unsigned depth)
{
	if (o == NULL || depth > DEPTH_MAX)
		return;
	if (GMIME_IS_MULTIPART(o)) {
		GMimeMultipart *const m = GMIME_MULTIPART(o);

		if (g_mime_content_type_is_type(g_mime_object_get_content_type(o), "multipart",
						"alternative")) {
			walk_alternatives(w, m, depth);
			return;
		}
		for (int i = 0; i < g_mime_multipart_get_count(m); i++)
			walk(w, g_mime_multipart_get_part(m, i), depth + 1);
	} else if (is_text(o)) {
		if (w->text != NULL && w->text->len < MAIL_READING_TEXT_MAX)
			put_text(w, GMIME_PART(o));
	} else if (GMIME_IS_PART(o) || GMIME_IS_MESSAGE_PART(o)) {
		put_attachment(w, o);
	}
}

/* A header as it stands in the mail, but with encoded words that GMime can read. */
static char *header_of(GMimeMessage *message, const char *name)
{
	GMimeHeader *const h = g_mime_header_list_get_header(
		g_mime_object_get_header_list(GMIME_OBJECT(message)), name);
	const char *const raw = h != NULL ? g_mime_header_get_raw_value(h) : NULL;
	char *const fixed = g_strdup(raw != NULL ? raw : "");

	fixed[mail_charset_fix_words(fixed, strlen(fixed))] = '\0';
	return fixed;
}

static char *addresses_of(GMimeMessage *message, const char *name)
{
	char *const header = header_of(message, name);
	InternetAddressList *const list = internet_address_list_parse(NULL, header);
	char *const text = list != NULL ? internet_address_list_to_string(list, NULL, FALSE) : NULL;
	char *const ret = mail_charset_escapes(text != NULL ? text : "");

	g_free(text);
	g_free(header);
	if (list != NULL)
		g_object_unref(list);
	return ret;
}

static char *text_of(GMimeMessage *message, const char *name)
{
	char *const header = header_of(message, name);
	char *const text = g_mime_utils_header_decode_text(NULL, header);
	char *const ret = mail_charset_escapes(g_strstrip(text));

	g_free(text);
	g_free(header);
	return ret;
}

int mail_reading_read(int fd, struct mail_reading *ret_reading)
{
	GMimeMessage *const message = parse(fd);
	struct walk w = {.text = g_string_new(NULL),
			 .attachments = g_array_new(FALSE, FALSE, sizeof(struct mail_attachment))};

	memset(ret_reading, 0, sizeof(*ret_reading));
	if (message == NULL) {
		ret_reading->from = g_strdup("");
		ret_reading->to = g_strdup("");
		ret_reading->cc = g_strdup("");
		ret_reading->subject = g_strdup("");
	} else {
		GDateTime *const date = g_mime_message_get_date(message);

		ret_reading->from = addresses_of(message, "From");
		ret_reading->to = addresses_of(message, "To");
		ret_reading->cc = addresses_of(message, "Cc");
		ret_reading->subject = text_of(message, "Subject");
		ret_reading->date = date != NULL ? g_date_time_to_unix(date) : 0;
		walk(&w, g_mime_message_get_mime_part(message), 0);
		g_object_unref(message);
	}
	ret_reading->text = g_string_free(w.text, FALSE);
	ret_reading->n_attachments = w.attachments->len;
	ret_reading->attachments = (struct mail_attachment *)(void *)g_array_free(w.attachments,
										  FALSE);
	return 0;
}

void mail_reading_done(struct mail_reading *r)
{
	for (size_t i = 0; i < r->n_attachments; i++) {
		g_free(r->attachments[i].name);
		g_free(r->attachments[i].type);
	}
	g_free(r->attachments);
	g_free(r->from);
	g_free(r->to);
	g_free(r->cc);
	g_free(r->subject);
	g_free(r->text);
	memset(r, 0, sizeof(*r));
}

int mail_attachment_write(int fd, size_t n, int to_fd)
{
	GMimeMessage *const message = parse(fd);
	struct walk w = {.wanted = n, .to_fd = to_fd};

	if (message != NULL) {
		walk(&w, g_mime_message_get_mime_part(message), 0);
		g_object_unref(message);
	}
	return w.n < n || n == 0 ? -ENOENT : w.status;
}
