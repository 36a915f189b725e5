# SPDX-License-Identifier: MIT
"""CAPA, pipelining, STLS and TLS: what is offered, and what may be said before and after it."""
import base64
import socket
import ssl
import subprocess
import threading
import warnings

import pytest

from harness import PASSWORD, in_a_network_of_its_own, running
from wire import PATIENCE, Wire

SASL = 'SASL SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN'
SASL_TLS = SASL.replace(' ', ' SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS ', 1)
COMMON = {'TOP', 'UIDL', 'RESP-CODES', 'AUTH-RESP-CODE', 'PIPELINING', 'LANG', 'UTF8 USER',
          'EXPIRE NEVER',
          'IMPLEMENTATION restante'}


def client(highest=None, ciphers=None):
    """A context for handshakes that may fail: it doesn't look whom it talks to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers((ciphers or 'DEFAULT') + ':@SECLEVEL=0')
    with warnings.catch_warnings(action='ignore', category=DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        if highest:
            context.maximum_version = highest
    return context


# ---- what is offered ----

def test_capa_says_what_would_work_now(shared):
    user = shared.user()
    with shared.wire() as wire:
        assert set(wire.multi('CAPA')) == COMMON | {'STLS', 'USER', SASL}
        wire.ok(f'USER {user}')
        assert 'USER' in wire.multi('CAPA')  # and it doesn't forget who it was
        wire.ok(f'PASS {PASSWORD}')
        assert set(wire.multi('CAPA')) == COMMON | {'USER', SASL}
        wire.err('STLS')
    with shared.wire(tls=True) as wire:
        assert set(wire.multi('CAPA')) == COMMON | {'USER', SASL_TLS}
        assert wire.err('STLS') == 'STLS: TLS is active already'
        wire.login(user, PASSWORD)
        assert set(wire.multi('CAPA')) == COMMON | {'USER', SASL_TLS}


def test_no_line_is_said_twice(shared):
    with shared.wire() as wire:
        lines = wire.multi('CAPA')
        assert len(lines) == len(set(lines))


def test_a_bare_auth_lists_what_capa_says(shared):
    with shared.wire() as wire:
        assert wire.multi('AUTH') == SASL.split()[1:]


def test_without_a_certificate(make_daemon):
    daemon = make_daemon(tls_certificate=None, pop3s_listen=None)
    with daemon.wire() as wire:
        assert set(wire.multi('CAPA')) == COMMON | {'USER', SASL}
        assert 'not offered' in wire.err('STLS')
        wire.login('user0', PASSWORD)


# ---- pipelining ----

def script(user):
    return b''.join(line + b'\r\n' for line in (
        b'CAPA', b'FROB', b'USER ' + user.encode(), b'PASS ' + PASSWORD.encode(), b'STAT', b'LIST',
        b'UIDL 1', b'RETR 1', b'TOP 2 1', b'DELE 1', b'DELE 1', b'LIST', b'RETR 3', b'NOOP',
        b'RSET', b'LIST 4', b'QUIT'))


@pytest.mark.parametrize('tls', [False, True])
def test_pipelining(shared, tls):
    """All in one packet, octet by octet or in pieces of any size: the same replies, in order."""
    user = shared.user()
    for n in range(1, 4):
        shared.store(user, b'Subject: a\n\n.b\n' * n, f'{n}.x.host')
    talks = []
    octets = script(user)
    for size in (len(octets), 1, 2, 7, 64):
        with shared.wire(tls=tls) as wire:
            for at in range(0, len(octets), size):
                wire.send(octets[at:at + size])
            talks.append(wire.rest())
    assert all(talk == talks[0] for talk in talks)
    assert talks[0].count(b'+OK') == 14 and talks[0].count(b'-ERR') == 3
    assert talks[0].endswith(b'+OK good bye\r\n')


def test_more_commands_than_anybody_reads_replies(shared):
    """A client that only sends is stopped, not stored; when it reads, every reply is there."""
    user = shared.user()
    shared.store(user, b'x' * 5000, '1.x.host')
    n = 4000
    with shared.wire(user) as wire:
        sender = threading.Thread(target=wire.send, args=(b'RETR 1\r\nNOOP\r\n' * n,))
        sender.start()
        for _ in range(n):
            wire.ok()
            assert wire.octets() == b'x' * 5000 + b'\r\n'
            wire.ok()
        sender.join(PATIENCE)


# ---- STLS ----

def test_stls(shared):
    user = shared.user()
    with shared.wire() as wire:
        wire.ok('STLS')
        wire.start_tls(shared.context())
        assert set(wire.multi('CAPA')) == COMMON | {'USER', SASL_TLS}
        assert wire.err('STLS') == 'STLS: TLS is active already'
        wire.login(user, PASSWORD)
        wire.quit()


@pytest.mark.parametrize('behind', [b'CAPA\r\n', b'CAPA', b'USER user0\r\n', b'\r\n',
                                    b'USER user0\r\nPASS ' + PASSWORD.encode() + b'\r\nSTAT\r\n'])
def test_what_is_said_behind_stls_is_thrown_away(shared, behind):
    """Somebody on the line put it there. RFC 2595 section 4; CVE-2011-0411 and its like."""
    with shared.wire() as wire:
        wire.send(b'STLS\r\n' + behind)
        wire.ok()
        assert wire.buffer == b''
        wire.start_tls(shared.context())
        assert wire.err('NOOP') == 'log in first'  # its own reply and no other
        assert 'say USER first' in wire.err(f'PASS {PASSWORD}')


def test_a_name_from_before_tls_is_forgotten(shared):
    with shared.wire() as wire:
        wire.ok('USER user0')
        wire.ok('STLS')
        wire.start_tls(shared.context())
        assert 'say USER first' in wire.err(f'PASS {PASSWORD}')


def test_much_behind_stls(shared):
    """More than is read ahead: then there is no handshake, and nothing else either."""
    with shared.wire() as wire:
        wire.send(b'STLS\r\n' + b'CAPA\r\n' * 5000)
        wire.ok()
        assert b'TOP' not in wire.rest()


def test_no_handshake_after_stls(shared):
    since = shared.mark()
    with shared.wire() as wire:
        wire.ok('STLS')
        wire.send(b'CAPA\r\n')
        assert b'+OK' not in wire.rest()
        shared.wait_for('event=tls-failed', since)


def test_plain_text_at_the_tls_port(shared):
    with Wire(('127.0.0.1', shared.pop3s.number)) as wire:
        wire.send(b'CAPA\r\n')
        assert b'+OK' not in wire.rest()


# ---- TLS ----

@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(shared, version):
    context = shared.context()
    context.minimum_version = context.maximum_version = version
    user = shared.user()
    since = shared.mark()
    with Wire(('127.0.0.1', shared.pop3s.number), context) as wire:
        wire.ok()
        wire.login(user, PASSWORD)
        assert wire.socket.version() == version.name.replace('_', '.')
        cipher = wire.socket.cipher()[0]
        assert 'GCM' in cipher or 'POLY1305' in cipher
        assert f'tls={wire.socket.version()} cipher={cipher}' in shared.wait_for(
            f'event=login .*user={user}', since)


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(shared, version):
    with pytest.raises(ssl.SSLError) as error:
        Wire(('127.0.0.1', shared.pop3s.number), client(version))
    assert error.value.reason == 'TLSV1_ALERT_PROTOCOL_VERSION'  # the server's word


@pytest.mark.parametrize('cipher', ['AES128-SHA', 'ECDHE-ECDSA-AES128-SHA', 'AES128-GCM-SHA256',
                                    'ECDHE-ECDSA-AES256-SHA384', 'ECDHE-ECDSA-AES128-CCM8'])
def test_old_ciphers_are_refused(shared, cipher):
    with pytest.raises(ssl.SSLError) as error:
        Wire(('127.0.0.1', shared.pop3s.number), client(ssl.TLSVersion.TLSv1_2, cipher))
    assert error.value.reason == 'SSLV3_ALERT_HANDSHAKE_FAILURE'


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize('offered, agreed', [
    (None, None), (['pop3'], 'pop3'), (['http/1.1', 'pop3'], 'pop3'),
    (['h2', 'http/1.1'], False), (['imap'], False), (['pop'], False), (['pop3s'], False),
    (['POP3'], False)])
def test_alpn(shared, version, offered, agreed):
    """RFC 7301: ours when it is offered, nobody else's instead; most mail clients offer nothing."""
    context = shared.context()
    context.minimum_version = context.maximum_version = version
    if offered:
        context.set_alpn_protocols(offered)
    if agreed is False:
        with pytest.raises(ssl.SSLError) as error:
            Wire(('127.0.0.1', shared.pop3s.number), context)
        assert 'alert no application protocol' in str(error.value)  # Python has no word for it
        return
    with Wire(('127.0.0.1', shared.pop3s.number), context) as wire:
        assert wire.socket.selected_alpn_protocol() == agreed
        wire.ok()
    with shared.wire() as wire:
        wire.ok('STLS')
        wire.start_tls(context)
        assert wire.socket.selected_alpn_protocol() == agreed
        wire.quit()


def test_settings(make_daemon):
    daemon = make_daemon(tls_ciphers='ECDHE-ECDSA-AES256-GCM-SHA384')
    port = ('127.0.0.1', daemon.pop3s.number)
    with Wire(port, client(ssl.TLSVersion.TLSv1_2)) as wire:
        assert wire.socket.cipher()[0] == 'ECDHE-ECDSA-AES256-GCM-SHA384'
    with pytest.raises(ssl.SSLError):
        Wire(port, client(ssl.TLSVersion.TLSv1_2, 'ECDHE-ECDSA-AES128-GCM-SHA256'))
    daemon.reload(tls_min_version='1.3')
    with Wire(port, client()) as wire:
        assert wire.socket.version() == 'TLSv1.3'
    with pytest.raises(ssl.SSLError) as error:
        Wire(port, client(ssl.TLSVersion.TLSv1_2))
    assert error.value.reason == 'TLSV1_ALERT_PROTOCOL_VERSION'


@pytest.mark.parametrize('version', ['-tls1_2', '-tls1_3'])
def test_a_session_is_resumed(make_daemon, version):
    """At whichever listener it is, also at one that has just been started."""
    daemon = make_daemon(listeners=4)
    ticket = daemon.dir / 'ticket'

    def connect(*options):
        told = subprocess.run(['openssl', 's_client', version, '-connect',
                               f'127.0.0.1:{daemon.pop3s}', '-ign_eof', *options],
                              input=b'QUIT\r\n', capture_output=True, timeout=PATIENCE, check=True)
        return told.stdout

    assert b'\nNew, TLSv1' in connect('-sess_out', ticket)
    for _ in range(8):
        assert b'\nReused, TLSv1' in connect('-sess_in', ticket)
    daemon.reload()
    for _ in range(8):
        assert b'\nReused, TLSv1' in connect('-sess_in', ticket)


def test_renegotiation_is_refused(shared):
    """TLS 1.2 only: a client must not make the server calculate as often as it likes."""
    with subprocess.Popen(['openssl', 's_client', '-tls1_2', '-quiet', '-no_ign_eof', '-connect',
                           f'127.0.0.1:{shared.pop3s}'], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b'+OK')
        process.stdin.write(b'R\n')
        process.stdin.flush()
        assert b'no renegotiation' in process.stderr.read()


def test_a_record_at_a_time(shared):
    """A handshake and commands that come octet by octet; and two commands in one record."""
    user = shared.user()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = shared.context().wrap_bio(incoming, outgoing, server_hostname='localhost')
    with Wire(('127.0.0.1', shared.pop3s.number)) as wire:
        def push():
            for octet in outgoing.read():
                wire.send(bytes([octet]))

        def pull(call):
            while True:
                try:
                    return call()
                except ssl.SSLWantReadError:
                    push()
                    incoming.write(wire.socket.recv(4096))

        pull(tls.do_handshake)
        assert pull(tls.read).startswith(b'+OK')
        tls.write(f'USER {user}\r\nPASS {PASSWORD}\r\nNOOP\r\nQUIT\r\n'.encode())
        push()
        heard = b''
        while heard.count(b'\r\n') < 4:
            heard += pull(tls.read)
        assert heard.count(b'+OK') == 4


# ---- passwords in clear ----

REFUSED = ['USER user0', f'PASS {PASSWORD}', 'AUTH PLAIN', 'AUTH LOGIN',
           'AUTH PLAIN ' + base64.b64encode(b'\0user0\0' + PASSWORD.encode()).decode()]


def check_refused(wire):
    """No password is taken, nor offered to be; with TLS it is."""
    assert set(wire.multi('CAPA')) == COMMON | {'STLS'}
    for line in REFUSED:
        assert 'not without TLS, say STLS first' in wire.err(line)
    assert wire.multi('AUTH') == []
    wire.ok('STLS')
    wire.start_tls(client())
    assert set(wire.multi('CAPA')) == COMMON | {'USER', SASL_TLS}
    wire.login('user0', PASSWORD)
    wire.quit()


def test_never_in_clear(make_daemon):
    daemon = make_daemon(plaintext_login='never')
    with daemon.wire() as wire:
        check_refused(wire)


def test_never_in_clear_and_no_certificate(make_daemon):
    daemon = make_daemon(plaintext_login='never', tls_certificate=None, pop3s_listen=None)
    with daemon.wire() as wire:
        assert set(wire.multi('CAPA')) == COMMON
        assert wire.err('USER user0') == 'USER: not without TLS'


@pytest.mark.parametrize('setting', ['never', 'loopback', 'send-passwords-in-clear'])
def test_from_another_machine(setting):
    def test():
        with running() as start:
            daemon = start(plaintext_login=setting, pop3_listen=['*:11000'])
            for host in ('127.0.0.1', '192.0.2.1'):
                with socket.create_connection((host, 11000)) as s:
                    assert s.getsockname()[0] == host
                with Wire((host, 11000)) as wire:
                    wire.ok()
                    if setting == 'never' or (setting, host) == ('loopback', '192.0.2.1'):
                        check_refused(wire)
                    else:
                        assert 'USER' in wire.multi('CAPA')
                        wire.login('user0', PASSWORD)
                        wire.quit()
            daemon.wait_for('remote=192.0.2.1')

    in_a_network_of_its_own(test)
