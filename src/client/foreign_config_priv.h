/* SPDX-License-Identifier: MIT */
/*
 * foreign_config_priv.h - what the readers of the four programs' files have in common.
 */
#pragma once

#include "client/foreign_config.h"

struct foreign_word {
	unsigned line;
	bool quoted;
	size_t n;
	char text[LIMIT_PATH];
};

/* Words of a free form, with "..." and '...' and comments that begin with '#'. */
struct foreign_reader {
	struct span left;
	unsigned line;
	const char *ignored; /* octets that only part words, beside spaces */
	const char *alone;   /* octets that are words of their own */
};

/* 1, 0 at the end, or -EINVAL for a quotation that doesn't end or a word that is too long. */
int foreign_next(struct foreign_reader *r, struct foreign_word *ret_word, struct err *err);

bool foreign_is(const struct foreign_word *w, const char *word);

/* A new account at the end, with the values of *like (NULL: restante's). NULL: no memory. */
struct foreign_account *foreign_add(struct foreign_config *c, const struct foreign_account *like,
				    unsigned line);

/* Says that something isn't carried over. */
void foreign_remark(const struct foreign_config *c, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets an account's option by its name; what it can't be is a remark. */
void foreign_set(const struct foreign_config *c, struct foreign_account *a, const char *option,
		 unsigned line, const char *text);

/* A file named as these programs do: "~/" is home, others begin beside the configuration. */
void foreign_path(const struct foreign_config *c, const char *text,
		  char ret_path[static LIMIT_PATH]);

int foreign_fetchmail(struct foreign_config *c, struct span text, struct err *err);
int foreign_mpop(struct foreign_config *c, struct span text, struct err *err);
int foreign_getmail(struct foreign_config *c, struct span text, struct err *err);
int foreign_fdm(struct foreign_config *c, struct span text, struct err *err);

/* The next line of a file of lines, without space around it. False at the end. */
bool foreign_line(struct span *left, struct span *ret_line);
