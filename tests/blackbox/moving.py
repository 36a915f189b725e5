# SPDX-License-Identifier: MIT
"""What tests of moving in share."""
import subprocess

import pytest

from harness import RESTANTECTL, Daemon
from wire import PATIENCE


def message(n):
    """One as it lies in a Maildir, and another one for each n."""
    return (b'From: <a@example.org>\nTo: <b@example.org>\nMessage-Id: <%d@example.org>\n'
            b'Subject: number %d\n\n.a dot\nand a body%s\n' % (n, n, b'!' * n))


@pytest.fixture
def daemon():
    """A server that isn't running yet: start() it when the old one has gone."""
    d = Daemon()
    yield d
    if d.process is not None:
        assert d.stop() == 0
        d.check_log()
    d.remove()


def ctl(d, *args, status=0, stdin=''):
    """restantectl: what it said, after ending with that status."""
    result = subprocess.run([str(RESTANTECTL), '-c', str(d.conf), *args], capture_output=True,
                            timeout=PATIENCE, check=False, text=True, input=stdin)
    assert result.returncode == status, result
    return result.stdout + result.stderr
