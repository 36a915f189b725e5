# SPDX-License-Identifier: MIT
"""A new program takes over under the same process id: nobody is dropped, nobody is refused."""
import json
import os
import shutil
import signal
import socket
import subprocess
import threading

import pytest

import harness
from harness import Daemon, wait_until
from wire import PATIENCE


class Upgraded(Daemon):
    """Runs from a copy of the program, as a package puts it in its place."""

    def __init__(self, **options):
        super().__init__(**options)
        self.program = self.dir / 'restanted'
        self.configure(pid_file=self.dir / 'pid', control=self.dir / 'control')
        self.install(harness.RESTANTED)

    def install(self, source):
        """Another file of that name, as dpkg does it."""
        fresh = self.program.with_suffix('.dpkg-new')
        if isinstance(source, str):
            fresh.write_text(source)
        else:
            shutil.copy(source, fresh)
        fresh.chmod(0o755)
        fresh.rename(self.program)

    def spawn(self):
        theirs, harness.RESTANTED = harness.RESTANTED, self.program
        try:
            super().spawn()
        finally:
            harness.RESTANTED = theirs

    def runs(self, pid):
        return os.stat(f'/proc/{pid}/exe').st_ino

    def children(self):
        return [int(pid) for pid in
                open(f'/proc/{self.process.pid}/task/{self.process.pid}/children',
                     encoding='ascii').read().split()]

    def upgrade(self):
        since = self.mark()
        self.ctl('upgrade')
        return self.wait_for('event=upgrade(d|-failed)', since)


@pytest.fixture(scope='module')
def server():
    daemon = Upgraded()
    daemon.start()
    try:
        yield daemon
        assert daemon.stop() == 0
        daemon.check_log()
    finally:
        if daemon.process.poll() is None:
            daemon.process.kill()
        daemon.remove()


class Polling(threading.Thread):
    """A client that logs in over and over. errors is what went wrong."""

    def __init__(self, daemon, user):
        super().__init__(daemon=True)
        self.server, self.user = daemon, user
        self.over = threading.Event()
        self.errors, self.logins = [], 0

    def run(self):
        while not self.over.is_set():
            try:
                with self.server.wire(self.user) as wire:
                    wire.quit()
                self.logins += 1
            except (AssertionError, OSError) as error:
                self.errors.append(error)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(PATIENCE)


def test_sessions_go_on_and_nobody_is_refused(server):
    user, other, waiting = server.user(), server.user(), server.user()
    server.deliver(user, *(['Subject: hello\r\n\r\nworld\r\n'] * 2))
    old = server.children()
    with server.wire(user) as wire, server.wire(waiting, tls=True) as tls, server.wire() as early, \
            Polling(server, other) as polling:
        wait_until(lambda: polling.logins > 3, 'logins')
        server.install(harness.RESTANTED)
        new = os.stat(server.program).st_ino
        assert server.runs(server.process.pid) != new
        assert 'event=upgraded' in server.upgrade()
        assert server.runs(server.process.pid) == new
        before = polling.logins
        wait_until(lambda: polling.logins > before + 3, 'logins at the new one')

        now = json.loads(server.ctl('status', '--json').stdout)
        assert sorted({p['role'] for p in now['processes'] if p['state'] == 'old'}) == [
            'auth', 'listener', 'signer', 'storage']
        assert user not in server.ctl('sessions').stdout.decode()  # nor does it wait for an answer

        # Whoever was there is with the old one, and has the maildrop for himself.
        assert set(old) & set(server.children())
        with server.wire() as second:
            second.ok(f'USER {user}')
            second.err(f'PASS {harness.PASSWORD}', code='IN-USE')
        server.deliver(user)  # by the new storage, into what the old one has open
        # Logged in before, and not yet.
        assert wire.retr(1).endswith(b'world\r\n')
        wire.ok('DELE 1')
        wire.quit()
        tls.ok('STAT')
        early.ok(f'USER {user}')
        early.ok(f'PASS {harness.PASSWORD}')
        assert early.ok('STAT').split()[0] == '2'
        early.quit()
        tls.quit()
    assert polling.errors == []
    # And then all of the old one goes.
    wait_until(lambda: not set(old) & set(server.children()), 'the old ones are gone')
    assert {server.runs(pid) for pid in server.children()} == {new}
    server.deliver(user)
    with server.wire(user) as wire:
        assert wire.ok('STAT').split()[0] == '3'


@pytest.mark.parametrize('program, words', [
    ('#!/bin/sh\necho "restanted: it is broken" >&2\nexit 1\n', 'it is broken'),
    ('#!/nowhere\n', 'cannot start'),
    (None, 'not for it')])
def test_a_broken_program_changes_nothing(server, program, words):
    user = server.user()
    old = server.children()
    with server.wire(user) as wire:
        if program is None:  # one from before there were upgrades
            server.install(f'#!/bin/sh\ncase "$*" in *--takes-over*) echo not for it; exit 64;; esac\n')
        else:
            server.install(program)
        line = server.upgrade()
        assert 'level=error' in line and 'event=upgrade-failed' in line and words in line
        assert 'effect="the old program goes on"' in line
        assert server.children() == old
        wire.ok('NOOP')
        server.login(server.user()).quit()
    server.install(harness.RESTANTED)


def test_a_wrong_configuration_changes_nothing(server):
    old = server.children()
    server.configure(listeners='many')
    try:
        since = server.mark()
        server.signal(signal.SIGUSR2)
        assert 'listeners needs a number' in server.wait_for('event=upgrade-failed', since)
    finally:
        server.configure(listeners=2)
    assert server.children() == old


def test_again_and_with_another_configuration(server):
    """Two in a row; what the configuration doesn't name any more is closed, and reload works."""
    assert 'event=upgraded' in server.upgrade()
    lmtp = server.options['lmtp_listen']
    server.configure(lmtp_listen=[lmtp[0]])
    assert 'event=upgraded' in server.upgrade()
    with socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.connect(('127.0.0.1', server.lmtp_port.number))
    server.reload(lmtp_listen=lmtp)
    with socket.create_connection(('127.0.0.1', server.lmtp_port.number), PATIENCE) as client:
        assert client.recv(4) == b'220 '
    server.login(server.user()).quit()


def test_an_old_child_that_dies_is_not_missed(server):
    user = server.user()
    old = server.children()
    with server.wire(user) as wire:
        assert 'event=upgraded' in server.upgrade()
        since = server.mark()
        for pid in set(old) & set(server.children()):
            os.kill(pid, 9)
        server.wait_for('event=child-died', since)
        wait_until(lambda: not set(old) & set(server.children()), 'the old ones are gone')
        assert not wire.more()
    server.login(user).quit()


def test_the_option_alone(server):
    for args, status in ((('--takes-over', '1', '-t'), 0), (('--takes-over', '0', '-t'), 69)):
        done = subprocess.run([harness.RESTANTED, *args, '-c', server.conf], capture_output=True,
                              timeout=PATIENCE, check=False)
        assert done.returncode == status, done
