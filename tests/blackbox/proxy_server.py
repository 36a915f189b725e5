# SPDX-License-Identifier: MIT
"""Proxies: SOCKS5 (RFC 1928, 1929) and HTTP's CONNECT. They connect every name to 127.0.0.1, and
note what they were asked for."""
import base64
import contextlib
import socket
import socketserver
import struct
import threading


def relay(a, b):
    """All that comes from one goes to the other, until both have ended."""
    def copy(source, sink):
        with contextlib.suppress(OSError):
            while octets := source.recv(65536):
                sink.sendall(octets)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    other = threading.Thread(target=copy, args=(b, a))
    other.start()
    copy(a, b)
    other.join()


class Proxy:
    """A SOCKS5 proxy, or one for HTTP, at .port; asked holds (host, port) as it came in."""

    def __init__(self, scheme='socks5', user=None, password=None, refuse=None):
        self.scheme, self.user, self.password, self.refuse = scheme, user, password, refuse
        self.asked = []
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError, EOFError, struct.error):
                    (proxy.socks if scheme == 'socks5' else proxy.http)(self.request)

        self.server = socketserver.ThreadingTCPServer(('127.0.0.1', 0), Handler,
                                                      bind_and_activate=True)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def url(self, credentials=''):
        return f'{self.scheme}://{credentials}127.0.0.1:{self.port}'

    def connect(self, host, port):
        self.asked.append((host, port))
        return socket.create_connection(('127.0.0.1', port))

    @staticmethod
    def exactly(s, n):
        octets = b''
        while len(octets) < n:
            more = s.recv(n - len(octets))
            if not more:
                raise EOFError
            octets += more
        return octets

    def socks(self, s):
        version, n = self.exactly(s, 2)
        methods = self.exactly(s, n)
        assert version == 5
        wanted = 2 if self.user else 0
        if wanted not in methods:
            s.sendall(b'\x05\xff')
            return
        s.sendall(bytes([5, wanted]))
        if wanted == 2:
            self.exactly(s, 1)
            user = self.exactly(s, self.exactly(s, 1)[0]).decode()
            password = self.exactly(s, self.exactly(s, 1)[0]).decode()
            right = (user, password) == (self.user, self.password)
            s.sendall(b'\x01\x00' if right else b'\x01\x01')
            if not right:
                return
        _, command, _, kind = self.exactly(s, 4)
        assert command == 1
        if kind == 3:
            host = self.exactly(s, self.exactly(s, 1)[0]).decode()
        else:
            host = socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6,
                                    self.exactly(s, 4 if kind == 1 else 16))
        port, = struct.unpack('>H', self.exactly(s, 2))
        if self.refuse:
            self.asked.append((host, port))
            s.sendall(bytes([5, self.refuse, 0, 1, 0, 0, 0, 0, 0, 0]))
            return
        with self.connect(host, port) as server:
            s.sendall(b'\x05\x00\x00\x01' + bytes(6))
            relay(s, server)

    def http(self, s):
        head = b''
        while not head.endswith(b'\r\n\r\n'):
            head += self.exactly(s, 1)
        lines = head.decode().split('\r\n')
        verb, target, _ = lines[0].split(' ')
        assert verb == 'CONNECT'
        if self.user:
            right = base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()
            if f'Proxy-Authorization: Basic {right}' not in lines:
                s.sendall(b'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"\r\n'
                          b'Content-Length: 0\r\n\r\n')
                return
        if self.refuse:
            s.sendall(b'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
            return
        host, port = target.rsplit(':', 1)
        with self.connect(host, int(port)) as server:
            s.sendall(b'HTTP/1.1 200 OK\r\n\r\n')
            relay(s, server)
