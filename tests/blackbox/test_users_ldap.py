# SPDX-License-Identifier: MIT
"""Users in an LDAP directory: a slapd of our own, in a temporary folder, on loopback."""
import base64
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest

from harness import PASSWORD, RESTANTECTL, Daemon, Port, running, wait_until
from pki import Authority
from userdb_checks import OTHER, USERS, Database, DatabaseChecks, daemon_options, is_let_in, need_kind, try_login
from wire import PATIENCE

SLAPD = shutil.which('slapd', path=os.environ['PATH'] + ':/usr/sbin')
ADMIN_PASSWORD = 'admin-password-3'
READER_PASSWORD = 'reader password #4'
ATTRIBUTES = {'password': 'userPassword', 'scram_sha_1': 'scramSha1', 'scram_sha_256': 'scramSha256',
              'extra': 'description', 'quota_octets': 'mailQuota'}

SLAPD_CONF = '''include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
attributetype ( 1.3.6.1.4.1.4203.666.1.901 NAME 'scramSha1' EQUALITY caseExactMatch
	SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.4203.666.1.902 NAME 'scramSha256' EQUALITY caseExactMatch
	SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.4203.666.1.903 NAME 'mailQuota' EQUALITY caseExactMatch
	SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {place}/slapd.pid
TLSCertificateFile {place}/pki/localhost.pem
TLSCertificateKeyFile {place}/pki/localhost.key
database mdb
suffix "dc=example"
rootdn "cn=admin,dc=example"
rootpw {admin}
directory {place}/data
dbnosync
index uid eq
access to attrs=userPassword,scramSha1,scramSha256 by dn.exact="cn=reader,dc=example" read by anonymous auth
access to * by dn.exact="cn=reader,dc=example" read
'''
BASE = '''dn: dc=example
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: cn=reader,dc=example
objectClass: organizationalRole
objectClass: simpleSecurityObject
userPassword: {password}
'''
SETTINGS = '''# users of a test
uri = {uri}
bind_dn = cn=reader,dc=example
bind_password = {password}
base = dc=example
filter = (&(objectClass=account)
	(uid=%n))
list_filter = (objectClass=account)
timeout = 1s
'''
READ = 'attributes = ' + ', '.join(f'{name}={column}' for column, name in ATTRIBUTES.items()) + ' uid=name\n'
BIND = 'verify = bind\nattributes = uid=name description=extra\n'


class Directory:

    def __init__(self):
        if SLAPD is None or shutil.which('ldapadd') is None:
            pytest.skip('slapd and ldap-utils are not installed')
        need_kind('ldap')
        self.place = Path(tempfile.mkdtemp(prefix='restante-ldap-'))
        self.place.chmod(0o755)
        (self.place / 'data').mkdir()
        self.port, self.tls_port = Port(), Port()
        self.process = None
        self.socket = 'ldapi://' + quote(str(self.place / 'ldapi'), safe='')
        self.uri = f'ldap://127.0.0.1:{self.port}'
        for folder in ('pki', 'others'):
            (self.place / folder).mkdir()
        self.authority, self.others = Authority(self.place / 'pki'), Authority(self.place / 'others')
        self.authority.issue('localhost', 'ec', 'IP:127.0.0.1')
        (self.place / 'slapd.conf').write_text(SLAPD_CONF.format(place=self.place, admin=ADMIN_PASSWORD),
                                               encoding='ascii')

    def start(self):
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(
            [SLAPD, '-d', '0', '-f', str(self.place / 'slapd.conf'), '-h',
             f'{self.uri}/ ldaps://127.0.0.1:{self.tls_port}/ {self.socket}/'],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.run('ldapwhoami', '', check=False).returncode == 0, 'slapd answers')

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(PATIENCE)
            self.process = None

    def remove(self):
        self.stop()
        self.port.socket.close()
        self.tls_port.socket.close()
        shutil.rmtree(self.place)

    def run(self, program, text, check=True):
        return subprocess.run([program, '-x', '-H', self.socket, '-D', 'cn=admin,dc=example', '-w', ADMIN_PASSWORD],
                              input=text.encode(), check=check, capture_output=True, timeout=PATIENCE)

    @contextlib.contextmanager
    def frozen(self):
        """It takes connections and questions, for the kernel does, and says nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


class Ldap(Database):

    def __init__(self, directory, daemon, more):
        self.directory = directory
        self.binds = more == BIND
        self.settings = daemon.dir / 'users-ldap.conf'
        self.spec = f'ldap:{self.settings}'
        self.text = SETTINGS.format(uri=directory.uri, password=READER_PASSWORD) + more
        self.write(self.text)

    def write(self, settings):
        self.settings.touch()
        self.settings.chmod(0o640)
        if os.geteuid() == 0:
            shutil.chown(self.settings, group='nogroup')
        self.settings.write_text(settings, encoding='ascii')

    @staticmethod
    def dn(name):
        return f'cn={name.encode().hex()},dc=example'

    def entry(self, name, columns):
        values = {'cn': name.encode().hex(), 'uid': name}
        values |= {ATTRIBUTES[column]: value for column, value in columns.items()}
        if self.binds and 'userPassword' in values:
            values['userPassword'] = re.sub('^{PLAIN}', '', values['userPassword']).replace('{BLF-', '{')
        lines = [f'{key}:: {base64.b64encode(value.encode()).decode()}' for key, value in values.items()]
        return '\n'.join([f'dn: {self.dn(name)}', 'objectClass: account', 'objectClass: extensibleObject'] +
                         lines) + '\n\n'

    def fill(self):
        text = BASE.format(password=READER_PASSWORD) + '\n'
        self.directory.run('ldapadd', text + ''.join(self.entry(*user) for user in USERS.items()))

    def put(self, name, columns):
        self.remove(name)
        self.directory.run('ldapadd', self.entry(name, columns))

    def remove(self, name):
        self.directory.run('ldapdelete', self.dn(name) + '\n', check=False)

    def away(self):
        return self.directory.frozen()


@pytest.fixture(scope='class')
def directory():
    made = Directory()
    try:
        made.start()
        yield made
    finally:
        made.remove()


@pytest.fixture(scope='class')
def database_and_server(directory, request):
    with running() as start:
        made = []

        def options(daemon):
            made.append(Ldap(directory, daemon, request.cls.more))
            made[0].fill()
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


@contextlib.contextmanager
def other_settings(server, database, text):
    database.write(text)
    server.reload()
    yield
    database.write(database.text)
    server.reload()
    comes_back(server)


class LdapChecks(DatabaseChecks):
    """Whether the passwords are read or not."""

    def test_the_server_is_restarted(self, server, directory):
        """Nobody who logs in afterwards meets the connections that have ended."""
        assert not is_let_in(server, 'ada', 'x')
        directory.stop()
        directory.start()
        assert not is_let_in(server, 'nobody')
        assert not is_let_in(server, 'ada', 'y')
        assert is_let_in(server, 'ada')

    def test_no_server(self, server, directory):
        since = server.mark()
        directory.stop()
        assert try_login(server, 'nobody').startswith('-ERR [SYS/TEMP]')
        server.wait_for('event=users.*the directory: ', since)
        assert is_let_in(server, 'user2')
        directory.start()
        comes_back(server)
        server.wait_for('event=users.*it answers again', since)

    def test_two_entries(self, server, database, directory):
        since = server.mark()
        entry = database.entry('twin', {'password': PASSWORD})
        directory.run('ldapadd', entry + entry.replace('dn: cn=', 'dn: cn=a').replace('cn:: ', 'cn: a\ncn:: '))
        assert try_login(server, 'twin').startswith('-ERR [SYS/TEMP]')
        server.wait_for("event=users.*more than one entry for 'twin'", since)
        assert is_let_in(server, 'ada')

    @pytest.mark.parametrize('tls', ['starttls', 'ldaps'])
    @pytest.mark.parametrize('ca, host, good', [
        ('authority', '127.0.0.1', True), ('others', '127.0.0.1', False), (None, '127.0.0.1', False),
        ('authority', 'localhost', False)])
    def test_tls(self, server, database, directory, tls, ca, host, good):
        """It is who our authority says, and has the name that we ask for; or it hears no password."""
        since = server.mark()
        uri = f'ldaps://{host}:{directory.tls_port}' if tls == 'ldaps' else f'ldap://{host}:{directory.port}'
        text = database.text.replace(directory.uri, uri)
        if tls == 'starttls':
            text += 'starttls = yes\n'
        if ca:
            text += f'ca_file = {getattr(directory, ca).certificate}\n'
        with other_settings(server, database, text):
            if good:
                assert try_login(server, 'nobody').startswith('-ERR [AUTH]')
                assert is_let_in(server, 'bob')
                assert not is_let_in(server, 'bob', 'x')
            else:
                assert try_login(server, 'nobody').startswith('-ERR [SYS/TEMP]')
                server.wait_for('event=users.*cannot connect to the directory: .*certificate', since)
                assert is_let_in(server, 'user2')

    def test_a_socket(self, server, database, directory):
        with other_settings(server, database, database.text.replace(directory.uri, directory.socket)):
            assert is_let_in(server, 'bob')
            assert not is_let_in(server, 'bob', 'z')

    def test_parts_of_a_name(self, server, database):
        with other_settings(server, database, database.text.replace('(uid=%n)', '(uid=%u@%d)')):
            assert is_let_in(server, 'cy@example.net')
            assert not is_let_in(server, 'ada')

    def test_a_reader_who_is_refused(self, server, database):
        since = server.mark()
        with other_settings(server, database, database.text.replace(READER_PASSWORD, 'x')):
            assert try_login(server, 'nobody').startswith('-ERR [SYS/TEMP]')
            server.wait_for('event=users.*cannot bind to the directory: Invalid credentials', since)

    def test_the_name_is_the_directorys(self, server, database):
        """To which a name with more spaces is the same."""
        database.put('two words', {'password': PASSWORD if self.more == BIND else '{PLAIN}' + PASSWORD})
        assert is_let_in(server, 'two words')
        assert 'name: two words\n' in server.ctl('user', 'show', 'two   words').stdout.decode()


class TestLdap(LdapChecks):

    more = READ

    def test_rules(self, server, database):
        database.put('small', {'password': '{PLAIN}' + PASSWORD, 'quota_octets': '1000',
                               'extra': 'quota_messages=7'})
        shown = server.ctl('user', 'show', 'small').stdout.decode()
        assert 'quota_octets: 1000 (own)' in shown and 'quota_messages: 7 (own)' in shown, shown

    def test_two_values(self, server, database, directory):
        since = server.mark()
        database.put('both', {'password': '{PLAIN}' + PASSWORD})
        directory.run('ldapmodify', f'dn: {database.dn("both")}\nchangetype: modify\nadd: userPassword\n'
                                    'userPassword: {PLAIN}second\n')
        assert try_login(server, 'both').startswith('-ERR [SYS/TEMP]')
        server.wait_for("event=users.*user 'both': userPassword has several values", since)


class TestLdapBind(LdapChecks):
    """The directory verifies, and shows no password to anybody."""

    more = BIND
    secrets_are_kept = False
    new_password_counts_at_once = False


# ---- mistakes ----

GOOD = 'uri = ldap://127.0.0.1:1\nbase = dc=example\nfilter = (uid=%n)\n'
MISTAKES = {
    'uri': (r':1: uri needs ldap', GOOD.replace('ldap:', 'http:')),
    'no base': (r': base is missing', GOOD.replace('base = dc=example', '')),
    'verify': (r':4: verify needs "password" or "bind"', GOOD + 'verify = maybe\n'),
    'open to all': (r':5: bind_password is a secret', GOOD + 'bind_dn = cn=x\nbind_password = x\n'),
    'no password': (r': bind_password is missing', GOOD + 'bind_dn = cn=x\n'),
    'attributes': (r':4: attributes needs attribute=column', GOOD + 'attributes = userPassword\n'),
    'both': (r':5: attributes has a password', GOOD + 'verify = bind\nattributes = userPassword=password\n'),
    'ca_file': (r':4: ca_file needs an absolute path', GOOD + 'ca_file = ca.pem\n'),
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_mistakes_have_a_line(mistake):
    need_kind('ldap')
    words, text = MISTAKES[mistake]
    daemon = Daemon()
    settings = daemon.dir / 'users.conf'
    settings.write_text(text, encoding='ascii')
    daemon.configure(userdb=[f'ldap:{settings}'])
    result = subprocess.run([RESTANTECTL, '-c', daemon.conf, 'config', 'check'], capture_output=True,
                            timeout=PATIENCE, check=False)
    daemon.remove()
    assert result.returncode == 78, result
    assert re.search(re.escape(str(settings)) + words, result.stderr.decode()), result
