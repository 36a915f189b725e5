# SPDX-License-Identifier: MIT
"""RETR and TOP: what was put in comes out, octet for octet, and as long as LIST said."""
import random
import re

import pytest

from harness import in_a_network_of_its_own, running

NOISE = random.Random(7)

# LMTP takes those that are all CRLF; others come from programs that write what they like.
WIRE_FORM = {
    'plain': b'Subject: a\r\n\r\nfirst\r\nsecond\r\nthird\r\n',
    'dot first': b'.Subject: a\r\n\r\nbody\r\n',
    'only a dot': b'.\r\n',
    'only two dots': b'..\r\n',
    'lone dots': b'a: b\r\n\r\n.\r\n.\r\n..\r\n...\r\n.\r\n',
    'lone dots first': b'.\r\n.\r\n\r\n.\r\n',
    'dots inside': b'a: b\r\n\r\na.b\r\n.a\r\n.. b\r\n a.\r\n',
    'only header': b'Subject: a\r\nTo: b\r\n',
    'header and blank line': b'Subject: a\r\n\r\n',
    'blank line first': b'\r\nbody\r\nmore\r\n',
    'blank lines': b'\r\n\r\n\r\n',
    'blank lines at the end': b'a: b\r\n\r\nbody\r\n\r\n\r\n',
    'a space is not blank': b'a: b\r\n \r\n\t\r\nbody\r\n\r\nrest\r\n',
    'folded': b'Subject: a\r\n b\r\n\tc\r\n\r\nbody\r\n',
    'nul': b'a: \0\r\n\0\r\n\r\n\0.\r\n.\0\r\n\0\0\0\r\n',
    '8-bit': 'Betreff: Grüße\r\n\r\n郵便\r\n'.encode() + bytes(range(0x80, 0x100)) + b'\r\n',
    'other line ends': 'a: b\r\n\r\n\x85.\x0b.\x0c.\u2028.\r\n'.encode(),
    'like replies': b'+OK\r\n-ERR\r\n\r\n+OK 2 320\r\n.\r\nQUIT\r\n',
    'long line': b'a: b\r\n\r\n' + b'x' * 2_000_000 + b'\r\n.end\r\n',
    'long header line': b'a: ' + b'x' * 300_000 + b'\r\n\r\nbody\r\n',
    'many lines': b'a: b\r\n\r\n' + b'line of a message\r\n' * 100_000,
    'many dots': b'a: b\r\n\r\n' + b'.\r\n' * 100_000,
}
ANY_FORM = {
    'empty': b'',
    'lf': b'Subject: a\n\n.body\nmore\n',
    'only lf': b'\n',
    'mixed': b'Subject: a\r\nTo: b\n\n.crlf\r\n.lf\n\r\n\n.\n.\r\nend\n',
    'no end': b'Subject: a\r\n\r\nbody',
    'no end, lf': b'Subject: a\n\n.body',
    'no end, dot': b'Subject: a\r\n\r\n.',
    'no end, only a dot': b'.',
    'no end in the header': b'Subject: a',
    'blank line without end': b'a: b\r\n\r\n\r',
    'cr': b'a: b\r\n\r\na\rb\r.c\r\r\n\rd\r\n',
    'cr at the end': b'a: b\r\n\r\nbody\r',
    'cr is no blank line': b'a: b\n\r\r\nc: d\n\nbody\n',
    'only cr': b'\r',
    'lf cr': b'a: b\n\r\n\r.body\n\r',
    'noise': NOISE.randbytes(300_000),
    'line noise': bytes(NOISE.choices(b'\r\n.\0x', k=200_000)),
}
# Where blocks of all sizes that one might read or send by begin and end.
EDGES = {f'edge at {at}, {len(edge)}': b'x' * (at - 2) + b'\r\n' + edge
         for at in [1023, 2046, 4094, 8190, 16383, *range(32763, 32770), *range(65531, 65538),
                    131070]
         for edge in (b'.a\r\n', b'.\r\n\r\n', b'\n.\n', b'.')}
MESSAGES = {**WIRE_FORM, **ANY_FORM, **EDGES}


def on_the_wire(octets):
    """What RETR shall send, before dots are stuffed: RFC 1939 sections 3 and 11."""
    octets = re.sub(rb'(?<!\r)\n', b'\r\n', octets)
    return octets + b'\r\n' if octets and not octets.endswith(b'\n') else octets


def top(octets, lines):
    """What TOP shall send: the header, the blank line, and so many lines."""
    kept = []
    in_header = True
    for line in re.findall(rb'[^\n]*\n', octets):
        if not in_header:
            lines -= 1
        if lines < 0:
            break
        kept.append(line)
        in_header = in_header and line != b'\r\n'
    return b''.join(kept)


@pytest.fixture(scope='module')
def sessions(shared):
    """All messages put into a Maildir by hand, seen in clear and in TLS."""
    users = shared.user(), shared.user()
    for user in users:
        for n, octets in enumerate(MESSAGES.values()):
            shared.store(user, octets, f'{n}.x.host')
    with (shared.wire(users[0], utf8=True) as clear,
          shared.wire(users[1], tls=True, utf8=True) as tls):
        yield clear, tls


@pytest.mark.parametrize('name', MESSAGES)
def test_retr_and_top(sessions, name):
    n = list(MESSAGES).index(name) + 1
    expected = on_the_wire(MESSAGES[name])
    for wire in sessions:
        assert wire.retr(n) == expected
        for lines in (0, 1, 2, 3, 1000, 1 << 63):
            assert wire.top(n, lines) == top(expected, lines)


def test_totals(sessions):
    for wire in sessions:
        sizes = {n + 1: len(on_the_wire(octets)) for n, octets in enumerate(MESSAGES.values())}
        assert wire.sizes() == sizes
        assert wire.stat() == (len(sizes), sum(sizes.values()))


@pytest.mark.parametrize('name', WIRE_FORM)
def test_in_by_lmtp(both, name):
    """And with the driver that keeps nothing on disk; what the server puts first is only a header."""
    octets = WIRE_FORM[name]
    user = both.user()
    both.deliver(user, octets)
    with both.wire(user, utf8=True) as wire:
        got = wire.retr(1)
        trace = got[:len(got) - len(octets)]
        assert got == trace + octets
        assert re.fullmatch(rb'Return-Path: <sender@example\.org>\r\nDelivered-To: [^\r\n]+\r\n',
                            trace)
        for lines in (0, 1, 2, 1000):
            assert wire.top(1, lines) == top(got, lines)


def read_slowly(server, tls):
    user = server.user()
    large = b'a: b\n\n' + b''.join(b'.%d\n' % i for i in range(200_000))
    raw = b'a: b\r\n\r\n' + b''.join(b'%d\r\n' % i for i in range(20_000))
    server.store(user, large, '1.x.host')
    server.store(user, MESSAGES['noise'], '2.x.host')
    for n in range(1000):
        server.store(user, b'%d' % n, f'{1000 + n}.y.host')
    server.deliver(user, raw)
    script = 'LIST', 'UIDL', 'TOP 1 5000', 'LIST', 'RETR 2', 'UIDL', 'RETR 1003', 'LIST', 'UIDL'
    with server.wire(user) as wire:
        expected = []
        for line in script:
            wire.ok(line)
            expected.append(wire.octets())
        wire.quit()
    sizes, uidls, top_of_large, _, noise, _, last, _, _ = expected
    assert sizes.splitlines()[2:-1] == [b'%d %d' % (n + 3, len(str(n)) + 2) for n in range(1000)]
    assert uidls.splitlines()[:-1] == [b'1 1.x.host', b'2 2.x.host'] + [
        b'%d %d.y.host' % (n + 3, 1000 + n) for n in range(1000)]
    assert top_of_large == top(on_the_wire(large), 5000)
    assert noise == on_the_wire(MESSAGES['noise'])
    assert last.endswith(raw)
    with server.wire(user, tls, window=16384, at_once=4000) as wire:
        wire.send(b'RETR 1\r\n' + b''.join(line.encode() + b'\r\n' for line in script) * 3)
        wire.ok()
        assert wire.octets() == on_the_wire(large)
        for octets in expected * 3:
            wire.ok()
            assert wire.octets() == octets
        wire.ok('NOOP')


@pytest.mark.parametrize('tls', [False, True])
def test_a_slow_reader(shared, tls):
    """Whatever the socket doesn't take at once comes later: no octet is lost, and none comes twice."""
    read_slowly(shared, tls)


@pytest.mark.parametrize('tls', [False, True])
def test_a_slow_reader_and_a_small_buffer(tls):
    """The kernel usually takes megabytes. Where it takes 4 KiB, every reply is cut somewhere."""
    def test():
        with running() as start:
            read_slowly(start(), tls)

    in_a_network_of_its_own(test, tcp_wmem='4096 4096 4096')
