# SPDX-License-Identifier: MIT
"""Fixtures: servers for a test or for all tests of a file."""
import ssl

import pytest

from bad_server import BadServer
from harness import make_certificate, running
from restante_client import Client


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


@pytest.fixture
def client():
    """restante with a home of its own."""
    c = Client()
    yield c
    c.remove()


@pytest.fixture(scope='session')
def certificate(tmp_path_factory):
    """A key with its certificate for localhost; beside it, as .crt, the certificate alone."""
    pem = tmp_path_factory.mktemp('tls') / 'tls.pem'
    make_certificate(pem, 'bad server')
    return pem


@pytest.fixture
def bad_server(certificate):
    """bad_server(mails, implicit=False): one for this test. bad_server.cafile trusts it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    servers = []

    def start(mails=(), tls=True, **more):
        servers.append(BadServer(mails, context if tls else None, **more))
        return servers[-1]

    start.cafile = certificate.with_suffix('.crt')
    yield start
    for server in servers:
        server.close()
