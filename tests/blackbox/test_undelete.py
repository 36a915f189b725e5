# SPDX-License-Identifier: MIT
"""What DELE means, which folders make up a maildrop, and how many of its messages are listed."""
import imaplib
import os
import time

import pytest

from harness import PASSWORD, Port
from old_servers import Dovecot

DAY = 86400


def uidls(daemon, user):
    """UIDL by number, in order."""
    pop = daemon.login(user)
    found = [line.split()[1].decode() for line in pop.uidl()[1]]
    pop.quit()
    return found


def delete(daemon, user, *numbers):
    pop = daemon.login(user)
    for n in numbers:
        pop.dele(n)
    pop.quit()


def subjects(daemon, user):
    pop = daemon.login(user)
    found = [pop.top(n + 1, 0)[1] for n in range(pop.stat()[0])]
    pop.quit()
    return [line for lines in found for line in lines if line.startswith(b'Subject:')]


def kept(daemon, user):
    """What restantectl undelete --list says: [(uidl, folder, where, deleted, until)]."""
    out = daemon.ctl('undelete', user, '--list').stdout.decode()
    return [line.split('\t') for line in out.splitlines()]


def undelete(daemon, user, *what):
    return daemon.ctl('undelete', user, *what).stdout


def sent(n):
    return b'Subject: %d\r\n\r\nbody\r\n' % n


def user_with(daemon, messages, *rules):
    user = daemon.user()
    if rules:
        daemon.ctl('user', 'set', user, *rules)
    daemon.deliver(user, *(sent(n) for n in range(1, messages + 1)))
    return user


@pytest.mark.parametrize('how', ['hide', 'trash'])
def test_back_in_its_place(shared, how):
    daemon = shared
    user = user_with(daemon, 4, f'dele={how}')
    before = uidls(daemon, user)
    delete(daemon, user, 2, 3)
    assert uidls(daemon, user) == [before[0], before[3]]
    assert {(k[0], k[1], k[2], k[4]) for k in kept(daemon, user)} == {
        (u, 'INBOX', 'hidden' if how == 'hide' else 'trash', 'never') for u in before[1:3]}
    # What comes in meanwhile stands behind what comes back.
    daemon.deliver(user, sent(5))
    assert undelete(daemon, user, before[2]) == b'brought back 1 message\n'
    now = uidls(daemon, user)
    assert now[:3] == [before[0], before[2], before[3]] and len(now) == 4
    assert undelete(daemon, user, '--all') == b'brought back 1 message\n'
    assert uidls(daemon, user)[:4] == before
    assert subjects(daemon, user) == [b'Subject: %d' % n for n in range(1, 6)]
    assert kept(daemon, user) == []


def test_a_broken_connection_deletes_nothing(shared):
    daemon = shared
    user = user_with(daemon, 2, 'dele=hide')
    pop = daemon.login(user)
    pop.dele(1)
    pop.close()
    assert len(uidls(daemon, user)) == 2 and kept(daemon, user) == []


def test_trash_is_a_folder_of_maildirpp(shared):
    """Where every IMAP server looks, with the octets as they were."""
    daemon = shared
    user = user_with(daemon, 2, 'dele=trash', 'trash=Papierkorb')
    delete(daemon, user, 1)
    trash = daemon.maildir(user) / '.Papierkorb'
    assert sorted(p.name for p in trash.iterdir() if p.is_dir())[:3] == ['cur', 'new', 'tmp']
    files = [p for folder in ('new', 'cur') for p in (trash / folder).iterdir()]
    assert len(files) == 1 and b'Subject: 1\r\n' in files[0].read_bytes()


class Imap(imaplib.IMAP4_stream):
    """Dovecot's IMAP server on a pipe, as that user."""

    def __init__(self, dovecot, user):
        super().__init__(f'doveadm -c {dovecot.conf} exec imap -u {user} 2>/dev/null')


@pytest.fixture
def dovecot(shared):
    place = Port()
    place.socket.close()
    server = Dovecot(shared, port=place.number)
    yield server
    server.stop()


def test_imap_sees_the_trash(shared, dovecot):
    """What DELE moved is in Dovecot's folder; and what Dovecot moves back is mail again."""
    daemon = shared
    user = user_with(daemon, 3, 'dele=trash')
    before = uidls(daemon, user)
    delete(daemon, user, 1, 2)
    with Imap(dovecot, user) as imap:
        assert any(line.endswith(b' Trash') for line in imap.list()[1])
        assert imap.select()[1] == [b'1']
        assert imap.select('Trash')[1] == [b'2']
        texts = [imap.fetch(str(n), '(BODY.PEEK[])')[1][0][1] for n in (1, 2)]
        assert [t[t.index(b'Subject'):] for t in texts] == [sent(1), sent(2)]
        imap.copy('1', 'INBOX')
        imap.store('1', '+FLAGS', r'(\Deleted)')
        imap.expunge()
    # Under its name, so it is the message that it was.
    assert uidls(daemon, user) == [before[0], before[2]]
    assert [k[0] for k in kept(daemon, user)] == [before[1]]
    assert undelete(daemon, user, '--all') == b'brought back 1 message\n'
    assert uidls(daemon, user) == before
    delete(daemon, user, 1)
    assert uidls(daemon, user) == before[1:]
    assert undelete(daemon, user, before[0]) == b'brought back 1 message\n'
    with Imap(dovecot, user) as imap:
        assert imap.select()[1] == [b'3'] and imap.select('Trash')[1] == [b'0']


@pytest.mark.parametrize('how', ['hide', 'trash'])
def test_gone_for_good(shared, how):
    """After dele_days the file goes; until then it is there."""
    daemon = shared
    user = user_with(daemon, 2, f'dele={how}', 'dele_days=3')
    delete(daemon, user, 1)
    uidl, folder, where, deleted, until = kept(daemon, user)[0]
    parse = lambda text: time.mktime(time.strptime(text, '%Y-%m-%d %H:%M'))
    assert parse(until) - parse(deleted) == 3 * DAY
    maildir = daemon.maildir(user)
    assert len([p for p in maildir.rglob('*') if ',S=' in p.name]) == 2


def test_only_dele_is_meant(shared):
    """A user without a rule has mail deleted as always."""
    daemon = shared
    user = user_with(daemon, 2)
    delete(daemon, user, 1)
    assert kept(daemon, user) == []
    assert len(list((daemon.maildir(user) / 'new').iterdir())) == 1
    assert not (daemon.maildir(user) / 'restante.views').exists()


def test_undelete_says_what_it_cannot(shared):
    daemon = shared
    user = user_with(daemon, 1, 'dele=hide')
    for what, why in ((['nosuch'], 'not among those'), ([], 'wants UIDLs'),
                      (['--all', '--list'], 'wants UIDLs')):
        with pytest.raises(AssertionError, match=why):
            undelete(daemon, user, *what)


def folder(daemon, user, name):
    """A Maildir++ folder, as another program makes it."""
    path = daemon.maildir(user)
    for part in ('new', 'cur', 'tmp'):
        (path / f'.{name}' / part).mkdir(parents=True)
    owner = path.stat()
    for place in [path / f'.{name}', *(path / f'.{name}').iterdir()]:
        os.chown(place, owner.st_uid, owner.st_gid)


def test_folders(shared):
    """One maildrop of two, in the order in which mail came in; who deletes in it deletes there."""
    daemon = shared
    user = daemon.user()
    daemon.deliver(user, sent(1))
    daemon.ctl('user', 'set', user, 'folders=INBOX,Junk')
    folder(daemon, user, 'Junk')
    then = int(time.time()) - DAY
    path = daemon.store(user, sent(0), f'{then}.M1P1.host', '.Junk/new')
    os.utime(path, (then, then))
    assert subjects(daemon, user) == [b'Subject: 0', b'Subject: 1']
    both = uidls(daemon, user)
    assert len(set(both)) == 2
    # One that is moved is the same one: in its new folder it came last.
    inbox = daemon.maildir(user) / 'cur' / (path.name + ':2,S')
    path.rename(inbox)
    assert uidls(daemon, user) == [both[1], both[0]]
    inbox.rename(path)
    assert uidls(daemon, user) == both
    delete(daemon, user, 1)
    assert uidls(daemon, user) == both[1:] and not path.exists()
    daemon.ctl('user', 'unset', user, 'folders')
    assert uidls(daemon, user) == both[1:]


def test_newest(shared):
    """Only the newest are listed; the others are there, and come into sight as these go."""
    daemon = shared
    user = user_with(daemon, 5, 'newest=2')
    assert subjects(daemon, user) == [b'Subject: 4', b'Subject: 5']
    delete(daemon, user, 2)
    assert subjects(daemon, user) == [b'Subject: 3', b'Subject: 4']
    daemon.ctl('user', 'unset', user, 'newest')
    assert subjects(daemon, user) == [b'Subject: %d' % n for n in range(1, 5)]


def test_for_all(make_daemon):
    daemon = make_daemon(dele='hide', dele_days=7)
    user, other = daemon.user(), daemon.user()
    daemon.ctl('user', 'set', other, 'dele=delete')
    for name in (user, other):
        daemon.deliver(name, sent(1))
        delete(daemon, name, 1)
    assert len(kept(daemon, user)) == 1 and kept(daemon, other) == []
    with daemon.wire() as wire:
        wire.login(user, PASSWORD)
        assert wire.ok('STAT').split()[:2] == ['0', '0']
        # A session goes on as it began.
        assert undelete(daemon, user, '--all') == b'brought back 1 message\n'
        assert wire.ok('STAT').split()[:2] == ['0', '0']
        wire.ok('QUIT')
    assert daemon.count(user) == 1


def test_wrong_values(make_daemon):
    daemon = make_daemon()
    user = daemon.user()
    for rule in ('dele=shred', 'trash=a/b', 'folders=INBOX,../x', 'newest=-1', 'dele_days=x'):
        with pytest.raises(AssertionError, match=rule.split('=', 1)[0]):
            daemon.ctl('user', 'set', user, rule)
