# SPDX-License-Identifier: MIT
"""Application passwords: one for each program, made by us, and taken away one at a time."""
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from harness import PASSWORD, RESTANTECTL, running, wait_until
from scram_client import Scram, b64
from wire import PATIENCE


@pytest.fixture(scope='module')
def server():
    with running() as start:
        daemon = start(max_bad_commands=1000)
        daemon.configure(app_passwords_file=daemon.dir / 'app-passwords')
        assert daemon.stop() == 0
        daemon.start()
        yield daemon


def ctl(server, *args):
    """restantectl, which may fail."""
    return subprocess.run([str(RESTANTECTL), '-c', str(server.conf), *args], capture_output=True,
                          text=True, timeout=PATIENCE, check=False)


def make(server, user, name, *options):
    """A new one, as it is shown."""
    shown = server.ctl('app-password', 'add', user, name, *options).stdout.decode().strip()
    assert re.fullmatch(r'([a-km-np-z2-9]{5}-){3}[a-km-np-z2-9]{5}', shown)
    server.secrets.add(shown)
    return shown


def listed(server, user):
    """{name: {column: value}}"""
    lines = server.ctl('app-password', 'list', user).stdout.decode().splitlines()
    return {line.split('\t')[0]: dict(word.split('=', 1) for word in line.split('\t')[1:])
            for line in lines}


def refused(server, user, password):
    with server.wire(tls=True) as wire:
        wire.ok(f'USER {user}')
        return wire.err(f'PASS {password}', code='AUTH')


def logs_in(server, user, password):
    with server.wire(tls=True) as wire:
        wire.login(user, password)
        wire.quit()


def test_a_life(server):
    """Made, used, listed, revoked; the user's own password and another one go on."""
    user = server.user()
    phone, script = make(server, user, "Al's phone"), make(server, user, 'script')
    assert phone not in (server.dir / 'app-passwords').read_text()
    before = int(time.time())
    for password in (phone, phone.replace('-', ' ').upper(), phone.replace('-', ''), script, PASSWORD):
        logs_in(server, user, password)
    seen = listed(server, user)
    assert set(seen) == {"Al's phone", 'script'}
    for columns in seen.values():
        assert columns['services'] == 'all'
        for column in ('created', 'used'):
            when = time.strptime(columns[column] + '+0000', '%Y-%m-%dT%H:%M:%SZ%z')
            assert abs(time.mktime(when) - time.timezone - before) < 600
    assert 'application passwords: 2\n' in server.ctl('user', 'show', user).stdout.decode()
    assert server.logged(f'event=login-verified .*user={user} .*app_password="Al\'s phone"')
    server.ctl('app-password', 'revoke', user, "Al's phone")
    assert set(listed(server, user)) == {'script'}
    assert refused(server, user, phone) == 'wrong name or password'
    logs_in(server, user, script)
    logs_in(server, user, PASSWORD)


def test_what_is_not_used(server):
    user = server.user()
    make(server, user, 'phone', '--service', 'pop3')
    assert listed(server, user)['phone']['used'] == 'never'
    assert listed(server, user)['phone']['services'] == 'pop3'
    # The slot of a password that was used says nothing of the next one that has it.
    logs_in(server, user, make(server, user, 'old'))
    assert listed(server, user)['old']['used'] != 'never'
    server.ctl('app-password', 'revoke', user, 'old')
    make(server, user, 'new')
    assert listed(server, user)['new']['used'] == 'never'


def test_nobody_elses(server):
    one, two = server.user(), server.user()
    password = make(server, one, 'phone')
    refused(server, two, password)
    refused(server, 'nobody-at-all', password)
    refused(server, one, password[:-1] + ('a' if password[-1] != 'a' else 'b'))
    logs_in(server, one.upper() + '@Example.ORG', password)


def test_for_another_service(server):
    """A program that only sends mail can't read any."""
    user = server.user()
    password = make(server, user, 'phone')
    file = server.dir / 'app-passwords'
    fresh = file.with_suffix('.fresh')
    shutil.copy(file, fresh)
    shutil.copystat(file, fresh)
    if os.geteuid() == 0:
        os.chown(fresh, file.stat().st_uid, file.stat().st_gid)
    fresh.write_text(file.read_text().replace(f'{user}:phone:', f'{user}:phone:smtp'))
    fresh.rename(file)
    refused(server, user, password)
    assert server.logged(f'event=login-failed .*user={user} .*reason=app-password-not-for-pop3')
    assert listed(server, user)['phone']['used'] == 'never'


def test_locked_users_and_removed_ones(server):
    server.add_users('eve', 'mallory')
    eve, mallory = make(server, 'eve', 'phone'), make(server, 'mallory', 'phone')
    server.replace_users(server.users.read_text().replace('eve:', 'eve:!'))
    refused(server, 'eve', eve)
    server.ctl('user', 'remove', 'mallory')
    server.add_users('mallory')
    refused(server, 'mallory', mallory)
    assert listed(server, 'mallory') == {}


@pytest.mark.parametrize('mechanism', ['PLAIN', 'LOGIN'])
@pytest.mark.skipif(shutil.which('curl') is None, reason='no curl')
def test_curl(server, mechanism):
    user = server.user()
    server.deliver(user)
    password = make(server, user, 'curl')
    result = subprocess.run(
        ['curl', '-sS', '--max-time', str(PATIENCE), '--cacert', server.pem.with_suffix('.crt'),
         '-u', f'{user}:{password}', '--login-options', f'AUTH={mechanism}',
         f'pop3s://localhost:{server.pop3s}/1'], capture_output=True, timeout=PATIENCE, check=True)
    assert b'Subject: hello' in result.stdout


def test_not_by_scram(server):
    """As the manual says: it is as wrong as any other password there."""
    user = server.user()
    exchange = Scram('SCRAM-SHA-256', user, make(server, user, 'phone'))
    with server.wire(tls=True) as wire:
        wire.command(b64(exchange.final(exchange.begin(wire)).encode()))
        wire.err(code='AUTH')


def test_a_wrong_one_costs_one_verification(server):
    """However many a user has: passwords that look like one aren't tried against each."""
    server.ctl('user', 'add', 'slow', stdin=PASSWORD.encode())
    for i in range(20):
        make(server, 'slow', f'program {i}')
    pid = server.child('auth')

    def cpu():
        fields = open(f'/proc/{pid}/stat', encoding='ascii').read().rsplit(') ', 1)[1].split()
        return int(fields[11]) + int(fields[12])
    begun = cpu()
    refused(server, 'slow', 'wrong')
    one = cpu() - begun
    begun = cpu()
    refused(server, 'slow', 'abcde-fghij-kmnpq-rstuv')
    assert cpu() - begun <= 4 * one + 10


def test_it_survives_a_restart_of_auth(server):
    user = server.user()
    password = make(server, user, 'phone')
    os.kill(server.child('auth'), signal.SIGTERM)

    def works():
        with server.wire(tls=True) as wire:
            wire.ok(f'USER {user}')
            return wire.reply(f'PASS {password}').startswith('+OK')
    wait_until(works, 'auth is started again')
    assert listed(server, user)['phone']['used'] != 'never'


@pytest.mark.parametrize('args, status, words', [
    (['add', 'user0', 'a:b'], 65, "'a:b': the name has a ':'"),
    (['add', 'user0', ''], 65, 'empty'),
    (['add', 'nobody', 'phone'], 67, "there is no user 'nobody'"),
    (['add', 'user0', 'phone', '--service', 'ftp'], 64, '--service wants: pop3'),
    (['add', 'user0'], 64, 'usage'),
    (['list', 'user0', 'phone'], 64, 'usage'),
    (['list', 'user0', '--service', 'pop3'], 64, 'an option'),
    (['revoke', 'user0', 'toaster'], 67, "'user0' has no application password 'toaster'")])
def test_what_goes_wrong(server, args, status, words):
    make(server, 'user0', f'something {args} {status}'[:60].replace(':', ''))
    result = ctl(server, 'app-password', *args)
    assert result.returncode == status
    assert words in result.stderr and result.stdout == ''


def test_names_are_taken_once(server):
    user = server.user()
    make(server, user, 'phone')
    result = ctl(server, 'app-password', 'add', user, 'phone')
    assert result.returncode == 73 and 'already' in result.stderr
    assert len(listed(server, user)) == 1


def test_without_a_file(make_daemon):
    daemon = make_daemon()
    for args in (['add', 'user1', 'phone'], ['list', 'user1'], ['revoke', 'user1', 'phone']):
        result = ctl(daemon, 'app-password', *args)
        assert result.returncode == 78 and 'no app_passwords_file' in result.stderr
    assert 'application passwords: 0\n' in daemon.ctl('user', 'show', 'user1').stdout.decode()
