# SPDX-License-Identifier: MIT
"""Processes that are killed, replaced and told to leave, while users are at work."""
import os
import poplib
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAEMON = Path(os.environ.get('RESTANTE_BUILD', ROOT / 'build')) / 'src/server/master/restanted'
PATIENCE = 60


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def make_certificate(path, name):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', f'/CN={name}',
                    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
                    '-keyout', path, '-out', path.with_suffix('.crt')],
                   check=True, capture_output=True)
    with open(path, 'a', encoding='ascii') as f:
        f.write(path.with_suffix('.crt').read_text(encoding='ascii'))


class Daemon:
    """restanted with a spool of its own, and its log as it is written."""

    def __init__(self, path):
        path.chmod(0o755)
        self.dir = path
        self.pop3 = free_port()
        self.pop3s = free_port()
        self.conf = path / 'restanted.conf'
        self.pem = path / 'tls.pem'
        self.lines = []
        self.changed = threading.Condition()
        make_certificate(self.pem, 'first')
        mail = path / 'mail'
        mail.mkdir()
        if os.geteuid() == 0:
            shutil.chown(mail, 'nobody')
        (path / 'users').write_text(''.join(f'user{i}:{{PLAIN}}secret\n' for i in range(20)))
        self.write_conf()
        self.process = None

    def write_conf(self, more=''):
        self.conf.write_text(
            f'pop3_listen = {{"127.0.0.1:{self.pop3}"}}\n'
            f'pop3s_listen = {{"127.0.0.1:{self.pop3s}"}}\n'
            f'lmtp_listen = {{"unix:{self.dir}/lmtp"}}\n'
            f'tls_certificate = "{self.pem}"\n'
            f'users_file = "{self.dir}/users"\n'
            'default_domain = "example.org"\n'
            f'mail_location = "{self.dir}/mail/%n"\n'
            'server_user = nobody\n'
            'mail_user = nobody\n'
            'max_connections = 500\n'
            'log_level = debug\n' + more)

    def start(self):
        self.process = subprocess.Popen([str(DAEMON), '-c', str(self.conf)],
                                        stderr=subprocess.PIPE, text=True, errors='replace')
        threading.Thread(target=self.read_log, daemon=True).start()
        self.wait_for('event=ready')

    def read_log(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line.rstrip('\n'))
                self.changed.notify_all()
        with self.changed:
            self.lines.append('END')
            self.changed.notify_all()

    def mark(self):
        with self.changed:
            return len(self.lines)

    def wait_for(self, pattern, since=0):
        """The first line that matches, from line number since on."""
        deadline = time.monotonic() + PATIENCE
        with self.changed:
            while True:
                for line in self.lines[since:]:
                    if re.search(pattern, line):
                        return line
                since = len(self.lines)
                assert self.lines[-1:] != ['END'], '\n'.join(self.lines)
                left = deadline - time.monotonic()
                assert left > 0, f'{pattern} never came:\n' + '\n'.join(self.lines)
                self.changed.wait(left)

    def child(self, role):
        """The pid of the youngest child of this role."""
        with self.changed:
            return int(re.search(r'pid=(\d+)', [
                line for line in self.lines if f'event=child-started role={role}' in line][-1])[1])

    def reload(self):
        since = self.mark()
        self.process.send_signal(signal.SIGHUP)
        self.wait_for('event=reloaded', since)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    # -- clients --

    def deliver(self, user, text='Subject: hello\r\n\r\nworld\r\n'):
        with smtplib.LMTP(f'{self.dir}/lmtp') as lmtp:
            refused = lmtp.sendmail('sender@example.org', [f'{user}@example.org'], text)
        assert refused == {}

    def login(self, user, tls=False):
        if tls:
            context = ssl.create_default_context(cafile=str(self.pem.with_suffix('.crt')))
            pop = poplib.POP3_SSL('localhost', self.pop3s, timeout=PATIENCE, context=context)
        else:
            pop = poplib.POP3('127.0.0.1', self.pop3, timeout=PATIENCE)
        pop.user(user)
        pop.pass_('secret')
        return pop

    def count(self, user):
        pop = self.login(user)
        n = pop.stat()[0]
        pop.quit()
        return n


@pytest.fixture
def daemon():
    # Not tmp_path: nobody, who the server works as when root starts it, can't go there.
    with tempfile.TemporaryDirectory(prefix='restante-') as path:
        d = Daemon(Path(path))
        d.start()
        yield d
        assert d.stop() == 0
    assert not re.search('event=(drain|stop)-timeout', '\n'.join(d.lines))


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


def test_dropped_connection_frees_at_once(daemon):
    for _ in range(50):
        pop = daemon.login('user0')
        pop.sock.shutdown(socket.SHUT_RDWR)
        pop.close()
    assert daemon.count('user0') == 0


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
    daemon.write_conf('max_connections_per_user = 1\n')
    daemon.reload()
    pop = daemon.login('user0')
    with pytest.raises(poplib.error_proto):
        daemon.login('user0')
    pop.quit()


def test_sigterm_waits_for_a_delivery(daemon):
    """Who has begun to deliver may end: 250 is for ever, also while the server leaves."""
    lmtp = smtplib.LMTP(f'{daemon.dir}/lmtp')
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
    daemon.process.kill()
    daemon.process.wait(PATIENCE)
    with daemon.changed:
        while daemon.lines[-1:] != ['END']:  # every child has closed the log
            assert daemon.changed.wait(PATIENCE)
    daemon.start()  # and nobody holds the ports, the socket or a lock
    assert daemon.count('user0') == 1
