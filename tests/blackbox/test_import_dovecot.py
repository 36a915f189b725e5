# SPDX-License-Identifier: MIT
"""A Maildir of Dovecot's is taken over: what clients know stays what it is."""
import os
import poplib
import shutil

import pytest

from harness import PASSWORD
from moving import ctl, daemon, message # pylint: disable=unused-import # a fixture
from old_servers import Dovecot, inspect, keepers
from wire import PATIENCE

DATAERR, NOUSER, TEMPFAIL = 65, 67, 75


def delete(port, user, n):
    pop = poplib.POP3('127.0.0.1', port, timeout=PATIENCE)
    pop.user(user)
    pop.pass_(PASSWORD)
    pop.dele(n)
    pop.quit()


def fill(d, user, numbers):
    """Younger ones first by name, so that it is UIDs that order them; some with sizes."""
    for n in numbers:
        text = message(n)
        sizes = f',S={len(text)},W={len(text) + text.count(b"%c" % 10)}'
        d.store(user, text, f'{1700000000 - n}.M{n}P1.host{sizes if n % 2 else ""}')


def test_nothing_is_fetched_again(daemon, tmp_path):
    """Clients of all kinds have everything, the server changes under them, and they notice nothing."""
    daemon.add_users('alice')
    fill(daemon, 'alice', range(1, 8))
    old = Dovecot(daemon)
    try:
        clients = keepers(daemon.pop3.number, 'alice', tmp_path)
        assert [c.fetch() for c in clients] == [7] * len(clients)
        delete(daemon.pop3.number, 'alice', 3)
        fill(daemon, 'alice', [8])
        assert [c.fetch() for c in clients] == [1] * len(clients)
        before = inspect(daemon.pop3.number, 'alice')
    finally:
        old.stop()
    assert 'would keep UIDL' in ctl(daemon, 'import', 'dovecot', 'alice', '--dry-run')
    assert not (daemon.mail / 'alice/restante.uidl').exists()
    assert 'alice: 7 messages, in their place: 7 keep UIDL' in ctl(daemon, 'import', 'dovecot', 'alice')
    daemon.start()
    assert [c.fetch() for c in clients] == [0] * len(clients)
    assert inspect(daemon.pop3.number, 'alice') == before
    daemon.deliver('alice')
    assert [c.fetch() for c in clients] == [1] * len(clients)


FORMATS = {'user0': '%08Xu%08Xv', 'user1': '%v.%u', 'user2': '%f', 'user3': '%g', 'user4': '%08Xv%08Xu',
           'user5': '%u', 'user6': 'x-%3v_%LXv.%010u'}


def test_formats_and_keys(daemon):
    """What each pop3_uidl_format makes of a list of version 3, with P, O and G; and all users at once."""
    for user in FORMATS:
        fill(daemon, user, range(1, 6))
    fill(daemon, 'user7', range(1, 6))
    settings = {user: 'userdb_pop3_uidl_format=' + form.replace('%', '%%')
                for user, form in FORMATS.items()}
    old = Dovecot(daemon, settings=settings)
    port = daemon.pop3.number
    try:
        for user in FORMATS:
            assert len(inspect(port, user)) == 5
            # As a migration to Dovecot leaves them: the last comes first, under a UIDL of its own.
            path = daemon.mail / user / 'dovecot-uidlist'
            lines = path.read_text(encoding='ascii').splitlines()
            lines[5] = lines[5].replace(' :', ' O1 Pfrom-before :', 1)
            lines[3] = lines[3].replace(' :', ' O2 P :', 1)
            lines[2] = lines[2].replace(' :', ' G0123456789abcdef :', 1)
            path.write_text('\n'.join(lines) + '\n', encoding='ascii')
            for index in (daemon.mail / user).glob('dovecot.index*'):
                index.unlink()
        before = {user: inspect(port, user) for user in FORMATS}
        assert {b[0][0] for b in before.values()} == {b'from-before'}
        assert before['user2'][1][0].startswith(b'16999')
        assert b'0123456789abcdef' in [uidl for uidl, _, _ in before['user3']]
        assert before['user1'][3][0].endswith(b'.2') or before['user1'][3][0].split(b'.')[1].isdigit()
    finally:
        old.stop()
    for user, form in FORMATS.items():
        ctl(daemon, 'import', 'dovecot', user, '--uidl-format', form)
    daemon.start()
    assert {user: inspect(daemon.pop3.number, user) for user in FORMATS} == before


def test_version_1(daemon):
    """A list that Dovecot 1.0 wrote, by hand: nothing installed writes it any more."""
    user = daemon.user()
    for n in (1, 2, 3):
        daemon.store(user, message(n), f'170000000{n}.host:2,S', 'cur')
    (daemon.mail / user / 'dovecot-uidlist').write_text(
        '1 1234567890 10\n3 1700000002.host\n5 1700000001.host:2,\n7 1700000009.gone\n', encoding='ascii')
    daemon.start()
    ctl(daemon, 'import', 'dovecot', user)
    assert [uidl for uidl, _, _ in inspect(daemon.pop3.number, user)] == [
        b'00000003499602d2', b'00000005499602d2', b'1700000003.host']


def test_copied(daemon, tmp_path):
    """From a Maildir elsewhere: in bulk, then what is new, and what is gone only when told so."""
    users = [daemon.user(), daemon.user()]
    for user in users:
        fill(daemon, user, range(1, 5))
    elsewhere = daemon.dir / 'old'
    daemon.mail.rename(elsewhere)
    daemon.mail.mkdir()
    daemon.give_to_nobody(daemon.mail)
    daemon.replace_users(''.join(f'{user}:{{PLAIN}}{PASSWORD}\n' for user in users))
    bulk = ('import', 'dovecot', '--all', '--from', f'{elsewhere}/%n')
    old = Dovecot(daemon, location=f'maildir:{elsewhere}/%n')
    port = daemon.pop3.number
    try:
        before = {user: inspect(port, user) for user in users}
        assert '8 would be brought' in ctl(daemon, *bulk, '--dry-run')
        assert not list(daemon.mail.glob('*/new'))
        assert '8 brought, 0 here before' in ctl(daemon, *bulk)
        assert '0 brought, 8 here before' in ctl(daemon, *bulk)
        delete(port, users[0], 2)
        new = elsewhere / users[0] / 'new/1800000000.M1P1.host'
        new.write_bytes(message(9))
        shutil.chown(new, 'nobody') if os.geteuid() == 0 else None
        after = inspect(port, users[0])
    finally:
        old.stop()
    assert '1 gone from the old server (would be removed)' in ctl(daemon, *bulk, '--dry-run', '--remove-gone')
    assert '1 brought, 7 here before, 1 gone from the old server\n' in ctl(daemon, *bulk)
    assert '0 brought, 8 here before, 1 gone from the old server (removed)' in ctl(daemon, *bulk, '--remove-gone')
    daemon.start()
    assert inspect(daemon.pop3.number, users[0]) == after
    assert inspect(daemon.pop3.number, users[1]) == before[users[1]]
    # What is deleted here stays deleted.
    delete(daemon.pop3.number, users[1], 1)
    assert '0 brought, 7 here before, 1 deleted here since' in ctl(daemon, *bulk)
    assert inspect(daemon.pop3.number, users[1]) == before[users[1]][1:]


def test_duplicate_and_impossible_uidls(daemon):
    """Each is said with its message, gets another UIDL, the same one each time, and is served."""
    user = daemon.user()
    for n in (1, 2, 3, 4):
        daemon.store(user, message(n), f'170000000{n}.host:2,S', 'cur')
    (daemon.mail / user / 'dovecot-uidlist').write_text(
        f'3 V7 N9\n1 Psame :1700000001.host\n2 Psame :1700000002.host\n3 P{"x" * 71} :1700000003.host\n'
        '4 Pé :1700000004.host\n', encoding='utf-8')
    said = ctl(daemon, 'import', 'dovecot', user)
    assert f"{user}: message 2: UIDL 'same' is another message's too" in said
    assert said.count("isn't one that POP3 allows") == 2
    daemon.start()
    uidls = [uidl for uidl, _, _ in inspect(daemon.pop3.number, user)]
    assert uidls[0] == b'same' and all(uidl.startswith(b'~') for uidl in uidls[1:])
    assert ctl(daemon, 'import', 'dovecot', user) == said
    assert [uidl for uidl, _, _ in inspect(daemon.pop3.number, user)] == uidls


@pytest.mark.parametrize('content, wrong', [
    ('', ':1: no header'),
    ('2 1 2\n', ':1: not a list of version 1 or 3'),
    ('3 N7\n', ':1: a header without UIDVALIDITY'),
    ('3 V7 N9\n2 :a\n1 :b\n', ':3: UID 1 behind UID 2'),
    ('3 V7 N9\n1 Px\n', ':2: no file name'),
    ('1 7 9\nfoo bar\n', ":2: it doesn't begin with a UID"),
    ('3 V7 N9\n1 :../x\n', ':2: no file name'),
], ids=lambda value: '' if value.startswith(':') else None)
def test_bad_list(daemon, content, wrong):
    user = daemon.user()
    daemon.store(user, message(1), 'a')
    path = daemon.mail / user / 'dovecot-uidlist'
    path.write_text(content, encoding='ascii')
    assert f'{user}: {path}{wrong}' in ctl(daemon, 'import', 'dovecot', user, status=DATAERR)
    assert not (daemon.mail / user / 'restante.uidl').exists()


def test_errors(daemon):
    user = daemon.user()
    assert "no user 'nobody-here'" in ctl(daemon, 'import', 'dovecot', 'nobody-here', status=NOUSER)
    assert "'%m' has what isn't known" in ctl(daemon, 'import', 'dovecot', user, '--uidl-format', '%m',
                                              status=DATAERR)
    daemon.start()
    daemon.deliver(user)
    pop = daemon.login(user)
    assert 'in use' in ctl(daemon, 'import', 'dovecot', user, status=TEMPFAIL)
    pop.quit()
