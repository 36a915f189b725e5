# SPDX-License-Identifier: MIT
"""mail_user = "": each user's mail belongs to the user, and storage works as each of them."""
import os

import pytest

from harness import PASSWORD

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='needs root')

BODY = b'Subject: a\r\n\r\nbody\r\n'


@pytest.fixture
def daemon(make_daemon):
    daemon = make_daemon()
    daemon.write_users({
        **{f'user{i}': f'{{PLAIN}}{PASSWORD}:{6000 + i}:{7000 + i}::{daemon.mail}/user{i}'
           for i in range(3)},
        'root': f'{{PLAIN}}{PASSWORD}:0:0', 'none': f'{{PLAIN}}{PASSWORD}',
        'half': f'{{PLAIN}}{PASSWORD}:6000', 'name': f'{{PLAIN}}{PASSWORD}:mail:mail'})
    for i in range(3):
        home = daemon.mail / f'user{i}'
        home.mkdir(mode=0o700)
        os.chown(home, 6000 + i, 7000 + i)
    daemon.stop()
    daemon.configure(mail_user='', mail_location='%h/Maildir')
    daemon.start()
    return daemon


def test_everybody_owns_their_mail(daemon):
    for i in range(3):
        daemon.deliver(f'user{i}', BODY, BODY)
    for i in range(3):
        pop = daemon.login(f'user{i}')
        assert pop.stat()[0] == 2
        pop.dele(1)
        pop.quit()
        assert daemon.count(f'user{i}') == 1
        made = [path for path in (daemon.mail / f'user{i}').rglob('*')]
        assert made
        for path in made:
            assert (path.stat().st_uid, path.stat().st_gid) == (6000 + i, 7000 + i), path
            assert path.stat().st_mode & 0o077 == 0, path


def test_others_mail_is_out_of_reach(daemon):
    """Whoever makes their Maildir a way to somebody else's comes there as themselves."""
    daemon.deliver('user0', BODY)
    mine, others = daemon.mail / 'user1', daemon.mail / 'user0' / 'Maildir'
    (mine / 'Maildir').symlink_to(others)
    with daemon.wire() as wire:
        wire.ok('USER user1')
        wire.err(f'PASS {PASSWORD}', code='SYS/PERM')
    (mine / 'Maildir').unlink()
    (mine / 'Maildir').mkdir()
    os.chown(mine / 'Maildir', 6001, 7001)
    for folder in ('new', 'cur', 'tmp'):
        (mine / 'Maildir' / folder).symlink_to(others / folder)
    with daemon.wire() as wire:
        wire.ok('USER user1')
        assert wire.reply(f'PASS {PASSWORD}').startswith('-ERR [SYS/')
    for folder in ('new', 'cur', 'tmp'):
        (mine / 'Maildir' / folder).unlink()
        (mine / 'Maildir' / folder).mkdir()
        os.chown(mine / 'Maildir' / folder, 6001, 7001)
    message, = (others / 'new').iterdir()
    (mine / 'Maildir' / 'new' / '1.link').symlink_to(message)
    os.link(message, mine / 'Maildir' / 'new' / '2.hard')  # as root: users can't
    with daemon.wire('user1') as wire:
        assert list(wire.uidls().values()) == ['2.hard']
        assert 'cannot be read' in wire.err('RETR 1', code='SYS/PERM')
    assert daemon.count('user0') == 1


@pytest.mark.parametrize('user', ['root', 'none', 'half', 'name'])
def test_nobody_is_served_as_root(daemon, user):
    with daemon.wire() as wire:
        wire.ok(f'USER {user}')
        wire.err(f'PASS {PASSWORD}', code='SYS/PERM')
    assert user in daemon.wait_for('event=no-maildrop')
