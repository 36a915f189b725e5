# SPDX-License-Identifier: MIT
"""OAUTHBEARER and XOAUTH2: tokens that are signed, and tokens that somebody is asked about."""
import base64
import json
import shutil
import ssl
import subprocess
import threading
import time

import pytest

from harness import RESTANTED, running, wait_until
from wire import PATIENCE

pytest.importorskip('cryptography')

from oauth_server import Introspection, Key, b64url, claims  # pylint: disable=wrong-import-position

KEYS = {'RS256': Key('RS256', 'r'), 'ES256': Key('ES256', 'e'), 'ES384': Key('ES384'),
        'ES512': Key('ES512', members={'alg': 'ES512', 'use': 'sig'})}
RSA, EC = KEYS['RS256'], KEYS['ES256']
OPAQUE = 'an-opaque-token/+='


def write_keys(daemon, *keys, text=None):
    """Whole, as programs that fetch them do it."""
    fresh = daemon.dir / 'keys.new'
    fresh.write_text(text or json.dumps({'keys': [key.jwk() for key in keys]}))
    fresh.rename(daemon.dir / 'keys')


@pytest.fixture(scope='module')
def endpoint():
    e = Introspection()
    yield e
    e.close()


@pytest.fixture(scope='module')
def server(endpoint):
    with running() as start:
        daemon = start(max_bad_commands=1000)
        assert daemon.stop() == 0
        write_keys(daemon, *KEYS.values())
        (daemon.dir / 'secret').write_text('introspect-8\n')
        (daemon.dir / 'secret').chmod(0o600)
        daemon.configure(
            oauth_jwks_file=daemon.dir / 'keys', oauth_issuer='https://id.example.org',
            oauth_audience='restante', oauth_scope='mail', oauth_introspection_url=endpoint.url,
            oauth_client_id='restante', oauth_client_secret_file=daemon.dir / 'secret')
        daemon.start()
        daemon.secrets |= {'introspect-8'}
        yield daemon


@pytest.fixture
def wire(server):
    with server.wire(tls=True) as wire:
        yield wire


def message(mechanism, user, token, extra=''):
    if mechanism == 'XOAUTH2':
        text = f'user={user}\1{extra}auth=Bearer {token}\1\1'
    else:
        text = f'n,{"a=" + user if user else ""},\1{extra}auth=Bearer {token}\1\1'
    return base64.b64encode(text.encode()).decode()


def login(wire, user, token, mechanism='OAUTHBEARER', two_lines=False):
    """What the server says: +OK, or the first challenge."""
    if two_lines:
        wire.command(f'AUTH {mechanism}')
        assert wire.line() == b'+ '
        wire.command(message(mechanism, user, token))
    else:
        wire.command(f'AUTH {mechanism} {message(mechanism, user, token)}')
    return wire.line().decode()


def refused(server, wire, user, token, why, mechanism='OAUTHBEARER', answer=None):
    """A challenge that says why, then -ERR. answer: the client's last word."""
    since = server.mark()
    line = login(wire, user, token, mechanism)
    assert line.startswith('+ '), line
    reason = json.loads(base64.b64decode(line[2:]))
    wire.command(answer if answer is not None else
                 '' if mechanism == 'XOAUTH2' else base64.b64encode(b'\1').decode())
    wire.err(code='AUTH')
    server.wait_for(f'event=login-failed .*method={mechanism} reason={why}', since)
    return reason


@pytest.mark.parametrize('two_lines', [False, True])
@pytest.mark.parametrize('mechanism', ['OAUTHBEARER', 'XOAUTH2'])
@pytest.mark.parametrize('alg', KEYS)
def test_a_signed_token(server, wire, alg, mechanism, two_lines):
    user = server.user()
    token = KEYS[alg].token(claims(user))
    assert login(wire, f'{user}@example.org', token, mechanism, two_lines).startswith('+OK')
    wire.quit()
    assert token not in '\n'.join(server.log)


@pytest.mark.parametrize('alg', ['RS384', 'RS512', 'PS256', 'PS384', 'PS512'])
def test_what_else_an_rsa_key_signs(server, wire, alg):
    user = server.user()
    assert login(wire, user, RSA.token(claims(user), alg)).startswith('+OK')


def test_who_it_is(server, wire):
    """The token says so. What the client says must be that user, however it is written."""
    user = server.user()
    token = EC.token(claims(user))
    assert login(wire, '', token).startswith('+OK')
    wire.quit()
    for name in (user, user.upper(), f'{user}@EXAMPLE.org'):
        with server.wire(tls=True) as other:
            assert login(other, name, token).startswith('+OK')
    # A device of it, or only to look. A token for a name that looks like a device's is nobody's.
    for name, seen in ((f'{user}+phone@example.org', 'device=phone'), (f'recent:{user}', 'recent_days=30')):
        with server.wire(tls=True) as other:
            assert login(other, name, token).startswith('+OK')
            server.wait_for(f'event=login .*user={user} {seen} ')
    tagged = EC.token(claims(f'{user}+phone'))
    with server.wire(tls=True) as other:
        for name in (user, f'{user}+laptop'):
            refused(server, other, name, tagged, 'token-of-another-user')
        for name in ('', f'{user}+phone'):
            refused(server, other, name, tagged, 'unknown-user')
    with server.wire(tls=True) as other:
        refused(server, other, server.user(), token, 'token-of-another-user')
        refused(server, other, 'nobody', EC.token(claims('nobody')), 'unknown-user')
        server.add_users('eve')
        server.replace_users(server.users.read_text().replace('eve:', 'eve:!'))
        refused(server, other, 'eve', EC.token(claims('eve')), 'locked')


def bad_tokens(user):
    """{why: token}"""
    now = int(time.time())

    def of(**more):
        return EC.token(claims(user, **more))
    header, payload, signature = of().split('.')
    other = b64url(json.dumps(claims('user0')).encode())
    jwk = Key('ES256')
    return {
        'token-expired': of(exp=now - 120),
        'token-not-yet-valid': of(nbf=now + 120),
        'token-without-end': of(exp=None),
        'token-date-malformed': of(exp='tomorrow'),
        'token-of-another-issuer': of(iss='https://id.example.com'),
        'token-for-another-audience': of(aud=['calendar', 'restante2']),
        'token-names-no-user': of(email=None),
        'token-email-not-verified': of(email_verified=False),
        'token-algorithm-refused': RSA.token(claims(user), 'none'),
        'token-algorithm-refused ': RSA.token(claims(user), 'HS256'),
        'token-extension-refused': EC.token(claims(user), crit=['exp'], exp=1),
        'token-signature-wrong': f'{header}.{other}.{signature}',
        'token-signature-wrong ': f'{header}.{payload}.',
        'token-signature-wrong  ': jwk.token(claims(user), kid='e', jwk=jwk.jwk()),
        'token-key-unknown': RSA.token(claims(user), kid='another'),
        'token-key-unknown ': EC.token({}, 'ES256', kid='r'),
        'token-malformed': f'x.{payload}.{signature}'}


@pytest.mark.parametrize('mechanism', ['OAUTHBEARER', 'XOAUTH2'])
def test_bad_tokens(server, wire, mechanism):
    user = server.user()
    for why, token in bad_tokens(user).items():
        reason = refused(server, wire, user, token, why.strip(), mechanism)
        assert reason == ({'status': '401', 'schemes': 'bearer', 'scope': 'mail'}
                          if mechanism == 'XOAUTH2' else
                          {'status': 'invalid_token', 'scope': 'mail'})
    # The session goes on.
    assert login(wire, user, EC.token(claims(user)), mechanism).startswith('+OK')


def test_scope(server, wire):
    user = server.user()
    for scope in ({'scope': None}, {'scope': 'mailbox openid'}, {'scope': ''}, {'scope': ['x']}):
        reason = refused(server, wire, user, EC.token(claims(user, **scope)), 'token-without-scope')
        assert reason == {'status': 'insufficient_scope', 'scope': 'mail'}
    for scope in ({'scope': 'mail'}, {'scope': ['x', 'mail']}, {'scope': None, 'scp': 'a mail'},
                  {'scope': None, 'scp': ['mail']}):
        with server.wire(tls=True) as other:
            assert login(other, user, EC.token(claims(user, **scope))).startswith('+OK')
            other.quit()


def test_leeway_and_audiences(server):
    user, now = server.user(), int(time.time())
    for more in ({'exp': now - 5}, {'nbf': now + 5}, {'aud': ['x', 'restante']},
                 {'email_verified': True}, {'exp': now + 600.5}):
        with server.wire(tls=True) as wire:
            assert login(wire, user, EC.token(claims(user, **more))).startswith('+OK'), more
            wire.quit()


@pytest.mark.parametrize('mechanism', ['OAUTHBEARER', 'XOAUTH2'])
def test_sixteen_kilobytes(server, mechanism):
    user = server.user()
    token = EC.token(claims(user))
    filler = EC.token(claims(user, x='x' * ((16384 - len(token)) * 3 // 4 - 10)))
    assert 16300 < len(filler) <= 16384
    for two_lines in (False, True):
        with server.wire(tls=True) as wire:
            assert login(wire, user, filler, mechanism, two_lines).startswith('+OK')
            wire.quit()
    with server.wire(tls=True) as wire:
        assert 'too long' in login(wire, user, 'x' * 18000, mechanism)
        assert login(wire, user, token, mechanism).startswith('+OK')


@pytest.mark.parametrize('text', [
    '', 'n,,\1', 'n,,\1\1', 'n,,\1auth=Bearer \1\1', 'n,,\1auth=Basic abc\1\1', 'auth=Bearer abc\1\1',
    'p=tls-exporter,,\1auth=Bearer abc\1\1', 'n,,\1auth=Bearer abc\1', 'user=\1auth=Bearer abc\1\1',
    'user=alice\1auth=Bearer a b\1\1', 'user=alice\1auth=Bearer abc\1\1x', '\1'])
@pytest.mark.parametrize('mechanism', ['OAUTHBEARER', 'XOAUTH2'])
def test_malformed(wire, mechanism, text):
    wire.command(f'AUTH {mechanism} ' + (base64.b64encode(text.encode()).decode() or '='))
    assert wire.err() == 'AUTH: the exchange went wrong'


def test_what_a_client_says_to_a_refusal(server, wire):
    """Anything; a cancelled exchange is over too."""
    user = server.user()
    bad = EC.token(claims(user, exp=1))
    for answer in ('', base64.b64encode(b'\1').decode(), base64.b64encode(b'sorry').decode()):
        refused(server, wire, user, bad, 'token-expired', answer=answer)
    assert login(wire, user, bad).startswith('+ ')
    wire.command('*')
    assert 'cancelled' in wire.err()
    assert login(wire, user, EC.token(claims(user))).startswith('+OK')


def test_keys_that_change(server):
    """The file is read again, and a broken one costs nobody the keys that were there."""
    user, fresh = server.user(), Key('ES256', 'fresh')
    with server.wire(tls=True) as wire:
        refused(server, wire, user, fresh.token(claims(user)), 'token-key-unknown')
        write_keys(server, fresh, *KEYS.values())
        assert login(wire, user, fresh.token(claims(user))).startswith('+OK')
    for text in ('{"keys": 1}', 'nonsense', '[]'):
        write_keys(server, text=text)
        with server.wire(tls=True) as wire:
            assert login(wire, user, fresh.token(claims(user))).startswith('+OK')
            wire.quit()
    server.wait_for('event=oauth-keys .*not JSON')
    write_keys(server, text=json.dumps(fresh.jwk()))
    with server.wire(tls=True) as wire:
        assert login(wire, user, fresh.token(claims(user))).startswith('+OK')
        wire.quit()
    with server.wire(tls=True) as wire:
        refused(server, wire, user, EC.token(claims(user)), 'token-key-unknown')
    # A key for encryption, for another algorithm, of another curve.
    for jwk in ({**fresh.jwk(), 'use': 'enc'}, {**fresh.jwk(), 'alg': 'ES384'},
                {**fresh.jwk(), 'crv': 'P-384'}):
        write_keys(server, text=json.dumps(jwk))
        with server.wire(tls=True) as wire:
            refused(server, wire, user, fresh.token(claims(user)), 'token-key-unknown')
    write_keys(server, *KEYS.values())


# ---- introspection ----

@pytest.mark.parametrize('mechanism', ['OAUTHBEARER', 'XOAUTH2'])
def test_an_opaque_token(server, endpoint, mechanism):
    """Asked about once, and remembered for its user."""
    user = server.user()
    token = f'{OPAQUE[:-2]}{user}=='
    endpoint.answers[token] = {'active': True, **claims(user)}
    endpoint.asked.clear()
    for _ in range(3):
        with server.wire(tls=True) as wire:
            assert login(wire, user, token, mechanism).startswith('+OK')
            wire.quit()
    assert endpoint.asked == [token]
    with server.wire(tls=True) as wire:
        refused(server, wire, server.user(), token, 'token-of-another-user', mechanism)
    assert token not in '\n'.join(server.log)


def test_an_answer_is_for_all_devices(server, endpoint):
    """And is never taken for one about another user, whatever that one's name looks like."""
    user = server.user()
    endpoint.answers['all-of-them'] = {'active': True, **claims(user)}
    endpoint.answers['tagged'] = {'active': True, **claims(f'{user}+phone')}
    endpoint.asked.clear()
    for name in (f'{user}+phone', user, f'{user}+laptop'):
        with server.wire(tls=True) as wire:
            assert login(wire, name, 'all-of-them').startswith('+OK')
    server.wait_for(f'event=login .*user={user} device=laptop ')
    assert len(endpoint.asked) == 1
    with server.wire(tls=True) as wire:
        for _ in range(2):
            refused(server, wire, f'{user}+phone', 'tagged', 'unknown-user')
        refused(server, wire, user, 'tagged', 'token-of-another-user')


def test_a_token_that_ends_is_asked_about_again(server, endpoint):
    user = server.user()
    endpoint.answers['short'] = {'active': True, **claims(user, exp=int(time.time()) + 2)}
    endpoint.asked.clear()

    def logs_in():
        with server.wire(tls=True) as wire:
            return login(wire, user, 'short').startswith('+OK')
    assert logs_in()
    endpoint.answers['short'] = {'active': False}
    wait_until(lambda: not logs_in(), 'the token is over')
    assert len(endpoint.asked) >= 2


@pytest.mark.parametrize('more, why', [
    ({'active': False}, 'token-not-active'), ({'exp': 1}, 'token-expired'),
    ({'aud': 'x'}, 'token-for-another-audience'), ({'iss': None}, 'token-of-another-issuer'),
    ({'email': 'user0@example.org'}, 'token-of-another-user'), ({'scope': None}, 'token-without-scope')])
def test_bad_answers(server, endpoint, wire, more, why):
    endpoint.answers['bad'] = {'active': True, **claims('user1', **more)}
    refused(server, wire, 'user1', 'bad', why)


@pytest.mark.parametrize('answer', [500, 404, b'', b'nonsense', b'{"active": "yes"}', b'[]',
                                    b' ' * 100_000, 302])
def test_answers_that_are_none(server, endpoint, wire, answer):
    """It is nobody's token's fault: try again later."""
    endpoint.answers['odd'] = answer
    assert login(wire, server.user(), 'odd').startswith('-ERR [SYS/TEMP] ')


def test_waiting_for_an_answer_stops_nobody(server, endpoint):
    """Others log in meanwhile, and who hangs up is forgotten."""
    user, go = server.user(), threading.Event()
    endpoint.answers['slow'] = lambda: go.wait(PATIENCE) and {'active': True, **claims(user)}
    endpoint.asked.clear()
    with server.wire(tls=True) as slow, server.wire(tls=True) as gone:
        for wire in (slow, gone):
            wire.command(f'AUTH XOAUTH2 {message("XOAUTH2", user, "slow")}')
        wait_until(lambda: len(endpoint.asked) == 2, 'both are asked about')
        gone.reset()
        other = server.user()
        with server.wire(other, tls=True) as wire:
            wire.quit()
        go.set()
        assert slow.line().startswith(b'+OK')


def test_the_server_is_away(server, make_daemon, tmp_path):
    """[SYS/TEMP], and what was remembered or is signed works."""
    e = Introspection()
    daemon = make_daemon(max_bad_commands=1000)
    assert daemon.stop() == 0
    (daemon.dir / 'secret').write_text('introspect-8')
    daemon.configure(oauth_introspection_url=e.url, oauth_client_id='restante',
                     oauth_client_secret_file=daemon.dir / 'secret')
    daemon.start()
    user = daemon.user()
    e.answers['known'] = {'active': True, 'email': user}
    with daemon.wire(tls=True) as wire:
        assert login(wire, user, 'known').startswith('+OK')
        wire.quit()
    e.close()
    with daemon.wire(tls=True) as wire:
        assert login(wire, user, 'unknown').startswith('-ERR [SYS/TEMP] ')
        daemon.wait_for('event=introspection-failed ')
        # Not a JWT, for no keys are known: so it is asked about too.
        assert login(wire, user, EC.token(claims(user))).startswith('-ERR [SYS/TEMP] ')
        assert login(wire, user, 'known').startswith('+OK')


def test_https(make_daemon, certificate):
    """With a name to look up, and a certificate that somebody vouches for, or nobody does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    e = Introspection(context=context)
    try:
        for ca, works in ((certificate.with_suffix('.crt'), True), (None, False)):
            daemon = make_daemon()
            assert daemon.stop() == 0
            shutil.copy(certificate.with_suffix('.crt'), daemon.dir / 'ca.pem')
            (daemon.dir / 'secret').write_text('introspect-8')
            daemon.configure(oauth_introspection_url=e.url, oauth_client_id='restante',
                             oauth_client_secret_file=daemon.dir / 'secret',
                             oauth_ca_file=daemon.dir / 'ca.pem' if ca else None)
            daemon.start()
            user = daemon.user()
            e.answers['token'] = {'active': True, 'email': user}
            e.asked.clear()
            with daemon.wire(tls=True) as wire:
                assert login(wire, user, 'token').startswith('+OK' if works else '-ERR [SYS/TEMP] ')
            assert e.asked == (['token'] if works else [])
    finally:
        e.close()


# ---- where ----

def test_capa(server, make_daemon):
    with server.wire(tls=True) as wire:
        sasl = [line for line in wire.multi('CAPA') if line.startswith('SASL')][0].split()
    assert 'OAUTHBEARER' in sasl and 'XOAUTH2' in sasl
    daemon = make_daemon()
    with daemon.wire(tls=True) as wire:
        assert 'OAUTH' not in ' '.join(wire.multi('CAPA'))
        wire.command(f'AUTH XOAUTH2 {message("XOAUTH2", "user0", "x")}')
        assert 'not offered' in wire.err()


def test_not_in_clear(server):
    """plaintext_login is for tokens too."""
    server.reload(plaintext_login='never')
    try:
        with server.wire() as wire:
            assert 'OAUTH' not in ' '.join(wire.multi('CAPA'))
            wire.command(f'AUTH OAUTHBEARER {message("OAUTHBEARER", "user0", "x")}')
            assert 'not without TLS' in wire.err()
    finally:
        server.reload(plaintext_login='loopback')


@pytest.mark.skipif(shutil.which('curl') is None, reason='no curl')
@pytest.mark.parametrize('ir', [[], ['--sasl-ir']])
@pytest.mark.parametrize('mechanism', ['OAUTHBEARER', 'XOAUTH2'])
def test_curl(server, mechanism, ir):
    user = server.user()
    server.deliver(user)

    for token, status in ((EC.token(claims(user)), 0), (EC.token(claims(user, exp=1)), 67)):
        result = subprocess.run(
            ['curl', '-sS', '--max-time', str(PATIENCE), '--cacert', server.pem.with_suffix('.crt'),
             '-u', f'{user}:', '--oauth2-bearer', token, '--login-options', f'AUTH={mechanism}', *ir,
             f'pop3s://localhost:{server.pop3s}/1'], capture_output=True, timeout=PATIENCE,
            check=False)
        assert result.returncode == status, result
        assert (b'Subject: hello' in result.stdout) == (status == 0)


@pytest.mark.parametrize('options, words', [
    ({'oauth_jwks_file': '/x'}, 'needs oauth_issuer and oauth_audience'),
    ({'oauth_jwks_file': 'x', 'oauth_issuer': 'i', 'oauth_audience': 'a'}, 'absolute path'),
    ({'oauth_introspection_url': 'http://id.example.org/'}, 'begins with https://'),
    ({'oauth_introspection_url': 'https://'}, 'begins with https://'),
    ({'oauth_introspection_url': 'file:///etc/passwd'}, 'begins with https://'),
    ({'oauth_client_secret_file': '/x'}, 'needs oauth_client_id'),
    ({'oauth_user_claim': ''}, 'may not be empty')])
def test_wrong_configurations(tmp_path, options, words):
    conf = tmp_path / 'restanted.conf'
    conf.write_text('pop3_listen = {"127.0.0.1:1110"}\n' +
                    ''.join(f'{name} = "{value}"\n' for name, value in options.items()))
    result = subprocess.run([str(RESTANTED), '-t', '-c', str(conf)], capture_output=True, text=True,
                            timeout=PATIENCE, check=False)
    assert result.returncode != 0 and words in result.stderr, result
