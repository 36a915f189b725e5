# SPDX-License-Identifier: MIT
"""Who are you: USER and PASS, AUTH with its exchanges, APOP, and what is said to whom."""
import base64
import hashlib
import hmac
import os
import re
import signal

import pytest

from harness import PASSWORD, running

SPACES = ['one two', ' leading', 'trailing ', '  both  ', ' ', '   ', 'a  b', '=', '* x', 'a\tb']


def b64(octets):
    return base64.b64encode(octets.encode() if isinstance(octets, str) else octets).decode()


def plain(user, password=PASSWORD, authzid=''):
    return b64(f'{authzid}\0{user}\0{password}')


@pytest.fixture(scope='module')
def server():
    with running() as start:
        yield start(max_bad_commands=1000, auth_cache_seconds=0)


@pytest.fixture(scope='module')
def apop():
    """A server that keeps some passwords themselves, and says so."""
    with running() as start:
        daemon = start(apop=True, max_bad_commands=1000, plaintext_login='never')
        sha = hashlib.sha256(PASSWORD.encode()).hexdigest()
        daemon.write_users({'kept': '{PLAIN}' + PASSWORD, 'hashed': '{SHA256.hex}' + sha,
                            'spaces': '{PLAIN} a b ', 'locked': '*'})
        yield daemon


@pytest.fixture
def wire(server):
    with server.wire() as wire:
        yield wire


# ---- USER and PASS ----

def test_every_name_sounds_the_same(server, wire):
    """Whether somebody exists is nobody's business."""
    replies = {name: (wire.ok(f'USER {name}'), wire.err('PASS wrong', code='AUTH'))
               for name in ('user0', 'nobody', 'user0@example.net', 'grüße', 'a b', '../x', '@')}
    assert len(set(replies.values())) == 1


@pytest.mark.parametrize('password', SPACES + ['wörd', 'x' * 248, '"quoted"', '\\', '{PLAIN}x', '.',
                                               'PASS', '\x1b\x01'])
def test_passwords(server, password):
    """All that follows the one space is the password (RFC 1939 section 7), and nothing else is."""
    user = server.user()
    stored = base64.b64encode(password.encode()).decode()
    server.write_users({user: '{PLAIN.b64}' + stored})
    server.secrets.add(password)
    for wrong in {password.strip(), password + ' ', ' ' + password, password[:-1], 'x'} - {password}:
        if len(wrong) <= 248:
            with server.wire() as wire:
                wire.ok(f'USER {user}')
                wire.err(f'PASS {wrong}', code='AUTH')
    with server.wire() as wire:
        wire.login(user, password)
    with server.wire() as wire:
        if password.isprintable():
            wire.ok('AUTH PLAIN ' + plain(user, password))
        else:  # RFC 4616 section 2 has no passwords that SASLprep forbids
            wire.err('AUTH PLAIN ' + plain(user, password))


def test_octets_that_are_no_text(server):
    user = server.user()
    octets = bytes(range(0x80, 0x100)) + b'\xf6'
    server.write_users({user: '{SHA256}' + b64(hashlib.sha256(octets).digest())})
    with server.wire() as wire:
        wire.ok(f'USER {user}')
        wire.ok(b'PASS ' + octets)


def test_a_password_typed_on_another_keyboard(server):
    """What RFC 4013 says is the same password is the same password."""
    user = server.user()
    server.write_users({user: '{PLAIN}fi x'})
    with server.wire() as wire:
        wire.login(user, '\ufb01\u00a0x')


def test_after_a_wrong_password_user_comes_again(server, wire):
    user = server.user()
    server.write_users({user: '{PLAIN}' + PASSWORD})
    wire.ok(f'USER {user}')
    wire.err('PASS wrong', code='AUTH')
    assert 'say USER first' in wire.err(f'PASS {PASSWORD}')
    wire.ok('USER somebody')
    wire.login(user, PASSWORD)  # the last USER counts


# ---- AUTH PLAIN and LOGIN ----

@pytest.fixture
def user(server):
    user = server.user()
    server.write_users({user: '{PLAIN}' + PASSWORD})
    return user


@pytest.mark.parametrize('mechanism', ['PLAIN', 'plain', 'Plain'])
def test_plain(server, user, mechanism):
    with server.wire() as wire:
        assert wire.ok(f'AUTH {mechanism} ' + plain(user)).startswith('0 messages')
        wire.quit()
    with server.wire() as wire:
        wire.command(f'AUTH {mechanism}')
        assert wire.line() == b'+ '
        wire.ok(plain(user))
        assert wire.stat() == (0, 0)


def test_login(server, user):
    with server.wire() as wire:
        wire.command('AUTH LOGIN')
        assert base64.b64decode(wire.line()[2:]) == b'User Name'
        wire.command(b64(user))
        assert base64.b64decode(wire.line()[2:]) == b'Password'
        wire.ok(b64(PASSWORD))
        wire.quit()
    with server.wire() as wire:
        wire.command('AUTH LOGIN ' + b64(user))
        assert base64.b64decode(wire.line()[2:]) == b'Password'
        wire.ok(b64(PASSWORD))


def test_an_exchange_in_one_packet(server, user):
    with server.wire() as wire:
        wire.send(f'AUTH LOGIN\r\n{b64(user)}\r\n{b64(PASSWORD)}\r\nSTAT\r\nQUIT\r\n'.encode())
        replies = wire.rest().split(b'\r\n')
        assert [reply[:3] for reply in replies] == [b'+ V', b'+ U', b'+OK', b'+OK', b'+OK', b'']


@pytest.mark.parametrize('response', [
    '', '\0', '\0\0', 'user', 'user\0' + PASSWORD, '\0user', '\0\0' + PASSWORD, '\0USER\0',
    '\0USER\0pass\0word', 'somebody\0USER\0' + PASSWORD, '\0USER\0wrong', '\0\xff\0x',
    '\0' + 'u' * 256 + '\0x', '\0' + 'u' * 5000 + '\0x', '\0USER\0' + 'x' * 1025,
    '\0USER\0' + 'x' * 5000, '\0USER\0' + PASSWORD + '\0',
])
def test_plain_that_proves_nothing(server, user, wire, response):
    """Wrong in form or in content: one -ERR, and the session goes on."""
    line = b64(response.replace('USER', user).encode('utf-8'))
    for attempt in range(2):
        if attempt == 0 and len(line) < 230:
            wire.command('AUTH PLAIN ' + (line or '='))
        else:
            wire.command('AUTH PLAIN')
            assert wire.line() == b'+ '
            wire.command(line)
        assert re.match(r'-ERR (\[AUTH\] )?.', wire.reply())
    wire.ok('AUTH PLAIN ' + plain(user))


def test_an_identity_of_ones_own(server, user):
    with server.wire() as wire:
        wire.ok('AUTH PLAIN ' + plain(user, authzid=user))


@pytest.mark.parametrize('before', [['AUTH PLAIN'], ['AUTH LOGIN'], ['AUTH LOGIN', b64('user0')]])
@pytest.mark.parametrize('line, words', [
    ('*', 'cancelled'), ('**', 'not base64'), ('* ', 'not base64'), ('=', 'not base64'),
    ('QUIT', None), ('NOOP', None), ('USER user0', 'not base64'), ('AGEAYg', 'not base64'),
    ('AGEAYg=', 'not base64'), ('AGEAYg===', 'not base64'), ('AGEAYh==', 'not base64'),
    ('AGEA Yg==', 'not base64'), ('A=EAYg==', 'not base64'), (b'AGEA\0Yg=', 'not base64'),
    (b'\xff\xff\xff\xff', 'not base64'), ('=' * 4, 'not base64'), ('A' * 23401, 'too long'),
    ('A' * 23396, 'too long'), ('A' * 1_000_000, 'too long'),
])
def test_responses_that_are_none(server, user, wire, before, line, words):
    """One -ERR; what follows is a command again, and a login still works."""
    for said in before:
        wire.command(said)
        assert wire.line().startswith(b'+ ')
    wire.command(line)
    if words is None:
        # Base64 by accident, so the exchange goes on or ends, but it is no command.
        if wire.line().startswith(b'+ '):
            wire.command('*')
            wire.err()
    else:
        assert words in wire.err()
    assert 'TOP' in wire.multi('CAPA')
    wire.ok('AUTH PLAIN ' + plain(user))


@pytest.mark.parametrize('octets', [17408, 17409])
def test_the_longest_response(server, user, wire, octets):
    wire.command('AUTH PLAIN')
    assert wire.line() == b'+ '
    wire.command(b64('\0' + user + '\0' + 'x' * (octets - len(user) - 2)))
    assert ('too long' in wire.reply()) == (octets > 17408)
    wire.command('AUTH PLAIN ' + b64('\0' + user + '\0' + 'x' * 8000))  # longer than other commands
    assert wire.reply().startswith('-ERR [AUTH]')
    wire.ok('AUTH PLAIN ' + plain(user))


def test_an_initial_response_of_nothing(server, user, wire):
    wire.command('AUTH LOGIN =')
    assert re.match(rb'-ERR |\+ ', wire.line())
    wire.command('*')
    wire.err()
    wire.err('AUTH PLAIN =')
    wire.ok('AUTH PLAIN ' + plain(user))


def test_a_password_that_pass_has_no_room_for(server):
    user = server.user()
    password = 'p' * 1024
    server.write_users({user: '{SHA256}' + b64(hashlib.sha256(password.encode()).digest())})
    with server.wire() as wire:
        wire.err('AUTH PLAIN ' + plain(user, password + 'p'), code='AUTH')
        wire.ok('AUTH PLAIN ' + plain(user, password))


@pytest.mark.parametrize('said', [['AUTH LOGIN'], ['AUTH LOGIN', b64('user0')], ['AUTH PLAIN']])
def test_gone_in_the_middle(server, user, said):
    """Whoever hangs up in an exchange leaves nothing behind: more of them than may be logged in."""
    for _ in range(15):
        with server.wire() as wire:
            for line in said:
                wire.command(line.replace(b64('user0'), b64(user)))
                assert wire.line().startswith(b'+ ')
    with server.wire() as wire:
        wire.login(user, PASSWORD)


def test_no_cancel_without_an_exchange(wire):
    assert wire.err('*') == 'no such command'


# ---- APOP and CRAM-MD5 ----

def apop_digest(wire, password=PASSWORD):
    stamp = re.search(r'<[^<>@ ]+@[^<>@ ]+>', wire.greeting)[0]
    return hashlib.md5((stamp + password).encode()).hexdigest()


def cram(wire, user, password=PASSWORD):
    """The server's last word."""
    wire.command('AUTH CRAM-MD5')
    line = wire.line()
    assert line.startswith(b'+ ')
    challenge = base64.b64decode(line[2:])
    assert re.fullmatch(rb'<[^<>@ ]+@[^<>@ ]+>', challenge)
    digest = hmac.new(password.encode(), challenge, 'md5').hexdigest()
    return wire.reply(b64(f'{user} {digest}'))


def test_apop(apop):
    greetings = set()
    for user in ('kept', 'KEPT@example.org'):
        with apop.wire() as wire:
            greetings.add(wire.greeting)
            wire.ok(f'APOP {user} {apop_digest(wire)}')
            assert wire.stat() == (0, 0)
            wire.quit()
    assert len(greetings) == 2


def test_apop_is_refused(apop):
    with apop.wire() as wire:
        for user, password in (('kept', 'wrong'), ('hashed', PASSWORD), ('nobody', PASSWORD),
                               ('locked', ''), ('locked', '*'), ('kept', PASSWORD + ' ')):
            wire.err(f'APOP {user} {apop_digest(wire, password)}', code='AUTH')
        wire.ok(f'APOP kept {apop_digest(wire)}')


def test_cram_md5(apop):
    with apop.wire() as wire:
        assert 'SASL CRAM-MD5' in wire.multi('CAPA')  # not PLAIN: this isn't TLS
        for user, password in (('kept', 'wrong'), ('hashed', PASSWORD), ('nobody', PASSWORD),
                               ('locked', '*')):
            assert cram(wire, user, password).startswith('-ERR [AUTH]')
        wire.command('AUTH CRAM-MD5')
        assert wire.line().startswith(b'+ ')
        wire.command('*')
        assert 'cancelled' in wire.err()
        assert cram(wire, 'kept').startswith('+OK')


def test_spaces_in_a_kept_password(apop):
    with apop.wire() as wire:
        wire.ok(f'APOP spaces {apop_digest(wire, " a b ")}')
        wire.quit()
    with apop.wire() as wire:
        assert cram(wire, 'spaces', ' a b ').startswith('+OK')


def test_all_mechanisms_in_tls(apop):
    with apop.wire(tls=True) as wire:
        assert ('SASL SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN '
                'CRAM-MD5') in wire.multi('CAPA')
        assert cram(wire, 'kept').startswith('+OK')


def test_without_the_option(server, wire):
    assert '<' not in wire.greeting
    assert 'not offered' in wire.err('APOP user0 ' + '0' * 32)
    assert 'not offered' in wire.err('AUTH CRAM-MD5')


# ---- whose fault it is (RFC 3206) ----

def test_users_that_cannot_be_read(daemon):
    """[AUTH] makes clients forget a password: never for what isn't the client's fault."""
    daemon.login('user0').quit()
    daemon.users.rename(daemon.dir / 'away')
    daemon.login('user0').quit()  # those that were read stay
    daemon.wait_for('the users that were read before stay')
    since = daemon.mark()
    os.kill(daemon.child('auth'), signal.SIGKILL)
    daemon.wait_for('event=child-ready role=auth', since)
    with daemon.wire() as wire:
        for _ in range(2):
            wire.ok('USER user0')
            wire.err(f'PASS {PASSWORD}', code='SYS/TEMP')
            daemon.users.write_text('')  # an editor in the middle of writing
        (daemon.dir / 'away').rename(daemon.users)
        wire.login('user0', PASSWORD)


@pytest.mark.parametrize('role', ['auth', 'storage'])
def test_a_process_that_hangs_and_dies(daemon, role):
    """Who logs in meanwhile is told to come later, and can."""
    os.kill(daemon.child(role), signal.SIGSTOP)
    with daemon.wire() as wire:
        wire.ok('USER user0')
        since = daemon.mark()
        wire.send(f'CAPA\r\nPASS {PASSWORD}\r\n'.encode())
        wire.ok()
        wire.octets()  # is sent when PASS is on its way
        if role == 'storage':
            daemon.wait_for('event=login-verified', since)
        os.kill(daemon.child(role), signal.SIGKILL)
        wire.err(code='SYS/TEMP')
        daemon.wait_for(f'event=child-ready role={role}', since)
        wire.login('user0', PASSWORD)


def test_hashes_that_nobody_can_verify(server, wire):
    """The operator's business: the client's password may be right."""
    user = server.user()
    for secret in ('{ROT13}x', '{ARGON2ID}x', '$y$x', '{SHA256}x'):
        server.write_users({user: secret})
        wire.ok(f'USER {user}')
        reply = wire.reply(f'PASS {PASSWORD}')
        assert reply.startswith('-ERR [SYS/PERM]'), (secret, reply)
