# SPDX-License-Identifier: MIT
"""LMTP with BDAT, in TLS, and with DSN's parameters: RFC 3030, RFC 3207, RFC 3461."""
import socket
import ssl

import pytest

from harness import running
from lmtp_client import Lmtp

LIMIT = 100_000
MESSAGE = b'Subject: hello\r\n\r\n.world\r\n..\r\n.\r\n'
RETURN_PATH = b'Return-Path: <sender@example.net>\r\n'


@pytest.fixture(scope='module')
def server():
    with running() as start:
        yield start(message_size_limit=LIMIT, lmtp_delivered_to='never')


@pytest.fixture
def lmtp(server):
    with Lmtp(server.lmtp) as client:
        client.hello()
        yield client


def at(user):
    return f'{user}@example.org'


def bdat(*chunks):
    """All of a message's chunks, the last one as such."""
    return b''.join(b'BDAT %d%s\r\n%s' % (len(c), b' LAST' if i == len(chunks) - 1 else b'', c)
                    for i, c in enumerate(chunks))


def envelope(*recipients):
    return ('MAIL FROM:<sender@example.net>\r\n' +
            ''.join(f'RCPT TO:<{r}>\r\n' for r in recipients)).encode()


def codes(replies):
    return [r.code for r in replies]


def messages(server, user):
    with server.wire(user) as wire:
        texts = [wire.retr(n) for n in wire.sizes()]
        wire.quit()
    return texts


CHUNKS = {
    'one': [MESSAGE],
    'nothing': [b''],
    'an empty last one': [MESSAGE, b''],
    'an empty first one': [b'', MESSAGE],
    'cut in CRLF': [b'a: b\r', b'\n\r', b'\nc\r\n'],
    'cut before dots': [b'a: b\r\n\r\n', b'.', b'\r\n', b'.\r\n'],
    'octet by octet': [bytes([c]) for c in MESSAGE],
    'commands': [b'QUIT\r\n', b'RSET\r\nBDAT 5 LAST\r\nDATA\r\n.\r\n'],
    'every octet but CR and LF': [bytes(sorted(set(range(256)) - {10, 13})) * 50, b'\r\n'],
}


@pytest.mark.parametrize('name', CHUNKS)
@pytest.mark.parametrize('piece', [None, 7])
def test_comes_out_as_it_went_in(server, lmtp, name, piece):
    """Sent ahead: envelope, all chunks, and the next command."""
    user = server.user()
    chunks = CHUNKS[name]
    stream = envelope(at(user)) + bdat(*chunks) + b'NOOP\r\n'
    for i in range(0, len(stream), piece or len(stream)):
        lmtp.send(stream[i:i + (piece or len(stream))])
    assert codes(lmtp.replies(2 + len(chunks) + 1)) == [250] * (3 + len(chunks))
    assert messages(server, user) == [RETURN_PATH + b''.join(chunks)]


def test_a_missing_line_end_is_added(server, lmtp):
    user = server.user()
    lmtp.send(envelope(at(user)) + bdat(b'a: b\r\n\r\nlast', b' line'))
    assert codes(lmtp.replies(4)) == [250] * 4
    assert messages(server, user) == [RETURN_PATH + b'a: b\r\n\r\nlast line\r\n']


def test_a_reply_for_each_recipient(server, lmtp):
    """RFC 2033 section 4.3: behind LAST, and one for a chunk that isn't the last."""
    one, two = server.user(), server.user()
    lmtp.send(envelope(at(one), at('nobody-here'), at(two)) + bdat(b'a: b\r\n', b'\r\nc\r\n'))
    assert codes(lmtp.replies(7)) == [250, 250, 550, 250, 250, 250, 250]
    lmtp.send(b'NOOP\r\n')
    assert lmtp.reply().code == 250
    assert messages(server, one) == messages(server, two) == [RETURN_PATH + b'a: b\r\n\r\nc\r\n']


# What comes before BDAT, and what BDAT is answered then.
OUT_OF_ORDER = {
    'before LHLO': ([], 503),
    'before MAIL': (['LHLO x'], 503),
    'before RCPT': (['LHLO x', 'MAIL FROM:<>'], 503),
    'no RCPT accepted': (['LHLO x', 'MAIL FROM:<>', 'RCPT TO:<nobody-here@example.org>'], 503),
}


@pytest.mark.parametrize('name', OUT_OF_ORDER)
def test_refused_chunks_are_not_commands(server, name):
    before, code = OUT_OF_ORDER[name]
    for last in (b'', b' LAST'):
        with Lmtp(server.lmtp) as client:
            for line in before:
                client.say(line)
            client.send(b'BDAT 12%s\r\nQUIT\r\nQUIT\r\nNOOP\r\n' % last)
            assert codes(client.replies(2)) == [code, 250]


def test_data_and_bdat_do_not_mix(server, lmtp):
    user = server.user()
    lmtp.send(envelope(at(user)) + b'BDAT 6\r\na: b\r\n')
    assert codes(lmtp.replies(3)) == [250] * 3
    assert lmtp.say('DATA').code == 503
    assert lmtp.say('MAIL FROM:<>').code == 503
    assert lmtp.say(f'RCPT TO:<{at(user)}>').code == 503
    assert lmtp.say('NOOP').code == 250
    lmtp.send(bdat(b'\r\nc\r\n'))
    assert lmtp.reply().code == 250
    assert messages(server, user) == [RETURN_PATH + b'a: b\r\n\r\nc\r\n']


@pytest.mark.parametrize('how', ['RSET', 'LHLO client.example'])
def test_begun_and_given_up(server, lmtp, how):
    user = server.user()
    lmtp.send(envelope(at(user)) + b'BDAT 6\r\na: b\r\n')
    assert codes(lmtp.replies(3)) == [250] * 3
    assert lmtp.say(how).code == 250
    lmtp.send(envelope(at(user)) + bdat(MESSAGE))
    assert codes(lmtp.replies(3)) == [250] * 3
    assert messages(server, user) == [RETURN_PATH + MESSAGE]


def test_too_large_is_said_at_once_and_of_all_that_was_sent_ahead(server, lmtp):
    one, two = server.user(), server.user()
    chunk = b'x' * 998 * 50 + b'\r\n'
    lmtp.send(envelope(at(one), at(two)) + bdat(*[chunk] * 4))
    assert codes(lmtp.replies(3)) == [250] * 3
    assert codes(lmtp.replies(5)) == [250, 250, 552, 552, 552]
    lmtp.send(envelope(at(one)) + bdat(MESSAGE))
    assert codes(lmtp.replies(3)) == [250] * 3
    assert server.count(one) == 1
    assert server.count(two) == 0


def test_a_chunk_of_any_length_is_read(server):
    """So long that nobody will send it: what comes of it is no command, and nothing is kept."""
    user = server.user()
    with Lmtp(server.lmtp) as client:
        client.hello()
        client.send(envelope(at(user)) + b'BDAT 18446744073709551615 LAST\r\n')
        assert codes(client.replies(2)) == [250] * 2
        for _ in range(50):
            client.send(b'QUIT\r\n' * 10_000)
        client.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.socket.recv(1)
    assert server.count(user) == 0


@pytest.mark.parametrize('chunks', [[b'a\nb\r\n'], [b'a\rb\r\n'], [b'a\r', b'b\r\n'], [b'a', b'\n'],
                                    [b'a\r\n', b'.\n'], [b'a\r\nb\r']])
def test_bare_cr_or_lf_is_refused(server, lmtp, chunks):
    """As behind DATA. But where it ends was counted, so the session may go on."""
    user = server.user()
    lmtp.send(envelope(at(user)) + bdat(*chunks))
    replies = lmtp.replies(2 + len(chunks))
    assert replies[-1].code == 554 and replies[-1].enhanced == '5.6.0'
    lmtp.send(envelope(at(user)) + bdat(MESSAGE))
    assert codes(lmtp.replies(3)) == [250] * 3
    assert server.count(user) == 1


@pytest.mark.parametrize('line', [b'BDAT', b'BDAT x', b'BDAT -1', b'BDAT 99999999999999999999',
                                  b'BDAT 5 FIRST', b'BDAT ' + b'0' * 3000 + b'1'])
def test_who_does_not_say_how_much_is_hung_up_on(server, line):
    """What follows may be mail, and mail must not be read as commands."""
    user = server.user()
    with Lmtp(server.lmtp) as client:
        client.hello()
        client.send(envelope(at(user)) + line + b'\r\n' + envelope(at(user)) + bdat(MESSAGE))
        assert codes(client.replies(2)) == [250] * 2
        assert client.reply().code in (500, 501)
        assert client.rest() == b''
    assert server.count(user) == 0


def test_binarymime_is_not_taken(lmtp):
    assert lmtp.say('MAIL FROM:<> BODY=BINARYMIME').code == 501


@pytest.mark.parametrize('octets', [0, 3])
def test_broken_off_in_a_chunk(server, octets):
    user = server.user()
    with Lmtp(server.lmtp) as client:
        client.hello()
        client.send(envelope(at(user)) + b'BDAT 6\r\na: b\r\nBDAT 5 LAST\r\n' + b'\r\nc'[:octets])
        assert codes(client.replies(3)) == [250] * 3
    assert server.count(user) == 0


# -- DSN --

def test_dsn_parameters_are_taken(server, lmtp):
    """They aren't announced: who hands over keeps what it owes the sender (doc/rfc-notes.md)."""
    user = server.user()
    assert not any(line[4:] == b'DSN' for line in lmtp.hello().lines)
    since = server.mark()
    assert lmtp.say('MAIL FROM:<sender@example.net> RET=HDRS ENVID=QQ+2B314159').code == 250
    assert lmtp.say(f'RCPT TO:<{at(user)}> NOTIFY=SUCCESS,FAILURE,DELAY '
                    'ORCPT=rfc822;Bob+2BX@example.com').code == 250
    lmtp.send(bdat(MESSAGE))
    assert lmtp.reply().code == 250
    server.wait_for('event=delivered .*envid=QQ\\+2B314159', since)
    assert messages(server, user) == [RETURN_PATH + MESSAGE]
    # The next message isn't named by the last one's.
    since = server.mark()
    lmtp.send(envelope(at(user)) + bdat(MESSAGE))
    assert codes(lmtp.replies(3)) == [250] * 3
    assert 'envid' not in server.wait_for('event=delivered .*to=', since)


@pytest.mark.parametrize('line', ['MAIL FROM:<> RET=SOME', 'MAIL FROM:<> ENVID=a=b',
                                  'MAIL FROM:<> ENVID=' + 'x' * 101])
def test_bad_dsn_parameters(lmtp, line):
    assert lmtp.say(line).code == 501


def test_bad_dsn_parameters_of_a_recipient(lmtp):
    assert lmtp.say('MAIL FROM:<>').code == 250
    for parameters in ('NOTIFY=NEVER,SUCCESS', 'NOTIFY=', 'ORCPT=bob@example.org',
                       'NOTIFY=NEVER NOTIFY=NEVER'):
        assert lmtp.say(f'RCPT TO:<user190@example.org> {parameters}').code == 501


# -- TLS --

def by_tcp(server):
    return Lmtp(('127.0.0.1', server.lmtp_port.number))


def test_starttls(server):
    user = server.user()
    with by_tcp(server) as client:
        assert b'250-STARTTLS' in client.hello().lines
        assert client.say('MAIL FROM:<>').code == 250
        assert client.say('STARTTLS').code == 220
        client.start_tls(server.context())
        # RFC 3207 section 4.2: all that was said before is forgotten.
        assert client.say(f'RCPT TO:<{at(user)}>').code == 503
        assert not any(b'STARTTLS' in line for line in client.hello().lines)
        assert client.say('STARTTLS').code == 503
        client.send(envelope(at(user)) + bdat(MESSAGE))
        assert codes(client.replies(3)) == [250] * 3
    assert messages(server, user) == [RETURN_PATH + MESSAGE]


def test_what_is_sent_behind_starttls_is_thrown_away(server):
    """Somebody in between could have put it there (CVE-2011-0411 was this in many servers)."""
    user = server.user()
    with by_tcp(server) as client:
        client.hello()
        client.send(b'STARTTLS\r\nLHLO evil\r\n' + envelope(at(user)))
        assert client.reply().code == 220
        client.start_tls(server.context())
        assert client.say('NOOP').code == 250  # the first reply in TLS is to what was said in TLS
        assert client.say('MAIL FROM:<>').code == 503


def test_starttls_with_no_handshake(server):
    with by_tcp(server) as client:
        client.hello()
        assert client.say('STARTTLS').code == 220
        client.send(b'NOOP\r\n' * 100)
        rest = client.rest()
        assert b'250' not in rest


def test_starttls_is_not_for_sockets_with_a_path(server, lmtp):
    assert b'250-STARTTLS' not in lmtp.hello().lines
    assert lmtp.say('STARTTLS').code == 502


def test_no_certificate_no_starttls(make_daemon):
    daemon = make_daemon(tls_certificate=None, pop3s_listen=None)
    with by_tcp(daemon) as client:
        assert b'250-STARTTLS' not in client.hello().lines
        assert client.say('STARTTLS').code == 502
        assert client.say('NOOP').code == 250


def test_the_certificate_is_the_servers(server):
    with by_tcp(server) as client:
        client.hello()
        assert client.say('STARTTLS').code == 220
        client.start_tls(server.context())
        assert client.socket.getpeercert()['subject'] == ((('commonName', 'first'),),)
    with socket.create_connection(('127.0.0.1', server.lmtp_port.number)) as s:
        s.recv(1000)
        s.sendall(b'STARTTLS\r\n')
        assert s.recv(1000).startswith(b'220')
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(s, server_hostname='localhost')
