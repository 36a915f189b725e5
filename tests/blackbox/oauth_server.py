# SPDX-License-Identifier: MIT
"""An authorization server: keys that it signs JWTs with (by python3-cryptography, so not by what
verifies them), and an HTTP server that answers questions about tokens (RFC 7662)."""
import base64
import hmac
import http.server
import json
import socket
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

CURVES = {'ES256': (ec.SECP256R1, 'P-256', 32), 'ES384': (ec.SECP384R1, 'P-384', 48),
          'ES512': (ec.SECP521R1, 'P-521', 66)}
SIZES = {'256': hashes.SHA256, '384': hashes.SHA384, '512': hashes.SHA512}


def b64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b'=').decode()


def number(n, octets=None):
    return b64url(n.to_bytes(octets or (n.bit_length() + 7) // 8, 'big'))


class Key:
    """One to sign with. alg: RS256, PS256, ES256, ..."""

    def __init__(self, alg, kid=None, members=None):
        self.alg, self.kid, self.members = alg, kid, members or {}
        if alg.startswith('ES'):
            self.private = ec.generate_private_key(CURVES[alg][0]())
        else:
            self.private = rsa.generate_private_key(65537, 2048)

    def jwk(self):
        numbers = self.private.public_key().public_numbers()
        if self.alg.startswith('ES'):
            _, curve, octets = CURVES[self.alg]
            jwk = {'kty': 'EC', 'crv': curve, 'x': number(numbers.x, octets),
                   'y': number(numbers.y, octets)}
        else:
            jwk = {'kty': 'RSA', 'n': number(numbers.n), 'e': number(numbers.e)}
        return {**jwk, **({'kid': self.kid} if self.kid else {}), **self.members}

    def signature(self, alg, octets):
        digest = SIZES[alg[2:]]()
        if alg.startswith('ES'):
            r, s = decode_dss_signature(self.private.sign(octets, ec.ECDSA(digest)))
            size = CURVES[self.alg][2]
            return r.to_bytes(size, 'big') + s.to_bytes(size, 'big')
        if alg.startswith('PS'):
            return self.private.sign(octets, padding.PSS(padding.MGF1(digest), digest.digest_size),
                                     digest)
        return self.private.sign(octets, padding.PKCS1v15(), digest)

    def token(self, claims, alg=None, **header):
        """A JWT. None as a member's value leaves it out."""
        header = {'alg': alg or self.alg, 'typ': 'at+jwt',
                  **({'kid': self.kid} if self.kid else {}), **header}
        signed = '.'.join(b64url(json.dumps({k: v for k, v in part.items() if v is not None}).encode())
                          for part in (header, claims))
        if header['alg'] == 'none':
            return signed + '.'
        if str(header['alg']).startswith('HS'):  # with what everybody knows of the key
            secret = json.dumps(self.jwk()).encode()
            return signed + '.' + b64url(hmac.digest(secret, signed.encode(), 'sha256'))
        return signed + '.' + b64url(self.signature(header['alg'], signed.encode()))


class Introspection:
    """Answers POSTs. answers: {token: a dict, a status, octets, or a function that makes one}.

    context: for TLS; then the URL has a name that must be looked up and that certificates have.
    """

    def __init__(self, client='restante', secret='introspect-8', context=None):
        self.answers, self.asked, self.connections = {}, [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def setup(self):
                outer.connections.append(self.request)
                super().setup()

            def do_POST(self):  # pylint: disable=invalid-name
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers['Content-Length']))
                                             .decode(), strict_parsing=True)
                outer.asked.append(form['token'][0])
                right = base64.b64encode(f'{client}:{secret}'.encode()).decode()
                answer = outer.answers.get(form['token'][0], {'active': False})
                if self.headers.get('Authorization') != f'Basic {right}':
                    answer = 401
                if callable(answer):
                    answer = answer()
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                try:
                    self.send_response(answer if isinstance(answer, int) else 200)
                    self.send_header('Content-Type', 'application/json')
                    self.send_header('Content-Length', str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # whoever asked doesn't wait any more

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # connections that close() has ended
        self.url = f'http://127.0.0.1:{self.server.server_address[1]}/introspect'
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.url = self.url.replace('http://127.0.0.1', 'https://localhost')
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        """Away, for those who are connected too."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has gone already


def claims(user, **more):
    """What a good token says. None leaves a claim out."""
    now = int(time.time())
    return {k: v for k, v in {'iss': 'https://id.example.org', 'aud': 'restante', 'exp': now + 600,
                              'iat': now, 'email': f'{user}@example.org', 'scope': 'openid mail',
                              **more}.items() if v is not None}
