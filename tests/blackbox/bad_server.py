# SPDX-License-Identifier: MIT
"""A POP3 server that does what it is told to do wrong, and remembers what it was told.

    server = BadServer([Mail('u1', b'...'), ...], context)
    server.on['RETR 2'] = b'-ERR no such message\\r\\n'    # for this session and all others
    server.on['QUIT'] = Close                              # hang up instead of answering
    server.cut = 100                                       # hang up after 100 octets of replies

What isn't told otherwise it does as RFC 1939 says: messages are removed at QUIT.
"""
import base64
import hashlib
import hmac
import itertools
import os
import socket
import ssl
import threading

from wire import PATIENCE


class Close(Exception):
    """Ends a session without another word."""


class Mail:
    def __init__(self, uidl, octets, size=None):
        self.uidl = uidl if isinstance(uidl, bytes) else uidl.encode()
        self.octets = octets  # as on the wire: CRLF, not stuffed
        self.size = len(octets) if size is None else size  # as LIST says

    def header(self):
        return self.octets.partition(b'\r\n\r\n')[0] + b'\r\n\r\n'


def stuffed(octets):
    """A message as RETR sends it, with its end."""
    if not octets.endswith(b'\r\n'):
        octets += b'\r\n'
    return (b'\r\n' + octets).replace(b'\r\n.', b'\r\n..')[2:] + b'.\r\n'


class Session(threading.Thread):
    """One connection. commands: the lines that the client sent, without their ends."""

    def __init__(self, server, sock):
        super().__init__(daemon=True)
        self.server, self.socket = server, sock
        self.commands = []
        self.tls = False
        self.user = None
        self.marked = set()
        self.sent = 0
        self.buffer = b''
        self.problem = None
        self.ended = threading.Event()

    # -- octets --

    def send(self, octets):
        cut = self.server.cut
        if cut is not None and self.sent + len(octets) > cut:
            self.socket.sendall(octets[:cut - self.sent])
            self.sent = cut
            raise Close
        self.sent += len(octets)
        self.socket.sendall(octets)

    def line(self):
        while b'\n' not in self.buffer:
            more = self.socket.recv(65536)
            if not more:
                raise Close
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b'\n')
        return line.rstrip(b'\r').decode('utf-8', 'surrogateescape')

    def nothing_more_comes(self):
        """Whether the client waits for its reply before it says more."""
        if self.buffer:
            return False
        self.socket.settimeout(0.05)
        try:
            self.buffer += self.socket.recv(65536)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(PATIENCE)
        return not self.buffer

    def start_tls(self):
        self.socket = self.server.context.wrap_socket(self.socket, server_side=True)
        self.tls = True

    # -- life --

    def run(self):
        self.socket.settimeout(PATIENCE)
        try:
            if self.server.implicit:
                self.start_tls()
            self.send(self.server.greeting)
            while True:
                self.commands.append(self.line())
                self.answer(self.commands[-1])
        except (Close, OSError, ssl.SSLError):
            pass
        except Exception as e:  # pylint: disable=broad-except
            self.problem = e
        finally:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.socket.close()
            self.ended.set()

    def answer(self, command):
        verb, _, argument = command.partition(' ')
        verb = verb.upper()
        for key in (command, f'{verb} {argument}', verb):
            reply = self.server.on.get(key)
            if isinstance(reply, bytes):
                self.send(reply)
                return
            if reply is Close:
                raise Close
            if reply is not None and reply(self, argument) is not False:
                return
        getattr(self, 'do_' + verb.lower(), self.do_unknown)(argument)

    # -- commands --

    def do_unknown(self, _):
        self.send(b'-ERR what?\r\n')

    def do_capa(self, _):
        caps = list(self.server.caps)
        if not self.tls and self.server.context and not self.server.implicit:
            caps.append('STLS')
        self.send(b'+OK\r\n' + ''.join(f'{c}\r\n' for c in caps).encode() + b'.\r\n')

    def do_stls(self, _):
        self.send(b'+OK begin\r\n')
        self.start_tls()

    def do_user(self, argument):
        self.user = argument
        self.send(b'+OK\r\n')

    def login(self, right):
        if right:
            self.server.logins += 1
        self.send(b'+OK welcome\r\n' if right else b'-ERR [AUTH] no\r\n')

    def do_pass(self, argument):
        self.login((self.user, argument) == self.server.account)

    def do_apop(self, argument):
        user, password = self.server.account
        stamp = self.server.greeting[self.server.greeting.index(b'<'):].strip()
        digest = hashlib.md5(stamp + password.encode()).hexdigest()
        self.login(argument == f'{user} {digest}')

    def challenge(self, octets):
        self.send(b'+ ' + base64.b64encode(octets) + b'\r\n')
        line = self.line()
        self.commands.append(line)
        if line == '*':
            self.send(b'-ERR cancelled\r\n')
            raise KeyError
        return base64.b64decode(line)

    def do_auth(self, argument):
        mechanism, _, initial = argument.partition(' ')
        initial = base64.b64decode(initial) if initial else None
        try:
            getattr(self, 'auth_' + mechanism.lower().replace('-', '_'))(initial)
        except KeyError:
            pass

    def auth_plain(self, initial):
        if initial is None:
            initial = self.challenge(b'')
        self.login(tuple(initial.decode().split('\0')[1:]) == self.server.account)

    def auth_login(self, _):
        user = self.challenge(b'Username:').decode()
        self.login((user, self.challenge(b'Password:').decode()) == self.server.account)

    def auth_cram_md5(self, _):
        user, password = self.server.account
        asked = b'<1.2@bad.example>'
        digest = hmac.new(password.encode(), asked, 'md5').hexdigest()
        self.login(self.challenge(asked).decode() == f'{user} {digest}')

    def scram(self, initial, name):
        _, password = self.server.account
        client_first = (initial if initial is not None else self.challenge(b'')).decode()
        bare = client_first.split(',', 2)[2]
        salt, nonce = os.urandom(12), bare.partition('r=')[2] + base64.b64encode(os.urandom(9)).decode()
        server_first = f'r={nonce},s={base64.b64encode(salt).decode()},i=4096'
        final = self.challenge(server_first.encode()).decode()
        without_proof, _, proof = final.rpartition(',p=')
        salted = hashlib.pbkdf2_hmac(name, password.encode(), salt, 4096)
        client_key = hmac.new(salted, b'Client Key', name).digest()
        stored = hashlib.new(name, client_key).digest()
        message = f'{bare},{server_first},{without_proof}'.encode()
        signature = hmac.new(stored, message, name).digest()
        right = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode() == proof
        if right:
            key = hmac.new(salted, b'Server Key', name).digest()
            verifier = hmac.new(key, message, name).digest()
            self.challenge(b'v=' + base64.b64encode(verifier))
        self.login(right)

    def auth_scram_sha_1(self, initial):
        self.scram(initial, 'sha1')

    def auth_scram_sha_256(self, initial):
        self.scram(initial, 'sha256')

    def mails(self):
        return [(n, m) for n, m in enumerate(self.server.mails, 1) if n not in self.marked]

    def mail(self, argument):
        n = int(argument.split()[0])
        if n in self.marked or not 1 <= n <= len(self.server.mails):
            self.send(b'-ERR no such message\r\n')
            raise KeyError
        return self.server.mails[n - 1]

    def do_stat(self, _):
        mails = self.mails()
        self.send(b'+OK %d %d\r\n' % (len(mails), sum(m.size for _, m in mails)))

    def do_list(self, _):
        self.send(b'+OK\r\n' + b''.join(b'%d %d\r\n' % (n, m.size) for n, m in self.mails()) + b'.\r\n')

    def do_uidl(self, _):
        self.send(b'+OK\r\n' + b''.join(b'%d %s\r\n' % (n, m.uidl) for n, m in self.mails()
                                        if m.uidl) + b'.\r\n')

    def do_retr(self, argument):
        try:
            mail = self.mail(argument)
        except KeyError:
            return
        if 'PIPELINING' not in self.server.caps and not self.nothing_more_comes():
            self.problem = AssertionError('it sends ahead without being asked to')
        self.send(b'+OK\r\n' + stuffed(mail.octets))

    def do_top(self, argument):
        try:
            self.send(b'+OK\r\n' + stuffed(self.mail(argument).header()))
        except KeyError:
            pass

    def do_dele(self, argument):
        try:
            self.mail(argument)
            self.marked.add(int(argument))
            self.send(b'+OK\r\n')
        except KeyError:
            pass

    def remove(self):
        self.server.mails[:] = [m for _, m in self.mails()]
        self.marked.clear()

    def do_quit(self, _):
        self.remove()
        self.send(b'+OK\r\n')
        raise Close


class BadServer:
    """Listens on a free port of loopback until close(). mails is the maildrop and may be changed
    between sessions; sessions are all that were, in their order."""

    caps = ('TOP', 'UIDL', 'USER', 'PIPELINING', 'RESP-CODES', 'AUTH-RESP-CODE', 'SASL PLAIN')

    def __init__(self, mails=(), context=None, implicit=True, account=('alice', 'open-sesame-5'),
                 host='127.0.0.1'):
        self.mails = list(mails)
        self.context = context
        self.implicit = implicit and context is not None
        self.account = account
        self.greeting = b'+OK ready\r\n'
        self.on = {}
        self.cut = None
        self.logins = 0
        self.sessions = []
        self.listener = socket.create_server((host, 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            session = Session(self, sock)
            self.sessions.append(session)
            session.start()

    def last(self):
        """The last session, when it has ended."""
        assert self.sessions[-1].ended.wait(PATIENCE)
        return self.sessions[-1]

    def close(self):
        """Nothing that the server itself didn't like has happened."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for session in self.sessions:
            session.ended.wait(PATIENCE)
            if session.problem is not None:
                raise session.problem

    def said(self):
        """Everything that all clients have said."""
        return list(itertools.chain.from_iterable(s.commands for s in self.sessions))
