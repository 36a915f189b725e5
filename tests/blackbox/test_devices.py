# SPDX-License-Identifier: MIT
"""Several devices of one user: each with a view of the mail of its own (user+device), and recent:user."""
import base64
import os
import poplib
import shutil
import subprocess
import time

import pytest

from getmail import GETMAIL
from harness import PASSWORD, RESTANTECTL, running
from scram_client import Scram, b64
from wire import PATIENCE

DAY = 86400


@pytest.fixture(scope='module')
def server():
    with running() as start:
        daemon = start(lambda d: {'app_passwords_file': d.dir / 'app-passwords'},
                       max_bad_commands=1000, apop=True, login_timeout='5m')
        yield daemon


def texts(n, first=1):
    return [f'Subject: {i}\r\n\r\nbody\r\n' for i in range(first, first + n)]


def uidls(pop):
    return [line.split()[1].decode() for line in pop.uidl()[1]]


def seen(server, user, *delete):
    """The UIDLs that a login sees. delete: numbers that it deletes then."""
    pop = server.login(user)
    found = uidls(pop)
    for n in delete:
        pop.dele(n)
    pop.quit()
    return found


def on_disk(server, user):
    return sum(len(list((server.mail / user / folder).iterdir())) for folder in ('new', 'cur'))


def ctl(server, *args):
    """restantectl, which may fail."""
    return subprocess.run([str(RESTANTECTL), '-c', str(server.conf), *args], capture_output=True,
                          text=True, timeout=PATIENCE, check=False)


def devices(server, user):
    """{name: how many it has deleted}, and when each was here is now."""
    found = {}
    for line in server.ctl('device', 'list', user).stdout.decode().splitlines():
        name, when, deleted = line.split('\t')
        at = time.strptime(when + '+0000', '%Y-%m-%d %H:%M%z')
        assert abs(time.mktime(at) - time.timezone - time.time()) < 600
        found[name] = int(deleted)
    return found


def test_each_has_its_own(server):
    """What the phone deletes is there for the laptop, as it was, and leaves when both have had it."""
    user = server.user()
    server.deliver(user, *texts(3))
    before = seen(server, f'{user}+phone')
    assert len(before) == 3
    assert seen(server, f'{user}+laptop') == before
    assert seen(server, f'{user}+phone', 1, 2) == before
    assert seen(server, f'{user}+phone') == before[2:]
    assert seen(server, f'{user.upper()}+Laptop@example.org', 1) == before
    assert on_disk(server, user) == 3
    # The login without a device is one of them, until it is taken off the list.
    assert devices(server, user) == {'-': 0, 'phone': 2, 'laptop': 1}
    assert seen(server, user) == before
    # Then what all the others have deleted is gone at once.
    server.ctl('device', 'forget', user, '-')
    assert on_disk(server, user) == 2
    assert devices(server, user) == {'phone': 1, 'laptop': 0}
    assert seen(server, f'{user}+laptop') == before[1:]
    assert seen(server, f'{user}+laptop', 1, 2) == before[1:]
    assert on_disk(server, user) == 1
    assert seen(server, f'{user}+phone', 1) == before[2:]
    assert on_disk(server, user) == 0
    server.deliver(f'{user}+phone', *texts(1))
    assert len(seen(server, f'{user}+laptop')) == len(seen(server, f'{user}+phone')) == 1
    assert server.logged(f'event=login .*user={user} device=laptop ')


def test_nobody_is_locked_out(server):
    user = server.user()
    server.deliver(user, *texts(2))
    logins = [user, f'{user}+phone', f'{user}+laptop', f'recent:{user}', f'recent:{user}']
    # Before there are views, there is one session: only the first device ever has to wait for it.
    with server.wire(user) as first:
        with server.wire() as wire:
            wire.ok(f'USER {user}+phone')
            assert wire.err(f'PASS {PASSWORD}', code='IN-USE')
        first.quit()
    assert len(seen(server, f'{user}+phone')) == 2
    pops = [server.login(name) for name in logins]
    for name in logins[:3]:
        with server.wire() as wire:
            wire.ok(f'USER {name}')
            assert wire.err(f'PASS {PASSWORD}', code='IN-USE')
    assert server.logged(f'event=login-failed .*user={user} device=phone .*status=in-use')
    for pop in pops:
        assert len(pop.uidl()[1]) == 2
        assert b'Subject: 2' in pop.retr(2)[1]
    pops[1].dele(1)
    pops[1].quit()
    server.deliver(user, *texts(1, first=3))
    assert b'Subject: 1' in pops[2].retr(1)[1]
    pops[2].dele(2)
    for pop in pops[2:] + pops[:1]:
        pop.quit()
    assert [len(seen(server, name)) for name in logins[:4]] == [3, 2, 2, 3]


def test_recent_deletes_nothing(server):
    user = server.user()
    for days in (40, 31, 29):
        then = int(time.time() - days * DAY)
        path = server.store(user, b'Subject: %d days\n\n' % days, f'{then}.M{days}P1.host')
        os.utime(path, (then, then))
    server.deliver(user, *texts(1))
    assert len(seen(server, user)) == 4
    assert len(seen(server, f'{user}+phone', 3)) == 4
    with server.wire() as wire:
        wire.login(f'recent:{user}', PASSWORD)
        assert wire.ok('STAT').split()[0] == '2'
        assert wire.retr(1) == b'Subject: 29 days\r\n\r\n'
        assert wire.ok('DELE 1') == 'message 1 stays here: a login for recent mail deletes nothing'
        # Gone for the session, as any client expects it.
        assert wire.ok('STAT').split()[0] == '1'
        wire.err('RETR 1')
        wire.quit()
    assert len(seen(server, f'Recent:{user}')) == 2
    assert len(seen(server, user)) == 4
    server.wait_for(f'event=login .*user={user} recent_days=30')
    # For one user, and off for another.
    server.ctl('user', 'set', user, 'recent_days=35')
    assert len(seen(server, f'recent:{user}')) == 3
    server.ctl('user', 'set', user, 'recent_days=0')
    with server.wire() as wire:
        wire.ok(f'USER recent:{user}')
        wire.err(f'PASS {PASSWORD}', code='SYS/PERM')


def test_who_is_not_seen_any_more(server):
    """A device that hasn't been here for device_days isn't waited for; nor is one that is forgotten."""
    user = server.user()
    server.deliver(user, *texts(2))
    assert len(seen(server, f'{user}+phone')) == len(seen(server, f'{user}+lost')) == 2
    assert len(seen(server, f'{user}+phone', 1)) == 2
    then = time.time() - 31 * DAY
    for name in ('device.', 'device.lost'):
        os.utime(server.mail / user / 'restante.views' / name, (then, then))
    # The plain login comes again: it is counted. The one that is lost doesn't.
    assert len(seen(server, user, 1)) == 2
    assert len(seen(server, f'{user}+phone')) == 1
    assert on_disk(server, user) == 1
    # And is told so when it comes: what is there is there for it.
    assert len(seen(server, f'{user}+lost')) == 1
    with server.wire() as wire:
        wire.login(f'{user}+lost', PASSWORD)
        held = ctl(server, 'device', 'forget', user, 'lost')
        assert (held.returncode, held.stdout) == (75, '')
        wire.quit()
    assert ctl(server, 'device', 'forget', user, 'Lost').returncode == 0
    assert set(devices(server, user)) == {'-', 'phone'}
    for words, status in ((('forget', user, 'lost'), 67), (('forget', user, 'a/b'), 65),
                          (('list', 'nobody'), 67), (('forget', user), 64)):
        assert ctl(server, 'device', *words).returncode == status
    assert devices(server, server.user()) == {}


def test_a_password_of_a_device(server):
    user = server.user()
    server.deliver(user, *texts(2))
    made = server.ctl('app-password', 'add', '--device', 'Phone', user, 'my phone')
    password = made.stdout.decode().strip()
    server.secrets.add(password)
    assert '\tdevice=phone\t' in server.ctl('app-password', 'list', user).stdout.decode()
    # It is this device, whatever it says.
    for name, left in ((user, 2), (f'{user}+laptop', 1)):
        pop = server.login(name, tls=True, password=password)
        assert pop.stat()[0] == left
        pop.dele(1)
        pop.quit()
    assert server.logged(f'event=login .*user={user} device=phone ')
    assert devices(server, user) == {'-': 0, 'phone': 2}
    assert len(seen(server, f'{user}+phone')) == 0
    assert len(seen(server, user)) == 2
    bad = ctl(server, 'app-password', 'add', '--device', 'a/b', user, 'x')
    assert bad.returncode == 65 and "a device's name" in bad.stderr


def auth(wire, mechanism, name):
    """A login by this mechanism."""
    if mechanism == 'PLAIN':
        wire.ok('AUTH PLAIN ' + b64(f'\0{name}\0{PASSWORD}'.encode()))
        return
    scram = Scram(mechanism, name, PASSWORD)
    wire.command(f'AUTH {mechanism} ' + b64(scram.first().encode()))
    first = base64.b64decode(wire.line()[2:]).decode()
    wire.command(b64(scram.final(first).encode()))
    assert base64.b64decode(wire.line()[2:]).decode() == scram.verifier
    wire.ok('')


def test_every_mechanism(server):
    user = server.user()
    server.deliver(user, *texts(1))
    for mechanism in ('PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256'):
        with server.wire(tls=True) as wire:
            auth(wire, mechanism, f'{user}+{mechanism}')
            assert wire.ok('STAT').startswith('1 ')
            wire.ok('DELE 1')
            wire.quit()
    pop = poplib.POP3('127.0.0.1', server.pop3.number, timeout=PATIENCE)
    pop.apop(f'{user}+apop', PASSWORD)
    pop.dele(1)
    pop.quit()
    assert devices(server, user) == {'-': 0, 'plain': 1, 'scram-sha-1': 1, 'scram-sha-256': 1, 'apop': 1}


def secret_file(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def fetched(folder):
    return len([path for path in folder.glob('*/*') if path.is_file()])


def maildir(top):
    for folder in ('tmp', 'new', 'cur'):
        (top / folder).mkdir(parents=True)
    return top


def start_mpop(server, home, user):
    config = secret_file(home / 'mpoprc', f"""
account a
host 127.0.0.1
port {server.pop3}
user {user}
password {PASSWORD}
auth user
tls off
keep off
delivery maildir {maildir(home / 'mail')}
uidls_file {home / 'uidls'}
""")
    return ['mpop', '--file', config, '--quiet', 'a']


def start_fetchmail(server, home, user):
    to = maildir(home / 'mail')
    mda = home / 'mda'
    mda.write_text(f'#!/bin/sh\nexec cat >"$(mktemp {to}/new/XXXXXXXX)"\n', encoding='ascii')
    mda.chmod(0o700)
    config = secret_file(home / 'fetchmailrc', f"""
set idfile {home}/fetchids
set no bouncemail
poll 127.0.0.1 protocol pop3 port {server.pop3} auth password
  user "{user}" password "{PASSWORD}" fetchall no keep sslproto "" mda {mda}
""")
    return ['fetchmail', '-f', config, '--pidfile', home / 'pid', '--nosyslog', '--silent']


def start_getmail(server, home, user):
    config = secret_file(home / 'getmailrc', f"""
[retriever]
type = SimplePOP3Retriever
server = 127.0.0.1
port = {server.pop3}
username = {user}
password = {PASSWORD}
[destination]
type = Maildir
path = {maildir(home / 'mail')}/
[options]
read_all = false
delete = true
verbose = 0
""")
    return ['/usr/bin/python3', '-c', GETMAIL, '--getmaildir', home, '--rcfile', config]


PROGRAMS = {'mpop': start_mpop, 'fetchmail': start_fetchmail, 'getmail': start_getmail}


def test_programs_at_the_same_time(server, tmp_path):
    """Each is set to delete what it has fetched, and each has all."""
    programs = [name for name in PROGRAMS if shutil.which(name)]
    if len(programs) < 2:
        pytest.skip('no two programs')
    user = server.user()
    server.deliver(user, *texts(40))
    commands = []
    for name in programs:
        home = tmp_path / name
        home.mkdir()
        commands.append((home, PROGRAMS[name](server, home, f'{user}+{name}')))
    for n in (40, 43):
        running_now = [subprocess.Popen(command, env={**os.environ, 'HOME': str(home)},
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
                       for home, command in commands]
        for process in running_now:
            output = process.communicate(timeout=PATIENCE)[0]
            assert process.returncode == 0, output
        assert [fetched(home / 'mail') for home, _ in commands] == [n] * len(programs)
        server.deliver(user, *texts(3, first=n + 1))
    assert devices(server, user) == {'-': 0, **{name: 43 for name in programs}}
    assert on_disk(server, user) == 46
    server.ctl('device', 'forget', user, '-')
    assert [len(seen(server, f'{user}+{name}')) for name in programs] == [3] * len(programs)
    assert on_disk(server, user) == 3
