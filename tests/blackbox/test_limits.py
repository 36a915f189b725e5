# SPDX-License-Identifier: MIT
"""Every limit, small enough to be met: who is stopped, when, and that nobody else notices."""
import os
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import PASSWORD, SANITIZED
from wire import PATIENCE, Wire


def refused(port, source=None):
    """Connects. What is said to somebody who may not, or '' for who may."""
    with socket.create_connection(('127.0.0.1', port.number), PATIENCE,
                                  source_address=source and (source, 0)) as s:
        heard = b''
        while b'\n' not in heard:
            got = s.recv(1000)
            if not got:
                return heard.decode() or 'closed'
            heard += got
        return '' if heard.startswith(b'+OK') else heard.decode()


BUSY = '-ERR [SYS/TEMP] too many connections\r\n'


def until(call, value):
    """A connection that was closed is not counted any more as soon as the server has noticed."""
    deadline = time.monotonic() + PATIENCE
    while call() != value:
        assert time.monotonic() < deadline, call()


# ---- how many ----

def test_connections_in_all(make_daemon):
    daemon = make_daemon(listeners=1, max_connections=5)
    wires = [daemon.wire() for _ in range(3)] + [daemon.wire('user0')]
    lmtp = Wire(daemon.lmtp)
    assert lmtp.line().startswith(b'220')
    for _ in range(20):
        assert refused(daemon.pop3) == BUSY
        assert refused(daemon.pop3s) == 'closed'  # before a handshake there is nothing to say
    wires[3].ok('NOOP')
    daemon.wait_for('event=too-many-connections limit=max_connections')
    wires[0].quit()
    until(lambda: refused(daemon.pop3), '')
    lmtp.close()
    until(lambda: refused(daemon.pop3), '')


def test_connections_of_an_address(make_daemon):
    """127.0.0.2 is somebody else; and an MTA may have as many as it wants."""
    daemon = make_daemon(listeners=1, max_connections_per_address=3)
    wires = [daemon.wire(), daemon.wire(tls=True), daemon.wire('user0')]
    assert refused(daemon.pop3) == BUSY
    assert refused(daemon.pop3s) == 'closed'
    assert refused(daemon.pop3, '127.0.0.2') == ''
    daemon.wait_for('event=too-many-connections limit=max_connections_per_address')
    lmtp = [Wire(daemon.lmtp) for _ in range(6)]
    assert all(wire.line().startswith(b'220') for wire in lmtp)
    wires[1].reset()
    for _ in range(5):  # who was let in and left is not counted
        until(lambda: refused(daemon.pop3), '')


def test_no_limit_by_address(make_daemon):
    daemon = make_daemon(max_connections_per_address=0)
    wires = [daemon.wire() for _ in range(150)]
    assert refused(daemon.pop3) == ''
    for wire in wires:
        wire.close()


def test_sessions_of_a_user(make_daemon):
    """However the name is written, and from every listener."""
    daemon = make_daemon(listeners=4, max_connections_per_user=1)
    first = daemon.wire('user0')
    for name in ('user0', 'USER0', 'user0@example.org'):
        with daemon.wire() as wire:
            wire.ok(f'USER {name}')
            assert 'too many' in wire.err(f'PASS {PASSWORD}', code='SYS/TEMP')
            wire.login('user1', PASSWORD)
            wire.quit()
    first.quit()
    daemon.wire('user0').quit()


def test_guesses_at_one_name(make_daemon):
    """Not more at a time than sessions: nobody fills the queue of passwords with one name."""
    daemon = make_daemon(max_connections_per_user=2, auth_threads=1)
    slow = '{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$' + 'A' * 43
    daemon.write_users({'slow': slow})
    wires = [daemon.wire() for _ in range(6)]
    for wire in wires:
        wire.ok('USER slow')
    for wire in wires:
        wire.command('PASS x')
    replies = [wire.reply() for wire in wires]
    assert 'too many' in ''.join(replies)
    assert all('[AUTH]' in reply or '[SYS/TEMP] too many' in reply for reply in replies)
    with daemon.wire() as wire:
        wire.ok('USER slow')
        wire.err('PASS x', code='AUTH')


# ---- how long ----

class Client(threading.Thread):
    """Does something on a connection until the server ends it, and looks at the clock then."""

    def __init__(self, wire, what):
        super().__init__()
        self.wire, self.what = wire, what
        self.heard = b''
        self.ended = None
        self.start()

    def run(self):
        try:
            self.what(self.wire)
        except OSError:
            pass
        self.wire.socket.settimeout(PATIENCE)
        self.heard += self.wire.rest()
        self.ended = time.monotonic()


def say(octets, pause=0.1, times=600):
    def what(wire):
        for _ in range(times):
            if octets:
                wire.send(octets)
            wire.socket.settimeout(pause)
            try:
                if not wire.more():
                    return
            except TimeoutError:
                pass
    return what


def test_who_is_silent_or_slow(make_daemon):
    """A second in all before login, whatever a client does; a second of silence after it."""
    daemon = make_daemon(login_timeout=1, idle_timeout=1, max_bad_commands=1000)
    daemon.deliver('user0')
    daemon.deliver('user1')
    raw = ('127.0.0.1', daemon.pop3s.number)
    since = time.monotonic()
    half = Wire(raw)
    half.send(b'\x16\3\1\2\0\1\0\1\xfc\3\3')  # a ClientHello that never ends
    marks = daemon.wire('user0')
    marks.ok('DELE 1')
    clients = {
        'silent': Client(daemon.wire(), say(b'')),
        'octet by octet': Client(daemon.wire(), say(b'U')),
        'commands and no login': Client(daemon.wire(), say(b'USER user0\r\n')),
        'in TLS': Client(daemon.wire(tls=True), say(b'CAPA\r\n')),
        'no handshake': Client(Wire(raw), say(b'')),
        'half a handshake': Client(half, say(b'\0')),
        'an exchange': Client(daemon.wire(), lambda wire: wire.send(b'AUTH PLAIN\r\n')),
        'after login': Client(marks, say(b'')),
        'octets after login': Client(daemon.wire('user1'), say(b'N')),
    }
    busy = daemon.wire('user2')
    for _ in range(20):
        busy.ok('NOOP')
        time.sleep(0.1)  # half of the limit that silence has, and twice as long in all
    busy.quit()
    for name, client in clients.items():
        client.join(PATIENCE)
        assert client.ended is not None and client.ended - since >= 0.9, name
    # RFC 1939 section 3: without UPDATE and without a word.
    assert clients['after login'].heard == b''
    assert clients['octets after login'].heard == b''
    assert {user: daemon.count(user) for user in ('user0', 'user1')} == {'user0': 1, 'user1': 1}
    assert len(daemon.logged('event=timeout .*timeout=login')) == 7
    assert len(daemon.logged('event=timeout .*timeout=idle')) == 2


def test_who_does_not_read(make_daemon):
    """Stopped after a second, and meanwhile nobody waits."""
    daemon = make_daemon(listeners=1, write_timeout=1)
    for user in ('user0', 'user1'):
        daemon.store(user, b'line of a message\n' * 400_000, '1.x.host')
    deaf = [daemon.wire('user0'), daemon.wire('user1', tls=True)]
    for wire in deaf:
        wire.send(b'RETR 1\r\nDELE 1\r\n' * 30)
    while len(daemon.logged('event=timeout .*timeout=write')) < 2:
        daemon.login('user3').quit()
        time.sleep(0.05)
    for wire in deaf:
        assert b'message 1 deleted' not in wire.rest()
    assert [daemon.count(user) for user in ('user0', 'user1')] == [1, 1]


def test_who_reads_slowly(make_daemon):
    """May go on as long as it takes: also when the kernel has all of it, and the server nothing to do."""
    daemon = make_daemon(write_timeout=2, idle_timeout=2)
    wires = []
    for i, lines in enumerate((400_000, 70_000, 400_000, 70_000)):
        daemon.store(f'user{i}', b'line of a message\n' * lines, '1.x.host')
        wires.append(daemon.wire(f'user{i}', tls=i > 1, window=32768, at_once=20000))
        wires[-1].send(b'RETR 1\r\n')
    since = time.monotonic()
    while time.monotonic() - since < 5:
        for wire in wires:
            assert wire.more()
            wire.buffer = b''
        time.sleep(0.1)
    assert daemon.logged('event=timeout') == []
    for wire in wires:
        wire.at_once = 1 << 20
        wire.send(b'DELE 1\r\nQUIT\r\n')
    # All at once: nobody's turn may come too late.
    with ThreadPoolExecutor() as pool:
        for rest in pool.map(Wire.rest, wires):
            assert rest.endswith(b'\r\n.\r\n+OK message 1 deleted\r\n+OK good bye\r\n')


# ---- how much ----

def peak(pid, what='VmHWM'):
    """KiB that a process has had at most."""
    return int(re.search(rf'{what}:\s+(\d+) kB', Path(f'/proc/{pid}/status').read_text())[1])


only_ours = pytest.mark.skipif(os.environ.get('RESTANTE_SANITIZE', 'none') != 'none',
                               reason='a sanitizer keeps memory of its own')


@only_ours
@pytest.mark.skipif(SANITIZED, reason='what is freed is kept')
@pytest.mark.parametrize('tls', [False, True])
@pytest.mark.parametrize('sizes', ['', ',S={0},W={0},D=0'])
def test_memory_of_a_large_message(make_daemon, tls, sizes):
    """200 MB, as they are and made from LF: no process grows by what is sent."""
    shm = Path('/dev/shm')
    daemon = make_daemon(place=shm if os.access(shm, os.W_OK) else None, listeners=1)
    size = 200 << 20
    path = daemon.store('user0', b'', '1.x.host' + sizes.format(size))
    with path.open('r+b') as f:
        f.seek(size - 2)
        f.write(b'\r\n' if sizes else b'\n\n')
    wire = daemon.wire('user0', tls)
    assert abs(wire.stat()[1] - size) <= 2
    left = wire.stat()[1]
    wire.buffer = b''
    pids = {role: daemon.child(role) for role in ('listener', 'storage', 'auth')}
    before = {role: peak(pid) for role, pid in pids.items()}
    wire.ok('RETR 1')
    left -= len(wire.buffer)
    wire.buffer = b''
    scratch = bytearray(1 << 20)
    while left > 1000:
        left -= wire.socket.recv_into(scratch, min(len(scratch), left),
                                      0 if tls else socket.MSG_TRUNC)
    wire.octets()
    wire.ok('NOOP')
    for role, pid in pids.items():
        assert peak(pid) - before[role] < 2048, role


@only_ours
@pytest.mark.skipif(SANITIZED, reason='what is freed is kept')
def test_memory_of_many_who_do_not_read(make_daemon):
    """What they have asked for isn't kept for them; who reads is served."""
    daemon = make_daemon(listeners=1, max_connections_per_address=0)
    n = 100
    for i in range(n):
        daemon.store(f'user{i}', b'line of a message\n' * 50_000, '1.x.host')
    wires = [daemon.wire(f'user{i}', window=2048) for i in range(n)]
    pid = daemon.child('listener')
    before = peak(pid)
    for wire in wires:
        wire.send(b'RETR 1\r\n' * 200)
    daemon.login('user150').quit()
    for wire in wires[:5]:
        wire.ok()
        assert len(wire.octets()) == 950_000
    assert peak(pid) - before < n * 16
    for wire in wires:
        wire.close()
