# SPDX-License-Identifier: MIT
"""SMTP on loopback, for programs that speak nothing else, and some of these programs."""
import email.utils
import re
import shutil
import smtplib
import subprocess
import time

import pytest

from harness import RESTANTED, Port, running
from lmtp_client import Lmtp, stuff
from wire import PATIENCE

MESSAGE = b'Subject: hello\r\n\r\n.world\r\n'


@pytest.fixture(scope='module')
def server():
    port = Port()
    with running() as start:
        daemon = start(smtp_listen=[f'127.0.0.1:{port}'], message_size_limit=20_000)
        daemon.smtp_port = port.number
        yield daemon
    port.socket.close()


@pytest.fixture
def smtp(server):
    with Lmtp(('127.0.0.1', server.smtp_port)) as client:
        assert client.say('EHLO client.example').code == 250
        yield client


def at(user):
    return f'{user}@example.org'


def messages(server, user):
    with server.wire(user) as wire:
        texts = [wire.retr(n) for n in wire.sizes()]
        wire.quit()
    return texts


def split_trace(text):
    """(the lines in front, the message)"""
    found = re.match(rb'(Return-Path: .*\r\nDelivered-To: .*\r\n'
                     rb'Received: .*\r\n(?:\t.*\r\n)*)', text)
    assert found, text
    return found[1].decode(), text[found.end():]


# -- what is SMTP's own --

def test_ehlo_and_helo(server, smtp):
    words = {line[4:] for line in smtp.say('EHLO client.example').lines[1:]}
    assert words == {b'8BITMIME', b'CHUNKING', b'ENHANCEDSTATUSCODES', b'PIPELINING', b'SIZE 20000',
                     b'SMTPUTF8', b'STARTTLS'}
    helo = smtp.say('HELO client.example')
    assert helo.code == 250 and len(helo.lines) == 1


def test_lmtp_is_refused(server):
    with Lmtp(('127.0.0.1', server.smtp_port)) as client:
        assert b'ESMTP' in client.greeting.lines[0]
        assert client.say('LHLO client.example').code == 500
        assert b'EHLO' in client.say('MAIL FROM:<>').lines[0]


@pytest.mark.parametrize('hello,how', [('EHLO', 'ESMTP'), ('HELO', 'SMTP')])
def test_trace(server, hello, how):
    """RFC 5321 section 4.4: no MTA was here before, so the Received line is ours to write."""
    user = server.user()
    before = time.time()
    with Lmtp(('127.0.0.1', server.smtp_port)) as client:
        client.say(f'{hello} my(pc);x')
        [reply] = client.deliver(MESSAGE, at(user))
        assert reply.code == 250
    [text] = messages(server, user)
    trace, rest = split_trace(text)
    assert rest == MESSAGE
    found = re.fullmatch(r'Return-Path: <sender@example.net>\r\n'
                         rf'Delivered-To: {at(user)}\r\n'
                         r'Received: from my\?pc\?\?x \(\[127\.0\.0\.1\]\)\r\n'
                         rf'\tby \S+ with {how} id ([0-9a-f]+); (.*)\r\n', trace)
    assert found, trace
    assert server.logged(f'session={found[1]}')
    assert before - 2 < email.utils.parsedate_to_datetime(found[2]).timestamp() < time.time() + 2


def test_one_recipient_a_message(server, smtp):
    """With one reply for all, what one got and another didn't would be lost, or there twice."""
    one, two = server.user(), server.user()
    assert smtp.say('MAIL FROM:<sender@example.net>').code == 250
    assert smtp.say('RCPT TO:<nobody-here@example.org>').code == 550
    assert smtp.say(f'RCPT TO:<{at(one)}>').code == 250
    again = smtp.say(f'RCPT TO:<{at(two)}>')
    assert (again.code, again.enhanced) == (452, '4.5.3')
    assert smtp.say('DATA').code == 354
    smtp.send(stuff(MESSAGE))
    assert smtp.reply().code == 250
    assert smtp.say('NOOP').code == 250  # there was no second reply
    assert (server.count(one), server.count(two)) == (1, 0)


def test_no_relay(smtp):
    assert smtp.say('MAIL FROM:<sender@example.net>').code == 250
    for address in ('someone@elsewhere.example', 'user0@elsewhere.example',
                    '@a,@b:x@elsewhere.example', 'user0%elsewhere.example@example.org', '"user0@elsewhere.example"@example.org'):
        assert smtp.say(f'RCPT TO:<{address}>').code == 550
    assert smtp.say('DATA').code == 503


def test_too_large(server, smtp):
    user = server.user()
    assert smtp.say('MAIL FROM:<sender@example.net> SIZE=20001').code == 552
    [reply] = smtp.deliver(b'x' * 998 + b'\r\n' + b'x' * 19_100 + b'\r\n', at(user))
    assert reply.code == 552
    assert server.count(user) == 0


def test_a_unix_socket(make_daemon):
    daemon = make_daemon()
    daemon.configure(smtp_listen=[f'unix:{daemon.dir}/smtp'])
    daemon.reload()
    user = daemon.user()
    with Lmtp(daemon.dir / 'smtp') as client:
        assert not any(b'STARTTLS' in line for line in client.say('EHLO me').lines)
        [reply] = client.deliver(MESSAGE, at(user))
        assert reply.code == 250
    trace, rest = split_trace(messages(daemon, user)[0])
    assert 'Received: from me\r\n\tby ' in trace
    assert rest == MESSAGE


@pytest.mark.parametrize('address', ['*:2525', '192.0.2.1:2525', '[::]:2525', '0.0.0.0:2525'])
def test_only_loopback(tmp_path, address):
    conf = tmp_path / 'conf'
    conf.write_text(f'smtp_listen = {{"{address}"}}\n', encoding='ascii')
    result = subprocess.run([str(RESTANTED), '-t', '-c', str(conf)], capture_output=True, text=True,
                            timeout=PATIENCE, check=False)
    assert result.returncode != 0
    assert 'SMTP is for programs on this machine' in result.stderr


# -- other people's clients --

def test_smtplib(server):
    user = server.user()
    with smtplib.SMTP('127.0.0.1', server.smtp_port) as client:
        client.starttls(context=server.context())
        assert client.sendmail('sender@example.net', [at(user)], MESSAGE) == {}
    trace, rest = split_trace(messages(server, user)[0])
    assert ' with ESMTPS id ' in trace
    assert rest == MESSAGE


def curl(server, *args, text=MESSAGE):
    return subprocess.run(['curl', '-sS', '--max-time', str(PATIENCE), *args, '--upload-file', '-',
                           '--mail-from', 'sender@example.net',
                           f'smtp://127.0.0.1:{server.smtp_port}/curl.example'],
                          input=text, capture_output=True, check=False)


@pytest.mark.skipif(shutil.which('curl') is None, reason='needs curl')
@pytest.mark.parametrize('tls', [False, True])
def test_curl(server, tls):
    user = server.user()
    args = ['--ssl-reqd', '--cacert', str(server.pem.with_suffix('.crt'))] if tls else []
    result = curl(server, *args, '--mail-rcpt', at(user))
    assert result.returncode == 0, result
    trace, rest = split_trace(messages(server, user)[0])
    assert f'from curl.example ([127.0.0.1])\r\n\tby ' in trace
    assert (' with ESMTPS id ' in trace) == tls
    assert rest == MESSAGE
    assert curl(server, *args, '--mail-rcpt', at('nobody-here')).returncode == 55


@pytest.mark.skipif(shutil.which('msmtp') is None, reason='needs msmtp')
def test_msmtp(server):
    user = server.user()
    base = ['msmtp', '--file=/dev/null', '--host=127.0.0.1', f'--port={server.smtp_port}',
            '--auth=off', '--from=sender@example.net']
    tls = ['--tls=on', f'--tls-trust-file={server.pem.with_suffix(".crt")}', '--host=localhost']
    for more in ([], tls):
        subprocess.run(base + more + [at(user)], input=MESSAGE, check=True, timeout=PATIENCE)
    texts = [split_trace(text) for text in messages(server, user)]
    assert all(rest.endswith(MESSAGE) for _, rest in texts)  # it puts fields before it
    assert sorted(' with ESMTPS ' in trace for trace, _ in texts) == [False, True]
    # It says that it has failed, and has: nobody got anything.
    failed = subprocess.run(base + [at(user), at(server.user())], input=MESSAGE, timeout=PATIENCE,
                            capture_output=True, check=False)
    assert failed.returncode == 75 or b'452' in failed.stderr, failed
    assert server.count(user) == 2


@pytest.mark.skipif(shutil.which('swaks') is None, reason='needs swaks')
@pytest.mark.parametrize('how', ['smtp', 'smtp tls', 'lmtp', 'lmtp tls'])
def test_swaks(server, how):
    user = server.user()
    port = server.smtp_port if how.startswith('smtp') else server.lmtp_port.number
    args = ['--protocol', 'ESMTP' if how.startswith('smtp') else 'LMTP']
    if how.endswith('tls'):
        args += ['-tls', '--tls-verify', '--tls-ca-path', str(server.pem.with_suffix('.crt'))]
    subprocess.run(['swaks', '--server', '127.0.0.1', '--port', str(port), '--from',
                    'sender@example.net', '--to', at(user), '--ehlo', 'swaks.example', '--data',
                    'Subject: swaks\\n\\n.dot\\n', '--silent', '2', *args],
                   check=True, timeout=PATIENCE)
    [text] = messages(server, user)
    assert b'\r\nSubject: swaks\r\n\r\n.dot\r\n' in text
    assert (b' with ESMTPS id ' in text) == (how == 'smtp tls')
