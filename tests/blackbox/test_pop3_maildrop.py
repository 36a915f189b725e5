# SPDX-License-Identifier: MIT
"""A maildrop through a session's life: what is listed, marked, brought back, deleted and locked."""
import socket
import threading

import pytest

from harness import PASSWORD
from wire import PATIENCE


def text(n):
    """Every message has a size of its own."""
    return b'Subject: %d\r\n\r\n' % n + b'line\r\n' * n


@pytest.fixture
def drop(both):
    """A user with five messages."""
    user = both.user()
    both.deliver(user, *(text(n) for n in range(1, 6)))
    return both, user


def check(wire, alive):
    """Every command that counts or lists says that these messages are there, and no others."""
    sizes = wire.sizes()
    assert sorted(sizes) == alive
    assert wire.stat() == (len(alive), sum(sizes.values()))
    uidls = wire.uidls()
    assert sorted(uidls) == alive
    assert len(set(uidls.values())) == len(alive)
    assert wire.ok('LIST').startswith(f'{len(alive)} message')
    assert [int(line.split(b' ')[0]) for line in wire.octets().splitlines()] == alive
    for n in alive:
        assert wire.ok(f'LIST {n}') == f'{n} {sizes[n]}'
        assert wire.ok(f'UIDL {n}') == f'{n} {uidls[n]}'
        octets = wire.retr(n)
        assert octets.endswith(text(n))
        assert len(octets) == sizes[n]
        assert wire.top(n, 0) == octets[:-6 * n]
    return uidls


def test_numbers_stay_after_dele(drop):
    server, user = drop
    with server.wire(user) as wire:
        before = check(wire, [1, 2, 3, 4, 5])
        assert wire.ok('DELE 2') == 'message 2 deleted'
        after = check(wire, [1, 3, 4, 5])
        assert after == {n: uidl for n, uidl in before.items() if n != 2}
        wire.ok('DELE 1')
        wire.ok('DELE 5')
        assert check(wire, [3, 4]) == {3: before[3], 4: before[4]}
        wire.ok('DELE 4')
        wire.ok('DELE 3')
        assert check(wire, []) == {}
        assert wire.stat() == (0, 0)
        wire.ok('RSET')
        assert check(wire, [1, 2, 3, 4, 5]) == before
        wire.quit()
    assert server.count(user) == 5


def test_a_deleted_message_is_nowhere(drop):
    server, user = drop
    with server.wire(user) as wire:
        wire.ok('DELE 2')
        for line in ('DELE 2', 'RETR 2', 'LIST 2', 'UIDL 2', 'TOP 2 0', 'DELE 02'):
            assert wire.err(line) == f'{line.split()[0]}: message 2 is deleted'
        assert check(wire, [1, 3, 4, 5])
        wire.ok('RSET')
        wire.ok('RSET')
        assert wire.retr(2).endswith(text(2))
        assert wire.stat()[0] == 5


def test_quit_deletes_what_is_marked_and_nothing_else(drop):
    server, user = drop
    with server.wire(user) as wire:
        before = wire.uidls()
        wire.ok('DELE 2')
        wire.ok('DELE 4')
        wire.quit()
    with server.wire(user) as wire:
        assert wire.uidls() == {1: before[1], 2: before[3], 3: before[5]}
        assert wire.retr(2).endswith(text(3))
        wire.ok('DELE 1')
        wire.ok('RSET')
        wire.quit()
    with server.wire(user) as wire:
        assert wire.stat()[0] == 3
        for n in (1, 2, 3):
            wire.ok(f'DELE {n}')
        wire.quit()
    with server.wire(user) as wire:
        assert wire.stat() == (0, 0)
        assert wire.sizes() == {} and wire.uidls() == {}
        assert wire.err('RETR 1') == 'RETR: message 1 does not exist'
        wire.quit()
    server.deliver(user, text(1))
    with server.wire(user) as wire:
        assert wire.uidls()[1] not in before.values()


def test_quit_before_login(both):
    with both.wire() as wire:
        wire.quit()
    with both.wire() as wire:
        wire.ok('USER user0')
        wire.quit()


def test_nothing_is_read_behind_quit(drop):
    server, user = drop
    with server.wire(user) as wire:
        wire.send(b'DELE 1\r\nQUIT\r\nNOOP\r\nDELE 2\r\nQUIT\r\n')
        assert wire.ok() == 'message 1 deleted'
        wire.ok()
        assert wire.rest() == b''
    assert server.count(user) == 4


@pytest.mark.parametrize('how', ['close', 'reset', 'half a QUIT', 'too many bad commands'])
def test_without_quit_nothing_is_deleted(drop, how):
    server, user = drop
    with server.wire(user) as wire:
        for n in (1, 2, 3, 4, 5):
            wire.ok(f'DELE {n}')
        if how == 'reset':
            wire.reset()
        elif how == 'half a QUIT':
            wire.send(b'QUIT')  # and the line never ends
        elif how == 'too many bad commands':
            wire.send(b'FROB\r\n' * 10)
            assert wire.rest().count(b'-ERR') == 10
    # At once: the next login isn't told that the maildrop is in use.
    with server.wire(user) as wire:
        check(wire, [1, 2, 3, 4, 5])


def test_half_closed_after_quit(drop):
    """A client that has nothing more to say may say so; its QUIT counts and is answered."""
    server, user = drop
    with server.wire(user) as wire:
        wire.send(b'DELE 1\r\nRETR 5\r\nQUIT\r\n')
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.ok() == 'message 1 deleted'
        wire.ok()
        assert wire.octets().endswith(text(5))
        wire.ok()
        assert wire.rest() == b''
    assert server.count(user) == 4


def test_in_use(drop):
    server, user = drop
    first = server.wire(user)
    second = server.wire()
    second.ok(f'USER {user}')
    assert 'another session' in second.err(f'PASS {PASSWORD}', code='IN-USE')
    second.ok(f'USER {user.upper()}@EXAMPLE.org')
    second.err(f'PASS {PASSWORD}', code='IN-USE')
    first.ok('DELE 1')
    first.quit()
    # The refused session may try again, and sees what the first left.
    second.login(user, PASSWORD)
    assert second.stat()[0] == 4
    second.quit()


def test_in_use_is_no_bad_command(make_daemon):
    """Whoever polls while another program is at it did nothing wrong."""
    daemon = make_daemon(max_bad_commands=1)
    with daemon.wire('user0'), daemon.wire() as wire:
        for _ in range(2):
            wire.ok('USER user0')
            wire.err(f'PASS {PASSWORD}', code='IN-USE')


@pytest.mark.parametrize('leave', ['quit', 'close', 'reset'])
def test_login_at_once_after_the_last(drop, leave):
    server, user = drop
    for _ in range(30):
        wire = server.wire(user)
        if leave == 'quit':
            wire.ok('QUIT')
        elif leave == 'close':
            wire.close()
        else:
            wire.reset()
    assert server.count(user) == 5


def test_dropped_while_it_receives(drop):
    server, user = drop
    server.deliver(user, b'\r\n' + b'x' * 998 + b'\r\n' * 20000)
    for _ in range(5):
        wire = server.wire(user)
        wire.send(b'RETR 6\r\n' * 100)
        wire.more()
        wire.reset()
    assert server.count(user) == 6


def test_a_session_sees_the_maildrop_as_it_was(drop):
    server, user = drop
    with server.wire(user) as wire:
        server.deliver(user, text(6))
        check(wire, [1, 2, 3, 4, 5])
        assert 'does not exist' in wire.err('RETR 6')
        wire.ok('DELE 5')
        wire.quit()
    with server.wire(user) as wire:
        assert wire.retr(5).endswith(text(6))


def test_one_of_many_gets_it(both):
    """However they come at the same time, one has the maildrop and all others are told so."""
    user = both.user()
    both.deliver(user, text(1))
    replies = []
    all_there = threading.Barrier(8)

    def attempt():
        wire = both.wire()
        wire.ok(f'USER {user}')
        all_there.wait(PATIENCE)
        replies.append(wire.reply(f'PASS {PASSWORD}'))
        all_there.wait(PATIENCE)
        wire.close()

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(replies) == 8
    assert sum(reply.startswith('+OK') for reply in replies) == 1
    assert sum(reply.startswith('-ERR [IN-USE]') for reply in replies) == 7
    assert both.count(user) == 1


def test_many_messages(both):
    """More than the 512 records of the index that are read at once."""
    user = both.user()
    n = 600
    both.deliver(user, *(b'Subject: %d\r\n\r\n' % i for i in range(1, n + 1)))
    with both.wire(user) as wire:
        uidls = wire.uidls()
        assert sorted(uidls) == list(range(1, n + 1))
        assert len(set(uidls.values())) == n
        for i in range(1, n + 1, 2):
            wire.command(f'DELE {i}')
        for i in range(1, n + 1, 2):
            assert wire.ok() == f'message {i} deleted'
        assert sorted(wire.sizes()) == list(range(2, n + 1, 2))
        assert wire.stat()[0] == n // 2
        wire.quit()
    with both.wire(user) as wire:
        assert list(wire.uidls().values()) == [uidls[i] for i in range(2, n + 1, 2)]
        assert b'Subject: 600\r\n' in wire.retr(n // 2)
