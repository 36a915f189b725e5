# SPDX-License-Identifier: MIT
"""What restante needs of memory doesn't grow with a message, and hardly with a maildrop."""
import os
import re
from pathlib import Path

import pytest

from bad_server import Mail
from test_restante_destinations import script, to
from wire import PATIENCE

LIMIT_KIB = 16 * 1024
MIB = 100
HEADER = b'Message-ID: <big@x>\r\n\r\n'
BLOCK = (b'x' * 1022 + b'\r\n') * 1024

instrumented = pytest.mark.skipif(os.environ.get('RESTANTE_SANITIZE', 'none') != 'none',
                                  reason='sanitizers need memory of their own')


def kib(status, name):
    return int(re.search(name + r':\s+(\d+) kB', status)[1])


def peak_kib(server, client, *args):
    """A session, which must go well, and the most memory of its own that it had when it took its leave.

    Pages of files aren't counted: they are the program's and its 60 libraries', and everybody's.
    """
    peak = []
    process = client.spawn('fetch', *client.account, *args)

    def on_quit(*_):
        status = Path(f'/proc/{process.pid}/status').read_text()
        peak.append(kib(status, 'VmHWM') - kib(status, 'RssFile'))
        return False

    server.on['QUIT'] = on_quit
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, (out, err)
    return peak[0]


@pytest.fixture
def big(bad_server, client):
    """A server with a message of 100 MB."""
    server = bad_server([Mail('big', HEADER, size=len(HEADER) + MIB * len(BLOCK))])

    def retr(session, _):
        session.send(b'+OK\r\n' + HEADER)
        for _ in range(MIB):
            session.send(BLOCK)
        session.send(b'.\r\n')

    server.on['RETR'] = retr
    client.at(server.port, cafile=bad_server.cafile)
    return server


@instrumented
@pytest.mark.parametrize('where', ['maildir', 'mbox', 'command'])
def test_big_message(big, client, where):
    """Whole, and in less than 16 MiB, wherever it goes."""
    size = len(HEADER) + MIB * len(BLOCK)
    if where == 'mbox':
        to(client, '--mbox', client.home / 'box')
    elif where == 'command':
        path, out = script(client, 'wc -c >$OUT/size')
        to(client, '--deliver-command', path)
    assert peak_kib(big, client, '--delete') < LIMIT_KIB
    if where == 'maildir':
        assert [p.stat().st_size for p in client.paths()] == [size]
    elif where == 'mbox':
        text = (client.home / 'box').stat().st_size
        assert size - MIB * 1024 - 2 <= text <= size - MIB * 1024 + 100
    else:
        assert int((out / 'size').read_text()) == size
    assert big.mails == []


@instrumented
def test_many_messages(bad_server, client):
    """100,000 on the server, of which one is fetched."""
    n = 100000
    server = bad_server()
    server.on['LIST'] = lambda s, _: s.send(b'+OK\r\n' + b''.join(b'%d 1000\r\n' % i for i in range(1, n + 1)) + b'.\r\n')
    server.on['UIDL'] = lambda s, _: s.send(b'+OK\r\n' + b''.join(b'%d uid-%032d\r\n' % (i, i)
                                                                  for i in range(1, n + 1)) + b'.\r\n')
    server.on['RETR'] = b'+OK\r\nSubject: x\r\n\r\n.\r\n'
    client.at(server.port, cafile=bad_server.cafile)
    assert peak_kib(server, client, '--max-messages', 1) < LIMIT_KIB
