# SPDX-License-Identifier: MIT
"""The load generator: every mode for a moment, the octets that a server sends are right, and it
notices when they aren't. How fast anything is, is no test's business.
"""
import json
import subprocess

import pytest

from harness import BUILD, PASSWORD, PATIENCE

LOAD = BUILD / 'bench/load/bench-load'
FILL = BUILD / 'bench/load/bench-fill'
NULL = BUILD / 'bench/load/bench-null'

pytestmark = pytest.mark.skipif(not LOAD.exists(), reason='built only with -Dbench=true')

KINDS = {'crlf': 0, 'lf': 50, 'dots': 100} # and the first user whose maildrop has them
ALL = ['--connections=4', '--users=8', '--sessions=24', '--messages=5', '--octets=8192']


def load(daemon, mode, *options, tls=None, lmtp=False):
    port = daemon.pop3s if tls else daemon.pop3
    target = f'unix:{daemon.lmtp}' if lmtp else f'127.0.0.1:{port}'
    command = [LOAD, mode, target, f'--password={PASSWORD}', *options]
    if tls:
        command.append(f'--tls={tls}')
    done = subprocess.run(command, input='', capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    result = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode == 0) == (result['failures'] == 0)
    return result


def good(result, done):
    assert (result['done'], result['failures']) == (done, 0), result
    return result


def fill(daemon, *options):
    subprocess.run([FILL, daemon.mail, '--messages=5', *options], check=True)
    if daemon.mail.stat().st_uid != 0:
        subprocess.run(['chown', '-R', f'--reference={daemon.mail}', daemon.mail], check=True)


@pytest.fixture(scope='module')
def filled(shared):
    for kind, user in KINDS.items():
        fill(shared, f'--kind={kind}', f'--user={user}', '--users=8')
    fill(shared, '--user=150', '--users=1', '--in-cur=1')
    return shared


@pytest.mark.parametrize('kind', KINDS)
def test_fetches_what_was_filled_in(filled, kind):
    which = [f'--kind={kind}', f'--user={KINDS[kind]}']
    result = good(load(filled, 'fetch', *ALL, *which), 24)
    assert result['octets'] > 24 * 5 * 8192
    good(load(filled, 'fetch', *ALL, *which, '--ahead=20'), 24)
    good(load(filled, 'fetch', *ALL, *which, tls='full'), 24)


def test_polls_and_lists(filled):
    good(load(filled, 'poll', *ALL), 24)
    good(load(filled, 'list', *ALL), 24)
    good(load(filled, 'poll', *ALL, tls='full'), 24)
    assert good(load(filled, 'poll', *ALL, tls='resumed'), 24)['resumed'] > 0


def test_holds_sessions(filled):
    result = good(load(filled, 'idle', '--connections=8', '--users=8', '--messages=5'), 8)
    assert result['latency_us']['max'] > 0


def test_deletes(filled):
    which = ['--connections=1', '--user=150', '--sessions=1', '--messages=5']
    good(load(filled, 'fetch', *which, '--delete'), 1)
    assert load(filled, 'poll', *which)['first_failure'] == 'STAT says 0 messages and 0 octets'


@pytest.mark.parametrize('wrong, failure', [
    (['--octets=8128'], 'STAT says 5 messages and 40960 octets'),
    (['--messages=6'], 'STAT says 5 messages and 40960 octets'),
    (['--first=2'], 'message 1 is wrong near octet '),
    (['--kind=dots'], 'message 1 is wrong near octet '),
    (['--password=other'], '-ERR '),
])
def test_notices_what_is_wrong(filled, wrong, failure):
    result = load(filled, 'fetch', *ALL, *wrong)
    assert result['done'] == 0
    assert result['first_failure'].startswith(failure)


def test_delivers_and_finds_each_delivery_once(make_daemon):
    daemon = make_daemon()
    good(load(daemon, 'lmtp', '--connections=4', '--users=6', '--sessions=60', '--octets=4096',
              '--per-connection=7', lmtp=True), 60)
    verify = ['--connections=2', '--users=6', '--octets=4096']
    good(load(daemon, 'verify', *verify, '--deliveries=60'), 6)
    missed = load(daemon, 'verify', *verify, '--deliveries=61')
    assert missed['first_failure'] == '60 of 61 deliveries are there'
    good(load(daemon, 'lmtp', '--connections=1', '--users=6', '--sessions=1', '--octets=4096',
              lmtp=True), 1)
    twice = load(daemon, 'verify', *verify, '--deliveries=60')
    assert twice['first_failure'] == 'delivery 1 is there twice, or nobody made it'


def test_null_server(filled):
    blob = min((filled.mail / 'user0/new').iterdir())
    with subprocess.Popen([NULL, '1', '0', blob, '0', filled.pem], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as null:
        filled_ports = filled.pop3, filled.pop3s
        ready, filled.pop3, filled.pop3s = null.stdout.readline().split()
        assert ready == 'ready'
        one = ['--connections=1', '--users=1', '--sessions=4']
        for tls in (None, 'full', 'resumed'):
            good(load(filled, 'poll', *one, '--messages=10', tls=tls), 4)
            good(load(filled, 'retr', *one, '--messages=1', tls=tls), 4)
        filled.pop3, filled.pop3s = filled_ports
        null.stdin.close()
