# SPDX-License-Identifier: MIT
"""Connections that come through a proxy: whose they are, and who may say so."""
import shutil
import socket
import struct
import subprocess
import time

import pytest

from harness import PASSWORD, Port, running, wait_until
from wire import PATIENCE, Wire

SIGNATURE = b'\r\n\r\n\0\r\nQUIT\n'
V1 = b'PROXY TCP4 192.0.2.7 198.51.100.1 40000 110\r\n'


def v2(source='192.0.2.7', tlvs=b'', command=1, family=0x11):
    """A header of version 2."""
    kind = socket.AF_INET6 if ':' in source else socket.AF_INET
    octets = socket.inet_pton(kind, source)
    block = octets * 2 + struct.pack('!HH', 40000, 110) + tlvs
    if kind == socket.AF_INET6:
        family = 0x21
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack('!H', len(block)) + block


@pytest.fixture(scope='module')
def proxied():
    """One server for all tests here: its POP3, POP3S and LMTP over TCP are behind a proxy."""
    with running() as start:
        daemon = start(max_connections_per_address=3, plaintext_login='never')
        daemon.reload(pop3_listen=[f'127.0.0.1:{daemon.pop3} proxy'],
                      pop3s_listen=[f'127.0.0.1:{daemon.pop3s} proxy'],
                      lmtp_listen=[f'unix:{daemon.lmtp}', f'127.0.0.1:{daemon.lmtp_port} proxy'],
                      proxy_trusted=['127.0.0.1'])
        yield daemon


def dial(daemon, header, port=None, source='127.0.0.1'):
    """A connection that has said header, and heard nothing yet."""
    wire = Wire.__new__(Wire)
    wire.socket = socket.create_connection(('127.0.0.1', (port or daemon.pop3).number),
                                           timeout=PATIENCE, source_address=(source, 0))
    wire.at_once, wire.buffer, wire.greeting = 1 << 20, b'', None
    wire.send(header)
    return wire


@pytest.mark.parametrize('header, remote', [
    (V1, '192.0.2.7'),
    (b'PROXY TCP6 2001:db8::7 2001:db8::1 40000 110\r\n', '2001:db8::7'),
    (b'PROXY TCP6 ::ffff:192.0.2.8 ::1 40000 110\r\n', '192.0.2.8'),
    (b'PROXY UNKNOWN\r\n', '127.0.0.1'),
    (v2(), '192.0.2.7'),
    (v2('2001:db8::7'), '2001:db8::7'),
    (v2(tlvs=b'\x04\0\x04abcd' * 20), '192.0.2.7'),
    (v2(tlvs=b'\x04\xff\x00' + b'x' * 0xff00), '192.0.2.7'),
    (v2(command=0), '127.0.0.1'),
    (v2(family=0x12), '127.0.0.1'),
])
def test_the_log_names_the_client(proxied, header, remote):
    """Also behind TLS, whose first octets follow the header's last one at once."""
    since = proxied.mark()
    with dial(proxied, header + b'NOOP\r\nCAPA\r\n') as wire:
        wire.ok()
        wire.err()
        wire.ok()
        assert b'STLS' in wire.octets()
    user = proxied.user()
    with dial(proxied, header, proxied.pop3s) as wire:
        wire.start_tls(proxied.context())
        wire.ok()
        wire.ok(f'USER {user}')
        wire.ok(f'PASS {PASSWORD}')
        proxied.wait_for(f'event=login .*user={user} remote={remote} ', since)
        wire.quit()


def test_a_header_in_pieces(proxied):
    """However the network cuts it, and with silence in between."""
    for header in (V1, v2(), v2(tlvs=b'\x04\0\x04abcd')):
        with dial(proxied, b'') as wire:
            for i in range(len(header)):
                wire.send(header[i:i + 1])
                time.sleep(0.001)
            wire.ok()


def test_a_wrong_header(proxied):
    """Or none: the connection ends, and nothing is said to whom nobody knows."""
    for header in (b'CAPA\r\n', b'PROXY TCP4 x\r\n', b'PROXY' + b' ' * 200, SIGNATURE + b'\x11\x11\0\0',
                   b'\x16\x03\x01\x02\x00\x01\x00'):
        since = proxied.mark()
        with dial(proxied, header) as wire:
            assert wire.rest() == b''
        proxied.wait_for('event=proxy-failed .*remote=127.0.0.1 ', since)


def test_who_is_not_trusted(proxied):
    since = proxied.mark()
    with dial(proxied, b'', source='127.0.0.2') as wire:
        assert wire.rest() == b''
    assert 'remote=::ffff:127.0.0.2 ' in proxied.wait_for('event=proxy-refused', since)


def test_clients_are_counted_and_not_the_proxy(proxied):
    many = [dial(proxied, v2(f'192.0.2.{i}')) for i in range(20, 30)]
    same = [dial(proxied, v2('192.0.2.99')) for _ in range(40)]
    for wire in many:
        wire.ok()
    words = [wire.reply() for wire in same]
    # Two listeners, which count each for itself.
    assert 3 <= sum(w.startswith('+OK') for w in words) <= 6
    assert set(w for w in words if w[0] == '-') == {'-ERR [SYS/TEMP] too many connections'}
    for wire in many + same:
        wire.close()


def test_a_client_is_never_on_this_machine_because_it_says_so(make_daemon):
    """127.0.0.1 is the proxy's; what it says of its own machine is true where it is ours."""
    daemon = make_daemon()
    daemon.reload(pop3_listen=[f'127.0.0.1:{daemon.pop3} proxy'], proxy_trusted=['127.0.0.0/8'])
    for header, near in ((v2('192.0.2.7'), False), (v2('127.0.0.1'), True), (v2('::1'), True),
                         (b'PROXY UNKNOWN\r\n', False), (v2(command=0), True)):
        with dial(daemon, header) as wire:
            wire.ok()
            wire.ok('CAPA')
            assert (b'USER' in wire.octets().split(b'\r\n')) == near, header


def test_lmtp(proxied):
    with dial(proxied, v2('192.0.2.50'), proxied.lmtp_port) as wire:
        assert wire.line().startswith(b'220 ')


@pytest.mark.skipif(shutil.which('haproxy') is None, reason='no HAProxy')
@pytest.mark.parametrize('option', ['send-proxy', 'send-proxy-v2', 'send-proxy-v2-ssl-cn'])
def test_haproxy(proxied, option):
    """With its health checks, which are the proxy's own connections."""
    front = Port()
    config = proxied.dir / 'haproxy.cfg'
    config.write_text(
        'defaults\n mode tcp\n timeout connect 60s\n timeout client 60s\n timeout server 60s\n'
        f'listen pop3s\n bind 127.0.0.1:{front}\n'
        f' server restante 127.0.0.1:{proxied.pop3s} {option} check inter 100\n')
    front.socket.close()
    since = proxied.mark()
    with subprocess.Popen(['haproxy', '-db', '-f', str(config)], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: not socket.socket().connect_ex(('127.0.0.1', front.number)),
                       'HAProxy')
            user = proxied.user()
            client = socket.create_connection(('127.0.0.1', front.number), PATIENCE,
                                              source_address=('127.0.0.3', 0))
            wire = Wire.__new__(Wire)
            wire.socket, wire.at_once, wire.buffer = client, 1 << 20, b''
            wire.start_tls(proxied.context())
            wire.ok()
            wire.ok(f'USER {user}')
            wire.ok(f'PASS {PASSWORD}')
            proxied.wait_for(f'event=login .*user={user} remote=127.0.0.3 ', since)
            wire.quit()
            wire.close()
        finally:
            process.terminate()
    assert not proxied.logged('proxy-failed', since)
