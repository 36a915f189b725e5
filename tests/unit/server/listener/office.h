/* SPDX-License-Identifier: MIT */
/*
 * office.h - an auth and a storage that know what they are about: alice, her
 * password, and three messages.
 */
#pragma once

#include "base/out.h"
#include "codec/index/index_record.h"
#include "listener_peers.h"

#define OFFICE_MESSAGES 3

/* In wire form, without a dot to stuff; in LF; and with dots. */
static const struct office_message {
	const char *text;
	const char *wire;
	uint32_t flags;
} office_messages[OFFICE_MESSAGES] = {
	{"Subject: a\r\n\r\none\r\n", "Subject: a\r\n\r\none\r\n", INDEX_CRLF | INDEX_NO_DOT},
	{"Subject: b\n\ntwo", "Subject: b\r\n\r\ntwo\r\n", INDEX_NO_DOT | INDEX_NO_EOL},
	{"Subject: c\r\n\r\n.\r\n..x\r\n", "Subject: c\r\n\r\n..\r\n...x\r\n", INDEX_CRLF},
};

/* What the listener has said so far. */
struct office {
	unsigned logins;
	unsigned marked;  /* since the last login */
	unsigned commits; /* QUITs that got through */
	unsigned closed;
	unsigned delivered;
	uint32_t transaction;
	uint64_t session; /* of the last message */
	int file;         /* -1, or what is being delivered */
	char text[4096];  /* the last message that was delivered */
};

static inline int office_memfd(const void *p, size_t n)
{
	const int fd = memfd_create("office", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), (ssize_t)n);
	return fd;
}

static inline size_t office_octets(unsigned i)
{
	size_t dots = 0;

	for (const char *at = office_messages[i].wire; (at = strstr(at, "\n.")) != NULL; at++)
		dots++;
	return strlen(office_messages[i].wire) - dots;
}

static inline int office_snapshot(uint64_t *ret_octets)
{
	char bytes[INDEX_HEADER_SIZE + OFFICE_MESSAGES * INDEX_RECORD_SIZE];
	struct index_header h = {.count = OFFICE_MESSAGES};

	for (unsigned i = 0; i < OFFICE_MESSAGES; i++) {
		struct index_record r = {
			.octets = office_octets(i),
			.bytes = strlen(office_messages[i].text),
			.flags = office_messages[i].flags,
			.uidl_len = 4,
			.name_len = 1,
		};

		memcpy(r.text, "uid0n", 5);
		r.text[3] = (char)('1' + i);
		h.octets += r.octets;
		index_record_encode(&r, bytes + INDEX_HEADER_SIZE + (size_t)i * INDEX_RECORD_SIZE);
	}
	index_header_encode(&h, bytes);
	*ret_octets = h.octets;
	return office_memfd(bytes, sizeof(bytes));
}

/* ---- what it answers ---- */

static inline void office_send_opened(struct peers *p, uint64_t session, enum ipc_status status)
{
	uint64_t octets = 0;
	const int fd = status == IPC_OK ? office_snapshot(&octets) : -1;

	ipc_start(&msg, IPC_OPENED, session);
	msg.opened.status = status;
	msg.opened.count = status == IPC_OK ? OFFICE_MESSAGES : 0;
	msg.opened.octets = octets;
	(void)snprintf(msg.opened.user, sizeof(msg.opened.user), "alice");
	peers_send(p->storage, &msg, fd);
	if (fd >= 0)
		(void)close(fd);
}

static inline void office_send_failed(struct peers *p, uint64_t session, enum ipc_status status)
{
	ipc_start(&msg, IPC_AUTH_FAILED, session);
	msg.result.status = status;
	peers_send(p->auth, &msg, -1);
}

static inline void office_send_message(struct peers *p, uint64_t session, uint32_t number)
{
	const struct office_message *const m = &office_messages[number - 1];
	const int fd = office_memfd(m->text, strlen(m->text));

	ipc_start(&msg, IPC_MESSAGE, session);
	msg.message.number = number;
	msg.message.bytes = strlen(m->text);
	msg.message.octets = office_octets(number - 1);
	msg.message.flags = m->flags;
	peers_send(p->storage, &msg, fd);
	(void)close(fd);
}

static inline void office_send_committed(struct peers *p, uint64_t session, enum ipc_status status,
					 uint32_t removed)
{
	ipc_start(&msg, IPC_COMMITTED, session);
	msg.committed.status = status;
	msg.committed.removed = removed;
	peers_send(p->storage, &msg, -1);
}

static inline void office_decide(struct peers *p, struct office *o, bool right)
{
	if (right) {
		o->logins++;
		o->marked = 0;
		office_send_opened(p, o->session, IPC_OK);
	} else {
		office_send_failed(p, o->session, IPC_BAD_CREDENTIALS);
	}
}

static inline void office_sasl(struct peers *p, struct office *o)
{
	const bool start = msg.head.type == IPC_AUTH_SASL_START;
	const size_t n = msg.sasl.n;

	if (start && msg.sasl.has_initial == 0) {
		ipc_start(&msg, IPC_AUTH_CHALLENGE, o->session);
		msg.sasl.n = 0;
		peers_send(p->auth, &msg, -1);
		return;
	}
	office_decide(p, o, n == 13 && memcmp(msg.sasl.data, "\0alice\0secret", 13) == 0);
}

static inline void office_hear_auth(struct peers *p, struct office *o)
{
	assert_true(peers_receive(p->auth, IPC_AUTH));
	o->session = msg.head.session;
	switch (msg.head.type) {
	case IPC_AUTH_PASS:
		office_decide(p, o,
			      strcmp(msg.pass.user, "alice") == 0 &&
				      strcmp(msg.pass.password, "secret") == 0);
		break;
	case IPC_AUTH_SASL_START:
	case IPC_AUTH_SASL_STEP:
		office_sasl(p, o);
		break;
	case IPC_AUTH_RCPT: {
		const bool known = strncmp(msg.rcpt.address, "alice", 5) == 0;

		o->transaction = msg.rcpt.transaction;
		ipc_start(&msg, IPC_AUTH_RCPT_REPLY, o->session);
		msg.result.status = known ? IPC_OK : IPC_NO_USER;
		peers_send(p->auth, &msg, -1);
		break;
	}
	default:
		assert_int_equal(msg.head.type, IPC_AUTH_CANCEL);
		break;
	}
}

static inline void office_send_ready(struct peers *p, struct office *o, enum ipc_status status)
{
	if (status == IPC_OK)
		o->file = office_memfd("", 0);
	ipc_start(&msg, IPC_DELIVER_READY, o->session);
	msg.result.status = status;
	peers_send(p->storage, &msg, status == IPC_OK ? o->file : -1);
}

static inline void office_take_delivery(struct peers *p, struct office *o)
{
	const ssize_t n = pread(o->file, o->text, sizeof(o->text) - 1, 0);

	assert_true(n >= 0);
	o->text[n] = '\0';
	assert_int_equal(msg.deliver_commit.octets, n);
	(void)close(o->file);
	o->file = -1;
	o->delivered++;
	ipc_start(&msg, IPC_DELIVERED, o->session);
	msg.delivered.n = 1;
	msg.delivered.status[0] = IPC_OK;
	peers_send(p->storage, &msg, -1);
}

static inline void office_hear_storage(struct peers *p, struct office *o)
{
	assert_true(peers_receive(p->storage, IPC_STORAGE));
	o->session = msg.head.session;
	switch (msg.head.type) {
	case IPC_GET:
		office_send_message(p, o->session, msg.get.number);
		break;
	case IPC_MARK:
		for (uint32_t i = 0; i < msg.mark.n; i++)
			o->marked += (unsigned)__builtin_popcount(msg.mark.bits[i]);
		break;
	case IPC_COMMIT:
		assert_int_equal(msg.commit.marked, o->marked);
		o->commits++;
		office_send_committed(p, o->session, IPC_OK, o->marked);
		break;
	case IPC_DELIVER_BEGIN:
		office_send_ready(p, o, IPC_OK);
		break;
	case IPC_DELIVER_COMMIT:
		office_take_delivery(p, o);
		break;
	case IPC_DELIVER_RESET:
		break;
	default:
		assert_int_equal(msg.head.type, IPC_CLOSE);
		o->closed++;
		break;
	}
}

/*
 * Works until the client's connection ends, and appends what the client hears. The
 * client may have shut down its side.
 */
static inline void office_work(struct peers *p, struct office *o, int client, struct out *heard)
{
	for (;;) {
		struct pollfd fds[] = {
			{.fd = client, .events = POLLIN},
			{.fd = p->auth, .events = POLLIN},
			{.fd = p->storage, .events = POLLIN},
		};

		if (poll(fds, 3, PATIENCE_MS) < 1)
			fail_msg("nothing happens after '%.*s'", (int)heard->n, heard->p);
		if (fds[1].revents != 0)
			office_hear_auth(p, o);
		if (fds[2].revents != 0)
			office_hear_storage(p, o);
		if (fds[0].revents != 0) {
			const ssize_t n = recv(client, heard->p + heard->n, out_room(heard), 0);

			if (n <= 0)
				return;
			heard->n += (size_t)n;
		}
	}
}

/* What is still on its way after a client has gone. */
static inline void office_tidy(struct peers *p, struct office *o)
{
	while (peers_readable(p->auth, 0))
		office_hear_auth(p, o);
	while (peers_readable(p->storage, 0))
		office_hear_storage(p, o);
}
