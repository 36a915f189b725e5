# SPDX-License-Identifier: MIT
"""Processes that are killed, replaced and told to leave, while users are at work."""
import os
import poplib
import signal
import smtplib
import socket
import threading
import time

import pytest

from harness import PASSWORD, make_certificate
from wire import PATIENCE


def test_in_by_lmtp_and_out_by_pop3(daemon):
    text = 'Subject: hello\r\n\r\n.first\r\nlast\r\n'
    daemon.deliver('user0', text)
    pop = daemon.login('user0', tls=True)
    assert pop.stat()[0] == 1
    lines = pop.retr(1)[1]
    assert lines[-4:] == [b'Subject: hello', b'', b'.first', b'last']
    pop.dele(1)
    pop.quit()
    assert daemon.count('user0') == 0


@pytest.mark.parametrize('role', ['storage', 'auth', 'listener'])
def test_child_is_killed(daemon, role):
    daemon.deliver('user0')
    for _ in range(3):
        since = daemon.mark()
        os.kill(daemon.child(role), signal.SIGKILL)
        daemon.wait_for(f'event=child-died role={role}.*signal=9', since)
        daemon.wait_for(f'event=child-ready role={role}', since)
    # Whoever comes now is served: by new processes, with their new channels.
    for _ in range(10):
        assert daemon.count('user0') == 1
    daemon.deliver('user0')
    assert daemon.count('user0') == 2


def test_storage_dies_under_a_session(daemon):
    daemon.deliver('user0')
    pop = daemon.login('user0')
    pop.dele(1)
    since = daemon.mark()
    os.kill(daemon.child('storage'), signal.SIGKILL)
    daemon.wait_for('event=child-ready role=storage', since)
    with pytest.raises((poplib.error_proto, OSError)):
        pop.quit()  # its deletion was never asked for, and it must not say that it was done
    assert daemon.count('user0') == 1


def test_auth_dies_under_a_session(daemon):
    daemon.deliver('user0')
    pop = daemon.login('user0')
    since = daemon.mark()
    os.kill(daemon.child('auth'), signal.SIGKILL)
    daemon.wait_for('event=child-ready role=auth', since)
    assert len(pop.retr(1)[1]) > 0  # a session that is logged in doesn't need auth
    pop.dele(1)
    pop.quit()
    assert daemon.count('user0') == 0


def drop(pop):
    pop.sock.shutdown(socket.SHUT_RDWR)
    pop.close()


def test_dropped_connection_frees_at_once(make_daemon):
    """Also when the next login comes to a listener that is quicker than the one that had the last."""
    daemon = make_daemon(listeners=4)
    for _ in range(50):
        drop(daemon.login('user0'))
    assert daemon.count('user0') == 0


def test_login_while_storage_is_replaced(make_daemon):
    """Auth is busy and hasn't noticed yet that storage is dead: nobody may wait for a grant into the dark."""
    daemon = make_daemon(listeners=1, login_timeout='10m')
    user = daemon.user()
    for _ in range(4):  # from the second time on, there is a while without storage
        first, second, third = daemon.wire(), daemon.wire(), daemon.wire()
        for wire in (first, second):
            wire.ok(f'USER {user}')
        auth = daemon.child('auth')
        since = daemon.mark()
        os.kill(auth, signal.SIGSTOP)
        first.command(f'PASS {PASSWORD}')
        third.multi('CAPA')  # so the listener has passed that on
        os.kill(daemon.child('storage'), signal.SIGKILL)
        first.err(code='SYS/TEMP')
        second.command(f'PASS {PASSWORD}')
        third.multi('CAPA')
        os.kill(auth, signal.SIGCONT)
        assert second.reply().startswith(('+OK', '-ERR [SYS/TEMP] '))
        for wire in (first, second, third):
            wire.close()
        daemon.wait_for('event=child-ready role=storage', since)
    assert daemon.count(user) == 0


class Load(threading.Thread):
    """Sessions and deliveries of one user, one after the other, until it is told to stop."""

    def __init__(self, daemon, user, tls):
        super().__init__()
        self.daemon_under_test, self.user, self.tls = daemon, user, tls
        self.done = threading.Event()
        self.rounds = 0
        self.error = None

    def run(self):
        try:
            while not self.done.is_set():
                self.daemon_under_test.deliver(self.user)
                pop = self.daemon_under_test.login(self.user, self.tls)
                assert pop.stat()[0] == 1
                pop.retr(1)
                pop.dele(1)
                pop.quit()
                self.rounds += 1
        except Exception as e:  # pylint: disable=broad-except
            self.error = e


def test_reload_under_load(daemon):
    """No connection is refused and no session dropped, however often it is told to reload."""
    loads = [Load(daemon, f'user{i}', i % 2 == 0) for i in range(4)]
    old = daemon.login('user9')
    for load in loads:
        load.start()
    for _ in range(10):
        before = [load.rounds for load in loads]
        daemon.reload()
        deadline = time.monotonic() + PATIENCE
        while any(load.error is None and load.rounds < b + 2 for load, b in zip(loads, before)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    for load in loads:
        load.done.set()
    for load in loads:
        load.join()
    assert [load.error for load in loads] == [None] * 4
    old.noop()  # ten generations later
    old.quit()


def test_new_certificate(daemon):
    old = daemon.login('user0', tls=True)
    first = old.sock.getpeercert()
    make_certificate(daemon.pem, 'second')
    daemon.reload()
    new = daemon.login('user1', tls=True)
    assert new.sock.getpeercert() != first
    assert dict(x[0] for x in new.sock.getpeercert()['subject'])['commonName'] == 'second'
    old.noop()
    old.quit()
    new.quit()


def test_broken_certificate(daemon):
    since = daemon.mark()
    daemon.pem.write_text('nonsense')
    daemon.process.send_signal(signal.SIGHUP)
    assert str(daemon.pem) in daemon.wait_for('event=reload-failed', since)
    assert daemon.login('user0').quit().startswith(b'+OK')
    make_certificate(daemon.pem, 'third')
    daemon.reload()
    assert daemon.login('user0', tls=True).quit().startswith(b'+OK')


def test_limits_change_with_a_reload(daemon):
    daemon.reload(max_connections_per_user=1)
    pop = daemon.login('user0')
    with pytest.raises(poplib.error_proto):
        daemon.login('user0')
    pop.quit()


def test_sigterm_waits_for_a_delivery(daemon):
    """Who has begun to deliver may end: 250 is for ever, also while the server leaves."""
    lmtp = smtplib.LMTP(str(daemon.lmtp), local_hostname='client.example')
    lmtp.docmd('LHLO', 'client.example')
    lmtp.mail('sender@example.org')
    lmtp.rcpt('user0@example.org')
    assert lmtp.docmd('DATA')[0] == 354
    since = daemon.mark()
    daemon.process.terminate()
    daemon.wait_for('event=drain', since)
    lmtp.send(b'Subject: last\r\n\r\nminute\r\n.\r\n')
    assert lmtp.getreply()[0] == 250
    lmtp.close()
    assert daemon.process.wait(PATIENCE) == 0
    daemon.start()
    assert daemon.count('user0') == 1


def test_nothing_outlives_a_killed_master(daemon):
    daemon.deliver('user0')
    daemon.kill()  # ... and every child has closed the log
    daemon.start()  # and nobody holds the ports, the socket or a lock
    assert daemon.count('user0') == 1
