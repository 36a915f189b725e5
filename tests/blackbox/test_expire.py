# SPDX-License-Identifier: MIT
"""EXPIRE (RFC 2449 section 6.7): announced, and done; and nothing goes that came later."""
import os
import time

from harness import PASSWORD

DAY = 86400


def age(daemon, user, days, folder='new'):
    """A message of another program's that came in so many days ago."""
    then = int(time.time() - days * DAY)
    path = daemon.store(user, b'Subject: %d days\n\n' % days, f'{then}.M{days}P1.host', folder)
    os.utime(path, (then, then))
    return path


def expires(wire):
    return [line for line in wire.multi('CAPA') if line.startswith('EXPIRE')]


def subjects(daemon, user):
    pop = daemon.login(user)
    found = [pop.retr(n + 1)[1][0] for n in range(pop.stat()[0])]
    pop.quit()
    return found


def test_announced_and_done(make_daemon):
    daemon = make_daemon(expire_days=30, expire_days_min=7)
    user, week, never = (daemon.user() for _ in range(3))
    daemon.ctl('user', 'set', week, 'expire_days=7')
    daemon.ctl('user', 'set', never, 'expire_days=0')
    for name, days, left in ((user, 'EXPIRE 30', 3), (week, 'EXPIRE 7', 1), (never, 'EXPIRE NEVER', 5)):
        for old in (400, 31, 29, 8, 6):
            age(daemon, name, old, 'cur' if old == 31 else 'new')
        with daemon.wire() as wire:
            # What no user has less of, while nobody knows who this is.
            assert expires(wire) == ['EXPIRE 7 USER']
            wire.login(name, PASSWORD)
            assert expires(wire) == [days]
            assert wire.ok('STAT').split()[0] == str(left)
            wire.ok('QUIT')
    assert subjects(daemon, user) == [b'Subject: 29 days', b'Subject: 8 days', b'Subject: 6 days']
    daemon.wait_for(f'event=expired user={user} messages=2')
    daemon.wait_for(f'event=expired user={week} messages=4')
    assert daemon.logged(f'event=expired user={never}') == []


def test_a_delivery_is_enough(make_daemon):
    """Who never logs in has old mail deleted too, and no session loses any."""
    daemon = make_daemon(expire_days=30)
    user, busy = daemon.user(), daemon.user()
    old = age(daemon, user, 40)
    daemon.deliver(user)
    daemon.wait_for(f'event=expired user={user} messages=1')
    assert not old.exists()
    assert daemon.count(user) == 1
    pop = daemon.login(busy)
    held = age(daemon, busy, 40)
    daemon.deliver(busy, 'Subject: a\r\n\r\n')
    daemon.deliver(user)
    assert held.exists()
    pop.quit()
    # Switched off, it is off at once.
    daemon.reload(expire_days=0)
    daemon.deliver(busy)
    assert daemon.count(busy) == 3


def test_never_is_the_default(shared):
    user = shared.user()
    age(shared, user, 4000)
    with shared.wire() as wire:
        assert expires(wire) == ['EXPIRE NEVER']
        wire.login(user, PASSWORD)
        assert expires(wire) == ['EXPIRE NEVER']
    # A user's own rule alone deletes nothing: nobody was told how early that could be.
    shared.replace_users(f'{user}:{{PLAIN}}{PASSWORD}::::::expire_days=1\n')
    assert shared.count(user) == 1
    assert 'expire_days: 0 (own)\n' in shared.ctl('user', 'show', user).stdout.decode()


def test_by_the_clock(make_daemon):
    """Nobody logs in and no mail comes in: what grows old goes all the same."""
    daemon = make_daemon(expire_days=30, expire_interval=1)
    user = daemon.user()
    daemon.deliver(user)
    assert daemon.count(user) == 1
    for i in range(2):
        since = daemon.mark()
        old, young = age(daemon, user, 31 + i), age(daemon, user, 29 - i)
        daemon.wait_for(f'event=expired user={user} messages=1', since)
        assert not old.exists() and young.exists()
    assert daemon.count(user) == 3
