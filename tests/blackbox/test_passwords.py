# SPDX-License-Identifier: MIT
"""The file of users: every scheme, domains, files of other servers, changes that count at once."""
import base64
import hashlib
import select
import threading
import time

import pytest

from harness import PASSWORD, running, wait_until
from wire import PATIENCE

SALT = b'some salt'
# PASSWORD, by crypt(3) of libxcrypt.
YESCRYPT = '$y$j75$c0mesalt$K90jvD5l..krfGuq8/wCqxCRVBrOHU3gyNMrwh7dli.'
SHA512_CRYPT = ('$6$rounds=1000$salt$8Ao3U1KxeamE2CkZ3lQeg8GLu6Ugvw6IYn3Io/D5'
                'GCubJp/l.6GVgnBe.u27l3JEy3M7FWx7lfXNnM8JEJ8UO/')
SHA256_CRYPT = '$5$rounds=1000$salt$BIiLqJHyEtMf/6LSmnAZYD9KmTivNMPbYOWboL5HLE9'
BCRYPT = '04$aaaaaaaaaaaaaaaaaaaaaOWhLqBcEvDzHOEOc05gp1uFetjGVZB9S'
# One of Argon2's own test vectors: phc-winner-argon2, src/test.c.
ARGON2ID = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'


def digest(name, salt=b''):
    return hashlib.new(name, PASSWORD.encode() + salt).digest() + salt


def b64(octets):
    return base64.b64encode(octets).decode()


# What passlib, Dovecot, slapd or a shadow file would hold for PASSWORD.
STORED = {
    'plain': '{PLAIN}' + PASSWORD,
    'cleartext': '{CLEARTEXT}' + PASSWORD,
    'plain.b64': '{plain.b64}' + b64(PASSWORD.encode()),
    'ssha': '{SSHA}' + b64(digest('sha1', SALT)),
    'ssha256': '{SSHA256}' + b64(digest('sha256', SALT)),
    'ssha256, small letters, hex': '{ssha256.hex}' + digest('sha256', SALT).hex(),
    'ssha512': '{SSHA512}' + b64(digest('sha512', SALT)),
    'smd5': '{SMD5}' + b64(digest('md5', SALT)),
    'sha': '{SHA}' + b64(digest('sha1')),
    'sha256': '{SHA256}' + b64(digest('sha256')),
    'sha512': '{SHA512}' + b64(digest('sha512')),
    'yescrypt, bare': YESCRYPT,
    'yescrypt': '{CRYPT}' + YESCRYPT,
    'sha512-crypt': '{SHA512-CRYPT}' + SHA512_CRYPT,
    'sha512-crypt, bare': SHA512_CRYPT,
    'sha256-crypt': '{SHA256-CRYPT}' + SHA256_CRYPT,
    'sha256-crypt, bare': SHA256_CRYPT,
    'bcrypt': '{BLF-CRYPT}$2b$' + BCRYPT,
    'bcrypt, bare': '$2b$' + BCRYPT,
    'bcrypt of php': '$2y$' + BCRYPT,
}
@pytest.fixture(scope='module')
def server():
    with running() as start:
        yield start(max_bad_commands=1000, auth_cache_seconds=0)


def is_let_in(server, user, password=PASSWORD):
    with server.wire() as wire:
        wire.ok(f'USER {user}')
        reply = wire.reply(f'PASS {password}')
    assert reply.startswith('+OK') or reply.startswith('-ERR [AUTH]'), reply
    return reply.startswith('+OK')


@pytest.mark.parametrize('scheme', STORED)
def test_schemes(server, scheme):
    server.write_users({'somebody': STORED[scheme]})
    assert is_let_in(server, 'somebody')
    for wrong in (PASSWORD[:-1], PASSWORD + 'x', PASSWORD.upper(), '', 'x', PASSWORD + ' '):
        assert not is_let_in(server, 'somebody', wrong)


def test_argon2(server):
    server.write_users({'somebody': '{ARGON2ID}' + ARGON2ID})
    assert is_let_in(server, 'somebody', 'password')
    assert not is_let_in(server, 'somebody', 'passwore')


@pytest.mark.parametrize('stored', ['', '*', '!', '*LK*', '!!', '!' + STORED['sha256']])
def test_locked(server, stored):
    """No password fits, and mail comes all the same."""
    server.write_users({'somebody': stored, 'user0': '{PLAIN}' + PASSWORD})
    for password in ('', stored, 'x', '*', PASSWORD):
        assert not is_let_in(server, 'somebody', password)
    server.deliver('somebody')
    server.write_users({'somebody': '{PLAIN}' + PASSWORD})
    assert is_let_in(server, 'somebody')


@pytest.mark.parametrize('scheme', ['ARGON2ID', 'CRYPT', 'SHA512-CRYPT', 'BLF-CRYPT', 'SSHA256',
                                    'SSHA', 'PLAIN'])
def test_what_restantectl_makes(server, scheme):
    server.secrets.add('schlüssel ☎ ')
    server.ctl('user', 'add', f'--scheme={scheme}', f'by-{scheme}', stdin='schlüssel ☎ \n'.encode())
    assert is_let_in(server, f'by-{scheme}', 'schlüssel ☎ ')
    assert not is_let_in(server, f'by-{scheme}', 'schlüssel ☎')


def test_a_file_of_another_server(server):
    server.users.write_bytes(b'\xef\xbb\xbf# Dovecot passwd-file\r\n\r\n' + b''.join(
        line.encode() + b'\r\n' for line in (
            f'alice:{STORED["ssha"]}:1000:1000::/home/alice::userdb_quota_rule=*:storage=1G',
            f'bob@example.org:{STORED["bcrypt"]}:::::/bin/sh:userdb_mail=maildir:{server.mail}/b.o.b',
            f'carol@example.net:{STORED["yescrypt"]}::::::allow_nets=127.0.0.1 nodelay=y',
            'not a user',
            ':{PLAIN}x',
            f'Dave:{STORED["sha512-crypt, bare"]}',
            'dave:{PLAIN}second',
            f'"eve":{STORED["plain"]}')))
    for user in ('alice', 'ALICE', 'alice@example.org', 'Alice@Example.ORG', 'bob',
                 'bob@example.org', 'carol@example.net', 'dave', 'DAVE'):
        assert is_let_in(server, user), user
    for user in ('carol', 'carol@example.org', 'alice@example.net', 'bob@', '@example.org',
                 'alice@', 'alice@example.org@example.org', 'not a user', 'b.o.b', 'example.org',
                 'al ice', 'alice x', '*', '../alice', 'alice:x'):
        assert not is_let_in(server, user), user
    assert not is_let_in(server, 'dave', 'second')
    server.deliver('bob')
    assert len(list((server.mail / 'b.o.b' / 'new').iterdir())) == 1


def test_names_and_domains_are_places(make_daemon):
    """The same name in two domains is two maildrops; with and without ours it is one."""
    daemon = make_daemon(mail_location=None)
    daemon.reload(mail_location=f'{daemon.mail}/%d/%n')
    daemon.write_users({name: '{PLAIN}' + PASSWORD for name in
                        ('alice', 'alice@example.net', 'bob@example.org')})
    for name, n in (('alice', 1), ('alice@example.net', 2), ('bob', 3)):
        pop = daemon.login(name)
        pop.quit()
        for i in range(n):
            domain = name.partition('@')[2] or 'example.org'
            path = daemon.mail / domain / name.partition('@')[0] / 'new' / f'{i}.x.host'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b'a: b\n')
            for made in (path, path.parent, path.parent.parent, path.parent.parent.parent):
                daemon.give_to_nobody(made)
    for name, n in (('alice', 1), ('alice@example.org', 1), ('Alice@EXAMPLE.ORG', 1),
                    ('alice@example.net', 2), ('bob', 3), ('bob@example.org', 3)):
        assert daemon.count(name) == n


# ---- changes ----

def test_changed_users_count_at_once(make_daemon):
    """With the cache of right passwords, and within the clock tick of the last look."""
    daemon = make_daemon(max_bad_commands=1000)
    for i in range(30):
        old, new = f'{PASSWORD}-{i}', f'{PASSWORD}-{i + 1}'
        daemon.write_users({'somebody': '{PLAIN}' + old})
        assert is_let_in(daemon, 'somebody', old)
        assert is_let_in(daemon, 'somebody', old)
        daemon.write_users({'somebody': '{PLAIN}' + new})
        assert not is_let_in(daemon, 'somebody', old)
        assert is_let_in(daemon, 'somebody', new)
    daemon.write_users({'somebody': '*'})
    assert not is_let_in(daemon, 'somebody', new)
    daemon.write_users({'another': '{PLAIN}x'})
    assert not is_let_in(daemon, 'somebody', new)


def test_a_life_with_restantectl(daemon):
    """No reload, no restart."""
    daemon.secrets |= {'first-password', 'second-password'}
    daemon.ctl('user', 'add', '--scheme=SSHA512', 'somebody', stdin=b'first-password\n')
    assert is_let_in(daemon, 'somebody', 'first-password')
    daemon.deliver('somebody')
    daemon.ctl('user', 'passwd', '--scheme=SSHA256', 'somebody', stdin=b'second-password\n')
    assert not is_let_in(daemon, 'somebody', 'first-password')
    assert is_let_in(daemon, 'somebody', 'second-password')
    assert daemon.login('somebody', password='second-password').stat()[0] == 1
    daemon.ctl('user', 'remove', 'somebody')
    assert not is_let_in(daemon, 'somebody', 'second-password')
    assert is_let_in(daemon, 'user0')


# ---- time ----

SLOW = '{ARGON2ID}$argon2id$v=19$m=65536,t=%d,p=1$c29tZXNhbHQ$' + 'A' * 43  # fits no password


def seconds(call):
    before = time.monotonic()
    call()
    return time.monotonic() - before


def is_remembered(daemon, user, password=PASSWORD):
    """Logs in. Whether the password was known to be right."""
    since = daemon.mark()
    assert is_let_in(daemon, user, password)
    return daemon.wait_for('event=login-verified', since).endswith('remembered=1')


def test_a_poll_costs_no_argon2(make_daemon):
    daemon = make_daemon()
    daemon.write_users({'somebody': '{ARGON2ID}' + ARGON2ID})
    first = seconds(lambda: is_let_in(daemon, 'somebody', 'password'))
    polls = [seconds(lambda: is_remembered(daemon, 'somebody', 'password')) for _ in range(5)]
    assert min(polls) < first / 3
    assert is_remembered(daemon, 'somebody', 'password')
    # What isn't the password is never remembered, whatever comes first.
    for _ in range(2):
        assert not is_let_in(daemon, 'somebody', 'passwore')
    daemon.reload(auth_cache_seconds=0)
    assert not is_remembered(daemon, 'somebody', 'password')
    assert not is_remembered(daemon, 'somebody', 'password')


def test_memory_of_passwords_ends(make_daemon):
    daemon = make_daemon(auth_cache_seconds=1)
    before = time.monotonic()
    assert not is_remembered(daemon, 'user0')
    wait_until(lambda: not is_remembered(daemon, 'user0'), 'a password that is forgotten')
    assert time.monotonic() - before >= 1


def test_a_name_that_nobody_has_takes_as_long(server):
    """Neither the words nor the time say who exists."""
    server.write_users({'somebody': SLOW % 2, 'locked': '*'})
    times = {user: min(seconds(lambda: is_let_in(server, user)) for _ in range(3))
             for user in ('somebody', 'nobody', 'locked', 'nobody@example.net')}
    assert min(times.values()) * 3 > max(times.values()), times


def test_wrong_passwords_are_answered_late(make_daemon):
    """With the delay, even a scheme that is quick looks like all others; right ones don't wait."""
    daemon = make_daemon(auth_failure_delay_ms=400)
    for user in ('user0', 'nobody'):
        assert seconds(lambda: is_let_in(daemon, user, 'wrong')) >= 0.4
    with daemon.wire() as slow:
        slow.ok('USER user1')
        slow.command('PASS wrong')
        daemon.wait_for('reason=wrong-password')
        assert is_let_in(daemon, 'user1')  # by others meanwhile, also of the same user
        slow.err(code='AUTH')


def test_hashing_stops_nobody_else(make_daemon):
    """While all threads calculate: sessions go on, polls get in, greetings come."""
    daemon = make_daemon(auth_threads=1)
    daemon.write_users({'slow': SLOW % 8, 'user0': '{PLAIN}' + PASSWORD, 'user1': '{PLAIN}' + PASSWORD})
    assert is_let_in(daemon, 'user0')  # and is remembered
    session = daemon.wire('user1')
    attempts = [daemon.wire() for _ in range(4)]
    for wire in attempts:
        wire.ok('USER slow')
    for wire in attempts:
        wire.command(f'PASS {PASSWORD}')
    for _ in range(5):
        session.ok('NOOP')
        assert is_let_in(daemon, 'user0')
        with daemon.wire(tls=True) as wire:
            wire.multi('CAPA')
    # If the last one were answered by now, none of that would have happened meanwhile.
    assert not select.select(attempts[-1:], [], [], 0)[0]
    for wire in attempts:
        wire.err(code='AUTH')


def test_many_at_once_are_all_answered(make_daemon):
    daemon = make_daemon()
    daemon.write_users({f'user{i}': STORED['sha512-crypt'] for i in range(50)})
    results = {}

    def attempt(i):
        results[i] = is_let_in(daemon, f'user{i}', PASSWORD if i % 2 else 'wrong')

    threads = [threading.Thread(target=attempt, args=(i,)) for i in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert results == {i: bool(i % 2) for i in range(50)}
