# SPDX-License-Identifier: MIT
"""EXTERNAL: who shows a certificate that the operator's CA has signed needs no password."""
import base64
import datetime
import shutil
import ssl
import subprocess

import pytest

from harness import PASSWORD, RESTANTED, running, wait_until
from wire import PATIENCE, Wire

pytest.importorskip('cryptography')

# pylint: disable=wrong-import-position
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)
PEM = serialization.Encoding.PEM


class Authority:
    """A CA, or one that another CA has made."""

    def __init__(self, name, parent=None):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = parent or self
        self.cert = (self.builder(self.name, self.key, issuer.name)
                     .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                     .sign(issuer.key, hashes.SHA256()))
        self.pem = self.cert.public_bytes(PEM)

    @staticmethod
    def builder(subject, key, issuer, begins=NOW - DAY, ends=NOW + DAY):
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(begins).not_valid_after(ends))

    def make(self, path, names=(), cns=('somebody',), usage=ExtendedKeyUsageOID.CLIENT_AUTH, **dates):
        """A client's certificate with its key, in one file. The certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn) for cn in cns])
        builder = self.builder(subject, key, self.name, **dates)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(
                [x509.DNSName('phone.example.org')] + [x509.RFC822Name(n) for n in names]), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        cert = builder.sign(self.key, hashes.SHA256())
        path.write_bytes(cert.public_bytes(PEM) + key.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return cert

    def crl(self, *revoked):
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(NOW - DAY).next_update(NOW + DAY)
        for cert in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(cert.serial_number)
                .revocation_date(NOW - DAY).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(PEM)


CA = Authority('our CA')


@pytest.fixture(scope='module')
def server():
    with running() as start:
        daemon = start(max_bad_commands=1000)
        (daemon.dir / 'ca.pem').write_bytes(CA.pem)
        daemon.reload(tls_client_ca=daemon.dir / 'ca.pem')
        yield daemon


def wire_with(server, path=None, stls=False, version=None):
    context = server.context()
    if path is not None:
        context.load_cert_chain(path)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    port = server.pop3 if stls else server.pop3s
    wire = Wire(('127.0.0.1', port.number), None if stls else context)
    wire.ok()
    if stls:
        wire.ok('STLS')
        wire.start_tls(context)
    return wire


def mechanisms(wire):
    return [line for line in wire.multi('CAPA') if line.startswith('SASL')][0].split()[1:]


def b64(text):
    return base64.b64encode(text.encode()).decode() or '='


@pytest.fixture
def user(server):
    """(name, file): a user with a certificate."""
    name = server.user()
    CA.make(server.dir / f'{name}.pem', [f'{name}@example.org'])
    return name, server.dir / f'{name}.pem'


@pytest.mark.parametrize('stls', [False, True])
@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize('command', ['AUTH EXTERNAL =', 'AUTH EXTERNAL', 'auth external {}'])
def test_login(server, user, command, version, stls):
    name, path = user
    with wire_with(server, path, stls, version) as wire:
        assert 'EXTERNAL' in mechanisms(wire)
        wire.command(command.format(b64(name)))
        if command.endswith('L'):
            assert wire.line() == b'+ '
            wire.command('')
        assert wire.ok().startswith('0 messages')
        wire.quit()
    server.wait_for(f'event=login-verified .*user={name} .*method=EXTERNAL')


def test_who_to_be(server):
    """The first of the certificate's names, or any other of them, however it is written."""
    one, two, other = server.user(), server.user(), server.user()
    path = server.dir / 'two.pem'
    CA.make(path, [f'{one}@example.org', f'{two}@Example.org'])
    for authzid, user in (('', one), (one, one), (two.upper(), two), (f'{two}@example.org', two)):
        with wire_with(server, path) as wire:
            wire.ok(f'AUTH EXTERNAL {b64(authzid)}')
            server.wait_for(f'event=login-verified .*user={user} ')
            wire.quit()
    # A device of it. A certificate for a name that looks as if it were a device's is nobody's.
    with wire_with(server, path) as wire:
        wire.ok(f'AUTH EXTERNAL {b64(f"{two}+phone")}')
        server.wait_for(f'event=login .*user={two} device=phone ')
        wire.quit()
    tagged = server.dir / 'tagged.pem'
    CA.make(tagged, [f'{one}+phone@example.org'])
    with wire_with(server, tagged) as wire:
        for authzid in ('', f'{one}+phone', one):
            wire.err(f'AUTH EXTERNAL {b64(authzid)}', code='AUTH')
    with wire_with(server, path) as wire:
        for authzid in (other, f'{other}+phone', 'nobody', 'x' * 255):
            wire.err(f'AUTH EXTERNAL {b64(authzid)}', code='AUTH')
        server.wait_for('reason=certificate-of-another-user')
        wire.err('AUTH EXTERNAL ' + b64('x' * 256))
        wire.err('AUTH EXTERNAL ' + b64('a\0b'))
        wire.err('AUTH EXTERNAL ***')
        wire.command('AUTH EXTERNAL')
        assert wire.line() == b'+ '
        wire.command('*')
        assert 'cancelled' in wire.err()
        # What follows is an exchange of its own.
        wire.command('AUTH PLAIN')
        assert wire.line() == b'+ '
        wire.ok(b64(f'\0{one}\0{PASSWORD}'))


def test_without_a_certificate(server):
    """Not announced, not done; a password works as ever."""
    user = server.user()
    with wire_with(server) as wire:
        assert 'EXTERNAL' not in mechanisms(wire)
        assert 'not offered' in wire.err('AUTH EXTERNAL =')
        wire.login(user, PASSWORD)
    with server.wire() as wire:
        assert 'not offered' in wire.err('AUTH EXTERNAL =')


def bad(server):
    """{what: file}: certificates that are good for nothing."""
    stranger, files = Authority('our CA'), {}

    def path(what):
        files[what] = server.dir / f'{what}.pem'
        return files[what]
    names = ['user0@example.org']
    stranger.make(path('stranger'), names)
    CA.make(path('expired'), names, begins=NOW - 2 * DAY, ends=NOW - DAY)
    CA.make(path('future'), names, begins=NOW + DAY / 2, ends=NOW + DAY)
    CA.make(path('server'), names, usage=ExtendedKeyUsageOID.SERVER_AUTH)
    return files


def test_bad_certificates(server):
    """They cost nothing but EXTERNAL."""
    for what, path in bad(server).items():
        with wire_with(server, path) as wire:
            assert 'EXTERNAL' not in mechanisms(wire), what
            assert 'not offered' in wire.err('AUTH EXTERNAL =')
            wire.login(server.user(), PASSWORD)


def test_names_that_are_nobodys(server):
    server.add_users('eve')
    server.replace_users(server.users.read_text().replace('eve:', 'eve:!'))
    for names, why in (([], 'certificate-names-no-user'), (['nobody@example.org'], 'unknown-user'),
                       (['eve@example.org'], 'locked')):
        CA.make(server.dir / 'odd.pem', names)
        with wire_with(server, server.dir / 'odd.pem') as wire:
            since = server.mark()
            assert wire.err('AUTH EXTERNAL =', code='AUTH') == 'wrong name or password'
            server.wait_for(f'event=login-failed .*reason={why}', since)


def test_resumption(server, user):
    """A session that goes on by a ticket has its certificate with it."""
    name, path = user
    context = server.context()
    context.load_cert_chain(path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    session = None
    for _ in range(2):
        wire = Wire(('127.0.0.1', server.pop3s.number))
        wire.socket = context.wrap_socket(wire.socket, server_hostname='localhost', session=session)
        with wire:
            wire.ok()
            assert wire.socket.session_reused == (session is not None)
            session = wire.socket.session
            wire.ok(f'AUTH EXTERNAL {b64(name)}')
            wire.quit()


@pytest.mark.skipif(shutil.which('curl') is None, reason='no curl')
def test_curl(server, user):
    name, path = user
    server.deliver(name)
    result = subprocess.run(
        ['curl', '-sS', '--max-time', str(PATIENCE), '--cacert', server.pem.with_suffix('.crt'),
         '--cert', path, '--login-options', 'AUTH=EXTERNAL', '-u', f'{name}:',
         f'pop3s://localhost:{server.pop3s}/1'], capture_output=True, timeout=PATIENCE, check=False)
    assert result.returncode == 0 and b'Subject: hello' in result.stdout, result


def test_common_names_and_crls(make_daemon):
    """The other field, an intermediate CA, and one who was revoked."""
    daemon = make_daemon(max_bad_commands=1000)
    middle = Authority('between', CA)
    good, revoked = daemon.user(), daemon.user()
    middle.make(daemon.dir / 'good.pem', ['other@example.org'], cns=[good])
    middle.make(daemon.dir / 'two.pem', cns=[good, good])
    gone = middle.make(daemon.dir / 'gone.pem', cns=[revoked])
    ca = daemon.dir / 'ca.pem'
    ca.write_bytes(CA.pem + middle.pem)
    daemon.reload(tls_client_ca=ca, tls_client_name='cn')
    for name, file in ((good, 'good'), (revoked, 'gone')):
        with wire_with(daemon, daemon.dir / f'{file}.pem') as wire:
            wire.ok(f'AUTH EXTERNAL {b64(name)}')
            wire.quit()
    ca.write_bytes(CA.pem + middle.pem + middle.crl(gone))
    daemon.reload()

    def is_revoked():
        with wire_with(daemon, daemon.dir / 'gone.pem') as wire:
            return wire.reply('AUTH EXTERNAL =').startswith('-ERR [AUTH]')
    wait_until(is_revoked, 'auth has read the new list')
    daemon.wait_for('reason=certificate-revoked')
    with wire_with(daemon, daemon.dir / 'good.pem') as wire:
        wire.ok('AUTH EXTERNAL =')
        wire.quit()
    with wire_with(daemon, daemon.dir / 'two.pem') as wire:
        wire.err('AUTH EXTERNAL =', code='AUTH')
        daemon.wait_for('reason=certificate-names-no-user')


def test_new_lists_are_noticed(make_daemon):
    """Without SIGHUP: a CRL is replaced every day. One that can't be read changes nothing."""
    daemon = make_daemon(tls_watch=1, max_bad_commands=1000)
    user = daemon.user()
    one = Authority('replaced every day')
    path = daemon.dir / 'client.pem'
    certificate = one.make(path, [f'{user}@example.org'])
    ca = daemon.dir / 'ca.pem'
    ca.write_bytes(one.pem + one.crl())
    daemon.reload(tls_client_ca=ca)

    def replace(octets):
        draft = daemon.dir / 'ca.new'
        draft.write_bytes(octets)
        draft.chmod(0o644)
        since = daemon.mark()
        draft.rename(ca)
        return since

    def may_log_in():
        with wire_with(daemon, path) as wire:
            return wire.reply('AUTH EXTERNAL =').startswith('+OK')
    wait_until(may_log_in, 'auth has read the first list')
    daemon.wait_for('event=certificates-refused', replace(b'no certificate at all'))
    assert may_log_in()
    daemon.wait_for('event=reloaded', replace(one.pem + one.crl(certificate)))
    wait_until(lambda: not may_log_in(), 'auth has read that it is revoked')
    daemon.wait_for('reason=certificate-revoked')
    daemon.wait_for('event=reloaded', replace(one.pem + one.crl()))
    wait_until(may_log_in, 'auth has read that it is not')


def test_clients_are_not_asked_otherwise(make_daemon):
    daemon = make_daemon()
    path = daemon.dir / 'client.pem'
    CA.make(path, ['user0@example.org'])
    with wire_with(daemon, path) as wire:
        assert 'EXTERNAL' not in mechanisms(wire)
        assert 'not offered' in wire.err('AUTH EXTERNAL =')


@pytest.mark.parametrize('text, words', [
    ('tls_client_ca = "/nonexistent"', 'tls_client_ca needs tls_certificate'),
    ('tls_client_ca = "/nonexistent"\ntls_certificate = "{pem}"', '/nonexistent'),
    ('tls_client_ca = "x"\ntls_certificate = "{pem}"', 'absolute path'),
    ('tls_client_name = dn', 'email')])
def test_wrong_configurations(server, tmp_path, text, words):
    conf = tmp_path / 'restanted.conf'
    conf.write_text('pop3_listen = {"127.0.0.1:1110"}\nserver_user = "nobody"\n'
                    f'mail_user = "nobody"\nusers_file = "{server.users}"\n' +
                    text.replace('{pem}', str(server.pem)) + '\n')
    result = subprocess.run([str(RESTANTED), '-t', '-c', str(conf)], capture_output=True, text=True,
                            timeout=PATIENCE, check=False)
    assert result.returncode != 0 and words in result.stderr, result
