# SPDX-License-Identifier: MIT
"""Disk and descriptors run out under sessions: one clear answer, nothing is lost, and it mends itself."""
import contextlib
import os
import re
import subprocess
from pathlib import Path

import pytest

from harness import PASSWORD, wait_until
from lmtp_client import Lmtp
from wire import Wire

MESSAGE = b'Subject: hello\r\n\r\nworld\r\n'
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason='only root can mount')


@pytest.fixture
def daemon(make_daemon):
    return make_daemon()


@contextlib.contextmanager
def small_disk(path, size):
    subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size},mode=0700,uid=nobody', 'tmpfs',
                    str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(['umount', '-l', str(path)], check=True)


def fill(path):
    """Takes the last byte; delete what is returned to give all back."""
    ballast = path / 'ballast'
    with ballast.open('wb', buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b'x' * 4096)
    return ballast


@needs_root
def test_quit_on_a_full_disk(daemon):
    """What goes is written down first; if that can't be, all of it stays, and the client hears so."""
    user = daemon.user()
    path = daemon.maildir(user)
    with small_disk(path, '1m'):
        for _ in range(5):
            daemon.deliver(user)
        assert daemon.count(user) == 5  # and the index is there
        ballast = fill(path)
        with daemon.wire(user) as wire:
            uidls = wire.uidls()
            for n in (1, 2, 4):
                wire.ok(f'DELE {n}')
            wire.err('QUIT', code='SYS/TEMP')
            assert wire.rest() == b''
        daemon.wait_for('event=commit-failed .*No space left on device')
        with daemon.wire(user) as wire:
            assert wire.uidls() == uidls  # every one, and the session works
            assert wire.retr(4).endswith(MESSAGE)
            wire.ok('DELE 3')
            wire.quit()  # a single one needs no space to be deleted
        ballast.unlink()
        with daemon.wire(user) as wire:
            left = list(uidls.values())
            del left[2]
            assert list(wire.uidls().values()) == left
            wire.ok('DELE 1')
            wire.ok('DELE 3')
            wire.quit()
        assert daemon.count(user) == 2


@needs_root
def test_login_on_a_full_disk(daemon):
    """A maildrop whose index can't be written is served all the same."""
    user = daemon.user()
    path = daemon.maildir(user)
    with small_disk(path, '1m'):
        for _ in range(3):
            daemon.deliver(user)
        fill(path)
        for _ in range(3):
            with daemon.wire(user) as wire:
                assert len(wire.sizes()) == 3
                assert wire.retr(3).endswith(MESSAGE)
                wire.quit()


def set_limit(pid, descriptors):
    """As the process's own user: that needs no capability."""
    status = Path(f'/proc/{pid}/status').read_text(encoding='ascii')
    ids = [re.search(rf'(?m)^{kind}:\t(\d+)', status)[1] for kind in ('Uid', 'Gid')]
    change = ['setpriv', f'--reuid={ids[0]}', f'--regid={ids[1]}', '--clear-groups']
    subprocess.run([*(change if os.geteuid() == 0 else []), 'prlimit', f'--pid={pid}',
                    f'--nofile={descriptors}:'], check=True)


@contextlib.contextmanager
def no_more_descriptors(pid, spare):
    """The process may open as many more as spare says."""
    limits = Path(f'/proc/{pid}/limits').read_text(encoding='ascii')
    used = max(int(fd) for fd in os.listdir(f'/proc/{pid}/fd')) + 1
    set_limit(pid, used + spare)
    try:
        yield
    finally:
        set_limit(pid, re.search(r'Max open files +(\d+)', limits)[1])


@pytest.mark.parametrize('spare', range(8))
def test_storage_has_no_descriptors(daemon, spare):
    """Few enough that some call fails on the way: it says try again, or works; and later it works."""
    user = daemon.user()
    for _ in range(3):
        daemon.deliver(user)
    pid = daemon.child('storage')
    with daemon.wire(user) as wire:
        wire.ok('DELE 1')
        wire.ok('DELE 2')
        with no_more_descriptors(pid, spare):
            reply = wire.reply('QUIT')
            assert reply.startswith(('+OK', '-ERR [SYS/TEMP] ')), reply
    left = 1 if reply.startswith('+OK') else 3
    with no_more_descriptors(pid, spare):
        with daemon.wire() as wire:
            wire.ok(f'USER {user}')
            reply = wire.reply(f'PASS {PASSWORD}')
            assert reply.startswith(('+OK', '-ERR [SYS/TEMP] ')), reply
            if reply.startswith('+OK'):
                reply = wire.reply('RETR 1')
                assert reply.startswith(('+OK', '-ERR [SYS/TEMP] ')), reply
        with Lmtp(daemon.lmtp) as lmtp:
            lmtp.hello()
            lmtp.say('MAIL FROM:<>')
            lmtp.say(f'RCPT TO:<{user}@example.org>')
            reply = lmtp.say('DATA')
            assert reply.code in (354, 451)
            if reply.code == 354:
                lmtp.send(MESSAGE + b'.\r\n')
                reply = lmtp.reply()
                assert reply.code in (250, 451)
                left += reply.code == 250
    assert daemon.count(user) == left
    daemon.deliver(user)
    assert daemon.count(user) == left + 1
    assert daemon.child('storage') == pid


def test_listeners_have_no_descriptors(make_daemon):
    """Those who wait outside are let in as soon as somebody leaves; those inside notice nothing."""
    daemon = make_daemon(listeners=1)
    user, other = daemon.user(), daemon.user()
    daemon.deliver(user)
    pid = daemon.child('listener')
    with daemon.wire(user) as inside:
        since = daemon.mark()
        with no_more_descriptors(pid, 3):
            waiting = [Wire(daemon.lmtp) for _ in range(10)]
            daemon.wait_for('event=accept-failed', since)
            inside.ok('NOOP')
        for client in waiting:
            assert client.line().startswith(b'220 ')
            client.close()
        inside.ok('RETR 1')
        inside.octets()
        inside.quit()
    daemon.deliver(other)
    assert daemon.count(other) == 1
    assert daemon.child('listener') == pid


@pytest.mark.parametrize('spare', range(4))
def test_auth_has_no_descriptors(daemon, spare):
    """The file of users can't be read again, and is remembered."""
    user = daemon.user()
    pid = daemon.child('auth')
    with no_more_descriptors(pid, spare):
        daemon.add_users('newcomer')
        with daemon.wire() as wire:
            wire.ok(f'USER {user}')
            reply = wire.reply(f'PASS {PASSWORD}')
            assert reply.startswith(('+OK', '-ERR [SYS/TEMP] ')), reply
    wait_until(lambda: can_log_in(daemon, 'newcomer'), 'the file is read again')
    assert daemon.count(user) == 0
    assert daemon.child('auth') == pid


def can_log_in(daemon, user):
    with daemon.wire() as wire:
        wire.ok(f'USER {user}')
        return wire.reply(f'PASS {PASSWORD}').startswith('+OK')
