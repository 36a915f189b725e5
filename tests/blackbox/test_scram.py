# SPDX-License-Identifier: MIT
"""SCRAM: who proves to know a password without sending it, to a server that doesn't keep it."""
import hashlib
import os
import re
import shutil
import signal
import ssl
import subprocess

import pytest

from harness import PASSWORD, running, wait_until
from restante_client import Client
from scram_client import HASHES, Scram, b64, challenge, keys
from wire import PATIENCE, Wire

MECHANISMS = list(HASHES)
HASH = '{SSHA256}o+F310OzAPbJ5ME2rXvBcq/u7HZHnWXv/CHSuqDhhvZyZQ08'  # of another password


@pytest.fixture(scope='module')
def server():
    with running() as start:
        daemon = start(max_bad_commands=1000, auth_cache_seconds=0)
        daemon.write_users({
            'plain': '{PLAIN}' + PASSWORD,
            'beside': HASH + '::::::userdb_quota_rule=*:storage=1G scram_sha_1=' +
                      keys('SCRAM-SHA-1', PASSWORD) +
                      ' scram_sha_256=' + keys('SCRAM-SHA-256', PASSWORD),
            'a=b,c': '{PLAIN}' + PASSWORD,
            'hash': HASH,
            'locked': '!' + HASH + '::::::scram_sha_256=' + keys('SCRAM-SHA-256', PASSWORD)})
        daemon.ctl('user', 'add', 'made', stdin=PASSWORD.encode() + b'\n')
        yield daemon


@pytest.fixture
def wire(server):
    with server.wire(tls=True) as wire:
        yield wire


def refused(wire, exchange, code='AUTH'):
    wire.command(b64(exchange.final(exchange.begin(wire)).encode()))
    return wire.err(code=code)


@pytest.mark.parametrize('initial', [True, False])
@pytest.mark.parametrize('mechanism', MECHANISMS)
def test_a_password_that_is_kept(server, wire, mechanism, initial):
    assert Scram(mechanism, 'plain', PASSWORD).login(wire, initial).startswith('0 messages')
    wire.quit()


@pytest.mark.parametrize('user', ['a=b,c', 'PLAIN', 'plain@example.org'])
def test_names(wire, user):
    Scram('SCRAM-SHA-256', user, PASSWORD).login(wire)


@pytest.mark.parametrize('mechanism', MECHANISMS)
def test_what_restantectl_keeps(server, mechanism):
    """Every mechanism works, and the password is nowhere."""
    assert PASSWORD not in re.search('^made:.*', server.users.read_text(), re.MULTILINE)[0]
    with server.wire(tls=True) as wire:
        Scram(mechanism, 'made', PASSWORD).login(wire)
        wire.quit()
    with server.wire(tls=True) as wire:
        refused(wire, Scram(mechanism, 'made', PASSWORD + 'x'))
        wire.login('made', PASSWORD)


@pytest.mark.parametrize('user', ['beside', 'hash', 'locked', 'nobody', 'plain'])
@pytest.mark.parametrize('mechanism', MECHANISMS)
def test_everybody_hears_a_salt(server, wire, mechanism, user):
    """The same at each try, and the same words at the end."""
    salts = set()
    for _ in range(3):
        exchange = Scram(mechanism, user, 'wrong')
        assert refused(wire, exchange) == 'wrong name or password'
        salts.add((exchange.salt, exchange.iterations))
    assert len(salts) == 1
    assert salts.pop()[1] >= 4096


def test_salts_survive_a_restart_of_auth(server):
    """Those of users do; so those of nobody must."""
    def salt(user):
        exchange = Scram('SCRAM-SHA-256', user, 'wrong')
        with server.wire(tls=True) as wire:
            refused(wire, exchange)
        return exchange.salt
    before = salt('nobody'), salt('plain')
    os.kill(server.child('auth'), signal.SIGTERM)

    def is_back():
        with server.wire(tls=True) as wire:
            wire.command('AUTH SCRAM-SHA-256 ' + b64(b'n,,n=nobody,r=abcdefghijklmnop'))
            return wire.line().startswith(b'+ ')
    wait_until(is_back, 'auth is started again')
    assert (salt('nobody'), salt('plain')) == before


# ---- hostile ----

@pytest.mark.parametrize('change', [
    lambda text: text.replace(',r=', ',r=x'),                # another nonce
    lambda text: re.sub('c=[^,]*', 'c=eSws', text),          # y,, where n,, was said
    lambda text: text.replace('p=', 'p=AAAA'),               # a proof that is too long
    lambda text: re.sub('p=.*', 'p=' + b64(bytes(32)), text),
    lambda text: re.sub(',p=.*', '', text),
    lambda text: text[:-1],
    lambda text: text[:10],
    lambda text: '',
    lambda text: text + '\0',
    lambda text: text + ',x=' + 'y' * 16000,
    lambda text: 'x' * 17408,
])
def test_another_last_message(server, wire, change):
    for user in ('beside', 'plain', 'nobody'):
        exchange = Scram('SCRAM-SHA-256', user, PASSWORD)
        text = change(exchange.final(exchange.begin(wire)))
        wire.command(b64(text.encode()))
        line = wire.line()
        assert re.match(rb'-ERR (\[AUTH\] wrong name|AUTH: the exchange)', line), line
    Scram('SCRAM-SHA-256', 'beside', PASSWORD).login(wire)


@pytest.mark.parametrize('text', [
    'x', 'n', 'n,,', 'n,,n=beside', 'n,,r=abc,n=beside', 'n,,m=x,n=beside,r=abc', 'n,,n=be=side,r=abc',
    'p=tls-exporter,,n=beside,r=abc', 'n,,n=,r=abc', 'n,,n=beside,r=' + 'x' * 240, '\0', 'n,,n=\xff,r=a',
    'n,a=plain,n=beside,r=abc'])
def test_another_first_message(wire, text):
    wire.command('AUTH SCRAM-SHA-256')
    assert wire.line() == b'+ '
    wire.command(b64(text.encode('latin-1')))
    line = wire.line()
    if line.startswith(b'+ '):  # a nonce may be long
        assert len(text) > 200
        wire.command('*')
        line = wire.line()
    assert line.startswith(b'-ERR'), line


def test_a_first_message_as_long_as_can_be(wire):
    for n in (2048, 17408):
        wire.command('AUTH SCRAM-SHA-256')
        assert wire.line() == b'+ '
        text = 'n,,n=beside,r='
        wire.command(b64((text + 'x' * (n - len(text))).encode()))
        line = wire.line()
        if line.startswith(b'+ '):
            wire.command('*')
            line = wire.line()
        assert line.startswith(b'-ERR'), line


def test_a_recorded_exchange_is_of_no_use(server):
    exchange = Scram('SCRAM-SHA-256', 'plain', PASSWORD, nonce='always-the-same-nonce')
    with server.wire(tls=True) as wire:
        final = exchange.final(exchange.begin(wire))
        wire.command(b64(final.encode()))
        challenge(wire)
        wire.ok('')
        wire.quit()
    with server.wire(tls=True) as wire:
        exchange.begin(wire)
        wire.command(b64(final.encode()))
        wire.err(code='AUTH')


def test_our_proof_wants_an_empty_answer(server, wire):
    exchange = Scram('SCRAM-SHA-256', 'plain', PASSWORD)
    wire.command(b64(exchange.final(exchange.begin(wire)).encode()))
    assert challenge(wire) == exchange.verifier
    wire.command('*')
    assert 'cancelled' in wire.err()
    wire.err('STAT')


# ---- bound to the connection ----

BINDINGS = ['tls-exporter', 'tls-unique']
PLUS = [mechanism + '-PLUS' for mechanism in MECHANISMS]


class Bound:
    """A Wire in TLS that knows what its connection is bound to."""

    def __init__(self, server, kind):
        self.kind = kind
        if kind == 'tls-unique':
            context = server.context()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            self.wire = Wire(('127.0.0.1', server.pop3s.number), context)
            self.octets = self.wire.socket.get_channel_binding('tls-unique')
        else:
            openssl = pytest.importorskip('OpenSSL.SSL')
            self.wire = Wire(('127.0.0.1', server.pop3s.number))
            self.wire.socket.settimeout(None)
            tls = openssl.Connection(openssl.Context(openssl.TLS_CLIENT_METHOD), self.wire.socket)
            tls.set_connect_state()
            tls.do_handshake()
            assert tls.get_protocol_version_name() == 'TLSv1.3'
            self.octets = tls.export_keying_material(b'EXPORTER-Channel-Binding', 32, b'')
            self.wire.socket = tls
        self.wire.greeting = self.wire.ok()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def scram(self, mechanism, user, password, **more):
        more.setdefault('binding', self.octets)
        return Scram(mechanism, user, password, gs2=f'p={self.kind},,', **more)


@pytest.mark.parametrize('kind', BINDINGS)
@pytest.mark.parametrize('mechanism', PLUS)
@pytest.mark.parametrize('user', ['plain', 'made'])
def test_bound(server, kind, mechanism, user):
    with Bound(server, kind) as bound:
        sasl, = [line for line in bound.wire.multi('CAPA') if line.startswith('SASL ')]
        assert sasl.split()[1:5] == PLUS[::-1] + MECHANISMS[::-1]
        bound.scram(mechanism, user, PASSWORD).login(bound.wire)


@pytest.mark.parametrize('kind', BINDINGS)
def test_somebody_between(server, kind):
    """Whoever has two connections has two bindings: the proof of the one is none on the other."""
    with Bound(server, kind) as theirs, Bound(server, kind) as ours:
        assert theirs.octets != ours.octets
        for octets in (theirs.octets, b'', ours.octets[:-1], ours.octets + b'x'):
            refused(ours.wire, ours.scram('SCRAM-SHA-256-PLUS', 'plain', PASSWORD, binding=octets))
        ours.scram('SCRAM-SHA-256-PLUS', 'plain', PASSWORD).login(ours.wire)


def end_point(wire, name='sha256'):
    """RFC 5929 section 4.1, of the certificate that we were shown."""
    return hashlib.new(name, wire.socket.getpeercert(binary_form=True)).digest()


def bound_to_the_server(mechanism, octets, user='plain'):
    return Scram(mechanism, user, PASSWORD, gs2='p=tls-server-end-point,,', binding=octets)


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize('mechanism', PLUS)
@pytest.mark.parametrize('user', ['plain', 'made'])
def test_bound_to_the_certificate(server, mechanism, version, user):
    context = server.context()
    context.minimum_version = context.maximum_version = version
    with Wire(('127.0.0.1', server.pop3s.number), context) as wire:
        wire.ok()
        octets = end_point(wire)
        for wrong in (b'', octets[:-1], octets + b'x', end_point(wire, 'sha1'), b'x' * 32):
            refused(wire, bound_to_the_server(mechanism, wrong, user))
        bound_to_the_server(mechanism, octets, user).login(wire)


def test_certificates_of_other_hashes(make_daemon):
    """The signature's, and never SHA-1; one without a hash binds to nothing."""
    daemon = make_daemon(max_bad_commands=1000)
    for options, name in ((['-newkey', 'rsa:2048', '-sha384'], 'sha384'),
                          (['-newkey', 'rsa:2048', '-sha512', '-sigopt', 'rsa_padding_mode:pss'],
                           'sha512'),
                          (['-newkey', 'ed25519'], None)):
        pem = daemon.dir / f'{name}.pem'
        subprocess.run(['openssl', 'req', '-x509', *options, '-nodes', '-days', '2', '-subj', '/CN=x',
                        '-addext', 'subjectAltName=DNS:localhost', '-keyout', pem.with_suffix('.key'),
                        '-out', pem], check=True, capture_output=True)
        daemon.reload(tls_certificate=pem, tls_key=pem.with_suffix('.key'))
        context = ssl.create_default_context(cafile=str(pem))
        with Wire(('127.0.0.1', daemon.pop3s.number), context) as wire:
            wire.ok()
            exchange = bound_to_the_server('SCRAM-SHA-256-PLUS', end_point(wire, name or 'sha256'),
                                           'user0')
            if name is None:
                wire.command(f'AUTH SCRAM-SHA-256-PLUS {b64(exchange.first().encode())}')
                wire.err()
            else:
                exchange.login(wire)
                wire.quit()


def test_no_certificate_in_a_session_that_goes_on(server):
    """It may be an old one's: so there is nothing to be bound to but the connection."""
    context = server.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    session = None
    for resumed in (False, True):
        wire = Wire(('127.0.0.1', server.pop3s.number))
        wire.socket = context.wrap_socket(wire.socket, server_hostname='localhost', session=session)
        with wire:
            wire.ok()
            session = wire.socket.session
            assert wire.socket.session_reused == resumed
            exchange = bound_to_the_server('SCRAM-SHA-256-PLUS', end_point(wire))
            if resumed:
                wire.command(f'AUTH SCRAM-SHA-256-PLUS {b64(exchange.first().encode())}')
                wire.err()
                Scram('SCRAM-SHA-256-PLUS', 'plain', PASSWORD, gs2='p=tls-unique,,',
                      binding=wire.socket.get_channel_binding('tls-unique')).login(wire)
            else:
                exchange.login(wire)
            wire.quit()


@pytest.mark.parametrize('kind', BINDINGS)
def test_a_list_that_was_shortened(server, kind):
    """y: the client could bind, and was told that we can't."""
    with Bound(server, kind) as bound:
        bound.wire.command('AUTH SCRAM-SHA-256 ' + b64(b'y,,n=plain,r=abcdefghijkl'))
        bound.wire.err(code='AUTH')
        Scram('SCRAM-SHA-256', 'plain', PASSWORD).login(bound.wire)  # n: it can't


@pytest.mark.parametrize('first', ['n,,', 'y,,', 'p=tls-server-end-points,,', 'p=,,', 'p=tls-unique,,'])
def test_bound_to_something_else(wire, first):
    """On a connection of TLS 1.3."""
    wire.command('AUTH SCRAM-SHA-1-PLUS ' + b64(f'{first}n=plain,r=abcdefghijkl'.encode()))
    wire.err()


def test_nothing_to_be_bound_to(server):
    with server.wire() as wire:  # from loopback, so SCRAM is offered
        sasl, = [line for line in wire.multi('CAPA') if line.startswith('SASL ')]
        assert 'SCRAM-SHA-256' in sasl and 'PLUS' not in sasl
        assert 'not offered' in wire.err('AUTH SCRAM-SHA-256-PLUS ' + b64(b'p=tls-unique,,n=plain,r=abc'))
        Scram('SCRAM-SHA-256', 'plain', PASSWORD, gs2='y,,').login(wire)


# ---- where it is offered ----

def test_not_where_anybody_can_listen():
    """What is heard can be tried against passwords elsewhere (RFC 7677 section 4)."""
    with running() as start:
        daemon = start(plaintext_login='never')
        with daemon.wire() as wire:
            assert not [line for line in wire.multi('CAPA') if 'SCRAM' in line]
            assert 'not without TLS' in wire.err('AUTH SCRAM-SHA-256')
        with daemon.wire(tls=True) as wire:
            assert [line for line in wire.multi('CAPA')
                    if line.startswith('SASL ') and set(MECHANISMS) <= set(line.split())]
            Scram('SCRAM-SHA-256', 'user0', PASSWORD).login(wire)


# ---- other people's programs ----

@pytest.mark.skipif(shutil.which('doveadm') is None, reason='no doveadm to make keys')
@pytest.mark.parametrize('mechanism', MECHANISMS)
def test_keys_of_dovecot(server, mechanism):
    made = subprocess.run(['doveadm', 'pw', '-s', mechanism, '-p', PASSWORD], check=True,
                          capture_output=True, timeout=PATIENCE).stdout.decode().strip()
    assert made.startswith('{' + mechanism + '}')
    name = 'dovecot' + mechanism.lower()
    with server.users.open('a', encoding='ascii') as f:
        f.write(f'{name}:{made}\n')
    with server.wire(tls=True) as wire:
        Scram(mechanism, name, PASSWORD).login(wire)
        wire.quit()
    with server.wire(tls=True) as wire:
        wire.login(name, PASSWORD)  # and who sends it is verified by the same keys


@pytest.mark.skipif(shutil.which('mpop') is None, reason='no mpop')
@pytest.mark.parametrize('mechanism', MECHANISMS)
@pytest.mark.parametrize('user', ['plain', 'beside'])
def test_mpop(server, tmp_path, mechanism, user):
    """GNU SASL's other side, in somebody else's hands."""
    since = server.mark()
    config = tmp_path / 'mpoprc'
    config.write_text(f'account test\nhost localhost\nport {server.pop3s}\ntls on\ntls_starttls off\n'
                      f'tls_trust_file {server.pem.with_suffix(".crt")}\nauth {mechanism.lower()}\n'
                      f'user {user}\npassword {PASSWORD}\n'
                      f'delivery mbox {tmp_path}/mbox\nuidls_file {tmp_path}/uidls\n')
    config.chmod(0o600)
    subprocess.run(['mpop', '--file', config, '--quiet', 'test'], check=True, timeout=PATIENCE)
    assert server.logged(f'event=login-verified .*user={user} .*method={mechanism}', since)


@pytest.mark.parametrize('user', ['plain', 'made'])
def test_restante(server, user):
    """Our own client takes the strongest that is offered."""
    client = Client().at(server.pop3s.number, user=user, cafile=server.pem.with_suffix('.crt'))
    since = server.mark()
    try:
        client.fetch()
    finally:
        client.remove()
    assert server.logged(f'event=login-verified .*user={user} .*method=SCRAM-SHA-256', since)
