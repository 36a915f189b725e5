# SPDX-License-Identifier: MIT
"""Servers of every kind: whatever they do, each message is fetched once, and none is lost."""
import base64
import random
import sqlite3
import subprocess
import time

import pytest

from bad_server import Close, Mail
from harness import PASSWORD
from restante_client import CONFIG, DATAERR, NOPERM, PROTOCOL, TEMPFAIL, UNAVAILABLE, USAGE
from wire import PATIENCE


def text(n, body=b'body\r\n'):
    return b'Message-Id: <%d@x>\r\nSubject: number %d\r\n\r\n' % (n, n) + body


def mails(n):
    return [Mail(f'uidl-{i}', text(i)) for i in range(1, n + 1)]


def octets(*several):
    return [m.octets for m in several]


@pytest.fixture
def server(bad_server, client):
    """Three messages, over implicit TLS; the client knows where."""
    s = bad_server(mails(3))
    client.at(s.port, cafile=bad_server.cafile)
    return s


# ---- Which messages ----

def test_once(server, client):
    before = list(server.mails)
    assert '3 fetched' in client.fetch().out
    assert '0 fetched' in client.fetch().out
    client.check(octets(*before))
    server.mails.append(Mail('uidl-4', text(4)))
    assert '1 fetched' in client.fetch().out
    client.check(octets(*before, server.mails[3]))


def test_delete(server, client):
    before = list(server.mails)
    out = client.fetch('--delete').out
    assert '3 fetched' in out and '3 deleted on the server, 0 on the server' in out
    assert server.mails == []
    client.check(octets(*before))


def test_delete_what_was_kept(server, client):
    before = list(server.mails)
    client.fetch()
    server.mails.append(Mail('uidl-4', text(4)))
    new = server.mails[-1]
    assert '1 fetched' in client.fetch('--delete').out
    assert server.mails == []
    client.check(octets(*before, new))


def test_dry_run(server, client):
    before = list(server.mails)
    assert client.fetch('--dry-run').err.count('would fetch message') == 3
    assert not client.maildir.exists()
    client.fetch()
    said = client.fetch('--dry-run', '--delete').err
    assert said.count('would delete message') == 3 and 'would fetch' not in said
    assert server.mails == before
    assert not [c for c in server.said() if c.startswith('DELE')]


def test_utf8(server, client):
    """Said where it is offered, before the login; a server that then refuses is no worse than before."""
    before = octets(*server.mails)
    client.fetch()
    assert 'UTF8' not in server.said()
    server.caps = [*server.caps, 'UTF8']
    server.on['UTF8'] = b'+OK\r\n'
    client.fetch()
    said = server.sessions[1].commands
    assert said.index('UTF8') < next(i for i, c in enumerate(said) if c.startswith(('AUTH', 'USER')))
    server.on['UTF8'] = b'-ERR no\r\n'
    assert '0 fetched' in client.fetch().out
    client.check(before)


def numbers_deleted(server):
    return [c for c in server.said() if c.startswith('DELE')]


def stored_days_ago(client, days, uidl):
    """As if it had been: the state is a database that can be looked into."""
    with sqlite3.connect(client.state) as db:
        done = db.execute('UPDATE message SET stored_at = stored_at - ? WHERE uidl = ?',
                          (days * 86400, uidl))
        assert done.rowcount == 1
    db.close()


def test_delete_after(server, client):
    client.fetch('--delete-after', '14d')
    assert numbers_deleted(server) == []
    stored_days_ago(client, 15, b'uidl-2')
    stored_days_ago(client, 13, b'uidl-3')
    said = client.fetch('--delete-after', '14d', '--dry-run').err
    assert said.count('would delete') == 1 and 'message 2' in said and 'long enough ago' in said
    assert numbers_deleted(server) == []
    assert '1 deleted on the server, 2 on the server' in client.fetch('--delete-after', '14d').out
    assert numbers_deleted(server) == ['DELE 2']
    assert len(client.mails()) == 3


def test_keep_newest(server, client):
    before = list(server.mails)
    assert '3 fetched' in client.fetch('--delete', '--keep-newest', '2').out
    assert server.mails == before[1:]
    server.mails.append(Mail('uidl-4', text(4)))
    client.fetch('--delete', '--keep-newest', '2')
    assert [m.uidl for m in server.mails] == [b'uidl-3', b'uidl-4']
    client.fetch('--delete', '--keep-newest', '5')
    assert len(server.mails) == 2
    assert len(client.mails()) == 4


def test_mirror(server, client):
    client.fetch('--on-server', 'mirror')
    assert numbers_deleted(server) == []
    paths = client.paths()
    # Read, and renamed for it, isn't deleted.
    paths[0].rename(client.maildir / 'cur' / f'{paths[0].name}:2,S')
    client.fetch('--on-server', 'mirror')
    assert numbers_deleted(server) == []
    paths[1].unlink()
    said = client.fetch('--on-server', 'mirror', '--dry-run').err
    assert said.count('would delete') == 1 and 'deleted here' in said
    assert '1 deleted on the server' in client.fetch('--on-server', 'mirror').out
    assert len(server.mails) == 2 and len(client.mails()) == 2


def test_mirror_of_a_maildir_that_is_not_there(server, client):
    """A disk that isn't mounted, a Maildir that was moved: nobody has deleted anything."""
    client.fetch('--on-server', 'mirror')
    client.maildir.rename(client.home / 'moved')
    result = client.fetch('--on-server', 'mirror')
    assert "isn't taken for deleted" in result.err and len(server.mails) == 3
    # Another Maildir: what is in it now says nothing about what was stored elsewhere.
    server.mails.append(Mail('uidl-4', text(4)))
    client.account[client.account.index('--maildir') + 1] = str(client.home / 'other')
    assert '1 fetched' in client.fetch('--on-server', 'mirror').out
    client.fetch('--on-server', 'mirror')
    assert numbers_deleted(server) == []


def test_max_size(server, client):
    server.mails.append(Mail('large', text(4, b'x' * 5000 + b'\r\n')))
    before = octets(*server.mails)
    result = client.fetch('--max-size', '4K', '--delete')
    assert '3 fetched' in result.out and '1 left that are too large' in result.out
    client.check(before[:3])
    assert [m.uidl for m in server.mails] == [b'large']
    assert '1 fetched' in client.fetch('--max-size', '6K').out
    client.check(before)


def test_max_messages(server, client):
    result = client.fetch('--max-messages', '2')
    assert '2 fetched' in result.out and '1 left for the next time' in result.out
    assert '1 fetched' in client.fetch('--max-messages', '2').out
    assert len(client.mails()) == 3


def test_drain(bad_server, client):
    """A server that shows two at a time, as Gmail shows a few hundred: all of them, in one go."""
    hidden = mails(5)
    before = octets(*hidden)
    server = bad_server(hidden[:2])
    rest = iter([hidden[2:4], hidden[4:], []])

    def show_more(session, _):
        server.mails[:] = [m for n, m in enumerate(server.mails, 1) if n not in session.marked]
        server.mails.extend(next(rest, []))
        session.marked.clear()
        session.do_quit('')

    server.on['QUIT'] = show_more
    client.at(server.port, cafile=bad_server.cafile)
    out = client.fetch('--delete', '--drain', 'yes').out
    assert '5 fetched' in out and '5 deleted on the server, 0 on the server' in out
    client.check(before)
    assert len(server.sessions) == 4


@pytest.mark.parametrize('body', [
    b'.\r\n..\r\n.x\r\nnot stuffed yet\r\n.\r\n', b'\0\1\x80\xff\r\n', b'bare\rCR and\nLF\r\n',
    b'x' * 1500000 + b'\r\n', b'', b'\r\n', b'\r\n\r\n\r\n', b'\n\r\n', b'\r\r\n'],
    ids=['dots', 'octets', 'bare', 'long', 'empty', 'blank', 'blanks', 'lf', 'crcr'])
def test_octets(server, client, body):
    server.mails[1].octets = text(2, body)
    before = list(server.mails)
    client.fetch('--delete')
    client.check(octets(*before))


def test_many(server, client):
    server.mails[:] = mails(450)
    before = list(server.mails)
    client.fetch('--delete')
    client.check(octets(*before))
    assert server.mails == []


# ---- UIDLs ----

def test_no_uidl(server, client):
    server.on['UIDL'] = b'-ERR not here\r\n'
    server.caps = ('TOP', 'USER', 'PIPELINING')
    before = list(server.mails)
    client.fetch()
    assert '0 fetched' in client.fetch().out
    server.mails.insert(0, Mail('x', text(9)))
    before.append(server.mails[0])
    assert '1 fetched' in client.fetch().out
    client.check(octets(*before))
    client.fetch('--delete')
    assert server.mails == []


def test_no_uidl_and_no_top(server, client):
    server.on |= {'UIDL': b'-ERR not here\r\n', 'TOP': b'-ERR neither\r\n', 'CAPA': b'-ERR nor this\r\n'}
    server.caps = ()
    before = list(server.mails)
    client.fetch()
    assert '0 fetched' in client.fetch().out
    client.check(octets(*before))
    client.fetch('--delete')
    assert server.mails == []
    client.check(octets(*before))


def test_no_uidl_no_top_and_a_refusal(server, client):
    """One that couldn't be looked at may be any that is known: none has vanished then."""
    server.on |= {'UIDL': b'-ERR not here\r\n', 'TOP': b'-ERR neither\r\n'}
    server.caps = ()
    before = list(server.mails)
    client.fetch()
    server.on['RETR 2'] = b'-ERR not today\r\n'
    client.fetch(status=DATAERR)
    del server.on['RETR 2']
    assert '0 fetched' in client.fetch().out
    client.check(octets(*before))


def test_no_uidl_and_one_like_it(server, client):
    """Without UIDLs, a message like one that was deleted is another one."""
    server.on['UIDL'] = b'-ERR not here\r\n'
    server.caps = ('TOP', 'USER')
    before = list(server.mails)
    client.fetch('--delete')
    server.mails.append(Mail('x', text(1)))
    assert '1 fetched' in client.fetch('--delete').out
    client.check(octets(*before) + [text(1)])
    assert server.mails == []


def test_uidl_fails_for_once(server, client):
    """It had UIDLs: it would be a mistake to go on without, and fetch all again."""
    client.fetch()
    server.on['UIDL'] = b'-ERR disk error\r\n'
    client.fetch(status=TEMPFAIL)
    assert len(client.mails()) == 3
    del server.on['UIDL']
    assert '0 fetched' in client.fetch().out


def test_same_uidl_for_all(server, client):
    for m in server.mails:
        m.uidl = b'same'
    before = list(server.mails)
    client.fetch()
    assert '0 fetched' in client.fetch().out
    client.check(octets(*before))
    # Only what was stored is deleted.
    server.mails.append(Mail('same', text(4)))
    server.on['RETR 4'] = b'-ERR not now\r\n'
    client.fetch('--delete', status=DATAERR)
    assert octets(*server.mails) == [text(4)]
    del server.on['RETR 4']
    server.on.clear()
    client.fetch('--delete')
    client.check(octets(*before) + [text(4)])


def test_same_message_twice(server, client):
    """Alike in everything, UIDL and all: two messages all the same."""
    server.mails[1] = server.mails[0]
    before = list(server.mails)
    client.fetch()
    client.check(octets(*before))
    assert '0 fetched' in client.fetch().out
    client.fetch('--delete')
    assert server.mails == []
    client.check(octets(*before))


@pytest.mark.parametrize('uidl', [b'x' * 70, b'x' * 500, b'x' * 5000, b'\xff\x80\x01', b'a b  c',
                                  b"'; DROP TABLE message; --", b'../../etc/passwd'])
def test_odd_uidls(server, client, uidl):
    server.mails[1].uidl = uidl
    server.mails[2].uidl = uidl + b'2'
    before = list(server.mails)
    client.fetch()
    assert '0 fetched' in client.fetch().out
    client.check(octets(*before))


def test_uidl_missing_for_one(server, client):
    client.fetch()
    before = list(server.mails)
    kept, server.mails[1].uidl = server.mails[1].uidl, b''
    assert '0 fetched' in client.fetch().out
    server.mails[1].uidl = kept
    assert '0 fetched' in client.fetch().out
    client.check(octets(*before))


def test_uidls_that_count_from_one(server, client):
    """A server whose UIDLs are the numbers of a session: other messages, with old UIDLs."""
    for n, m in enumerate(server.mails, 1):
        m.uidl = b'%d' % n
    before = list(server.mails)
    client.fetch('--delete')
    new = [Mail(f'{i}', text(i + 10)) for i in (1, 2, 3)]
    server.mails[:] = new
    assert '3 fetched' in client.fetch('--delete').out
    client.check(octets(*before, *new))
    assert server.mails == []


def test_list_of_yesterday(server, client):
    """Messages that are gone from the list for a day aren't fetched again."""
    before = list(server.mails)
    client.fetch()
    server.mails.clear()
    client.fetch()
    server.mails[:] = before
    assert '0 fetched' in client.fetch().out
    client.check(octets(*before))


def test_sizes_that_are_wrong(server, client):
    for m in server.mails:
        m.size //= 2
    server.mails[2].size = 0
    before = list(server.mails)
    client.fetch()
    for m in server.mails:
        m.size += 7  # and another update of the server
    assert '0 fetched' in client.fetch().out
    client.check(octets(*before))


def test_state_is_lost(server, client):
    """What is in the Maildir is known by its name, also when a reader has moved it."""
    before = list(server.mails)
    client.fetch()
    client.state.unlink()
    moved = client.paths()[0]
    moved.rename(client.maildir / 'cur' / f'{moved.name}:2,S')
    out = client.fetch().out
    assert '0 fetched' in out and '3 found that were stored before' in out
    client.check(octets(*before))
    client.fetch('--delete')
    assert server.mails == []


def test_size_that_is_wrong_is_told(server, client):
    server.mails[1].size = 7
    n = len(server.mails[1].octets)
    assert f'message 2 has {n} octets, LIST said 7' in client.fetch('-v').err


def test_whole_ones_do_not_wait(server, client):
    """However long the next one takes, a message that has come is in the Maildir soon."""
    def long(session, _):
        session.send(b'+OK\r\n')
        deadline = time.monotonic() + PATIENCE
        while not client.maildir.exists() or not client.mails():
            assert time.monotonic() < deadline
            session.send(b'a line\r\n')
            time.sleep(0.01)
        session.send(b'.\r\n')

    server.on['RETR 2'] = long
    assert '3 fetched' in client.fetch().out


# ---- Refusals ----

def test_one_is_refused(server, client):
    server.on['RETR 2'] = b'-ERR it is broken\r\n'
    before = list(server.mails)
    result = client.fetch('--delete', status=DATAERR)
    assert 'refuses RETR 2: it is broken' in result.err and '2 fetched' in result.out
    client.check(octets(before[0], before[2]))
    assert server.mails == [before[1]]
    server.on.clear()
    client.fetch('--delete')
    client.check(octets(*before))


def test_dele_is_refused(server, client):
    server.on['DELE 2'] = b'-ERR not that one\r\n'
    before = list(server.mails)
    result = client.fetch('--delete', status=DATAERR)
    assert '2 deleted on the server' in result.out and '1 to be deleted later' in result.out
    assert server.mails == [before[1]]
    server.on.clear()
    assert '1 deleted on the server' in client.fetch().out
    assert server.mails == []
    client.check(octets(*before))


@pytest.mark.parametrize('reply, status', [
    (b'-ERR [IN-USE] locked\r\n', TEMPFAIL), (b'-ERR [LOGIN-DELAY] wait\r\n', TEMPFAIL),
    (b'-ERR [SYS/TEMP] disk\r\n', TEMPFAIL), (b'-ERR [SYS/PERM] gone\r\n', UNAVAILABLE),
    (b'-ERR [AUTH] no\r\n', NOPERM), (b'-ERR no\r\n', NOPERM)])
def test_login_is_refused(server, client, reply, status):
    server.on['AUTH'] = server.on['PASS'] = reply
    client.fetch(status=status)
    assert server.last().commands[-1].startswith(('AUTH', 'PASS'))


def test_wrong_password(server, client):
    server.account = ('alice', 'another')
    assert 'refuses AUTH' in client.fetch(status=NOPERM).err


def test_refused_at_the_door(server, client):
    server.greeting = b'-ERR too many connections\r\n'
    assert 'too many connections' in client.fetch(status=TEMPFAIL).err


# ---- QUIT ----

@pytest.mark.parametrize('how', ['close', 'err', 'nonsense', 'delete and close'])
def test_quit_fails(server, client, how):
    def delete_and_close(session, _):
        session.remove()
        raise Close

    server.on['QUIT'] = {'close': Close, 'err': b'-ERR some not deleted\r\n', 'nonsense': b'what?\r\n',
                         'delete and close': delete_and_close}[how]
    before = list(server.mails)
    client.fetch('--delete', status=PROTOCOL if how == 'nonsense' else TEMPFAIL)
    client.check(octets(*before))
    server.on.clear()
    # It was decided that they go: a session that keeps everything else sees to it.
    server.mails.append(Mail('new', text(9)))
    client.fetch('--keep')
    assert octets(*server.mails) == [text(9)]
    client.check(octets(*before) + [text(9)])


def test_quit_fails_for_what_was_kept(server, client):
    before = list(server.mails)
    client.fetch()
    server.on['QUIT'] = Close
    client.fetch('--delete', status=TEMPFAIL)
    server.on.clear()
    client.fetch('--keep')
    assert server.mails == []
    client.check(octets(*before))


def test_quit_lies(server, client):
    """+OK, and nothing is deleted: it is tried again, and nothing is fetched again."""
    server.on['QUIT'] = b'+OK bye\r\n'
    before = list(server.mails)
    client.fetch('--delete')
    assert server.mails == before
    del server.on['QUIT']
    assert '0 fetched' in client.fetch('--delete').out
    assert server.mails == []
    client.check(octets(*before))


def test_quit_fails_and_nothing_is_to_be_deleted(server, client):
    server.on['QUIT'] = Close
    assert '3 fetched' in client.fetch().out


# ---- Broken connections ----

@pytest.mark.parametrize('how', ['--keep', '--delete'])
def test_cut_anywhere(bad_server, client, how):
    """The connection ends after any octet of what the server says."""
    server = bad_server()
    client.at(server.port, cafile=bad_server.cafile)
    server.mails[:] = mails(3)
    client.fetch(how, status=0)
    whole = server.last().sent
    rng = random.Random(1)
    last = [*range(whole - 12, whole)] + rng.sample(range(whole - 12), 40)
    for n, cut in enumerate(sorted(last)):
        server.mails[:] = [Mail(f'{n}-{i}', text(1000 * n + i)) for i in range(1, 4)]
        expected = octets(*server.mails)
        for p in client.paths():
            p.unlink()
        server.cut = cut
        result = client.run('fetch', *client.account, how)
        assert result.status in (0, TEMPFAIL), result
        assert result.status == TEMPFAIL or how == '--keep'
        server.last()
        assert all(m in expected for m in client.mails())
        server.cut = None
        client.fetch(how)
        client.check(expected)
        assert len(server.mails) == (0 if how == '--delete' else 3)


def test_closed_in_a_message(server, client):
    def half(session, _):
        session.send(b'+OK\r\nSubject: half of it\r\n\r\n')
        raise Close

    server.on['RETR 2'] = half
    before = list(server.mails)
    client.fetch('--delete', status=TEMPFAIL)
    client.check(octets(before[0]))
    assert server.mails == before and 'QUIT' not in server.last().commands
    server.on.clear()
    client.fetch('--delete')
    client.check(octets(*before))


def test_terminator_in_clear_is_no_end(server, client):
    """LF "." LF and the like don't end a message."""
    server.mails[0].octets = text(1, b'a\n.\nb\r.\rc\n.\r\nd\r\n')
    before = list(server.mails)
    client.fetch()
    client.check(octets(*before))


def test_silence(server, client):
    def silent(session, _):
        while session.socket.recv(1000):
            pass
        raise Close

    server.on['RETR 2'] = silent
    client.fetch('--timeout', '1', status=TEMPFAIL)
    client.check([text(1)])


# ---- Nonsense ----

@pytest.mark.parametrize('on, key', [
    (b'hello\r\n', 'LIST'), (b'+OK\r\n1 x\r\n.\r\n', 'LIST'), (b'+OK\r\n1 10\r\n1 10\r\n.\r\n', 'LIST'),
    (b'+OK\r\n0 10\r\n.\r\n', 'LIST'), (b'+OK\r\n1 99999999999999999999\r\n.\r\n', 'LIST'),
    (b'+OK\r\nhello\r\n.\r\n', 'UIDL'), (b'+OK\r\n1 a\r\n1 a\r\n.\r\n', 'UIDL'), (b'?\r\n', 'RETR 2'),
    (b'\r\n', 'RETR 2'), (b'+OK\r\n' + text(3) + b'.\r\nmore\r\n', 'RETR 3'), (b'+ abc\r\n', 'RETR 2'),
    (b'?\r\n', 'DELE 2'), (b'+OK\r\n.\r\n', 'DELE 3')])
def test_nonsense(server, client, on, key):
    """Then the connection is closed without QUIT, and the server deletes nothing."""
    server.on[key] = on
    before = list(server.mails)
    client.fetch('--delete', status=PROTOCOL)
    assert 'QUIT' not in server.last().commands
    if not key.startswith('DELE'):
        assert not [c for c in server.said() if c.startswith('DELE')]
    assert server.mails == before
    assert client.drafts() == []
    server.on.clear()
    client.fetch('--delete')
    client.check(octets(*before))


@pytest.mark.parametrize('key', ['CAPA', 'LIST', 'RETR 1', 'QUIT'])
def test_line_without_end(server, client, key):
    def endless(session, _):
        while True:
            session.send(b'+OK' + b'x' * 65536)

    server.on[key] = endless
    began = time.monotonic()
    result = client.fetch('--delete', status=PROTOCOL)
    assert time.monotonic() - began < 30, result


def test_capabilities_without_end(server, client):
    def endless(session, _):
        session.send(b'+OK\r\n')
        while True:
            session.send(b'X-NONSENSE\r\n' * 1000)

    server.on['CAPA'] = endless
    client.fetch(status=PROTOCOL)


def test_list_without_end(server, client):
    def endless(session, _):
        session.send(b'+OK\r\n')
        n = 0
        while True:
            session.send(b''.join(b'%d 9\r\n' % i for i in range(n + 1, n + 10001)))
            n += 10000

    server.on['LIST'] = endless
    assert 'endless list' in client.fetch(status=PROTOCOL).err


def test_no_pipelining(server, client):
    """One at a time then; the server looks at that itself."""
    server.caps = ('TOP', 'UIDL', 'USER')
    before = list(server.mails)
    client.fetch('--delete')
    client.check(octets(*before))


# ---- TLS ----

def no_secret_was_said(server):
    return not [c for c in server.said() if c.split(' ')[0].upper() in ('USER', 'PASS', 'AUTH', 'APOP')]


def test_stls(bad_server, client):
    server = bad_server(mails(2), implicit=False)
    client.at(server.port, cafile=bad_server.cafile, tls='stls').fetch()
    assert server.last().tls
    # What was heard in clear is asked again.
    assert server.last().commands[:3] == ['CAPA', 'STLS', 'CAPA']
    client.check([text(1), text(2)])


@pytest.mark.parametrize('how', ['not offered', 'refused', 'gone', 'injected', 'no handshake'])
def test_stls_is_required(bad_server, client, how):
    server = bad_server(mails(2), implicit=False)

    def injected(session, _):
        session.send(b'+OK begin\r\n+OK injected\r\n')
        session.start_tls()

    if how == 'not offered':
        server.on['CAPA'] = b'+OK\r\nUSER\r\n.\r\n'
    server.on['STLS'] = {'not offered': b'+OK\r\n', 'refused': b'-ERR no TLS\r\n', 'gone': Close,
                         'injected': injected, 'no handshake': b'+OK begin\r\n'}[how]
    if how == 'no handshake':
        server.on['STLS'] = lambda session, _: session.send(b'+OK\r\n') or session.send(b'+OK hi\r\n')
    result = client.at(server.port, cafile=bad_server.cafile, tls='stls').run('fetch', *client.account)
    assert result.status == (TEMPFAIL if how == 'gone' else PROTOCOL), result
    assert no_secret_was_said(server)


def test_certificate_of_nobody(bad_server, client):
    server = bad_server(mails(1))
    assert 'certificate' in client.at(server.port).fetch(status=PROTOCOL).err
    assert server.said() == []


def test_certificate_of_another(bad_server, client):
    server = bad_server(mails(1), host='127.0.0.2')
    client.at(server.port, cafile=bad_server.cafile, host='127.0.0.2')
    assert '127.0.0.2' in client.fetch(status=PROTOCOL).err
    assert server.said() == []


@pytest.mark.parametrize('tls', ['implicit', 'stls'])
def test_pin(bad_server, client, tls):
    """Another key than the one that is pinned hears nothing, whatever its certificate says."""
    server = bad_server(mails(1), implicit=tls == 'implicit')
    client.at(server.port, cafile=bad_server.cafile, tls=tls)
    other = 'sha256//' + base64.b64encode(b'x' * 32).decode()
    said = client.fetch('--pin', other, status=PROTOCOL).err
    assert no_secret_was_said(server) and 'none of those that are pinned' in said
    pin = said.split()[-1]
    key = subprocess.run('openssl x509 -pubkey -noout | openssl pkey -pubin -outform DER |'
                         ' openssl dgst -sha256 -binary | base64', shell=True, text=True,
                         input=bad_server.cafile.read_text(), capture_output=True, check=True)
    assert pin == f'sha256//{key.stdout.strip()}'
    assert '1 fetched' in client.fetch('--pin', f'{other};{pin}').out
    assert client.run('fetch', *client.account, '--pin', 'sha1//x').status == USAGE


def test_no_tls_where_it_should_be(bad_server, client):
    server = bad_server(mails(1), tls=False)
    client.at(server.port, cafile=bad_server.cafile).fetch(status=PROTOCOL)
    assert no_secret_was_said(server)


# ---- Logging in ----

def login_commands(server):
    return [c for c in server.last().commands if c.split(' ')[0] in ('USER', 'PASS', 'AUTH', 'APOP')]


@pytest.mark.parametrize('caps, mechanism', [
    ('PLAIN CRAM-MD5 LOGIN SCRAM-SHA-1 SCRAM-SHA-256', 'SCRAM-SHA-256'),
    ('PLAIN CRAM-MD5 SCRAM-SHA-1', 'SCRAM-SHA-1'), ('LOGIN PLAIN CRAM-MD5', 'CRAM-MD5'),
    ('LOGIN PLAIN', 'PLAIN'), ('LOGIN', 'LOGIN'), ('KERBEROS_V4', None)])
@pytest.mark.parametrize('tls', ['implicit', 'send-passwords-in-clear'])
def test_best_way(bad_server, client, caps, mechanism, tls):
    server = bad_server(mails(1), tls=tls == 'implicit')
    server.caps = ('UIDL', 'USER', f'SASL {caps}')
    client.at(server.port, tls=tls, cafile=bad_server.cafile if tls == 'implicit' else None).fetch()
    said = login_commands(server)
    assert said[0].startswith('USER' if mechanism is None else f'AUTH {mechanism}')
    assert server.logins == 1
    assert len(said) == (2 if mechanism is None else 1)


def test_apop(bad_server, client):
    """Without TLS, where it is better than the password; in TLS it isn't."""
    clear, secure = bad_server(mails(1), tls=False), bad_server(mails(1))
    for server in clear, secure:
        server.greeting = b'+OK ready <1.2@x>\r\n'
    client.at(clear.port, tls='send-passwords-in-clear').fetch()
    assert login_commands(clear)[0].startswith('APOP alice ')
    client.at(secure.port, cafile=bad_server.cafile).fetch()
    assert login_commands(secure)[0].startswith('AUTH PLAIN')


@pytest.mark.parametrize('tls', ['implicit', 'send-passwords-in-clear'])
@pytest.mark.parametrize('caps', ['SASL CRAM-MD5 PLAIN', 'SASL SCRAM-SHA-256', 'APOP'])
def test_refused_and_what_then(bad_server, client, tls, caps):
    """In TLS the password itself is tried, once; without, whoever listens would only have to refuse."""
    server = bad_server(mails(1), tls=tls == 'implicit')
    server.caps = ('UIDL', 'USER', caps)
    if caps == 'APOP':
        server.greeting = b'+OK ready <1.2@x>\r\n'
    client.at(server.port, tls=tls, cafile=bad_server.cafile if tls == 'implicit' else None)
    for key in ('AUTH CRAM-MD5', 'APOP'):
        server.on[key] = b'-ERR [AUTH] no\r\n'
    server.on['AUTH'] = lambda s, a: s.send(b'-ERR [AUTH] no\r\n') if a.startswith('SCRAM') else False
    server.on['APOP'] = b'-ERR [AUTH] no\r\n'
    if tls == 'implicit':
        client.fetch()
        assert server.logins == 1
    else:
        client.fetch(status=NOPERM)
        assert len(login_commands(server)) == 1
        assert not [c for c in server.said() if PASSWORD in c]


def test_refused_once(bad_server, client):
    """The next session knows what helped, until the server offers something else."""
    server = bad_server(mails(1))
    server.caps = ('UIDL', 'SASL CRAM-MD5 PLAIN')
    server.on['AUTH CRAM-MD5'] = b'-ERR [AUTH] no\r\n'
    client.at(server.port, cafile=bad_server.cafile)
    for caps, expected in ((None, ['CRAM-MD5', 'PLAIN']), (None, ['PLAIN']), (None, ['PLAIN']),
                           ('SASL CRAM-MD5 LOGIN PLAIN', ['CRAM-MD5', 'PLAIN']),
                           ('SASL CRAM-MD5 LOGIN PLAIN', ['PLAIN'])):
        server.caps = ('UIDL', caps) if caps else server.caps
        client.fetch()
        assert [c.split(' ')[1] for c in login_commands(server)] == expected
    # What is wrong is wrong, and is said once.
    server.account = ('alice', 'another')
    client.fetch(status=NOPERM)
    assert [c.split(' ')[1] for c in login_commands(server)] == ['PLAIN']


def test_server_that_does_not_know_the_password(bad_server, client):
    """It takes whatever is said and says +OK: with SCRAM that isn't enough."""
    server = bad_server(mails(1), tls=False)
    server.caps = ('UIDL', 'SASL SCRAM-SHA-256')

    def impostor(session, argument):
        nonce = base64.b64decode(argument.split(' ')[1]).decode().partition('r=')[2]
        session.challenge(f'r={nonce}abc,s=QSXCR+Q6sek8bf92,i=4096'.encode())
        session.send(b'+OK welcome\r\n')

    server.on['AUTH'] = impostor
    client.at(server.port, tls='send-passwords-in-clear')
    assert "hasn't shown that it knows the password" in client.fetch(status=PROTOCOL).err


@pytest.mark.parametrize('how', ['cram-md5', 'scram-sha-1', 'login', 'user', 'plain'])
def test_configured_way(bad_server, client, how):
    server = bad_server(mails(1))
    client.at(server.port, cafile=bad_server.cafile).fetch('--auth', how)
    assert login_commands(server)[0].startswith('USER' if how == 'user' else f'AUTH {how.upper()}')


def test_configured_apop_that_is_not_there(bad_server, client):
    server = bad_server(mails(1))
    client.at(server.port, cafile=bad_server.cafile).fetch('--auth', 'apop', status=UNAVAILABLE)
    assert no_secret_was_said(server)


def test_long_password(bad_server, client):
    """Too long for a line with AUTH: it goes in a line of its own."""
    long = 'x' * 1000
    server = bad_server(mails(1), account=('alice', long))
    client.password.write_text(long)
    client.at(server.port, cafile=bad_server.cafile).fetch()
    assert login_commands(server) == ['AUTH PLAIN']
    client.fetch('--auth', 'user', status=CONFIG)


def test_challenge_that_makes_no_sense(bad_server, client):
    server = bad_server(mails(1))
    server.on['AUTH'] = b'+ !!!\r\n'
    client.at(server.port, cafile=bad_server.cafile).fetch('--auth', 'login', status=PROTOCOL)
    assert server.last().commands[-1] == '*'
