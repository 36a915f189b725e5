# SPDX-License-Identifier: MIT
"""restanted under a service manager: this file is it, and speaks systemd's protocols."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from harness import BUILD, PASSWORD, RESTANTED, ROOT, Daemon, wait_until
from wire import PATIENCE, Wire

# Gives itself descriptors 3 and on, and its own process id, as a service manager does.
ACTIVATE = '''
import fcntl, os, sys
n = int(sys.argv[1])
far = [fcntl.fcntl(int(fd), fcntl.F_DUPFD_CLOEXEC, 100) for fd in sys.argv[2:2 + n]]
for i, fd in enumerate(far):
    os.dup2(fd, 3 + i)
os.environ['LISTEN_PID'] = str(os.getpid())
os.environ['LISTEN_FDS'] = str(n)
os.execv(sys.argv[2 + n], sys.argv[2 + n:])
'''

# /dev as this server alone sees it: with our socket where syslogd's would be.
OWN_DEV = '''
cd "$1" && shift
for f in null zero random urandom; do : >$f && mount --bind /dev/$f $f; done
mount --rbind . /dev
exec "$@"
'''


class Manager:
    """Where a service says how it is."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(PATIENCE)

    def hear(self):
        """One message: {name: value}."""
        return dict(line.split('=', 1) for line in self.socket.recv(4096).decode().split('\n'))

    def await_(self, name):
        while name not in (words := self.hear()):
            pass
        return words

    def forget(self):
        """All that has been said so far."""
        self.socket.setblocking(False)
        said = []
        with contextlib.suppress(BlockingIOError):
            while True:
                said.append(self.hear())
        self.socket.settimeout(PATIENCE)
        return said


@pytest.fixture
def service():
    """service(env): a server that is not started yet, and its manager."""
    daemons = []

    def make(**env):
        daemon = Daemon()
        daemons.append(daemon)
        manager = Manager(daemon.dir / 'notify')
        daemon.env = {'NOTIFY_SOCKET': str(manager.path), **env}
        return daemon, manager

    yield make
    for daemon in daemons:
        if daemon.process is not None:
            assert daemon.stop() == 0
        daemon.remove()


def test_notifications(service):
    daemon, manager = service()
    daemon.start()
    ready = manager.hear()
    assert ready['READY'] == '1' and 'listeners' in ready['STATUS']
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    daemon.signal(signal.SIGHUP)
    reloading = manager.hear()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert reloading['RELOADING'] == '1'
    assert before - 1000 <= int(reloading['MONOTONIC_USEC']) <= after
    assert manager.hear()['READY'] == '1'
    daemon.configure(idle_timeout='soon')
    daemon.signal(signal.SIGHUP)
    assert 'RELOADING' in manager.hear()
    failed = manager.hear()
    assert failed['READY'] == '1' and 'idle_timeout' in failed['STATUS']
    daemon.signal(signal.SIGTERM)
    stopping = manager.hear()
    assert stopping['STOPPING'] == '1' and int(stopping['EXTEND_TIMEOUT_USEC']) > 30_000_000


def test_the_watchdog_hears_the_children(service):
    """As long as all of them live; one that hangs is killed, and its successor is heard."""
    daemon, manager = service(WATCHDOG_USEC='900000')
    daemon.start()
    for _ in range(3):
        manager.await_('WATCHDOG')
    for role in ('storage', 'auth', 'listener'):
        pid = daemon.child(role)
        since = daemon.mark()
        os.kill(pid, signal.SIGSTOP)
        manager.forget()
        daemon.wait_for(f'event=child-hangs role={role} .*pid={pid}', since)
        # One may still follow from what was answered before, and none from silence.
        assert len(manager.forget()) <= 1
        daemon.wait_for(f'event=child-ready role={role}', since)
        manager.await_('WATCHDOG')
    assert daemon.count('user0') == 0


def test_another_ones_watchdog(service):
    daemon, manager = service(WATCHDOG_USEC='300000', WATCHDOG_PID='1')
    daemon.start()
    daemon.reload()
    daemon.signal(signal.SIGTERM)
    heard = []
    while 'STOPPING' not in heard:
        heard += manager.hear()
    assert 'WATCHDOG' not in heard


def give(daemon, sockets, names):
    """The server gets these sockets from its manager."""
    daemon.fds = tuple(s.fileno() for s in sockets)
    daemon.env['LISTEN_FDNAMES'] = ':'.join(names)
    daemon.before = [sys.executable, '-c', ACTIVATE, str(len(sockets)),
                     *(str(fd) for fd in daemon.fds)]


def listening(address=('127.0.0.1', 0)):
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    s = socket.socket(family)
    s.bind(address)
    s.listen()
    return s


def test_socket_activation(service):
    """One that the configuration names, two by their names; they outlive a reload and the server."""
    daemon, _ = service()
    path = str(daemon.dir / 'given')
    named, other, lmtp = listening(), listening(), listening(path)
    daemon.configure(pop3_listen=[f'127.0.0.1:{named.getsockname()[1]}'])
    give(daemon, [named, other, lmtp], ['restanted.socket', 'pop3s', 'lmtp'])
    daemon.start()
    for _ in range(2):
        with Wire(named.getsockname()) as wire:
            wire.ok()
        with Wire(other.getsockname(), daemon.context()) as wire:
            wire.ok()
            wire.ok('USER user0')
            wire.ok(f'PASS {PASSWORD}')
            wire.quit()
        with Wire(path) as wire:
            assert wire.line().startswith(b'220 ')
        daemon.reload()
    assert daemon.stop() == 0
    assert os.path.exists(path)
    Wire(named.getsockname()).close()  # somebody listens still


@pytest.mark.parametrize('what', ['a name', 'no socket', 'too many'])
def test_sockets_that_nobody_can_use(service, what):
    daemon, _ = service()
    sockets = [socket.socket()] if what == 'no socket' else [listening()]
    give(daemon, sockets, ['frobnicate'])
    if what == 'too many':
        daemon.before[3] = '17'
        daemon.before[4:] = [str(sockets[0].fileno())] * 17
    daemon.spawn()
    line = daemon.wait_for('event=start-failed')
    words = {'a name': 'nor called pop3', 'no socket': 'no socket to listen on',
             'too many': 'more than 16 sockets'}
    assert words[what] in line
    assert daemon.process.wait(PATIENCE) == 1
    daemon.process = None


def may_have_mounts():
    return os.geteuid() == 0 and subprocess.run(
        ['unshare', '-m', 'true'], stderr=subprocess.DEVNULL, check=False).returncode == 0


@pytest.mark.skipif(not may_have_mounts(), reason='no mounts of its own')
def test_syslog(service):
    """All processes are restanted there, and say in the line who they are."""
    daemon, _ = service()
    daemon.configure(log_target='syslog')
    dev = daemon.dir / 'dev'
    dev.mkdir()
    log = Manager(dev / 'log')
    log.path.chmod(0o666)
    daemon.before = ['unshare', '-m', 'sh', '-c', OWN_DEV, 'sh', str(dev)]
    lines = []

    def hear():
        with contextlib.suppress(TimeoutError):
            while True:
                lines.append(log.socket.recv(4096).decode())

    threading.Thread(target=hear, daemon=True).start()
    daemon.spawn()
    wait_until(lambda: any('event=ready' in line for line in lines), 'ready')
    daemon.count('user0')
    for process in ('master', 'auth', 'listener-'):
        wait_until(lambda p=process: any(f'process={p}' in line for line in lines), process)
    assert {re.match(r'<\d+>\w+ +\d+ [\d:]+ ([^:]*)\[\d+\]: ', line)[1]
            for line in lines} == {'restanted'}


# ---- the units ----

@pytest.mark.skipif(shutil.which('systemd-analyze') is None, reason='no systemd-analyze')
def test_the_unit_gives_up_what_it_does_not_need():
    """By systemd's own count of what is left to a service: from 0 (nothing) to 10."""
    unit = BUILD / 'packaging/restanted.service'
    result = subprocess.run(['systemd-analyze', 'security', '--offline=true', '--no-pager',
                             '--threshold=35', str(unit)], capture_output=True, text=True,
                            timeout=PATIENCE, check=False)
    if 'Unknown' in result.stderr and 'offline' in result.stderr:
        pytest.skip('an old systemd-analyze')
    assert result.returncode == 0, result.stdout[-200:]


@pytest.mark.skipif(shutil.which('systemd-analyze') is None, reason='no systemd-analyze')
def test_systemd_knows_every_word_of_the_units(tmp_path):
    unit = (BUILD / 'packaging/restanted.service').read_text()
    program = re.search('^ExecStart=(.*)$', unit, re.M)[1]
    (tmp_path / 'restanted.service').write_text(
        unit.replace(program, str(RESTANTED)).replace('Documentation=', '#'))
    socket_unit = (ROOT / 'packaging/systemd/restanted.socket').read_text()
    (tmp_path / 'restanted.socket').write_text(socket_unit.replace('Documentation=', '#'))
    result = subprocess.run(['systemd-analyze', 'verify', '--man=no',
                             str(tmp_path / 'restanted.service'), str(tmp_path / 'restanted.socket')],
                            capture_output=True, text=True, timeout=PATIENCE, check=False)
    said = [line for line in result.stderr.splitlines() if 'restanted' in line]
    assert said == []
