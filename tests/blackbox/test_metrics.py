# SPDX-License-Identifier: MIT
"""What a monitoring system reads: numbers that are true, in a format that it understands."""
import http.client
import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess

import pytest

from harness import PASSWORD, Port, running, wait_until
from wire import PATIENCE

OPENMETRICS = 'application/openmetrics-text; version=1.0.0'


@pytest.fixture(scope='module')
def measured():
    """One server for all tests here. Its port for metrics is measured.metrics."""
    with running() as start:
        port = Port()
        daemon = start()
        daemon.metrics = port
        daemon.reload(metrics_listen=[str(port)])
        yield daemon
        port.socket.close()


def ask(daemon, path='/metrics', method='GET', **headers):
    connection = http.client.HTTPConnection('127.0.0.1', daemon.metrics.number, timeout=PATIENCE)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response, text


def numbers(daemon):
    """{name with labels: value}"""
    text = ask(daemon)[1]
    return {name: float(value) for name, value in re.findall(r'^([^#].*) (\S+)$', text, re.M)}


def test_promtool(measured):
    if shutil.which('promtool') is None:
        pytest.skip('no promtool')
    response, text = ask(measured)
    assert response.status == 200
    assert response.headers['Content-Type'] == 'text/plain; version=0.0.4; charset=utf-8'
    done = subprocess.run(['promtool', 'check', 'metrics'], input=text, text=True,
                          capture_output=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, '')


def test_openmetrics(measured):
    parser = pytest.importorskip('prometheus_client.openmetrics.parser')
    response, text = ask(measured, Accept=f'{OPENMETRICS},text/plain;q=0.5')
    assert response.headers['Content-Type'] == f'{OPENMETRICS}; charset=utf-8'
    families = {f.name: f for f in parser.text_string_to_metric_families(text)}
    assert families['restante_logins'].type == 'counter'
    assert families['restante_command_seconds'].type == 'histogram'
    assert text.endswith('# EOF\n')


def test_curl(measured):
    done = subprocess.run(['curl', '-sSf', f'http://127.0.0.1:{measured.metrics}/metrics'],
                          capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert 'restante_build_info{version="' in done.stdout


@pytest.mark.parametrize('method, path, status', [
    ('GET', '/', 404), ('GET', '/metrics/', 404), ('GET', '/../etc/passwd', 404),
    ('POST', '/metrics', 405), ('DELETE', '/metrics', 405), ('HEAD', '/metrics', 200)])
def test_nothing_else_is_there(measured, method, path, status):
    assert ask(measured, path, method)[0].status == status


def test_a_day_is_counted(measured):
    """Each number goes up by what was done, and by nothing else."""
    before = numbers(measured)
    user = measured.user()
    measured.deliver(user, b'Subject: one\r\n\r\n' + b'x' * 1000 + b'\r\n')
    with smtplib.LMTP(str(measured.lmtp), local_hostname='client.example') as lmtp:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            lmtp.sendmail('sender@example.org', ['nobody@example.org'], b'a: b\r\n')
    with measured.wire(user, tls=True) as wire:
        wire.retr(1)
        wire.ok('DELE 1')
        now = numbers(measured)
        assert now['restante_sessions{protocol="pop3s"}'] == 1
        assert now['restante_maildrops_open'] == 1
        wire.quit()
    with measured.wire() as wire:
        wire.ok(f'USER {user}')
        wire.err('PASS not-the-passw0rd', code='AUTH')
    measured.secrets.add('not-the-passw0rd')
    wait_until(lambda: numbers(measured)['restante_sessions{protocol="pop3"}'] == 0, 'no session')
    wait_until(lambda: numbers(measured)['restante_sessions{protocol="lmtp"}'] == 0, 'no LMTP')
    after = numbers(measured)

    def grew(name):
        return after[name] - before[name]

    assert grew('restante_connections_total{protocol="pop3s"}') == 1
    assert grew('restante_connections_total{protocol="pop3"}') == 1
    assert grew('restante_connections_total{protocol="lmtp"}') == 2
    assert grew('restante_logins_total{mechanism="USER",result="ok"}') == 1
    assert grew('restante_logins_total{mechanism="USER",result="refused"}') == 1
    assert grew('restante_logins_total{mechanism="PLAIN",result="ok"}') == 0
    assert grew('restante_deliveries_total{result="ok"}') == 1
    assert grew('restante_deliveries_total{result="refused"}') == 1
    assert grew('restante_messages_retrieved_total') == 1
    assert grew('restante_messages_deleted_total') == 1
    assert grew('restante_tls_handshakes_total{version="1.3",resumed="no"}') == 1
    assert 1000 < grew('restante_sent_octets_total') < 3000
    assert 1000 < grew('restante_received_octets_total') < 3000
    for command, n in (('USER', 2), ('PASS', 2), ('RETR', 1), ('DELE', 1), ('QUIT', 1), ('TOP', 0)):
        labels = f'{{protocol="pop3",command="{command}"'
        assert grew(f'restante_command_seconds_count{labels}}}') == n
        assert grew(f'restante_command_seconds_bucket{labels},le="+Inf"}}') == n
        assert (grew(f'restante_command_seconds_sum{labels}}}') > 0) == (n > 0)
    assert grew('restante_command_seconds_count{protocol="lmtp",command="message"}') == 1
    assert after['restante_maildrops_open'] == 0
    assert after['restante_waiting{process="auth"}'] == 0


def test_counters_outlive_processes(measured):
    """And gauges don't: who was with a listener that died is no longer there."""
    with measured.wire(measured.user()) as wire:
        before = numbers(measured)
        assert before['restante_maildrops_open'] == 1
        for i in measured.listeners():
            line = measured.logged(f'event=child-started role=listener id={i} ')[0]
            os.kill(int(re.search(r'pid=(\d+)', line)[1]), signal.SIGKILL)
        wire.rest()
    died = 'restante_process_deaths_total{role="listener"}'
    wait_until(lambda: numbers(measured)[died] == before[died] + 2, 'two deaths')
    after = numbers(measured)
    assert after['restante_maildrops_open'] == 0
    assert after['restante_sessions{protocol="pop3"}'] == 0
    for name, value in before.items():
        if '_total' in name or '_bucket' in name or '_count' in name:
            assert after[name] >= value, name


def test_reloads(measured):
    before = numbers(measured)
    measured.reload(idle_timeout='11m')
    since = measured.mark()
    measured.configure(idle_timeout='soon')
    measured.signal(signal.SIGHUP)
    measured.wait_for('event=reload-failed', since)
    measured.reload(idle_timeout='10m')
    after = numbers(measured)
    ok, refused = (f'restante_reloads_total{{result="{r}"}}' for r in ('ok', 'refused'))
    assert (after[ok] - before[ok], after[refused] - before[refused]) == (2, 1)
    assert after['restante_processes{role="monitor"}'] >= 1
    assert after['restante_tls_certificate_expiry_timestamp_seconds'] > 1_700_000_000


def test_hostile_clients(measured):
    """They take nothing from anybody: who asks next is answered."""
    for octets in (b'\0' * 10000, b'GET /metrics HTTP/1.1\r\n' + b'a: b\r\n' * 5000, b'GET ' + b'/' * 20000,
                   b'\x16\x03\x01\x02\x00', b'GET /metrics HTTP/9.9\r\n\r\n',
                   b'POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\nx'):
        with socket.create_connection(('127.0.0.1', measured.metrics.number), PATIENCE) as s:
            s.sendall(octets)
    silent = [socket.create_connection(('127.0.0.1', measured.metrics.number), PATIENCE)
              for _ in range(10)]
    assert numbers(measured)['restante_processes{role="monitor"}'] >= 1
    for s in silent:
        s.close()
    assert measured.logged('child-died role=monitor') == []


def test_it_comes_and_goes_with_the_configuration(make_daemon):
    daemon = make_daemon()
    daemon.metrics = Port()
    assert daemon.logged('role=monitor') == []
    daemon.reload(metrics_listen=[f'127.0.0.1:{daemon.metrics}'])
    assert ask(daemon)[0].status == 200
    assert daemon.count('user0') == 0 and PASSWORD
    daemon.reload(metrics_listen=None)
    with pytest.raises(ConnectionRefusedError):
        ask(daemon)
    daemon.metrics.socket.close()
