# SPDX-License-Identifier: MIT
"""Quotas: by configuration and by user, in octets and messages, as an MTA and an operator see them."""
import subprocess

from harness import PASSWORD, RESTANTECTL
from lmtp_client import Lmtp
from wire import PATIENCE

MESSAGE = b'Subject: hello\r\n\r\nworld\r\n'


def at(user):
    return f'{user}@example.org'


def ctl(server, *args, status=0):
    done = subprocess.run([str(RESTANTECTL), '-c', str(server.conf), *args], capture_output=True,
                          text=True, timeout=PATIENCE, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def say_both(replies):
    return [(r.code, r.enhanced) for r in replies]


def test_by_user(shared):
    full, free = shared.user(), shared.user()
    assert ctl(shared, 'user', 'set', full, 'quota_messages=2') == f"changed '{full}'\n"
    with Lmtp(shared.lmtp) as client:
        client.hello()
        for _ in range(2):
            assert say_both(client.deliver(MESSAGE, at(full))) == [(250, '2.0.0')]
        # At RCPT already, and the others of the message get theirs.
        assert client.say('MAIL FROM:<x@example.net>').code == 250
        reply = client.say(f'RCPT TO:<{at(full)}>')
        assert (reply.code, reply.enhanced) == (452, '4.2.2')
        assert client.say(f'RCPT TO:<{at(free)}>').code == 250
        assert client.say('DATA').code == 354
        client.send(MESSAGE + b'.\r\n')
        assert say_both([client.reply()]) == [(250, '2.0.0')]
        # There was room for one, and it comes twice.
        ctl(shared, 'user', 'set', full, 'quota_messages=3')
        assert say_both(client.deliver(MESSAGE, at(full), at(full))) == [(250, '2.0.0'),
                                                                         (452, '4.2.2')]
    shared.wait_for(f'event=over-quota .*user={full}')
    assert shared.count(full) == 3
    # Who has fetched and deleted has room again.
    pop = shared.login(full)
    pop.dele(1)
    pop.quit()
    with Lmtp(shared.lmtp) as client:
        client.hello()
        assert say_both(client.deliver(MESSAGE, at(full))) == [(250, '2.0.0')]
    assert shared.count(full) == 3
    ctl(shared, 'user', 'unset', full, 'quota_messages')
    with Lmtp(shared.lmtp) as client:
        client.hello()
        assert say_both(client.deliver(MESSAGE, at(full))) == [(250, '2.0.0')]


def test_by_configuration(make_daemon):
    daemon = make_daemon(quota_octets='1K', quota_grace='2K')
    user, other = daemon.user(), daemon.user()
    ctl(daemon, 'user', 'set', other, 'quota_octets=1M')
    with Lmtp(daemon.lmtp) as client:
        client.hello()
        # It says itself that it is too large, or is found to be so at its end.
        assert client.say('MAIL FROM:<x@example.net> SIZE=3073').code == 250
        reply = client.say(f'RCPT TO:<{at(user)}>')
        assert (reply.code, reply.enhanced) == (452, '4.2.2')
        assert client.say(f'RCPT TO:<{at(other)}>').code == 250
        assert client.say('RSET').code == 250
        large = b'x' * 3100 + b'\r\n'
        assert say_both(client.deliver(large, at(user), at(other))) == [(452, '4.2.2'),
                                                                        (250, '2.0.0')]
        # While there is room for an octet there is room for a message, within the grace.
        assert say_both(client.deliver(b'x' * 900 + b'\r\n', at(user))) == [(250, '2.0.0')]
        assert say_both(client.deliver(b'x' * 1800 + b'\r\n', at(user))) == [(250, '2.0.0')]
        assert client.say('MAIL FROM:<x@example.net>').code == 250
        assert client.say(f'RCPT TO:<{at(user)}>').code == 452
    assert daemon.count(user) == 2
    shown = ctl(daemon, 'user', 'show', user)
    assert 'quota_octets: 1024\n' in shown
    used = int(shown.split('used: 2 messages, ')[1].split()[0])
    pop = daemon.login(user)
    assert used == pop.stat()[1]
    pop.quit()
    assert 'quota_octets: 1048576 (own)\n' in ctl(daemon, 'user', 'show', other)


def test_what_cannot_be_set(shared):
    user = shared.user()
    before = shared.users.read_bytes()
    for word, complaint in (('quota_octets=much', 'quota_octets needs a size'),
                            ('quota_messages=1K', 'quota_messages needs a number'),
                            ('colour=red', "there is no rule 'colour'")):
        assert complaint in ctl(shared, 'user', 'set', user, 'quota_octets=1', word, status=65)
    assert 'no RULE=VALUE' in ctl(shared, 'user', 'set', user, 'quota_octets', status=64)
    assert 'usage' in ctl(shared, 'user', 'set', user, status=64)
    assert "there is no rule 'colour'" in ctl(shared, 'user', 'unset', user, 'colour', status=65)
    assert 'no user' in ctl(shared, 'user', 'set', 'nobody', 'quota_octets=1', status=67)
    assert shared.users.read_bytes() == before


def test_only_its_own_words_change(shared):
    name = shared.user()
    others = 'userdb_mail=/x/%n scram_sha_1=k nologin userdb_quota_rule=*:storage=1M'

    def line():
        return next(text for text in shared.users.read_text().split('\n')
                    if text.startswith(name + ':'))

    shared.replace_users(shared.users.read_text().replace(
        f'{name}:{{PLAIN}}{PASSWORD}\n', f'{name}:{{PLAIN}}{PASSWORD}:1:2:G:/h:/s:{others}\n'))
    ctl(shared, 'user', 'set', name, 'quota_messages=5', 'quota_octets=2M')
    assert line() == f'{name}:{{PLAIN}}{PASSWORD}:1:2:G:/h:/s:{others} quota_messages=5 quota_octets=2M'
    shown = ctl(shared, 'user', 'show', name)
    assert 'quota_octets: 2097152 (own)\n' in shown and 'quota_messages: 5 (own)\n' in shown
    ctl(shared, 'user', 'set', name, 'quota_messages=6')
    ctl(shared, 'user', 'unset', name, 'quota_octets')
    assert line() == f'{name}:{{PLAIN}}{PASSWORD}:1:2:G:/h:/s:{others} quota_messages=6'
    # Dovecot's word means the same.
    assert 'quota_octets: 1048576 (own)\n' in ctl(shared, 'user', 'show', name)
