# SPDX-License-Identifier: MIT
"""Users in a PostgreSQL database: one of our own, in a temporary folder, with a UNIX socket, and loopback for TLS."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import PASSWORD, RESTANTECTL, Daemon, Port, running, wait_until
from pki import Authority
from userdb_checks import OTHER, USERS, Database, DatabaseChecks, daemon_options, is_let_in, need_kind, try_login
from wire import PATIENCE

PROGRAMS = sorted(Path('/usr/lib/postgresql').glob('*/bin/initdb'))
COLUMNS = ['password', 'scram_sha_1', 'scram_sha_256', 'home', 'mail', 'uid', 'gid', 'extra']
READER_PASSWORD = "reader's \\password"
SETTINGS = '''# users of a test
connection = host={place} port={port} dbname=postgres user=reader
password = {password}
query = SELECT password, scram_sha_1, scram_sha_256, home, mail, uid, gid, extra
	FROM users WHERE name = $1
list_query = SELECT name FROM users ORDER BY name
timeout = 1s
'''
HBA = '''local all reader scram-sha-256
hostssl all reader 127.0.0.1/32 scram-sha-256
local all all trust
'''


def literal(value):
    return 'NULL' if value is None else "'" + value.replace("'", "''") + "'"


class Cluster:
    """PostgreSQL refuses to be root."""

    def __init__(self):
        if not PROGRAMS:
            pytest.skip('PostgreSQL is not installed')
        need_kind('pgsql')
        self.bin = PROGRAMS[-1].parent
        self.place = Path(tempfile.mkdtemp(prefix='restante-pg-'))
        self.place.chmod(0o755)
        self.user = 'nobody' if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.place, self.user)
        self.data = self.place / 'data'
        self.process = None
        self.port = Port()
        for folder in ('pki', 'others'):
            (self.place / folder).mkdir()
        self.authority, self.others = Authority(self.place / 'pki'), Authority(self.place / 'others')
        self.pair = self.authority.issue('localhost', 'ec', 'localhost')
        self.pair.key.chmod(0o600)
        if self.user:
            shutil.chown(self.pair.key, self.user)
        subprocess.run([str(self.bin / 'initdb'), '-D', str(self.data), '-U', 'postgres', '-A', 'trust',
                        '-E', 'UTF8', '--locale=C', '-N'], user=self.user, cwd='/', check=True,
                       capture_output=True)
        (self.data / 'pg_hba.conf').write_text(HBA, encoding='ascii')

    def start(self):
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(
            [str(self.bin / 'postgres'), '-D', str(self.data), '-k', str(self.place), '-c', 'listen_addresses=127.0.0.1',
             '-c', f'port={self.port}', '-c', 'ssl=on', '-c', f'ssl_cert_file={self.pair.certificate}',
             '-c', f'ssl_key_file={self.pair.key}', '-c', 'fsync=off', '-c', 'shared_buffers=8MB'], user=self.user, cwd='/',
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.psql('SELECT 1;', check=False).returncode == 0, 'PostgreSQL answers')

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGINT)  # it ends its clients' sessions
            self.process.wait(PATIENCE)
            self.process = None

    def remove(self):
        self.stop()
        self.port.socket.close()
        shutil.rmtree(self.place)

    def command(self):
        return [str(self.bin / 'psql'), '-h', str(self.place), '-p', str(self.port), '-U', 'postgres', '-XqAt',
                '-v', 'ON_ERROR_STOP=1', 'postgres']

    def psql(self, sql, check=True):
        return subprocess.run(self.command(), input=sql.encode(), check=check, capture_output=True,
                              timeout=PATIENCE)

    def processes(self):
        """The server, and those that it has started."""
        found = [self.process.pid]
        for stat in Path('/proc').glob('[0-9]*/stat'):
            with contextlib.suppress(OSError):
                if int(stat.read_text(encoding='latin-1').rsplit(')', 1)[1].split()[1]) == self.process.pid:
                    found.append(int(stat.parent.name))
        return found

    @contextlib.contextmanager
    def frozen(self):
        """It takes connections and questions, for the kernel does, and says nothing."""
        processes = self.processes()
        try:
            for pid in processes:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in processes:
                os.kill(pid, signal.SIGCONT)


class Pgsql(Database):

    def __init__(self, cluster, daemon):
        self.cluster = cluster
        self.settings = daemon.dir / 'users-pgsql.conf'
        self.write(SETTINGS.format(place=cluster.place, port=cluster.port, password=READER_PASSWORD))
        self.spec = f'pgsql:{self.settings}'

    def write(self, settings):
        self.settings.touch()
        self.settings.chmod(0o640)
        if os.geteuid() == 0:
            shutil.chown(self.settings, group='nogroup')
        self.settings.write_text(settings, encoding='ascii')

    def fill(self):
        text = ' text, '.join(COLUMNS)
        self.cluster.psql(f'CREATE TABLE users (name text PRIMARY KEY, {text} text);'
                          f'CREATE ROLE reader LOGIN PASSWORD {literal(READER_PASSWORD)};'
                          'GRANT SELECT ON users TO reader;' +
                          ''.join(self.insert(name, columns) for name, columns in USERS.items()))

    @staticmethod
    def insert(name, columns):
        values = ', '.join(literal(value) for value in [name] + [columns.get(column) for column in COLUMNS])
        return f'DELETE FROM users WHERE name = {literal(name)}; INSERT INTO users VALUES ({values});'

    def put(self, name, columns):
        self.cluster.psql(self.insert(name, columns))

    def remove(self, name):
        self.cluster.psql(f'DELETE FROM users WHERE name = {literal(name)};')

    @contextlib.contextmanager
    def away(self):
        """Somebody has the table for themselves."""
        with subprocess.Popen(self.cluster.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            other.stdin.write(b"BEGIN; LOCK TABLE users; SELECT 'locked';\n")
            other.stdin.flush()
            assert other.stdout.readline() == b'locked\n'
            try:
                yield
            finally:
                other.stdin.close()
                other.wait(PATIENCE)


@pytest.fixture(scope='module')
def cluster():
    made = Cluster()
    try:
        made.start()
        yield made
    finally:
        made.remove()


@pytest.fixture(scope='module')
def database_and_server(cluster):
    with running() as start:
        made = []

        def options(daemon):
            made.append(Pgsql(cluster, daemon))
            made[0].fill()
            daemon.env = {'HOME': '/root'}  # as who starts it has it, and not who it becomes
            return daemon_options(made[0], daemon)

        server = start(more=options)
        server.secrets |= {OTHER, READER_PASSWORD}
        yield made[0], server


@pytest.fixture
def database(database_and_server):
    return database_and_server[0]


@pytest.fixture
def server(database_and_server):
    return database_and_server[1]


def comes_back(server):
    wait_until(lambda: try_login(server, 'nobody').startswith('-ERR [AUTH]'), 'it comes back')


class TestPgsql(DatabaseChecks):

    def test_a_row_that_makes_no_sense(self, server, database):
        """Costs its own user, and the operator hears of it."""
        since = server.mark()
        database.put('odd', {'password': '{PLAIN}' + 'x' * 2000})
        assert try_login(server, 'odd').startswith('-ERR [SYS/TEMP]')
        server.wait_for("event=users.*user 'odd': password is too long", since)
        assert is_let_in(server, 'ada')

    def test_the_server_is_restarted(self, server, cluster):
        """Nobody who logs in afterwards meets the connections that have ended."""
        assert not is_let_in(server, 'nobody')
        cluster.stop()
        cluster.start()
        assert not is_let_in(server, 'nobody')
        assert is_let_in(server, 'ada')

    def test_no_server(self, server, cluster):
        since = server.mark()
        cluster.stop()
        assert try_login(server, 'nobody').startswith('-ERR [SYS/TEMP]')
        server.wait_for('event=users.*cannot connect to PostgreSQL: ', since)
        assert is_let_in(server, 'user2')
        cluster.start()
        comes_back(server)
        server.wait_for('event=users.*it answers again', since)

    def test_a_server_that_says_nothing(self, server, cluster):
        with cluster.frozen():
            assert try_login(server, 'nobody').startswith('-ERR [SYS/TEMP]')
            assert is_let_in(server, 'user2')
        comes_back(server)

    def test_a_query_without_end(self, server, database, cluster):
        """Is ended by the server too."""
        settings = database.settings.read_text(encoding='ascii')
        database.write(re.sub(r'query = SELECT(.|\n)*WHERE name = \$1',
                              "query = SELECT pg_sleep(3600), 'endless'", settings, count=1))
        server.reload()
        assert try_login(server, 'nobody').startswith('-ERR [SYS/TEMP]')
        assert is_let_in(server, 'user2')
        database.write(settings)
        server.reload()
        comes_back(server)
        wait_until(lambda: cluster.psql("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND"
                                        " usename = 'reader';").stdout == b'0\n', 'it has ended')

    def test_what_hangs_on_the_name_keeps_nobody_out(self, server, database):
        settings = database.settings.read_text(encoding='ascii')
        database.write(settings.replace('WHERE name = $1',
                                        "WHERE name = $1 AND 1 / length(replace($2, 'x', '')) >= 0"))
        server.reload()
        for _ in range(3):
            assert try_login(server, 'xxx').startswith('-ERR [SYS/TEMP]')
            assert not is_let_in(server, 'nobody')
        database.write(settings)
        server.reload()
        assert not is_let_in(server, 'xxx')

    @pytest.mark.parametrize('ca, host, words', [
        ('authority', 'localhost', None), ('others', 'localhost', 'certificate verify failed'),
        ('authority', 'other.example', 'does not match host name')])
    def test_tls(self, server, database, cluster, ca, host, words):
        """It is who our authority says, and has the name that we ask for; or it hears no password."""
        since = server.mark()
        settings = database.settings.read_text(encoding='ascii')
        database.write(settings.replace(
            f'host={cluster.place}', f'host={host} hostaddr=127.0.0.1 sslmode=verify-full '
            f'sslrootcert={getattr(cluster, ca).certificate}'))
        server.reload()
        if words:
            assert try_login(server, 'nobody').startswith('-ERR [SYS/TEMP]')
            server.wait_for(f'event=users.*cannot connect to PostgreSQL: .*{words}', since)
            assert is_let_in(server, 'user2')
        else:
            assert not is_let_in(server, 'nobody')
            assert is_let_in(server, 'bob')
            used = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'reader';"
            assert cluster.psql(used).stdout == b't\n'
        database.write(settings)
        server.reload()
        comes_back(server)

    def test_local_part_and_domain(self, server, database):
        settings = database.settings.read_text(encoding='ascii')
        database.write(settings.replace('WHERE name = $1', "WHERE name = $2 || '@' || $3"))
        server.reload()
        assert is_let_in(server, 'cy@example.net')
        assert not is_let_in(server, 'ada')
        database.write(settings)
        server.reload()
        assert is_let_in(server, 'ada')


# ---- mistakes ----

@pytest.fixture
def spool():
    daemon = Daemon()
    yield daemon
    daemon.remove()


def check(spool, settings):
    spool.configure(userdb=[f'pgsql:{settings}'])
    return subprocess.run([RESTANTECTL, '-c', spool.conf, 'config', 'check'], capture_output=True,
                          timeout=PATIENCE, check=False)


MISTAKES = {
    'no connection string': (r':1: connection is no connection string', 'connection = x\nquery = a\n'),
    'password in it': (r':1: connection has a password', 'connection = password=x\nquery = a\n'),
    'open to all': (r':2: password is a secret', 'connection = host=/\npassword = x\nquery = a\n'),
    'no query': (r': query is missing', 'connection = host=/x\n'),
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_mistakes_have_a_line(cluster, spool, mistake):
    del cluster
    words, text = MISTAKES[mistake]
    settings = spool.dir / 'users.conf'
    settings.write_text(text, encoding='ascii')
    result = check(spool, settings)
    assert result.returncode == 78, result
    assert re.search(re.escape(str(settings)) + words, result.stderr.decode()), result


@pytest.mark.parametrize('query, words', [
    ('SELEC 1', 'failed: syntax error'), ('SELECT 1; SELECT 2', 'failed: cannot insert multiple commands'),
    ('CREATE TABLE x (y text)', 'read-only'), ('SELECT nothing', 'failed: column'),
    ('SET work_mem = 64', 'is not one SELECT')])
def test_a_query_that_is_none(cluster, spool, query, words):
    """Only the database knows: it is away, as long as that is so."""
    settings = spool.dir / 'users.conf'
    settings.write_text(f'connection = host={cluster.place} port={cluster.port} user=postgres dbname=postgres\n\nquery = {query}\n',
                        encoding='ascii')
    result = check(spool, settings)
    assert result.returncode == 75, result
    assert f'{settings}:3: query ' in result.stderr.decode(), result
    assert words in result.stderr.decode()
