# SPDX-License-Identifier: MIT
"""restante watch: again and again, not too often, and until it is told to stop."""
import signal
import socket
import time

import pytest

from bad_server import Mail
from harness import wait_until
from wire import PATIENCE


def text(n):
    return b'Subject: %d\r\n\r\n' % n


class Watching:
    def __init__(self, client, *args, **env):
        self.process = client.spawn('watch', *client.account, *args, env=env)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == -number, (out, err)
        return out.decode(), err.decode()


@pytest.fixture
def watch(client):
    """watch(args): restante watch, which is gone after the test."""
    started = []

    def start(*args, **env):
        started.append(Watching(client, *args, **env))
        return started[-1]

    yield start
    for w in started:
        w.process.kill()
        w.process.communicate(timeout=PATIENCE)


@pytest.fixture
def server(bad_server, client):
    s = bad_server([Mail('1', text(1))])
    client.at(s.port, cafile=bad_server.cafile)
    return s


def test_again_and_again(server, client, watch):
    watching = watch('--interval', '1')
    wait_until(lambda: len(client.mails()) == 1, 'first message')
    server.mails.append(Mail('2', text(2)))
    wait_until(lambda: len(client.mails()) == 2, 'second message')
    wait_until(lambda: len(server.sessions) >= 4, 'more sessions')
    out, err = watching.stop()
    # What happened is told, and that nothing did isn't.
    assert out.count('1 fetched') == 2 and len(out.splitlines()) == 2 and err == ''
    client.check([text(1), text(2)])


def test_woken(server, client, watch):
    watching = watch('--interval', '1h')
    wait_until(lambda: len(client.mails()) == 1, 'first message')
    server.mails.append(Mail('2', text(2)))

    def woken():
        watching.process.send_signal(signal.SIGUSR1)
        return len(client.mails()) == 2

    wait_until(woken, 'second message')
    watching.stop(signal.SIGINT)


def test_login_delay(server, client, watch):
    """Who wakes it doesn't make it break the server's rule."""
    server.caps = [*server.caps, 'LOGIN-DELAY 3600']
    watching = watch('--interval', '1')
    wait_until(lambda: len(client.mails()) == 1 and server.sessions[0].ended.is_set(), 'session')
    for _ in range(3):
        watching.process.send_signal(signal.SIGUSR1)
        time.sleep(0.7)  # for what must not happen
    assert len(server.sessions) == 1
    watching.stop()


def test_failures_are_told_and_tried_again(server, client, watch):
    server.on['LIST'] = b'-ERR [SYS/TEMP] not now\r\n'
    watching = watch('--interval', '1')
    wait_until(lambda: len(server.sessions) >= 2, 'another try')
    del server.on['LIST']
    wait_until(lambda: len(client.mails()) == 1, 'message')
    _, err = watching.stop()
    assert 'not now' in err


def test_stopped_within_a_message(server, client, watch):
    def stall(session, _):
        session.send(b'+OK\r\nhalf a message\r\n')
        session.line()

    server.mails.append(Mail('2', text(2)))
    server.on['RETR 2'] = stall
    watching = watch()
    wait_until(lambda: any('RETR 2' in s.commands for s in server.sessions), 'RETR')
    watching.stop()
    client.check([text(1)])


def test_password_is_asked_for_each_time(server, client, watch):
    """From a command: what it prints may run out."""
    client.without_password()
    count = client.home / 'count'
    watch('--interval', '1', '--password-command', f'echo x >> {count}; echo open-sesame')
    wait_until(lambda: count.exists() and len(count.read_text().splitlines()) >= 3, 'passwords')


def test_no_password_ends_it_at_once(server, client):
    client.password.unlink()
    result = client.run('watch', *client.account)
    assert result.status != 0 and 'password' in result.err
    assert server.sessions == []


def test_systemd(server, client, watch):
    where = client.home / 'notify'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(where))
        notify.settimeout(PATIENCE)
        watching = watch('--interval', '1h', NOTIFY_SOCKET=str(where))
        assert notify.recv(4096) == b'READY=1'
        watching.stop()
        assert notify.recv(4096) == b'STOPPING=1'
