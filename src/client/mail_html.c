/* SPDX-License-Identifier: MIT */
#include "client/mail_html.h"

#include <gmime/gmime.h>
#include <libxml/HTMLparser.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct reading {
	GString *out;
	unsigned hidden; /* elements around us whose text isn't for people */
	unsigned pre;    /* elements around us that keep white space */
	bool space;      /* white space came, and nothing after it */
	char *link;      /* where the anchor that is open leads. Owned */
	size_t link_at;  /* its text's beginning in out */
};

static bool any_of(const char *name, const char *const *list)
{
	for (; *list != NULL; list++) {
		if (strcasecmp(name, *list) == 0)
			return true;
	}
	return false;
}

static bool is_hidden(const char *name)
{
	static const char *const list[] = {"script", "style", "head", "title", "template", NULL};

	return any_of(name, list);
}

static bool is_block(const char *name)
{
	static const char *const list[] = {
		"address", "article",  "aside",      "blockquote", "div",   "dd",   "dl",
		"dt",      "footer",   "form",       "h1",         "h2",    "h3",   "h4",
		"h5",      "h6",       "header",     "hr",         "li",    "main", "nav",
		"ol",      "p",        "pre",        "section",    "table", "tr",   "ul",
		"center",  "fieldset", "figcaption", "figure",     NULL};

	return any_of(name, list);
}

/* Paragraphs and their like have an empty line between them. */
static bool is_apart(const char *name)
{
	static const char *const list[] = {"p",  "blockquote", "pre", "h1", "h2",    "h3", "h4",
					   "h5", "h6",         "ul",  "ol", "table", "hr", NULL};

	return any_of(name, list);
}

/* So many line ends are at the end of what is there. */
static void break_line(struct reading *r, unsigned wanted)
{
	unsigned have = 0;

	r->space = false;
	if (r->out->len == 0)
		return;
	while (have < wanted && have < r->out->len && r->out->str[r->out->len - 1 - have] == '\n')
		have++;
	for (; have < wanted; have++)
		g_string_append_c(r->out, '\n');
}

static const char *attribute(const xmlChar **attributes, const char *name)
{
	for (; attributes != NULL && attributes[0] != NULL; attributes += 2) {
		if (strcasecmp((const char *)attributes[0], name) == 0)
			return (const char *)attributes[1];
	}
	return NULL;
}

static void put(struct reading *r, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const bool white = strchr(" \t\r\n\f", text[i]) != NULL;

		if (white && r->pre == 0) {
			r->space = true;
			continue;
		}
		if (r->space && r->out->len > 0 && r->out->str[r->out->len - 1] != '\n')
			g_string_append_c(r->out, ' ');
		r->space = false;
		g_string_append_c(r->out, text[i]);
	}
}

static void on_start(void *ctx, const xmlChar *element, const xmlChar **attributes)
{
	struct reading *const r = ctx;
	const char *const name = (const char *)element;

	r->hidden += is_hidden(name);
	if (r->hidden > 0)
		return;
	if (is_block(name))
		break_line(r, is_apart(name) ? 2 : 1);
	r->pre += strcasecmp(name, "pre") == 0;
	if (strcasecmp(name, "br") == 0) {
		r->space = false;
		g_string_append_c(r->out, '\n');
	} else if (strcasecmp(name, "li") == 0) {
		put(r, "- ", 1);
		r->space = true;
	} else if (strcasecmp(name, "td") == 0 || strcasecmp(name, "th") == 0) {
		r->space = true;
	} else if (strcasecmp(name, "img") == 0) {
		const char *const alt = attribute(attributes, "alt");

		if (alt != NULL)
			put(r, alt, strlen(alt));
	} else if (strcasecmp(name, "a") == 0) {
		g_free(r->link);
		r->link = g_strdup(attribute(attributes, "href"));
		r->link_at = r->out->len;
	}
}

/* A link whose text is the address itself needn't say it twice. */
static void end_link(struct reading *r)
{
	if (r->link != NULL &&
	    (g_str_has_prefix(r->link, "http://") || g_str_has_prefix(r->link, "https://") ||
	     g_str_has_prefix(r->link, "mailto:"))) {
		const char *const text = r->out->str + r->link_at;
		const char *const plain = g_str_has_prefix(r->link, "mailto:") ? r->link + 7
									       : r->link;

		if (strstr(text, plain) == NULL) {
			r->space = false;
			g_string_append_printf(r->out, " <%s>", plain);
		}
	}
	g_free(r->link);
	r->link = NULL;
}

static void on_end(void *ctx, const xmlChar *element)
{
	struct reading *const r = ctx;
	const char *const name = (const char *)element;

	if (is_hidden(name)) {
		r->hidden -= r->hidden > 0;
		return;
	}
	if (r->hidden > 0)
		return;
	if (strcasecmp(name, "a") == 0)
		end_link(r);
	if (strcasecmp(name, "pre") == 0)
		r->pre -= r->pre > 0;
	if (is_block(name))
		break_line(r, is_apart(name) ? 2 : 1);
}

static void on_text(void *ctx, const xmlChar *text, int n)
{
	struct reading *const r = ctx;

	if (r->hidden == 0 && n > 0)
		put(r, (const char *)text, (size_t)n);
}

char *mail_html_text(const char *html)
{
	static const int at_once = 65536;
	xmlSAXHandler sax = {
		.startElement = on_start,
		.endElement = on_end,
		.characters = on_text,
		.cdataBlock = NULL, /* what is in <script> and <style> */
	};
	struct reading r = {.out = g_string_new(NULL)};
	size_t left = strlen(html);
	const htmlParserCtxtPtr parser = htmlCreatePushParserCtxt(&sax, &r, NULL, 0, NULL,
								  XML_CHAR_ENCODING_UTF8);

	/* What it calls errors is how mails are written. */
	if (parser != NULL) {
		(void)htmlCtxtUseOptions(parser, HTML_PARSE_RECOVER | HTML_PARSE_NONET |
							 HTML_PARSE_IGNORE_ENC |
							 HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING);
		/* An end without a beginning would be the end of all of it. */
		(void)htmlParseChunk(parser, "<body>", 6, 0);
		while (left > 0) {
			const int n = left > (size_t)at_once ? at_once : (int)left;

			(void)htmlParseChunk(parser, html, n, 0);
			html += n;
			left -= (size_t)n;
		}
		(void)htmlParseChunk(parser, "", 0, 1);
		htmlFreeParserCtxt(parser);
	}
	g_free(r.link);
	while (r.out->len > 0 && r.out->str[r.out->len - 1] == '\n')
		g_string_truncate(r.out, r.out->len - 1);
	if (r.out->len > 0)
		g_string_append_c(r.out, '\n');
	return g_string_free(r.out, FALSE);
}
