# SPDX-License-Identifier: MIT
"""LMTP while the disk is full, or while a process behind the listener is dead or stands still.

Nothing of that is the sender's fault, so all of it is 4xx; and when it is over, nobody has to do
anything.
"""
import os
import signal
import subprocess

import pytest

from lmtp_client import Lmtp

MESSAGE = b'Subject: hello\r\n\r\nworld\r\n'
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason='only root can mount')


def at(user):
    return f'{user}@example.org'


def say_both(replies):
    return [(r.code, r.enhanced) for r in replies]


@pytest.fixture
def mount():
    """mount(path, size): a small file system there, for this test."""
    mounted = []

    def at_path(path, size):
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size},mode=0700,uid=nobody',
                        'tmpfs', str(path)], check=True)
        mounted.append(path)

    yield at_path
    for path in mounted:
        # Lazily: the server, which ends later, may have its directory open.
        subprocess.run(['umount', '-l', str(path)], check=True)


def files(path):
    return [p.name for p in path.rglob('*') if p.is_file() and not p.name.startswith('restante.')]


# -- the disk --

@needs_root
def test_full_while_the_message_comes_in(daemon, mount):
    user = daemon.user()
    mount(daemon.maildir(user), '1m')
    with Lmtp(daemon.lmtp) as client:
        client.hello()
        assert say_both(client.deliver(MESSAGE, at(user))) == [(250, '2.0.0')]
        for _ in range(3):
            replies = client.deliver(b'x' * 3_000_000 + b'\r\n', at(user), at(user))
            assert say_both(replies) == [(452, '4.3.1')] * 2
            # Its space is free again, and the session goes on.
            assert say_both(client.deliver(MESSAGE, at(user))) == [(250, '2.0.0')]
    assert daemon.count(user) == 4
    assert len(files(daemon.mail / user)) == 4


@needs_root
def test_full_before_it_comes(daemon, mount):
    user = daemon.user()
    path = daemon.maildir(user)
    mount(path, '1m')
    with Lmtp(daemon.lmtp) as client:
        client.hello()
        assert say_both(client.deliver(MESSAGE, at(user))) == [(250, '2.0.0')]
        with (path / 'ballast').open('wb', buffering=0) as ballast:
            with pytest.raises(OSError):
                while True:
                    ballast.write(b'x' * 4096)
        assert say_both(client.deliver(MESSAGE, at(user))) == [(452, '4.3.1')]
        # What is there can be read and deleted all the same.
        pop = daemon.login(user)
        assert pop.retr(1)[1][-1] == b'world'
        pop.quit()
        (path / 'ballast').unlink()
        assert say_both(client.deliver(MESSAGE, at(user))) == [(250, '2.0.0')]
    assert daemon.count(user) == 2


@needs_root
def test_full_for_one_of_two(daemon, mount):
    """Each has a file system of their own: the reply is each one's own, in the order of RCPT."""
    full, fine = daemon.user(), daemon.user()
    mount(daemon.maildir(full), '64k')
    mount(daemon.maildir(fine), '8m')
    text = b'x' * 1_000_000 + b'\r\n'
    with Lmtp(daemon.lmtp) as client:
        client.hello()
        assert [r.code for r in client.deliver(text, at(fine), at(full), at(fine))] == [
            250, 452, 250]
        # The first one's disk takes the message in: when that is full, all must wait.
        assert [r.code for r in client.deliver(text, at(full), at(fine))] == [452, 452]
    assert daemon.count(fine) == 2
    assert daemon.count(full) == 0


@needs_root
def test_no_inode_left(daemon, mount):
    user = daemon.user()
    path = daemon.maildir(user)
    mount(path, '1m,nr_inodes=8')
    with Lmtp(daemon.lmtp) as client:
        client.hello()
        codes = [client.say('NOOP').code]
        while codes[-1] == 250:
            client.say('MAIL FROM:<>')
            client.say(f'RCPT TO:<{at(user)}>')
            codes.append(client.say('DATA').code)
            if codes[-1] == 354:
                client.send(MESSAGE + b'.\r\n')
                codes[-1] = client.reply().code
        assert codes[-1] == 452
    assert daemon.count(user) == codes.count(250) - 1 > 0


def test_maildrop_that_cannot_be_made(daemon):
    """Never 5xx: what an operator can mend must not bounce."""
    user, other = daemon.user(), daemon.user()
    path = daemon.mail / user
    path.write_text('a file where the directory should be')
    with Lmtp(daemon.lmtp) as client:
        client.hello()
        client.say('MAIL FROM:<>')
        client.say(f'RCPT TO:<{at(user)}>')
        reply = client.say('DATA')
        assert (reply.code, reply.enhanced) == (451, '4.3.0')
        daemon.wait_for(f"event=delivery-failed .*user={user}")
        assert [r.code for r in client.deliver(MESSAGE, at(other), at(user))] == [250, 451]
        path.unlink()
        assert [r.code for r in client.deliver(MESSAGE, at(user))] == [250]


# -- the processes --

def restart(daemon, role):
    since = daemon.mark()
    os.kill(daemon.child(role), signal.SIGKILL)
    daemon.wait_for(f'event=child-ready role={role}', since)


@pytest.mark.parametrize('role', ['storage', 'auth'])
@pytest.mark.parametrize('times', [1, 3])
def test_killed_between_rcpt_and_data(daemon, role, times):
    """The grants of a dead storage are lost: 451 at DATA, and the next transaction works."""
    user = daemon.user()
    with Lmtp(daemon.lmtp) as client:
        client.hello()
        client.say('MAIL FROM:<>')
        assert client.say(f'RCPT TO:<{at(user)}>').code == 250
        for _ in range(times):
            restart(daemon, role)
        # Auth has passed its grant on, so nobody needs it any more.
        reply = client.say('DATA')
        assert (reply.code, reply.enhanced) == {'storage': (451, '4.3.0'), 'auth': (354, '')}[role]
        if role == 'auth':
            client.send(b'.\r\n')
            assert client.reply().code == 250
        assert [r.code for r in client.deliver(MESSAGE, at(user), at(user))] == [250] * 2
    assert daemon.count(user) == 2 + (role == 'auth')


@pytest.mark.parametrize('more', [0, 10, 2_000_000])
def test_storage_killed_while_the_message_comes_in(daemon, more):
    user = daemon.user()
    with Lmtp(daemon.lmtp) as client:
        client.hello()
        client.begin(at(user), at(user))
        client.send(MESSAGE)
        restart(daemon, 'storage')
        client.send(b'x' * more + b'\r\n.\r\n')
        assert say_both(client.replies(2)) == [(451, '4.3.0')] * 2
        assert [r.code for r in client.deliver(MESSAGE, at(user))] == [250]
    assert daemon.count(user) == 1
    assert len(files(daemon.mail / user)) == 1


def test_storage_killed_before_it_answers(daemon):
    """It stands still, then it is dead: who waits for it hears 451 at once, not after a timeout."""
    user = daemon.user()
    with Lmtp(daemon.lmtp) as beginner, Lmtp(daemon.lmtp) as ender:
        beginner.hello()
        ender.hello()
        ender.begin(at(user))
        beginner.say('MAIL FROM:<>')
        assert beginner.say(f'RCPT TO:<{at(user)}>').code == 250
        pid = daemon.child('storage')
        os.kill(pid, signal.SIGSTOP)
        beginner.command('DATA')
        ender.send(MESSAGE + b'.\r\n')
        since = daemon.mark()
        os.kill(pid, signal.SIGKILL)
        assert say_both([beginner.reply(), ender.reply()]) == [(451, '4.3.0')] * 2
        daemon.wait_for('event=child-ready role=storage', since)
        assert [r.code for r in beginner.deliver(MESSAGE, at(user))] == [250]
        assert [r.code for r in ender.deliver(MESSAGE, at(user))] == [250]
    # What was in storage's channel when it died was never read.
    assert daemon.count(user) == 2


@pytest.mark.parametrize('role', ['storage', 'auth'])
def test_stands_still_for_a_while(daemon, role):
    """Nothing is lost and nobody is sent away; other processes' work goes on meanwhile."""
    user = daemon.user()
    with Lmtp(daemon.lmtp) as client, Lmtp(daemon.lmtp) as other:
        client.hello()
        pid = daemon.child(role)
        os.kill(pid, signal.SIGSTOP)
        client.send((f'MAIL FROM:<>\r\nRCPT TO:<{at(user)}>\r\nDATA\r\n').encode())
        assert client.reply().code == 250
        other.hello()
        assert other.say('NOOP').code == 250
        os.kill(pid, signal.SIGCONT)
        assert [r.code for r in client.replies(2)] == [250, 354]
        os.kill(pid, signal.SIGSTOP)
        client.send(MESSAGE + b'.\r\n')
        assert other.say('NOOP').code == 250
        os.kill(pid, signal.SIGCONT)
        assert client.reply().code == 250
    assert daemon.count(user) == 1


def test_auth_killed_while_it_is_asked(daemon):
    user = daemon.user()
    with Lmtp(daemon.lmtp) as client:
        client.hello()
        client.say('MAIL FROM:<>')
        pid = daemon.child('auth')
        os.kill(pid, signal.SIGSTOP)
        client.command(f'RCPT TO:<{at(user)}>')
        since = daemon.mark()
        os.kill(pid, signal.SIGKILL)
        reply = client.reply()
        assert (reply.code, reply.enhanced) == (451, '4.3.0')
        assert client.say('DATA').code == 503
        daemon.wait_for('event=child-ready role=auth', since)
        assert client.say('RSET').code == 250
        assert [r.code for r in client.deliver(MESSAGE, at(user))] == [250]


def test_listener_killed_while_the_message_comes_in(daemon):
    """The connection is gone, and so is what had come: the MTA tries again."""
    user = daemon.user()
    clients = [Lmtp(daemon.lmtp) for _ in range(10)]  # some with each listener
    for client in clients:
        client.hello()
        client.begin(at(user))
        client.send(b'x' * 200_000)
    since = daemon.mark()
    for line in daemon.logged('event=child-started role=listener'):
        os.kill(int(line.split('pid=')[1].split()[0]), signal.SIGKILL)
    for client in clients:
        assert client.rest() == b''
        client.close()
    for _ in range(2):
        line = daemon.wait_for('event=child-ready role=listener', since)
        since = daemon.lines.index(line, since) + 1
    assert files(daemon.maildir(user)) == []
    with Lmtp(daemon.lmtp) as client:
        client.hello()
        assert [r.code for r in client.deliver(MESSAGE, at(user))] == [250]
    assert daemon.count(user) == 1
