# SPDX-License-Identifier: MIT
"""Mail is brought from an IMAP server: Dovecot's, whose POP3 says what clients know."""
import contextlib
import os
import socket
import threading

import pytest

from harness import PASSWORD, Port, make_certificate
from moving import ctl, message
from old_servers import Dovecot, inspect
from wire import PATIENCE

USAGE, DATAERR, IOERR, NOPERM = 64, 65, 74, 77
CLEAR = 'send-passwords-in-clear'
FORMAT = '%08Xu%08Xv' # Dovecot's own


@pytest.fixture(scope='module')
def daemon(shared):
    return shared


@pytest.fixture(scope='module')
def old(daemon):
    spool = daemon.dir / 'old'
    spool.mkdir()
    daemon.give_to_nobody(spool)
    pem = daemon.dir / 'old.pem'
    make_certificate(pem, 'localhost')
    ports = [Port() for _ in range(3)]
    for port in ports:
        port.socket.close()
    pop3, imap, imaps = (port.number for port in ports)
    server = Dovecot(daemon, location=f'maildir:{spool}/%n', port=pop3, more=f'''
protocols = pop3 imap
ssl = yes
ssl_cert = <{pem}
ssl_key = <{pem}
auth_failure_delay = 0
auth_master_user_separator = *
passdb {{
  driver = static
  master = yes
  args = password=of-the-master
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
''')
    server.spool, server.imap, server.imaps = spool, imap, imaps
    server.cafile = pem.with_suffix('.crt')
    yield server
    server.stop()


@pytest.fixture
def passwords(tmp_path):
    def give(password):
        path = tmp_path / 'passwords'
        path.write_text(f'*:{password}\n', encoding='ascii')
        path.chmod(0o600)
        return str(path)

    return give


MARKS = ['', 'S', 'FS', 'RS', 'D', 'T']


def give(daemon, old, name, numbers, folder=''):
    here, daemon.mail = daemon.mail, old.spool
    for n in numbers:
        path = daemon.store(f'{name}{folder}', message(n), f'{1700000009 - n}.M{n}P1.host:2,{MARKS[n % 6]}', 'cur')
        os.utime(path, (1700000000 + n, 1700000000 + n))
    daemon.mail = here


@pytest.fixture
def user(daemon, old):
    """One with six messages at the old server."""
    name = daemon.user()
    give(daemon, old, name, range(1, 7))
    return name


def source(old, passwords, *more, tls=CLEAR, password=PASSWORD):
    port = old.imaps if tls == 'implicit' else old.imap
    return ('--from', f'localhost:{port}', '--tls', tls, '--cafile', str(old.cafile), '--uidl-format', FORMAT,
            '--passwords', passwords(password)) + more


def files(path):
    """(arrival, flags) of each message."""
    return sorted((p.stat().st_mtime, p.name.partition(':2,')[2]) for p in path.glob('[nc][eu][wr]/*'))


def test_nothing_is_fetched_again(daemon, old, passwords):
    for tls in ('implicit', 'stls', CLEAR):
        user = daemon.user()
        give(daemon, old, user, range(1, 5))
        where = source(old, passwords, tls=tls)
        there = files(old.spool / user)
        assert f'{user}: 4 messages: 4 brought' in ctl(daemon, 'import', 'imap', user, *where)
        # Read by nobody there, and here as it was there; then its POP3 marks what it sends as seen.
        assert files(old.spool / user) == files(daemon.mail / user) == there
        before = inspect(old.port, user)
        assert inspect(daemon.pop3.number, user) == before, tls
        # The rest comes with the next run, and what is gone goes.
        give(daemon, old, user, range(5, 7))
        gone, = old.spool.glob(f'{user}/cur/*.M3P1.host*')
        gone.unlink()
        assert '5 messages: 2 brought, 3 here before, 1 gone' in ctl(
            daemon, 'import', 'imap', user, *where, '--remove-gone')
        assert inspect(daemon.pop3.number, user) == inspect(old.port, user)
        assert '0 brought, 5 here' in ctl(daemon, 'import', 'imap', user, *where)


def test_master_user(daemon, old, user, passwords):
    master = source(old, passwords, '--login', '%u*master', password='of-the-master')
    assert '6 brought' in ctl(daemon, 'import', 'imap', user, *master)
    own = daemon.dir / 'own'
    own.write_text(f'*:{PASSWORD}\n', encoding='ascii')
    own.chmod(0o600)
    said = ctl(daemon, 'verify-uidl', user, '--from', f'127.0.0.1:{old.port}', '--tls', CLEAR, '--login', '%u*master',
               '--passwords', passwords('of-the-master'), '--to', f'127.0.0.1:{daemon.pop3}', '--to-tls', CLEAR,
               '--to-passwords', str(own))
    assert said.endswith('same\n')
    assert '0 brought' in ctl(daemon, 'import', 'pop3', user, '--from', f'127.0.0.1:{old.port}', '--tls', CLEAR,
                              '--login', '%u*master', '--passwords', passwords('of-the-master'))


def test_folder_and_format(daemon, old, user, passwords):
    give(daemon, old, user, [7], '/.Junk')
    where = list(source(old, passwords))
    where[where.index(FORMAT)] = 'x%u'
    assert '1 brought' in ctl(daemon, 'import', 'imap', user, *where, '--folder', 'Junk')
    assert [uidl for uidl, _, _ in inspect(daemon.pop3.number, user)] == [b'x1']
    # Of UIDs alone, and so what another folder calls so is here already.
    assert '5 brought, 1 here' in ctl(daemon, 'import', 'imap', user, *where)


def test_what_goes_wrong(daemon, old, user, passwords):
    where = list(source(old, passwords))
    assert "'NO " in ctl(daemon, 'import', 'imap', user, *source(old, passwords, password='wrong'), status=NOPERM)
    passwords(PASSWORD)
    assert 'EXAMINE' in ctl(daemon, 'import', 'imap', user, *where, '--folder', 'a "\\ folder', status=IOERR)
    assert 'is no folder' in ctl(daemon, 'import', 'imap', user, *where, '--folder', 'a\nb', status=DATAERR)
    at = where.index('--uidl-format')
    assert '--uidl-format says' in ctl(daemon, 'import', 'imap', user, *where[:at], *where[at + 2:], status=USAGE)
    assert "%f isn't known here" in ctl(daemon, 'import', 'imap', user, *where[:at], '--uidl-format', '%f', *where[at + 2:],
                                        status=DATAERR)
    # A certificate that isn't trusted, and TLS where there is none.
    at = where.index('--cafile')
    assert 'certificate' in ctl(daemon, 'import', 'imap', user, '--tls', 'stls', *where[:2], *where[at + 2:],
                                status=IOERR)
    ctl(daemon, 'import', 'imap', user, '--tls', 'implicit', *where[:2], *where[at:], status=IOERR)
    assert ctl(daemon, 'import', 'imap', user, '--dry-run', *where).startswith(f'{user}: 6 messages (dry run): 6 would')


# ---- other servers, as far as Dovecot is none of them ----

class Scripted:
    """Answers one session. script: {the word of a command: its answer}, with %t for the tag."""

    def __init__(self, greeting='* OK hello', **script):
        self.greeting = greeting
        self.script = {'CAPABILITY': '* CAPABILITY IMAP4rev1\r\n%t OK', 'LOGIN': '%t OK',
                       'EXAMINE': '* 2 EXISTS\r\n* OK [UIDVALIDITY 9] x\r\n%t OK', **script}
        self.seen = []
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        connection, _ = self.socket.accept()
        with contextlib.suppress(ConnectionError), connection, connection.makefile('rb') as lines:
            connection.sendall(self.greeting.encode() + b'\r\n')
            for line in lines:
                self.seen.append(line.decode().rstrip())
                tag, _, command = self.seen[-1].partition(' ')
                answer = next((a for word, a in self.script.items() if command.startswith(word)), '%t BAD')
                connection.sendall(answer.replace('%t', tag).encode() + b'\r\n')

    def done(self):
        self.thread.join(PATIENCE)
        self.socket.close()
        return self.seen


LIST = ('* 1 FETCH (UID 3 FLAGS (\\Seen) INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 9)\r\n'
        '* 1 FETCH (FLAGS (\\Seen))\r\n* 5 EXPUNGE\r\n'
        '* 2 FETCH (INTERNALDATE "17-Jul-1996 02:44:25 -0700" UID 5 RFC822.SIZE 9 FLAGS ())\r\n%t OK')
WAYS = [
    ({'greeting': '* BYE full'}, 'BYE full', IOERR),
    ({'greeting': 'x' * 20000}, 'without end', IOERR),
    ({'CAPABILITY': '%t NO'}, "'NO' to CAPABILITY", IOERR),
    ({'CAPABILITY': '* CAPABILITY LOGINDISABLED\r\n%t OK'}, 'lets nobody log in', NOPERM),
    ({'LOGIN': '%t NO [AUTHENTICATIONFAILED] no'}, 'AUTHENTICATIONFAILED', NOPERM),
    ({'LOGIN': '%t NO [UNAVAILABLE] later'}, 'later', 75),
    ({'LOGIN': '+ \r\n%t BAD \x01'}, "'BAD ?' to LOGIN", IOERR),
    ({'EXAMINE': '* 1 EXISTS\r\n%t OK'}, 'says no UIDVALIDITY', IOERR),
    ({'UID FETCH 1:': '%t NO too much'}, 'too much', IOERR),
]


@pytest.mark.parametrize('script, said, status', WAYS, ids=[way[1] for way in WAYS])
def test_refusals(daemon, passwords, script, said, status):
    server = Scripted(**script)
    assert said in ctl(daemon, 'import', 'imap', daemon.user(), '--from', f'127.0.0.1:{server.port}', '--tls', CLEAR,
                       '--uidl-format', FORMAT, '--passwords', passwords('pass"w\\ord'), status=status)
    server.done()


def test_login_and_strings(daemon, passwords):
    server = Scripted(**{'UID FETCH 1:': LIST, 'UID FETCH 3 ': '* 1 FETCH (BODY[] "a: \\"b\\\\" UID 3)\r\n%t OK',
                         'UID FETCH 5 ': '%t OK nothing'})
    user = daemon.user()
    assert 'UID 5 is gone' in ctl(daemon, 'import', 'imap', user, '--from', f'127.0.0.1:{server.port}', '--tls', CLEAR,
                                  '--uidl-format', '%v.%u', '--passwords', passwords('pass"w\\ord'), status=DATAERR)
    seen = server.done()
    assert f'r2 LOGIN "{user}" "pass\\"w\\\\ord"' in seen
    assert inspect(daemon.pop3.number, user) == [(b'9.3', 8, b'a: "b\\\r\n')]
    path, = daemon.mail.glob(f'{user}/cur/*')
    assert path.name.endswith(':2,S') and path.stat().st_mtime == 837596665


def test_no_tls(daemon, passwords):
    """Nothing goes out in clear; nor is anything believed that came in clear behind the OK."""
    for capabilities, answer, said in (('', '%t OK', 'offers no STARTTLS'), (' STARTTLS', '%t NO', "'NO' to STARTTLS"),
                                       (' STARTTLS', '%t OK\r\n* CAPABILITY AUTH=PLAIN', 'more in clear')):
        server = Scripted(CAPABILITY=f'* CAPABILITY IMAP4rev1{capabilities}\r\n%t OK', STARTTLS=answer)
        assert said in ctl(daemon, 'import', 'imap', daemon.user(), '--from', f'127.0.0.1:{server.port}', '--tls', 'stls',
                           '--uidl-format', FORMAT, '--passwords', passwords('secret'), status=IOERR)
        assert not [line for line in server.done() if 'LOGIN' in line or 'AUTH' in line]
