# SPDX-License-Identifier: MIT
"""The programs as they are: restanted with a spool of its own, its log, and clients that talk to it.

The fixtures in conftest.py start a Daemon and look at its end that it left cleanly, that nothing
crashed and that no password is in its log.
"""
import base64
import contextlib
import ctypes
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

from wire import PATIENCE, Wire

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('RESTANTE_BUILD', ROOT / 'build')).resolve()
RESTANTED = BUILD / 'src/server/master/restanted'
RESTANTECTL = BUILD / 'src/ctl/restantectl'
SANITIZED = RESTANTED.exists() and b'__asan_init' in RESTANTED.read_bytes()
PASSWORD = 'open-sesame-5'
USERS = 200

# What must not happen in any test, whatever it is about.
BROKEN = re.compile(r'AddressSanitizer|LeakSanitizer|runtime error:|Assertion|signal=(6|11|31)\b|'
                    r'event=(drain|stop)-timeout|event=ipc-bad')


class Port:
    """A free port that stays ours: nobody else's bind() gets it while this socket is bound."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.bind(('127.0.0.1', 0))
        self.number = self.socket.getsockname()[1]

    def __str__(self):
        return str(self.number)


def make_certificate(path, name):
    """A key and its certificate in one file, and the certificate alone beside it (.crt)."""
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', f'/CN={name}',
                    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
                    '-keyout', path, '-out', path.with_suffix('.crt')],
                   check=True, capture_output=True)
    with open(path, 'a', encoding='ascii') as f:
        f.write(path.with_suffix('.crt').read_text(encoding='ascii'))


def wait_until(condition, what):
    """For what no event tells of."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f'never: {what}'
        time.sleep(0.01)


def word(value):
    """A value as the configuration writes it."""
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return '{' + ', '.join(f'"{v}"' for v in value) + '}'
    return f'"{value}"'


class Daemon:
    """restanted with a spool of its own, and its log as it is written.

    Options are those of restanted.conf(5); None takes one of ours out. Users are user0 to user199,
    all with PASSWORD, but for what write_users() says. place: a directory for it all.
    """

    def __init__(self, place=None, **options):
        # Not pytest's tmp_path: nobody, who the server works as when root starts it, can't go there.
        self.dir = Path(tempfile.mkdtemp(prefix='restante-', dir=place))
        self.dir.chmod(0o755)
        self.pop3, self.pop3s, self.lmtp_port = Port(), Port(), Port()
        self.conf = self.dir / 'restanted.conf'
        self.pem = self.dir / 'tls.pem'
        self.users = self.dir / 'users'
        self.lmtp = self.dir / 'lmtp'
        self.mail = self.dir / 'mail'
        self.lines = []  # of the process that runs now
        self.log = []    # of all that ran
        self.changed = threading.Condition()
        self.process = None
        self.before = []  # words in front of its command
        self.env = {}     # what is in its environment beside ours
        self.fds = ()     # what it inherits
        self.secrets = {PASSWORD}
        self.next_user = 0
        make_certificate(self.pem, 'first')
        self.mail.mkdir()
        self.give_to_nobody(self.mail)
        self.write_users({f'user{i}': '{PLAIN}' + PASSWORD for i in range(USERS)})
        self.options = {
            'pop3_listen': [f'127.0.0.1:{self.pop3}'],
            'pop3s_listen': [f'127.0.0.1:{self.pop3s}'],
            'lmtp_listen': [f'unix:{self.lmtp}', f'127.0.0.1:{self.lmtp_port}'],
            'tls_certificate': self.pem,
            'users_file': self.users,
            'default_domain': 'example.org',
            'mail_location': f'{self.mail}/%n',
            'server_user': 'nobody',
            'mail_user': 'nobody',
            'listeners': 2,
            'max_connections': 500,
            'auth_failure_delay_ms': 0,
            'auth_penalty_max': 0,
            'log_level': 'debug',
        }
        self.configure(**options)

    @staticmethod
    def give_to_nobody(path):
        if os.geteuid() == 0:
            shutil.chown(path, 'nobody')

    def configure(self, **options):
        """Changes options in the file. reload() or start() makes them count."""
        self.options.update(options)
        self.conf.write_text(''.join(f'{name} = {word(value)}\n'
                                     for name, value in self.options.items() if value is not None))

    def write_users(self, users):
        """The file of users: {name: the rest of the line}."""
        self.replace_users(''.join(f'{name}:{rest}\n' for name, rest in users.items()))

    def add_users(self, *names):
        self.replace_users(self.users.read_text(encoding='utf-8') +
                           ''.join(f'{name}:{{PLAIN}}{PASSWORD}\n' for name in names))

    def replace_users(self, text):
        """Whole, as editors do it: of a file that was changed in place, some may be missing yet."""
        fresh = self.users.with_suffix('.new')
        fresh.write_text(text, encoding='utf-8')
        fresh.rename(self.users)

    # -- the process --

    def spawn(self):
        """Starts it and doesn't wait until it is ready."""
        self.lines = []
        self.process = subprocess.Popen([*self.before, str(RESTANTED), '-c', str(self.conf)],
                                        stderr=subprocess.PIPE, text=True, errors='replace',
                                        env={**os.environ, **self.env}, pass_fds=self.fds)
        threading.Thread(target=self.read_log, args=(self.process.stderr, self.lines),
                         daemon=True).start()

    def start(self):
        self.spawn()
        self.wait_for('event=ready|"event":"ready"')

    def read_log(self, stream, lines):
        for line in stream:
            with self.changed:
                lines.append(line.rstrip('\n'))
                self.log.append(lines[-1])
                self.changed.notify_all()
        with self.changed:
            lines.append('END')
            self.changed.notify_all()

    def mark(self):
        """Where the log is now: what comes later is since=mark()."""
        with self.changed:
            return len(self.lines)

    def wait_for(self, pattern, since=0):
        """The first line that matches, from line number since on. 'END' is the log's end."""
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

    def logged(self, pattern, since=0):
        """All lines so far that match."""
        with self.changed:
            return [line for line in self.lines[since:] if re.search(pattern, line)]

    def child(self, role):
        """The pid of the youngest child of this role."""
        return int(re.search(r'pid=(\d+)', self.logged(f'event=child-started role={role}')[-1])[1])

    def signal(self, number):
        self.process.send_signal(number)

    def listeners(self):
        """The ids of those that take connections, as far as the log says."""
        ids = {int(line.rsplit(' id=')[1].split()[0])
               for line in self.logged('event=child-started role=listener')}
        return {i for i in ids if not self.logged(self.listener_leaves(i))}

    @staticmethod
    def listener_leaves(i):
        return rf'process=listener-{i} event=drain |event=child-(ended|died) role=listener id={i} '

    def reload(self, **options):
        """From here on, every new connection is one of the new configuration."""
        if options:
            self.configure(**options)
        old = self.listeners()
        since = self.mark()
        self.signal(signal.SIGHUP)
        assert 'reload-failed' not in self.wait_for('event"?[=:]"?reload(ed|-failed)', since)
        for i in old:  # until it has read that it shall not, an old one takes some
            self.wait_for(self.listener_leaves(i), since)

    def stop(self):
        """Its exit status; every child has gone by then."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.wait_for('^END$')
        return status

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.wait_for('^END$')

    def check_log(self, may_have=None):
        """Nothing broke but what the test broke, and no password was logged."""
        bad = [line for line in self.log if BROKEN.search(line) and
               not (may_have and re.search(may_have, line))]
        assert bad == [], bad
        for secret in self.secrets:
            octets = secret.encode()
            # In base64, the same octets look different at each of three places.
            looks = [secret] + [base64.b64encode(b' ' * i + octets)[4 * (i > 0):-4].decode()
                                for i in range(3)]
            for look in looks:
                assert len(look) < 6 or [line for line in self.log if look in line] == []

    def remove(self):
        for port in (self.pop3, self.pop3s, self.lmtp_port):
            port.socket.close()
        shutil.rmtree(self.dir)

    def ctl(self, *args, stdin=b''):
        """restantectl. Its result, which must be a success."""
        result = subprocess.run([str(RESTANTECTL), '-c', str(self.conf), *args], input=stdin,
                                capture_output=True, timeout=PATIENCE, check=False)
        assert result.returncode == 0, result
        return result

    # -- mail --

    def user(self):
        """A user that nobody has used before."""
        self.next_user += 1
        return f'user{self.next_user - 1}'

    def deliver(self, user, *texts):
        """By LMTP. Octets go as they are, with dots stuffed."""
        with smtplib.LMTP(str(self.lmtp), local_hostname='client.example') as lmtp:
            for text in texts or ('Subject: hello\r\n\r\nworld\r\n',):
                refused = lmtp.sendmail('sender@example.org', [f'{user}@example.org'], text)
                assert refused == {}

    def maildir(self, user):
        """The user's Maildir; made if it isn't there."""
        top = self.mail / user
        for path in (top, top / 'tmp', top / 'new', top / 'cur'):
            if not path.exists():
                path.mkdir()
                self.give_to_nobody(path)
        return top

    def store(self, user, octets, name, folder='new'):
        """Puts a message into the Maildir as another program would. Its path."""
        top = self.maildir(user)
        draft = top / 'tmp' / name.split(':', maxsplit=1)[0]
        draft.write_bytes(octets)
        self.give_to_nobody(draft)
        path = top / folder / name
        draft.rename(path)
        return path

    # -- clients --

    def wire(self, user=None, tls=False, utf8=False, **more):
        """A raw connection, greeted; logged in when a user is named. more is Wire's.

        utf8: one that gets every message as it is, also with UTF-8 in its header.
        """
        port = self.pop3s if tls else self.pop3
        wire = Wire(('127.0.0.1', port.number), self.context() if tls else None, **more)
        wire.greeting = wire.ok()
        if utf8:
            wire.ok('UTF8')
        if user is not None:
            wire.ok(f'USER {user}')
            wire.ok(f'PASS {PASSWORD}')
        return wire

    def context(self):
        return ssl.create_default_context(cafile=str(self.pem.with_suffix('.crt')))

    def login(self, user, tls=False, password=PASSWORD):
        """The same with poplib."""
        if tls:
            pop = poplib.POP3_SSL('localhost', self.pop3s.number, timeout=PATIENCE,
                                  context=self.context())
        else:
            pop = poplib.POP3('127.0.0.1', self.pop3.number, timeout=PATIENCE)
        pop.user(user)
        pop.pass_(password)
        return pop

    def count(self, user):
        pop = self.login(user)
        n = pop.stat()[0]
        pop.quit()
        return n


@contextlib.contextmanager
def running():
    """Gives a function that starts servers, and ends them and looks at how they ended."""
    daemons = []

    def start(more=None, **options):
        """more(daemon): options that need to know where it is."""
        daemons.append(Daemon(**options))
        if more:
            daemons[-1].configure(**more(daemons[-1]))
        daemons[-1].start()
        return daemons[-1]

    try:
        yield start
        for daemon in daemons:
            assert daemon.stop() == 0
            daemon.check_log()
    finally:
        for daemon in daemons:
            if daemon.process and daemon.process.poll() is None:
                daemon.process.kill()
                daemon.process.wait()
            daemon.remove()


def in_a_network_of_its_own(test, **sysctl):
    """Runs test() where 192.0.2.1 is this machine too, and nothing else exists. Needs root.

    sysctl: net.ipv4's, with values of their own.
    """
    problems = []

    def run():
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if shutil.which('ip') is None or libc.unshare(0x40000000) != 0:  # CLONE_NEWNET
                pytest.skip('no network of its own')  # it would have been this thread's alone
            subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
            subprocess.run(['ip', 'address', 'add', '192.0.2.1/32', 'dev', 'lo'], check=True)
            for name, value in sysctl.items():
                Path(f'/proc/sys/net/ipv4/{name}').write_text(value)
            test()
        except BaseException as e:  # pylint: disable=broad-except
            problems.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if problems:
        raise problems[0]
