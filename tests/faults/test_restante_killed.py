# SPDX-License-Identifier: MIT
"""restante dies, or its disk fails, at every call to the disk and at random moments: after the next
session each message is in the Maildir once, octet for octet, and nothing is left half done."""
import random
import shutil
import signal
import subprocess
import threading

import pytest

from bad_server import Mail
from harness import BUILD
from restante_client import IOERR, RESTANTE
from wire import PATIENCE

BREAK_AT = BUILD / 'tests/faults/break_at.so'
needs_break_at = pytest.mark.skipif(not BREAK_AT.exists(), reason='built with sanitizers')

EIO, ENOSPC = 5, 28


def mails(tag, n):
    return [Mail(f'{tag}-{i}', b'Message-Id: <%s.%d@x>\r\n\r\n.body %d\r\n' % (tag.encode(), i, i) * (1 + i))
            for i in range(1, n + 1)]


@pytest.fixture
def server(bad_server, client):
    s = bad_server()
    client.at(s.port, cafile=bad_server.cafile)
    return s


def broken(client, how, *args, at=1, only=None):
    """A session whose call number at is broken. None when there weren't so many."""
    count = client.home / 'count'
    count.unlink(missing_ok=True)
    process = client.spawn('fetch', *client.account, *args, env={
        'LD_PRELOAD': str(BREAK_AT), 'BREAK_AT': str(at), 'BREAK_HOW': str(how),
        'BREAK_COUNT': str(count)} | ({'BREAK_ONLY': only} if only else {}))
    out, err = process.communicate(timeout=PATIENCE)
    assert b'Assertion' not in err, err
    if count.exists() and int(count.read_text()) < at:
        assert process.returncode == 0, (out, err)
        return None
    return process.returncode


def read_some(client):
    """A mail reader comes along: it moves what is new, and renames what it has moved."""
    for path in (client.maildir / 'new').glob('*'):
        path.rename(client.maildir / 'cur' / f'{path.name}:2,')
    for path in list((client.maildir / 'cur').glob('*:2,'))[::2]:
        path.rename(f'{path}S')


def start_over(client, server, tag):
    """No mail, but what is remembered stays: as it would be on any day."""
    for path in client.paths():
        path.unlink()
    server.mails[:] = mails(tag, 3)
    return [m.octets for m in server.mails]


@needs_break_at
@pytest.mark.parametrize('how, mode', [('before', '--keep'), ('before', '--delete'), (EIO, '--keep'),
                                       (ENOSPC, '--delete')])
def test_every_call(server, client, mode, how):
    at = 0
    status = 0
    while status is not None:
        at += 1
        expected = start_over(client, server, f'{how}{at}')
        if at % 2 == 0 and client.state.exists():
            shutil.rmtree(client.state.parent)  # the first session of all
        status = broken(client, how, mode, at=at)
        if how == 'before':
            assert status in (None, -signal.SIGKILL)
        else:
            # Some calls may fail and nobody minds.
            assert status in (None, 0, IOERR), (status, at)
        if server.sessions:
            server.last()
        for m in client.mails():
            assert m in expected
        if at % 3 == 0:
            read_some(client)
        client.fetch(mode)
        client.check(expected)
        assert len(server.mails) == (0 if mode == '--delete' else 3)
    assert at > 20


@needs_break_at
def test_folder_cannot_be_synced(server, client):
    """Nobody may rely then on what is in it: a second sync would say that all is well."""
    server.mails[:] = mails('a', 1)
    client.fetch()
    server.mails[:] = mails('b', 3)
    assert broken(client, EIO, '--delete', only='folder') == IOERR
    assert len(client.mails()) == 1 and len(server.mails) == 3
    client.fetch('--delete')
    client.check([m.octets for m in mails('a', 1) + mails('b', 3)])


@pytest.mark.parametrize('mode', ['--keep', '--delete'])
def test_random_moments(make_daemon, client, mode):
    """kill -9 under our own server, again and again, until all is fetched; then once more."""
    daemon = make_daemon()
    user = daemon.user()
    rng = random.Random(2)
    expected = [b'Message-Id: <%d@x>\r\n\r\n' % i + b'.line of %d\r\n' % i * rng.randrange(2000)
                for i in range(60)]
    daemon.deliver(user, *expected)
    delivered = sorted(p.read_bytes() for p in (daemon.mail / user / 'new').glob('*'))
    client.at(daemon.pop3s, user=user, cafile=daemon.pem.with_suffix('.crt'))
    for _ in range(30):
        process = subprocess.Popen([str(RESTANTE), 'fetch', *client.account, mode],
                                   env=client.environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        killer = threading.Timer(rng.uniform(0, 0.25), process.kill)
        killer.start()
        process.wait(PATIENCE)
        killer.cancel()
        if rng.random() < 0.3:
            read_some(client) if client.maildir.exists() else None
        got = client.mails()
        assert len(set(got)) == len(got)
        assert set(got) <= set(delivered)
    client.fetch(mode)
    client.check(delivered)
    assert daemon.count(user) == (0 if mode == '--delete' else 60)


def test_no_stale_lock(server, client):
    """One that was killed in the middle of a message locks nobody out."""
    reached = threading.Event()

    def stall(session, _):
        session.send(b'+OK\r\nhalf a message\r\n')
        reached.set()
        session.line()

    server.mails[:] = mails('a', 3)
    server.on['RETR 2'] = stall
    process = client.spawn('fetch', *client.account)
    assert reached.wait(PATIENCE)
    process.kill()
    process.communicate(timeout=PATIENCE)
    server.last()
    assert len(client.drafts()) > 0
    server.on.clear()
    client.fetch()
    client.check([m.octets for m in server.mails])
