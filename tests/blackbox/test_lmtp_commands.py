# SPDX-License-Identifier: MIT
"""LMTP up to the message: RFC 2033 and the extensions it announces, command by command."""
import grp
import os
import socket
import stat
import subprocess

import pytest

from harness import running
from lmtp_client import Lmtp
from wire import PATIENCE

LIMIT = 20000
MESSAGE = b'Subject: hello\r\n\r\nworld\r\n'


@pytest.fixture(scope='module')
def server():
    with running() as start:
        daemon = start(message_size_limit=LIMIT, lmtp_max_recipients=5, max_bad_commands=10)
        daemon.add_users('other@other.example', 'grün')
        yield daemon


@pytest.fixture(params=['unix', 'tcp'])
def address(server, request):
    return server.lmtp if request.param == 'unix' else ('127.0.0.1', server.lmtp_port.number)


@pytest.fixture
def lmtp(address):
    with Lmtp(address) as client:
        client.hello()
        yield client


# -- the greeting and LHLO --

def test_greeting_names_the_server(address):
    with Lmtp(address) as client:
        assert socket.gethostname().encode() in client.greeting.lines[0]


def test_lhlo(address):
    with Lmtp(address) as client:
        words = [line[4:] for line in client.hello().lines]
        assert len(words[0].split()) == 1  # its name
        starttls = [b'STARTTLS'] if isinstance(address, tuple) else []
        assert sorted(words[1:]) == [b'8BITMIME', b'CHUNKING', b'ENHANCEDSTATUSCODES',
                                     b'PIPELINING', b'SIZE %d' % LIMIT, b'SMTPUTF8'] + starttls


@pytest.mark.parametrize('hello', ['HELO client.example', 'EHLO client.example', 'helo x'])
def test_smtp_is_refused(address, hello):
    """RFC 2033 section 4.1: an SMTP client must not get mail through an LMTP port."""
    with Lmtp(address) as client:
        assert client.say(hello).code == 500
        assert client.say('MAIL FROM:<>').code == 503
        assert client.hello().code == 250


def test_lhlo_wants_a_name(address):
    with Lmtp(address) as client:
        assert client.say('LHLO').code == 501
        assert client.say('LHLO ').code == 501
        assert client.say('lhlo [192.0.2.1]').code == 250


def test_lhlo_again_begins_anew(lmtp):
    assert lmtp.say('MAIL FROM:<>').code == 250
    assert lmtp.say('RCPT TO:<user190@example.org>').code == 250
    lmtp.hello()
    assert lmtp.say('DATA').code == 503
    assert lmtp.say('RCPT TO:<user190@example.org>').code == 503
    assert lmtp.say('MAIL FROM:<>').code == 250


# -- commands in every state --

STATES = {
    'connected': [],
    'ready': ['LHLO client.example'],
    'sender': ['LHLO client.example', 'MAIL FROM:<>'],
    'recipient': ['LHLO client.example', 'MAIL FROM:<>', 'RCPT TO:<user190@example.org>'],
    'message': ['LHLO client.example', 'MAIL FROM:<>', 'RCPT TO:<user190@example.org>', 'DATA'],
}

# What each command is answered in connected, ready, sender and recipient.
COMMANDS = {
    'LHLO client.example': (250, 250, 250, 250),
    'EHLO client.example': (500, 500, 500, 500),
    'MAIL FROM:<a@example.net>': (503, 250, 503, 503),
    'RCPT TO:<user191@example.org>': (503, 503, 250, 250),
    'RCPT TO:<nobody-here@example.org>': (503, 503, 550, 550),
    'DATA': (503, 503, 503, 354),
    'RSET': (250, 250, 250, 250),
    'NOOP': (250, 250, 250, 250),
    'NOOP with words': (250, 250, 250, 250),
    'VRFY user0': (252, 252, 252, 252),
    'VRFY': (501, 501, 501, 501),
    'HELP': (214, 214, 214, 214),
    'EXPN list': (500, 500, 500, 500),
    'STARTTLS': (502, 502, 502, 502),
    'STARTTLS now': (501, 501, 501, 501),
    'AUTH PLAIN': (500, 500, 500, 500),
    'BDAT 0': (503, 503, 503, 250),
    'BDAT 0 LAST': (503, 503, 503, 250),
    'DATA now': (501, 501, 501, 501),
    'RSET now': (501, 501, 501, 501),
    'QUIT now': (501, 501, 501, 501),
    '': (500, 500, 500, 500),
    'QUIT': (221, 221, 221, 221),
}


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_in_every_state(server, command):
    for state, code in zip(STATES, COMMANDS[command]):
        with Lmtp(server.lmtp) as client:
            for line in STATES[state]:
                assert client.say(line).code == 250
            reply = client.say(command)
            assert reply.code == code, state
            # RFC 2034: every reply but the greeting, LHLO's and 354.
            if code not in (354,) and not command.startswith('LHLO'):
                assert reply.enhanced, reply
            if code == 221:
                assert client.rest() == b''
            elif code != 354:
                assert client.say('NOOP').code == 250


@pytest.mark.parametrize('state', STATES)
def test_disconnected_in_every_state(server, state):
    """Whoever hangs up leaves nothing, and the next one is served."""
    for _ in range(5):
        with Lmtp(server.lmtp) as client:
            for line in STATES[state]:
                assert client.say(line).code in (250, 354)
    with Lmtp(server.lmtp) as client:
        client.hello()
        assert client.say('NOOP').code == 250


def test_rset_forgets_the_transaction(server, lmtp):
    one = server.user()
    two = server.user()
    lmtp.say('MAIL FROM:<first@example.net>')
    lmtp.say(f'RCPT TO:<{one}@example.org>')
    assert lmtp.say('RSET').code == 250
    assert [r.code for r in lmtp.deliver(MESSAGE, f'{two}@example.org')] == [250]
    assert server.count(one) == 0
    assert server.count(two) == 1


def test_several_messages_in_one_session(server, lmtp):
    user = server.user()
    for _ in range(20):
        assert [r.code for r in lmtp.deliver(MESSAGE, f'{user}@example.org')] == [250]
    assert lmtp.say('QUIT').code == 221
    assert lmtp.rest() == b''
    assert server.count(user) == 20


# -- PIPELINING --

def transaction(*recipients):
    return ['LHLO client.example', 'MAIL FROM:<sender@example.net>',
            *(f'RCPT TO:<{r}>' for r in recipients), 'DATA']


def test_pipelined_in_one_packet(server, address):
    """All that may be sent without waiting (RFC 2920), from LHLO on, in one packet."""
    with Lmtp(address) as client:
        client.send('\r\n'.join(transaction('user195@example.org', 'no@example.org') +
                                ['']).encode())
        assert [r.code for r in client.replies(5)] == [250, 250, 250, 550, 354]
        client.send(MESSAGE + b'.\r\nQUIT\r\n')
        assert [r.code for r in client.replies(2)] == [250, 221]
        assert client.rest() == b''


def test_message_and_the_next_transaction_in_one_packet(server, lmtp):
    lmtp.begin('user196@example.org')
    lmtp.send(MESSAGE + b'.\r\n' + '\r\n'.join(transaction('user196@example.org')[1:]).encode() +
              b'\r\n')
    assert [r.code for r in lmtp.replies(4)] == [250, 250, 250, 354]
    lmtp.send(b'.\r\nRSET\r\nNOOP\r\nQUIT\r\n')
    assert [r.code for r in lmtp.replies(4)] == [250, 250, 250, 221]


def test_octet_by_octet(server, address):
    user = server.user()
    with Lmtp(address) as client:
        for line in transaction(f'{user}@example.org'):
            for octet in line.encode() + b'\r\n':
                client.send(bytes([octet]))
            client.reply()
        for octet in b'Subject: slow\r\n\r\n..\r\n.x\r\n.\r\n':
            client.send(bytes([octet]))
        assert client.reply().code == 250
    pop = server.login(user)
    assert pop.retr(1)[1][-2:] == [b'.', b'x']
    pop.quit()


def test_many_recipients_in_one_packet(server, lmtp):
    """More replies than the server's output buffer holds, to a client that reads none of them."""
    n = 5000
    lmtp.send(b'MAIL FROM:<>\r\n' + b'RCPT TO:<no@example.org>\r\n' * n + b'RSET\r\n')
    assert [r.code for r in lmtp.replies(n + 2)] == [250] + [550] * n + [250]


# -- recipients --

def test_a_reply_for_each_recipient_in_order(server, lmtp):
    one = server.user()
    two = server.user()
    lmtp.say('MAIL FROM:<>')
    codes = [lmtp.say(f'RCPT TO:<{r}@example.org>').code
             for r in [one, 'no1', two, 'no2', one]]
    assert codes == [250, 550, 250, 550, 250]
    lmtp.say('DATA')
    lmtp.send(MESSAGE + b'.\r\nNOOP\r\n')
    # Three accepted, one of them twice: three replies (RFC 2033 section 4.2), then NOOP's.
    assert [r.lines[0][:9] for r in lmtp.replies(4)] == [b'250 2.0.0'] * 4
    assert server.count(one) == 2
    assert server.count(two) == 1


def test_unknown_recipient(lmtp):
    lmtp.say('MAIL FROM:<>')
    reply = lmtp.say('RCPT TO:<nobody-here@example.org>')
    assert (reply.code, reply.enhanced) == (550, '5.1.1')
    assert lmtp.say('DATA').code == 503
    assert lmtp.say('RCPT TO:<user0@other.example>').code == 550  # that is another domain
    assert lmtp.say('RCPT TO:<other@other.example>').code == 250


def test_too_many_recipients(server, lmtp):
    one = server.user()
    two = server.user()
    lmtp.say('MAIL FROM:<>')
    for _ in range(5):
        assert lmtp.say(f'RCPT TO:<{one}@example.org>').code == 250
    reply = lmtp.say(f'RCPT TO:<{two}@example.org>')
    assert (reply.code, reply.enhanced) == (452, '4.5.3')
    lmtp.say('DATA')
    lmtp.send(MESSAGE + b'.\r\n')
    assert [r.code for r in lmtp.replies(5)] == [250] * 5
    assert server.count(one) == 5
    assert server.count(two) == 0
    # The rest comes with the next message, as RFC 5321 section 4.5.3.1.10 has it.
    assert [r.code for r in lmtp.deliver(MESSAGE, f'{two}@example.org')] == [250]


def test_detail(server, lmtp):
    user = server.user()
    for address in [f'{user}+detail@example.org', f'{user}+@example.org',
                    f'{user}+a+b@example.org', f'{user.upper()}+Detail@EXAMPLE.ORG',
                    f'"{user}+quoted"@example.org']:
        assert [r.code for r in lmtp.deliver(MESSAGE, address)] == [250], address
    assert server.count(user) == 5
    # Who has all of it as a name gets it.
    server.add_users(f'{user}+own')
    assert [r.code for r in lmtp.deliver(MESSAGE, f'{user}+own@example.org')] == [250]
    assert server.count(f'{user}+own') == 1
    assert server.count(user) == 5


@pytest.mark.parametrize('path,code', [
    ('<user193@example.org>', 250), (' <user193@example.org>', 250),
    ('<@relay.example:user193@example.org>', 250), ('<"user193"@example.org>', 250),
    ('<user193>', 501), ('user193@example.org', 501), ('<>', 501), ('<user193@example.org', 501),
    ('<user 13@example.org>', 501), ('<user193@>', 501), ('<@example.org>', 501),
    ('<user193@example.org> NOTIFY=NEVER', 250), ('<user193@example.org> HOLDFOR=9', 555), ('<user193@example.org>NOTIFY', 501),
    ('<../user193@example.org>', 501), ('<a/b@example.org>', 550), ('<"a/../b"@example.org>', 550),
    ('<.user193@example.org>', 501), ('<"a\0b"@example.org>', 501),
    ('<' + 'x' * 300 + '@example.org>', 501),
])
def test_forward_path(lmtp, path, code):
    lmtp.say('MAIL FROM:<>')
    reply = lmtp.say('RCPT TO:' + path)
    assert (reply.code, bool(reply.enhanced)) == (code, True)
    assert lmtp.say('RCPT TO:<user193@example.org>').code == 250


def test_bad_recipients_are_not_the_clients_fault(lmtp):
    """An MTA passes on what others wrote: it isn't sent away for it."""
    lmtp.say('MAIL FROM:<>')
    for _ in range(30):
        assert lmtp.say('RCPT TO:<not an address>').code == 501
    assert lmtp.say('RCPT TO:<user193@example.org>').code == 250


# -- senders --

@pytest.mark.parametrize('path,code', [
    ('<>', 250), ('<a@example.net>', 250), (' <a@example.net>', 250), ('<a..b.@example.net>', 250),
    ('<@a,@b:c@example.net>', 250), ('<a@[192.0.2.1]>', 250), ('<a@[IPv6:2001:db8::1]>', 250),
    ('<"a b"@example.net>', 250), ('<' + 'v' * 200 + '@example.net>', 250),
    ('<a@example.net> BODY=8BITMIME', 250), ('<a@example.net> BODY=7BIT SIZE=10', 250),
    ('<a@example.net> SMTPUTF8', 250), ('<a@example.net> BODY=BINARYMIME', 501),
    ('<a@example.net> SIZE=', 501), ('<a@example.net> SIZE=-1', 501),
    ('<a@example.net> SIZE=1 SIZE=1', 501), ('<a@example.net> SIZE=18446744073709551616', 501),
    ('<a@example.net> MT-PRIORITY=4', 555), ('<a@example.net> AUTH=<>', 555),
    ('a@example.net', 501), ('<a>', 501), ('<a@example.net', 501), ('', 501),
    ('<' + 'v' * 300 + '@example.net>', 501),
])
def test_reverse_path(lmtp, path, code):
    reply = lmtp.say('MAIL FROM:' + path)
    assert (reply.code, bool(reply.enhanced)) == (code, True)
    if code != 250:
        assert lmtp.say('RCPT TO:<user190@example.org>').code == 503
    assert lmtp.say('RSET').code == 250


# -- SIZE --

def test_size_announced(lmtp):
    assert lmtp.say(f'MAIL FROM:<> SIZE={LIMIT}').code == 250
    lmtp.say('RSET')
    for size in [LIMIT + 1, 2 ** 32, 2 ** 32 + 1, 2 ** 63, 2 ** 64 - 1]:
        reply = lmtp.say(f'MAIL FROM:<> SIZE={size}')
        assert (reply.code, reply.enhanced) == (552, '5.3.4'), size
    assert lmtp.say('RCPT TO:<user190@example.org>').code == 503


# -- SMTPUTF8 --

def test_smtputf8(server, lmtp):
    assert lmtp.say('MAIL FROM:<grün@example.net>').code == 550
    assert lmtp.say('MAIL FROM:<a@example.net>').code == 250
    reply = lmtp.say('RCPT TO:<grün@example.org>')
    assert (reply.code, reply.enhanced) == (550, '5.6.7')
    lmtp.say('RSET')
    assert [r.code for r in lmtp.deliver(MESSAGE, 'grün@example.org', sender='grün@example.net',
                                         parameters=' SMTPUTF8')] == [250]
    file = max((server.mail / 'grün' / 'new').iterdir())
    assert file.read_bytes() == ('Return-Path: <grün@example.net>\r\n'
                                 'Delivered-To: grün@example.org\r\n').encode() + MESSAGE


def test_utf8_that_is_none(lmtp):
    assert lmtp.say(b'MAIL FROM:<\xc3@example.net> SMTPUTF8').code == 501
    assert lmtp.say(b'MAIL FROM:<a@example.net> SMTPUTF8').code == 250
    assert lmtp.say(b'RCPT TO:<\xed\xa0\x80@example.org>').code == 501


# -- lines --

def test_long_line(lmtp):
    for n in [2047, 2048, 100_000, 5_000_000]:
        lmtp.send(b'NOOP ' + b'x' * n + b'\r\n')
        reply = lmtp.reply()
        assert (reply.code, reply.enhanced) == (500, '5.5.2'), n
    assert lmtp.say('NOOP ' + 'x' * 2041).code == 250  # 2048 octets with its end


def test_bad_commands_have_an_end(address):
    with Lmtp(address) as client:
        for _ in range(9):
            assert client.say('FOO').code == 500
        client.send(b'FOO\r\n')
        assert client.reply().code == 500
        reply = client.reply()
        assert (reply.code, reply.enhanced) == (421, '4.7.0')
        assert client.rest() == b''


def test_nul_and_8_bit_in_commands(lmtp):
    for line in [b'\0', b'NOOP\0', b'\xff\xfe', b'MAIL\0FROM:<>']:
        assert lmtp.say(line).code == 500
    assert lmtp.say(b'NOOP \xff').code == 250


# -- the socket --

@pytest.mark.skipif(os.geteuid() != 0, reason='only root can give a socket another group')
def test_socket_mode_and_group(make_daemon):
    daemon = make_daemon(lmtp_socket_mode='0620', lmtp_socket_group='mail')
    st = daemon.lmtp.stat()
    assert stat.S_ISSOCK(st.st_mode)
    assert stat.S_IMODE(st.st_mode) == 0o620
    assert st.st_gid == grp.getgrnam('mail').gr_gid
    # A member of the group may deliver; others are kept out by the file system.
    script = ('import socket,sys; s=socket.socket(socket.AF_UNIX); s.settimeout(60); '
              's.connect(sys.argv[1]); print(s.recv(100)[:3])')
    for group, works in [('mail', True), ('nogroup', False)]:
        run = subprocess.run(['setpriv', '--reuid=nobody', f'--regid={group}', '--clear-groups',
                              '/usr/bin/python3', '-c', script, str(daemon.lmtp)],
                             capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (run.stdout == "b'220'\n") == works, run.stderr


def test_default_socket_mode(server):
    assert stat.S_IMODE(server.lmtp.stat().st_mode) == 0o660
