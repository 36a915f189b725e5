# SPDX-License-Identifier: MIT
"""A client that says exactly what it is told to, and takes apart what it hears no more than it must."""
import re
import socket

# How long anything may take. The machine may be slow; whoever waits this long waits in vain.
PATIENCE = 60


class Wire:
    """A connection. address is (host, port), or the path of a UNIX socket.

    window: octets that may be on their way to us; at_once: what we take with one call.
    """

    def __init__(self, address, context=None, window=None, at_once=1 << 20):
        tcp = isinstance(address, tuple)
        self.socket = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        if tcp:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if window is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.at_once = at_once
        self.socket.connect(address if tcp else str(address))
        self.buffer = b''
        self.greeting = None
        if context is not None:
            self.start_tls(context)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.socket.close()

    def reset(self):
        """Breaks the connection, as a machine does that loses its power."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        self.socket.close()

    def start_tls(self, context):
        assert self.buffer == b''
        self.socket = context.wrap_socket(self.socket, server_hostname='localhost')

    # -- speaking --

    def send(self, octets):
        self.socket.sendall(octets)

    def command(self, text):
        self.send((text.encode() if isinstance(text, str) else text) + b'\r\n')

    # -- hearing --

    def more(self):
        """Reads what there is. False at the end."""
        got = self.socket.recv(self.at_once)
        self.buffer += got
        return got != b''

    def line(self):
        """A line without its CRLF, which must be there."""
        while b'\n' not in self.buffer:
            assert self.more(), f'the connection ended after {self.buffer!r}'
        line, self.buffer = self.buffer.split(b'\n', 1)
        assert line.endswith(b'\r'), line
        assert b'\r' not in line[:-1], line
        return line[:-1]

    def octets(self):
        """A multi-line response's text, as it was before dots were stuffed."""
        looked_at = 0
        while not (self.buffer.startswith(b'.\r\n') or
                   b'\r\n.\r\n' in self.buffer[max(looked_at - 5, 0):]):
            looked_at = len(self.buffer)
            assert self.more(), f'the connection ended after {self.buffer[-100:]!r}'
        if self.buffer.startswith(b'.\r\n'):
            text, self.buffer = b'', self.buffer[3:]
        else:
            text, self.buffer = self.buffer.split(b'\r\n.\r\n', 1)
            text += b'\r\n'
        assert not re.search(rb'(\A|\r\n)\.(?!\.)', text), 'a dot that nobody stuffed'
        return re.sub(rb'(\A|\r\n)\.', rb'\1', text)

    def rest(self):
        """All that still comes until the server ends the connection."""
        try:
            while self.more():
                pass
        except ConnectionResetError:
            pass
        rest, self.buffer = self.buffer, b''
        return rest

    # -- POP3 --

    def reply(self, text=None):
        if text is not None:
            self.command(text)
        line = self.line()
        assert re.match(rb'(\+OK|-ERR)( |\Z)', line), line
        assert len(line) + 2 <= 512, line  # RFC 1939 section 3
        return line.decode('ascii')

    def ok(self, text=None):
        """What stands behind +OK."""
        line = self.reply(text)
        assert line.startswith('+OK'), (text, line)
        return line[4:]

    def err(self, text=None, code=None):
        """What stands behind -ERR, and behind its [CODE] when there is one; nothing else follows it."""
        line = self.reply(text)
        found = re.fullmatch(r'-ERR (?:\[([A-Z/-]+)\] )?(.+)', line)
        assert found, (text, line)
        assert found[1] == code, (text, line)
        return found[2]

    def multi(self, text):
        """The lines of a multi-line response."""
        self.ok(text)
        return self.octets().decode('ascii').splitlines()

    def retr(self, n):
        """A message's octets, which must be as many as LIST says."""
        listed = self.ok(f'LIST {n}')
        self.ok(f'RETR {n}')
        octets = self.octets()
        assert listed == f'{n} {len(octets)}'
        return octets

    def top(self, n, lines):
        self.ok(f'TOP {n} {lines}')
        return self.octets()

    def sizes(self):
        """LIST as {number: octets}."""
        return {int(n): int(octets) for n, octets in map(str.split, self.multi('LIST'))}

    def uidls(self):
        return {int(n): uidl for n, uidl in map(str.split, self.multi('UIDL'))}

    def stat(self):
        """(messages, octets)"""
        return tuple(map(int, self.ok('STAT').split()))

    def login(self, user, password):
        self.ok(f'USER {user}')
        return self.ok(f'PASS {password}')

    def quit(self):
        """Ends the session as it should end: +OK and nothing more."""
        self.ok('QUIT')
        assert self.rest() == b''
        self.close()
