# SPDX-License-Identifier: MIT
"""Users of this machine, by PAM: restanted in a mount namespace of its own, with an /etc/passwd, /etc/shadow
and /etc/pam.d that are the test's, and the system's real pam_unix."""
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness import PASSWORD, RESTANTECTL, Daemon, running, wait_until
from userdb_checks import HOSTILE, OTHER, all_at_once, is_let_in, plain, rcpt, try_login
from wire import PATIENCE

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or shutil.which('unshare') is None or shutil.which('setpriv') is None,
                                reason='needs root and a mount namespace')

UNIX = 'auth required pam_unix.so\naccount required pam_unix.so\n'
FIRST_UID = 20000
USERS = ['alice', 'bob', 'slow', 'expired', 'must-change', 'locked', 'empty', 'stays', 'app', 'eve', 'dead', 'frank']
MANY = [f'many{i}' for i in range(30)]
# In a namespace of its own: what it mounts, nobody else sees. And without one of the rights that it may keep, as under
# systemd.
MOUNT = '''for file in passwd shadow pam.d; do mount --bind "$0/$file" "/etc/$file" || exit 99; done
exec setpriv --bounding-set -audit_write "$@"'''


def crypt(password):
    return subprocess.run(['openssl', 'passwd', '-6', '-salt', 'saltsalt', '-stdin'], input=password.encode(),
                          check=True, capture_output=True).stdout.decode().strip()


class Machine:
    """What in /etc says who the users are."""

    def __init__(self, daemon):
        self.etc = daemon.dir / 'etc'
        self.homes = daemon.dir / 'homes'
        self.homes.mkdir()
        shutil.copytree('/etc/pam.d', self.etc / 'pam.d')
        self.service(UNIX)
        self.hash = crypt(PASSWORD)
        passwd, shadow = Path('/etc/passwd').read_text(), ['root:' + self.hash + ':19000:0:99999:7:::']
        aged = {'expired': ('19000', '19001'), 'must-change': ('0', '')}
        for i, name in enumerate(USERS + MANY):
            home = self.homes / name
            home.mkdir(mode=0o700)
            os.chown(home, FIRST_UID + i, FIRST_UID + i)
            passwd += f'{name}:x:{FIRST_UID + i}:{FIRST_UID + i}::{home}:/bin/sh\n'
            changed, expires = aged.get(name, ('19000', ''))
            word = {'locked': '!' + self.hash, 'empty': ''}.get(name, self.hash)
            shadow.append(f'{name}:{word}:{changed}:0:99999:7::{expires}:')
        # A service's user, whose uid is too low; with a password, so that it isn't that what keeps it out.
        passwd += f'service:x:999:999::{self.homes}/bob:/bin/sh\n'
        shadow.append(f'service:{self.hash}:19000:0:99999:7:::')
        (self.etc / 'passwd').write_text(passwd, encoding='ascii')
        (self.etc / 'shadow').touch(mode=0o640)
        (self.etc / 'shadow').write_text('\n'.join(shadow) + '\n', encoding='ascii')

    def service(self, text):
        """What PAM does from now on."""
        (self.etc / 'pam.d' / 'restante').write_text(text, encoding='ascii')

    def script(self, text):
        """The same, with a script in front of pam_unix."""
        path = self.etc / 'script'
        path.write_text('#!/bin/sh\n' + text, encoding='ascii')
        path.chmod(0o755)
        self.service(f'auth required pam_exec.so quiet {path}\n' + UNIX)

    def set_password(self, user, password):
        shadow = self.etc / 'shadow'
        shadow.write_text(re.sub(f'(?m)^{user}:[^:]*', f'{user}:{crypt(password)}', shadow.read_text()))


@pytest.fixture(scope='module')
def machine_and_server():
    with running() as start:
        made = []

        def options(daemon):
            made.append(Machine(daemon))
            daemon.before = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', MOUNT, str(made[0].etc)]
            (daemon.dir / 'apps').touch()
            shutil.chown(daemon.dir / 'apps', group='nogroup')
            (daemon.dir / 'apps').chmod(0o640)
            return {'userdb': ['pam:restante'], 'mail_user': '', 'mail_location': '%h/Maildir', 'apop': True,
                    'pam_processes': 4, 'pam_timeout': 20, 'max_connections_per_user': 0,
                    'app_passwords_file': str(daemon.dir / 'apps')}

        server = start(more=options)
        server.secrets |= {OTHER}
        yield made[0], server


@pytest.fixture
def machine(machine_and_server):
    yield machine_and_server[0]
    machine_and_server[0].service(UNIX)


@pytest.fixture
def server(machine_and_server):
    return machine_and_server[1]


def ctl(server, *words):
    return subprocess.run([*server.before, RESTANTECTL, '-c', server.conf, *words], capture_output=True,
                          timeout=PATIENCE, check=False)


def children(pid):
    return [int(p) for p in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]


def test_passwords(server):
    for user in ('alice', 'Alice', 'alice@example.org'):
        assert is_let_in(server, user), user
    assert plain(server, 'bob').startswith('+OK')
    assert try_login(server, 'bob', '').startswith('-ERR')
    for wrong in ('x', PASSWORD + 'x', PASSWORD[:-1], OTHER):
        assert not is_let_in(server, 'bob', wrong)
    for user in ('nobody', 'root', 'service', 'mail', 'unknown', 'alice@example.net', *HOSTILE[:5]):
        assert not is_let_in(server, user), user
    assert plain(server, 'empty', '').startswith('-ERR')


def test_only_what_works_is_offered(server):
    with server.wire(tls=True) as wire:
        lines = wire.multi('CAPA')
        assert 'SASL PLAIN LOGIN' in lines, lines
        assert wire.reply('AUTH SCRAM-SHA-256').startswith('-ERR')
        assert '<' not in wire.greeting
    assert server.logged('event=config.*apop has no effect')


def test_accounts(server):
    """Right passwords of accounts that may not be used."""
    for user, reason in (('expired', 'account: '), ('must-change', 'account: '), ('locked', None)):
        since = server.mark()
        assert not is_let_in(server, user), user
        if reason:
            server.wait_for(f'event=pam-refused user={user} service=restante reason="?{reason}', since)


def test_mail_belongs_to_the_user(server, machine):
    server.deliver('alice')
    server.deliver('alice+lists')
    assert server.count('alice') == 2
    mails = [path for path in (machine.homes / 'alice' / 'Maildir').rglob('*') if path.is_file()]
    assert mails and {path.stat().st_uid for path in mails} == {FIRST_UID}
    for user in ('root', 'service', 'nobody', 'unknown'):
        assert rcpt(server, f'{user}@example.org') == 550, user
    for name in ['alice@example.net'] + [f'"{name}"@example.org' for name in ('..', 'a/../alice', '*', 'alice:x')]:
        assert rcpt(server, name) == 550, name


def test_a_new_password_and_a_user_who_goes(server, machine):
    assert not is_let_in(server, 'eve', OTHER)
    machine.set_password('eve', OTHER)
    assert is_let_in(server, 'eve', OTHER)
    passwd = machine.etc / 'passwd'
    passwd.write_text(re.sub('(?m)^eve:.*\n', '', passwd.read_text()))
    assert not is_let_in(server, 'eve', OTHER)
    assert rcpt(server, 'eve@example.org') == 550


def test_away(server, machine):
    """A module that says so; and one that isn't there. Who has logged in is remembered."""
    assert is_let_in(server, 'stays')
    for service, words in (('auth required pam_debug.so auth=authinfo_unavail\naccount required pam_unix.so\n',
                            'authentication: Authentication service cannot retrieve'),
                           ('auth required pam_not_there.so\n', 'authentication: Module is unknown')):
        since = server.mark()
        machine.service(service)
        assert try_login(server, 'frank').startswith('-ERR [SYS/TEMP]')
        server.wait_for(f'event=pam-away user=frank service=restante reason="{words}', since)
        assert is_let_in(server, 'stays')
        assert rcpt(server, 'frank@example.org') == 250
    machine.service(UNIX)
    assert is_let_in(server, 'frank')


def test_nobody_waits_for_failures_delay(server, machine):
    """Modules want two seconds and more for each wrong password; ours is auth_failure_delay_ms, 0 here."""
    machine.service('auth optional pam_faildelay.so delay=60000000\n' + UNIX)
    begun = time.monotonic()
    assert not is_let_in(server, 'bob', 'x')
    assert time.monotonic() - begun < 30


def test_what_a_module_hears(server, machine):
    """The user, the service, and where the client is."""
    told = machine.homes / 'told'
    machine.script(f'echo "$PAM_USER $PAM_SERVICE $PAM_RHOST $PAM_TYPE" >{told}\n')
    assert is_let_in(server, 'dead')
    assert told.read_text() == 'dead restante 127.0.0.1 auth\n'


def test_a_module_that_hangs(server, machine):
    """It is ended when its time is over, with all that it has started; meanwhile others log in."""
    server.reload(pam_timeout=3)
    pids = machine.homes / 'pids'
    machine.script(f'[ "$PAM_USER" != slow ] || {{ echo $$ >>{pids}; sleep 1000; }}\n')
    since = server.mark()
    waiting = []
    threads = [threading.Thread(target=lambda: waiting.append(try_login(server, 'slow'))) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) >= 2, 'two of them hang')
    begun = [len(waiting)]
    assert all(reply.startswith('+OK') for reply in all_at_once(lambda user: try_login(server, user), MANY[:6]))
    assert begun[0] < 4
    for thread in threads:
        thread.join(PATIENCE)
    assert [reply[:15] for reply in waiting] == ['-ERR [SYS/TEMP]'] * 4
    server.wait_for('event=pam-away user=slow service=restante reason="no answer in time"', since)
    for pid in pids.read_text().split():
        wait_until(lambda p=pid: not Path(f'/proc/{p}').exists(), 'the script is gone')
    machine.service(UNIX)
    server.reload(pam_timeout=20)
    assert is_let_in(server, 'slow')


def test_processes_that_die(server, machine):
    """The one that asks for a user; the one that forks those; and auth."""
    ready = machine.homes / 'ready'
    machine.script(f'[ "$PAM_USER" != many29 ] || {{ echo >{ready}; sleep 1000; }}\n')
    for victim in ('child', 'pam', 'auth'):
        ready.unlink(missing_ok=True)
        waiting = []
        thread = threading.Thread(target=lambda w=waiting: w.append(try_login(server, 'many29')))
        thread.start()
        wait_until(ready.exists, 'it hangs')
        pam = server.child('pam')
        asking = children(pam)
        assert len(asking) == 1
        os.kill({'child': asking[0], 'pam': pam, 'auth': server.child('auth')}[victim], signal.SIGKILL)
        thread.join(PATIENCE)
        assert waiting[0].startswith('-ERR [SYS/TEMP]'), (victim, waiting)
        wait_until(lambda: try_login(server, 'many28').startswith('+OK'), 'it comes back')
        if victim == 'pam':
            wait_until(lambda a=asking: not Path(f'/proc/{a[0]}').exists(), 'the child has gone with it')
    assert server.logged('event=pam-away user=many29 service=restante reason="its process died"')
    server.log[:] = [line for line in server.log if 'event=child-died' not in line]


def test_many_at_once(server):
    replies = all_at_once(lambda user: try_login(server, user), MANY)
    assert {reply[:3] for reply in replies} == {'+OK'}
    assert {reply[:11] for reply in all_at_once(lambda user: try_login(server, user, 'x'), MANY)} == {'-ERR [AUTH]'}


def test_what_it_may(server):
    """It is root, for /etc/shadow, and can do nothing to the system."""
    status = Path(f'/proc/{server.child("pam")}/status').read_text()
    assert re.search(r'^Seccomp:\t2$', status, re.M) or 'sandbox-off' in '\n'.join(server.log)
    assert re.search(r'^NoNewPrivs:\t1$', status, re.M)
    permitted = int(re.search(r'^CapPrm:\t(\w+)$', status, re.M)[1], 16)
    assert permitted & (1 << 21) == 0  # CAP_SYS_ADMIN


def test_restantectl(server, machine):
    shown = ctl(server, 'user', 'show', 'bob')
    assert shown.returncode == 0 and b'name: bob\n' in shown.stdout, shown
    names = ctl(server, 'user', 'list').stdout.decode().split('\n')
    assert 'bob' in names and 'root' not in names and 'service' not in names
    assert b': OK' in ctl(server, 'config', 'check').stdout
    (machine.etc / 'pam.d' / 'restante').rename(machine.etc / 'pam.d' / 'away')
    missing = ctl(server, 'config', 'check')
    assert missing.returncode != 0 and b'there is no /etc/pam.d/restante' in missing.stderr, missing


def test_an_application_password(server):
    made = ctl(server, 'app-password', 'add', 'app', 'phone')
    assert made.returncode == 0, made
    password = made.stdout.decode().strip()
    server.secrets.add(password)
    assert is_let_in(server, 'app', password)


@pytest.mark.parametrize('spec, words', [
    ('pam:', "a service's name"), ('pam:/etc/pam.d/login', "a service's name"), ('pam:..', "a service's name"),
    ('pam:a/b', "a service's name"), ('pam:' + 'a' * 64, "a service's name"),
    ('pam:restante-not-there', 'pam:restante-not-there: there is no /etc/pam.d/restante-not-there')])
def test_mistakes(spec, words):
    daemon = Daemon()
    daemon.configure(userdb=[spec])
    result = subprocess.run([RESTANTECTL, '-c', daemon.conf, 'config', 'check'], capture_output=True, timeout=PATIENCE,
                            check=False)
    daemon.remove()
    assert result.returncode != 0 and words.encode() in result.stderr, result


def test_beside_other_databases(make_daemon):
    """SCRAM is offered for those who can."""
    daemon = make_daemon(userdb=None)
    daemon.stop()
    daemon.configure(userdb=[f'passwd-file:{daemon.users}', 'pam:login'])
    daemon.start()
    with daemon.wire(tls=True) as wire:
        assert any(line.startswith('SASL SCRAM-SHA-256-PLUS ') for line in wire.multi('CAPA'))
    assert is_let_in(daemon, 'user0')
    assert not is_let_in(daemon, 'nobody')
    assert rcpt(daemon, 'root@example.org') == 550
