# SPDX-License-Identifier: MIT
"""Postfix in front, configured as README.md says: read from there, word for word.

It is an instance of its own, with its queue in a temporary folder, on a loopback port; what it
can't deliver to restante it may deliver nowhere.
"""
import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

import corpus
from harness import ROOT, Port, running, wait_until
from wire import PATIENCE

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which('postfix') is None,
    reason='needs root and Postfix')

MASTER_CF = Path('/usr/share/postfix/master.cf.dist')

# What is only so for this test: nothing leaves the machine, its paths, and no mail is changed.
MAIN_CF = '''
compatibility_level = 3.6
myhostname = mx.example.net
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.2/32
default_transport = error:nothing leaves this test
queue_directory = {spool}
data_directory = {data}
maillog_file = /dev/stdout
biff = no
alias_maps =
local_recipient_maps =
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
smtpd_client_connection_count_limit = 0
default_process_limit = 10
local_header_rewrite_clients =
always_add_missing_headers = no
message_drop_headers =
lmtp_line_length_limit = 0
line_length_limit = 100000
transport_maps = inline:{{ {{tls.example = lmtp:inet:[127.0.0.1]:{lmtp}}}
                          {{smtp.example = smtp:[127.0.0.1]:{smtp}}} }}
lmtp_tls_policy_maps = inline:{{ {{[127.0.0.1]:{lmtp} = secure match=localhost}} }}
lmtp_tls_CAfile = {data}/ca.pem
'''


def recipe(first_line):
    """The block of README.md's Postfix section that begins with this line, without comments."""
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    section = text[text.index('\n**Postfix**'):text.index('\n**Exim**')]
    block = re.search(rf'```\n# {re.escape(first_line)}\n(.*?)```', section, re.S)[1]
    return [line for line in block.splitlines() if line and not line.startswith('#')]


class Postfix:
    def __init__(self, path):
        self.conf, self.spool, self.data = path / 'etc', path / 'spool', path / 'data'
        self.port, self.lmtp, self.smtp_out = Port(), Port(), Port()
        for folder in (self.conf, self.spool, self.data):
            folder.mkdir(parents=True)
        shutil.chown(self.data, 'postfix')
        (self.conf / 'main.cf').write_text(
            MAIN_CF.format(spool=self.spool, data=self.data, lmtp=self.lmtp, smtp=self.smtp_out) +
            '\n'.join(recipe('/etc/postfix/main.cf')) + '\n')
        # Debian's services as they are: LMTP's client runs in a chroot. What takes mail in runs
        # outside, for its chroot would want files that only the system's instance has.
        services = MASTER_CF.read_text(encoding='ascii')
        services, n = re.subn(r'(?m)^smtp +inet .*$',
                              f'127.0.0.1:{self.port} inet n - n - - smtpd', services)
        assert n == 1
        assert re.search(r'(?m)^lmtp +unix +- +- +y ', services)
        (self.conf / 'master.cf').write_text(services)
        self.process = None
        self.log = path / 'log'

    def command(self, *args, **how):
        return subprocess.run([args[0], '-c', str(self.conf), *args[1:]], capture_output=True,
                              text=True, timeout=PATIENCE, check=True, **how)

    def trust(self, certificate):
        """From outside of the chroot: Postfix reads it before it goes there."""
        shutil.copy(certificate, self.data / 'ca.pem')

    def start(self):
        with self.log.open('ab') as log:
            # In a session of its own, as start-fg wants it.
            self.process = subprocess.Popen(['postfix', '-c', str(self.conf), 'start-fg'],
                                            stdout=log, stderr=log, start_new_session=True)
        self.wait_for('starting the Postfix mail system')
        wait_until(self.listens, 'Postfix listens')

    def listens(self):
        with socket.socket() as s:
            return s.connect_ex(('127.0.0.1', self.port.number)) == 0

    def stop(self):
        # The master is a child of what was started, and would outlive it.
        self.command('postfix', 'stop')
        self.process.wait(PATIENCE)
        for port in (self.port, self.lmtp, self.smtp_out):
            port.socket.close()

    def logged(self, pattern):
        return re.findall(pattern, self.log.read_text(errors='replace'))

    def wait_for(self, pattern, times=1):
        def came():
            assert self.process.poll() is None, self.log.read_text(errors='replace')
            return len(self.logged(pattern)) >= times
        wait_until(came, pattern)

    def is_empty(self):
        # What sendmail has left stands here until it is in the queue.
        return (not any((self.spool / 'maildrop').iterdir()) and
                'Mail queue is empty' in self.command('postqueue', '-p').stdout)

    def wait_until_delivered(self, flush=False):
        def is_empty():
            # By itself it lets more and more time pass between its attempts.
            if flush:
                self.command('postqueue', '-f')
            return self.is_empty()
        wait_until(is_empty, "Postfix's queue is empty")

    def smtp(self):
        return smtplib.SMTP('127.0.0.1', self.port.number, timeout=PATIENCE)

    def sendmail(self, sender, recipients, text):
        subprocess.run(['/usr/sbin/sendmail', '-C', str(self.conf), '-i', '-f', sender, *recipients],
                       input=text, timeout=PATIENCE, check=True)


@pytest.fixture(scope='module')
def servers():
    """restanted, whose options are the recipe's, and Postfix before it."""
    path = Path(tempfile.mkdtemp(prefix='restante-postfix-'))
    path.chmod(0o755)
    try:
        postfix = Postfix(path)
        postfix.command('postfix', 'check')
        options = dict(line.split(' = ') for line in recipe('restanted.conf'))
        listen = options.pop('lmtp_listen').strip('{}"').replace('/var/spool/postfix',
                                                                 str(postfix.spool))
        with running() as start:
            daemon = start(lmtp_listen=[listen, f'127.0.0.1:{postfix.lmtp}'],
                           smtp_listen=[f'127.0.0.1:{postfix.smtp_out}'],
                           **{name: value.strip('"') for name, value in options.items()})
            postfix.trust(daemon.pem.with_suffix('.crt'))
            postfix.start()
            try:
                yield daemon, postfix
            finally:
                postfix.stop()
    finally:
        shutil.rmtree(path)


def at(user):
    return f'{user}@example.org'


def messages(daemon, user):
    with daemon.wire(user) as wire:
        texts = [wire.retr(n) for n in wire.sizes()]
        wire.quit()
    return texts


def without_trace(text):
    """The message as it was given to Postfix: without what Postfix and restante put in front."""
    found = re.match(rb'Return-Path: <[^\r]*>\r\n(?:Delivered-To: [^\r]*\r\n)?'
                     rb'Received: (?:[^\r]*\r\n)(?:[ \t][^\r]*\r\n)*', text)
    assert found, text[:300]
    return text[found.end():]


def test_corpus_through_postfix(servers):
    """A few hundred mails by SMTP, to two users each: octet for octet what Postfix was given."""
    daemon, postfix = servers
    one, two = daemon.user(), daemon.user()
    sent = [text for _, text in corpus.spread(300) if not corpus.has_odd_header(text)]
    assert len(sent) > 30
    with postfix.smtp() as smtp:
        for text in sent:
            assert smtp.sendmail('sender@example.net', [at(one), at(two)], text,
                                 ['BODY=8BITMIME']) == {}
    postfix.wait_until_delivered()
    for user in (one, two):
        got = [without_trace(text) for text in messages(daemon, user)]
        assert sorted(got) == sorted(sent)


def test_by_sendmail(servers):
    daemon, postfix = servers
    user = daemon.user()
    postfix.sendmail('sender@example.net', [f'{user}+detail@example.org'],
                     b'Subject: local\n\n.\n..dots\nend\n')
    postfix.wait_until_delivered()
    [text] = messages(daemon, user)
    assert text.startswith(b'Return-Path: <sender@example.net>\r\n'
                           b'Delivered-To: ' + user.encode() + b'+detail@example.org\r\n')
    assert b'\r\nSubject: local\r\n' in text
    assert text.endswith(b'\r\n\r\n.\r\n..dots\r\nend\r\n')


def test_unknown_recipient_is_refused_at_rcpt(servers):
    """Before Postfix has taken the message: it asks restante."""
    daemon, postfix = servers
    user = daemon.user()
    with postfix.smtp() as smtp:
        smtp.ehlo()
        assert smtp.mail('sender@example.net')[0] == 250
        code, text = smtp.rcpt('nobody-here@example.org')
        assert code == 550, text
        assert b'no such user here' in text
        assert smtp.rcpt(at(user))[0] == 250
        assert smtp.rcpt('someone@elsewhere.example')[0] in (454, 554)  # and it is no open relay
    assert daemon.count(user) == 0  # asking delivers nothing


def test_bounce(servers):
    """A mail that Postfix had accepted: who sent it learns that there is no such user."""
    daemon, postfix = servers
    sender, user = daemon.user(), daemon.user()
    postfix.sendmail(at(sender), ['nobody-here@example.org', at(user)], b'Subject: lost\n\nx\n')
    postfix.wait_for('status=bounced .*said: 550 5.1.1 no such user here')
    postfix.wait_until_delivered()
    assert daemon.count(user) == 1
    [bounce] = messages(daemon, sender)
    assert bounce.startswith(b'Return-Path: <>\r\n')
    assert b'550 5.1.1 no such user here' in bounce
    assert b'Subject: lost' in bounce


def test_deferred_while_the_disk_is_full(servers):
    daemon, postfix = servers
    user = daemon.user()
    path = daemon.maildir(user)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=256k,mode=0700,uid=nobody', 'tmpfs',
                    str(path)], check=True)
    try:
        with postfix.smtp() as smtp:
            smtp.sendmail('sender@example.net', [at(user)],
                          b'Subject: big\r\n\r\n' + b'x' * 70 * 10_000 + b'\r\n')
        # Twice: it tries again by itself.
        postfix.wait_for('status=deferred .*said: 452 4.3.1 ', 2)
        assert daemon.count(user) == 0
        subprocess.run(['mount', '-o', 'remount,size=8m', str(path)], check=True)
        postfix.wait_until_delivered()
        [text] = messages(daemon, user)
        assert text.endswith(b'x' * 1000 + b'\r\n')
    finally:
        subprocess.run(['umount', '-l', str(path)], check=True)


def test_deferred_while_a_maildrop_is_full(servers):
    """It stays in Postfix's queue, and comes when the user has deleted something."""
    daemon, postfix = servers
    user = daemon.user()
    daemon.ctl('user', 'set', user, 'quota_messages=1')
    for subject in (b'first', b'second'):
        postfix.sendmail('sender@example.net', [at(user)], b'Subject: %s\n\nx\n' % subject)
        postfix.wait_for(f'to=<{at(user)}>.*status=(?:sent|deferred)', 2 if subject == b'second' else 1)
    postfix.wait_for(f'to=<{at(user)}>.*status=deferred .*said: 452 4.2.2 ')
    assert not postfix.is_empty()
    with daemon.wire(user) as wire:
        assert b'\r\nSubject: first\r\n' in wire.retr(1)
        wire.ok('DELE 1')
        wire.quit()
    postfix.command('postqueue', '-f')
    postfix.wait_until_delivered()
    [text] = messages(daemon, user)
    assert b'\r\nSubject: second\r\n' in text


def test_deferred_while_restante_is_away(servers):
    """Killed, with mail coming in: Postfix keeps it, and later all of it is there, once."""
    daemon, postfix = servers
    user = daemon.user()
    daemon.kill()
    for i in range(20):
        postfix.sendmail('sender@example.net', [at(user)], b'Subject: %d\n\nx\n' % i)
    postfix.wait_for(f'to=<{at(user)}>.*status=deferred', 20)
    daemon.start()
    postfix.wait_until_delivered()
    subjects = [int(re.search(rb'\r\nSubject: (\d+)\r\n', text)[1])
                for text in messages(daemon, user)]
    assert sorted(subjects) == list(range(20))


def test_storage_is_killed(servers):
    """451 for what was on its way: Postfix tries again. Nothing is lost; nothing answered 250 twice."""
    daemon, postfix = servers
    user = daemon.user()
    n = 100
    with postfix.smtp() as smtp:
        for i in range(n):
            smtp.sendmail('sender@example.net', [at(user)], b'Subject: %d\r\n\r\nx\r\n' % i)
            if i % 25 == 10:
                since = daemon.mark()
                os.kill(daemon.child('storage'), signal.SIGKILL)
                daemon.wait_for('event=child-ready role=storage', since)
    postfix.wait_until_delivered()
    subjects = [int(re.search(rb'\r\nSubject: (\d+)\r\n', text)[1])
                for text in messages(daemon, user)]
    assert set(subjects) == set(range(n))
    # One that was in place when storage died, before it could say so, comes again.
    again = len(postfix.logged(rf'to=<{at(user)}>.*status=deferred'))
    assert len(subjects) <= n + again


def test_lmtp_in_tls(servers):
    """Postfix gives nothing away unless STARTTLS works and the certificate is right."""
    daemon, postfix = servers
    daemon.add_users('one@tls.example', 'two@tls.example')
    since = daemon.mark()
    postfix.sendmail('sender@example.net', ['one@tls.example', 'two@tls.example'],
                     b'Subject: in TLS\n\nx\n')
    postfix.wait_until_delivered()
    daemon.wait_for('event=tls .*TLSv1.3', since)
    for user in ('one@tls.example', 'two@tls.example'):
        assert daemon.count(user) == 1


def test_smtp_with_several_recipients(servers):
    """One is taken at a time, the others are told 452, and Postfix comes again for them."""
    daemon, postfix = servers
    users = [f'inbox{i}@smtp.example' for i in range(3)]
    daemon.add_users(*users)
    postfix.sendmail('sender@example.net', users, b'Subject: by SMTP\n\nx\n')
    postfix.wait_until_delivered(flush=True)
    assert postfix.logged('status=deferred .*452 4.5.3')
    assert [daemon.count(user) for user in users] == [1, 1, 1]
