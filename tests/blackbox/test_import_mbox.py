# SPDX-License-Identifier: MIT
"""Mail spools are brought: popa3d's, and those of UW ipop3d and qpopper, which aren't in Debian."""
import fcntl
import hashlib
import os
import poplib
import subprocess
import time

import pytest

from harness import PASSWORD, RESTANTECTL
from moving import ctl, daemon, message # pylint: disable=unused-import # a fixture
from old_servers import Popa3d, inspect, keepers
from wire import PATIENCE

USAGE, DATAERR = 64, 65
FROM = b'From a b@example.org Thu Jan  1 00:00:%02d 2015\n'


def mbox(*messages):
    return b''.join(FROM % n + text + b'\n' for n, text in enumerate(messages, 1))


@pytest.fixture
def spools(daemon, tmp_path):
    """A directory of spools. give(user, octets) makes one."""
    place = daemon.dir / 'spools'
    place.mkdir()
    daemon.give_to_nobody(place)

    def give(user, content):
        path = place / user
        path.write_bytes(content)
        daemon.give_to_nobody(path)
        return path

    give.pattern = str(place / '%u')
    return give


# What popa3d makes UIDLs of, and what it doesn't; and what makes messages of a file.
HEADERS = [
    b'Received: by here; Thu, 1 Jan 2015\n\t00:00:01 +0000\nDate: later\nMessage-Id: <later>\nSubject: 1\n',
    b'Date: Thu, 1 Jan 2015 00:00:01 +0000\nreceived: by here\nReceived: by another\nmessage-ID: <2>\n',
    b'Message-ID: <3>\n <continued>\nDelivered-To: one\nReply-To: x\nDate: a date\nX-Delivery-ID: 3\n'
    b'x-delivery-id: not looked at\nReturn-Path: <x>\n',
    b'Received: by here, 4\nDelivered-To: two\nDate: later\nStatus: RO\nX-Status: AF\n',
    b'Subject: nothing else\n',
    b'Message-ID: <6>\n' + b'Delivered-To: ' + b'x' * 9000 + b'\nSubject: long\n',
]
BODIES = [
    b'', b'\n', b'\n\n', b'\nbody\n', b'\nhere\nFrom here it goes on\n\n>From there\n\n\n', b'\n.dot\n..\n' + b'y' * 9000 + b'\n',
]


def test_nothing_is_fetched_again(daemon, tmp_path, monkeypatch):
    monkeypatch.setattr(poplib, '_MAXLINE', 1 << 16)
    daemon.add_users('alice')
    old = Popa3d(daemon)
    mails = [header + BODIES[3] for header in HEADERS] + [HEADERS[0] + body for body in BODIES]
    # All of them go by the same UIDLs, so two are enough: one of others, and ours.
    spool = old.spool('alice', mbox(*(b'Delivered-To: %d\n' % n + mail for n, mail in enumerate(mails))))
    os.utime(spool, (0, 0)) # or it sleeps, for somebody might write within the same second
    pattern = f'{old.spools}/%u'
    try:
        clients = [c for c in keepers(old.port, 'alice', tmp_path) if c.program in ('mpop', None)]
        assert [c.fetch() for c in clients] == [len(mails)] * len(clients)
        # While it still works.
        assert f'{len(mails)} brought' in ctl(daemon, 'import', 'popa3d', 'alice', '--from', pattern)
        pop = poplib.POP3('127.0.0.1', old.port, timeout=PATIENCE)
        pop.user('alice')
        pop.pass_(PASSWORD)
        pop.dele(2)
        pop.quit()
        with open(spool, 'ab') as f:
            f.write(mbox(message(1)))
        os.utime(spool, (0, 0))
        assert [c.fetch() for c in clients] == [1] * len(clients)
        before = inspect(old.port, 'alice')
    finally:
        old.stop()
    said = ctl(daemon, 'import', 'popa3d', 'alice', '--from', pattern, '--remove-gone')
    assert f'{len(mails)} messages: 1 brought, {len(mails) - 1} here before, 1 gone' in said
    assert not list(old.spools.glob('*.lock'))
    old.remove()
    daemon.start()
    assert [c.fetch() for c in clients] == [0] * len(clients)
    assert inspect(daemon.pop3.number, 'alice') == before


# ---- UW ipop3d isn't in Debian: these spools, and what is expected of them, are what it wrote and said ----

INTERNAL = (b"From MAILER-DAEMON Thu Jan  1 00:00:00 2015\nFrom: Mail System Internal Data <MAILER-DAEMON@x>\n"
            b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1400000000 0000000007\n"
            b'Status: RO\n\nThis text is part of the internal format of your mail folder\n\n')

UW = {
    'in its first message': (mbox(
        b'Subject: 1\nX-IMAPbase: 1795599257 6\nStatus: RO\nX-Status: AF\nX-Keywords:          \nX-UID: 1\n\n'
        b'body\n\n\n>From x\nFrom not\n',
        b'Subject: 2\nStatus: O\nX-Status: \nX-UID: 3\n\n',
        b'Subject: dele\nStatus: RO\nX-Status: D\nX-UID: 4\n\ngone\n',
        b'Subject: 4\nX-STATUS: x\n y\nFoo: a\n b\n\n\n') +
        FROM % 5 + b'Subject: 5\n\nx\n' + FROM % 6 + b'Subject: without a blank line\n\nbody\n',
        [(b'6b06ab9900000001', b'Subject: 1\nStatus: RO\n\nbody\n\n\n>From x\nFrom not\n', 'FRS'),
         (b'6b06ab9900000003', b'Subject: 2\nStatus:  O\n\n', ''),
         (b'6b06ab9900000007', b'Subject: 4\nFoo: a\n b\nStatus:   \n\n\n', ''),
         (b'6b06ab9900000008', b'Subject: 5\nStatus:   \n\nx\n', ''),
         (b'6b06ab9900000009', b'Subject: without a blank line\nStatus:   \n\nbody\n', '')]),
    'in one that nobody sees': (INTERNAL + mbox(
        b'Subject: u3\nX-UID: 3\n\nx\n', b'Subject: u5\nX-UID: 5\nStatus: R\n\nx\n', b'Subject: new\n\nz\n',
        b'Subject: u20\nX-UID: 20\n\nx\n', b'Subject: new\n\nz\n'),
        [(b'53724e0000000003', b'Subject: u3\nStatus:   \n\nx\n', ''),
         (b'53724e0000000005', b'Subject: u5\nStatus: R \n\nx\n', 'S'),
         (b'53724e0000000008', b'Subject: new\nStatus:   \n\nz\n', ''),
         (b'53724e0000000014', b'Subject: u20\nStatus:   \n\nx\n', ''),
         (b'53724e0000000015', b'Subject: new\nStatus:   \n\nz\n', '')]),
}


def test_uw(daemon, spools):
    users = {}
    for what, (spool, expected) in UW.items():
        user = users[what] = daemon.user()
        spools(user, spool)
        assert f'{len(expected)} brought' in ctl(daemon, 'import', 'uw', user, '--from', spools.pattern)
    daemon.start()
    for what, (spool, expected) in UW.items():
        texts = [text.replace(b'\n', b'\r\n') for _, text, _ in expected]
        assert inspect(daemon.pop3.number, users[what]) == [
            (uidl, len(text), text) for (uidl, _, _), text in zip(expected, texts, strict=True)]
        assert flags(daemon, users[what]) == [marks for _, _, marks in expected]


def flags(daemon, user):
    """Of the messages that were brought, in their order."""
    names = {path.name.split(',')[0].split(':')[0]: path.name for path in daemon.mail.glob(f'{user}/[nc]*/*')}
    lines = (daemon.mail / user / 'restante.uidl').read_text(encoding='ascii').splitlines()[1:-1]
    stems = [line.split()[1].split(',')[0] for line in lines]
    return [names[stem].partition(':2,')[2] for stem in stems]


@pytest.mark.parametrize('uids', [(2, 1), (1, 1), (0,), (3, 4, 4)])
def test_uw_uids_that_do_not_grow(daemon, spools, uids):
    """It would begin anew with them: what it says then, nobody knows."""
    user = daemon.user()
    spools(user, INTERNAL + mbox(*(b'X-UID: %d\nSubject: %d\n\nx\n' % (uid, n) for n, uid in enumerate(uids))))
    for brought in (len(uids), 0):
        assert f'{brought} brought' in ctl(daemon, 'import', 'uw', user, '--from', spools.pattern)
    uidls = (daemon.mail / user / 'restante.uidl').read_text(encoding='ascii')
    assert '53724e00' not in uidls


def test_qpopper(daemon, spools):
    """By its documentation: there is none to try it with."""
    user = daemon.user()
    spools(user, mbox(
        b'X-UIDL: ;I"!!=Ml"!^_9"!p(\"!\nStatus: RO\nSubject: 1\n\nbody\n\n' + b'From there\n',
        b'Subject: 2\nX-UIDL:  0123456789abcdef0123456789abcdef \n\nX-UIDL: of the body\n',
        b'Subject: not listed yet\n\n'))
    assert '3 brought' in ctl(daemon, 'import', 'qpopper', user, '--from', spools.pattern)
    assert '0 brought, 3 here' in ctl(daemon, 'import', 'qpopper', user, '--from', spools.pattern)
    daemon.start()
    got = inspect(daemon.pop3.number, user)
    assert [uidl for uidl, _, _ in got[:2]] == [b';I"!!=Ml"!^_9"!p(\"!', b'0123456789abcdef0123456789abcdef']
    assert got[0][2] == (b'X-UIDL: ;I"!!=Ml"!^_9"!p(\"!\r\nStatus: RO\r\nSubject: 1\r\n\r\n'
                         b'body\r\n\r\nFrom there\r\n')
    assert flags(daemon, user) == ['S', '', '']


def test_popa3d_same_twice(daemon, spools):
    """Which its UIDLs don't tell apart; and when a message arrived."""
    user = daemon.user()
    text = b'Message-ID: <1>\n\nx\n'
    spools(user, mbox(text, text, b''.join(b'Subject: %d\n' % n for n in range(500)) + b'\n'))
    said = ctl(daemon, 'import', 'popa3d', user, '--from', spools.pattern)
    sum_of = hashlib.md5(b'Message-ID: <1>\n').digest()
    uidl = (sum_of[3::-1] + sum_of[7:3:-1]).hex()
    assert f"message 2: UIDL '{uidl}' is another message's too" in said
    assert '3 brought' in said
    times = sorted(path.stat().st_mtime for path in daemon.mail.glob(f'{user}/*/*'))
    assert times == [time.mktime((2015, 1, 1, 0, 0, n, 0, 0, -1)) for n in (1, 2, 3)]


# ---- whatever the server ----

def test_no_spool_and_no_mbox(daemon, spools):
    user = daemon.user()
    where = ('--from', spools.pattern)
    assert '0 messages' in ctl(daemon, 'import', 'popa3d', user, *where)
    path = spools(user, b'')
    assert '0 messages' in ctl(daemon, 'import', 'uw', user, *where)
    path.write_bytes(b'no mail\n')
    assert f"'{path}' doesn't begin as a file of mails does" in ctl(
        daemon, 'import', 'popa3d', user, *where, status=DATAERR)
    path.write_bytes(b'From nobody and no date\nx: y\n')
    assert "doesn't begin" in ctl(daemon, 'import', 'uw', user, *where, status=DATAERR)
    path.unlink()
    path.symlink_to(daemon.conf)
    assert 'cannot open' in ctl(daemon, 'import', 'popa3d', user, *where, status=74)
    path.unlink()
    path.mkdir()
    assert 'is no file' in ctl(daemon, 'import', 'popa3d', user, *where, status=DATAERR)
    assert '--from says' in ctl(daemon, 'import', 'qpopper', user, status=USAGE)


def test_locks(daemon, spools):
    """It waits for who delivers, and who delivers waits for it."""
    user = daemon.user()
    path = spools(user, mbox(message(1)))
    dot = path.with_name(path.name + '.lock')
    holders = {
        'dot': lambda: dot.write_text(f'{os.getpid()}\n', encoding='ascii'),
        'fcntl': lambda: fcntl.lockf(spool, fcntl.LOCK_EX),
        'flock': lambda: fcntl.flock(spool, fcntl.LOCK_EX),
    }
    free = {'dot': dot.unlink, 'fcntl': lambda: fcntl.lockf(spool, fcntl.LOCK_UN),
            'flock': lambda: fcntl.flock(spool, fcntl.LOCK_UN)}
    for n, how in enumerate(holders):
        with open(path, 'r+b') as spool:
            holders[how]()
            run = subprocess.Popen([str(RESTANTECTL), '-c', str(daemon.conf), 'import', 'popa3d', user, '--from',
                                    spools.pattern], stdout=subprocess.PIPE, text=True)
            with pytest.raises(subprocess.TimeoutExpired):
                run.wait(0.3) # as long as nobody lets go, whatever the machine does
            spool.seek(0, 2)
            spool.write(mbox(message(2 + n)))
            spool.flush()
            free[how]()
            assert f'{n + 2} messages: {1 if n else 2} brought' in run.communicate(timeout=PATIENCE)[0]
        assert not dot.exists()


def test_lock_of_somebody_dead(daemon, spools):
    user = daemon.user()
    path = spools(user, mbox(message(1)))
    gone = subprocess.Popen(['true'])
    gone.wait(PATIENCE)
    dot = path.with_name(path.name + '.lock')
    dot.write_text(f'{gone.pid}\n', encoding='ascii')
    assert '1 brought' in ctl(daemon, 'import', 'popa3d', user, '--from', spools.pattern)
    assert not dot.exists()


def test_killed(daemon, spools):
    """Somewhere in the middle; then again. Nothing is missing and nothing there twice."""
    count = 400
    for _ in range(20): # it may be done before we come to kill it
        user = daemon.user()
        spools(user, mbox(*(message(n) for n in range(count))))
        run = subprocess.Popen([str(RESTANTECTL), '-c', str(daemon.conf), 'import', 'popa3d', user, '--from',
                                spools.pattern], stdout=subprocess.DEVNULL)
        while run.poll() is None:
            if len(list(daemon.mail.glob(f'{user}/*/*'))) > 20:
                run.kill()
        if run.wait(PATIENCE) == -9:
            break
    assert run.returncode == -9
    said = ctl(daemon, 'import', 'popa3d', user, '--from', spools.pattern)
    assert f'{count} messages' in said
    assert f'{count} messages: 0 brought, {count} here' in ctl(daemon, 'import', 'popa3d', user, '--from', spools.pattern)
    daemon.start()
    got = inspect(daemon.pop3.number, user)
    assert [text.replace(b'\r\n', b'\n') for _, _, text in got] == [
        message(n) for n in range(count)]
