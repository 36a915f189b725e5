# SPDX-License-Identifier: MIT
"""The servers that are compared: how each is configured, started, asked for its ports and ended.

All have the same users and passwords, the same Maildirs (each its own copy), the same certificate,
loopback, and logs at their usual level in a file. What else is set is said where it is set.
"""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from meter import Meter

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get('RESTANTE_BUILD', ROOT / 'build-bench')).resolve()
RESTANTED = BUILD / 'src/server/master/restanted'
RESTANTECTL = BUILD / 'src/ctl/restantectl'
LOAD = BUILD / 'bench/load/bench-load'
NULL = BUILD / 'bench/load/bench-null'
FILL = BUILD / 'bench/load/bench-fill'

PASSWORD = 'secret'
CORES = os.cpu_count() or 1
# Users that have an Argon2id hash for restante, as restantectl makes them; it remembers who was
# right. All others have {PLAIN}, and Dovecot has {PLAIN} for all: nothing is cheaper to verify.
HASHED = 16


class Port:
    """A free port that stays ours: nobody else's bind() gets it while this socket is bound."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.bind(('127.0.0.1', 0))
        self.number = self.socket.getsockname()[1]

    def release(self):
        """For a server that doesn't share ports."""
        self.socket.close()

    def __str__(self):
        return str(self.number)


def make_certificate(path):
    """A key (ECDSA, P-256) and its certificate in one file."""
    crt = path.with_suffix('.crt')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30', '-subj', '/CN=localhost',
                    '-keyout', path, '-out', crt], check=True, capture_output=True)
    with path.open('a', encoding='ascii') as f:
        f.write(crt.read_text('ascii'))


class Server:
    """One server with a directory of its own."""

    name = ''
    title = ''
    mail_user = 'nobody'
    has_mail = True
    filled_as = {} # names of messages: as this server gives them to what it delivers

    def __init__(self, top, pem, users, **_):
        self.dir = top / self.name
        self.dir.mkdir()
        self.dir.chmod(0o755)
        self.mail = self.dir / 'mail'
        self.mail.mkdir()
        shutil.chown(self.mail, self.mail_user)
        self.pem = pem
        self.users = users
        self.pop3, self.pop3s = Port(), Port()
        self.lmtp = f'unix:{self.dir}/lmtp'
        self.meter = Meter(self.name)
        self.process = None
        self.log = None

    def fill(self, **options):
        """Makes Maildirs: bench-fill."""
        uid = int(subprocess.run(['id', '-u', self.mail_user], capture_output=True, check=True).stdout)
        gid = int(subprocess.run(['id', '-g', self.mail_user], capture_output=True, check=True).stdout)
        args = [f'--{name.replace("_", "-")}={value}'
                for name, value in {**self.filled_as, **options}.items()]
        subprocess.run([FILL, self.mail, f'--uid={uid}', f'--gid={gid}', *args], check=True)

    def empty(self, user):
        """A maildrop without anything, not even an index."""
        shutil.rmtree(self.mail / f'user{user}', ignore_errors=True)

    def command(self):
        raise NotImplementedError

    def start(self):
        self.launch()
        self.wait_for_greeting()

    def launch(self):
        self.log = (self.dir / 'log').open('ab')
        self.process = self.meter.start(self.command(), stdin=subprocess.PIPE, stdout=self.log,
                                        stderr=self.log)

    def wait_for_greeting(self):
        """Until it greets in clear, and listens for TLS."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                with socket.create_connection(('127.0.0.1', self.pop3.number), timeout=10) as s:
                    greeted = bool(s.recv(1))
                with socket.create_connection(('127.0.0.1', self.pop3s.number), timeout=10):
                    if greeted:
                        return
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        raise RuntimeError(f'{self.name} does not start: see {self.dir}/log')

    def stop(self):
        if self.process is None:
            return
        self.process.stdin.close()
        self.end()
        self.process.wait(60)
        self.meter.close()
        self.process = None
        self.log.close()

    def end(self):
        self.process.send_signal(signal.SIGTERM)

    def target(self, tls=False):
        return f'127.0.0.1:{self.pop3s if tls else self.pop3}'

    def version(self):
        return ''


class Null(Server):
    """bench-null, in clear and in TLS: the yardstick."""

    name = 'null'
    title = 'null server'
    has_mail = False

    def __init__(self, top, pem, users, blob='-', **_):
        super().__init__(top, pem, users)
        self.blob = blob

    def command(self):
        return [NULL, CORES, self.pop3, self.blob, self.pop3s, self.pem]

    def end(self):
        """It ends when stdin does."""


def word(value):
    """A value as restanted.conf writes it."""
    if isinstance(value, (list, tuple)):
        return '{' + ', '.join(f'"{v}"' for v in value) + '}'
    return str(value) if isinstance(value, int) else f'"{value}"'


class Restante(Server):
    """restanted as it is installed, but for limits that one client address would run into."""

    name = title = 'restante'
    filled_as = {'own': 1}

    def command(self):
        options = {
            'pop3_listen': [f'127.0.0.1:{self.pop3}'],
            'pop3s_listen': [f'127.0.0.1:{self.pop3s}'],
            'lmtp_listen': [self.lmtp],
            'tls_certificate': self.pem,
            'users_file': self.users.restante,
            'default_domain': 'example.org',
            'mail_location': f'{self.mail}/%n',
            'server_user': 'nobody',
            'mail_user': self.mail_user,
            'max_connections': 20000,
            'max_connections_per_address': 0,
            'idle_timeout': '1h',
            'write_timeout': '1h',
        }
        conf = self.dir / 'restanted.conf'
        conf.write_text(''.join(f'{k} = {word(v)}\n' for k, v in options.items()))
        return [RESTANTED, '-c', conf]

    def forget_index(self, user):
        for path in (self.mail / f'user{user}').glob('restante.index*'):
            path.unlink()

    def version(self):
        git = subprocess.run(['git', '-C', ROOT, 'describe', '--always', '--dirty'],
                             capture_output=True, text=True, check=False)
        return git.stdout.strip()


class Dovecot(Server):
    """Dovecot as Debian ships it: its services are what they are when nothing is set."""

    name = 'dovecot'
    title = 'Dovecot, as shipped'
    tuning = ''

    def command(self):
        for port in (self.pop3, self.pop3s):
            port.release()
        conf = self.dir / 'dovecot.conf'
        conf.write_text(f'''
base_dir = {self.dir}/run
state_dir = {self.dir}/state
instance_name = bench-{self.name}
log_path = {self.dir}/log
protocols = pop3 lmtp
listen = 127.0.0.1
first_valid_uid = 1
mail_location = maildir:{self.mail}/%n
mail_uid = {self.mail_user}
mail_gid = nogroup
ssl = yes
ssl_cert = <{self.pem}
ssl_key = <{self.pem}
disable_plaintext_auth = no
auth_username_format = %Ln
auth_mechanisms = plain login
passdb {{
  driver = passwd-file
  args = username_format=%n {self.users.dovecot}
}}
userdb {{
  driver = static
  args = uid={self.mail_user} gid=nogroup home={self.mail}/%n allow_all_users=yes
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.pop3}
  }}
  inet_listener pop3s {{
    port = {self.pop3s}
    ssl = yes
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    path = {self.dir}/lmtp
    mode = 0666
  }}
}}
service anvil {{
  client_limit = 20000
}}
service auth {{
  client_limit = 20000
}}
mail_max_userip_connections = 0
{self.tuning}''')
        return ['dovecot', '-F', '-c', conf]

    def forget_index(self, user):
        for path in (self.mail / f'user{user}').glob('dovecot*'):
            path.unlink()

    def version(self):
        return subprocess.run(['dovecot', '--version'], capture_output=True, text=True,
                              check=False).stdout.split()[0]


class DovecotTuned(Dovecot):
    """Dovecot tuned for many short sessions, after its own documentation on performance.

    Login processes are started in advance and take any number of connections ("high-performance
    mode"), processes that speak POP3 and LMTP are reused instead of ended, right passwords are cached,
    POP3 changes no flags, sizes come from names, and a session that found nothing new reads no directory.
    """

    name = 'dovecot-tuned'
    title = 'Dovecot, tuned'
    tuning = f'''
service pop3-login {{
  service_count = 0
  process_min_avail = {CORES}
  client_limit = 10000
}}
service pop3 {{
  service_count = 0
  process_min_avail = 16
  process_limit = 20000
}}
service lmtp {{
  service_count = 0
  process_min_avail = 16
}}
auth_cache_size = 100 M
auth_cache_ttl = 1 hour
auth_cache_verify_password_with_worker = no
pop3_no_flag_updates = yes
pop3_fast_size_lookups = yes
maildir_very_dirty_syncs = yes
maildir_stat_dirs = no
'''


class Users:
    """The files of users, user0 to user(n - 1)."""

    def __init__(self, top, n):
        self.restante = top / 'users.restante'
        self.dovecot = top / 'users.dovecot'
        self.n = n
        self.restante.write_text('')
        conf = top / 'ctl.conf'
        conf.write_text(f'pop3_listen = {{"127.0.0.1:1110"}}\nusers_file = "{self.restante}"\n')
        subprocess.run([RESTANTECTL, '-c', conf, 'user', 'add', 'user0'], input=f'{PASSWORD}\n',
                       capture_output=True, text=True, check=True)
        hashed = self.restante.read_text().strip().split(':')[1]
        plain = '{PLAIN}' + PASSWORD
        assert hashed.startswith('{ARGON2ID}')
        self.restante.write_text(''.join(f'user{i}:{hashed if i < HASHED else plain}\n'
                                         for i in range(n)))
        self.dovecot.write_text(''.join(f'user{i}:{plain}\n' for i in range(n)))
        for path in (self.restante, self.dovecot):
            path.chmod(0o644)
