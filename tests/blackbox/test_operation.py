# SPDX-License-Identifier: MIT
"""What an operator does: check, start, reload, stop, and read the log."""
import json
import os
import re
import signal
import smtplib
import subprocess

import pytest

from harness import PASSWORD, RESTANTED, Daemon, make_certificate, wait_until
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


# ---- start and stop ----

def test_the_ports_are_taken(daemon):
    """A second server on the same address must not get half of the connections."""
    other = Daemon()
    other.configure(pop3_listen=daemon.options['pop3_listen'])
    result = run('-c', other.conf)
    other.remove()
    assert result.returncode == 1
    assert str(daemon.pop3) in result.stderr and 'Address already in use' in result.stderr
    assert daemon.count('user0') == 0


def refuses(daemon):
    """True when nobody listens. Who comes while the port is being closed is reset, not greeted."""
    try:
        daemon.wire()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False
    raise AssertionError('greeted by a server that leaves')


def test_sigterm(daemon):
    """Sessions end as they like, others get no new one, and the server's exit waits for them."""
    daemon.deliver('user0')
    session, new = daemon.wire('user0'), daemon.wire()
    since = daemon.mark()
    daemon.signal(signal.SIGTERM)
    daemon.wait_for('event=stopping', since)
    for i in daemon.listeners():
        daemon.wait_for(daemon.listener_leaves(i), since)
    assert new.err(code='SYS/TEMP') and new.rest() == b''  # nobody can have begun anything there
    wait_until(lambda: refuses(daemon), 'a closed port')
    assert daemon.process.poll() is None
    session.retr(1)
    session.ok('DELE 1')
    session.quit()
    assert daemon.stop() == 0
    daemon.start()
    assert daemon.count('user0') == 0


def test_who_stays_too_long(make_daemon):
    daemon = make_daemon(drain_timeout=1)
    daemon.deliver('user0')
    session = daemon.wire('user0')
    session.ok('DELE 1')
    daemon.signal(signal.SIGTERM)
    daemon.wait_for('event=drain-timeout')
    session.rest()
    assert daemon.process.wait(PATIENCE) == 0
    daemon.wait_for('^END$')
    daemon.log.clear()
    daemon.start()
    assert daemon.count('user0') == 1


def test_asked_twice_it_ends_at_once(daemon):
    session = daemon.wire('user0')
    daemon.signal(signal.SIGINT)
    daemon.wait_for('event=stopping')
    daemon.signal(signal.SIGINT)
    session.rest()
    assert daemon.process.wait(PATIENCE) == 0


def test_the_pid_file(make_daemon):
    daemon = make_daemon()
    path = daemon.dir / 'pid'
    daemon.stop()
    daemon.configure(pid_file=path)
    daemon.start()
    assert path.read_text() == f'{daemon.process.pid}\n'
    since = daemon.mark()
    daemon.ctl('reload')
    daemon.wait_for('event=reloaded', since)
    daemon.ctl('stop')
    assert daemon.process.wait(PATIENCE) == 0
    assert not path.exists()


# ---- reload ----

@pytest.mark.parametrize('change', ['nonsense', 'a bad value', 'no file', 'a port that is taken',
                                    'no certificate'])
def test_a_reload_that_fails_changes_nothing(make_daemon, change):
    daemon = make_daemon()
    session = daemon.wire('user0', tls=True)
    good = dict(daemon.options)
    since = daemon.mark()
    other = Daemon()
    if change == 'nonsense':
        daemon.conf.write_text('frobnicate')
    elif change == 'a bad value':
        daemon.configure(idle_timeout='10x')
    elif change == 'no file':
        daemon.conf.unlink()
    elif change == 'a port that is taken':
        other.start()
        daemon.configure(pop3_listen=[*daemon.options['pop3_listen'],
                                      *other.options['pop3_listen']])
    else:
        daemon.configure(tls_certificate='/nowhere/cert.pem')
    daemon.signal(signal.SIGHUP)
    line = daemon.wait_for('event=reload-failed', since)
    words = {'a port that is taken': str(other.pop3), 'no certificate': '/nowhere/cert.pem'}
    assert words.get(change, str(daemon.conf)) in line
    session.ok('NOOP')
    session.quit()
    daemon.login('user1', tls=True).quit()
    daemon.deliver('user1')
    if other.process:
        other.stop()
    other.remove()
    daemon.options = good
    daemon.configure()
    daemon.reload()
    assert daemon.count('user1') == 1


def test_what_only_a_restart_changes(daemon):
    since = daemon.mark()
    daemon.reload(store_driver='mem', idle_timeout='11m')
    assert 'option=store_driver' in daemon.wait_for('event=reload-needs-restart', since)
    daemon.deliver('user0')
    assert len(list((daemon.mail / 'user0' / 'new').iterdir())) == 1


def test_addresses_come_and_go(daemon):
    other = Daemon()
    session = daemon.wire('user0')
    daemon.reload(pop3_listen=[f'127.0.0.1:{other.pop3}'])
    wait_until(lambda: refuses(daemon), 'a closed port')
    session.ok('NOOP')
    session.quit()
    daemon.pop3, other.pop3 = other.pop3, daemon.pop3
    daemon.login('user0').quit()
    other.remove()


# ---- the log ----

def a_day(daemon):
    """Something of everything that is logged, also what strangers can put there."""
    daemon.deliver('user0')
    wire = daemon.wire('user0')
    wire.retr(1)
    wire.ok('DELE 1')
    wire.quit()
    for name in ('a" level="error', 'a\\', 'grüße', '{}', 'a=b c=d', '\x85', "a'b", '\u2028'):
        with daemon.wire() as wire:
            wire.ok(f'USER {name}')
            wire.err('PASS not-the-passw0rd', code='AUTH')
    with daemon.wire() as wire:
        wire.command('AUTH LOGIN')
        wire.line()
        wire.command('*')
        wire.err()
        wire.err(f'PASS {PASSWORD}')
        wire.err(f'PASSWORD {PASSWORD}')
        wire.err(PASSWORD)
    with daemon.wire(tls=True) as wire:
        wire.login('user1', PASSWORD)
        wire.reset()
    with smtplib.LMTP(str(daemon.lmtp), local_hostname='client.example') as lmtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            lmtp.sendmail('sender@example.org', ['"a b"@example.org'], b'a: b\r\n')
    daemon.secrets.add('not-the-passw0rd')
    daemon.wait_for('user=user1.*disconnected|"user":"user1".*disconnected')


def test_json(make_daemon):
    daemon = make_daemon()
    daemon.stop()
    daemon.configure(log_format='json')
    daemon.start()
    a_day(daemon)
    daemon.stop()
    lines = [line for line in daemon.lines if line != 'END']
    events = [json.loads(line) for line in lines]
    assert all({'time', 'level', 'process', 'event'} <= set(event) for event in events)
    # An object's names are there once: nobody smuggles a field in.
    for line, event in zip(lines, events):
        assert len(json.loads(line, object_pairs_hook=list)) == len(event)
    failed = [e for e in events if e['event'] == 'login-failed' and e['process'] == 'auth']
    assert 'a" level="error' in [e.get('user') for e in failed]
    check_sessions([e for e in events if 'session' in e])


def test_text(daemon):
    a_day(daemon)
    daemon.stop()
    events = []
    for line in daemon.lines:
        if line != 'END':
            fields = re.findall(r'([a-z0-9_]+)=("(?:[^"\\]|\\.)*"|[^ "=\\]+)(?: |\Z)', line)
            assert ' '.join(f'{name}={value}' for name, value in fields) == line
            assert len(dict(fields)) == len(fields), line
            events.append(dict(fields))
    check_sessions([e for e in events if 'session' in e])


def test_a_failed_login_is_one_line(make_daemon):
    """Or whoever counts them to lock somebody out counts wrong."""
    daemon = make_daemon(log_level='info')
    with daemon.wire('user0'), daemon.wire() as wire:
        for user, password, words in (('user1', 'wrong', 'reason=wrong-password'),
                                      ('nobody', 'wrong', 'reason=unknown-user'),
                                      ('user0', PASSWORD, 'status=in-use')):
            since = daemon.mark()
            wire.ok(f'USER {user}')
            wire.err(f'PASS {password}', code='IN-USE' if words.startswith('status') else 'AUTH')
            daemon.wait_for('event=login-failed', since)
            wire.err('PASS x')  # and by now, all that is logged is logged
            line, = daemon.logged('.', since)
            assert f' user={user} remote=127.0.0.1 ' in line and words in line


def check_sessions(events):
    """From login to logout, in all processes, by one id; what was done is said there."""
    login = next(e for e in events if e['event'] == 'login')
    mine = [e['event'] for e in events if e['session'] == login['session']]
    assert mine[0] == 'connect' and mine[-1] == 'disconnect'
    assert {'login-verified', 'login', 'deleted', 'logout'} <= set(mine)
    logout = next(e for e in events
                  if e['event'] == 'logout' and e['session'] == login['session'])
    assert [str(logout[name]) for name in ('user', 'reason', 'retr', 'deleted', 'messages')] == [
        'user0', 'quit', '1', '1', '1']
    assert login['remote'] == '127.0.0.1' and login['user'] == 'user0'
