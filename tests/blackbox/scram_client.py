# SPDX-License-Identifier: MIT
"""SCRAM's client side (RFC 5802, RFC 7677) for a Wire, with Python's own hashes: one step at a time,
so that a test can put something else in its place."""
import base64
import hashlib
import hmac
import secrets

HASHES = {'SCRAM-SHA-1': 'sha1', 'SCRAM-SHA-256': 'sha256'}


def b64(octets):
    return base64.b64encode(octets).decode()


def unb64(text):
    return base64.b64decode(text, validate=True)


def keys(mechanism, password, iterations=4096, salt=b'some salt'):
    """iterations,salt,StoredKey,ServerKey: what a server keeps instead of the password."""
    name = HASHES[mechanism]
    salted = hashlib.pbkdf2_hmac(name, password.encode(), salt, iterations)
    client, server = (hmac.digest(salted, text, name) for text in (b'Client Key', b'Server Key'))
    return f'{iterations},{b64(salt)},{b64(hashlib.new(name, client).digest())},{b64(server)}'


class Scram:
    """One exchange. gs2: the header; binding: the channel's, for p=."""

    def __init__(self, mechanism, user, password, gs2='n,,', binding=b'', nonce=None):
        self.mechanism = mechanism
        self.name = HASHES[mechanism.removesuffix('-PLUS')]
        self.password = password
        self.gs2, self.binding = gs2, binding
        self.nonce = nonce or secrets.token_urlsafe(18)
        user = user.replace('=', '=3D').replace(',', '=2C')
        self.bare = f'n={user},r={self.nonce}'
        self.salt = self.iterations = self.verifier = None

    def first(self):
        return self.gs2 + self.bare

    def final(self, server_first):
        fields = dict(field.split('=', 1) for field in server_first.split(','))
        assert set(fields) == {'r', 's', 'i'}
        assert fields['r'].startswith(self.nonce) and len(fields['r']) >= len(self.nonce) + 16
        self.salt, self.iterations = fields['s'], int(fields['i'])
        bound = b64(self.gs2.encode() + self.binding)
        without_proof = f'c={bound},r={fields["r"]}'
        message = ','.join((self.bare, server_first, without_proof)).encode()
        salted = hashlib.pbkdf2_hmac(self.name, self.password.encode(), unb64(self.salt),
                                     self.iterations)
        client = hmac.digest(salted, b'Client Key', self.name)
        signature = hmac.digest(hashlib.new(self.name, client).digest(), message, self.name)
        proof = bytes(a ^ b for a, b in zip(client, signature))
        server = hmac.digest(salted, b'Server Key', self.name)
        self.verifier = 'v=' + b64(hmac.digest(server, message, self.name))
        return f'{without_proof},p={b64(proof)}'

    # -- over a Wire --

    def begin(self, wire, initial=True):
        """Up to the server's first message, which is returned."""
        first = b64(self.first().encode())
        if initial:
            wire.command(f'AUTH {self.mechanism} {first}')
        else:
            wire.command(f'AUTH {self.mechanism}')
            assert wire.line() == b'+ '
            wire.command(first)
        return challenge(wire)

    def login(self, wire, initial=True):
        """All of it: what stands behind +OK."""
        wire.command(b64(self.final(self.begin(wire, initial)).encode()))
        assert challenge(wire) == self.verifier
        return wire.ok('')


def challenge(wire):
    line = wire.line()
    assert line.startswith(b'+ '), line
    return unb64(line[2:]).decode()
