# SPDX-License-Identifier: MIT
"""Fixtures: servers for a test or for all tests of a file."""
import contextlib

import pytest

from harness import Daemon


@contextlib.contextmanager
def running():
    """Gives a function that starts servers, and ends them and looks at how they ended."""
    daemons = []

    def start(**options):
        daemons.append(Daemon(**options))
        daemons[-1].start()
        return daemons[-1]

    try:
        yield start
        for daemon in daemons:
            assert daemon.stop() == 0
            daemon.check_log()
    finally:
        for daemon in daemons:
            if daemon.process.poll() is None:
                daemon.process.kill()
                daemon.process.wait()
            daemon.remove()


@pytest.fixture
def make_daemon():
    """make_daemon(idle_timeout=1): a server with these options, for one test."""
    with running() as start:
        yield start


@pytest.fixture
def daemon(make_daemon):
    """A server for one test, which may break it."""
    return make_daemon()


@pytest.fixture(scope='module')
def shared():
    """One server for all tests of a file; each takes users of its own: shared.user()."""
    with running() as start:
        yield start()


@pytest.fixture(scope='module', params=['maildir', 'mem'])
def both(request):
    """The same with every store driver."""
    with running() as start:
        yield start(store_driver=request.param)
