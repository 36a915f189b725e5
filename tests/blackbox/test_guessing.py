# SPDX-License-Identifier: MIT
"""Guessing passwords: it takes longer and longer, tells nothing, and hurts nobody else."""
import re
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import pytest

from harness import PASSWORD

ROOT = Path(__file__).resolve().parents[2]
FILTER = ROOT / 'packaging/fail2ban/filter.d/restante.conf'


def refused(daemon, user, password):
    """How long it took to say no."""
    with daemon.wire() as wire:
        wire.ok(f'USER {user}')
        began = time.monotonic()
        wire.err(f'PASS {password}', code='AUTH')
        return time.monotonic() - began


def test_guesses_wait_and_nobody_is_locked_out(make_daemon):
    daemon = make_daemon(auth_penalty_max='2s')
    user, other = daemon.user(), daemon.user()
    daemon.login(user).quit()
    # A mail program that nobody has told the new password.
    for _ in range(15):
        refused(daemon, user, 'forgotten')
    assert not daemon.logged('event=login-waits')
    for i in range(5):
        refused(daemon, other, f'guess-{i}')
    daemon.wait_for(f'event=login-waits .*user={other} ')
    assert refused(daemon, other, 'guess-again') >= 1.9
    # Everybody is at one address here: who was there before notices nothing, and who guesses
    # right after all is let in.
    began = len(daemon.logged('event=login-waits'))
    daemon.login(user).quit()
    assert len(daemon.logged('event=login-waits')) == began
    daemon.login(other).quit()
    # What was counted outlives a reload.
    for i in range(14):
        refused(daemon, user, f'guess-{i}')
    daemon.reload()
    since = daemon.mark()
    daemon.login(user).quit()
    daemon.wait_for(f'event=login-waits .*user={user} ', since)


def failregex():
    """fail2ban's, as Python reads it: <HOST> is its word for an address."""
    found = re.search(r'^failregex = (.*)$', FILTER.read_text(encoding='ascii'), re.M)[1]
    return re.compile(found.replace('<HOST>', r'(?P<host>[0-9a-fA-F.:]+)'))


def test_what_fail2ban_is_to_match(make_daemon):
    daemon = make_daemon()
    user = daemon.user()
    expression = failregex()

    def hosts(since):
        daemon.wait_for(r'process=auth .*\bevent=login-failed', since)
        return [m['host'] for m in map(expression.search, daemon.logged('login-failed', since)) if m]

    for name, password, counted in ((user, 'wrong', True), (user, 'wrong', False),
                                    ('nobody', 'wrong', True),
                                    # A name that looks like more of the line.
                                    ('x remote=192.0.2.1 method=pass reason=locked repeated=0', 'y',
                                     True)):
        since = daemon.mark()
        refused(daemon, name, password)
        assert hosts(since) == ['127.0.0.1'] * counted


@pytest.mark.skipif(shutil.which('fail2ban-regex') is None, reason='no fail2ban to ask')
def test_fail2ban_matches_it(make_daemon, tmp_path):
    daemon = make_daemon()
    log = tmp_path / 'log'
    for password in ('one', 'one', 'two'):
        since = daemon.mark()
        refused(daemon, 'nobody', password)
        daemon.wait_for('process=auth .*event=login-failed', since)
    log.write_text('\n'.join(daemon.logged('login-failed')) + '\n', encoding='utf-8')
    done = subprocess.run(['fail2ban-regex', '--print-all-matched', str(log), str(FILTER)],
                          capture_output=True, text=True, timeout=60, check=False)
    # Also its time is one that fail2ban knows.
    assert 'Lines: 3 lines, 0 ignored, 2 matched, 1 missed' in done.stdout, done.stdout
    assert 'repeated=1' in done.stdout.split('Missed line(s)')[1], done.stdout


def test_unknown_and_wrong_are_alike(make_daemon):
    daemon = make_daemon()
    user = daemon.user()
    done = daemon.ctl('user', 'passwd', '--scheme=ARGON2ID', user, stdin=b'something\n')
    assert done.returncode == 0
    line = next(text for text in daemon.users.read_text().split('\n') if text.startswith(user + ':'))
    daemon.replace_users(line + '\n')
    times = {user: [], 'nobody': []}
    for i in range(9):
        for name, taken in times.items():
            taken.append(refused(daemon, name, f'guess-{i}'))
    wrong, unknown = (statistics.median(taken) for taken in times.values())
    # A hash takes some 50 ms, and a name that isn't looked at none: far from this.
    assert 1 / 4 < wrong / unknown < 4
    assert PASSWORD not in line
