# SPDX-License-Identifier: MIT
"""Several certificates: which one a client is shown, and what is wrong with them."""
import os
import re
import shutil
import signal
import ssl
import subprocess
import time

import pytest

from harness import PASSWORD, RESTANTED, Daemon, running, wait_until
from pki import Authority
from wire import PATIENCE, Wire

EX_CONFIG = 78


@pytest.fixture(scope='module', name='ca')
def fixture_ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp('ca'))


@pytest.fixture(scope='module', name='many')
def fixture_many(ca):
    """RSA and ECDSA for one name, each alone for another, and a wildcard."""
    pairs = [ca.issue('rsa', 'rsa', 'two.example', 'rsa.example'),
             ca.issue('ec', 'ec', 'two.example', 'ec.example'),
             ca.issue('wild', 'ec', '*.wild.example'),
             ca.issue('ed', 'ed25519', 'ed.example')]
    with running() as start:
        yield start(tls_certificate=pairs[0].certificate, tls_key=pairs[0].key,
                    tls_certificates=[f'{p.certificate} {p.key}' for p in pairs[1:]])


def shown(daemon, name, *options, stls=False):
    """The certificate's common name and what it signed with, as openssl s_client sees it."""
    port = daemon.pop3 if stls else daemon.pop3s
    told = subprocess.run(
        ['openssl', 's_client', '-connect', f'127.0.0.1:{port}', '-ign_eof',
         *(['-starttls', 'pop3'] if stls else []),
         *(['-servername', name] if name else ['-noservername']), *options],
        input=b'QUIT\r\n', capture_output=True, timeout=PATIENCE, check=False)
    text = told.stdout.decode(errors='replace') + told.stderr.decode(errors='replace')
    subject = re.search(r'^subject=.*CN = (\S+)', text, re.M)
    how = re.search(r'^Peer signature type: (\S+)', text, re.M)
    return subject and subject[1], how and how[1]


TLS12 = ('-tls1_2',)
RSA_ONLY = ('-sigalgs', 'RSA-PSS+SHA256:RSA+SHA256')
RSA_ONLY_12 = (*TLS12, '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256')


@pytest.mark.parametrize('name, options, subject, how', [
    ('two.example', (), 'ec', 'ECDSA'),
    ('two.example', TLS12, 'ec', 'ECDSA'),
    ('two.example', RSA_ONLY, 'rsa', 'RSA-PSS'),
    ('two.example', RSA_ONLY_12, 'rsa', 'RSA-PSS'),
    ('two.example', (*RSA_ONLY_12, '-sigalgs', 'RSA+SHA256'), 'rsa', 'RSA'),
    ('TWO.Example', RSA_ONLY, 'rsa', 'RSA-PSS'),
    ('rsa.example', (), 'rsa', 'RSA-PSS'),
    ('rsa.example', TLS12, 'rsa', 'RSA-PSS'),
    ('ec.example', (), 'ec', 'ECDSA'),
    ('ec.example', TLS12, 'ec', 'ECDSA'),
    ('ec.example', RSA_ONLY, None, None),
    ('pop.wild.example', (), 'wild', 'ECDSA'),
    ('ed.example', (), 'ed', 'ed25519'),
    ('ed.example', TLS12, 'ed', 'ed25519'),
    ('a.pop.wild.example', (), 'ec', 'ECDSA'),
    ('wild.example', (), 'ec', 'ECDSA'),
    ('foreign.example', RSA_ONLY, 'rsa', 'RSA-PSS'),
    (None, (), 'ec', 'ECDSA'),
    (None, RSA_ONLY, 'rsa', 'RSA-PSS'),
])
def test_which_one_is_shown(many, name, options, subject, how):
    """By the name that is asked for, then by what the client can verify; else the first one."""
    assert shown(many, name, *options) == (subject, how)


def test_behind_stls(many):
    assert shown(many, 'pop.wild.example', stls=True) == ('wild', 'ECDSA')
    assert shown(many, None, *RSA_ONLY, stls=True) == ('rsa', 'RSA-PSS')


@pytest.mark.parametrize('name', ['two.example', 'rsa.example', 'ec.example', 'x.wild.example'])
def test_python_believes_them(many, ca, name):
    """Chain, name and all; and the connection works to its end."""
    user = many.user()
    with Wire(('127.0.0.1', many.pop3s.number)) as wire:
        context = ssl.create_default_context(cafile=str(ca.certificate))
        wire.socket = context.wrap_socket(wire.socket, server_hostname=name)
        wire.ok()
        wire.login(user, PASSWORD)
        assert wire.socket.getpeercert()['issuer'][0][0] == ('commonName', 'the authority')
        wire.quit()


@pytest.mark.parametrize('version', ['-tls1_2', '-tls1_3'])
def test_a_session_of_another_name_is_resumed(many, tmp_path, version):
    """Whatever certificate the handshake was made with, its ticket is good at every listener."""
    ticket = tmp_path / 'ticket'

    def connect(*options):
        return subprocess.run(
            ['openssl', 's_client', version, '-connect', f'127.0.0.1:{many.pop3s}', '-ign_eof',
             '-servername', 'x.wild.example', *options],
            input=b'QUIT\r\n', capture_output=True, timeout=PATIENCE, check=True).stdout

    assert b'\nNew, TLSv1' in connect('-sess_out', ticket)
    for _ in range(4):
        assert b'\nReused, TLSv1' in connect('-sess_in', ticket)


# ---- OCSP ----

MUST_STAPLE = 'tlsfeature = status_request'


def stapled(daemon, name, *options):
    """What s_client says of the response: its status, or None for no response."""
    told = subprocess.run(
        ['openssl', 's_client', '-connect', f'127.0.0.1:{daemon.pop3s}', '-ign_eof', '-status',
         '-servername', name, *options],
        input=b'QUIT\r\n', capture_output=True, timeout=PATIENCE, check=True).stdout
    if b'OCSP response: no response sent' in told:
        return None
    assert b'OCSP Response Status: successful' in told
    return re.search(rb'Cert Status: (\w+)', told)[1].decode()


def gnutls(daemon, ca, name):
    """GnuTLS refuses a certificate that must be stapled and isn't. True: it was content."""
    result = subprocess.run(
        ['gnutls-cli', '--x509cafile', ca.certificate, '--sni-hostname', name,
         '--verify-hostname', name, '-p', str(daemon.pop3s), '127.0.0.1'],
        input=b'QUIT\r\n', capture_output=True, timeout=PATIENCE, check=False)
    assert b'Handshake was completed' in result.stdout or result.returncode != 0
    return result.returncode == 0


def test_stapling(make_daemon, ca):
    names = ['stapled', 'plain', 'must', 'bare', 'revoked', 'foreign', 'broken']
    pairs = {name: ca.issue(name, 'ec', f'{name}.example',
                            extensions=MUST_STAPLE if name in ('must', 'bare') else '')
             for name in names}

    def path(name):
        return f'{pairs[name].certificate}.ocsp'

    ca.revoke(pairs['revoked'])
    for name in ('stapled', 'must', 'revoked'):
        ca.answer(pairs[name], path(name))
    ca.answer(pairs['stapled'], path('foreign'))
    with open(path('broken'), 'wb') as f:
        f.write(b'0\3')
    daemon = make_daemon(tls_certificates=[f'{p.certificate} {p.key}' for p in pairs.values()])

    for version in ('-tls1_2', '-tls1_3'):
        assert {name: stapled(daemon, f'{name}.example', version) for name in names} == {
            'stapled': 'good', 'plain': None, 'must': 'good', 'bare': None, 'revoked': 'revoked',
            'foreign': None, 'broken': None}
    if shutil.which('gnutls-cli'):
        assert [gnutls(daemon, ca, f'{name}.example') for name in ('plain', 'must', 'bare')] == \
            [True, True, False]

    # Each is told of once, and what is good isn't.
    for name, why in [('foreign', 'about another certificate'), ('broken', 'no OCSP response'),
                      ('bare', 'needs an OCSP response'), ('revoked', 'is revoked')]:
        lines = daemon.logged(f'event=tls .*{pairs[name].certificate}')
        assert len(lines) == 1 and why in lines[0]
    assert daemon.logged('event=tls .*(stapled|plain|must).pem') == []

    # A new answer counts from the next reload on.
    ca.answer(pairs['plain'], path('plain'))
    daemon.reload()
    assert stapled(daemon, 'plain.example') == 'good'


# ---- renewed ----

class Live:
    """A certificate as certbot keeps it: live/ has symbolic links to what is in archive/."""

    def __init__(self, ca, top, name):
        self.ca, self.name, self.n = ca, name, 0
        self.live, self.archive = top / 'live' / name, top / 'archive' / name
        self.live.mkdir(parents=True)
        self.archive.mkdir(parents=True)
        self.certificate, self.key = self.live / 'fullchain.pem', self.live / 'privkey.pem'
        self.renew('certificate', 'key')

    def issue(self):
        self.n += 1
        return self.ca.issue(f'{self.name}{self.n}', 'ec', f'{self.name}.example')

    def renew(self, *what):
        """A new pair; what of it gets its link is said."""
        pair = self.issue()
        for which in what:
            self.link(pair, which)
        return pair

    def link(self, pair, which):
        link = getattr(self, which)
        target = self.archive / f'{link.stem}{self.n}.pem'
        target.write_bytes(getattr(pair, which).read_bytes())
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(target, self.live))


def test_a_renewal_is_noticed(make_daemon, ca, tmp_path):
    live = Live(ca, tmp_path, 'live')
    daemon = make_daemon(tls_certificate=live.certificate, tls_key=live.key, tls_watch=1)
    user = daemon.user()
    assert shown(daemon, None) == ('live1', 'ECDSA')
    with daemon.wire(user) as session:
        since = daemon.mark()
        live.renew('certificate', 'key')
        daemon.wait_for('event=certificates-renewed', since)
        daemon.wait_for('event=reloaded', since)
        # A socket's backlog may still be an old listener's; it leaves when it has read of it.
        wait_until(lambda: shown(daemon, None) == ('live2', 'ECDSA'), 'the new certificate')
        session.ok('NOOP')  # nobody is dropped
        session.quit()


def test_half_a_renewal_changes_nothing(make_daemon, ca, tmp_path):
    live = Live(ca, tmp_path, 'half')
    daemon = make_daemon(tls_certificate=live.certificate, tls_key=live.key, tls_watch=1)
    pair = live.renew('certificate')
    daemon.wait_for(f'event=certificates-refused .*{re.escape(str(live.key))}')
    assert shown(daemon, None) == ('half1', 'ECDSA')
    # It isn't said again for the same files: these are looked at a few times meanwhile.
    time.sleep(2.5)
    assert len(daemon.logged('event=certificates-refused')) == 1
    assert shown(daemon, None) == ('half1', 'ECDSA')
    since = daemon.mark()
    live.link(pair, 'key')
    daemon.wait_for('event=certificates-renewed', since)
    daemon.wait_for('event=reloaded', since)
    wait_until(lambda: shown(daemon, None) == ('half2', 'ECDSA'), 'the new certificate')
    # A response that comes later is a change as well.
    since = daemon.mark()
    ca.answer(pair, f'{live.certificate}.new')
    os.rename(f'{live.certificate}.new', f'{live.certificate}.ocsp')
    daemon.wait_for('event=reloaded', since)
    wait_until(lambda: stapled(daemon, 'half.example') == 'good', 'a response')
    assert len(daemon.logged('event=certificates-refused')) == 1


# ---- what is wrong with them ----

@pytest.fixture(scope='module', name='idle')
def fixture_idle():
    """One that isn't started: its configuration is checked only."""
    daemon = Daemon()
    yield daemon
    daemon.remove()


def check(daemon, **options):
    before = dict(daemon.options)
    daemon.configure(**options)
    daemon.options = before
    return subprocess.run([RESTANTED, '-t', '-c', daemon.conf], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)


def test_each_mistake_names_its_file(idle, ca, tmp_path):
    one, other = ca.issue('one', 'ec', 'one.example'), ca.issue('other', 'rsa', 'other.example')
    locked = tmp_path / 'locked.pem'
    subprocess.run(['openssl', 'pkey', '-in', one.key, '-aes128', '-passout', 'pass:x',
                    '-out', locked], check=True, capture_output=True)
    cut = tmp_path / 'cut.pem'
    cut.write_text(one.certificate.read_text(encoding='ascii')[:200], encoding='ascii')
    chain = tmp_path / 'chain.pem'
    chain.write_text(one.certificate.read_text(encoding='ascii') +
                     cut.read_text(encoding='ascii'), encoding='ascii')
    small = ca.issue('small', 'rsa:1024', 'small.example')
    curve = ca.issue('curve', 'ec:secp521r1', 'curve.example')
    for pair, wrong in [
            (f'{one.certificate} {other.key}', other.key),
            (f'{one.certificate} {one.certificate}', one.certificate),
            (f'{one.certificate} /nowhere/key.pem', '/nowhere/key.pem'),
            (f'/nowhere/cert.pem {one.key}', '/nowhere/cert.pem'),
            (f'{one.key} {one.key}', one.key),
            (f'{one.certificate} {locked}', locked),
            (f'{cut} {one.key}', cut),
            (f'{chain} {one.key}', chain),
            (f'{small.certificate} {small.key}', small.certificate)]:
        result = check(idle, tls_certificates=[pair])
        assert result.returncode == EX_CONFIG, pair
        assert f"'{wrong}'" in result.stderr and result.stdout == '', result
    result = check(idle, tls_certificates=[f'{p.certificate} {p.key}' for p in (one, other, curve)])
    assert (result.returncode, result.stderr) == (0, '')


def test_dates_are_only_warned_of(idle, ca):
    old = ca.issue('old', 'ec', 'old.example', from_days=-10, until_days=-1)
    early = ca.issue('early', 'ec', 'early.example', from_days=1, until_days=2)
    result = check(idle, tls_certificates=[f'{p.certificate} {p.key}' for p in (old, early)])
    assert result.returncode == 0
    assert f"'{old.certificate}' has expired" in result.stderr
    assert f"'{early.certificate}' is not valid yet" in result.stderr


def test_a_reload_with_a_bad_one_keeps_all(make_daemon, ca):
    one, other = ca.issue('good', 'ec', 'good.example'), ca.issue('bad', 'ec', 'bad.example')
    daemon = make_daemon(tls_certificate=None,
                         tls_certificates=[f'{one.certificate} {one.key}'])
    assert shown(daemon, None) == ('good', 'ECDSA')
    daemon.configure(tls_certificates=[f'{other.certificate} {one.key}'])
    since = daemon.mark()
    daemon.signal(signal.SIGHUP)
    daemon.wait_for(f'event=reload-failed .*{re.escape(str(one.key))}', since)
    assert shown(daemon, None) == ('good', 'ECDSA')
    daemon.reload(tls_certificates=[f'{other.certificate} {other.key}',
                                    f'{one.certificate} {one.key}'])
    assert shown(daemon, None) == ('bad', 'ECDSA')
    assert shown(daemon, 'good.example') == ('good', 'ECDSA')
