# SPDX-License-Identifier: MIT
"""LOGIN-DELAY (RFC 2449 section 6.5): announced, and kept to."""
import time

from harness import PASSWORD


def delays(wire):
    return [line for line in wire.multi('CAPA') if line.startswith('LOGIN-DELAY')]


def set_delay(server, user, seconds):
    server.ctl('user', 'set', user, f'login_delay={seconds}')


def test_announced_and_kept_to(make_daemon):
    daemon = make_daemon(login_delay='10m', login_delay_max='20m')
    user, free, slow, early = (daemon.user() for _ in range(4))
    set_delay(daemon, free, 0)
    set_delay(daemon, slow, '15m')
    set_delay(daemon, early, 2)
    for name, delay in ((user, ['LOGIN-DELAY 600']), (slow, ['LOGIN-DELAY 900']), (free, [])):
        with daemon.wire() as wire:
            # What no user has more of, while nobody knows who this is.
            assert delays(wire) == ['LOGIN-DELAY 1200 USER']
            wire.login(name, PASSWORD)
            assert delays(wire) == delay
            wire.ok('QUIT')
        with daemon.wire() as wire:
            wire.ok(f'USER {name}')
            if not delay:
                wire.ok(f'PASS {PASSWORD}')
                continue
            wire.err(f'PASS {PASSWORD}', code='LOGIN-DELAY')
            # Guessing isn't told more than without a delay.
            wire.ok(f'USER {name}')
            wire.err('PASS wrong', code='AUTH')
            # The session goes on, also as somebody else.
            wire.login(free, PASSWORD)
    # A moment too early, one waits.
    daemon.login(early).quit()
    began = time.monotonic()
    daemon.login(early).quit()
    assert time.monotonic() - began > 1
    # What is remembered of logins outlives a reload.
    daemon.reload(login_delay='11m')
    with daemon.wire() as wire:
        wire.ok(f'USER {user}')
        wire.err(f'PASS {PASSWORD}', code='LOGIN-DELAY')


def test_nobody_may_have_more(make_daemon):
    daemon = make_daemon(login_delay='10m')
    user = daemon.user()
    shown = daemon.ctl('user', 'show', user).stdout.decode()
    assert 'login_delay: 600\n' in shown
    daemon.replace_users(f'{user}:{{PLAIN}}{PASSWORD}::::::login_delay=1h\n')
    assert 'login_delay: 600 (own)\n' in daemon.ctl('user', 'show', user).stdout.decode()
    with daemon.wire() as wire:
        assert delays(wire) == ['LOGIN-DELAY 600 USER']
        wire.login(user, PASSWORD)
        assert delays(wire) == ['LOGIN-DELAY 600']
