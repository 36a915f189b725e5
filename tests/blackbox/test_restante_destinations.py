# SPDX-License-Identifier: MIT
"""Where restante's mail goes, other than into a Maildir: mbox files, programs, and LMTP, SMTP and IMAP servers."""
import calendar
import fcntl
import imaplib
import itertools
import mailbox
import os
import re
import resource
import shutil
import socket
import ssl
import stat
import tempfile
import threading
import time
from pathlib import Path

import pytest

from bad_server import Mail
from harness import PASSWORD, Port, running
from old_servers import Dovecot
from restante_client import CONFIG, DATAERR, IOERR, PROTOCOL, TEMPFAIL
from wire import PATIENCE

TEXTS = [b'Return-Path: <bob@example.org>\r\nSubject: one\r\n\r\nbody\r\n',
         b'Subject: two\r\n\r\nFrom here\r\n>From there\r\n From\r\nFrom\r\n.dot\r\n\x80\xff\r\n',
         b'Subject: three\r\n\r\n' + b'x' * 200000 + b'\r\n']


def mails(*texts):
    return [Mail(f'u{n}-{hash(t) & 0xffff}', t) for n, t in enumerate(texts, 1)]


@pytest.fixture
def server(bad_server, client):
    s = bad_server(mails(*TEXTS))
    client.at(s.port, cafile=bad_server.cafile)
    return s


def to(client, *options):
    """The account's mail goes there, and not into its Maildir."""
    at = client.account.index('--maildir')
    client.account[at:at + 2] = map(str, options)
    return client


def script(client, text):
    """A program that is given messages; $OUT is a folder for what it wants to leave."""
    out = client.home / 'out'
    out.mkdir(exist_ok=True)
    path = client.home / 'take'
    path.write_text(f'#!/bin/sh\nOUT={out}\n{text}\n')
    path.chmod(0o755)
    return path, out


# ---- mbox ----

def unquoted(path):
    """The messages of an mboxrd, with CRLF, by the rules and not by our own code."""
    text = path.read_bytes()
    assert text.startswith(b'From ') and text.endswith(b'\n\n')
    parts = re.split(rb'(?:\A|(?<=\n\n))From [^\n]*\n', text)[1:]
    return [re.sub(rb'(?m)^>(>*From )', rb'\1', p[:-1]).replace(b'\n', b'\r\n') for p in parts]


def test_mbox(server, client):
    box = client.home / 'mail/box'
    to(client, '--mbox', box)
    client.fetch()
    assert unquoted(box) == TEXTS
    assert [m['Subject'] for m in mailbox.mbox(box)] == ['one', 'two', 'three']
    assert re.match(rb'From bob@example\.org \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n', box.read_bytes())
    assert b'\nFrom MAILER-DAEMON ' in box.read_bytes()
    assert stat.S_IMODE(box.stat().st_mode) == 0o600
    assert os.listdir(box.parent) == ['box']  # no lock, no draft
    server.mails += mails(b'Subject: four\r\n\r\n')
    assert '1 fetched' in client.fetch('--delete').out
    assert unquoted(box) == TEXTS + [b'Subject: four\r\n\r\n']
    assert server.mails == []
    assert list(client.state.parent.glob('*mbox*')) == []


def test_mbox_behind_a_message_without_end(server, client):
    box = client.home / 'box'
    box.write_bytes(b'From x\nSubject: old\n\nno end')
    to(client, '--mbox', box)
    client.fetch()
    assert unquoted(box)[1:] == TEXTS
    assert mailbox.mbox(box)[0].get_payload() == 'no end\n'


@pytest.mark.parametrize('what', ['file', 'folder'])
def test_no_mbox(server, client, what):
    box = client.home / 'box'
    if what == 'file':
        box.write_text('my thesis')
    else:
        box.mkdir()
    to(client, '--mbox', box)
    assert 'no mbox' in client.fetch(status=CONFIG).err
    assert what == 'folder' or box.read_text() == 'my thesis'
    assert server.said() == []


def test_mbox_locked_by_others(server, client):
    box = client.home / 'box'
    box.write_bytes(b'')
    to(client, '--mbox', box, '--timeout', '1')
    with open(box, 'r+b') as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        assert 'locked' in client.fetch(status=TEMPFAIL).err
    dot = client.home / 'box.lock'
    dot.write_text(f'{os.getpid()}\n')
    assert 'locked' in client.fetch(status=TEMPFAIL).err
    assert dot.exists() and box.read_bytes() == b''
    dot.write_text('4194304\n')  # a process that can't be: it was killed
    client.fetch()
    assert unquoted(box) == TEXTS and not dot.exists()


def test_mbox_dry_run(server, client):
    to(client, '--mbox', client.home / 'box')
    assert client.fetch('--dry-run').err.count('would fetch') == 3
    assert not (client.home / 'box').exists()


def test_mbox_on_a_full_disk(server, client):
    """It is as it was, and all is fetched when there is room again."""
    box = client.home / 'box'
    to(client, '--mbox', box)
    server.mails[:] = mails(TEXTS[0])
    client.fetch()
    before = box.read_bytes()
    server.mails[:] = mails(*TEXTS, b'Subject: big\r\n\r\n' + b'y' * 3000000 + b'\r\n')
    for limit in (1, 300, 200, 500):  # KiB of a file: of the mbox, its journal, or what comes
        done = client.run('fetch', *client.account, '--delete',
                          preexec_fn=lambda n=limit: resource.setrlimit(
                              resource.RLIMIT_FSIZE, (n * 1024, n * 1024)))
        assert done.status == IOERR, done
        assert box.read_bytes() == before and len(server.mails) == 4
    client.fetch('--delete')
    assert sorted(map(len, unquoted(box))) == sorted(map(len, TEXTS + [b'y' * 3000018]))
    assert server.mails == []


# ---- A program ----

def test_command(server, client):
    path, out = script(client, 'cat >"$OUT/$RESTANTE_KEY" && echo "$RESTANTE_ACCOUNT $RESTANTE_UIDL '
                               '$RESTANTE_SIZE $*" >>"$OUT/told"; echo said')
    to(client, '--deliver-command', f'{path} a  $b "c"')
    done = client.fetch('--delete')
    assert 'said' in done.err and 'said' not in done.out
    told = (out / 'told').read_text().splitlines()
    uidls = [m.uidl.decode() for m in mails(*TEXTS)]
    assert told == [f'alice@localhost {u} {len(t)} a $b "c"' for u, t in zip(uidls, TEXTS)]
    (out / 'told').unlink()
    assert sorted(p.read_bytes() for p in out.iterdir()) == sorted(TEXTS)
    assert server.mails == []


@pytest.mark.parametrize('end, status, said', [
    ('exit 1', DATAERR, "1 that can't be delivered"), ('exit 75', TEMPFAIL, '1 to be delivered later'),
    ('kill -9 $$', TEMPFAIL, '1 to be delivered later'), ('sleep 100', TEMPFAIL, 'within 1 s')])
def test_command_refuses(server, client, end, status, said):
    """What it doesn't take stays on the server, and comes again; the others are taken."""
    path, out = script(client, f'cat >$OUT/now; if grep -q two $OUT/now; then {end}; fi\n'
                               'mv $OUT/now $OUT/$RESTANTE_KEY')
    to(client, '--deliver-command', path, '--timeout', '1' if 'sleep' in end else '1m')
    done = client.fetch('--delete', status=status)
    assert said in done.out + done.err
    assert [m.octets for m in server.mails] == [TEXTS[1]]
    script(client, 'cat >$OUT/$RESTANTE_KEY')
    client.fetch('--delete')
    assert server.mails == []
    assert sorted(p.read_bytes() for p in out.iterdir() if p.name != 'now') == sorted(TEXTS)


def test_command_away(server, client):
    """When nothing is taken it doesn't go on asking; and a command that isn't there is said first."""
    path, out = script(client, 'echo >>$OUT/n; exit 75')
    server.mails[:] = mails(*(b'Subject: %d\r\n\r\n' % i for i in range(30)))
    to(client, '--deliver-command', path)
    client.fetch(status=TEMPFAIL)
    assert len((out / 'n').read_text().splitlines()) == 10
    path.unlink()
    server.sessions.clear()
    assert 'cannot run' in client.fetch(status=CONFIG).err
    assert server.said() == []


def test_message_that_is_cut_is_given_to_nobody(server, client):
    path, out = script(client, 'cat >$OUT/$RESTANTE_KEY')
    to(client, '--deliver-command', path)
    server.cut = 100000
    client.fetch(status=TEMPFAIL)
    assert sorted(p.read_bytes() for p in out.iterdir()) == sorted(TEXTS[:2])


# ---- LMTP ----

class Taker(threading.Thread):
    """An LMTP server on a UNIX socket, or an SMTP server on a port, that answers as told:
    on['RCPT'] = b'550 no'."""

    def __init__(self, path=None):
        super().__init__(daemon=True)
        self.on = {}
        self.taken, self.said = [], []
        self.connections = 0
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(str(path) if path else ('127.0.0.1', 0))
        self.listener.listen()
        self.start()

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            sock.settimeout(PATIENCE)
            try:
                with sock, sock.makefile('rwb') as f:
                    self.serve(f)
            except OSError:  # nobody waits for what QUIT is answered
                pass

    def serve(self, f):
        def say(verb, usual):
            f.write(self.on.get(verb, usual) + b'\r\n')
            f.flush()

        say('', b'220 here')
        while line := f.readline():
            self.said.append(line.rstrip(b'\r\n').decode())
            verb = line[:4].decode().upper()
            if verb in ('LHLO', 'EHLO'):
                say(verb, b'250-here\r\n250-8BITMIME\r\n250 PIPELINING')
            elif verb == 'DATA':
                say(verb, b'354 go on')
                if verb in self.on:
                    continue
                text = b''
                while not text.endswith(b'\r\n.\r\n'):
                    text += f.readline()
                if '.' not in self.on:
                    self.taken.append(text[:-3].replace(b'\r\n..', b'\r\n.'))
                say('.', b'250 taken')
            else:
                say(verb, b'250 fine')
            if verb in self.on and self.on[verb] == b'':
                return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def taker(client):
    t = Taker(client.home / 'lmtp')
    to(client, '--lmtp', f'unix:{client.home}/lmtp', '--recipient', 'alice@example.org')
    yield t
    t.close()


def test_lmtp(server, client, taker):
    client.fetch('--delete')
    assert taker.taken == TEXTS and server.mails == []
    assert taker.said[1:4] == ['MAIL FROM:<bob@example.org> BODY=8BITMIME', 'RCPT TO:<alice@example.org>', 'DATA']
    assert 'MAIL FROM:<> BODY=8BITMIME' in taker.said


@pytest.mark.parametrize('verb', ['MAIL', 'RCPT', 'DATA', '.'])
@pytest.mark.parametrize('code, status', [(b'451', TEMPFAIL), (b'552', DATAERR)])
def test_lmtp_refuses(server, client, taker, verb, code, status):
    taker.on[verb] = code + b'-4.3.0 no,\r\n' + code + b' and \x1b[31m no'
    done = client.fetch('--delete', status=status)
    assert f'refused it: {code.decode()} and ?[31m no' in done.err
    assert len(server.mails) == 3 and taker.taken == []
    del taker.on[verb]
    client.fetch('--delete')
    assert taker.taken == TEXTS and server.mails == []


@pytest.mark.parametrize('verb, reply', [('', b'421 too busy'), ('LHLO', b'500 what?'), ('', b'nonsense'),
                                         ('MAIL', b'99 x'), ('LHLO', b'250-x\r\n' * 500 + b'250 x'),
                                         ('RCPT', b'x' * 10000)])
def test_lmtp_has_no_sense(server, client, taker, verb, reply):
    """One message is enough to see it."""
    taker.on[verb] = reply
    client.fetch('--delete', status=TEMPFAIL)
    assert taker.connections == 1 and len(server.mails) == 3


def test_lmtp_away(server, client):
    to(client, '--lmtp', f'unix:{client.home}/nobody', '--recipient', 'x@example.org')
    assert 'cannot connect' in client.fetch(status=TEMPFAIL).err
    to_port = Port()
    to_port.socket.close()
    client.account[client.account.index('--lmtp') + 1] = f'[127.0.0.1]:{to_port.number}'
    client.fetch(status=TEMPFAIL)
    assert len(server.mails) == 3


@pytest.mark.parametrize('option, value, said', [
    ('--lmtp', 'unix:run/lmtp', 'must be HOST'), ('--lmtp', '[::1', 'must be HOST'), ('--lmtp', 'h:0', 'must be HOST'),
    ('--lmtp', 'h', 'need a recipient'), ('--deliver-command', 'cat', 'absolute path')])
def test_what_cannot_be(client, option, value, said):
    client.at(1)
    to(client, option, value)
    assert said in client.fetch(status=64).err


def test_one_destination(client):
    """The command line's is in the place of the configured one; two of them aren't possible."""
    client.at(1)
    assert 'exclude each other' in client.fetch('--mbox', 'box', status=64).err
    client.configure('account a {\n host = h\n user = u\n maildir = ~/M\n mbox = ~/m\n}\n')
    assert 'exclude each other' in client.run('fetch').err
    client.configure('account a {\n host = h\n user = u\n mbox = ~/m\n on_server = mirror\n}\n')
    assert 'mirror needs a maildir' in client.run('fetch').err


def test_other_destination_this_time(server, client):
    """Nobody is asked for the password of the one that isn't used."""
    client.configure(f'''account a {{
  host = localhost
  port = {server.port}
  user = alice
  password_file = {client.password}
  cafile = {client.account[client.account.index('--cafile') + 1]}
  imap = "imaps://imap.example.org"
  deliver_user = bob
  deliver_password_command = "exit 1"
}}''')
    assert 'password_command' in client.run('fetch').err
    assert client.run('fetch', '--mbox', 'box').status == 0
    assert unquoted(client.home / 'box') == TEXTS


@pytest.fixture(scope='module')
def dovecot(certificate):
    """With LMTP on a socket and IMAP on two ports; each user's mail in a Maildir."""
    if not all(Path('/usr/lib/dovecot', name).exists() for name in ('lmtp', 'imap')):
        pytest.skip("needs Dovecot's LMTP and IMAP: tools/install-deps servers")
    place = Path(tempfile.mkdtemp(prefix='restante-dovecot-'))
    place.chmod(0o777)
    imap, imaps = Port(), Port()
    imap.socket.close()
    imaps.socket.close()
    with running() as start:
        daemon = start()
        server = Dovecot(daemon, location=f'maildir:{place}/%n', port=Port().number, more=f'''
protocols = pop3 lmtp imap
ssl = yes
auth_failure_delay = 0
ssl_cert = <{certificate}
ssl_key = <{certificate}
service imap-login {{
  inet_listener imap {{
    port = {imap.number}
  }}
  inet_listener imaps {{
    port = {imaps.number}
  }}
}}
service lmtp {{
  unix_listener {place}/lmtp {{
    mode = 0666
  }}
}}
protocol lmtp {{
  auth_username_format = %n
}}
''')
        server.place, server.imap, server.imaps = place, imap.number, imaps.number
        yield server
        server.stop()
    shutil.rmtree(place)


def test_lmtp_of_dovecot(server, client, dovecot):
    to(client, '--lmtp', f'unix:{dovecot.place}/lmtp', '--recipient', 'anna@example.org')
    client.fetch('--delete')
    got = [p.read_bytes() for p in (dovecot.place / 'anna/new').iterdir()]
    assert len(got) == 3 and server.mails == []
    for text in TEXTS:
        body = text.partition(b'\r\n\r\n')[2].replace(b'\r\n', b'\n')
        assert any(m.partition(b'\n\n')[2] == body for m in got), dovecot.log()


# ---- SMTP ----

@pytest.fixture
def relay(client):
    t = Taker()
    to(client, '--smtp', f'smtp://127.0.0.1:{t.listener.getsockname()[1]}', '--recipient', 'alice@example.org')
    yield t
    t.close()


def test_smtp(server, client, relay):
    server.mails += mails(b'Subject: lf\r\n\r\na\nb\r\n.\r\n')
    client.fetch('--delete')
    assert relay.taken == TEXTS + [b'Subject: lf\r\n\r\na\r\nb\r\n.\r\n'] and server.mails == []
    assert [c for c in relay.said if c[:4] in ('MAIL', 'RCPT')][:2] == ['MAIL FROM:<bob@example.org>',
                                                                    'RCPT TO:<alice@example.org>']
    assert relay.connections == 1


@pytest.mark.parametrize('verb', ['MAIL', 'RCPT', 'DATA', '.'])
@pytest.mark.parametrize('code, status', [(b'451', TEMPFAIL), (b'552', DATAERR)])
def test_smtp_refuses(server, client, relay, verb, code, status):
    relay.on[verb] = code + b' 4.3.0 no \x1b[31m'
    done = client.fetch('--delete', status=status)
    assert f'refused it: {code.decode()} 4.3.0 no ?[31m' in done.err
    assert len(server.mails) == 3 and relay.taken == []
    del relay.on[verb]
    client.fetch('--delete')
    assert relay.taken == TEXTS and server.mails == []


@pytest.mark.parametrize('verb, reply', [('', b'554 go away'), ('', b'421 later')])
def test_smtp_has_no_sense(server, client, relay, verb, reply):
    relay.on[verb] = reply
    client.fetch('--delete', status=TEMPFAIL)
    assert relay.connections == 1 and len(server.mails) == 3


def test_smtp_password_only_in_tls(server, client, relay):
    secret = client.home / 'secret'
    secret.write_text('hush')
    secret.chmod(0o600)
    client.fetch('--deliver-user', 'bob', '--deliver-password-file', secret, status=PROTOCOL)
    assert not any('AUTH' in c for c in relay.said) and len(server.mails) == 3


def test_smtp_of_restanted(server, client, make_daemon):
    port = Port()
    port.socket.close()
    daemon = make_daemon(smtp_listen=[f'127.0.0.1:{port.number}'])
    user = daemon.user()
    to(client, '--smtp', f'smtp://127.0.0.1:{port.number}', '--recipient', f'{user}@example.org')
    client.fetch('--delete')
    got = [p.read_bytes() for p in (daemon.mail / user / 'new').iterdir()]
    assert sorted(m[-40:] for m in got) == sorted(t[-40:] for t in TEXTS)


# ---- IMAP ----

@pytest.fixture
def imap(client, dovecot, certificate):
    """The account's mail goes to a user's folder in Dovecot."""
    user = f'imap{next(NUMBERS)}'

    def use(url=f'imaps://localhost:{dovecot.imaps}', folder='Old.Gmail', flags='\\Seen $Old'):
        to(client, '--imap', url, '--imap-folder', folder, '--imap-flags', flags, '--deliver-user', user,
           '--deliver-password-file', client.password, '--deliver-cafile', certificate.with_suffix('.crt'))

    def look(folder='Old.Gmail'):
        """[(date, flags, octets)]"""
        with imaplib.IMAP4('127.0.0.1', dovecot.imap) as c:
            c.starttls(ssl._create_unverified_context())  # pylint: disable=protected-access
            c.login(user, PASSWORD)
            if c.select(f'"{folder}"')[0] != 'OK':
                return []
            found = c.fetch('1:*', '(INTERNALDATE FLAGS BODY.PEEK[])')[1]
            return [(imaplib.Internaldate2tuple(f[0]), set(imaplib.ParseFlags(f[0])), f[1])
                    for f in found if isinstance(f, tuple)]

    use.look = look
    yield use


NUMBERS = itertools.count()
DATED = [b'Received: from a by b;\r\n Fri, 3 Jan 2020 10:00:00 +0900\r\nDate: Thu, 2 Jan 2020 00:00:00 +0000\r\n'
         b'Message-ID: <1@x>\r\n\r\nbody\r\n',
         b'Date: Thu, 2 Jan 2020 03:04:05 +0000\r\nMessage-ID: <"q\\\\"@x>\r\n\r\n' + b'x' * 300000 + b'\r\n']


@pytest.mark.parametrize('scheme', ['imaps', 'imap'])
def test_imap(server, client, imap, dovecot, scheme):
    server.mails[:] = mails(*DATED)
    imap(f'{scheme}://localhost:{getattr(dovecot, scheme)}')
    client.fetch('--delete')
    got = imap.look()
    assert [m for _, _, m in got] == DATED and server.mails == []
    assert [calendar.timegm(time.gmtime(time.mktime(d))) for d, _, _ in got] == [1578013200, 1577934245]
    assert all({b'\\Seen', b'$Old'} <= f for _, f, _ in got)
    server.mails[:] = mails(*DATED)
    assert '0 fetched' in client.fetch('--keep').out
    assert len(imap.look()) == 2


def test_imap_password_and_certificate(server, client, imap):
    imap()
    wrong = client.home / 'wrong'
    wrong.write_text('wrong')
    wrong.chmod(0o600)
    assert 'denied' in client.fetch('--deliver-password-file', wrong, status=CONFIG).err
    at = client.account.index('--deliver-cafile')
    del client.account[at:at + 2]
    assert 'certificate' in client.fetch(status=PROTOCOL).err
    assert len(server.mails) == 3 and imap.look() == []


def test_imap_killed_before_it_remembers(server, client, imap):
    """The message that was on its way isn't appended twice: the server is asked whether it has it."""
    server.mails[:] = mails(*DATED, b'Subject: without an id\r\n\r\n')
    imap()
    client.fetch('--delete')
    before = client.state.read_bytes()
    server.mails[:] = mails(DATED[0].replace(b'<1@x>', b'<2@x>'))
    client.fetch('--keep')
    client.state.write_bytes(before)  # as if the last transaction had never been
    client.fetch('--delete')
    got = [m for _, _, m in imap.look()]
    assert len(got) == 4 and len(set(got)) == 4 and server.mails == []


@pytest.mark.parametrize('answer, status', [(b'NO [OVERQUOTA] full', TEMPFAIL), (b'NO never', DATAERR),
                                            (b'BAD what', DATAERR), (b'x', TEMPFAIL)])
def test_imap_refuses(server, client, certificate, answer, status):
    """After the login, an IMAP server that takes nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(('127.0.0.1', 0))

    def serve():
        sock, _ = listener.accept()
        with context.wrap_socket(sock, server_side=True) as s, s.makefile('rwb') as f:
            f.write(b'* OK here\r\n')
            f.flush()
            while line := f.readline():
                tag, _, rest = line.partition(b' ')
                if rest.startswith(b'CAPABILITY'):
                    f.write(b'* CAPABILITY IMAP4rev1\r\n')
                f.write(tag + b' ' + (answer if rest.startswith(b'APPEND') else b'OK fine') + b'\r\n')
                f.flush()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    to(client, '--imap', f'imaps://localhost:{listener.getsockname()[1]}', '--deliver-user', 'bob',
       '--deliver-password-file', client.password, '--deliver-cafile', certificate.with_suffix('.crt'))
    client.fetch('--delete', status=status)
    assert len(server.mails) == 3
    listener.close()

