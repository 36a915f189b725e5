# SPDX-License-Identifier: MIT
"""What an operator does: start, reload, stop, and read the log."""
import json
import poplib
import re
import signal
import smtplib
import socket
import subprocess

import pytest

from harness import PASSWORD, RESTANTED, Daemon, Port, wait_until
from wire import PATIENCE


# ---- start and stop ----

def test_the_ports_are_taken(daemon):
    """A second server on the same address must not get half of the connections."""
    other = Daemon()
    other.configure(pop3_listen=daemon.options['pop3_listen'])
    result = subprocess.run([str(RESTANTED), '-c', str(other.conf)], capture_output=True, text=True,
                            timeout=PATIENCE, check=False)
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


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(('::1', 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason='no IPv6')
def test_ipv6(daemon):
    """Its own address, and one socket for both kinds, whose IPv4 is called what it is."""
    ports = [Port(), Port()]
    daemon.reload(pop3_listen=[f'[::1]:{ports[0]}', f'*:{ports[1]}'])
    for host, port, remote in (('::1', ports[0], '::1'), ('::1', ports[1], '::1'),
                               ('127.0.0.1', ports[1], '127.0.0.1')):
        since = daemon.mark()
        pop = poplib.POP3(host, port.number, timeout=PATIENCE)
        pop.user('user0')  # loopback, so a password may come in clear
        pop.pass_(PASSWORD)
        pop.quit()
        daemon.wait_for(f'event=login .*remote={remote} ', since)
    for port in ports:
        port.socket.close()


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
            line, = daemon.logged('failed|wrong|refused', since)
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
