# SPDX-License-Identifier: MIT
"""restante as its user sees it: configuration, command line, terminal, signals; with our own server."""
import base64
import hashlib
import os
import pty
import re
import resource
import signal
import sqlite3
import subprocess
import threading

import pytest

from bad_server import Mail
from harness import BUILD, PASSWORD, Port
from restante_client import CONFIG, IOERR, NOHOST, NOPERM, NOUSER, TEMPFAIL, USAGE
from wire import PATIENCE


def text(n, body=b'body\r\n'):
    return b'Message-Id: <%d@x>\r\nSubject: number %d\r\n\r\n' % (n, n) + body


@pytest.fixture
def user(shared):
    return shared.user()


@pytest.fixture
def account(shared, client, user):
    """A user of our own server, with a client that knows where."""
    client.at(shared.pop3s, user=user, cafile=shared.pem.with_suffix('.crt'))
    return user


def delivered(daemon, user):
    return [p.read_bytes() for p in (daemon.mail / user / 'new').glob('*')]


# ---- Our own server ----

def test_octets(shared, client, account):
    bodies = [b'.dot\r\n..\r\n.\r\nx\r\n', b'\x80\xff\1\r\n', b'x' * 100000 + b'\r\n', b'', b'no end']
    shared.deliver(account, *(text(i, b) for i, b in enumerate(bodies)))
    # What only other programs put there: LF, and no line end at the end.
    shared.store(account, b'Subject: lf\n\nline\n.dot\n', '1.lf.host')
    client.fetch()
    got = {m.split(b'\r\n\r\n')[0].split(b'\r\n')[-1]: m for m in client.mails()}
    for m in delivered(shared, account):
        if m.startswith(b'Subject: lf'):
            m = m.replace(b'\n', b'\r\n')
        if not m.endswith(b'\r\n'):
            m += b'\r\n'
        assert got[m.split(b'\r\n\r\n')[0].split(b'\r\n')[-1]] == m
    assert len(got) == 6


def test_internationalised_mail_as_it_is(shared, client, account):
    """Not as it is made fit for programs that can't read UTF-8 in a header (RFC 6858)."""
    mail = 'From: 鈴木 <suzuki@例え.jp>\r\nSubject: grün\r\nX-Note: é\r\n\r\nbody\r\n'.encode()
    shared.deliver(account, mail)
    client.fetch('--delete')
    client.check([*client.mails()])
    assert client.mails()[0].endswith(mail)
    assert '鈴木' in client.run('list').out and shared.count(account) == 0


@pytest.mark.parametrize('tls', ['implicit', 'stls', 'send-passwords-in-clear'])
def test_tls(shared, client, tls):
    user = shared.user()
    shared.deliver(user)
    port = shared.pop3s if tls == 'implicit' else shared.pop3
    cafile = None if tls.startswith('send') else shared.pem.with_suffix('.crt')
    client.at(port, user=user, tls=tls, cafile=cafile).fetch('--delete')
    assert len(client.mails()) == 1
    assert shared.count(user) == 0


def test_order_is_kept(shared, client, account):
    shared.deliver(account, *(text(i) for i in range(120)))
    client.fetch()
    subjects = [re.search(rb'number (\d+)', p.read_bytes())[1] for p in sorted(
        client.paths(), key=lambda p: [int(x) for x in re.match(r'(\d+)\.M(\d+)Q(\d+)\.', p.name).groups()])]
    assert subjects == [b'%d' % i for i in range(120)]


def test_all_ways_to_log_in(make_daemon, client):
    daemon = make_daemon(apop=True)
    daemon.deliver('user0')
    for port, tls, ways in ((daemon.pop3s, 'implicit', ['cram-md5', 'plain', 'login', 'user']),
                            (daemon.pop3, 'send-passwords-in-clear', ['apop', 'auto'])):
        client.at(port, user='user0', tls=tls,
                  cafile=daemon.pem.with_suffix('.crt') if tls == 'implicit' else None)
        for way in ways:
            client.fetch('--auth', way)


def test_hashed_password_and_cram_md5(make_daemon, client):
    """The server offers CRAM-MD5, but not to this user: in TLS the password itself will do."""
    daemon = make_daemon(apop=True)
    hashed = base64.b64encode(hashlib.sha256(PASSWORD.encode() + b'salt').digest() + b'salt')
    daemon.write_users({'carol': '{SSHA256}' + hashed.decode()})
    daemon.reload()
    daemon.deliver('carol')
    client.at(daemon.pop3s, user='carol', cafile=daemon.pem.with_suffix('.crt')).fetch()
    assert len(client.mails()) == 1


def test_maildrop_in_use(shared, client, account):
    pop = shared.login(account)
    assert 'refuses' in client.fetch(status=TEMPFAIL).err
    pop.quit()
    client.fetch()


# ---- Configuration ----

def section(name, daemon, user, more=''):
    return (f'account {name} {{\n\thost = localhost\n\tport = {daemon.pop3s}\n\tuser = {user}\n'
            f'\tcafile = "{daemon.pem.with_suffix(".crt")}"\n\tmaildir = ~/Mail\n{more}}}\n')


def test_accounts(shared, client):
    users = [shared.user() for _ in range(3)]
    for u in users:
        shared.deliver(u)
    client.configure(section('a', shared, users[0], f'\tpassword = "{PASSWORD}"\n') +
                     section('b', shared, users[1], '\tpassword_file = ~/password\n\ton_server = delete\n') +
                     section('c', shared, users[2], '\tpassword_command = "cat ~/password"\n'))
    assert re.fullmatch(r'b: 1 fetched \(\d+ B\), 1 deleted on the server, 0 on the server\n',
                        client.run('fetch', 'b').out)
    assert len(client.mails()) == 1 and shared.count(users[1]) == 0
    out = client.run('fetch').out
    assert 'a: 1 fetched' in out and 'b: 0 fetched' in out and 'c: 1 fetched' in out
    assert len(client.mails()) == 3 and shared.count(users[0]) == 1
    # The command line comes before the file.
    client.run('fetch', 'a', '--delete')
    assert shared.count(users[0]) == 0
    # A new name for the same mailbox.
    client.configure(section('z', shared, users[2], '\tpassword_file = ~/password\n'))
    assert 'z: 0 fetched' in client.run('fetch').out
    result = client.run('fetch', 'z', 'nobody')
    assert result.status == NOUSER and "no account 'nobody'" in result.err and result.out == ''


def meeting(bad_server, client, n):
    """n accounts, whose servers answer RETR only when so many sessions have come to it; most at once."""
    lock = threading.Lock()
    now = [0, 0]  # sessions in RETR, and the most there were

    def configure(together):
        barrier = threading.Barrier(together)

        def meet(session, _):
            with lock:
                now[0] += 1
                now[1] = max(now)
            barrier.wait(PATIENCE)
            with lock:
                now[0] -= 1
            session.send(b'+OK\r\nSubject: met\r\n\r\n.\r\n')

        conf = ''
        for i in range(n):
            server = bad_server([Mail('u', b'Subject: met\r\n\r\n')])
            server.on['RETR 1'] = meet
            conf += (f'account a{i} {{\n\thost = localhost\n\tport = {server.port}\n\tuser = alice\n'
                     f'\tcafile = "{bad_server.cafile}"\n\tmaildir = ~/Mail\n'
                     '\tpassword_file = ~/password\n}\n')
        client.configure(conf)
        return lambda: now[1]

    return configure


def test_accounts_at_the_same_time(bad_server, client):
    most = meeting(bad_server, client, 4)(together=2)
    result = client.run('fetch', '-j', '2')
    assert result.status == 0 and len(result.out.splitlines()) == 4
    assert len(client.mails()) == 4 and most() == 2
    # And shown together, on one line that none writes into.
    status, shown = client.on_terminal('fetch')
    assert status == 0 and re.fullmatch(rb'(a[0-3]: 0 fetched \(0 B\), 1 on the server\r\n){4}', shown)


def test_accounts_one_by_one(bad_server, client):
    most = meeting(bad_server, client, 3)(together=1)
    result = client.run('fetch', '--parallel', '1')
    assert result.out.splitlines() == [f'a{i}: 1 fetched (16 B), 1 on the server' for i in range(3)]
    assert most() == 1
    client.configure('parallel = 0\n' + client.config.read_text())
    assert ":1: parallel: '0' is no number from 1 to 64" in client.run('fetch').err
    client.config.unlink()
    assert client.run('fetch', '-j', 'many').status == USAGE


def test_one_of_several_fails(shared, client):
    """The others are fetched; what somebody has to mend is what the exit status tells."""
    users = [shared.user() for _ in range(2)]
    for u in users:
        shared.deliver(u)
    busy = shared.login(users[0])
    ok = '\tpassword_file = ~/password\n'
    client.configure(section('busy', shared, users[0], ok) + section('good', shared, users[1], ok))
    result = client.run('fetch')
    assert result.status == TEMPFAIL and 'good: 1 fetched' in result.out
    client.configure(section('busy', shared, users[0], ok) +
                     section('wrong', shared, shared.user(), '\tpassword_command = "echo no"\n') +
                     section('good', shared, users[1], ok))
    assert client.run('fetch').status == NOPERM
    busy.quit()


@pytest.mark.parametrize('conf, wrong', [
    ('acount x {\n}\n', ":1: no such option 'acount'"),
    ('account x {\n\thots = y\n}\n', ":2: no such option 'hots'"),
    ('account x {\n\thost = h\n\tuser = u\n\tmaildir = m\n\ttls = no\n}\n', ':5: tls must be one of'),
    ('account x {\n\thost = h\n}\n', ':3: account x: there is no user')])
def test_bad_configuration(client, conf, wrong):
    client.configure(conf)
    for command in 'fetch', 'list':
        result = client.run(command)
        assert result.status == CONFIG and f'{client.config}{wrong}' in result.err


def test_no_configuration(client):
    assert 'no account is configured' in client.run('fetch').err
    assert client.run('fetch').status == CONFIG
    assert client.run('fetch', '-c', 'nothing.conf').status == CONFIG


def test_places(shared, client, account):
    """XDG's variables, and state_file before them."""
    shared.deliver(account)
    state = client.home / 'elsewhere'
    client.fetch(env={'XDG_STATE_HOME': str(state)})
    assert (state / 'restante/state.db').exists() and not client.state.exists()
    client.fetch('--state-file', client.home / 'mine.db')
    assert (client.home / 'mine.db').exists()
    config = client.home / 'conf/restante'
    config.mkdir(parents=True)
    (config / 'restante.conf').write_text(
        'state_file = ~/third.db\n' + section('a', shared, account, '\tpassword_file = ~/password\n'))
    assert client.run('fetch', env={'XDG_CONFIG_HOME': str(config.parent)}).status == 0
    assert (client.home / 'third.db').exists()


# ---- Passwords ----

def test_password_from_standard_input(shared, client, account):
    client.without_password()
    client.fetch(stdin=PASSWORD.encode() + b'\nrest\n')
    client.fetch(stdin=PASSWORD.encode())
    assert 'there is no password to read' in client.fetch(status=CONFIG).err


def test_password_from_a_person(shared, client, account):
    client.without_password()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(client.home)
        os.execve(BUILD / 'src/client/restante', ['restante', 'fetch', *client.account],
                  client.environment)
    shown = b''
    while b'Password for ' not in shown:
        shown += os.read(terminal, 4096)
    os.write(terminal, PASSWORD.encode() + b'\n')
    try:
        while more := os.read(terminal, 4096):
            shown += more
    except OSError:
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert PASSWORD.encode() not in shown and b'0 fetched' in shown


@pytest.mark.parametrize('mode', [0o640, 0o604, 0o660])
def test_files_that_others_may_read(client, account, mode):
    client.password.chmod(mode)
    assert 'others may read it: chmod 600' in client.fetch(status=CONFIG).err


@pytest.mark.parametrize('command, wrong', [
    ('exit 3', 'password_command has failed (exit status 3)'), ('true', 'there is no password'),
    ('kill -9 $$', 'has failed (signal 9)'), ('printf "a\\001b"', 'control character'),
    ('head -c 2000 /dev/zero | tr "\\\\0" x', 'too long')])
def test_bad_password_commands(client, account, command, wrong):
    client.without_password()
    assert wrong in client.fetch('--password-command', command, status=CONFIG).err


def test_password_command_in_a_pipe(shared, client, account):
    """It has the signals that a shell expects: who writes into a closed pipe dies of it, quietly."""
    client.without_password()
    result = client.fetch('--password-command', f'yes {PASSWORD} | head -n 1')
    assert result.err == ''


def test_never_on_the_command_line(client, account):
    client.fetch('--password', PASSWORD, status=USAGE)


# ---- Command line ----

@pytest.mark.parametrize('args', [
    (), ('fetsch',), ('fetch', '--nonsense'), ('list', '--delete'), ('list', '-q'), ('fetch', '--host'),
    ('fetch', '--host', 'h', 'account'), ('fetch', '--host', 'h'), ('fetch', '--host', 'h', '--port', 'x')])
def test_usage(client, args):
    assert client.run(*args).status == USAGE


def test_help_and_version(client):
    assert client.run('--version').out.startswith('restante 0.')
    everything = client.run('--help')
    assert everything.status == 0 and 'fetch [ACCOUNT ...]' in everything.out
    assert client.run('list', '--help').out.startswith('usage: restante list')
    assert '--delete' not in client.run('list', '--help').out
    assert '--delete' in client.run('fetch', '--help').out


def test_nothing_listens(client):
    port = Port()
    assert 'cannot connect' in client.at(port, cafile=None).fetch(status=TEMPFAIL).err
    port.socket.close()


def test_no_such_host(client):
    client.at(995, host='nobody.invalid')
    # Without a name server it can't be known for certain.
    assert client.run('fetch', *client.account).status in (NOHOST, TEMPFAIL)


def test_quiet_and_verbose(bad_server, client):
    server = bad_server([Mail('u', text(1))])
    server.on['NOOP'] = b'+OK\r\n'
    server.greeting = b'+OK \x1b[2Jhello \xff\r\n'
    client.at(server.port, cafile=bad_server.cafile)
    loud = client.fetch('-v')
    assert 'alice@localhost < +OK \\x1b[2Jhello \\xff\n' in loud.err
    assert 'alice@localhost > RETR 1\n' in loud.err and 'octets)' in loud.err
    assert '> AUTH PLAIN ****\n' in loud.err and 'number 1' not in loud.err
    for secret in (PASSWORD, base64.b64encode(f'\0alice\0{PASSWORD}'.encode()).decode()):
        assert secret not in loud.err + loud.out
    for way in 'user', 'login', 'cram-md5', 'scram-sha-256':
        loud = client.fetch('-v', '--auth', way)
        assert '****' in loud.err and PASSWORD not in loud.err
    server.mails.append(Mail('v', text(2)))
    quiet = client.fetch('-q')
    assert quiet.out == quiet.err == ''


# ---- What it shows ----

def test_progress(bad_server, client):
    """On a terminal a line that fits and is gone at the end; elsewhere one line on what was done."""
    go_on = threading.Event()
    seen = threading.Event()

    def slowly(session, _):
        session.send(b'+OK\r\n' + b'x' * 70000 + b'\r\n')
        seen.set()
        assert go_on.wait(PATIENCE)
        session.send(b'.\r\n')

    server = bad_server([Mail(f'{i}', text(i, b'x' * 30000 + b'\r\n')) for i in range(5)])
    server.on['RETR 3'] = slowly
    client.at(server.port, cafile=bad_server.cafile)
    threading.Thread(target=lambda: seen.wait(PATIENCE) and go_on.set(), daemon=True).start()
    status, shown = client.on_terminal('fetch', *client.account, columns=60)
    assert status == 0
    bars = re.findall(rb'\r([^\r\x1b]*)\x1b\[K', shown)
    assert b'0/5' in bars[0] and b'[' in bars[0] and bars[-1] == b''
    assert all(len(bar) < 60 for bar in bars)
    assert shown.endswith(b'on the server\r\n')
    status, shown = client.on_terminal('fetch', '-q', *client.account)
    assert (status, shown) == (0, b'')


def test_list(shared, client, account):
    assert client.run('list').out == ''
    assert not client.state.exists()
    shared.deliver(account, 'From: Alice <a@example.org>\r\nDate: Mon, 3 Jun 2024 10:00:00 +0000\r\n'
                   'Subject: =?ISO-2022-JP?B?GyRCMnE1RBsoQg==?=\r\n\r\n',
                   'From: =?UTF-8?Q?=1b[31mred=07?= <b@example.org>\r\nSubject: \x1b]0;title\x07\r\n\r\n')
    client.fetch()
    out = client.run('list', env={'TZ': 'UTC'}).out.splitlines()
    assert len(out) == 2
    name = f'{account}@localhost'
    assert out[0] == f'     1  {name[:11]}…  2024-06-03 10:00  Alice                     会議'
    assert '\x1b' not in out[1] and '\x07' not in out[1] and 'red' in out[1]
    # One account, so it isn't named; by its name and by what it is.
    alone = client.run('list', name, env={'TZ': 'UTC'}).out.splitlines()
    assert alone[0] == '     1  2024-06-03 10:00  Alice                     会議'
    assert client.run('list', f'{name}:{shared.pop3s}').out.splitlines()[0][:6] == '     1'
    assert client.run('list', 'nobody').status == NOUSER
    # Read, and renamed for it, it is there; deleted, it isn't.
    first, second = client.paths()
    first.rename(client.maildir / 'cur' / f'{first.name}:2,S')
    second.unlink()
    assert len(client.run('list').out.splitlines()) == 1


@pytest.mark.parametrize('columns', [40, 60, 80, 200])
def test_list_on_a_terminal(shared, client, account, columns):
    shared.deliver(account, 'From: a@example.org\r\nSubject: =?UTF-8?B?' +
                   base64.b64encode('長い件名'.encode() * 30).decode() + '?=\r\n\r\n')
    client.fetch()
    status, shown = client.on_terminal('list', f'{account}@localhost', columns=columns)
    line = shown.decode().rstrip('\r\n')
    assert status == 0 and line.endswith('…') and '\n' not in line
    assert sum(2 if ord(c) > 0x2e80 else 1 for c in line) in (columns - 1, columns)


def test_list_into_a_full_disk(shared, client, account):
    shared.deliver(account)
    client.fetch()
    with open('/dev/full', 'wb') as full:
        done = subprocess.run([str(BUILD / 'src/client/restante'), 'list'], stdout=full,
                              stderr=subprocess.PIPE, env=client.environment, check=False)
    assert done.returncode == IOERR and b'cannot write' in done.stderr


# ---- Two at once, and the end ----

@pytest.fixture
def stalled(bad_server, client):
    """A session that hangs in its second message of three, and the server."""
    reached = threading.Event()

    def stall(session, _):
        session.send(b'+OK\r\nhalf a message\r\n')
        reached.set()
        session.line()

    server = bad_server([Mail(f'{i}', text(i)) for i in (1, 2, 3)])
    server.on['RETR 2'] = stall
    client.at(server.port, cafile=bad_server.cafile)
    process = client.spawn('fetch', '--delete', *client.account)
    assert reached.wait(PATIENCE)
    yield process, server
    process.kill()
    process.communicate(timeout=PATIENCE)


def test_two_at_once(stalled, client):
    result = client.fetch(status=TEMPFAIL)
    assert 'another restante is fetching this account' in result.err
    assert len(stalled[1].sessions) == 1


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signals(stalled, client, number):
    process, server = stalled
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == -number, (out, err)
    # What was whole is stored and remembered, the rest isn't there.
    client.check([text(1)])
    assert len(server.mails) == 3 and 'QUIT' not in server.last().commands
    server.on.clear()
    assert '2 fetched' in client.fetch('--delete').out
    client.check([text(1), text(2), text(3)])
    assert server.mails == []


# ---- Full, broken, foreign ----

def test_no_room(bad_server, client):
    server = bad_server([Mail('1', text(1)), Mail('2', text(2, b'x' * 3000000 + b'\r\n'))])
    client.at(server.port, cafile=bad_server.cafile)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000000, 1000000))

    assert 'File too large' in client.fetch('--delete', status=IOERR, preexec_fn=limit).err
    assert len(server.mails) == 2 and client.drafts() == []
    client.fetch('--delete')
    client.check([text(1), text(2, b'x' * 3000000 + b'\r\n')])


def test_folder_that_is_no_maildir(client, account):
    client.maildir.mkdir()
    (client.maildir / 'thesis.tex').write_text('x')
    assert 'is no Maildir' in client.fetch(status=IOERR).err
    assert [p.name for p in client.maildir.iterdir()] == ['thesis.tex']


def test_state_that_is_not_ours(client, account):
    client.state.parent.mkdir(parents=True)
    client.state.write_text('This is not a database, but a text that is long enough to be one. ' * 20)
    assert 'not a database' in client.fetch(status=IOERR).err


def test_state_can_be_looked_into(shared, client, account):
    """A promise of the manual: it is an SQLite database."""
    shared.deliver(account)
    client.fetch()
    with sqlite3.connect(client.state) as db:
        assert db.execute('SELECT count(*) FROM message').fetchone() == (1,)
        assert db.execute('PRAGMA integrity_check').fetchone() == ('ok',)
