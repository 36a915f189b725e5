# SPDX-License-Identifier: MIT
"""The process that has the private keys: it alone has them, and what happens without it."""
import os
import re
import shutil
import signal
import ssl
import subprocess
import threading

import pytest

from harness import PASSWORD, running, wait_until
from pki import Authority
from wire import PATIENCE, Wire

SANITIZED = os.environ.get('RESTANTE_SANITIZE', 'none') != 'none'


@pytest.fixture(scope='module', name='ca')
def fixture_ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp('ca'))


class Pair:
    """A certificate and its key under names that stay, for one.example."""

    def __init__(self, ca, dir_):
        self.ca, self.n = ca, 0
        self.certificate, self.key = dir_ / 'live.pem', dir_ / 'live.key'
        self.renew()

    def renew(self, *which):
        self.n += 1
        fresh = self.ca.issue(f'{self.certificate.parent.name}-{self.n}', 'ec', 'one.example')
        for name in which or ('certificate', 'key'):
            shutil.copy(getattr(fresh, name), f'{getattr(self, name)}.new')
            os.rename(f'{getattr(self, name)}.new', getattr(self, name))
        return fresh

    @property
    def name(self):
        return f'{self.certificate.parent.name}-{self.n}'


@pytest.fixture(name='pair')
def fixture_pair(ca, tmp_path):
    return Pair(ca, tmp_path)


def believing(ca):
    """A client's context that verifies everything, and never resumes."""
    return ssl.create_default_context(cafile=str(ca.certificate))


def connect(daemon, ca, name='one.example'):
    """A new session, greeted."""
    wire = Wire(('127.0.0.1', daemon.pop3s.number))
    wire.socket = believing(ca).wrap_socket(wire.socket, server_hostname=name)
    wire.ok()
    return wire


def shown(daemon, ca):
    """The common name of the certificate that a whole handshake has been made with."""
    with connect(daemon, ca) as wire:
        subject = dict(item[0] for item in wire.socket.getpeercert()['subject'])
        wire.quit()
    return subject['commonName']


# ---- who has the keys ----

def secrets(key):
    """The numbers of a key that nobody may know, as they may lie in memory."""
    text = subprocess.run(['openssl', 'pkey', '-in', key, '-noout', '-text'], check=True,
                          capture_output=True, text=True).stdout
    found = re.findall(r'^(priv|prime1|prime2|privateExponent):\n((?:    .*\n)+)', text, re.M)
    numbers = [bytes.fromhex(re.sub(r'[\s:]', '', octets)).lstrip(b'\0') for _, octets in found]
    assert numbers
    return [form for n in numbers for form in (n, n[::-1])]


def memory(pid):
    """All that a process can read of itself, piece by piece."""
    with open(f'/proc/{pid}/maps', encoding='ascii') as maps, open(f'/proc/{pid}/mem', 'rb') as mem:
        for line in maps:
            begin, end = (int(n, 16) for n in line.split()[0].split('-'))
            if line.split()[1][0] != 'r' or re.search(r'\[v(var|syscall)', line):
                continue
            mem.seek(begin)
            try:
                yield mem.read(end - begin)
            except OSError:
                continue  # shared pages that have no memory


def has(pid, forms):
    return any(form in piece for piece in memory(pid) for form in forms)


@pytest.mark.skipif(os.geteuid() != 0 or SANITIZED,
                    reason='reads the memory of others, which a sanitizer makes endless')
def test_nobody_else_has_the_keys(make_daemon, ca):
    """Also after handshakes with each of them, by both versions."""
    pairs = {kind: ca.issue(f'memory-{kind}', kind, f'{kind}.example')
             for kind in ('ec', 'rsa', 'ed25519')}
    daemon = make_daemon(tls_certificate=None,
                         tls_certificates=[f'{p.certificate} {p.key}' for p in pairs.values()])
    for kind in pairs:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = believing(ca)
            context.minimum_version = context.maximum_version = version
            for _ in range(4):
                with Wire(('127.0.0.1', daemon.pop3s.number)) as wire:
                    wire.socket = context.wrap_socket(wire.socket,
                                                      server_hostname=f'{kind}.example')
                    wire.ok()
                    wire.quit()
    children = {line.split('role=')[1].split()[0]: int(re.search(r'pid=(\d+)', line)[1])
                for line in daemon.logged('event=child-started')}
    listeners = [int(re.search(r'pid=(\d+)', line)[1])
                 for line in daemon.logged('event=child-started role=listener')]
    assert len(listeners) == 2 and {'signer', 'auth', 'storage'} < set(children)
    for pair in pairs.values():
        forms = secrets(pair.key)
        assert has(children['signer'], forms)
        for pid in [daemon.process.pid, children['auth'], children['storage'], *listeners]:
            assert not has(pid, forms), pid


def test_no_rsa_key_decrypts(ca):
    """Ciphers that would need it are refused when they are all there is, and else left out."""
    rsa = ca.issue('decrypts', 'rsa', 'one.example')
    with running() as start:
        daemon = start(tls_certificate=rsa.certificate, tls_key=rsa.key,
                       tls_ciphers='ECDHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256')
        context = believing(ca)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        for ciphers, works in (('ECDHE-RSA-AES128-GCM-SHA256', True), ('AES128-GCM-SHA256', False)):
            context.set_ciphers(ciphers)
            with Wire(('127.0.0.1', daemon.pop3s.number)) as wire:
                try:
                    wire.socket = context.wrap_socket(wire.socket, server_hostname='one.example')
                    assert works
                    wire.ok()
                except ssl.SSLError:
                    assert not works


# ---- without it ----

def test_it_is_killed(make_daemon, pair, ca):
    """Sessions go on, and so do handshakes, as soon as there is another one."""
    daemon = make_daemon(tls_certificate=pair.certificate, tls_key=pair.key)
    with connect(daemon, ca) as session:
        session.login(daemon.user(), PASSWORD)
        for _ in range(3):
            since = daemon.mark()
            os.kill(daemon.child('signer'), signal.SIGKILL)
            daemon.wait_for('event=child-ready role=signer', since)
            # Each listener, in whatever order the kernel chooses them.
            for _ in range(8):
                assert shown(daemon, ca) == pair.name
            session.ok('NOOP')
        session.quit()


def test_it_hangs(make_daemon, pair, ca):
    """A listener waits once, for a while, and never again: other sessions go on."""
    daemon = make_daemon(tls_certificate=pair.certificate, tls_key=pair.key, listeners=1)
    done = threading.Event()

    def wait():
        with connect(daemon, ca) as wire:
            wire.quit()
        done.set()

    with connect(daemon, ca) as session:
        session.login(daemon.user(), PASSWORD)
        signer = daemon.child('signer')
        os.kill(signer, signal.SIGSTOP)
        try:
            # This one has nobody to sign for it; nothing is said of when it is told.
            with pytest.raises((ssl.SSLError, OSError)):
                connect(daemon, ca)
            daemon.wait_for('event=signer-late effect="handshakes wait"')
            client = threading.Thread(target=wait)
            client.start()
            for _ in range(20):
                session.ok('NOOP')
            assert not done.is_set()
        finally:
            os.kill(signer, signal.SIGCONT)
        daemon.wait_for('event=signer-late effect="handshakes go on"')
        assert done.wait(PATIENCE)
        client.join()
        session.quit()
    assert len(daemon.logged('event=signer-late effect="handshakes wait"')) == 1


# ---- renewed keys ----

def test_renewal_under_load(make_daemon, pair, ca):
    """Each handshake has a certificate and a signature of its key, whatever happens meanwhile."""
    daemon = make_daemon(tls_certificate=pair.certificate, tls_key=pair.key, tls_watch=1)
    user = daemon.user()
    over = threading.Event()
    seen, failed = set(), []

    def load():
        while not over.is_set():
            try:
                seen.add(shown(daemon, ca))
            except (OSError, AssertionError) as e:
                failed.append(e)

    threads = [threading.Thread(target=load) for _ in range(2)]
    first = daemon.child('signer')
    with daemon.wire() as clear:  # begins TLS only later, with what was there when it came
        for t in threads:
            t.start()
        wait_until(lambda: pair.name in seen or failed, 'the first handshake')
        since = daemon.mark()
        pair.renew()
        daemon.wait_for('event=reloaded', since)
        wait_until(lambda: pair.name in seen or failed, 'the new certificate')
        over.set()
        for t in threads:
            t.join()
        assert failed == []
        assert daemon.child('signer') != first
        clear.ok('STLS')
        clear.socket = believing(ca).wrap_socket(clear.socket, server_hostname='one.example')
        assert clear.socket.getpeercert()['subject'][0][0][1].endswith('-1')
        clear.login(user, PASSWORD)
        clear.quit()
    # Its last listener has gone, and so does the old signer.
    daemon.wait_for(f'event=child-ended role=signer .*pid={first} ', since)


@pytest.mark.parametrize('role', ['signer', 'listener'])
def test_restarted_with_other_files(make_daemon, pair, ca, role):
    """Who begins after files were replaced finds others than the rest has: all begin anew."""
    daemon = make_daemon(tls_certificate=pair.certificate, tls_key=pair.key, tls_watch=0)
    first = pair.name
    pair.renew()
    assert shown(daemon, ca) == first
    since = daemon.mark()
    os.kill(daemon.child(role), signal.SIGKILL)
    daemon.wait_for('event=reloaded', since)
    for _ in range(8):
        wait_until(lambda: shown(daemon, ca) == pair.name, 'the new certificate')


def test_restarted_with_bad_files(make_daemon, pair, ca):
    """Who has died waits for better files, and is said to once."""
    daemon = make_daemon(tls_certificate=pair.certificate, tls_key=pair.key, tls_watch=0)
    fresh = pair.renew('certificate')
    since = daemon.mark()
    os.kill(daemon.child('listener'), signal.SIGKILL)
    daemon.wait_for('event=certificates-refused', since)
    shutil.copy(fresh.key, pair.key)
    daemon.wait_for('event=certificates-renewed', since)
    daemon.wait_for('event=reloaded', since)
    wait_until(lambda: shown(daemon, ca) == pair.name, 'the new certificate')
    assert len(daemon.logged('event=certificates-refused')) == 1
