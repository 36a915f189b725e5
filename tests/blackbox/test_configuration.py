# SPDX-License-Identifier: MIT
"""restanted -t and the command line: every kind of mistake is told, with its place."""
import os
import subprocess

import pytest

from harness import RESTANTED, Daemon, make_certificate
from wire import PATIENCE

EX_OK, EX_USAGE, EX_CONFIG = 0, 64, 78


@pytest.fixture(scope='module')
def idle():
    """A configuration that is right, and no server."""
    daemon = Daemon()
    yield daemon
    daemon.remove()


def run(*args):
    return subprocess.run([str(RESTANTED), *map(str, args)], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)


def check(daemon, lines, remove=()):
    """restanted -t on the configuration with other lines in it. Its result and the last line's number."""
    kept = [line for line in daemon.conf.read_text().splitlines()
            if line.split(' = ')[0] not in remove]
    path = daemon.dir / 'changed.conf'
    path.write_text('\n'.join(kept + lines) + '\n')
    return run('-t', '-c', path), f'{path}:{len(kept) + len(lines)}: '


def test_a_good_configuration(idle):
    result = run('-t', '-c', idle.conf)
    assert (result.returncode, result.stdout) == (EX_OK, f'{idle.conf}: OK\n')
    assert result.stderr == ''
    assert not idle.lmtp.exists()  # it was only looked at


@pytest.mark.parametrize('line, words', [
    ('frobnicate = 1', 'frobnicate'),
    ('idle_timeout = 10x', 'idle_timeout'),
    ('idle_timeout = -1', 'idle_timeout'),
    ('idle_timeout = 0', 'idle_timeout'),
    ('idle_timeout = 99999999999999999999', 'idle_timeout'),
    ('idle_timeout = ten', 'idle_timeout'),
    ('idle_timeout = ""', 'idle_timeout'),
    ('idle_timeout = {10m}', "'{'"),
    ('max_connections_per_user = 1.5', 'max_connections_per_user'),
    ('max_connections_per_user = +1', "'+'"),
    ('max_connections_per_user = "+1"', 'max_connections_per_user'),
    ('max_connections_per_user = 0x10', 'max_connections_per_user'),
    ('max_connections_per_user = 4294967297', 'max_connections_per_user'),
    ('message_size_limit = 50MB', 'message_size_limit'),
    ('apop = maybe', 'apop'),
    ('lmtp_socket_mode = 0999', 'lmtp_socket_mode'),
    ('lmtp_socket_mode = rw', 'lmtp_socket_mode'),
    ('plaintext_login = sometimes', 'plaintext_login'),
    ('tls_min_version = 1.1', 'tls_min_version'),
    ('store_driver = mbox', 'store_driver'),
    ('log_format = xml', 'log_format'),
    ('log_target = file', 'log_target'),
    ('tls_key = relative.pem', 'tls_key'),
    ('pid_file = run/pid', 'pid_file'),
    ('hostname = "' + 'x' * 300 + '"', 'hostname'),
    ('hostname = "two words"', 'hostname'),
    ('hostname = "a\\nb"', 'hostname'),
    ('pid_file = "/' + 'x' * 2000 + '"', 'pid_file'),
    ('idle_timeout = 10m\nidle_timeout = 10m', 'idle_timeout is given twice'),
    ('default_domain = "a b"', 'default_domain'),
    ('idle_timeout\nhostname = x', None),
    ('idle_timeout =\nhostname = x', None),
    ('= 10m', None),
    ('idle_timeout = 10m 11m', None),
    ('}', None),
])
def test_mistakes_in_a_line(idle, line, words):
    lines = line.split('\n')
    result, at = check(idle, lines)
    assert result.returncode == EX_CONFIG
    message, = result.stderr.splitlines()
    assert message.startswith(f'restanted: {at}'), message
    assert words is None or words in message
    assert result.stdout == ''


@pytest.mark.parametrize('value, words', [
    ('localhost:110', 'localhost'), ('127.0.0.1', '127.0.0.1'), ('127.0.0.1:0', '127.0.0.1:0'),
    ('127.0.0.1:65536', '65536'), ('127.0.0.1:110x', '110x'), ('127.0.0.256:110', '256'),
    (':110', ':110'), ('[::1:110', '::1'), ('unix:/tmp/x', 'unix'), ('', ''), ('*', '*'),
])
def test_addresses(idle, value, words):
    result, at = check(idle, [f'pop3_listen = {{"{value}"}}'], ['pop3_listen'])
    assert result.returncode == EX_CONFIG
    assert result.stderr.startswith(f'restanted: {at}') and words in result.stderr


@pytest.mark.parametrize('lines, remove, words', [
    ([], ['pop3_listen', 'pop3s_listen', 'lmtp_listen'], 'nothing to listen on'),
    ([], ['tls_certificate'], 'pop3s_listen needs tls_certificate'),
    (['tls_certificate = "/nowhere/cert.pem"'], ['tls_certificate'], '/nowhere/cert.pem'),
    (['tls_key = "/nowhere/key.pem"'], [], '/nowhere/key.pem'),
    (['tls_key = "{other}"'], [], 'key values mismatch'),
    (['tls_certificate = "{conf}"'], ['tls_certificate'], '{conf}'),
    (['tls_ciphers = "FROB"'], [], 'FROB'),
    (['users_file = "/nowhere/users"'], ['users_file'], '/nowhere/users'),
    (['users_file = "{dir}"'], ['users_file'], '{dir}'),
    (['users_file = ""'], ['users_file'], 'users_file may not be empty'),
    (['mail_location = "mail"'], ['mail_location'], 'mail_location must begin'),
    (['mail_location = "/mail/%x"'], ['mail_location'], 'mail_location'),
    (['mail_user = "no-such-user"'], ['mail_user'], 'no-such-user'),
    (['server_user = "no-such-user"'], ['server_user'], 'no-such-user'),
    (['hostname = "open'], [], 'changed.conf'),
    (['hostname ='], [], 'premature end of file'),
    (['hostname = "a\0b"'], [], 'not a text file'),
    (['pop3s_listen = {"127.0.0.1:1995"'], ['pop3s_listen'], 'changed.conf'),
])
def test_mistakes_that_no_line_shows(idle, lines, remove, words):
    if 'no-such-user' in words and os.geteuid() != 0:
        pytest.skip('ignored without root')
    make_certificate(idle.dir / 'other.pem', 'other')
    names = {'{dir}': str(idle.dir), '{conf}': str(idle.conf), '{other}': f'{idle.dir}/other.pem'}
    for name, value in names.items():
        lines = [line.replace(name, value) for line in lines]
        words = words.replace(name, value)
    result, _ = check(idle, lines, remove)
    assert result.returncode == EX_CONFIG, result
    message, = result.stderr.splitlines()
    assert words in message


def test_users_with_mistakes(idle):
    """They cost only themselves, and are named."""
    users = idle.dir / 'other-users'
    users.write_text('alice:{PLAIN}x\nnobody\nbob:{ROT13}x\n')
    result, _ = check(idle, [f'users_file = "{users}"'], ['users_file'])
    assert result.returncode == EX_OK
    assert f'{users}:2: ' in result.stderr and f'{users}:3: ' in result.stderr
    assert 'ROT13' in result.stderr


def test_warnings(idle):
    result, _ = check(idle, ['idle_timeout = 1m', 'plaintext_login = send-passwords-in-clear'])
    assert result.returncode == EX_OK
    assert 'RFC 1939' in result.stderr and 'in clear' in result.stderr


def test_command_line(idle):
    assert run('-t', '-c', '/nowhere/restanted.conf').returncode == EX_CONFIG
    assert '/nowhere/restanted.conf' in run('-t', '-c', '/nowhere/restanted.conf').stderr
    for args in (['--frobnicate'], ['-x'], ['-c'], ['-t', 'extra']):
        result = run(*args)
        assert result.returncode == EX_USAGE and 'usage: restanted' in result.stderr
    assert run('--version').stdout.startswith('restanted ')
    assert '--config FILE' in run('--help').stdout
