# SPDX-License-Identifier: MIT
"""Thousands of real mails in by LMTP, and out over POP3S by programs that others wrote.

Each is delivered once to a user for each program, and each program must end up with exactly what
was delivered, octet for octet. What a program itself changes on the way is said where it is called.
"""
import collections
import hashlib
import mailbox
import os
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

import corpus
from getmail import GETMAIL
from harness import BUILD, PASSWORD, running
from lmtp_client import Lmtp, stuff

try:
    import getmailcore.message
except ImportError:
    getmailcore = None

PROGRAMS = ['curl', 'mpop', 'fetchmail', 'getmail', 'restante', 'wire']
CONNECTIONS = 8
RETURN_PATH = b'Return-Path: <sender@example.net>\r\n'


def deliver(daemon, users, texts):
    """As fast as LMTP allows: what need not wait for a reply doesn't, message and next envelope in one."""
    envelope = ('MAIL FROM:<sender@example.net> BODY=8BITMIME\r\n' +
                ''.join(f'RCPT TO:<{user}@example.org>\r\n' for user in users) + 'DATA\r\n').encode()
    n = len(users)
    with Lmtp(daemon.lmtp) as lmtp:
        lmtp.hello()
        for text in texts:
            lmtp.send(envelope)
            assert [r.code for r in lmtp.replies(n + 2)] == [250] * (n + 1) + [354]
            lmtp.send(stuff(text))
            assert [r.code for r in lmtp.replies(n)] == [250] * n


@pytest.fixture(scope='module', autouse=True)
def in_memory():
    """Tens of thousands of files and syncs: what is tested is the same where they cost nothing."""
    memory = Path('/dev/shm')
    if memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, 'tempdir', str(memory))
            patch.setenv('TMPDIR', str(memory))
            yield
    else:
        yield


@pytest.fixture(scope='module')
def server():
    """With the corpus in the maildrop of each program's user: server.users."""
    with running() as start:
        daemon = start(log_level='info')
        daemon.users_of = {program: daemon.user() for program in PROGRAMS}
        texts = [text for _, text in corpus.mails()]
        failed = []

        def work(part):
            try:
                deliver(daemon, daemon.users_of.values(), part)
            except BaseException as e:  # pylint: disable=broad-except
                failed.append(e)

        threads = [threading.Thread(target=work, args=(texts[i::CONNECTIONS],))
                   for i in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        daemon.delivered = [RETURN_PATH + text for text in texts]
        yield daemon


def digests(texts):
    return collections.Counter(hashlib.sha256(text).digest() for text in texts)


def expect(got, wanted, spoiled=()):
    """The same mails, each as often, in whatever order; the program itself may have spoiled some."""
    lost = digests(wanted) - digests(got)
    extra = digests(got) - digests(wanted)
    if lost - digests(spoiled) or sum(lost.values()) != sum(extra.values()):
        def first(texts, which):
            return next((t for t in texts if hashlib.sha256(t).digest() in which), b'')

        one, other = first(wanted, lost - digests(spoiled)), first(got, extra)
        at = len(os.path.commonprefix([one, other]))
        pytest.fail(f'{sum(lost.values())} mails are missing, {sum(extra.values())} are others; they '
                    f'differ at {at}:\n{one[at - 200:at + 200]}\n{other[at - 200:at + 200]}')


def crlf(text):
    """From a program that stores lines with LF. Nothing in the corpus's wire form gets lost by that."""
    assert b'\r' not in text
    return text.replace(b'\n', b'\r\n')


def run(*args, **how):
    if shutil.which(args[0]) is None:
        pytest.skip(f'there is no {args[0]}')
    result = subprocess.run(list(map(str, args)), capture_output=True, timeout=600, check=False,
                            **how)
    assert result.returncode == 0, (result.stdout[-3000:], result.stderr[-3000:])
    return result


@pytest.fixture
def folder():
    """For the program's files and what it fetches."""
    with tempfile.TemporaryDirectory(prefix='restante-fetched-') as path:
        os.chmod(path, 0o755)
        yield Path(path)


def certificate(server):
    return server.pem.with_suffix('.crt')


def secret_file(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_wire(server, folder):
    """All RETRs in one go, without reading first."""
    n = len(server.delivered)
    with server.wire(server.users_of['wire'], tls=True) as wire:
        sizes = wire.sizes()
        assert len(sizes) == n
        sender = threading.Thread(target=wire.send, args=(
            b''.join(b'RETR %d\r\n' % i for i in range(1, n + 1)),))
        sender.start()
        got = []
        for i in range(1, n + 1):
            wire.ok()
            got.append(wire.octets())
            assert len(got[-1]) == sizes[i]
        sender.join()
        wire.quit()
    expect(got, server.delivered)


def test_curl(server, folder):
    """Changes nothing."""
    user = server.users_of['curl']
    n = len(server.delivered)
    run('curl', '--silent', '--show-error', '--fail', '--cacert', certificate(server),
        '--config', secret_file(folder / 'curlrc', f'user = "{user}:{PASSWORD}"\n'),
        '--output', folder / '#1', f'pop3s://localhost:{server.pop3s}/[1-{n}]')
    expect([(folder / str(i)).read_bytes() for i in range(1, n + 1)], server.delivered)


def test_mpop(server, folder):
    """Stores lines with LF. It puts a Received line in front, unless received_header says off."""
    user = server.users_of['mpop']
    maildir = folder / 'Maildir'
    mailbox.Maildir(maildir)
    config = secret_file(folder / 'mpoprc', f'''
account test
host localhost
port {server.pop3s}
tls on
tls_starttls off
tls_trust_file {certificate(server)}
auth user
user {user}
password {PASSWORD}
delivery maildir {maildir}
uidls_file {folder}/uidls
received_header off
keep on
''')
    run('mpop', '--file', config, '--quiet', 'test')
    expect([crlf(path.read_bytes()) for path in (maildir / 'new').iterdir()], server.delivered)


def bsmtp(batch):
    """(envelope, message) of each mail in a batch: MAIL, RCPT, DATA, the message with dots stuffed."""
    at = 0
    while at < len(batch):
        data = batch.index(b'DATA\r\n', at) + 6
        end = batch.index(b'\r\n.\r\n', data - 2) + 2
        yield batch[at:data], re.sub(rb'(?m)^\.', b'', batch[data:end])
        at = end + 3


def test_fetchmail(server, folder):
    """
    Hands mail on to an MTA, so it takes out Return-Path and says it in MAIL FROM: together they are
    what came. What a line has beyond 8 KiB it spoils (6.4.37). It would also rewrite addresses,
    decode MIME and add a Received line: that is switched off.
    """
    if not corpus.is_whole():
        pytest.skip('the mails that stand in for the corpus are odder than fetchmail can bear')
    user = server.users_of['fetchmail']
    config = secret_file(folder / 'fetchmailrc', f'''
set invisible
set idfile {folder}/ids
set pidfile {folder}/pid
poll localhost protocol POP3 service {server.pop3s} uidl:
    user "{user}" password "{PASSWORD}" is root here
    ssl sslcertck sslcertfile "{certificate(server)}"
    bsmtp "{folder}/batch"
    fetchall keep no rewrite no mimedecode pass8bits no stripcr no forcecr no dropstatus
    no dropdelivered
''')
    run('fetchmail', '--fetchmailrc', config, '--silent', env={**os.environ, 'HOME': str(folder)})
    got = []
    for envelope, text in bsmtp((folder / 'batch').read_bytes()):
        sender = re.match(rb'MAIL FROM:(<.*?>)', envelope)[1]
        got.append(b'Return-Path: ' + sender + b'\r\n' + text)

    long = [text for text in server.delivered if max(map(len, text.split(b'\r\n'))) > 8000]
    assert len(long) < 5
    expect(got, server.delivered, spoiled=long)


@pytest.mark.skipif(getmailcore is None, reason='there is no getmail6')
def test_getmail(server, folder):
    """
    Takes mail apart with Python's email package and puts it together again, with lines in LF; that
    changes what isn't well-formed. So what it must store is what its own code makes of what was
    delivered.
    """
    user = server.users_of['getmail']
    maildir = folder / 'Maildir'
    mailbox.Maildir(maildir)
    config = secret_file(folder / 'getmailrc', f'''
[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = {server.pop3s}
username = {user}
password = {PASSWORD}
ca_certs = {certificate(server)}
[destination]
type = Maildir
path = {maildir}/
[options]
delete = false
received = false
delivered_to = false
verbose = 0
''')
    run('/usr/bin/python3', '-c', GETMAIL, '--getmaildir', folder, '--rcfile', config)

    def stored(text):
        message = getmailcore.message.Message(fromlines=text.split(b'\r\n'))
        return message.flatten(False, False)

    wanted = [stored(text) for text in server.delivered]
    expect([path.read_bytes() for path in (maildir / 'new').iterdir()], wanted)


def test_restante(server, folder):
    """Changes nothing."""
    user = server.users_of['restante']
    maildir = folder / 'Maildir'
    run(BUILD / 'src/client/restante', 'fetch', '--host', 'localhost', '--port', server.pop3s,
        '--cafile', certificate(server), '--user', user,
        '--password-file', secret_file(folder / 'password', PASSWORD + '\n'),
        '--maildir', maildir, '--state-file', folder / 'state', '--quiet')
    expect([path.read_bytes() for path in (maildir / 'new').iterdir()], server.delivered)
