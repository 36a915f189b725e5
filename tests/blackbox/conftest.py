# SPDX-License-Identifier: MIT
"""Fixtures: servers for a test or for all tests of a file."""
import pytest

from harness import running


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
