# SPDX-License-Identifier: MIT
"""A Maildir of Courier's, or of qmail-pop3d's, is taken over: what clients know stays what it is."""
import os
import poplib

import pytest

from harness import PASSWORD
from moving import ctl, daemon, message # pylint: disable=unused-import # a fixture
from old_servers import courier, inspect, keepers
from wire import PATIENCE

DATAERR = 65


def fill(d, user, numbers):
    for n in numbers:
        d.store(user, message(n), f'{1700000000 + n * 7 % 5}.M{n}P1.host')


def test_nothing_is_fetched_again(daemon, tmp_path):
    daemon.add_users('alice')
    fill(daemon, 'alice', range(1, 8))
    old = courier(daemon)
    try:
        clients = keepers(daemon.pop3.number, 'alice', tmp_path)
        assert [c.fetch() for c in clients] == [7] * len(clients)
        pop = poplib.POP3('127.0.0.1', daemon.pop3.number, timeout=PATIENCE)
        pop.user('alice')
        pop.pass_(PASSWORD)
        pop.dele(3)
        pop.quit()
        fill(daemon, 'alice', [8])
        assert [c.fetch() for c in clients] == [1] * len(clients)
        before = inspect(daemon.pop3.number, 'alice')
    finally:
        old.stop()
    assert (daemon.mail / 'alice/courierpop3dsizelist').read_text(encoding='ascii').startswith('/3 ')
    assert before[0][0].startswith(b'UID')
    assert 'alice: 7 messages, in their place: 7 keep UIDL' in ctl(daemon, 'import', 'courier', 'alice')
    daemon.start()
    assert [c.fetch() for c in clients] == [0] * len(clients)
    assert inspect(daemon.pop3.number, 'alice') == before


# What older versions wrote, by hand; Courier of today reads only the last two.
LISTS = {
    0: ('1700000001.a 10\n1700000002.b+c:2,S 11\n', [b'1700000001.a', b'1700000002.b+2Bc']),
    1: ('/1 9\n1700000001.a 10 7\n1700000002.b+c:2,S 11 0\n', [b'UID7', b'1700000002.b+2Bc']),
    2: ('/2 9 1234\n1700000001.a 10 7:1234\n1700000002.b+c:2,S 11 8:0\n', [b'UID7-1234', b'UID8']),
    3: ('/3 9 1234\n1700000001.a 10 7:1234:0\n1700000002.b+c:2,S 11 8:99:1\n', [b'UID7-1234', b'UID8-99']),
}


@pytest.mark.parametrize('version', LISTS)
def test_versions(daemon, version):
    user = daemon.user()
    content, uidls = LISTS[version]
    daemon.store(user, message(1), '1700000001.a:2,', 'cur')
    daemon.store(user, message(2), '1700000002.b+c:2,S', 'cur')
    daemon.store(user, message(3), '1600000000.new')
    (daemon.mail / user / 'courierpop3dsizelist').write_text(content, encoding='ascii')
    ctl(daemon, 'import', 'courier', user)
    daemon.start()
    assert [uidl for uidl, _, _ in inspect(daemon.pop3.number, user)] == uidls + [b'1600000000.new']


@pytest.mark.parametrize('content, wrong', [
    ('/4 1 2\n', ':1: not a list of version 0 to 3'),
    ('/3 1 2\na 5 1:2\n', ':2: no number at its end'),
    ('/3 1 2\na x 1:2:0\n', ':2: no size behind the name'),
    ('/3 1 2\na 5 1:2:0\nb 5', ':3: cut off'),
    ('/2 1 2\nx/a 5 1:2\n', ':2: no file name'),
], ids=lambda value: '' if value.startswith(':') else None)
def test_bad_list(daemon, content, wrong):
    user = daemon.user()
    daemon.store(user, message(1), 'a')
    path = daemon.mail / user / 'courierpop3dsizelist'
    path.write_text(content, encoding='ascii')
    assert f'{user}: {path}{wrong}' in ctl(daemon, 'import', 'courier', user, status=DATAERR)


def test_qmail(daemon):
    """qmail-pop3d isn't in Debian: its names and times, as its source has them."""
    user = daemon.user()
    names = ['1700000003.77.host', '1700000001.78.host,S=999', '1700000002.79.host']
    for n, name in enumerate(names):
        path = daemon.store(user, message(n), name + (':2,S' if n else ''), 'cur' if n else 'new')
        os.utime(path, (1700001000 + n, 1700001000 + n))
    assert '3 keep UIDL' in ctl(daemon, 'import', 'qmail', user)
    daemon.start()
    assert [uidl.decode() for uidl, _, _ in inspect(daemon.pop3.number, user)] == names
