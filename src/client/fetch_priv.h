/* SPDX-License-Identifier: MIT */
/*
 * fetch_priv.h - the parts of a session, in the order in which they run:
 *
 *	fetch.c           everything is opened; the parts; QUIT
 *	fetch_list.c      LIST, UIDL, and TOP where a header must be seen: what to do
 *	fetch_retrieve.c  RETR: each message into tmp/
 *	fetch_group.c     ... and some at a time from there into new/ and the state
 *	fetch_keep.c      what is left there unfetched; what is deleted there, and why
 *	fetch_delete.c    what has vanished; DELE, for what the state knows to be stored
 */
#pragma once

#include "codec/pop3/pop3_capabilities.h"
#include "client/destination.h"
#include "client/dialogue.h"
#include "client/fetch.h"
#include "client/listing.h"
#include "client/plan.h"
#include "client/state.h"

/* A group is stored when it has so many messages, or octets, or has waited so long. */
#define GROUP_MESSAGES 100
#define GROUP_OCTETS (UINT64_C(32) << 20)
#define GROUP_MS 2000

/* Messages that are whole, in tmp/, and not yet stored. */
struct group {
	size_t n;
	uint64_t octets;
	uint64_t began_ms;
	struct incoming in[GROUP_MESSAGES];
	struct message *messages[GROUP_MESSAGES];
};

struct session {
	const struct fetch_options *options; /* Borrowed */
	struct fetch_result *result;
	struct err *err;
	char identity[ACCOUNT_IDENTITY_MAX + 1];
	struct state *state; /* Owned, as all below */
	int64_t account;
	char place[DESTINATION_NAME_MAX]; /* destination_name() */
	int64_t maildir;                  /* its number in the state */
	int64_t old_before;               /* delete_after, as a time; 0: it isn't set */
	bool mirrors;                     /* what isn't in the Maildir was deleted by its owner */
	struct destination *target;
	struct listing listing;
	struct pop3_capabilities caps;
	struct header_reader header;
	struct incoming incoming; /* the message that is coming */
	uint64_t octets_come;     /* of all messages, for the progress */
	size_t messages_come;
	unsigned untaken; /* messages in a row that the destination wouldn't take now */
	struct group group;
	struct dialogue dialogue;
};

void fetch_remark(const struct session *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* After a function of the state or the destination: r is what it returned. */
enum fetch_status fetch_state_status(int r);
enum fetch_status fetch_disk_status(int r);

struct plan fetch_plan(struct session *s);

/* Fills the listing and gives each message its fate. */
enum fetch_status fetch_list(struct session *s);

/* Remembers what was found in the Maildir, and new sizes of what is known. */
enum fetch_status fetch_remember(struct session *s);

/* Gets all that is to be fetched, and stores what is whole, also when it ends badly. */
enum fetch_status fetch_retrieve(struct session *s);

/* A message whose file was left behind by a session that died is remembered. */
enum fetch_status fetch_adopt(struct session *s, struct message *m);

/* A message that is whole joins the group. */
enum fetch_status fetch_group_add(struct session *s, struct message *m);

/* It doesn't wait for ever, should the next message be long. */
enum fetch_status fetch_group_wait(struct session *s);
enum fetch_status fetch_group_store(struct session *s);
void fetch_group_abort(struct session *s);

/* Everything has its fate by now: remembers what has vanished from the server. */
enum fetch_status fetch_compare(struct session *s);

/* What stays unfetched this time: too large, or too many. After the plan. */
void fetch_limit(struct session *s);

/* Looks whether the Maildir can be believed about what was deleted. After the plan. */
void fetch_look_for_deleted(struct session *s);

/* Why a message that is stored is deleted on the server; NULL: it isn't. */
const char *fetch_why_deleted(const struct session *s, const struct message *m);

/* Whether one that is stored now is to be deleted in the same session. */
bool fetch_deletes_new(const struct session *s, const struct message *m);

enum fetch_status fetch_delete(struct session *s);

/* QUIT was confirmed. */
enum fetch_status fetch_deleted(struct session *s);
