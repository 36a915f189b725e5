# SPDX-License-Identifier: MIT
"""restante dies, or its disk fails, while it delivers elsewhere than into a Maildir: nothing is ever lost;
in an mbox nothing is double or half there either, and elsewhere double is only what was on its way."""
import random
import signal
import subprocess
import threading

import pytest

from bad_server import Mail
from restante_client import IOERR, RESTANTE
from test_restante_destinations import Taker, dovecot, imap  # pylint: disable=unused-import
from test_restante_killed import ENOSPC, broken, needs_break_at
from wire import PATIENCE


def mails(tag, n):
    return [Mail(f'{tag}-{i}', b'Message-Id: <%s.%d@x>\r\n\r\nFrom %d\r\n' % (tag.encode(), i, i) * (1 + i * 40))
            for i in range(1, n + 1)]


@pytest.fixture
def server(bad_server, client):
    s = bad_server()
    client.at(s.port, cafile=bad_server.cafile)
    return s


def to(client, *options):
    at = client.account.index('--maildir')
    client.account[at:at + 2] = map(str, options)


def expected(m):
    return m.octets.replace(b'\r\n', b'\n').replace(b'\nFrom ', b'\n>From ') + b'\n'


def check(box, octets):
    """Exactly these, in this order, and no octet more."""
    parts = []
    for line in box.read_bytes().splitlines(keepends=True):
        if line.startswith(b'From '):
            parts.append(b'')
        else:
            parts[-1] += line
    assert parts == octets


@needs_break_at
@pytest.mark.parametrize('how, mode, at', [('before', '--delete', -7), ('after', '--keep', -4), (ENOSPC, '--delete', -2)])
def test_mbox_at_every_eighth_call(server, client, how, mode, at):
    box = client.home / 'box'
    to(client, '--mbox', box)
    status = 0
    seen = []
    while status is not None:
        at += 8
        server.mails[:] = mails(f'{how}{at}', 2)
        all_of_them = seen + [expected(m) for m in server.mails]
        status = broken(client, how, mode, at=at)
        assert status in (None, 0, IOERR) if how == ENOSPC else status in (None, -signal.SIGKILL)
        if server.sessions:
            server.last()
        client.fetch(mode)
        check(box, all_of_them)
        seen = all_of_them
        assert len(server.mails) == (0 if mode == '--delete' else 2)
        assert [p.name for p in client.home.glob('box*')] == ['box']
        assert list(client.state.parent.glob('*mbox*')) == []
    assert at > 15


@needs_break_at
def test_mbox_killed_and_others_write(server, client):
    """What others append to a part that was left isn't touched; our message comes whole behind it."""
    box = client.home / 'box'
    to(client, '--mbox', box)
    client.fetch()
    theirs = b'From them Thu Jan  1 00:00:00 1970\nSubject: theirs\n\n\n'
    at = 0
    status = 0
    while status is not None:
        at += 8
        server.mails[:] = mails(f'o{at}', 1)
        box.unlink(missing_ok=True)
        status = broken(client, 'before', '--delete', at=at)
        if status is None:
            break
        server.last() if server.sessions else None
        part = box.read_bytes() if box.exists() else b''
        with open(box, 'ab') as f:
            f.write(theirs)
        client.fetch('--delete')
        text = box.read_bytes()
        assert text.startswith(part + theirs)
        rest = text[len(part + theirs):].partition(b'\n')[2]
        assert rest == expected(mails(f'o{at}', 1)[0]) or (rest == b'' and part.endswith(expected(
            mails(f'o{at}', 1)[0])))
        assert server.mails == []
    assert at > 10


def kill_at_random_moments(server, client, n, seed=3):
    """Sessions that are killed, until all is fetched; then one that isn't. How many were."""
    rng = random.Random(seed)
    kills = 0
    while server.mails and kills < n:
        process = subprocess.Popen([str(RESTANTE), 'fetch', *client.account, '--delete'],
                                   env=client.environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        killer = threading.Timer(rng.uniform(0.02, 0.2), process.kill)
        killer.start()
        kills += process.wait(PATIENCE) == -signal.SIGKILL
        killer.cancel()
    client.fetch('--delete')
    assert server.mails == []
    return kills


def test_command_at_random_moments(server, client):
    """The window: what the program has taken, and the state doesn't know yet."""
    out = client.home / 'taken'
    path = client.home / 'take'
    path.write_text(f'#!/bin/sh\ncat >/dev/null; echo $RESTANTE_KEY >>{out}\n')
    path.chmod(0o755)
    out.write_text('')
    to(client, '--deliver-command', path)
    server.mails[:] = mails('c', 40)
    kills = kill_at_random_moments(server, client, 8)
    taken = out.read_text().split()
    assert len(set(taken)) == 40
    assert len(taken) - 40 <= kills


@pytest.mark.parametrize('where', ['lmtp', 'smtp'])
def test_server_at_random_moments(server, client, where):
    """As a program: nothing is lost, and double is at most what was on its way."""
    taker = Taker(client.home / 'lmtp' if where == 'lmtp' else None)
    address = f'unix:{client.home}/lmtp' if where == 'lmtp' else f'smtp://127.0.0.1:{taker.listener.getsockname()[1]}'
    to(client, f'--{where}', address, '--recipient', 'alice@example.org')
    server.mails[:] = mails('s', 40)
    expected_mails = {m.octets for m in server.mails}
    kills = kill_at_random_moments(server, client, 8)
    taker.close()
    assert set(taker.taken) == expected_mails
    assert len(taker.taken) - 40 <= kills


def test_imap_at_random_moments(server, client, imap):
    """The server is asked what it has: nothing is lost, and nothing double."""
    server.mails[:] = mails('i', 40)
    expected_mails = sorted(m.octets for m in server.mails)
    imap()
    kill_at_random_moments(server, client, 8)
    assert sorted(m for _, _, m in imap.look()) == expected_mails
