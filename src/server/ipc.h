/* SPDX-License-Identifier: MIT */
/*
 * ipc.h - every message between the processes, and nothing else. doc/ipc.md
 * shows who says what to whom in which order.
 *
 * Each message is one packet on a SOCK_SEQPACKET socket: a struct below, cut off
 * after the used part of its last array where it has one, and with one descriptor
 * where ipc_rows[] says so. ipc_check() holds a packet against its row as if the
 * sender were hostile; what fails it costs the sender the channel.
 *
 * A session's id is chosen by its listener, is never 0 and never used again by
 * that listener. Auth and storage know sessions by (channel, id): no listener can
 * speak for another's session.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/limits.h"
#include "base/maildrop_rules.h"

enum ipc_role {
	IPC_MASTER,
	IPC_LISTENER,
	IPC_AUTH,
	IPC_STORAGE,
	IPC_MONITOR, /* metrics, and what an operator asks */
	IPC_PAM,     /* users of this machine */
	IPC_SIGNER,  /* private keys */
	IPC_ROLES,
	IPC_OPERATOR = IPC_ROLES, /* restantectl: no process of the master's */
	IPC_PEERS
};

/*
 * Up to IPC_PONG, numbers and structs stay as they are from version to version: after an upgrade
 * the master has children of the version before (master_takeover.c).
 */
enum ipc_type {
	/* master to all */
	IPC_LINK = 1, /* descriptor: a channel to peer_role number peer_id */
	IPC_CONFIG,   /* descriptor: a memfd with a struct config, after a reload */
	IPC_DRAIN,    /* take nothing new, exit when the last session has ended. May come again */
	/* all to master */
	IPC_READY, /* sealed, and ready for work */
	/* master to all, and back: all that was said before has been heard, and the loop turns */
	IPC_PING,
	IPC_PONG,

	/* listener to auth */
	IPC_AUTH_PASS,       /* USER and PASS */
	IPC_AUTH_APOP,       /* APOP */
	IPC_AUTH_EXTERNAL,   /* AUTH EXTERNAL, with the certificate that TLS has seen */
	IPC_AUTH_SASL_START, /* AUTH mechanism [initial response] */
	IPC_AUTH_SASL_STEP,  /* the answer to a challenge */
	IPC_AUTH_CANCEL,     /* this session has gone, or cancelled with "*" */
	IPC_AUTH_RCPT,       /* may this address have mail? */
	/* auth to listener */
	IPC_AUTH_CHALLENGE,
	IPC_AUTH_FAILED, /* success is said by storage: IPC_OPENED */
	IPC_AUTH_RCPT_REPLY,

	/* auth to storage */
	IPC_GRANT_OPEN,    /* open this maildrop now, and answer the listener */
	IPC_GRANT_DELIVER, /* this session may deliver into this maildrop */

	/* listener to storage */
	IPC_GET,            /* message n */
	IPC_MARK,           /* these messages are marked deleted; before IPC_COMMIT only */
	IPC_COMMIT,         /* QUIT when something is marked: delete it, then close */
	IPC_CLOSE,          /* forget the session: its maildrop, its delivery, its grants */
	IPC_ROOM,           /* RCPT: has the recipient that was granted last room for more? */
	IPC_DELIVER_BEGIN,  /* DATA: for all granted recipients of this transaction */
	IPC_DELIVER_COMMIT, /* the message is written */
	IPC_DELIVER_RESET,  /* RSET, or a message refused: drop delivery and grants */
	/* storage to listener */
	IPC_OPENED,        /* descriptor on success: the snapshot */
	IPC_MESSAGE,       /* descriptor on success: a message */
	IPC_COMMITTED,     /* QUIT is durable, or why not */
	IPC_ROOM_REPLY,    /* if not, its grant is forgotten */
	IPC_DELIVER_READY, /* descriptor on success: where to write */
	IPC_DELIVERED,     /* one status for each recipient, in the order of the grants */

	/* auth to pam */
	IPC_PAM_FIND,   /* is this a user of this machine? */
	IPC_PAM_VERIFY, /* is this the user's password? */
	IPC_PAM_CANCEL, /* nobody waits for the answer any more */
	/* pam to auth */
	IPC_PAM_ANSWER,

	/* operator to monitor, which passes on what is a listener's to say */
	IPC_ASK_STATUS,   /* answered with IPC_SERVER, IPC_PROCESS and IPC_COMMAND, and IPC_DONE */
	IPC_ASK_SESSIONS, /* with IPC_SESSION, at most IPC_PAGE of them, and IPC_DONE */
	IPC_KICK,         /* with IPC_DONE */
	/* monitor to operator */
	IPC_SERVER,  /* what it is, and what has been counted */
	IPC_PROCESS, /* one of its processes */
	IPC_COMMAND, /* how often one command has come */
	/* listener to monitor, and on to the operator */
	IPC_SESSION,
	IPC_DONE, /* this was all that was asked for */

	/* listener to signer; session numbers the questions */
	IPC_SIGN,
	/* signer to listener */
	IPC_SIGNED,
	IPC_TYPES
};

/* How something ended, in words that a listener can turn into a reply. */
enum ipc_status {
	IPC_OK,
	IPC_BAD_CREDENTIALS, /* [AUTH] */
	IPC_BAD_SASL,        /* malformed or cancelled exchange, unknown mechanism */
	IPC_TOO_MANY,        /* a limit of this user or address: try later */
	IPC_IN_USE,          /* [IN-USE] */
	IPC_TEMPORARY,       /* [SYS/TEMP], 451 */
	IPC_PERMANENT,       /* [SYS/PERM] */
	IPC_NO_SPACE,        /* [SYS/TEMP], 452 */
	IPC_NO_USER,         /* 550 */
	IPC_LOGIN_DELAY,     /* [LOGIN-DELAY] */
	IPC_OVER_QUOTA,      /* 452: of this user, not of the disk */
	IPC_GONE,            /* this message: taken away or changed by another program */
	IPC_STATUSES
};

struct ipc_head {
	uint32_t type; /* enum ipc_type */
	uint32_t zero; /* must be 0 */
	uint64_t session;
};

/* Which channel it is (IPC_LINK), or just the head (several types). */
struct ipc_link {
	struct ipc_head head; /* session 0 */
	uint32_t peer_role;   /* enum ipc_role */
	uint32_t peer_id;
};

/* IPC_DRAIN. */
#define IPC_DRAIN_FOREVER UINT32_MAX /* after a reload: sessions end by themselves */
struct ipc_drain {
	struct ipc_head head; /* session 0 */
	uint32_t seconds;     /* that sessions still have */
	uint32_t zero;
};

struct ipc_plain {
	struct ipc_head head;
};

enum ipc_auth_flag {
	IPC_AUTH_TLS = 1 << 0,
	IPC_AUTH_LOOPBACK = 1 << 1, /* the peer is on this machine */
};

/*
 * Who is asking: for limits, penalties and the log. Numeric address, "unix" for a UNIX
 * socket. And from which storage, by the peer_id of the listener's link, the maildrop is
 * to come: that one's end the listener will notice, and so no login waits in vain.
 */
struct ipc_origin {
	uint32_t flags; /* enum ipc_auth_flag */
	uint32_t storage;
	char remote[56];
};

struct ipc_auth_pass {
	struct ipc_head head;
	struct ipc_origin origin;
	char user[LIMIT_USER + 1];
	char password[LIMIT_PASSWORD + 1];
	char zero[7];
};

struct ipc_auth_apop {
	struct ipc_head head;
	struct ipc_origin origin;
	char user[LIMIT_USER + 1];
	char timestamp[128]; /* from the greeting, with its angle brackets */
	char digest[33];     /* 32 hexadecimal digits, lower case */
	char zero[7];
};

/* Who the client wants to be, or "", and its certificate: DER. */
#define IPC_CERTIFICATE_MAX 8192
struct ipc_external {
	struct ipc_head head;
	struct ipc_origin origin;
	char authzid[LIMIT_USER + 1];
	uint32_t zero;
	uint32_t n; /* octets used */
	uint8_t certificate[IPC_CERTIFICATE_MAX];
};

/* What a TLS connection has that no other connection has, also not one to somebody between. */
enum ipc_binding_kind {
	IPC_BINDING_NONE,
	IPC_BINDING_TLS_UNIQUE,   /* RFC 5929 */
	IPC_BINDING_TLS_EXPORTER, /* RFC 9266 */
	IPC_BINDING_KINDS
};

struct ipc_binding {
	uint32_t kind; /* enum ipc_binding_kind */
	uint32_t n;    /* octets used */
	uint8_t octets[32];
};

/* tls-server-end-point (RFC 5929), beside the other: a client may know only this one. */
struct ipc_end_point {
	uint32_t n; /* octets used; 0: there is none */
	uint32_t zero;
	uint8_t octets[64];
};

/*
 * IPC_AUTH_SASL_START, _STEP (mechanism and bindings empty) and IPC_AUTH_CHALLENGE (origin,
 * mechanism and bindings empty).
 */
struct ipc_sasl {
	struct ipc_head head;
	struct ipc_origin origin;
	char mechanism[24]; /* upper case */
	struct ipc_binding binding;
	struct ipc_end_point end_point;
	uint32_t has_initial; /* START: data is an initial response, perhaps an empty one */
	uint32_t n;           /* octets in data */
	char data[LIMIT_SASL_OCTETS];
};

/*
 * The recipients of one message are a transaction: a number that the listener
 * counts up from 1 in each session. A grant comes by way of auth, so a reset that
 * was sent before it may be read after it; the number tells them apart.
 */
struct ipc_rcpt {
	struct ipc_head head;
	uint32_t transaction;
	uint32_t zero;
	char address[LIMIT_ADDRESS + 1]; /* without its angle brackets */
};

struct ipc_rcpt_reply {
	struct ipc_head head;
	uint32_t status; /* enum ipc_status */
	uint32_t quota;  /* 1: has one, so storage is to be asked with IPC_ROOM */
};

struct ipc_room {
	struct ipc_head head;
	uint32_t transaction;
	uint32_t recipients; /* how many were granted, this one too: a check */
	uint64_t octets;     /* as the client says in advance; 0: it doesn't */
};

/* IPC_DELIVER_BEGIN and IPC_DELIVER_RESET (recipients 0; drops this transaction and older ones). */
struct ipc_deliver {
	struct ipc_head head;
	uint32_t transaction;
	uint32_t recipients; /* how many were granted: a check */
};

/* IPC_AUTH_FAILED, IPC_ROOM_REPLY, and IPC_DELIVER_READY. */
struct ipc_result {
	struct ipc_head head;
	uint32_t status; /* enum ipc_status */
	uint32_t zero;
};

/* A grant: only auth may send it. listener is the peer_id of the listener's link. */
struct ipc_grant {
	struct ipc_head head;
	uint32_t listener;
	uint32_t transaction; /* IPC_GRANT_DELIVER: of the ipc_rcpt; else 0 */
	uint32_t uid;         /* (uint32_t)-1: storage's own */
	uint32_t gid;
	struct maildrop_rules rules;
	char user[LIMIT_USER + 1];
	char path[LIMIT_PATH];
	char address[LIMIT_ADDRESS + 1]; /* IPC_GRANT_DELIVER: as the sender wrote it */
};

struct ipc_get {
	struct ipc_head head;
	uint32_t number;
	uint32_t whole; /* 1: all of it is to be sent, and so must be as long as listed */
};

/* Messages first, first+1, …: bit i of byte i/8 (lowest first) is message first+i. */
#define IPC_MARK_BYTES 4096
struct ipc_mark {
	struct ipc_head head;
	uint32_t first;
	uint32_t n; /* bytes used */
	uint8_t bits[IPC_MARK_BYTES];
};

struct ipc_commit {
	struct ipc_head head;
	uint32_t marked; /* how many bits were set in all: a check */
	uint32_t zero;
};

struct ipc_opened {
	struct ipc_head head;
	uint32_t status;
	uint32_t count;
	uint64_t octets;
	int64_t growth;       /* of them, for who gets what is internationalised downgraded */
	uint32_t login_delay; /* seconds; for CAPA, as what follows */
	uint32_t expire_days;
	char device[MAILDROP_DEVICE_MAX + 1]; /* whose view it is, or ""; for the log, as user */
	uint32_t recent; /* not 0: days that are seen, and nothing will be deleted */
	uint32_t zero;
	char user[LIMIT_USER + 1]; /* as auth knows the user */
};

struct ipc_message {
	struct ipc_head head;
	uint32_t status;
	uint32_t number;
	uint64_t offset;
	uint64_t bytes;
	uint64_t octets;
	uint32_t flags; /* enum index_flag */
	uint32_t zero;
};

struct ipc_committed {
	struct ipc_head head;
	uint32_t status;
	uint32_t removed;
};

struct ipc_deliver_commit {
	struct ipc_head head;
	uint64_t octets;
	uint64_t dot_lines;
	uint32_t prefix;    /* 1: put "Delivered-To: address" into each copy … */
	uint32_t prefix_at; /* … behind so many octets: the lines that all have in front */
};

struct ipc_delivered {
	struct ipc_head head;
	uint32_t n;
	uint8_t status[LIMIT_RECIPIENTS]; /* enum ipc_status */
	uint8_t zero[4];
};

struct ipc_pam_find {
	struct ipc_head head; /* session: a number that auth never uses again */
	char user[LIMIT_USER + 1];
};

struct ipc_pam_verify {
	struct ipc_head head;
	char user[LIMIT_USER + 1];
	char service[64]; /* one of the configuration's */
	char remote[56];  /* as in struct ipc_origin */
	char password[LIMIT_PASSWORD + 1];
	char zero[7];
};

/* User, home and ids are those of IPC_PAM_FIND's user; else "" and 0. */
struct ipc_pam_answer {
	struct ipc_head head;
	uint32_t status; /* OK (is one, is right), NO_USER, BAD_CREDENTIALS or TEMPORARY */
	uint32_t uid;
	uint32_t gid;
	uint32_t zero;
	char user[LIMIT_USER + 1];
	char home[LIMIT_PATH];
};

/*
 * IPC_ASK_SESSIONS: those of one listener, younger ones first. IPC_KICK: closes them. head.session
 * numbers the question, and is its answers'.
 */
#define IPC_PAGE 64
struct ipc_select {
	struct ipc_head head;
	uint32_t listener; /* its peer_id */
	uint32_t zero;
	uint64_t id; /* ASK_SESSIONS: those after it, 0: from the first; KICK: this one */
	char user[LIMIT_USER + 1]; /* "": any */
	char remote[56];           /* "": any */
};

struct ipc_server {
	struct ipc_head head;
	char version[32];
	uint64_t started;     /* seconds since 1970 */
	uint64_t reloaded;    /* when the configuration was read that is in use */
	uint64_t generation;  /* of listeners */
	uint64_t sessions[4]; /* that are open: POP3, POP3S, LMTP, SMTP */
	uint64_t logged_in;
	uint64_t connections; /* from here on: since the start */
	uint64_t refused_connections;
	uint64_t logins[3];     /* let in, wrong, failed for the time being */
	uint64_t deliveries[3]; /* the same of recipients */
	uint64_t retrieved;     /* messages */
	uint64_t deleted;
	uint64_t received_octets;
	uint64_t sent_octets;
	uint64_t deaths;             /* of processes that were not told to end */
	uint64_t waiting[2];         /* now: passwords for a thread, operations for the disk */
	uint64_t users_away;         /* 1: the last question about a user found no answer */
	uint64_t certificate_expiry; /* seconds since 1970; 0: no TLS */
};

enum ipc_process_state {
	IPC_STARTING,
	IPC_RUNNING,
	IPC_DRAINING,
	IPC_OLD, /* of the program before an upgrade: it can't be asked */
	IPC_PROCESS_STATES
};

struct ipc_process {
	struct ipc_head head;
	uint32_t role; /* enum ipc_role */
	uint32_t id;   /* its peer_id; 0: the master */
	uint32_t pid;
	uint32_t state;   /* enum ipc_process_state */
	uint64_t started; /* seconds since 1970 */
};

struct ipc_command {
	struct ipc_head head;
	char name[16];
	uint64_t n;  /* since the start */
	uint64_t ns; /* in all, to the beginning of the reply */
};

enum ipc_session_state {
	IPC_SESSION_PROXY,     /* its PROXY header has not come */
	IPC_SESSION_HANDSHAKE, /* TLS */
	IPC_SESSION_AUTHORIZATION,
	IPC_SESSION_TRANSACTION,
	IPC_SESSION_UPDATE,
	IPC_SESSION_IDLE,    /* LMTP and SMTP, between messages */
	IPC_SESSION_MESSAGE, /* and in one */
	IPC_SESSION_STATES
};

struct ipc_session {
	struct ipc_head head;
	uint32_t listener; /* its peer_id: set by the monitor */
	uint32_t protocol; /* POP3, POP3S, LMTP, SMTP */
	uint64_t id;       /* the log's */
	uint64_t since;    /* seconds since 1970 */
	uint64_t received_octets;
	uint64_t sent_octets;
	uint64_t commands;
	uint32_t state;    /* enum ipc_session_state */
	uint32_t maildrop; /* 1: has it, and nobody else can */
	uint32_t messages; /* in it */
	uint32_t marked;   /* of them, deleted at QUIT */
	char command[16];  /* the last one; "": none */
	char tls[16];      /* its version; "": none */
	char remote[56];
	char user[LIMIT_USER + 1]; /* "": not logged in */
};

struct ipc_done {
	struct ipc_head head;
	uint32_t status; /* enum ipc_status; TEMPORARY: that listener isn't there (any more) */
	uint32_t n;      /* KICK: how many were closed */
	uint64_t next;   /* ASK_SESSIONS: the id to ask with for more; 0: there are none */
};

/* What TLS signs in a handshake (net/tls_signature.h), before it is hashed. */
#define IPC_SIGN_OCTETS 168
struct ipc_sign {
	struct ipc_head head;
	uint8_t key_id[32]; /* SHA-256 of its public half */
	uint32_t scheme;    /* RFC 8446 section 4.2.3 */
	uint32_t n;         /* octets used */
	uint8_t octets[IPC_SIGN_OCTETS];
};

#define IPC_SIGNED_OCTETS 1024
struct ipc_signed {
	struct ipc_head head;
	uint32_t zero;
	uint32_t n; /* octets used; 0: it won't */
	uint8_t octets[IPC_SIGNED_OCTETS];
};

union ipc_msg {
	struct ipc_head head;
	struct ipc_plain plain;
	struct ipc_link link;
	struct ipc_drain drain;
	struct ipc_auth_pass pass;
	struct ipc_auth_apop apop;
	struct ipc_external external;
	struct ipc_sasl sasl;
	struct ipc_rcpt rcpt;
	struct ipc_rcpt_reply rcpt_reply;
	struct ipc_room room;
	struct ipc_deliver deliver;
	struct ipc_result result;
	struct ipc_grant grant;
	struct ipc_get get;
	struct ipc_mark mark;
	struct ipc_commit commit;
	struct ipc_opened opened;
	struct ipc_message message;
	struct ipc_committed committed;
	struct ipc_deliver_commit deliver_commit;
	struct ipc_delivered delivered;
	struct ipc_pam_find pam_find;
	struct ipc_pam_verify pam_verify;
	struct ipc_pam_answer pam_answer;
	struct ipc_select select;
	struct ipc_server server;
	struct ipc_process process;
	struct ipc_command command;
	struct ipc_session session;
	struct ipc_done done;
	struct ipc_sign sign;
	struct ipc_signed signature;
};

/*
 * Begins a message: its head, and its struct zeroed except a last array of octets
 * (data, bits, status, octets), which is the sender's to fill as far as n says. A union is
 * 17 KiB: keep a static one in each process, not one on the stack (which is filled
 * with a pattern each time).
 */
void ipc_start(union ipc_msg *m, enum ipc_type type, uint64_t session);

/* The octets of m that are sent: all of its struct, or up to the used part of its last array. */
size_t ipc_length(const union ipc_msg *m);

/*
 * True when n octets are a message that `from` may send to `to`: known type, right
 * direction and length, a descriptor exactly when its row (and its status) wants
 * one, every string ended and every zero zero, every enum and count in range. Strings that become
 * names or log values may still hold any octet but NUL.
 */
bool ipc_check(const union ipc_msg *m, size_t n, bool has_fd, enum ipc_role from, enum ipc_role to);

/* "auth-pass", for logs and tests; "?" for what isn't a type. */
const char *ipc_type_name(uint32_t type);
const char *ipc_status_name(uint32_t status);
