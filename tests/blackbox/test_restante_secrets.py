# SPDX-License-Identifier: MIT
"""Where restante has passwords from."""
import pytest

from bad_server import Mail
from harness import PASSWORD
from restante_client import CONFIG, USAGE

MAILS = [Mail('uidl-1', b'Message-Id: <1@x>\r\nSubject: 1\r\n\r\nbody\r\n')]


@pytest.fixture
def server(bad_server, client):
    s = bad_server(list(MAILS))
    client.at(s.port, cafile=bad_server.cafile).without_password()
    return s


@pytest.fixture
def netrc(client):
    def write(text, mode=0o600):
        path = client.home / '.netrc'
        path.write_text(text)
        path.chmod(mode)
        return path
    return write


def test_netrc(server, client, netrc):
    netrc(f'machine elsewhere login alice password x\n'
          f'machine localhost login bob password y\n'
          f'machine localhost login alice password {PASSWORD}\n')
    client.fetch()
    client.check([m.octets for m in MAILS])


def test_netrc_that_others_may_read(server, client, netrc):
    path = netrc(f'machine localhost password {PASSWORD}\n', 0o640)
    assert f'chmod 600 {path}' in client.fetch(status=CONFIG).err
    assert not [c for c in server.said() if c.startswith('PASS')]
    # What isn't needed from it, nobody minds.
    netrc('machine elsewhere password x\n', 0o644)
    client.fetch(stdin=f'{PASSWORD}\n'.encode())


def test_netrc_with_a_mistake(server, client, netrc):
    path = netrc('machine elsewhere\nlogin alice\npasswort x\n')
    assert f'{path}:3: ' in client.fetch(status=CONFIG).err


def test_credential(server, client, tmp_path):
    (tmp_path / 'work').write_text(PASSWORD + '\n')
    (tmp_path / 'work').chmod(0o400)
    client.fetch('--password-credential', 'work', env={'CREDENTIALS_DIRECTORY': str(tmp_path)})
    client.check([m.octets for m in MAILS])
    assert 'LoadCredential=work' in client.fetch('--password-credential', 'work', status=CONFIG).err
    missing = client.fetch('--password-credential', 'other', status=CONFIG,
                           env={'CREDENTIALS_DIRECTORY': str(tmp_path)})
    assert f'{tmp_path}/other' in missing.err


def test_not_two(server, client):
    result = client.fetch('--password-credential', 'x', '--password-file', 'y', status=USAGE)
    assert 'exclude each other' in result.err
    assert 'no path' in client.fetch('--password-credential', '../x', status=USAGE).err
