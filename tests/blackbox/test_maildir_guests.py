# SPDX-License-Identifier: MIT
"""A Maildir belongs to its user: other programs put mail in, take it out, and break it."""
import mailbox
import os
import socket
from pathlib import Path

import pytest

from harness import PASSWORD, running

BODY = b'Subject: a\n\nbody\n'
WIRE = b'Subject: a\r\n\r\nbody\r\n'


def test_mail_comes_and_goes_between_sessions(shared):
    """Each change within the same clock tick as the last session: none may be missed."""
    user = shared.user()
    there = {}
    for i in range(60):
        name = f'{i:03}.x.host'
        there[name] = shared.store(user, BODY + b'%d\n' % i, name)
        if i % 3 == 2:
            there.pop(f'{i - 1:03}.x.host').unlink()
        with shared.wire(user) as wire:
            assert list(wire.uidls().values()) == sorted(there)
            assert wire.retr(len(there)) == WIRE + b'%d\r\n' % i
            wire.quit()


def test_one_out_and_one_in_at_once(shared):
    """As many as before, in a directory that was just read."""
    user = shared.user()
    path = shared.store(user, BODY, '0.x.host')
    for i in range(1, 40):
        with shared.wire(user) as wire:
            assert list(wire.uidls().values()) == [path.name]
            wire.quit()
        path.unlink()
        path = shared.store(user, BODY, f'{i}.x.host')


def test_a_directory_with_its_old_time(shared):
    """A program that sets times back (cp -a, rsync -t) doesn't hide what it did."""
    user = shared.user()
    shared.store(user, BODY, '1.x.host')
    assert shared.count(user) == 1
    new = shared.maildir(user) / 'new'
    before = new.stat()
    shared.store(user, BODY, '2.x.host')
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert shared.count(user) == 2


def test_read_marked_and_moved_during_a_session(shared):
    """A mail reader opens the same Maildir: all it renames can still be fetched and deleted."""
    user = shared.user()
    top = shared.maildir(user)
    for n in (1, 2, 3, 4):
        shared.store(user, BODY + b'%d\n' % n, f'{n}.x.host')
    with shared.wire(user) as wire:
        uidls = wire.uidls()
        assert wire.retr(1) == WIRE + b'1\r\n'
        (top / 'new' / '1.x.host').rename(top / 'cur' / '1.x.host:2,')
        (top / 'new' / '2.x.host').rename(top / 'cur' / '2.x.host:2,S')
        (top / 'new' / '3.x.host').rename(top / 'cur' / '3.x.host:2,FS')
        for n in (1, 2, 3, 4):
            assert wire.retr(n) == WIRE + b'%d\r\n' % n
            assert wire.top(n, 0) == WIRE[:-6]
        (top / 'cur' / '2.x.host:2,S').rename(top / 'cur' / '2.x.host:2,RS')
        assert wire.retr(2) == WIRE + b'2\r\n'
        (top / 'cur' / '3.x.host:2,FS').rename(top / 'cur' / '3.x.host:2,FST')
        wire.ok('DELE 2')
        wire.ok('DELE 3')
        wire.quit()
    assert [p.name for p in (top / 'cur').iterdir()] == ['1.x.host:2,']
    with shared.wire(user) as wire:
        assert list(wire.uidls().values()) == [uidls[1], uidls[4]]


def test_pop3_marks_nothing(shared):
    """Fetching leaves names, places and times as they are."""
    user = shared.user()
    shared.store(user, BODY, '1.x.host')
    shared.store(user, BODY, '2.x.host:2,FS', 'cur')
    box = mailbox.Maildir(shared.maildir(user), create=False)
    before = {key: (box.get_message(key).get_subdir(), box.get_message(key).get_flags())
              for key in box.keys()}
    with shared.wire(user) as wire:
        for n in (1, 2):
            wire.retr(n)
            wire.top(n, 10)
        wire.quit()
    box = mailbox.Maildir(shared.maildir(user), create=False)
    assert before == {key: (box.get_message(key).get_subdir(), box.get_message(key).get_flags())
                      for key in box.keys()}


def test_taken_away_during_a_session(shared):
    user = shared.user()
    paths = [shared.store(user, BODY + b'%d\n' % n, f'{n}.x.host') for n in (1, 2, 3)]
    with shared.wire(user) as wire:
        paths[1].unlink()
        for line in ('RETR 2', 'TOP 2 0'):
            assert 'taken away or changed' in wire.err(line)
        assert wire.stat()[0] == 3 and wire.ok('LIST 2')
        assert wire.retr(3) == WIRE + b'3\r\n'
        wire.ok('DELE 1')
        wire.ok('DELE 2')  # it's gone, which is what was asked for
        wire.quit()
    assert shared.count(user) == 1


def test_changed_in_place(shared):
    """Not what was listed, so it isn't sent; the next session lists it as it is."""
    user = shared.user()
    path = shared.store(user, BODY, '1.x.host')
    shared.store(user, BODY, '2.x.host')
    with shared.wire(user) as wire:
        path.write_bytes(BODY + b'and more\n')
        assert 'taken away or changed' in wire.err('RETR 1')
        assert wire.retr(2) == WIRE
        wire.quit()
    with shared.wire(user) as wire:
        assert wire.retr(1) == WIRE + b'and more\r\n'


@pytest.mark.parametrize('sizes', ['S=5', 'S=17', 'W=20', 'S=5,W=20', 'S=17,W=99', 'S=99,W=99',
                                   'S=0,W=0', 'S=17,W=20,D=0', 'S=17,W=20', 'S=x,W=y', 'S=17,S=5',
                                   'S=18446744073709551633,W=20', 'S=18,W=18,D=0'])
def test_sizes_in_names(shared, sizes):
    """A name may lie. Then a message is refused once at most, and from then on it is right."""
    user = shared.user()
    shared.store(user, BODY, f'1.x.host,{sizes}')
    shared.store(user, BODY, '2.x.host')
    with shared.wire(user) as wire:
        before = wire.uidls()
        reply = wire.reply('RETR 1')
        if reply.startswith('+OK'):
            assert wire.octets() == WIRE
        else:
            assert 'taken away or changed' in reply
        assert wire.retr(2) == WIRE
        wire.quit()
    with shared.wire(user) as wire:
        assert wire.uidls() == before
        assert wire.retr(1) == WIRE


@pytest.mark.parametrize('octets', [17, 18, 22])
def test_a_size_that_only_reading_can_refute(shared, octets):
    """S= is true, W= is not: RETR never sends another length than LIST said."""
    user = shared.user()
    shared.store(user, BODY, f'1.x.host,S=17,W={octets}')
    shared.store(user, BODY, '2.x.host')
    with shared.wire(user) as wire:
        before = wire.uidls()
        assert wire.ok('LIST 1') == f'1 {octets}'
        assert wire.ok('TOP 1 0') is not None and wire.octets()
        assert 'taken away or changed' in wire.err('RETR 1')
        assert wire.retr(2) == WIRE
        wire.ok('DELE 2')
        wire.quit()
    with shared.wire(user) as wire:
        assert wire.uidls() == {1: before[1]}
        assert wire.ok('LIST 1') == '1 20'
        assert wire.retr(1) == WIRE


def test_a_size_that_is_taken_for_our_own(shared):
    """Who writes D= says that we delivered it: all of it comes, and the log says what is wrong."""
    user = shared.user()
    shared.store(user, BODY, '1.x.host,S=17,W=17,D=1')
    since = shared.mark()
    with shared.wire(user) as wire:
        wire.ok('RETR 1')
        assert wire.octets() == WIRE
        line = shared.wait_for('event=wrong-size', since)
        assert 'listed=17 sent=20' in line and f'user={user}' in line
        wire.quit()


def test_what_is_no_message(shared):
    user = shared.user()
    new = shared.maildir(user) / 'new'
    shared.store(user, BODY, '1.x.host')
    (new / '.hidden').write_bytes(BODY)
    (new / '2.directory').mkdir()
    os.mkfifo(new / '3.fifo')
    (new / '4.link').symlink_to('/etc/hostname')
    (new / '5.dangling').symlink_to('/nowhere')
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(new / '6.socket'))
    (shared.maildir(user) / 'tmp' / '7.x.host').write_bytes(BODY)
    (shared.maildir(user) / 'notes.txt').write_text('mine')
    with shared.wire(user) as wire:
        assert list(wire.uidls().values()) == ['1.x.host']
        assert wire.retr(1) == WIRE
        wire.ok('DELE 1')
        wire.quit()
    assert sorted(p.name for p in new.iterdir()) == [
        '.hidden', '2.directory', '3.fifo', '4.link', '5.dangling', '6.socket']


def test_a_message_that_becomes_something_else(shared):
    """Between the list and RETR; a link to somewhere must never be followed."""
    user = shared.user()
    path = shared.store(user, BODY, '1.x.host')
    shared.store(user, BODY, '2.x.host')
    with shared.wire(user) as wire:
        path.unlink()
        path.symlink_to('/etc/passwd')
        assert 'taken away or changed' in wire.err('RETR 1')
        path.unlink()
        os.mkfifo(path)
        assert 'taken away or changed' in wire.err('RETR 1')
        assert wire.retr(2) == WIRE


@pytest.mark.skipif(os.geteuid() != 0, reason='needs two users')
def test_unreadable(shared):
    """It is listed and reported, and the rest can be fetched."""
    user = shared.user()
    paths = [shared.store(user, BODY + b'%d\n' % n, f'{n}.x.host') for n in (1, 2, 3)]
    os.chown(paths[1], 0, 0)
    paths[1].chmod(0o600)
    since = shared.mark()
    with shared.wire(user) as wire:
        assert '2.x.host' in shared.wait_for('Permission denied', since)
        assert wire.stat()[0] == 3
        assert wire.uidls()[2] == '2.x.host'
        assert 'message 2' in wire.err('RETR 2', code='SYS/PERM')
        for n in (1, 3):
            assert wire.retr(n) == WIRE + b'%d\r\n' % n
        wire.quit()
    paths[1].chmod(0o644)
    with shared.wire(user) as wire:
        wire.reply('RETR 2')  # perhaps not yet: it was listed with another size
    with shared.wire(user) as wire:
        assert wire.retr(2) == WIRE + b'2\r\n'


@pytest.mark.skipif(os.geteuid() != 0, reason='needs two users')
@pytest.mark.parametrize('folder', ['.', 'new', 'cur'])
def test_a_maildir_that_is_not_ours(shared, folder):
    """What an operator must mend isn't taken for a wrong password, nor for an empty maildrop."""
    user = shared.user()
    shared.store(user, BODY, '1.x.host')
    top = shared.maildir(user)
    os.chown(top / folder, 0, 0)
    (top / folder).chmod(0o700)
    since = shared.mark()
    with shared.wire() as wire:
        wire.ok(f'USER {user}')
        wire.err(f'PASS {PASSWORD}', code='SYS/PERM')
        assert user in shared.wait_for('event=open-failed', since)
    shared.give_to_nobody(top / folder)
    assert shared.count(user) == 1


def test_uidls_are_for_ever(shared):
    """Through flags, other programs' tidying, a lost index and sizes that are put into the name."""
    user = shared.user()
    top = shared.maildir(user)
    names = ['1.x.host', '2.M1P2.host,S=17', '3.odd name with spaces', '4.' + 'x' * 100,
             '5.grüße', '6.a:b', '7.x.host,S=17,W=20']
    for name in names:
        shared.store(user, BODY, name)
    with shared.wire(user) as wire:
        before = wire.uidls()
        assert len(set(before.values())) == len(names)
        assert all(1 <= len(uidl) <= 70 and uidl.isascii() for uidl in before.values())
        wire.quit()
    for name in names:
        (top / 'new' / name).rename(top / 'cur' / (name + ':2,S'))
    (top / 'cur' / '1.x.host:2,S').rename(top / 'cur' / '1.x.host,S=17,W=20:2,S')
    for path in top.glob('restante.*'):
        path.unlink()
    with shared.wire(user) as wire:
        assert wire.uidls() == before
        for n in range(1, len(names) + 1):
            assert wire.retr(n) == WIRE


@pytest.mark.parametrize('damage', ['empty', 'nonsense', 'a record', 'the header'])
def test_a_damaged_index_costs_no_message(shared, damage):
    user = shared.user()
    for n in range(1, 6):
        shared.store(user, BODY + b'%d\n' % n, f'{n}.x.host')
    with shared.wire(user) as wire:
        before = wire.uidls()
        wire.quit()
    index, = shared.maildir(user).glob('restante.index')
    octets = index.read_bytes()
    index.write_bytes({'empty': b'', 'nonsense': b'x' * 1000,
                       'a record': octets[:300] + b'\xff' * 20 + octets[320:],
                       'the header': b'\xff' * 20 + octets[20:]}[damage])
    with shared.wire(user) as wire:
        after = wire.uidls()
        assert sorted(after.values()) == sorted(before.values())
        for n, uidl in after.items():
            assert wire.retr(n) == WIRE + uidl[:1].encode() + b'\r\n'


def test_python_delivers_and_removes(shared):
    """Somebody else's idea of a Maildir."""
    user = shared.user()
    shared.maildir(user)
    box = mailbox.Maildir(shared.maildir(user), create=False)
    keys = [box.add(b'Subject: %d\n\nbody\n' % n) for n in range(5)]
    for path in shared.maildir(user).glob('*/*'):
        shared.give_to_nobody(path)
    with shared.wire(user) as wire:
        assert wire.stat()[0] == 5
        message = box.get_message(keys[2])
        message.set_subdir('cur')
        message.set_flags('S')
        box[keys[2]] = message
        box.remove(keys[4])
        wire.quit()
    for path in shared.maildir(user).glob('*/*'):
        shared.give_to_nobody(path)
    with shared.wire(user) as wire:
        assert wire.stat()[0] == 4
        wire.ok('DELE 1')
        wire.quit()
    assert len(mailbox.Maildir(shared.maildir(user), create=False)) == 3


# ---- sizes past 32 bits ----

GIB = 1 << 30


@pytest.fixture(scope='module')
def in_memory():
    """A spool where a file without content costs nothing, also when it is read."""
    shm = Path('/dev/shm')
    with running() as start:
        yield start(place=shm if os.access(shm, os.W_OK) else None)


def sparse(server, user, name, size):
    """A file in wire form that takes no room: NULs, and a line end."""
    path = server.store(user, b'', name)
    with path.open('r+b') as f:
        f.seek(size - 2)
        f.write(b'\r\n')
    return path


def test_totals_above_4_gib(in_memory):
    user = in_memory.user()
    size = 3 * GIB
    for n in range(1, 4):
        sparse(in_memory, user, f'{n}.x.host,S={size},W={size},D=0', size)
    with in_memory.wire(user) as wire:
        assert wire.stat() == (3, 3 * size)
        wire.ok('DELE 1')
        assert wire.stat() == (2, 2 * size)
        assert f'({2 * size} octets)' in wire.ok('LIST')
        wire.octets()
        wire.ok('RSET')
        assert wire.stat() == (3, 3 * size)


def test_a_message_above_4_gib(in_memory):
    """What is behind 4 GiB isn't what is behind 0; so far behind that it is asked for by itself."""
    user = in_memory.user()
    at, size = 4 * GIB + (16 << 20), 4 * GIB + (32 << 20)
    mark = b'here\r\n'
    path = sparse(in_memory, user, f'1.x.host,S={size},W={size},D=0', size)
    with path.open('r+b') as f:
        f.seek(at)
        f.write(mark)
    with in_memory.wire(user) as wire:
        assert wire.stat() == (1, size)
        assert wire.ok('LIST 1') == f'1 {size}'
        assert str(size) in wire.ok('RETR 1')
        left = at - len(wire.buffer)
        wire.buffer = b''
        scratch = bytearray(1 << 20)
        while left > 0:  # the kernel throws them away: nobody looks at 4 GiB of NULs
            left -= wire.socket.recv_into(scratch, min(len(scratch), left), socket.MSG_TRUNC)
        assert wire.octets() == mark + bytes(size - at - len(mark) - 2) + b'\r\n'
        wire.ok('NOOP')
