# SPDX-License-Identifier: MIT
"""LMTP from DATA on: what is taken comes out as it went in, and nothing else is taken."""
import os
import socket

import pytest

from harness import running, wait_until
from lmtp_client import Lmtp, stuff

LIMIT = 5_000_000
MESSAGE = b'Subject: hello\r\n\r\nworld\r\n'
RETURN_PATH = b'Return-Path: <sender@example.net>\r\n'


@pytest.fixture(scope='module')
def server():
    with running() as start:
        yield start(message_size_limit=LIMIT)


@pytest.fixture
def lmtp(server):
    with Lmtp(server.lmtp) as client:
        client.hello()
        yield client


def at(user):
    return f'{user}@example.org'


def codes(replies):
    return [r.code for r in replies]


def files(server, user):
    """The files of a maildrop, wherever they are; none of them in tmp/."""
    found = [p for p in (server.mail / user).rglob('*') if p.is_file()]
    assert [p for p in found if p.parent.name == 'tmp'] == []
    return [p for p in found if not p.name.startswith('restante.')]


def messages(server, user):
    with server.wire(user, utf8=True) as wire:
        texts = [wire.retr(n) for n in wire.sizes()]
        wire.quit()
    return texts


# -- what comes in comes out --

MESSAGES = {
    'plain': MESSAGE,
    'empty': b'',
    'one line end': b'\r\n',
    'header only': b'Subject: x\r\n',
    'first octet a dot': b'.x\r\n',
    'lone dots': b'.\r\n..\r\n...\r\n\r\n.\r\n',
    'dots at line starts': b'a: b\r\n\r\n' + b'.a\r\n..b\r\n.\r\n' * 1000,
    'dots elsewhere': b'a.b.\r\n .\r\n',
    'NUL': b'a: \0\r\n\r\n\0\0.\r\n\0.\r\n.\0\r\n',
    'every octet but CR and LF': b'a: b\r\n\r\n' +
                                 bytes(sorted(set(range(256)) - {10, 13})) * 100 + b'\r\n',
    '8-bit': 'Subject: grün 日本\r\n\r\nß\r\n'.encode() + b'\xff\xfe\x80\r\n',
    'commands': b'QUIT\r\nRSET\r\nMAIL FROM:<>\r\nDATA\r\n',
    'long line': b'x' * 3_000_000 + b'\r\n',
    'long line of dots': b'.' * 100_000 + b'\r\n',
    'trailing space': b'a: b \r\n\r\n \t \r\n\r\n\r\n',
}


@pytest.mark.parametrize('name', MESSAGES)
@pytest.mark.parametrize('piece', [None, 1460, 3])
def test_comes_out_as_it_went_in(server, lmtp, name, piece):
    """Whole, and cut in pieces that end within CRLF and dots."""
    user = server.user()
    text = MESSAGES[name]
    octets = stuff(text)
    if piece == 3 and len(octets) > 50_000:
        octets = stuff(text := text[:10_000] + b'\r\n')
    lmtp.begin(at(user))
    for i in range(0, len(octets), piece or len(octets)):
        lmtp.send(octets[i:i + (piece or len(octets))])
    assert lmtp.reply().code == 250
    delivered_to = f'Delivered-To: {at(user)}\r\n'.encode()
    assert messages(server, user) == [RETURN_PATH + delivered_to + text]
    [file] = files(server, user)
    assert file.read_bytes() == RETURN_PATH + delivered_to + text
    assert f',S={file.stat().st_size},W={file.stat().st_size}' in file.name


# -- the lines in front --

@pytest.mark.parametrize('sender', ['', 'sender@example.net', '"a b"@example.net'])
def test_return_path(server, lmtp, sender):
    user = server.user()
    assert codes(lmtp.deliver(MESSAGE, at(user), sender=sender)) == [250]
    [text] = messages(server, user)
    assert text.startswith(f'Return-Path: <{sender}>\r\n'.encode())
    assert text.endswith(b'.org\r\n' + MESSAGE)


def test_return_path_and_delivered_to_are_added_not_replaced(server, lmtp):
    user = server.user()
    before = b'Return-Path: <old@example.net>\r\nDelivered-To: old@example.org\r\n' + MESSAGE
    assert codes(lmtp.deliver(before, at(user))) == [250]
    assert messages(server, user) == [
        RETURN_PATH + f'Delivered-To: {at(user)}\r\n'.encode() + before]


def test_delivered_to_is_the_recipient_as_said(server, lmtp):
    user = server.user()
    address = f'{user.upper()}+Some.Detail@Example.ORG'
    assert codes(lmtp.deliver(MESSAGE, address)) == [250]
    assert messages(server, user) == [
        RETURN_PATH + f'Delivered-To: {address}\r\n'.encode() + MESSAGE]


@pytest.mark.parametrize('how', ['single', 'each', 'never'])
def test_delivered_to_and_copies(make_daemon, how):
    """One recipient, then three: the line is there as the option says, and the file is shared."""
    daemon = make_daemon(lmtp_delivered_to=how)
    one, *three = [daemon.user() for _ in range(4)]
    with Lmtp(daemon.lmtp) as client:
        client.hello()
        assert codes(client.deliver(MESSAGE, at(one))) == [250]
        assert codes(client.deliver(MESSAGE, *map(at, three))) == [250] * 3

    def expected(user, has_line):
        line = f'Delivered-To: {at(user)}\r\n'.encode() if has_line else b''
        return [RETURN_PATH + line + MESSAGE]

    assert messages(daemon, one) == expected(one, how != 'never')
    for user in three:
        # Nobody learns from it who else got it.
        assert messages(daemon, user) == expected(user, how == 'each')
    found = [files(daemon, user)[0].stat() for user in three]
    assert {st.st_nlink for st in found} == {1 if how == 'each' else 3}
    assert len({st.st_ino for st in found}) == (3 if how == 'each' else 1)


def test_one_of_several_deletes_the_shared_file(server, lmtp):
    users = [server.user() for _ in range(3)]
    assert codes(lmtp.deliver(MESSAGE, *map(at, users))) == [250] * 3
    with server.wire(users[1]) as wire:
        wire.ok('DELE 1')
        wire.quit()
    assert [server.count(u) for u in users] == [1, 0, 1]
    assert messages(server, users[2]) == [RETURN_PATH + MESSAGE]


def test_the_same_recipient_twice(server, lmtp):
    user = server.user()
    assert codes(lmtp.deliver(MESSAGE, at(user), at(user), f'{user}+x@example.org')) == [250] * 3
    assert messages(server, user) == [RETURN_PATH + MESSAGE] * 3


# -- size --

@pytest.mark.parametrize('over', [0, 1])
def test_size_at_the_limit(server, lmtp, over):
    """The limit counts the message's own octets (RFC 1870 section 6.3), not what stuffs or ends it."""
    user, other = server.user(), server.user()
    text = b'a: b\r\n\r\n' + b'.234567\r\n' * ((LIMIT - 8) // 9)
    text += b'x' * (LIMIT + over - len(text) - 2) + b'\r\n'
    assert len(text) == LIMIT + over
    replies = lmtp.deliver(text, at(user), at(other), parameters=f' SIZE={LIMIT}')
    if not over:
        assert codes(replies) == [250] * 2
        assert messages(server, user) == [RETURN_PATH + text]
        return
    assert [(r.code, r.enhanced) for r in replies] == [(552, '5.3.4')] * 2
    # The session goes on, and nothing is left of it.
    assert codes(lmtp.deliver(MESSAGE, at(user))) == [250]
    assert len(files(server, user)) == 1
    assert not (server.mail / other / 'new').exists() or files(server, other) == []


def test_far_too_large(server, lmtp):
    """What is too large is read to its end and kept nowhere."""
    user = server.user()
    lmtp.begin(at(user))
    for _ in range(100):
        lmtp.send(b'x' * 998 * 1000 + b'\r\n')
    lmtp.send(b'.\r\n')
    assert lmtp.reply().code == 552
    assert codes(lmtp.deliver(MESSAGE, at(user))) == [250]


# -- line ends that aren't --

BARE = {
    'LF': b'a\nb\r\n',
    'CR': b'a\rb\r\n',
    'LF first': b'\na\r\n',
    'CR first': b'\ra\r\n',
    'CR CR LF': b'a\r\r\n',
    'LF CR': b'a\n\r\r\n',
    'LF . LF': b'a\n.\nb\r\n',
    'LF . CRLF': b'a\n.\r\nb\r\n',
    'CRLF . LF': b'a\r\n.\nb\r\n',
    'CR . CR': b'a\r.\rb\r\n',
    'CRLF . CR': b'a\r\n.\rb\r\n',
    'CR . CRLF': b'a\r.\r\nb\r\n',
    'LF LF . LF LF': b'a\n\n.\n\nb\r\n',
    'CRLF . CR CR LF': b'a\r\n.\r\r\nb\r\n',
    'CRLF NUL . CRLF': None,  # no bare CR or LF: taken, and no end
}


@pytest.mark.parametrize('name', [name for name in BARE if BARE[name]])
@pytest.mark.parametrize('piece', [None, 1])
def test_bare_cr_or_lf_is_refused(server, name, piece):
    """And nothing behind it is a command, wherever other programs see the message end."""
    user, victim = server.user(), server.user()
    smuggled = (f'MAIL FROM:<evil@example.net>\r\nRCPT TO:<{at(victim)}>\r\nDATA\r\n'
                'Subject: smuggled\r\n\r\nx\r\n').encode()
    stream = BARE[name] + smuggled + b'.\r\n'
    with Lmtp(server.lmtp) as client:
        client.hello()
        client.begin(at(user), at(user))
        for i in range(0, len(stream), piece or len(stream)):
            client.send(stream[i:i + (piece or len(stream))])
        replies = client.replies(2)
        assert [(r.code, r.enhanced) for r in replies] == [(554, '5.6.0')] * 2
        assert client.rest() == b''
    assert server.count(user) == 0
    assert server.count(victim) == 0


def test_bare_lf_is_refused_behind_the_message(server):
    """An MTA that is still sending takes a reply, or a hang-up, for a line that broke."""
    user = server.user()
    with Lmtp(server.lmtp) as client:
        client.hello()
        client.begin(at(user))
        client.send(b'a\nb\r\n')
        client.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.socket.recv(1)
        client.socket.settimeout(60)
        for _ in range(40):
            client.send(b'x' * 100_000 + b'\r\n')
        client.send(b'\n.\n\n.\r\n\r\n.\n')  # no ends
        client.send(b'\r\n.\r\n')
        assert client.reply().code == 554
        assert client.rest() == b''


def test_nul_does_not_hide_the_end(server, lmtp):
    user = server.user()
    assert codes(lmtp.deliver(b'a: b\r\n\r\n\0.\r\nc\r\n', at(user))) == [250]
    [text] = messages(server, user)
    assert text.endswith(b'\0.\r\nc\r\n')


# -- what breaks off --

@pytest.mark.parametrize('how', ['close', 'reset', 'half-close'])
@pytest.mark.parametrize('sent', [b'', b'Subject: x\r\n\r\n', b'Subject: x\r\n\r\nx\r\n.\r',
                                  b'x' * 1_000_000])
def test_broken_off(server, how, sent):
    """A message without its end is none: no file of any name stays, open or not."""
    user = server.user()
    since = server.mark()
    client = Lmtp(server.lmtp if how != 'reset' else ('127.0.0.1', server.lmtp_port.number))
    client.hello()
    client.begin(at(user))
    client.send(sent)
    if how == 'half-close':
        client.socket.shutdown(socket.SHUT_WR)
        assert client.rest() == b''
    elif how == 'reset':
        client.reset()
    client.close()
    server.wait_for('event=lmtp-end .*reason=disconnected', since)
    for role in ('storage', 'listener'):
        wait_until(lambda r=role: not holds_deleted_file(server.child(r)), f'{role} lets go')
    assert server.count(user) == 0
    assert files(server, user) == []


def holds_deleted_file(pid):
    names = []
    for fd in os.listdir(f'/proc/{pid}/fd'):
        try:
            names.append(os.readlink(f'/proc/{pid}/fd/{fd}'))
        except FileNotFoundError:
            pass
    return any('/mail/' in name for name in names)


def test_hung_up_behind_the_dot(server):
    """The message was complete: it is delivered, whether or not somebody waits for the 250."""
    user = server.user()
    since = server.mark()
    with Lmtp(server.lmtp) as client:
        client.hello()
        client.begin(at(user))
        client.send(stuff(MESSAGE))
    server.wait_for('event=lmtp-end', since)
    wait_until(lambda: server.count(user) == 1, 'it is there')


# -- sessions and deliveries --

def test_mail_that_comes_during_a_session(server, lmtp):
    """RFC 1939 section 8: the session doesn't see it, the next one does, and DELE doesn't take it."""
    user = server.user()
    for n in range(3):
        assert codes(lmtp.deliver(b'n: %d\r\n\r\n' % n, at(user))) == [250]
    with server.wire(user) as wire:
        before = wire.stat()
        for n in range(3, 6):
            assert codes(lmtp.deliver(b'n: %d\r\n\r\n' % n, at(user))) == [250]
            assert wire.stat() == before
            assert set(wire.sizes()) == {1, 2, 3}
            wire.err('RETR 4')
        for n in range(1, 4):
            wire.ok(f'DELE {n}')
        wire.quit()
    assert [text.split(b'\r\n')[2] for text in messages(server, user)] == [
        b'n: 3', b'n: 4', b'n: 5']


def test_delivered_while_hundreds_come(server):
    """Several connections into one maildrop at once: all of it is there, each once."""
    user = server.user()
    clients = [Lmtp(server.lmtp) for _ in range(8)]
    for client in clients:
        client.hello()
    for turn in range(20):
        for client in clients:
            client.begin(at(user))
        for i, client in enumerate(clients):
            client.send(b'n: %d\r\n\r\n.\r\n' % (turn * 8 + i))
        assert [client.reply().code for client in clients] == [250] * 8
    for client in clients:
        client.close()
    assert sorted(int(text.split(b'n: ')[-1]) for text in messages(server, user)) == list(range(160))
