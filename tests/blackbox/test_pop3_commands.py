# SPDX-License-Identifier: MIT
"""Every command in every state, right and wrong: one clear reply, and the session goes on."""
import pytest

from harness import PASSWORD, running

TEXT = b'Subject: one\r\n\r\nfirst\r\nsecond\r\n'
DIGEST = '0123456789abcdef' * 2


@pytest.fixture(scope='module', params=['maildir', 'mem'])
def server(request):
    with running() as start:
        yield start(store_driver=request.param, max_bad_commands=1000,
                    login_timeout='10m')


@pytest.fixture(scope='module')
def before(server):
    """A session in AUTHORIZATION, for all that leaves it there."""
    with server.wire() as wire:
        yield wire


@pytest.fixture(scope='module')
def after(server):
    """A session in TRANSACTION with two messages, for all that marks none of them."""
    user = server.user()
    server.deliver(user, TEXT)
    server.deliver(user, TEXT)
    with server.wire(user) as wire:
        yield wire


NEEDS_LOGIN = ['STAT', 'LIST', 'LIST 1', 'UIDL', 'UIDL 1', 'RETR 1', 'DELE 1', 'TOP 1 0', 'NOOP',
               'RSET', 'stat', 'rEtR 1', 'DELE', 'RETR x', 'TOP']

SENSELESS = [b'', b' ', b'   ', b'FROB', b'FROB 1', b'LAST', b'XTND XMIT', b'HELO me', b'EHLO me',
             b'STATX', b'STA', b'NOOPNOOP', b' NOOP', b'\tNOOP', b'NOOP\t', b'N OOP', b'NO\0OP',
             b'\0', b'NOOP\0', b'NOOP\rNOOP', b'\r', b'\rNOOP', b'\xff\xfe', b'N\xc3\xb6OP', b'.',
             b'*', b'GET / HTTP/1.1', b'LIST\0 1', b'"LIST"', b'-ERR', b'A' * 253, b'\x1b[2J']


@pytest.mark.parametrize('line', NEEDS_LOGIN)
def test_before_login(before, line):
    assert before.err(line) == 'log in first'
    assert 'TOP' in before.multi('CAPA')


@pytest.mark.parametrize('line', ['USER a', f'PASS {PASSWORD}', f'APOP a {DIGEST}', 'AUTH',
                                  'AUTH PLAIN', 'AUTH PLAIN AGEAYg==', 'STLS', 'USER', 'PASS',
                                  'stls', 'AUTH FROB'])
def test_after_login(after, line):
    assert after.err(line) == 'you are already logged in'
    assert after.stat()[0] == 2


@pytest.mark.parametrize('line', SENSELESS)
def test_no_such_command(before, after, line):
    for wire in (before, after):
        assert wire.err(line) == 'no such command'
    assert 'TOP' in before.multi('CAPA')
    assert after.stat()[0] == 2


@pytest.mark.parametrize('line, words', [
    ('USER', 'USER needs a name'),
    ('USER ', 'USER needs a name'),
    ('USER    ', 'USER needs a name'),
    (b'USER a\0b', 'control characters'),
    (b'USER \0', 'control characters'),
    (b'USER a\tb', 'control characters'),
    (b'USER a\rb', 'control characters'),
    (b'USER a\x7f', 'control characters'),
    ('PASS', 'PASS needs a password'),
    (f'PASS {PASSWORD}', 'say USER first'),
    ('PASS ', 'say USER first'),
    (b'PASS a\0b', 'control characters'),
    (b'PASS a\rb', 'control characters'),
    ('APOP', 'APOP needs a name and a digest'),
    ('APOP user0', 'APOP needs a name and a digest'),
    (f'APOP {DIGEST}', 'APOP needs a name and a digest'),
    ('APOP user0 0123', 'not an MD5 digest'),
    (f'APOP user0 {DIGEST}0', 'not an MD5 digest'),
    (f'APOP user0 {DIGEST.upper()}', 'not an MD5 digest'),
    (f'APOP user0 {DIGEST[:-1]}g', 'not an MD5 digest'),
    (f'APOP user0 {DIGEST}', 'APOP is not offered here'),
    ('AUTH FROB', 'not offered'),
    ('AUTH CRAM-MD5', 'not offered'),
    ('AUTH PLÄIN', 'not a mechanism'),
    ('AUTH  PLAIN', 'not a mechanism'),
    ('AUTH ' + 'A' * 21, 'not a mechanism'),
    ('AUTH PLAIN = x', 'AUTH takes a mechanism'),
    ('AUTH PLAIN  AGEAYg==', 'AUTH takes a mechanism'),
    ('AUTH PLAIN AGEAYg', 'not base64'),
    ('STLS now', 'STLS takes no argument'),
    ('CAPA all', 'CAPA takes no argument'),
    ('QUIT now', 'QUIT takes no argument'),
    ('QUIT 1', 'QUIT takes no argument'),
])
def test_wrong_arguments_before_login(before, line, words):
    assert words in before.err(line)
    assert 'TOP' in before.multi('CAPA')


@pytest.mark.parametrize('line', ['STAT 1', 'NOOP x', 'RSET 1', 'QUIT now', 'CAPA all', 'STAT  1',
                                  'quit 0', 'NOOP \0', 'NOOP \t'])
def test_extra_arguments_after_login(after, line):
    assert after.err(line).endswith(' takes no argument')
    assert after.stat()[0] == 2


# What might be read as 1, or as another message, by somebody who reads numbers carelessly.
NO_NUMBERS = ['0', '00', '-1', '+1', '1x', 'x', 'x1', '1.0', '1,2', '1-2', '0x1', '1e0', '*', '.',
              '１', '٢', '²', '4294967296', '4294967297', '18446744073709551616',
              '18446744073709551617', '9' * 200, '1\0', '1\t', '\t1', '1\r', '"1"', ' 1', '   1']


@pytest.mark.parametrize('verb', ['RETR', 'DELE', 'LIST', 'UIDL', 'TOP'])
@pytest.mark.parametrize('number', NO_NUMBERS)
def test_not_a_message_number(after, verb, number):
    lines = ' 0' if verb == 'TOP' else ''
    expected = ['not a message number']
    if number.startswith(' '):
        expected += ['LIST takes one message number or nothing']
    assert after.err(f'{verb} {number}{lines}') in expected
    assert after.stat()[0] == 2


@pytest.mark.parametrize('verb', ['RETR', 'DELE', 'LIST', 'UIDL', 'TOP'])
@pytest.mark.parametrize('number', ['3', '03', '10', '100', '2147483647', '2147483648',
                                    '4294967295'])
def test_no_such_message(after, verb, number):
    lines = ' 0' if verb == 'TOP' else ''
    assert after.err(f'{verb} {number}{lines}') == (
        f'{verb}: message {int(number)} does not exist')
    assert after.stat()[0] == 2


@pytest.mark.parametrize('line, words', [
    ('RETR', 'RETR needs a message number'),
    ('RETR ', 'RETR needs a message number'),
    ('RETR 1 2', 'RETR needs a message number'),
    ('DELE', 'DELE needs a message number'),
    ('DELE    ', 'DELE needs a message number'),
    ('DELE 1 2', 'DELE needs a message number'),
    ('LIST 1 2', 'LIST takes one message number or nothing'),
    ('UIDL 1 2', 'UIDL takes one message number or nothing'),
    ('TOP', 'TOP needs a message number and a number of lines'),
    ('TOP 1', 'TOP needs a message number and a number of lines'),
    ('TOP 1 ', 'TOP needs a message number and a number of lines'),
    ('TOP 1 0 0', 'TOP needs a message number and a number of lines'),
    ('TOP 1  0', 'not a number of lines'),
    ('TOP 1 -1', 'not a number of lines'),
    ('TOP 1 +1', 'not a number of lines'),
    ('TOP 1 x', 'not a number of lines'),
    ('TOP 1 1x', 'not a number of lines'),
    ('TOP 1 18446744073709551616', 'not a number of lines'),
    ('TOP 1 ' + '9' * 200, 'not a number of lines'),
])
def test_wrong_arguments_after_login(after, line, words):
    assert after.err(line) == words
    assert after.stat()[0] == 2


@pytest.mark.parametrize('number', ['1', '01', '00001', '0' * 200 + '1', '1 ', '1    '])
def test_numbers_that_are_1(after, number):
    assert after.ok(f'LIST {number}') == after.ok('LIST 1')
    assert after.ok(f'UIDL {number}').startswith('1 ')
    after.ok(f'RETR {number}')
    assert after.octets().endswith(TEXT)
    after.ok(f'DELE {number}')
    assert sorted(after.sizes()) == [2]
    after.ok('RSET')


@pytest.mark.parametrize('line', ['stat', 'Stat', 'sTAT', 'STAT ', 'STAT   '])
def test_case_and_spaces_at_the_end(after, line):
    assert after.ok(line).startswith('2 ')


@pytest.mark.parametrize('lines', ['18446744073709551615', '4294967296', '00', '1 '])
def test_numbers_of_lines(after, lines):
    n = int(lines)
    assert after.top(1, lines).endswith(b'\r\n\r\n' + b''.join([b'first\r\n', b'second\r\n'][:n]))


def test_all_of_it_in_small_letters(server):
    user = server.user()
    server.deliver(user, TEXT)
    with server.wire() as wire:
        wire.multi('capa')
        wire.ok(f'user {user}')
        wire.ok(f'pass {PASSWORD}')
        assert wire.ok('stat').startswith('1 ')
        assert len(wire.multi('list')) == len(wire.multi('uidl')) == 1
        for line in ('retr 1', 'top 1 0'):
            assert wire.multi(line)
        wire.ok('noop')
        wire.ok('dele 1')
        wire.ok('rset')
        wire.ok('dele 1')
        wire.ok('quit')
        assert wire.rest() == b''
    assert server.count(user) == 0


def test_lines_end_in_lf_too(after):
    after.send(b'NOOP\nSTAT\n')
    after.ok()
    assert after.ok().startswith('2 ')


# ---- lines that are too long ----

def test_the_longest_command(before, after):
    """255 octets with CRLF (RFC 2449 section 4); with bare LF, the same 255."""
    assert after.ok('NOOP' + ' ' * (253 - 4)) is not None
    assert after.err('NOOP' + ' ' * (254 - 4)) == 'the line is too long'
    after.send(b'NOOP' + b' ' * (254 - 4) + b'\n')
    after.ok()
    # The longest name and a password as long as a line can have.
    assert 'PASS' in before.ok('USER ' + 'u' * 248)
    before.err('PASS ' + 'p' * 248, code='AUTH')


@pytest.mark.parametrize('length', [255, 256, 1021, 1022, 1023, 1024, 1025, 2048, 65536, 1 << 20])
def test_too_long(before, after, length):
    """One -ERR, whatever stands in it, and what comes behind it is a command again."""
    for wire, line in ((after, b'DELE 1 '), (before, b'USER u'), (before, b'PASS p')):
        wire.send(line + b'DELE 1 ' * (length // 7) + b'\r\nCAPA\r\n')
        assert wire.err() == 'the line is too long'
        wire.ok()
        assert b'TOP' in wire.octets()
    assert after.stat()[0] == 2


def test_a_line_without_end_is_answered_at_once(server):
    with server.wire() as wire:
        wire.send(b'x' * 300)
        assert wire.err() == 'the line is too long'
        for _ in range(20):
            wire.send(b'x' * 10000)
        wire.send(b'\r\nFROB\r\n')
        assert wire.err() == 'no such command'


# ---- too much of it ----

def test_bad_commands_end_the_session(make_daemon):
    daemon = make_daemon(max_bad_commands=3)
    user = daemon.user()
    daemon.deliver(user)
    for name in (None, user):
        with daemon.wire(name) as wire:
            wire.err('FROB')
            wire.multi('CAPA')  # a good one in between doesn't make up for it
            wire.err('LIST x')
            wire.send(b'FROB\r\nCAPA\r\nDELE 1\r\nQUIT\r\n')
            wire.err()
            assert wire.rest() == b''  # or the client would take it for the next one's reply
    daemon.wait_for('too many bad commands')
    assert daemon.count(user) == 1


def test_failed_logins_are_bad_commands(make_daemon):
    daemon = make_daemon(max_bad_commands=3)
    with daemon.wire() as wire:
        for _ in range(3):
            wire.ok('USER user0')
            wire.err('PASS wrong', code='AUTH')
        assert wire.rest() == b''
