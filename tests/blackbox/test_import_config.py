# SPDX-License-Identifier: MIT
"""Away from fetchmail, mpop, getmail6 and fdm: what these have fetched isn't fetched again."""
import shutil
import subprocess
import sys

import pytest

from getmail import GETMAIL
from harness import PASSWORD
from restante_client import Client
from wire import PATIENCE

CANTCREAT, DATAERR, NOINPUT, USAGE = 73, 65, 66, 64


@pytest.fixture
def client():
    """A home that fdm's other user may look into as well."""
    c = Client()
    c.home.chmod(0o755)
    (c.home / 'cache').mkdir()
    (c.home / 'cache').chmod(0o777)
    yield c
    c.remove()


def text(n):
    return b'Message-Id: <%d@x>\r\nSubject: number %d\r\n\r\nbody\r\n' % (n, n)


def write(client, name, content):
    path = client.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o600)
    return path


def other_maildir(client):
    maildir = client.home / 'Other'
    for folder in 'new', 'cur', 'tmp':
        (maildir / folder).mkdir(parents=True, exist_ok=True)
    return maildir


def fetchmail(client, daemon, user):
    path = write(client, '.fetchmailrc', f"""
        # a comment
        set postmaster "me"
        poll localhost with proto POP3 service {daemon.pop3} uidl:
            user '{user}' there has password "{PASSWORD}" is root here
            options keep sslproto '' mda "cat >>{client.home}/mda"
    """)
    return path, ['fetchmail', '-f', str(path)]


def mpop(client, daemon, user):
    path = write(client, '.mpoprc', f'defaults\nkeep on\ntls off\n\naccount work\nhost localhost\n'
                 f'port {daemon.pop3}\nuser {user}\npassword {PASSWORD}\nauth user\n'
                 f'delivery maildir {other_maildir(client)}\n')
    return path, ['mpop', '-C', str(path), 'work']


def getmail(client, daemon, user):
    path = write(client, '.config/getmail/getmailrc', f'[retriever]\ntype = SimplePOP3Retriever\n'
                 f'server = localhost\nport = {daemon.pop3}\nusername = {user}\npassword = {PASSWORD}\n'
                 f'[destination]\ntype = Maildir\npath = {other_maildir(client)}/\n'
                 '[options]\nread_all = false\ndelete = false\n')
    return path, [sys.executable, '-c', GETMAIL, '--getmaildir', str(path.parent)]


def fdm(client, daemon, user):
    path = write(client, '.fdm.conf', f'set default-user "root"\n$host = "localhost"\n'
                 f'action "inbox" maildir "{other_maildir(client)}"\n'
                 f'account "work" pop3 server $host port {daemon.pop3} user "{user}" pass "{PASSWORD}"\n'
                 f'\tnew-only cache "{client.home}/cache/fdm" no-apop keep\nmatch all action "inbox"\n')
    return path, ['fdm', '-f', str(path), 'fetch']


@pytest.mark.parametrize('program', [fetchmail, mpop, getmail, fdm])
def test_nothing_is_fetched_twice(shared, client, program):
    if shutil.which(program.__name__) is None:
        pytest.skip(f'no {program.__name__}')
    user = shared.user()
    shared.deliver(user, *(text(i) for i in range(3)))
    path, command = program(client, shared, user)
    done = subprocess.run(command, env=client.environment, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done
    result = client.run('import-config', path)
    assert result.status == 0, result
    assert '1 accounts, 3 messages that were fetched already' in result.out and 'passwords in it' in result.out
    assert client.config.stat().st_mode & 0o777 == 0o600
    result = client.run('fetch')
    assert result.status == 0 and ': 0 fetched (0 B), 3 on the server' in result.out, result
    # What others have put somewhere isn't taken for deleted here.
    client.config.write_text(client.config.read_text().replace('tls =', 'on_server = mirror\n\ttls ='))
    shared.deliver(user, text(3))
    assert ': 1 fetched' in client.run('fetch').out
    assert ': 0 fetched' in client.run('fetch').out and shared.count(user) == 4
    assert len(client.run('list').out.splitlines()) == 1
    # And what is stored anywhere can go.
    assert ', 4 deleted' in client.run('fetch', '--delete').out and shared.count(user) == 0


def test_nothing_is_overwritten(client):
    client.configure('account mine {\n\thost = h\n\tuser = u\n\tmaildir = ~/Mail\n}\n')
    before = client.config.read_text()
    path = write(client, 'mpoprc', 'account a\nhost pop.example.org\nuser me\ntls on\ntls_starttls off\n')
    result = client.run('import-config', path)
    assert result.status == CANTCREAT and 'is there already: --force' in result.err
    assert client.config.read_text() == before and not client.state.exists()
    result = client.run('import-config', '--print', path)
    assert result.status == 0 and 'account a {\n\thost = "pop.example.org"\n' in result.out
    assert client.config.read_text() == before and not client.state.exists()
    assert client.run('import-config', '--force', path).status == 0
    assert client.config.read_text() == result.out
    assert list(client.config.parent.iterdir()) == [client.config]


def test_what_is_left_out_is_named(client):
    path = write(client, 'rc', 'set daemon 600\npoll pop.example.org proto POP3 interval 3\n'
                 '\tuser "al\\"ice" pass "a$b\\\\" ssl fetchall\n\tmda "procmail"\n'
                 'poll imap.example.org proto IMAP user x\n')
    result = client.run('import-config', '--print', path)
    assert result.status == 0, result
    for line, what in (2, 'left out: interval 3'), (3, 'left out: fetchall'), (4, 'left out: mda procmail'), \
            (5, "imap.example.org left out: it isn't POP3"):
        assert f'{path}:{line}: {what}\n' in result.err
    assert 'user = "al\\"ice"' in result.out and 'password = "a\\$b\\\\"' in result.out
    assert 'interval = 600' in result.out and 'on_server = delete' in result.out
    assert 'tls' not in result.out  # it is implicit, as by default


def test_several_files(client):
    one = write(client, 'one', 'account a\nhost one.example.org\nuser me\npassword x\ntls on\n')
    two = write(client, 'two', 'poll two.example.org proto pop3 user me ssl keep\n')
    three = write(client, 'three', '[retriever]\ntype = SimplePOP3SSLRetriever\nserver = three.example.org\n'
                  'username = me\npassword_command = ("pass", "it\'s")\n[options]\ndelete_after = 7\n')
    assert client.run('import-config', one, two, three, one).status == 0
    text_now = client.config.read_text()
    assert text_now.count('account ') == 3 and "password_command = \"'pass' 'it'" in text_now
    assert 'delete_after = 604800' in text_now and 'tls = stls' in text_now
    assert client.run('list').status == 0


@pytest.mark.parametrize('content, status', [
    ('hello\n', DATAERR), ('poll "x\n', DATAERR), ('poll x wobble\n', DATAERR), ('account a\nhost h\n', DATAERR)])
def test_wrong(client, content, status):
    path = write(client, 'rc', content)
    result = client.run('import-config', path)
    assert result.status == status and result.err and not client.config.exists()


def test_wrong_arguments(client):
    assert client.run('import-config').status == USAGE
    assert client.run('import-config', 'nothing').status == NOINPUT
    assert client.run('import-config', '--from', 'mutt', write(client, 'rc', 'x')).status == USAGE
