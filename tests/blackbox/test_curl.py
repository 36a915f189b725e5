# SPDX-License-Identifier: MIT
"""curl, whose idea of POP3 isn't ours."""
import shutil
import subprocess

import pytest

from harness import PASSWORD, make_certificate
from wire import PATIENCE

pytestmark = pytest.mark.skipif(
    shutil.which('curl') is None or
    'pop3s' not in subprocess.run(['curl', '--version'], capture_output=True, text=True,
                                  check=False).stdout, reason='no curl with POP3S')

MESSAGES = [b'Subject: one\r\n\r\n.dot\r\n..\r\nlast\r\n', b'Subject: two\r\n\r\nbody\r\n',
            b'Subject: three\r\n\r\n' + b'x' * 100_000 + b'\r\n']


@pytest.fixture
def user(shared):
    user = shared.user()
    shared.deliver(user, *MESSAGES)
    return user


def curl(shared, user, url, *options, password=PASSWORD, status=0):
    """What it printed. url: what stands behind the port."""
    scheme, path = url.split('//')
    port = shared.pop3s if scheme == 'pop3s:' else shared.pop3
    result = subprocess.run(
        ['curl', '-sS', '--max-time', str(PATIENCE), '--cacert', shared.pem.with_suffix('.crt'),
         '-u', f'{user}:{password}', *options, f'{scheme}//localhost:{port}/{path}'],
        capture_output=True, timeout=PATIENCE, check=False)
    assert result.returncode == status, result
    return result.stdout


WAYS = {'in clear': ('pop3://', []), 'implicit TLS': ('pop3s://', []),
        'STLS': ('pop3://', ['--ssl-reqd']),
        'AUTH PLAIN': ('pop3://', ['--login-options', 'AUTH=PLAIN']),
        'AUTH LOGIN': ('pop3s://', ['--login-options', 'AUTH=LOGIN']),
        'initial response': ('pop3s://', ['--sasl-ir']),
        'TLS 1.2': ('pop3s://', ['--tls-max', '1.2'])}


@pytest.mark.parametrize('way', WAYS)
def test_fetch(shared, user, way):
    scheme, options = WAYS[way]
    for n, octets in enumerate(MESSAGES, 1):
        assert curl(shared, user, f'{scheme}{n}', *options).endswith(octets)


def test_commands(shared, user):
    listed = curl(shared, user, 'pop3s://').split(b'\r\n')
    assert [line.split(b' ')[0] for line in listed] == [b'1', b'2', b'3', b'']
    uidls = curl(shared, user, 'pop3s://', '-X', 'UIDL').split(b'\r\n')
    assert [line.split(b' ')[0] for line in uidls] == [b'1', b'2', b'3', b'']
    assert curl(shared, user, 'pop3s://', '-X', 'TOP 1 0').endswith(b'Subject: one\r\n\r\n')
    assert curl(shared, user, 'pop3s://', '-X', 'TOP 1 2').endswith(b'.dot\r\n..\r\n')
    assert b'PIPELINING' in curl(shared, user, 'pop3s://', '-X', 'CAPA')
    # -l with a number is LIST of it, whose reply is a line and no more.
    curl(shared, user, 'pop3s://2', '-l')
    for command in ('NOOP', 'STAT', 'RSET'):
        curl(shared, user, 'pop3s://', '-I', '-X', command)


def test_delete(shared, user):
    curl(shared, user, 'pop3s://2', '-I', '-X', 'DELE')
    assert shared.count(user) == 2
    assert curl(shared, user, 'pop3s://2').endswith(MESSAGES[2])


def test_several_in_one_session(shared, user):
    """One connection, RETR after RETR."""
    base = f'pop3s://localhost:{shared.pop3s}'
    result = subprocess.run(
        ['curl', '-sS', '--max-time', str(PATIENCE), '--cacert', shared.pem.with_suffix('.crt'),
         '-u', f'{user}:{PASSWORD}', f'{base}/[1-3]', f'{base}/[1-3]'],
        capture_output=True, timeout=PATIENCE, check=True)
    assert result.stdout.count(b'Subject: ') == 6
    assert len(shared.logged(f'event=login .*user={user}')) == 1


def test_what_goes_wrong(shared, user):
    curl(shared, user, 'pop3s://1', password='wrong', status=67)
    curl(shared, user, 'pop3s://4', status=8)  # what curl says to -ERR
    curl(shared, user, 'pop3s://1', '--tls-max', '1.1', status=35)
    make_certificate(shared.dir / 'other.pem', 'other')
    curl(shared, user, 'pop3s://1', '--cacert', shared.dir / 'other.crt', status=60)
    assert shared.count(user) == 3
