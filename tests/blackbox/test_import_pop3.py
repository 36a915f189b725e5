# SPDX-License-Identifier: MIT
"""Mail is brought from a POP3 server that is somewhere else, and the two are compared."""
import json

import pytest

from harness import PASSWORD, Port
from moving import ctl, message
from old_servers import Dovecot, inspect, keepers

USAGE, DATAERR, NOUSER, TEMPFAIL, NOPERM = 64, 65, 67, 75, 77
CLEAR = 'send-passwords-in-clear'


@pytest.fixture(scope='module')
def daemon(shared):
    return shared


@pytest.fixture(scope='module')
def old(daemon):
    """Dovecot with mail of its own, while ours runs."""
    spool = daemon.dir / 'old'
    spool.mkdir()
    daemon.give_to_nobody(spool)
    port = Port()
    port.socket.close()
    server = Dovecot(daemon, location=f'maildir:{spool}/%n', port=port.number)
    server.spool = spool
    yield server
    server.stop()


@pytest.fixture
def passwords(tmp_path):
    path = tmp_path / 'passwords'
    path.write_text(f'# comment\nsomebody:else\n*:{PASSWORD}\n', encoding='ascii')
    path.chmod(0o600)
    return path


@pytest.fixture
def user(daemon, old):
    """One with five messages at the old server."""
    name = daemon.user()
    here, daemon.mail = daemon.mail, old.spool
    for n in range(1, 6):
        daemon.store(name, message(n), f'{1700000009 - n}.M{n}P1.host' + (':2,S' if n % 2 else ''),
                     'cur' if n % 2 else 'new')
    daemon.mail = here
    return name


def source(old, passwords):
    return ('--from', f'127.0.0.1:{old.port}', '--tls', CLEAR, '--passwords', str(passwords))


def target(daemon):
    return ('--to', f'127.0.0.1:{daemon.pop3}', '--to-tls', CLEAR)


def test_nothing_is_fetched_again(daemon, old, user, passwords, tmp_path):
    # Ours knows servers by their ports as well.
    clients = [c for c in keepers(old.port, user, tmp_path) if c.program is not None]
    assert [c.fetch() for c in clients] == [5] * len(clients)
    before = inspect(old.port, user)
    assert f'{user}: 5 messages: 5 brought' in ctl(daemon, 'import', 'pop3', user, *source(old, passwords))
    assert '0 brought, 5 here before' in ctl(daemon, 'import', 'pop3', user, *source(old, passwords))
    assert inspect(daemon.pop3.number, user) == before
    for c in clients:
        c.port = daemon.pop3.number
    # getmail keeps what it knows by host and port; in a move both stay.
    for known in tmp_path.glob('Getmail/oldmail-*'):
        known.rename(str(known).replace(str(old.port), str(daemon.pop3.number)))
    assert [c.fetch() for c in clients] == [0] * len(clients)
    assert ctl(daemon, 'verify-uidl', user, *source(old, passwords), *target(daemon)).endswith('same\n')


def test_verify(daemon, old, user, passwords):
    """Each kind of difference: missing, extra, order, size; as table, and for programs."""
    both = source(old, passwords) + target(daemon)
    ctl(daemon, 'import', 'pop3', user, *source(old, passwords))
    listing = daemon.mail / user / 'restante.uidl'
    lines = listing.read_text(encoding='ascii').splitlines()
    lines[1], lines[2] = lines[2], lines[1]
    listing.write_text('\n'.join(lines) + '\n', encoding='ascii')
    (daemon.mail / user / 'restante.index').unlink(missing_ok=True)
    stem = lines[5].split()[1]
    last, = [p for p in daemon.mail.glob(f'{user}/*/*') if p.name.startswith(stem)]
    last.unlink()
    third = lines[3].split()[1]
    path, = [p for p in daemon.mail.glob(f'{user}/*/*') if p.name.startswith(third)]
    path.write_bytes(path.read_bytes() + b'more\r\n')
    path.rename(path.parent / third)
    daemon.deliver(user)
    said = ctl(daemon, 'verify-uidl', user, *both, status=DATAERR)
    row = said.splitlines()[-1].split()
    assert row == [user, '5', '5', '1', '1', '1', '1', 'DIFFERENT']
    found, = json.loads(ctl(daemon, 'verify-uidl', user, *both, '--json', status=DATAERR))
    assert (found['user'], found['old'], found['new'], found['same']) == (user, 5, 5, False)
    assert sorted(d['what'] for d in found['differences']) == ['extra', 'missing', 'order', 'size']
    size, = [d for d in found['differences'] if d['what'] == 'size']
    assert size['new']['octets'] == size['old']['octets'] + 6 and size['uidl'] == lines[3].split()[0]


def test_by_prompt_and_in_tls(daemon, old, user, passwords):
    """One user's password from standard input; ours over TLS, with its certificate."""
    said = ctl(daemon, 'import', 'pop3', user, '--from', f'127.0.0.1:{old.port}', '--tls', CLEAR,
               stdin=PASSWORD + '\n')
    assert '5 brought' in said
    said = ctl(daemon, 'verify-uidl', user, '--from', f'localhost:{daemon.pop3s}', '--passwords',
               str(passwords), '--cafile', str(daemon.pem.with_suffix('.crt')), '--to',
               f'localhost:{daemon.pop3}', '--to-tls', 'stls')
    assert said.endswith('same\n')


def test_all(daemon, old, user, passwords):
    before = daemon.users.read_text(encoding='utf-8')
    daemon.replace_users(f'{user}:{{PLAIN}}{PASSWORD}\nsomebody:{{PLAIN}}{PASSWORD}\n')
    try:
        said = ctl(daemon, 'verify-uidl', '--all', *source(old, passwords), *target(daemon), status=DATAERR)
        assert '2 users, 1 of them different, 1 could not be compared' in said
        assert 'somebody: 127.0.0.1 refuses' in said
        found = json.loads(ctl(daemon, 'verify-uidl', '--all', *source(old, passwords), *target(daemon),
                               '--json', status=DATAERR).split(']\n')[0] + ']')
        assert [f['same'] for f in found] == [False, None]
    finally:
        daemon.replace_users(before)


def test_errors(daemon, old, user, passwords, tmp_path):
    assert '--from' in ctl(daemon, 'import', 'pop3', user, status=USAGE)
    assert '--passwords' in ctl(daemon, 'import', 'pop3', '--all', '--from', 'x', status=USAGE)
    assert "not 'maybe'" in ctl(daemon, 'import', 'pop3', user, '--from', 'x', '--tls', 'maybe', status=USAGE)
    for where in ('', ':110', 'x:0', 'x:70000', '[::1]:x'):
        assert 'HOST' in ctl(daemon, 'import', 'pop3', user, '--from', where, status=USAGE)
    assert 'others may read' in ctl(daemon, 'import', 'pop3', user, '--from', 'x', '--passwords', '/etc/passwd',
                                    status=NOPERM)
    wrong = tmp_path / 'wrong'
    wrong.write_text(f'{user}:wrong-5-sesame\n', encoding='ascii')
    wrong.chmod(0o600)
    assert 'refuses' in ctl(daemon, 'import', 'pop3', user, *source(old, wrong), status=NOPERM)
    other = daemon.user()
    assert f'{other}: there is no password' in ctl(daemon, 'import', 'pop3', other, *source(old, wrong),
                                                   status=NOUSER)
    port = Port()
    assert 'refused' in ctl(daemon, 'import', 'pop3', user, '--from', f'127.0.0.1:{port}', '--tls', CLEAR,
                            '--passwords', str(passwords), status=TEMPFAIL)
    port.socket.close()
    # Without a word about it, no password leaves in clear.
    assert 'TLS with 127.0.0.1' in ctl(daemon, 'import', 'pop3', user, '--from', f'127.0.0.1:{old.port}',
                                       '--passwords', str(passwords), status=74)
