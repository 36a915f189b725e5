# SPDX-License-Identifier: MIT
"""Mail is fetched through a proxy, or not at all."""
import signal
import socket
import time

import pytest

from bad_server import Mail
from proxy_server import Proxy
from restante_client import CONFIG, TEMPFAIL, USAGE
from wire import PATIENCE

MAILS = [Mail(f'uidl-{i}', b'Message-Id: <%d@x>\r\nSubject: %d\r\n\r\nbody\r\n' % (i, i))
         for i in range(3)]


@pytest.fixture
def server(bad_server, client):
    s = bad_server(list(MAILS))
    client.at(s.port, cafile=bad_server.cafile)
    return s


@pytest.mark.parametrize('scheme', ['socks5', 'http'])
@pytest.mark.parametrize('user', [None, 'bob'])
def test_through(server, client, scheme, user):
    """TLS from end to end, and the name goes to the proxy as it is."""
    with Proxy(scheme, user, 's3cret') as proxy:
        client.fetch('--proxy', proxy.url(f'{user}:s3cret@' if user else ''))
        assert proxy.asked == [('localhost', server.port)]
    client.check([m.octets for m in MAILS])


def test_the_environment_is_no_proxy(server, client):
    dead = 'socks5://127.0.0.1:1'
    client.fetch(env={'all_proxy': dead, 'ALL_PROXY': dead, 'http_proxy': 'http://127.0.0.1:1'})
    with Proxy() as proxy:
        client.fetch('--proxy', proxy.url(), env={'no_proxy': '*', 'NO_PROXY': 'localhost'})
        assert len(proxy.asked) == 1


@pytest.mark.parametrize('scheme', ['socks5', 'http'])
def test_wrong_password(server, client, scheme):
    """Named without the password, and nothing goes around the proxy."""
    with Proxy(scheme, 'bob', 'right') as proxy:
        result = client.fetch('--proxy', proxy.url('bob:wr0ng@'), status=TEMPFAIL)
        assert f'through the proxy 127.0.0.1:{proxy.port}' in result.err
        assert 'wr0ng' not in result.err and proxy.asked == []
    assert server.said() == []


@pytest.mark.parametrize('scheme', ['socks5', 'http'])
def test_refused(server, client, scheme):
    with Proxy(scheme, refuse=2) as proxy:
        assert 'through the proxy' in client.fetch('--proxy', proxy.url(), status=TEMPFAIL).err
    assert server.said() == []


def test_nobody_there(server, client):
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        url = f'socks5://127.0.0.1:{s.getsockname()[1]}'
        assert 'through the proxy' in client.fetch('--proxy', url, status=TEMPFAIL).err
    assert server.said() == []


def test_a_proxy_that_says_nothing(server, client):
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        s.listen()
        url = f'socks5://127.0.0.1:{s.getsockname()[1]}'
        result = client.fetch('--proxy', url, '--timeout', '1', status=TEMPFAIL)
        assert 'through the proxy' in result.err
        # Whoever stops it needn't wait for it either.
        running = client.spawn('fetch', *client.account, '--proxy', url)
        connection, _ = s.accept()
        connection.close()
        connection, _ = s.accept()
        connection.recv(1)
        begun = time.monotonic()
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=PATIENCE)
        assert time.monotonic() - begun < 30
        connection.close()


@pytest.mark.parametrize('url', ['socks4://127.0.0.1:1080', 'nonsense', 'socks5://', 'http://h/path',
                                 'socks5://h:99999999'])
def test_what_is_no_proxy(server, client, url):
    assert 'proxy must' in client.fetch('--proxy', url, status=USAGE).err


def test_a_password_in_a_file_that_others_may_read(server, client):
    client.configure(f'''account work {{
        host = "localhost"
        user = "alice"
        password_command = "true"
        maildir = "{client.maildir}"
        proxy = "socks5://bob:s3cret@127.0.0.1:1"
    }}''')
    client.config.chmod(0o644)
    result = client.run('fetch')
    assert result.status == CONFIG and 'chmod 600' in result.err
