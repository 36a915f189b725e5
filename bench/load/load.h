/* SPDX-License-Identifier: MIT */
/*
 * load.h - a closed-loop load generator: so many connections, each of which begins its
 * next session when the last one is over, so a slower server gets less to do and is
 * never buried. One thread, on the same event loop and the same codecs as the server.
 *
 *	load_main.c    options, the clock, the result as JSON
 *	load_client.c  a connection: dial, TLS, input, output, the end
 *	load_pop3.c    what is said in POP3, and what must be answered
 *	load_lmtp.c    the same in LMTP
 *
 * Every octet that arrives is checked. An answer that isn't what it must be is a
 * failure: it is counted, the first ones are told, and the run fails.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/limits.h"
#include "base/out.h"
#include "latency.h"
#include "mail.h"
#include "net/conn.h"

struct ssl_ctx_st;
struct ssl_session_st;

enum load_mode {
	LOAD_POLL,   /* login, STAT, QUIT */
	LOAD_LIST,   /* login, UIDL, LIST, QUIT */
	LOAD_FETCH,  /* login, STAT, LIST, UIDL, RETR of all, perhaps DELE, QUIT */
	LOAD_RETR,   /* login, RETR of all, perhaps DELE, QUIT */
	LOAD_IDLE,   /* login; held until stdin ends; NOOP, QUIT */
	LOAD_STUCK,  /* login, RETR 1, and then it is not read, or slowly */
	LOAD_LMTP,   /* deliveries */
	LOAD_VERIFY, /* login, RETR of all, QUIT: that deliveries arrived, each once */
	LOAD_MODES
};

enum load_tls { LOAD_CLEAR, LOAD_TLS, LOAD_TLS_RESUMED };

struct load_options {
	enum load_mode mode;
	const char *target; /* "127.0.0.1:110" or "unix:PATH" */
	enum load_tls tls;
	uint64_t connections;
	uint64_t sessions; /* of all connections together; in LMTP: messages. 0: no limit */
	uint64_t seconds;  /* after which none is begun. 0: no limit */
	uint64_t user;     /* the first: user0 unless another is given */
	uint64_t users;    /* so many from there on: no two sessions have the same one at a time */
	const char *password;
	const char *domain; /* of recipients */
	uint64_t messages;  /* that each maildrop has; UINT64_MAX: any number */
	uint64_t first;     /* the first message's number */
	uint64_t octets;    /* of each */
	enum mail_kind kind;
	bool any_content; /* octets and content of messages are not known */
	bool delete;
	uint64_t ahead;          /* commands sent before their replies, once logged in */
	uint64_t read_octets;    /* LOAD_STUCK: a second, of each connection */
	uint64_t deliveries;     /* LOAD_VERIFY: that there were */
	uint64_t per_connection; /* LMTP: messages before QUIT */
};

struct client;

/* What a connection speaks. */
struct client_ops {
	size_t size; /* of the struct that begins with struct client */

	/* A session begins: the struct behind struct client is zeroed. */
	void (*begin)(struct client *c);
	/* Takes what it can off the front of *in. */
	void (*input)(struct client *c, struct span *in);
	/* Appends to c->out. Called whenever that is empty. NULL: input() writes it all. */
	void (*output)(struct client *c);
	/* The server has closed the connection. */
	void (*closed)(struct client *c);
};

/* A slot: one connection after the other. */
struct client {
	struct conn conn; /* first: a conn is turned back into its client */
	struct load *load;
	uint32_t user; /* taken from the load's */
	bool connected;
	bool ending;    /* closing: nothing is done any more */
	bool over;      /* all was said and answered: the server may close */
	bool deaf;      /* reads nothing */
	bool may_begin; /* the next session, once this one is closed */
	uint64_t begun_ns;
	struct out out; /* what is to be sent; memory in out_bytes */
	size_t out_at;
	char out_bytes[16384];
	size_t kept_n; /* input that was no whole line yet */
	char kept[LIMIT_POP3_REPLY];
};

#define LOAD_SCRATCH (256U << 10)
#define LOAD_TICKETS 65536U

struct load {
	struct load_options o;
	const struct client_ops *ops;
	uv_loop_t loop;
	uv_timer_t tick;
	uv_poll_t release; /* stdin */
	struct sockaddr_storage address;
	socklen_t address_n;

	struct ssl_ctx_st *tls;          /* Owned */
	struct ssl_session_st **tickets; /* Owned: a stack of those not used yet */
	uint32_t n_tickets;

	struct client **clients; /* Owned */
	uint64_t n_clients;      /* that have begun at least once */
	uint32_t *free_users;    /* Owned: a ring */
	uint64_t free_at;
	uint64_t n_free;

	uint64_t started_ns;
	uint64_t ended_ns;
	uint64_t begun;  /* sessions, or in LMTP messages */
	uint64_t made;   /* messages of LOAD_LMTP */
	uint64_t active; /* clients that have a connection */
	uint64_t held;   /* LOAD_IDLE and LOAD_STUCK: that are where they shall be */
	bool released;
	uint64_t done;
	uint64_t resumed;  /* handshakes */
	uint64_t failures; /* sessions that went wrong */
	uint64_t octets;   /* of messages and lists that were read, or delivered */
	uint64_t moved;    /* changes whenever something happens */
	uint64_t moved_before;
	unsigned quiet_ticks;
	uint32_t *uidl_sums; /* Owned: what each user's UIDLs were the last time */
	uint8_t *seen;       /* Owned: LOAD_VERIFY, a bit for each delivery */
	uint64_t n_seen;
	struct latency latency;
	char first_failure[256];
	char scratch[LOAD_SCRATCH];
};

extern const struct client_ops load_pop3_ops;
extern const struct client_ops load_lmtp_ops;

/* ---- load_client.c ---- */

/* Starts up to n more connections, as the options want. */
void load_start_clients(struct load *l, uint64_t n);

/* The session is one success more; the server will close, or client_end() does. */
void client_done(struct client *c);

/* It went wrong: counted, told, closed. */
void client_fail(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Closes the connection; a new session begins if one shall. */
void client_end(struct client *c);

/* It is where LOAD_IDLE or LOAD_STUCK wants it. */
void client_held(struct client *c);

/* Goes on from outside: sends what is in c->out. */
void client_drive(struct client *c);

/* LOAD_STUCK: reads up to n octets and throws them away. */
void client_sip(struct client *c, size_t n);

/* Keeps tickets for LOAD_TLS_RESUMED. */
void load_keep_tickets(struct load *l);

/* ---- load_main.c ---- */

/* May one more session, or in LMTP message, be begun? Counts it. */
bool load_begin_one(struct load *l);

/* A line of JSON says that all are held. */
void load_all_held(struct load *l);

/* ---- load_pop3.c ---- */

/* LOAD_IDLE and LOAD_STUCK: time to go. */
void pop3_release(struct client *c);
