# SPDX-License-Identifier: MIT
"""restantectl import dies, or its disk fails, at every call to the disk. What is there then has the
right UIDLs in the right order; after the next run all is there, once, and nothing more."""
import os
import subprocess

import pytest

from harness import BUILD, RESTANTECTL
from moving import message
from old_servers import inspect
from wire import PATIENCE

BREAK_AT = BUILD / 'tests/faults/break_at.so'
needs_break_at = pytest.mark.skipif(not BREAK_AT.exists(), reason='built with sanitizers')

EIO, KILLED = 5, -9
NUMBERS = range(1, 5)


def run(daemon, user, old, **environment):
    return subprocess.run([str(RESTANTECTL), '-c', str(daemon.conf), 'import', 'dovecot', user, '--from',
                           str(old)], capture_output=True, timeout=PATIENCE, check=False,
                          env=dict(os.environ, **environment))


def broken(daemon, user, old, at, how):
    """False when there weren't so many calls, and so it went well."""
    count = daemon.dir / 'count'
    count.unlink(missing_ok=True)
    result = run(daemon, user, old, LD_PRELOAD=str(BREAK_AT), BREAK_AT=str(at), BREAK_HOW=str(how),
                 BREAK_COUNT=str(count))
    assert b'Assertion' not in result.stderr, result
    if count.exists() and int(count.read_text(encoding='ascii')) < at:
        assert result.returncode == 0, result
        return False
    assert how == EIO or result.returncode == KILLED, result
    return True


@pytest.fixture
def daemon(make_daemon):
    return make_daemon()


@pytest.fixture
def old(daemon):
    """A Maildir of another server's: UIDs are in another order than times."""
    top = daemon.dir / 'old'
    for folder in ('tmp', 'new', 'cur'):
        (top / folder).mkdir(parents=True)
    for n in NUMBERS:
        (top / ('cur' if n % 2 else 'new') / f'{1700000009 - n}.host{":2,S" if n % 2 else ""}').write_bytes(
            message(n))
    (top / 'dovecot-uidlist').write_text('3 V7 N9\n' + ''.join(
        f'{n} :{1700000009 - n}.host\n' for n in NUMBERS), encoding='ascii')
    return top


@needs_break_at
@pytest.mark.parametrize('how', ['before', 'after', EIO])
def test_every_call(daemon, old, how):
    expected = [(b'%08x00000007' % n, message(n).replace(b'\n', b'\r\n').replace(b'\n.', b'\n.')) for n in NUMBERS]
    at = 0
    more = True
    while more:
        at += 1
        user = daemon.user()
        more = broken(daemon, user, old, at, how)
        if at % 2: # somebody looks in between
            there = [(uidl, text) for uidl, _, text in inspect(daemon.pop3.number, user)]
            assert there == [pair for pair in expected if pair in there]
        result = run(daemon, user, old)
        assert result.returncode == 0, result
        assert [(uidl, text) for uidl, _, text in inspect(daemon.pop3.number, user)] == expected, at
        left = {path.name for path in (daemon.mail / user).iterdir()}
        assert left <= {'new', 'cur', 'tmp', 'restante.uidl', 'restante.index'}, at
    assert at > 15
