# SPDX-License-Identifier: MIT
"""restantectl as operators use it: at a terminal, in scripts, several at once, and cut short."""
import fcntl
import os
import pty
import re
import resource
import select
import shutil
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CTL = Path(os.environ.get('RESTANTE_BUILD', ROOT / 'build')) / 'src/ctl/restantectl'
PATIENCE = 60

USAGE, DATAERR, NOINPUT, NOUSER, UNAVAILABLE, CANTCREAT, IOERR, CONFIG = 64, 65, 66, 67, 69, 73, 74, 78


class Spool:
    """A configuration and a file of users, in a directory of their own."""

    def __init__(self, path):
        self.dir = path
        self.users = path / 'users'
        self.conf = path / 'restanted.conf'
        self.pid_file = path / 'pid'
        self.write_conf()

    def write_conf(self, more=''):
        self.conf.write_text(
            'pop3_listen = {"127.0.0.1:1110"}\n'
            f'users_file = "{self.users}"\n'
            f'pid_file = "{self.pid_file}"\n'
            'mail_location = "/var/mail/%d/%n"\n'
            'default_domain = "example.org"\n' + more)

    def command(self, *args):
        return [str(CTL), '-c', str(self.conf), *args]

    def run(self, *args, stdin=b'', **more):
        return subprocess.run(self.command(*args), input=stdin, capture_output=True,
                              timeout=PATIENCE, check=False, **more)

    def left_over(self):
        return sorted(p.name for p in self.dir.iterdir()
                      if p.name not in ('users', 'restanted.conf', 'pid'))


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path)


def said(result):
    return result.stderr.decode('utf-8', 'backslashreplace')


def ok(result):
    assert result.returncode == 0, said(result)
    return result.stdout.decode()


def test_a_users_life(spool):
    assert ok(spool.run('user', 'add', 'Alice', stdin=b'one two\n')) == "added 'alice'\n"
    assert spool.users.read_text().startswith('alice:{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$')
    assert ok(spool.run('user', 'list')) == 'alice\n'
    shown = ok(spool.run('user', 'show', 'ALICE'))
    assert 'name: alice\n' in shown
    assert 'scheme: ARGON2ID\n' in shown
    assert 'maildrop: /var/mail/example.org/alice\n' in shown
    assert '$' not in shown
    before = spool.users.read_bytes()
    ok(spool.run('user', 'passwd', 'alice', stdin=b'three\n'))
    assert spool.users.read_bytes() != before
    ok(spool.run('user', 'remove', 'alice'))
    assert spool.users.read_bytes() == b''
    assert spool.left_over() == []


@pytest.mark.parametrize('scheme', ['ARGON2ID', 'CRYPT', 'SHA512-CRYPT', 'SHA256-CRYPT',
                                    'BLF-CRYPT', 'SSHA512', 'SSHA256', 'SSHA', 'SCRAM-SHA-256',
                                    'SCRAM-SHA-1', 'PLAIN'])
@pytest.mark.skipif(shutil.which('doveadm') is None, reason='no doveadm to ask')
def test_dovecot_takes_what_we_make(spool, scheme):
    password = 'pa:ss wörd '
    ok(spool.run('user', 'add', '--scheme', scheme.lower(), 'bob', stdin=f'{password}\n'.encode()))
    stored = spool.users.read_text().strip().split(':')[1]
    for attempt, right in ((password, True), (password.strip(), False)):
        result = subprocess.run(['doveadm', 'pw', '-t', stored, '-p', attempt],
                                capture_output=True, timeout=PATIENCE, check=False)
        assert (result.returncode == 0) == right, result


def test_the_options_of_add(spool):
    ok(spool.run('user', 'add', '--uid=1000', '--gid', '100', '--home', '/home/bob', 'bob',
                 '--scheme=PLAIN', stdin=b'x'))
    assert spool.users.read_text() == 'bob:{PLAIN}x:1000:100::/home/bob\n'
    ok(spool.run('user', 'add', '--home=/home/eve', '--scheme=PLAIN', 'eve', stdin=b'x\n'))
    assert spool.users.read_text().endswith('eve:{PLAIN}x::::/home/eve\n')
    shown = ok(spool.run('user', 'show', 'bob'))
    assert 'uid: 1000\n' in shown and 'gid: 100\n' in shown and 'home: /home/bob\n' in shown
    assert 'uid: none\n' in ok(spool.run('user', 'show', 'eve'))


# Lines that no edit may touch: comments, line ends, errors, what Dovecot keeps there.
OTHERS = (b'# users of example.org: don\'t sort\r\n'
          b'\r\n'
          b'bob:{PLAIN}b:1:2:Bob, B.:/home/bob:/bin/sh:userdb_quota_rule=*:storage=1G\r\n'
          b'  # indented\n'
          b'garbage without colon \xff\x80\n'
          b'carol:{SSHA}DszVqqtGRSp52sei5s5eaPufz+Td/1tN\n'
          b'bob:{PLAIN}second\n'
          b'\t\n')


@pytest.mark.parametrize('end', [b'', b'zoe:*', b'zoe:*\n', b'zoe:*\r\n'])
def test_other_lines_stay_octet_for_octet(spool, end):
    spool.users.write_bytes(OTHERS + end)
    ok(spool.run('user', 'add', '--scheme=plain', 'alice', stdin=b'a\n'))
    added = OTHERS + end + (b'' if end[-1:] in (b'', b'\n') else b'\n') + b'alice:{PLAIN}a\n'
    assert spool.users.read_bytes() == added
    ok(spool.run('user', 'passwd', '--scheme=plain', 'bob', stdin=b'new\n'))
    changed = added.replace(b'{PLAIN}b:', b'{PLAIN}new:', 1)
    assert spool.users.read_bytes() == changed
    # Both lines of bob go, or the second would be his from now on.
    ok(spool.run('user', 'remove', 'bob'))
    lines = changed.splitlines(keepends=True)
    assert spool.users.read_bytes() == b''.join(l for l in lines if not l.startswith(b'bob:'))
    assert ok(spool.run('user', 'list')).split() == ['carol'] + (['zoe'] if end else []) + ['alice']


def test_only_the_password_changes_in_a_line(spool):
    spool.users.write_bytes(b'BOB:old:1:2:g:/h:s:userdb_mail=maildir:~/M x=y\r\n')
    ok(spool.run('user', 'passwd', '--scheme=plain', 'bob', stdin=b'new\n'))
    assert spool.users.read_bytes() == b'BOB:{PLAIN}new:1:2:g:/h:s:userdb_mail=maildir:~/M x=y\r\n'


KEYS = re.compile(r'scram_sha_1=32768,[^, ]{24},[^, ]{28},[^, ]{28} '
                  r'scram_sha_256=32768,[^, ]{24},[^, ]{44},[^, ]{44}')


def extra(spool, name):
    """The words at the end of a user's line; None when it has no such field."""
    line = next(l for l in spool.users.read_text().splitlines() if l.startswith(name + ':'))
    fields = line.split(':', 7)
    return fields[7] if len(fields) == 8 else None


def test_keys_beside_a_hash(spool):
    """So that SCRAM works for who keeps no password; what keeps it, or is keys, needs no others."""
    for scheme, shown in (('ARGON2ID', True), ('SSHA256', True), ('PLAIN', False),
                          ('SCRAM-SHA-256', False)):
        name = scheme.lower()
        ok(spool.run('user', 'add', '--scheme', scheme, name, stdin=b'secret\n'))
        assert KEYS.fullmatch(extra(spool, name) or '') if shown else extra(spool, name) is None
    assert 'scram: SCRAM-SHA-1 SCRAM-SHA-256\n' in ok(spool.run('user', 'show', 'argon2id'))
    assert 'scram: SCRAM-SHA-1 SCRAM-SHA-256\n' in ok(spool.run('user', 'show', 'plain'))
    assert 'scram: SCRAM-SHA-256\n' in ok(spool.run('user', 'show', 'scram-sha-256'))
    ok(spool.run('user', 'add', '--no-scram', 'without', stdin=b'secret\n'))
    assert extra(spool, 'without') is None
    assert 'scram: none\n' in ok(spool.run('user', 'show', 'without'))


@pytest.mark.parametrize('before, left, words', [
    ('bob:old', 'bob:{}::::::', '{}'),
    ('bob:old:1:2', 'bob:{}:1:2::::', '{}'),
    ('bob:old:1:2:g:/h:s:', 'bob:{}:1:2:g:/h:s:', '{}'),
    ('bob:old:1:2:g:/h:s:userdb_mail=maildir:~/M x=y', 'bob:{}:1:2:g:/h:s:',
     'userdb_mail=maildir:~/M x=y {}'),
    ('bob:old::::::scram_sha_1=4096,x scram_sha_256=y', 'bob:{}::::::', '{}'),
    ('bob:old::::::a=b scram_sha_1=4096,x  c=d scram_sha_256=y', 'bob:{}::::::', 'a=b  c=d {}'),
    ('bob:old::::::scram_sha_1=x scram_sha_2=z xscram_sha_1=w', 'bob:{}::::::',
     'scram_sha_2=z xscram_sha_1=w {}'),
])
@pytest.mark.parametrize('end', ['', '\n', '\r\neve:*\n'])
def test_old_keys_go_with_the_old_password(spool, before, left, words, end):
    """Or it would still be good for a login by SCRAM."""
    spool.users.write_bytes((before + end).encode())
    ok(spool.run('user', 'passwd', 'bob', stdin=b'new\n'))
    now = spool.users.read_bytes().decode()
    keys = KEYS.findall(now)
    assert len(keys) == 1
    secret = now.split(':')[1]
    assert secret.startswith('{ARGON2ID}')
    assert now == left.format(secret) + words.format(keys[0]) + end
    # And nothing is put in their place where none are wanted.
    ok(spool.run('user', 'passwd', '--no-scram', 'bob', stdin=b'newer\n'))
    now = spool.users.read_bytes().decode()
    assert 'scram_sha_1=3' not in now and 'scram_sha_256=' not in now


def test_a_line_that_would_be_too_long_stays(spool):
    before = 'bob:old::::::x=' + 'y' * 8100 + '\n'
    spool.users.write_text(before)
    result = spool.run('user', 'passwd', 'bob', stdin=b'new\n')
    assert result.returncode != 0 and 'too long' in said(result)
    assert spool.users.read_text() == before
    ok(spool.run('user', 'passwd', '--scheme=plain', 'bob', stdin=b'new\n'))


def test_a_name_is_one_user_with_and_without_the_domain(spool):
    ok(spool.run('user', 'add', 'alice', stdin=b'x\n'))
    assert spool.run('user', 'add', 'Alice@Example.ORG', stdin=b'x\n').returncode == CANTCREAT
    ok(spool.run('user', 'show', 'alice@example.org'))
    ok(spool.run('user', 'add', 'alice@example.net', stdin=b'x\n'))
    ok(spool.run('user', 'remove', 'alice@example.org'))
    assert ok(spool.run('user', 'list')) == 'alice@example.net\n'


@pytest.mark.parametrize('args, stdin, status, words', [
    ((), b'', USAGE, 'no command'),
    (('frobnicate',), b'', USAGE, 'frobnicate'),
    (('user',), b'', USAGE, 'another word'),
    (('user', 'frobnicate'), b'', USAGE, 'user frobnicate'),
    (('user', 'add'), b'', USAGE, 'usage'),
    (('user', 'add', 'a', 'b'), b'x\n', USAGE, 'usage'),
    (('user', 'list', 'a'), b'', USAGE, 'usage'),
    (('user', 'list', '--frobnicate'), b'', USAGE, 'frobnicate'),
    (('user', 'remove', '--scheme=PLAIN', 'there'), b'', USAGE, 'option'),
    (('user', 'add', '--scheme=ROT13', 'a'), b'x\n', USAGE, 'ROT13'),
    (('user', 'add', '--uid=1', 'a'), b'x\n', USAGE, 'together'),
    (('user', 'add', '--uid=-1', '--gid=1', 'a'), b'x\n', USAGE, 'numbers'),
    (('user', 'add', '--home=relative', 'a'), b'x\n', USAGE, 'absolute'),
    (('user', 'add', 'there'), b'x\n', CANTCREAT, 'exists'),
    (('user', 'passwd', 'nobody'), b'x\n', NOUSER, 'no user'),
    (('user', 'remove', 'nobody'), b'', NOUSER, 'no user'),
    (('user', 'show', 'nobody'), b'', NOUSER, 'no user'),
    (('user', 'add', 'a'), b'', DATAERR, 'no password'),
    (('user', 'add', 'a'), b'\n', DATAERR, 'empty'),
    (('user', 'add', 'a'), b'a\tb\n', DATAERR, 'control'),
    (('user', 'add', 'a'), b'a\r\n', DATAERR, 'control'),
    (('user', 'add', 'a'), b'a\0b\n', DATAERR, 'NUL'),
    (('user', 'add', 'a'), b'x' * 1025 + b'\n', DATAERR, 'too long'),
    (('user', 'add', ''), b'x\n', DATAERR, 'empty'),
    (('user', 'add', '../a'), b'x\n', DATAERR, "'/'"),
    (('user', 'add', '..'), b'x\n', DATAERR, "'.'"),
    (('user', 'add', '.a'), b'x\n', DATAERR, "'.'"),
    (('user', 'add', 'a:b'), b'x\n', DATAERR, "':'"),
    (('user', 'add', 'a\nb'), b'x\n', DATAERR, 'control'),
    (('user', 'add', ' a'), b'x\n', DATAERR, 'space'),
    (('user', 'add', '#a'), b'x\n', DATAERR, 'comment'),
    (('user', 'add', 'a@'), b'x\n', DATAERR, "'@'"),
    (('user', 'add', b'\xff'), b'x\n', DATAERR, 'UTF-8'),
    (('user', 'add', 'x' * 256), b'x\n', DATAERR, 'too long'),
    (('reload',), b'', UNAVAILABLE, 'not running'),
    (('stop',), b'', UNAVAILABLE, 'not running'),
])
def test_what_goes_wrong_is_said(spool, args, stdin, status, words):
    before = b'there:{PLAIN}x\n'
    spool.users.write_bytes(before)
    result = spool.run(*args, stdin=stdin)
    assert (result.returncode, words in said(result)) == (status, True), said(result)
    assert said(result).startswith('restantectl: ') or 'usage' in said(result)
    assert result.stdout == b''
    assert spool.users.read_bytes() == before
    assert spool.left_over() == []


def test_a_bad_configuration(spool):
    spool.write_conf('frobnicate = 1\n')
    result = spool.run('user', 'list')
    assert result.returncode == CONFIG
    assert f'{spool.conf}:6' in said(result)
    spool.conf.unlink()
    assert spool.run('user', 'list').returncode == CONFIG


def test_config_check(spool):
    assert spool.run('config', 'check').returncode == CONFIG
    ok(spool.run('user', 'add', 'alice', stdin=b'x\n'))
    assert '1 users' in ok(spool.run('config', 'check'))
    spool.users.write_text('alice:{ROT13}k\n')
    result = spool.run('config', 'check')
    assert result.returncode == CONFIG
    assert f'{spool.users}:1: ' in said(result) and '{ROT13}' in said(result)


def test_owner_and_mode_stay(spool):
    ok(spool.run('user', 'add', 'alice', stdin=b'x\n'))
    assert spool.users.stat().st_mode & 0o7777 == 0o640
    spool.users.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(spool.users, 1234, 5678)
    before = spool.users.stat()
    ok(spool.run('user', 'passwd', 'alice', stdin=b'y\n'))
    after = spool.users.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid,
                                                           before.st_gid)
    assert after.st_ino != before.st_ino # another file in its place, not written over


def test_a_link_stays_a_link(spool):
    real = spool.dir / 'sub'
    real.mkdir()
    (real / 'people').write_text('bob:{PLAIN}b\n')
    spool.users.symlink_to('sub/people')
    ok(spool.run('user', 'add', '--scheme=plain', 'alice', stdin=b'a\n'))
    assert spool.users.is_symlink()
    assert (real / 'people').read_text() == 'bob:{PLAIN}b\nalice:{PLAIN}a\n'


def test_all_of_many_at_once(spool):
    names = [f'user{i}' for i in range(24)]
    running = []
    for name in names:
        process = subprocess.Popen(spool.command('user', 'add', '--scheme=SSHA256', name),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdin.write(b'x\n')
        process.stdin.close()
        process.stdin = None
        running.append(process)
    for process in running:
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
    assert sorted(ok(spool.run('user', 'list')).split()) == sorted(names)
    assert spool.left_over() == []


def test_two_add_the_same_name(spool):
    """Both have looked, and there was no such user: one of them must hear so."""
    running = [subprocess.Popen(spool.command('user', 'add', '--scheme=SSHA256', 'alice'),
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE) for _ in range(2)]
    time.sleep(0.2) # likely, not needed: that both wait for their password now
    results = [p.communicate(b'x\n', timeout=PATIENCE) and p.returncode for p in running]
    assert sorted(results) == [0, CANTCREAT]
    assert ok(spool.run('user', 'list')) == 'alice\n'


def test_killed_while_it_waits_for_the_lock(spool):
    spool.users.write_bytes(OTHERS)
    with spool.users.open('rb') as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        process = subprocess.Popen(spool.command('user', 'remove', 'carol'),
                                   stdout=subprocess.DEVNULL)
        locks = Path('/proc/locks')
        inode = os.fstat(held.fileno()).st_ino
        deadline = time.monotonic() + PATIENCE
        while not re.search(rf'-> FLOCK.*:{inode} ', locks.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        process.wait(PATIENCE)
    assert spool.users.read_bytes() == OTHERS
    assert spool.left_over() == []


def test_what_a_crash_left_is_in_nobodys_way(spool):
    spool.users.write_bytes(b'bob:{PLAIN}b\n')
    (spool.dir / 'users.restantectl-new').write_bytes(b'half a li')
    ok(spool.run('user', 'add', '--scheme=plain', 'alice', stdin=b'a\n'))
    assert spool.users.read_bytes() == b'bob:{PLAIN}b\nalice:{PLAIN}a\n'
    assert spool.left_over() == []


def test_no_room_leaves_the_old_file(spool):
    spool.users.write_bytes(OTHERS)

    def no_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))

    result = spool.run('user', 'remove', 'carol', preexec_fn=no_room)
    assert result.returncode not in (0, -signal.SIGXFSZ)
    assert 'cannot write' in said(result)
    assert spool.users.read_bytes() == OTHERS
    assert spool.left_over() == []


def test_output_that_goes_nowhere_is_a_failure(spool):
    spool.users.write_bytes(OTHERS)
    with open('/dev/full', 'wb') as full:
        result = subprocess.run(spool.command('user', 'list'), stdout=full,
                                stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
    assert result.returncode == IOERR


# ---- at a terminal ----

class Terminal:
    """The other side of a pseudo terminal on which restantectl runs."""

    def __init__(self, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)
        self.screen = b''
        self.status = None

    def expect(self, words):
        deadline = time.monotonic() + PATIENCE
        while words not in self.screen:
            ready, _, _ = select.select([self.fd], [], [], deadline - time.monotonic())
            assert ready, self.screen
            try:
                more = os.read(self.fd, 4096)
            except OSError: # the program has ended
                more = b''
            assert more, self.screen
            self.screen += more

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def type(self, text):
        os.write(self.fd, text)

    def end(self):
        """All that is still printed, and how it exited."""
        while True:
            try:
                more = os.read(self.fd, 4096)
            except OSError:
                break
            if not more:
                break
            self.screen += more
        _, self.status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return self.status


def test_a_password_is_not_shown(spool):
    terminal = Terminal(spool.command('user', 'add', '--scheme=plain', 'alice'))
    terminal.expect(b'New password for alice: ')
    assert not terminal.echoes()
    terminal.type(b'swordfish\n')
    terminal.expect(b'again: ')
    assert not terminal.echoes()
    terminal.type(b'swordfish\n')
    terminal.expect(b'added')
    assert os.waitstatus_to_exitcode(terminal.end()) == 0
    assert b'swordfish' not in terminal.screen
    assert spool.users.read_text() == 'alice:{PLAIN}swordfish\n'


def test_a_slip_of_the_finger(spool):
    terminal = Terminal(spool.command('user', 'add', 'alice'))
    terminal.expect(b'alice: ')
    terminal.type(b'swordfish\n')
    terminal.expect(b'again: ')
    terminal.type(b'swordfisch\n')
    assert os.waitstatus_to_exitcode(terminal.end()) == DATAERR
    assert b'different' in terminal.screen
    assert not spool.users.exists()


def test_control_c_gives_the_terminal_back(spool):
    spool.users.write_bytes(OTHERS)
    # A shell keeps the terminal open, so that its state can be seen afterwards.
    script = ' '.join(spool.command('user', 'passwd', 'bob')) + '; read line; echo got "$line"'
    terminal = Terminal(['/bin/sh', '-c', 'trap : INT; ' + script])
    terminal.expect(b'bob: ')
    assert not terminal.echoes()
    terminal.type(b'half a pass\x03')
    deadline = time.monotonic() + PATIENCE
    while not terminal.echoes():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    terminal.type(b'words\n')
    terminal.expect(b'got words')
    terminal.end()
    assert spool.users.read_bytes() == OTHERS


# ---- the running server ----

@pytest.fixture
def stand_in(spool):
    """A process that is called as the server is."""
    program = spool.dir / 'restanted'
    shutil.copy('/bin/sleep', program)
    # Under nohup(1) it would be deaf to SIGHUP.
    process = subprocess.Popen([program, '600'],
                               preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
    # Not before exec(2) has it got its name.
    deadline = time.monotonic() + PATIENCE
    while Path(f'/proc/{process.pid}/comm').read_text() != 'restanted\n':
        assert time.monotonic() < deadline
        time.sleep(0.01)
    spool.pid_file.write_text(f'{process.pid}\n')
    yield process
    process.kill()
    process.wait(PATIENCE)
    program.unlink()


def test_reload(spool, stand_in):
    ok(spool.run('reload'))
    assert stand_in.wait(PATIENCE) == -signal.SIGHUP


def test_stop_waits_for_the_end(spool, stand_in):
    ok(spool.run('stop'))
    assert stand_in.poll() == -signal.SIGTERM


@pytest.mark.parametrize('text, status', [
    ('', DATAERR), ('x\n', DATAERR), ('-1\n', DATAERR), ('0\n', DATAERR), ('1\n', DATAERR),
    ('99999999999\n', DATAERR), ('4194305\n', UNAVAILABLE), (None, UNAVAILABLE),
])
def test_a_pid_file_is_not_believed(spool, text, status):
    # None: a process that lives and is not the server.
    spool.pid_file.write_text(f'{os.getpid()}\n' if text is None else text)
    for command in ('reload', 'stop'):
        assert spool.run(command).returncode == status
    spool.pid_file.unlink()


# ---- words ----

def test_help_and_version():
    result = subprocess.run([str(CTL), '--help'], capture_output=True, timeout=PATIENCE, check=True)
    text = result.stdout.decode()
    for command in ('user add NAME', 'user passwd NAME', 'user remove NAME', 'user list',
                    'user show NAME', 'config check', 'reload', 'stop', '--scheme', '--uid',
                    '--gid', '--home', '--no-scram', '--config'):
        assert command in text
    assert max(map(len, text.splitlines())) <= 90
    result = subprocess.run([str(CTL), '--version'], capture_output=True, timeout=PATIENCE,
                            check=True)
    assert re.fullmatch(r'restantectl \(restante\) \d+\.\d+\.\d+\n', result.stdout.decode())
