# SPDX-License-Identifier: MIT
"""What an operator sees of the server that runs, and does to its sessions: restantectl status,
sessions, kick and top."""
import fcntl
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import termios

import pytest

from harness import PASSWORD, RESTANTECTL, running, wait_until
from test_users_sqlite import Sqlite
from userdb_checks import daemon_options, try_login
from wire import PATIENCE


@pytest.fixture(scope='module')
def daemon_and_database():
    """One server for all tests here, with its control socket, and a database that can be away."""
    with running() as start:
        made = []

        def options(daemon):
            daemon.control = daemon.dir / 'control'
            made.append(Sqlite(daemon))
            return {'control': daemon.control, **daemon_options(made[0], daemon)}

        yield start(more=options), made[0]


@pytest.fixture
def daemon(daemon_and_database):
    return daemon_and_database[0]


def status(daemon):
    return json.loads(daemon.ctl('status', '--json').stdout)


def sessions(daemon, *args):
    return json.loads(daemon.ctl('sessions', '--json', *args).stdout)


def ctl(daemon, *args):
    """Whatever its exit status is."""
    return subprocess.run([RESTANTECTL, '-c', daemon.conf, *args], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)


def of_user(daemon, user):
    found = sessions(daemon, '--user', user)
    assert len(found) == 1, found
    return found[0]


def test_status_is_true(daemon):
    before = status(daemon)
    user = daemon.user()
    daemon.deliver(user)
    with daemon.wire(user, tls=True) as wire:
        wire.retr(1)
        wire.ok('DELE 1')
        now = status(daemon)
        assert now['sessions']['pop3s'] == 1
        assert now['logged_in'] == 1
        wire.quit()
    with daemon.wire() as wire:
        wire.ok(f'USER {user}')
        wire.err('PASS not-the-passw0rd', code='AUTH')
    daemon.secrets.add('not-the-passw0rd')
    after = status(daemon)
    for names, n in ((('logins', 'ok'), 1), (('logins', 'refused'), 1), (('deliveries', 'ok'), 1),
                     (('retrieved',), 1), (('deleted',), 1), (('connections',), 3)):
        old, new = before, after
        for name in names:
            old, new = old[name], new[name]
        assert new - old == n, names
    version = subprocess.run([RESTANTECTL, '--version'], capture_output=True, text=True,
                             timeout=PATIENCE, check=True).stdout.split()[-1]
    assert after['version'] == version
    assert after['users_away'] is False
    assert 0 < after['certificate_expiry'] - after['started'] <= 2 * 86400 + 60


def test_status_names_the_processes(daemon):
    now = status(daemon)
    roles = sorted(p['role'] for p in now['processes'] if p['state'] == 'running')
    assert roles == ['auth', 'listener', 'listener', 'master', 'monitor', 'signer', 'storage']
    for process in now['processes']:
        assert process['rss_bytes'] > 500000
        os.kill(process['pid'], 0)
    assert [p['pid'] for p in now['processes'] if p['role'] == 'master'] == [daemon.process.pid]


def test_status_for_people(daemon):
    text = daemon.ctl('status').stdout.decode()
    assert re.search(r'^restanted \S+, up \S+, configuration of \d{4}-', text)
    assert re.search(r'^logins +\d+ let in, \d+ wrong, \d+ failed$', text, re.M)
    assert re.search(r'^certificate +until \S+ \S+, [12] days$', text, re.M)
    assert re.search(rf'^ *{daemon.process.pid}  master ', text, re.M)


def test_a_session_is_described(daemon):
    user = daemon.user()
    daemon.deliver(user, *(['Subject: one\r\n\r\ntext\r\n'] * 3))
    with daemon.wire(user, tls=True) as wire:
        wire.retr(1)
        wire.ok('DELE 2')
        session = of_user(daemon, user)
        assert session['protocol'] == 'POP3S'
        assert session['tls'] == 'TLSv1.3'
        assert session['address'] == '127.0.0.1'
        assert session['state'] == 'transaction'
        assert session['command'] == 'DELE'
        assert session['commands'] == 5  # retr() asks for LIST first
        assert (session['messages'], session['deleted'], session['maildrop']) == (3, 1, True)
        assert session['sent_octets'] > 40
        line = [line for line in daemon.ctl('sessions').stdout.decode().splitlines()
                if f' {user} ' in line]
        assert len(line) == 1 and line[0].split()[0] == session['id'] and line[0].endswith(' 1/3')
    # The log calls it the same.
    listener, number = session['id'].split('.')
    assert daemon.wait_for(rf'process=listener-{listener} event=logout session={number} user={user}')


def test_who_is_not_logged_in_is_nobody(daemon):
    """A name that somebody only claims isn't shown as a user's."""
    with daemon.wire() as wire:
        wire.ok('USER somebody')
        found = [s for s in sessions(daemon) if s['command'] == 'USER']
        assert [s['user'] for s in found] == [None]
        assert found[0]['state'] == 'authorization'
        assert found[0]['tls'] is None
        assert sessions(daemon, '--user', 'somebody') == []


def test_lmtp_is_described(daemon):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(daemon.lmtp))
        with client.makefile('rwb') as lines:
            lines.readline()
            found = [s for s in sessions(daemon) if s['protocol'] == 'LMTP']
            assert [(s['state'], s['address']) for s in found] == [('idle', 'unix')]
            for command in (b'LHLO client.example', b'MAIL FROM:<>'):
                lines.write(command + b'\r\n')
                lines.flush()
                while lines.readline()[3:4] == b'-':
                    pass
            found = [s for s in sessions(daemon) if s['protocol'] == 'LMTP']
            assert [s['state'] for s in found] == ['message']


def test_more_than_a_page(daemon):
    """Each session exactly once, over pages and listeners."""
    wait_until(lambda: sessions(daemon) == [], 'none left')
    daemon.reload(max_connections_per_address=0)
    clients = [socket.create_connection(('127.0.0.1', daemon.pop3.number), PATIENCE)
               for _ in range(300)]
    for client in clients:
        assert client.recv(100)
    ids = [s['id'] for s in sessions(daemon)]
    assert len(ids) == len(set(ids)) == 300
    assert len({i.split('.')[0] for i in ids}) == 2
    for client in clients:
        client.close()
    wait_until(lambda: sessions(daemon) == [], 'none left')


def test_kick_deletes_nothing(daemon):
    user = daemon.user()
    daemon.deliver(user)
    with daemon.wire(user) as wire:
        wire.ok('DELE 1')
        session = of_user(daemon, user)
        assert daemon.ctl('kick', session['id']).stdout == b'1 session closed\n'
        assert not wire.more()
    daemon.wait_for(f'event=logout .*user={user} .*reason="ended by the operator".* deleted=0 ')
    assert sessions(daemon, '--user', user) == []
    with daemon.wire(user) as wire:
        assert wire.ok('STAT').split()[0] == '1'
    gone = ctl(daemon, 'kick', session['id'])
    assert gone.returncode == 67
    assert 'there is no session' in gone.stderr


def test_kick_by_user_leaves_others(daemon):
    one, other = daemon.user(), daemon.user()
    with daemon.wire(one) as wire, daemon.wire(other) as stays:
        assert daemon.ctl('kick', '--user', one).stdout == b'1 session closed\n'
        assert daemon.ctl('kick', '--user', one).stdout == b'0 sessions closed\n'
        stays.ok('NOOP')
        assert not wire.more()
    with daemon.wire(one) as wire:
        wire.ok('STAT')


def test_kick_by_the_logs_id_and_by_address(daemon):
    user = daemon.user()
    with daemon.wire(user), daemon.wire():
        session = of_user(daemon, user)
        assert daemon.ctl('kick', session['id'].split('.')[1]).stdout == b'1 session closed\n'
        assert daemon.ctl('kick', '--address', '127.0.0.2').stdout == b'0 sessions closed\n'
        assert daemon.ctl('kick', '--address', '127.0.0.1').stdout == b'1 session closed\n'


@pytest.mark.parametrize('args', [
    ('kick',), ('kick', '1.00'), ('kick', 'x.0123456789abcdef'), ('kick', '--address', 'localhost'),
    ('kick', '1.0123456789abcdef', '--user', 'x'), ('sessions', 'x'), ('status', '--user', 'x'),
    ('top', '--count', '0'), ('top', '--interval', 'x')])
def test_mistakes(daemon, args):
    done = ctl(daemon, *args)
    assert (done.returncode, done.stdout) == (64, '')
    assert done.stderr.startswith(('restantectl: ', 'usage: '))


def test_a_reload_in_between(daemon):
    """Those who ask while the monitor is another one get an answer all the same."""
    user = daemon.user()
    with daemon.wire(user) as wire:
        for _ in range(3):
            since = daemon.mark()
            daemon.signal(signal.SIGHUP)
            assert of_user(daemon, user)['state'] == 'transaction'
            daemon.wait_for('event=reloaded', since)
        # It is with an old listener by now, which is still asked.
        wire.ok('NOOP')
        assert of_user(daemon, user)['command'] == 'NOOP'
        assert 'draining' in [p['state'] for p in status(daemon)['processes']]
        assert daemon.ctl('kick', '--user', user).stdout == b'1 session closed\n'


def test_nobody_else_is_let_in(daemon):
    assert daemon.control.stat().st_mode & 0o777 == 0o600
    if os.geteuid() != 0:
        pytest.skip('needs root, to be somebody else')
    daemon.control.chmod(0o666)
    try:
        done = subprocess.run([RESTANTECTL, '-c', daemon.conf, 'status'], capture_output=True,
                              text=True, timeout=PATIENCE, check=False, user='nobody')
        assert (done.returncode, done.stdout) == (77, '')
        # And who doesn't ask politely.
        done = subprocess.run(['/usr/bin/python3', '-c', 'import socket, sys\n'
                               's = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n'
                               's.connect(sys.argv[1])\n'
                               'assert s.recv(1) == b""', daemon.control], timeout=PATIENCE,
                              check=False, user='nobody')
        assert done.returncode == 0
        daemon.wait_for('event=operator-refused uid=')
    finally:
        daemon.control.chmod(0o600)


def test_what_is_no_question_costs_the_line_alone(daemon):
    for octets in (b'', b'x', b'\0' * 16, os.urandom(300), b'\xff' * 20000):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(PATIENCE)
            client.connect(str(daemon.control))
            client.send(octets)
            try:
                assert client.recv(100) == b''
            except ConnectionResetError:
                pass
    assert status(daemon)['deaths'] == 0


def test_many_operators_wait(daemon):
    """More than there are places: the next one is answered when one of them leaves."""
    lines = []
    for _ in range(12):
        lines.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        lines[-1].connect(str(daemon.control))
    with subprocess.Popen([RESTANTECTL, '-c', daemon.conf, 'status'],
                          stdout=subprocess.DEVNULL) as waiting:
        for line in lines:
            line.close()
        assert waiting.wait(PATIENCE) == 0


def test_databases_that_are_away(daemon_and_database):
    """Shows when a question about a user finds no answer, and no more when one does."""
    daemon, database = daemon_and_database
    assert status(daemon)['users_away'] is False
    with database.away():
        assert try_login(daemon, 'nobody').startswith('-ERR [SYS/TEMP]')
    assert status(daemon)['users_away'] is True
    assert '\nusers        AWAY' in daemon.ctl('status').stdout.decode()
    wait_until(lambda: try_login(daemon, 'nobody').startswith('-ERR [AUTH]'), 'it is back')
    assert status(daemon)['users_away'] is False


def test_not_running(daemon, tmp_path):
    conf = tmp_path / 'conf'
    conf.write_text(re.sub(r'control = ".*"', f'control = "{tmp_path}/none"',
                           daemon.conf.read_text()))
    done = subprocess.run([RESTANTECTL, '-c', conf, 'status'], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (3, '')
    assert 'the server is not running' in done.stderr
    conf.write_text(re.sub(r'control = .*\n', '', daemon.conf.read_text()))
    done = subprocess.run([RESTANTECTL, '-c', conf, 'status'], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    assert done.returncode == 78


def test_the_password_is_nowhere(daemon):
    user = daemon.user()
    with daemon.wire(user):
        assert PASSWORD.encode() not in daemon.ctl('sessions', '--json').stdout


def test_top_elsewhere_is_one_page(daemon):
    """What was done between its two looks, and by whom."""
    user = daemon.user()
    daemon.deliver(user)
    with daemon.wire(user) as wire:
        with subprocess.Popen([RESTANTECTL, '-c', daemon.conf, 'top', '--interval', '1'],
                              stdout=subprocess.PIPE, text=True) as top:
            while top.poll() is None:
                wire.retr(1)
            text = top.stdout.read()
    assert '\033' not in text
    assert len(re.findall('^restanted ', text, re.M)) == 1
    assert float(re.search(r'^RETR +([\d.]+) ', text, re.M)[1]) > 1
    found = re.search(rf'^{user} +1 +([\d.]+) +(\S+) +(\S+)$', text, re.M)
    assert found and float(found[1]) > 2 and found[3] != '0'
    assert re.search(r'^ *\d+  listener +\d+  \w+ +[\d.]+%', text, re.M)


def terminal(daemon, *args):
    """restantectl on a terminal of 60 by 12: the process, and our side of that terminal."""
    ours, its = os.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack('HHHH', 12, 60, 0, 0))
    process = subprocess.Popen([RESTANTECTL, '-c', daemon.conf, *args], stdin=its, stdout=its)
    return process, ours, its


def read_until(fd, octets):
    text = b''
    while octets not in text:
        assert select.select([fd], [], [], PATIENCE)[0], text
        text += os.read(fd, 65536)
    return text


def test_top_on_a_terminal(daemon):
    """Anew each time, no larger than the terminal, and as it was when q ends it."""
    process, ours, its = terminal(daemon, 'top', '--interval', '1')
    try:
        before = termios.tcgetattr(its)[3] | termios.ICANON | termios.ECHO
        text = read_until(ours, b'\033[?25l\033[H\033[2Jrestanted ')
        text += read_until(ours, b'\033[H\033[2Jrestanted ')
        page = text.split(b'\033[H\033[2J')[1].decode()
        assert len(page.splitlines()) <= 11
        assert max(len(line) for line in page.splitlines()) <= 60
        os.write(ours, b'q')
        read_until(ours, b'\033[?25h')
        assert process.wait(PATIENCE) == 0
        assert termios.tcgetattr(its)[3] == before
    finally:
        process.kill()
        process.wait(PATIENCE)
        os.close(ours)
        os.close(its)


def test_top_ends_by_count_and_signal(daemon):
    process, ours, its = terminal(daemon, 'top', '--count', '1')
    assert process.wait(PATIENCE) == 0
    os.close(ours)
    os.close(its)
    process, ours, its = terminal(daemon, 'top')
    read_until(ours, b'restanted ')
    process.send_signal(signal.SIGINT)
    read_until(ours, b'\033[?25h')
    assert process.wait(PATIENCE) == 0
    os.close(ours)
    os.close(its)
