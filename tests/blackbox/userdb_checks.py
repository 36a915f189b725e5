# SPDX-License-Identifier: MIT
"""What every database of users has to do, whatever it is: each test file of one brings a class that
inherits DatabaseChecks, and two fixtures for it. database is a Database; server a Daemon that asks a
passwd-file first and then the database."""
import base64
import contextlib
import hashlib
import hmac
import re
import subprocess
import threading
import time

import pytest

from harness import PASSWORD, RESTANTECTL, RESTANTED, Daemon, wait_until
from lmtp_client import Lmtp
from scram_client import Scram, keys
from wire import PATIENCE

OTHER = 'another-password-7'
SSHA = '{SSHA}' + base64.b64encode(hashlib.sha1(PASSWORD.encode() + b'salt').digest() + b'salt').decode()
BCRYPT = '{BLF-CRYPT}$2b$04$aaaaaaaaaaaaaaaaaaaaaOWhLqBcEvDzHOEOc05gp1uFetjGVZB9S'  # PASSWORD
# A timeout of one second, the loop's grace, and what a busy machine takes.
SOON = 20

# Names that somebody could hope mean more than themselves.
HOSTILE = ["' OR '1'='1", "'; DROP TABLE users; --", '" OR ""="', '*', '*)(uid=*', ')(|(uid=*', '\\2a',
           '\\', "o'neil", '%', '_____', '$1', ':name', '%u', '%n@%d', 'ada\u0308', '日本', 'a' * 240,
           '{PLAIN}', 'ada)', '(ada', 'uid=ada,dc=example', '-- ', '/**/', 'a\tb', '\x01', '\x7f']
# One that is a user all the same.
ODD = "o'dd*(na\\me)\"%u$1é"

USERS = {
    'ada': {'password': '{PLAIN}' + PASSWORD},
    'bob': {'password': SSHA},
    'cy@example.net': {'password': BCRYPT},
    'dot': {'password': BCRYPT, 'scram_sha_1': keys('SCRAM-SHA-1', PASSWORD),
            'scram_sha_256': keys('SCRAM-SHA-256', PASSWORD)},
    'locked': {},
    'user1': {'password': '{PLAIN}' + OTHER},  # in the file too, which is asked first
    'stays': {'password': SSHA},
    'stays-by-scram': {'password': '{PLAIN}' + PASSWORD},
    'never-seen': {'password': SSHA},
    ODD: {'password': '{PLAIN}' + PASSWORD},
}
MANY = [f'many{i}' for i in range(60)]
USERS.update({name: {'password': '{PLAIN}' + PASSWORD} for name in MANY})


class Database:
    """A server, or a file. spec: as restanted.conf writes it."""

    spec = None

    def put(self, name, columns):
        raise NotImplementedError

    def remove(self, name):
        raise NotImplementedError

    @contextlib.contextmanager
    def away(self):
        """It doesn't answer."""
        raise NotImplementedError
        yield


def need_kind(kind):
    """Skips what needs a database that restanted is built without. ldd(1) can't tell: libcurl links libldap."""
    daemon = Daemon()
    daemon.configure(userdb=[f'{kind}:/nonexistent'])
    result = subprocess.run([RESTANTED, '-t', '-c', daemon.conf], capture_output=True, timeout=PATIENCE, check=False)
    daemon.remove()
    if b'no kind of database that this program was built with' in result.stderr:
        pytest.skip(f'restanted is built without {kind}')


def daemon_options(database, daemon):
    return {'userdb': [f'passwd-file:{daemon.users}', database.spec], 'apop': True,
            'app_passwords_file': daemon.dir / 'app-passwords', 'max_bad_commands': 1000, 'max_connections_per_user': 0}


def try_login(server, user, password=PASSWORD):
    """What PASS is answered."""
    with server.wire() as wire:
        if not wire.reply(f'USER {user}').startswith('+OK'):
            return '-ERR [AUTH] refused by the protocol'
        return wire.reply(f'PASS {password}')


def is_let_in(server, user, password=PASSWORD):
    reply = try_login(server, user, password)
    assert reply.startswith(('+OK', '-ERR [AUTH]')), reply
    return reply.startswith('+OK')


def plain(server, user, password=PASSWORD):
    with server.wire() as wire:
        return wire.reply('AUTH PLAIN ' + base64.b64encode(f'\0{user}\0{password}'.encode()).decode())


def rcpt(server, address):
    with Lmtp(server.lmtp) as client:
        client.hello()
        client.say('MAIL FROM:<sender@example.net>')
        return client.say(f'RCPT TO:<{address}>').code


def all_at_once(work, items):
    """work(item) in a thread for each. All results, in order."""
    results = {}
    threads = [threading.Thread(target=lambda i=i: results.update({i: work(i)})) for i in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return [results.get(i) for i in items]


class DatabaseChecks:
    """A class of it has the fixtures database and server."""

    secrets_are_kept = True  # False: the database verifies passwords and says nothing of them
    can_list = True
    new_password_counts_at_once = True

    # ---- it answers ----

    @pytest.mark.parametrize('user', ['ada', 'bob', 'cy@example.net', 'dot', 'ADA', 'ada@example.org',
                                      'Ada@EXAMPLE.org'])
    def test_password(self, server, user):
        assert is_let_in(server, user)
        assert plain(server, user).startswith('+OK')
        for wrong in ('', 'x', PASSWORD + 'x', PASSWORD[:-1], OTHER):
            assert not is_let_in(server, user, wrong), wrong

    def test_no_user(self, server):
        """And in the same words as for a wrong password."""
        replies = {try_login(server, user, 'x') for user in
                   ('nobody', 'ada', 'ada@example.net', 'cy', 'locked', 'cy@example.org')}
        assert len(replies) == 1
        assert replies.pop().startswith('-ERR [AUTH]')
        for password in ('', '*', 'x', PASSWORD):
            assert not is_let_in(server, 'locked', password)

    @pytest.mark.parametrize('mechanism', ['SCRAM-SHA-256', 'SCRAM-SHA-1'])
    def test_scram(self, server, mechanism):
        for user in ('ada', 'dot'):
            with server.wire(tls=True) as wire:
                if self.secrets_are_kept:
                    Scram(mechanism, user, PASSWORD).login(wire)
        for user in ('bob', 'nobody'):
            with server.wire(tls=True) as wire:
                exchange = Scram(mechanism, user, PASSWORD)
                final = exchange.final(exchange.begin(wire))
                wire.command(base64.b64encode(final.encode()).decode())
                wire.err(code='AUTH')

    def test_cram_md5_and_apop(self, server):
        for user, good in (('ada', self.secrets_are_kept), ('bob', False), ('nobody', False)):
            with server.wire() as wire:
                wire.command('AUTH CRAM-MD5')
                challenge = base64.b64decode(wire.line()[2:])
                digest = hmac.new(PASSWORD.encode(), challenge, 'md5').hexdigest()
                reply = wire.reply(base64.b64encode(f'{user} {digest}'.encode()).decode())
                assert reply.startswith('+OK') == good
            with server.wire() as wire:
                stamp = re.search('<[^>]*>', wire.greeting)[0]
                digest = hashlib.md5((stamp + PASSWORD).encode()).hexdigest()
                assert wire.reply(f'APOP {user} {digest}').startswith('+OK') == good

    def test_order(self, server):
        """The file comes first: what it knows, the database isn't asked for."""
        assert is_let_in(server, 'user1', PASSWORD)
        assert not is_let_in(server, 'user1', OTHER)
        assert is_let_in(server, 'user2')
        assert is_let_in(server, 'ada')

    def test_changes_count_at_once(self, server, database):
        assert not is_let_in(server, 'eve')
        database.put('eve', {'password': '{PLAIN}' + PASSWORD})
        assert is_let_in(server, 'eve')
        database.put('eve', {'password': '{PLAIN}' + OTHER})
        assert is_let_in(server, 'eve', OTHER)
        if self.new_password_counts_at_once:
            assert not is_let_in(server, 'eve')
        database.remove('eve')
        assert not is_let_in(server, 'eve', OTHER)

    @pytest.mark.parametrize('name', HOSTILE)
    def test_hostile_names(self, server, name):
        assert not is_let_in(server, name)
        assert not is_let_in(server, name, '')
        assert plain(server, name).startswith('-ERR')

    def test_hostile_names_are_no_recipients(self, server):
        for name in HOSTILE:
            quoted = '"' + name.replace('\\', '\\\\').replace('"', '\\"') + '"'
            assert rcpt(server, f'{quoted}@example.org') in (501, 550, 553), name

    def test_an_odd_name(self, server):
        assert plain(server, ODD).startswith('+OK')
        assert plain(server, ODD, OTHER).startswith('-ERR [AUTH]')

    def test_mail(self, server):
        server.deliver('ada')
        server.deliver('ada+lists')
        server.deliver('locked')
        assert server.count('ada') == 2
        assert rcpt(server, 'nobody@example.org') == 550
        assert rcpt(server, 'ada@example.com') == 550
        assert rcpt(server, 'cy@example.net') == 250

    def test_many_at_once(self, server):
        assert set(reply[:3] for reply in all_at_once(lambda user: try_login(server, user), MANY)) \
            == {'+OK'}
        codes = all_at_once(lambda user: rcpt(server, user + '@example.org'), MANY)
        assert set(codes) == {250}

    # ---- restantectl ----

    def test_restantectl(self, server):
        assert b': OK' in server.ctl('config', 'check').stdout
        shown = server.ctl('user', 'show', 'Ada@example.org').stdout.decode()
        assert re.search('^name: ada$', shown, re.M) and PASSWORD not in shown
        if self.can_list:
            names = server.ctl('user', 'list').stdout.decode().split('\n')
            assert {'ada', 'bob', 'cy@example.net', 'user0', 'user199'} <= set(names)

    def test_an_application_password(self, server, database):
        """Which its user's database knows nothing of; it can be taken away when the user has gone from there."""
        database.put('phoned', {'password': '{PLAIN}' + PASSWORD})
        shown = server.ctl('app-password', 'add', 'Phoned@example.org', 'phone').stdout.decode().strip()
        server.secrets.add(shown)
        assert is_let_in(server, 'phoned', shown)
        assert 'application passwords: 1\n' in server.ctl('user', 'show', 'phoned').stdout.decode()
        database.remove('phoned')
        assert not is_let_in(server, 'phoned', shown)
        server.ctl('app-password', 'revoke', 'phoned', 'phone')

    @pytest.mark.parametrize('command', ['passwd', 'remove', 'set'])
    def test_it_is_not_ours_to_change(self, server, command):
        words = ['quota_messages=1'] if command == 'set' else []
        result = subprocess.run([RESTANTECTL, '-c', server.conf, 'user', command, 'ada', *words], capture_output=True,
                                timeout=PATIENCE, check=False)
        assert result.returncode == 67
        assert f"no user 'ada' in '{server.users}': users of another database".encode() in result.stderr

    # ---- it doesn't ----

    def test_away(self, server, database):
        """Nobody is told that a password is wrong, no mail is sent back, and others notice nothing."""
        assert is_let_in(server, 'stays')
        if self.secrets_are_kept:
            with server.wire(tls=True) as wire:
                Scram('SCRAM-SHA-256', 'stays-by-scram', PASSWORD).login(wire)
        with database.away():
            begun = time.monotonic()
            first = threading.Thread(target=try_login, args=(server, 'never-seen'))
            first.start()
            assert is_let_in(server, 'user2')  # of the file, while the other one waits
            assert try_login(server, 'never-seen').startswith('-ERR [SYS/TEMP]')
            first.join()
            for user, password in (('never-seen', PASSWORD), ('never-seen', 'x'), ('nobody', 'x'),
                                   ('stays', 'x'), ('stays', OTHER)):
                assert try_login(server, user, password).startswith('-ERR [SYS/TEMP]'), user
            assert rcpt(server, 'ada@example.org') == 451
            assert rcpt(server, 'nobody@example.org') == 451
            assert rcpt(server, 'user3@example.org') == 250
            # Whoever logged in a while ago is known.
            assert is_let_in(server, 'stays')
            assert is_let_in(server, 'Stays')
            if self.secrets_are_kept:
                with server.wire(tls=True) as wire:
                    Scram('SCRAM-SHA-256', 'stays-by-scram', PASSWORD).login(wire)
            assert time.monotonic() - begun < SOON
        wait_until(lambda: try_login(server, 'nobody').startswith('-ERR [AUTH]'), 'it comes back')
        assert is_let_in(server, 'never-seen')
        assert not is_let_in(server, 'stays', 'x')
        assert rcpt(server, 'nobody@example.org') == 550

    def test_many_while_it_is_away(self, server, database):
        with database.away():
            begun = time.monotonic()
            replies = all_at_once(lambda user: try_login(server, user, 'x'), MANY)
            assert {reply.split(']')[0] for reply in replies} == {'-ERR [SYS/TEMP'}
            assert time.monotonic() - begun < SOON
            assert is_let_in(server, 'user2')
        wait_until(lambda: try_login(server, 'nobody').startswith('-ERR [AUTH]'), 'it comes back')

    def test_reload_while_somebody_waits(self, server, database):
        """The question goes on where it was asked, and later ones go to the new connection."""
        with database.away():
            waiting = []
            thread = threading.Thread(target=lambda: waiting.append(try_login(server, 'never-seen', 'x')))
            thread.start()
            server.reload()
            assert is_let_in(server, 'user2')
            thread.join()
        assert waiting[0].startswith(('-ERR [SYS/TEMP]', '-ERR [AUTH]'))
        wait_until(lambda: try_login(server, 'nobody').startswith('-ERR [AUTH]'), 'it comes back')
