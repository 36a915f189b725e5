# SPDX-License-Identifier: MIT
"""Users in a SQLite database."""
import contextlib
import re
import sqlite3
import subprocess

import pytest

from harness import PASSWORD, RESTANTECTL, RESTANTED, Daemon, running, wait_until
from userdb_checks import OTHER, USERS, Database, DatabaseChecks, daemon_options, is_let_in, try_login
from wire import PATIENCE

COLUMNS = ['password', 'scram_sha_1', 'scram_sha_256', 'home', 'mail', 'uid', 'gid', 'extra']
SETTINGS = '''# users of a test
path = {path}
query = SELECT password, scram_sha_1, scram_sha_256, home, mail, uid, gid, extra
	FROM users
	# with and without a domain
	WHERE name = :name
list_query = SELECT name FROM users ORDER BY name
timeout = 1s
'''


class Sqlite(Database):

    def __init__(self, daemon):
        self.path = daemon.dir / 'users.db'
        self.settings = daemon.dir / 'users-sqlite.conf'
        self.settings.write_text(SETTINGS.format(path=self.path), encoding='ascii')
        self.spec = f'sqlite:{self.settings}'
        self.make(self.path)

    @staticmethod
    def make(path):
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute(f'CREATE TABLE users (name TEXT PRIMARY KEY, {", ".join(COLUMNS)})')
            db.commit()
        path.chmod(0o644)

    def execute(self, *statement):
        with contextlib.closing(sqlite3.connect(self.path, timeout=PATIENCE)) as db:
            db.execute(*statement)
            db.commit()

    def put(self, name, columns):
        self.execute('REPLACE INTO users VALUES (?' + ', ?' * len(COLUMNS) + ')',
                     [name] + [columns.get(column) for column in COLUMNS])

    def remove(self, name):
        self.execute('DELETE FROM users WHERE name = ?', [name])

    @contextlib.contextmanager
    def away(self):
        """Somebody has it for themselves."""
        with contextlib.closing(sqlite3.connect(self.path, timeout=PATIENCE)) as db:
            db.isolation_level = None
            db.execute('BEGIN EXCLUSIVE')
            yield
            db.execute('ROLLBACK')


@pytest.fixture(scope='module')
def database_and_server():
    with running() as start:
        made = []

        def options(daemon):
            made.append(Sqlite(daemon))
            for name, columns in USERS.items():
                made[0].put(name, columns)
            return daemon_options(made[0], daemon)

        server = start(more=options)
        server.secrets.add(OTHER)
        yield made[0], server


@pytest.fixture
def database(database_and_server):
    return database_and_server[0]


@pytest.fixture
def server(database_and_server):
    return database_and_server[1]


class TestSqlite(DatabaseChecks):

    def test_a_mail_location_and_rules_of_their_own(self, server, database):
        database.put('far', {'password': '{PLAIN}' + PASSWORD, 'home': '/nowhere', 'uid': 1234,
                             'mail': f'maildir:{server.mail}/f.a.r', 'extra': 'note=nothing'})
        server.deliver('far')
        assert len(list((server.mail / 'f.a.r' / 'new').iterdir())) == 1
        shown = server.ctl('user', 'show', 'far').stdout.decode()
        assert f'maildrop: {server.mail}/f.a.r\n' in shown
        assert 'uid: 1234\n' in shown and 'home: /nowhere\n' in shown and 'scheme: PLAIN\n' in shown

    def test_a_row_that_makes_no_sense(self, server, database):
        """Costs its own user, and the operator hears of it."""
        since = server.mark()
        database.put('odd', {'password': '{PLAIN}' + 'x' * 2000})
        assert try_login(server, 'odd').startswith('-ERR [SYS/TEMP]')
        server.wait_for("event=users.*user 'odd': password is too long", since)
        assert is_let_in(server, 'ada')

    def test_a_database_that_is_replaced(self, server, database):
        other = database.path.with_suffix('.new')
        database.make(other)
        with contextlib.closing(sqlite3.connect(other)) as db:
            db.execute('INSERT INTO users (name, password) VALUES (?, ?)', ('new', '{PLAIN}' + PASSWORD))
            db.commit()
        old = database.path.with_suffix('.old')
        database.path.rename(old)
        other.rename(database.path)
        wait_until(lambda: try_login(server, 'new').startswith('+OK'), 'the new one is read')
        assert not is_let_in(server, 'ada', 'x')
        old.rename(database.path)
        wait_until(lambda: try_login(server, 'ada').startswith('+OK'), 'the old one is read')
        assert not is_let_in(server, 'new')

    def test_a_query_without_end(self, server, database):
        """Is broken off, and nobody else waits for it."""
        settings = database.settings.read_text(encoding='ascii')
        database.settings.write_text(
            f'path = {database.path}\ntimeout = 1s\nquery = WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL'
            ' SELECT i + 1 FROM n) SELECT count(*) AS uid FROM n\n', encoding='ascii')
        server.reload()
        assert try_login(server, 'nobody').startswith('-ERR [SYS/TEMP]')
        assert is_let_in(server, 'user2')
        database.settings.write_text(settings, encoding='ascii')
        server.reload()
        wait_until(lambda: try_login(server, 'nobody').startswith('-ERR [AUTH]'), 'it is well again')


# ---- mistakes ----

@pytest.fixture
def spool():
    daemon = Daemon()
    yield daemon
    daemon.remove()


MISTAKES = {
    'query': (r':1: path ', 'path = users.db\nquery = SELECT 1\n'),
    'no query': (r': query is missing', 'path = /x\n'),
    'unknown': (r":2: there is no setting 'qery'", 'path = /x\nqery = SELECT 1\n'),
    'twice': (r':4: this setting is given twice', 'path = /x\n# a\nquery = a\nquery = b\n'),
    'no value': (r':3: there is no "name = value"', 'path = /x\n\nSELECT 1\n'),
    'begins with space': (r':1: there is no "name = value"', '  path = /x\n'),
    'timeout': (r':3: timeout needs a time', 'path = /x\nquery = a\ntimeout = soon\n'),
    'too long': (r':3: timeout needs a time', 'path = /x\nquery = a\ntimeout = 2m\n'),
    'connections': (r':3: connections needs', 'path = /x\nquery = a\nconnections = 0\n'),
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_mistakes_have_a_line(spool, mistake):
    words, text = MISTAKES[mistake]
    settings = spool.dir / 'users.conf'
    settings.write_text(text, encoding='ascii')
    spool.configure(userdb=[f'sqlite:{settings}'])
    for command in ([RESTANTECTL, '-c', spool.conf, 'config', 'check'], [RESTANTED, '-t', '-c', spool.conf]):
        result = subprocess.run([str(c) for c in command], capture_output=True, timeout=PATIENCE, check=False)
        assert result.returncode == 78, result
        assert re.search(re.escape(str(settings)) + words, result.stderr.decode()), result


@pytest.mark.parametrize('query, words', [
    ('SELEC 1', 'is no statement'), ('SELECT 1; SELECT 2', 'not one SELECT'),
    ('DELETE FROM users', 'not one SELECT'), ('SELECT nothing FROM users', 'is no statement'),
    ('SELECT 1 WHERE ?1', 'parameter'), ('SELECT 1 WHERE :user', 'parameter')])
def test_a_query_that_is_none(spool, query, words):
    """Only the database knows: it is away, as long as that is so."""
    database = Sqlite(spool)
    database.settings.write_text(f'path = {database.path}\n\nquery = {query}\n', encoding='ascii')
    spool.configure(userdb=[database.spec])
    result = subprocess.run([RESTANTECTL, '-c', spool.conf, 'config', 'check'], capture_output=True,
                            timeout=PATIENCE, check=False)
    assert result.returncode == 75, result
    assert f'{database.settings}:3: query ' in result.stderr.decode()
    assert words in result.stderr.decode()


def test_restantectl_edits_a_file_only(spool):
    database = Sqlite(spool)
    spool.configure(userdb=[database.spec])
    for command in (['add', 'x'], ['passwd', 'x'], ['remove', 'x']):
        result = subprocess.run([RESTANTECTL, '-c', spool.conf, 'user', *command], input=b'password\n',
                                capture_output=True, timeout=PATIENCE, check=False)
        assert result.returncode == 78 and b"userdb doesn't name" in result.stderr
    spool.configure(userdb=[database.spec, f'passwd-file:{spool.users}'])
    spool.ctl('user', 'add', 'x', stdin=b'password\n')


@pytest.mark.parametrize('value, words', [
    ('mysql:/x', 'it must begin with'), ('/x', 'it must begin with'), ('sqlite:x', 'absolute path'),
    ('sqlite:', 'absolute path')])
def test_no_database(spool, value, words):
    spool.configure(userdb=[value])
    result = subprocess.run([RESTANTED, '-t', '-c', spool.conf], capture_output=True, timeout=PATIENCE,
                            check=False)
    assert result.returncode == 78 and words in result.stderr.decode(), result
