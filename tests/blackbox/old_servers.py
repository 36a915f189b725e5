# SPDX-License-Identifier: MIT
"""Other people's POP3 servers, from which mail moves to ours, and clients that know what was there.

They serve the mail of a Daemon that isn't running yet, at its port: as it is when one server
takes another one's place.
"""
import os
import poplib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from getmail import GETMAIL
from harness import PASSWORD, wait_until
from wire import PATIENCE

DOVECOT_POP3 = Path('/usr/lib/dovecot/pop3')
# Courier's packages can't be installed beside Dovecot's, so they are unpacked: tools/install-deps.
UNPACKED = Path(os.environ.get('RESTANTE_OLD_SERVERS', '/usr/local/lib/restante-old-servers'))
COURIER_POP3 = UNPACKED / 'usr/lib/courier/courier/courierpop3d'


def answers(port):
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
    except OSError:
        return False
    return True


class Dovecot:
    """Dovecot with the users and mail of a Daemon. location: its mail_location.

    settings: {user: 'userdb_SETTING=value'}, for users that have other settings than the rest.
    """

    def __init__(self, daemon, location=None, more='', port=None, settings=None):
        if not DOVECOT_POP3.exists():
            pytest.skip('needs Dovecot: tools/install-deps bench servers')
        if os.geteuid() != 0:
            pytest.skip('Dovecot has to be started by root')
        self.port = port or daemon.pop3.number
        if port is None:
            daemon.pop3.socket.close()
        self.dir = Path(tempfile.mkdtemp(prefix='dovecot-'))
        self.dir.chmod(0o755)
        self.conf = self.dir / 'dovecot.conf'
        (self.dir / 'users').write_text(''.join(
            f'{user}:::::::{extra}\n' for user, extra in (settings or {}).items()), encoding='ascii')
        self.conf.write_text(f'''
base_dir = {self.dir}/run
state_dir = {self.dir}/state
instance_name = {self.dir.name}
log_path = {self.dir}/log
protocols = pop3
listen = 127.0.0.1
first_valid_uid = 1
mail_location = {location or f'maildir:{daemon.mail}/%n'}
mail_uid = nobody
mail_gid = nogroup
ssl = no
disable_plaintext_auth = no
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = passwd-file
  args = {self.dir}/users
  default_fields = uid=nobody gid=nogroup home={daemon.mail}/%n
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={daemon.mail}/%n allow_all_users=yes
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
}}
{more}''', encoding='ascii')
        self.process = subprocess.Popen(['dovecot', '-F', '-c', str(self.conf)],
                                        stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: answers(self.port) or self.process.poll() is not None,
                       'Dovecot takes connections')
            assert self.process.poll() is None, self.log()
        except BaseException:
            self.stop()
            raise

    def log(self):
        log = self.dir / 'log'
        return log.read_text(errors='replace') if log.exists() else 'no log'

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        shutil.rmtree(self.dir)


class Filters:
    """A program that speaks POP3 on its standard input, started for each connection: a small inetd.

    The greeting and login are ours: USER and any password.
    """

    def __init__(self, port, command):
        self.command = command
        self.socket = socket.create_server(('127.0.0.1', port), reuse_port=False)
        self.children = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        user = self.log_in(connection)
        if user is not None:
            argv, environment, place = self.command(user)
            child = subprocess.Popen(argv, stdin=connection, stdout=connection, cwd=place,
                                     env=environment, stderr=subprocess.DEVNULL, user='nobody',
                                     group='nogroup', extra_groups=[])
            self.children.append(child)
        connection.close()

    @staticmethod
    def log_in(connection):
        """Octet by octet: what comes behind PASS is for the program."""
        user = ''
        connection.sendall(b'+OK here\r\n')
        while True:
            line = b''
            while not line.endswith(b'\n'):
                octet = connection.recv(1)
                if octet == b'':
                    return None
                line += octet
            verb, _, rest = line.decode('ascii', 'replace').strip().partition(' ')
            if verb.upper() == 'PASS':
                return user # the program says +OK
            user = rest if verb.upper() == 'USER' else user
            connection.sendall(b'+OK\r\n' if verb.upper() == 'USER' else
                               b'+OK\r\nUSER\r\nUIDL\r\nTOP\r\n.\r\n' if verb.upper() == 'CAPA'
                               else b'-ERR\r\n')

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(PATIENCE)
        for child in self.children:
            child.wait(PATIENCE)


def courier(daemon):
    """Courier's POP3 server with the mail of a Daemon."""
    if not COURIER_POP3.exists():
        pytest.skip('needs Courier: tools/install-deps servers')
    if os.geteuid() != 0:
        pytest.skip('has to change to another user')
    libraries = f'{UNPACKED}/usr/lib:{UNPACKED}/usr/lib/x86_64-linux-gnu'

    def command(user):
        return ([str(COURIER_POP3), str(daemon.mail / user)],
                {'AUTHENTICATED': user, 'AUTHADDR': user, 'TCPREMOTEIP': '127.0.0.1',
                 'LD_LIBRARY_PATH': libraries}, daemon.mail / user)

    daemon.pop3.socket.close()
    return Filters(daemon.pop3.number, command)


class Popa3d:
    """popa3d with spools of its own, at a Daemon's port. It knows users of the system only, so it has a
    system of its own: a directory with its libraries, where every password is right."""

    PROGRAM = UNPACKED / 'usr/sbin/popa3d'
    PAM = Path('/lib/x86_64-linux-gnu/security/pam_permit.so')
    UID = 65534

    def __init__(self, daemon):
        if not self.PROGRAM.exists() or not self.PAM.exists():
            pytest.skip('needs popa3d: tools/install-deps servers')
        if os.geteuid() != 0:
            pytest.skip('has to change its root')
        self.dir = Path(tempfile.mkdtemp(prefix='popa3d-'))
        self.dir.chmod(0o755)
        self.spools = self.dir / 'var/mail'
        for directory in ('var/mail', 'var/lib/popa3d', 'etc/pam.d'):
            (self.dir / directory).mkdir(parents=True)
        self.spools.chmod(0o1777)
        for program in (self.PROGRAM, self.PAM):
            self.install(program)
        self.add_user('root', 0)
        self.add_user('popa3d', 65533)
        (self.dir / 'etc/pam.d/popa3d').write_text(
            f'auth required {self.PAM}\naccount required {self.PAM}\n', encoding='ascii')
        self.socket = daemon.pop3.socket
        self.port = daemon.pop3.number
        self.socket.listen()
        self.children = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def install(self, program):
        needs = subprocess.run(['ldd', program], capture_output=True, text=True, check=True).stdout
        for path in [str(program)] + re.findall(r'(?<!\S)/\S+', needs):
            place = self.dir / path.lstrip('/')
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)

    def add_user(self, name, uid=UID):
        with open(self.dir / 'etc/passwd', 'a', encoding='ascii') as passwd:
            passwd.write(f'{name}:x:{uid}:{uid}::/var/lib/popa3d:/bin/false\n')

    def spool(self, user, content):
        path = self.spools / user
        if not path.exists():
            self.add_user(user)
        path.write_bytes(content)
        os.chown(path, self.UID, self.UID)
        path.chmod(0o600)
        return path

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.children.append(subprocess.Popen(
                ['chroot', str(self.dir), str(self.PROGRAM)], stdin=connection, stdout=connection,
                stderr=subprocess.DEVNULL))
            connection.close()

    def stop(self):
        """And the port is free."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(PATIENCE)
        for child in self.children:
            child.wait(PATIENCE)

    def remove(self):
        shutil.rmtree(self.dir)


def inspect(port, user, password=PASSWORD):
    """What a POP3 server shows: (UIDL, octets that LIST says, the message) for each, in order."""
    pop = poplib.POP3('127.0.0.1', port, timeout=PATIENCE)
    pop.user(user)
    pop.pass_(password)
    uidls = [line.split()[1] for line in pop.uidl()[1]]
    sizes = [int(line.split()[1]) for line in pop.list()[1]]
    texts = [b''.join(line + b'\r\n' for line in pop.retr(n)[1]) for n in range(1, len(uidls) + 1)]
    pop.quit()
    return list(zip(uidls, sizes, texts, strict=True))


# ---- Clients that keep what they fetch on the server, and fetch nothing twice ----

class Keeper:
    """A client's program with a home of its own. fetch() returns how many messages came."""

    def __init__(self, port, user, home):
        self.port, self.user = port, user
        self.home = home
        self.maildir = home / 'Mail'
        for folder in ('tmp', 'new', 'cur'):
            (self.maildir / folder).mkdir(parents=True)

    def count(self):
        return sum(len(list((self.maildir / folder).iterdir())) for folder in ('new', 'cur'))

    def secret_file(self, name, text):
        path = self.home / name
        path.write_text(text, encoding='ascii')
        path.chmod(0o600)
        return path

    def run(self, *command, may_be=(0,)):
        environment = dict(os.environ, HOME=str(self.home))
        result = subprocess.run([str(word) for word in command], env=environment, check=False,
                                capture_output=True, timeout=PATIENCE, cwd=self.home)
        assert result.returncode in may_be, result

    def fetch(self):
        before = self.count()
        self.once()
        return self.count() - before


class Mpop(Keeper):
    program = 'mpop'

    def once(self):
        config = self.secret_file('mpoprc', f'''
account a
host localhost
port {self.port}
user {self.user}
password {PASSWORD}
auth user
tls off
keep on
received_header off
uidls_file {self.home}/uidls
delivery maildir {self.maildir}
''')
        self.run('mpop', '--file', config, '--quiet', 'a')


class Fetchmail(Keeper):
    program = 'fetchmail'

    def once(self):
        mda = self.home / 'mda'
        mda.write_text('#!/bin/sh\nexec cat >"$(mktemp ' + f'{self.maildir}/new/XXXXXXXX)"\n',
                       encoding='ascii')
        mda.chmod(0o700)
        config = self.secret_file('fetchmailrc', f'''
set idfile {self.home}/fetchids
set no bouncemail
poll localhost protocol pop3 port {self.port} auth password uidl
  user {self.user} password {PASSWORD} sslproto "" keep mda {mda}
''')
        # 1: there is no mail.
        self.run('fetchmail', '-f', config, '--pidfile', self.home / 'pid', '--nosyslog',
                 may_be=(0, 1))


class Getmail(Keeper):
    program = 'getmail'

    def once(self):
        config = self.secret_file('getmailrc', f'''
[retriever]
type = SimplePOP3Retriever
server = localhost
port = {self.port}
username = {self.user}
password = {PASSWORD}
[destination]
type = Maildir
path = {self.maildir}/
[options]
delete = false
read_all = false
received = false
delivered_to = false
verbose = 0
''')
        self.run('/usr/bin/python3', '-c', GETMAIL, '--getmaildir', self.home, '--rcfile', config)


class OurClient(Keeper):
    program = None

    def once(self):
        from restante_client import RESTANTE # pylint: disable=import-outside-toplevel
        password = self.secret_file('password', PASSWORD + '\n')
        self.run(RESTANTE, 'fetch', '--host', 'localhost', '--port', self.port, '--user', self.user,
                 '--maildir', self.maildir, '--password-file', password, '--tls',
                 'send-passwords-in-clear')


KEEPERS = [Mpop, Fetchmail, Getmail, OurClient]


def keepers(port, user, home):
    """All of them that are installed."""
    return [kind(port, user, home / kind.__name__) for kind in KEEPERS
            if kind.program is None or shutil.which(kind.program)]
