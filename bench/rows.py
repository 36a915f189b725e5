# SPDX-License-Identifier: MIT
"""The rows of the table: what is measured, what it must reach, and whether it does.

Each function measures for one or more rows, and yields them as Row. CPU is that of a server's
whole process tree for one session, in ms, the median of the rounds.
"""
import dataclasses
import os
import shutil
import socket
import statistics
import subprocess
import time

from run import Failed, median, peak
from servers import (CORES, FILL, PASSWORD, Dovecot, DovecotTuned, Null, Restante, Users)

KIB = 1024
MIB = 1024 * 1024
SMALL = {'users': 64, 'messages': 10, 'octets': 8192}


@dataclasses.dataclass
class Row:
    what: str
    must: str
    got: str
    reached: bool
    numbers: dict


def ms(seconds):
    return f'{seconds * 1e3:.3g} ms'


def times(ratio):
    return f'{ratio:.2f} ×' if ratio < 10 else f'{ratio:.0f} ×'


def summary(results, key='cpu_each'):
    """The median of a value for each server, and where its rounds lay."""
    return {name: {'median': median(r, key), 'min': min(x[key] for x in r),
                   'max': max(x[key] for x in r), 'rounds': len(r),
                   'p50_us': median(r, 'latency_us.p50'), 'p99_us': median(r, 'latency_us.p99'),
                   'rate': median(r, 'rate')}
            for name, r in results.items()}


def each(numbers):
    return ', '.join(f'{name} {ms(n["median"])}' for name, n in numbers.items())


# ---- short sessions ----

POLL = {'connections': 8, 'users': 64, 'messages': 10}


def polls(run):
    with run.servers(Null, Restante, DovecotTuned, Dovecot, fill=[SMALL]) as servers:
        for server in servers: # what is remembered is remembered, what is preforked is there
            run.load(server, 'poll', sessions=256, **POLL)

        def poll(tls):
            return summary(run.rounds(servers, run.pick(9, 3), lambda server: run.load(
                server, 'poll', tls=tls, seconds=run.pick(2, 1), **POLL)))

        plain = poll(None)
        yield against_null_and_dovecot('poll, no TLS', plain, 2.5, 5)
        full = poll('full')
        yield against_null_and_dovecot('poll, full TLS 1.3 handshake', full, 1.3, 3)
        results = run.rounds(servers[:3], run.pick(9, 3), lambda server: run.load(
            server, 'poll', tls='resumed', seconds=run.pick(2, 1), **POLL))
        yield resumed_row(full, results)


def against_null_and_dovecot(what, numbers, most, least):
    to_null = numbers['restante']['median'] / numbers['null']['median']
    to_dovecot = numbers['dovecot-tuned']['median'] / numbers['restante']['median']
    return Row(what,
               f'≤ {most} × the null server\'s CPU a session; ≥ {least} × less than tuned Dovecot',
               f'{times(to_null)} the null server\'s; {times(to_dovecot)} less than tuned Dovecot '
               f'({each(numbers)})',
               to_null <= most and to_dovecot >= least, numbers)


def resumed_row(full, results):
    numbers = summary(results)
    saved = {name: full[name]['median'] - n['median'] for name, n in numbers.items()}
    share = sum(r['resumed'] for r in results['restante']) / sum(r['done'] for r in results['restante'])
    # The first session of each connection has no ticket yet.
    return Row('poll, resumed',
               'cheaper than full by the signature; tickets work across listeners',
               f'{ms(saved["restante"])} less than full (null server: {ms(saved["null"])}); '
               f'{share:.1%} of handshakes resumed, with {CORES} listeners ({each(numbers)})',
               share > 0.95 and saved['restante'] > 0.7 * saved['null'], numbers)


def fetches(run):
    fetch = {'connections': 8, 'users': 64, 'messages': 10}
    with run.servers(Restante, DovecotTuned, Dovecot, fill=[SMALL]) as servers:
        for server in servers:
            run.load(server, 'fetch', sessions=128, **fetch)
        kept = summary(run.rounds(servers, run.pick(7, 3), lambda server: run.load(
            server, 'fetch', seconds=run.pick(2, 1), **fetch)))
        first = {server.name: 1 for server in servers}

        def fetch_and_delete(server):
            result = run.load(server, 'fetch', sessions=64, delete=True, first=first[server.name],
                              **fetch)
            first[server.name] += 10
            server.fill(first=first[server.name], **SMALL)
            return result

        deleted = summary(run.rounds(servers, run.pick(7, 3), fetch_and_delete))
    ratios = [n['dovecot-tuned']['median'] / n['restante']['median'] for n in (kept, deleted)]
    yield Row('fetch of 10 × 8 KiB, keep and delete', '≥ 4 × less CPU than tuned Dovecot',
              f'keep: {times(ratios[0])} less ({each(kept)}); '
              f'delete: {times(ratios[1])} less ({each(deleted)})',
              min(ratios) >= 4, {'keep': kept, 'delete': deleted})


# ---- large maildrops ----

def large_polls(run):
    n = run.pick(1000000, 100000)
    fill = [{'users': 16, 'messages': 10, 'octets': 512, 'in_cur': 1},
            {'user': 16, 'users': 1, 'messages': n, 'octets': 512, 'in_cur': 1, 'linked': 1}]
    with run.servers(Restante, fill=fill) as [server]:
        small = {'connections': 1, 'users': 1, 'messages': 10, 'octets': 512}
        large = {'connections': 1, 'users': 1, 'user': 16, 'messages': n, 'octets': 512}
        for options in (small, large):
            run.load(server, 'poll', sessions=5, **options)
        results = {'10': [], f'{n}': []}
        for _ in range(run.pick(9, 3)):
            for name, options in (('10', small), (f'{n}', large)):
                results[name].append(run.load(server, 'poll', seconds=1, **options))
    numbers = summary(results)
    ratio = numbers[f'{n}']['median'] / numbers['10']['median']
    yield Row(f'poll of a maildrop with {n:,} messages, nothing new', 'within 1.5 × of one with 10',
              f'{times(ratio)} ({each(numbers)})', ratio <= 1.5, numbers)


def deliveries_into_large(run):
    """The first poll after one delivery, into maildrops that have all mail in cur/ or in new/."""
    n = run.pick(100000, 20000)
    numbers = {}
    fill = [{'user': user, 'users': 1, 'messages': n, 'octets': 512, 'in_cur': in_cur, 'linked': 1}
            for user, in_cur in ((16, 1), (17, 0))]
    with run.servers(Restante, fill=fill) as [server]:
        for user, where in ((16, 'cur'), (17, 'new')):
            one = {'connections': 1, 'users': 1, 'user': user}
            for _ in range(3):
                run.load(server, 'poll', sessions=1, any_content=True, **one)
            polled = []
            for i in range(run.pick(30, 10)):
                run.load(server, 'lmtp', lmtp=True, sessions=1, octets=512, **one)
                polled.append(run.load(server, 'poll', sessions=1, any_content=True,
                                       messages=n + i + 1, **one))
            numbers[where] = {'p50_ms': median(polled, 'latency_us.p50') / 1e3,
                              'max_ms': max(r['latency_us']['max'] for r in polled) / 1e3,
                              'cpu_ms': median(polled, 'cpu_each') * 1e3}
    yield Row(f'first poll after one delivery into it ({n:,} messages)', '≤ 5 ms, no rescan of cur/',
              '; '.join(f'all in {where}/: {x["p50_ms"]:.3g} ms (at most {x["max_ms"]:.3g}, '
                        f'CPU {x["cpu_ms"]:.3g})' for where, x in numbers.items()),
              all(x['p50_ms'] <= 5 for x in numbers.values()), numbers)


def cold_opens_and_lists(run):
    n = run.pick(100000, 20000)
    fill = [{'user': 20, 'users': 1, 'messages': n, 'octets': 512, 'in_cur': 1}]
    one = {'connections': 1, 'users': 1, 'user': 20, 'messages': n, 'octets': 512}
    with run.servers(Restante, DovecotTuned, Dovecot, fill=fill) as servers:
        for server in servers: # directories are in memory for all
            run.load(server, 'poll', sessions=1, **one)

        def cold(server):
            server.forget_index(20)
            return run.load(server, 'poll', sessions=1, **one)

        opened = run.rounds(servers, run.pick(7, 3), cold)
        wall = {name: median(r, 'latency_us.max') / 1e6 for name, r in opened.items()}
        faster = min(wall['dovecot-tuned'], wall['dovecot']) / wall['restante']
        numbers = summary(opened)
        yield Row(f'cold open of {n:,} messages, sizes in names', '≥ 2 × faster than Dovecot\'s',
                  f'{times(faster)} faster ('
                  + ', '.join(f'{name} {ms(t)}, CPU {ms(numbers[name]["median"])}'
                              for name, t in wall.items()) + ')',
                  faster >= 2, {'wall': wall, 'cpu': numbers})

        for server in servers:
            run.load(server, 'poll', sessions=1, **one)
        before = peak(servers[0])
        listed = summary(run.rounds(servers, run.pick(7, 3), lambda server: run.load(
            server, 'list', sessions=run.pick(5, 3), **one)))
        grown = peak(servers[0]) - before
    best = min(listed['dovecot-tuned']['median'], listed['dovecot']['median'])
    faster = best / listed['restante']['median']
    quicker = (min(listed['dovecot-tuned']['p50_us'], listed['dovecot']['p50_us'])
               / listed['restante']['p50_us'])
    yield Row(f'UIDL + LIST of {n:,}', '≥ 5 × faster than Dovecot, constant memory',
              f'{times(faster)} less CPU, {times(quicker)} faster ({each(listed)}); '
              f'peak memory grew by {grown / KIB:.0f} KiB',
              faster >= 5 and quicker >= 5 and grown <= MIB, {'cpu': listed, 'grown': grown})


# ---- large messages ----

def large_messages(run):
    octets = 50 * MIB
    blob = run.top / 'blob'
    blob.mkdir(exist_ok=True)
    subprocess.run([FILL, blob, '--messages=1', f'--octets={octets}'], check=True)
    path = next((blob / 'user0/new').iterdir())
    fill = [{'user': user, 'users': 1, 'messages': 1, 'octets': octets, 'kind': kind}
            for user, kind in ((0, 'crlf'), (1, 'lf'))]
    one = {'connections': 1, 'users': 1, 'messages': 1, 'octets': octets, 'sessions': run.pick(10, 4)}
    with run.servers(Null, Restante, DovecotTuned, fill=fill, blob=path) as servers:
        restante = servers[1]
        for server in servers:
            run.load(server, 'retr', **one)
        run.load(restante, 'retr', user=1, kind='lf', **one)

        def measure(tls):
            n = run.pick(7, 3)
            results = run.rounds(servers, n, lambda server: run.load(server, 'retr', tls=tls, **one))
            results['restante, LF'] = [run.load(restante, 'retr', tls=tls, user=1, kind='lf', **one)
                                       for _ in range(n)]
            return summary(results)

        plain, tls = measure(None), measure('full')
    shutil.rmtree(blob)
    yield retr_row('RETR of 50 MiB, no TLS',
                   'wire-form file ≥ 0.9 × raw sendfile on loopback; LF file ≥ 0.5 ×', plain, 0.9, 0.5)
    yield retr_row('RETR of 50 MiB, TLS',
                   '≥ 0.85 × OpenSSL sending the same bytes from memory; kTLS + sendfile where the '
                   'kernel has it', tls, 0.85, None)


def retr_row(what, must, numbers, least, least_lf):
    """As fast: octets for each CPU second of the server, and octets a second."""
    null = numbers['null']

    def ratios(name):
        n = numbers[name]
        return null['median'] / n['median'], n['rate'] / null['rate']

    def said(name):
        cpu, rate = ratios(name)
        return f'{cpu:.2f} × for each CPU second, {rate:.2f} × for each second'

    reached = min(ratios('restante')) >= least
    if least_lf:
        reached = reached and min(ratios('restante, LF')) >= least_lf
    return Row(what, must,
               f'wire form: {said("restante")}; LF: {said("restante, LF")}; tuned Dovecot: '
               f'{said("dovecot-tuned")} ({each(numbers)} CPU)', reached, numbers)


# ---- memory ----

def memory(run):
    n = run.pick(9000, 2000)
    few = run.pick(500, 200)
    fill = [{'users': n, 'messages': 1, 'octets': 512}]
    numbers = {}
    for cls, held in ((Restante, n), (DovecotTuned, few)):
        for tls in (None, 'full'):
            with run.servers(cls, fill=fill) as [server]:
                # Processes are there, and what is had once is had.
                run.load(server, 'poll', tls=tls, connections=32, users=256, sessions=512,
                         user=16, octets=512)
                before = server.meter.memory()
                with run.holding(server, 'idle', held, tls=tls, users=held, messages=1, octets=512):
                    server.meter.settle()
                    after = server.meter.memory()
            numbers[f'{cls.name}, {"TLS" if tls else "plain"}'] = {
                'sessions': held, 'before': before, 'after': after, 'each': (after - before) / held}
    plain, tls = numbers['restante, plain'], numbers['restante, TLS']
    yield Row('memory for an idle session after login (PSS of the tree)',
              '≤ 8 KiB plain, ≤ 40 KiB TLS; 9,000 held at once',
              f'{plain["sessions"]:,} held: '
              + ', '.join(f'{name} {x["each"] / KIB:.1f} KiB' for name, x in numbers.items()),
              plain['each'] <= 8 * KIB and tls['each'] <= 40 * KIB
              and (run.quick or plain['sessions'] >= 9000), numbers)


# ---- deliveries, start, stuck clients ----

def deliveries(run):
    numbers = {}
    reached = True
    said = []
    with run.servers(Restante, DovecotTuned, Dovecot) as servers:
        for connections in (1, 16):
            options = {'connections': connections, 'users': 64, 'octets': 8192,
                       'per_connection': 100}
            for server in servers:
                run.load(server, 'lmtp', lmtp=True, sessions=64, **options)
            results = run.rounds(servers, run.pick(7, 3), lambda server: run.load(
                server, 'lmtp', lmtp=True, seconds=run.pick(3, 1), **options))
            numbers[connections] = summary(results)
            rates = {name: median(r, 'rate') for name, r in results.items()}
            ratio = rates['restante'] / max(rates['dovecot'], rates['dovecot-tuned'])
            reached = reached and ratio >= 2
            said.append(f'{connections} connection{"s" * (connections > 1)}: {times(ratio)} ('
                        + ', '.join(f'{name} {rate:.0f}/s, CPU {ms(numbers[connections][name]["median"])}'
                                    for name, rate in rates.items()) + ')')
    yield Row('LMTP, 8 KiB, durable',
              '≥ 2 × Dovecot at 1 and at 16 connections (syncs shared between deliveries)',
              '; '.join(said), reached, numbers)


def first_login(server, user):
    """Asks as soon as it can, and returns when it is logged in."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(('127.0.0.1', server.pop3.number)) as connection:
                stream = connection.makefile('rwb')
                for line in (None, f'USER user{user}', f'PASS {PASSWORD}'):
                    if line:
                        stream.write(f'{line}\r\n'.encode())
                        stream.flush()
                    if not stream.readline().startswith(b'+OK'):
                        raise Failed(f'{server.name}: no login')
                return
        except OSError:
            time.sleep(0.001)
    raise Failed(f'{server.name}: does not start')


def start(run):
    """From the program's start to the end of the first login."""
    n = 100000
    folder = run.top / 'many'
    folder.mkdir()
    folder.chmod(0o755)
    users = Users(folder, n)
    taken = {cls.name: [] for cls in (Restante, DovecotTuned)}
    for _ in range(run.pick(9, 3)):
        for cls in (Restante, DovecotTuned):
            with run.servers(cls, users=users, start=False) as [server]:
                begun = time.monotonic()
                server.launch()
                first_login(server, n - 1)
                taken[cls.name].append(time.monotonic() - begun)
    shutil.rmtree(folder)
    middle = {name: statistics.median(t) for name, t in taken.items()}
    yield Row('start to first login with 100,000 users', '≤ 100 ms',
              ', '.join(f'{name} {ms(t)}' for name, t in middle.items()),
              middle['restante'] <= 0.1, taken)


def same_message_for_all(server, user, users, octets):
    """One file for all: 50 MiB for each would be too much."""
    server.fill(user=user, users=1, messages=1, octets=octets)
    server.fill(user=user + 1, users=users - 1, messages=0)
    message = next((server.mail / f'user{user}/new').iterdir())
    for other in range(user + 1, user + users):
        os.link(message, server.mail / f'user{other}/new' / message.name)


def stuck_clients(run):
    """Clients that never read, and clients that read slowly, beside others that only poll."""
    n = run.pick(200, 50)
    octets = 50 * MIB
    numbers = {}
    with run.servers(Restante, fill=[SMALL]) as [server]:
        same_message_for_all(server, 64, n, octets)
        run.load(server, 'poll', sessions=256, **POLL)

        def poll(name):
            results = [run.load(server, 'poll', seconds=2, **POLL) for _ in range(run.pick(5, 3))]
            numbers[name] = {'p50_us': median(results, 'latency_us.p50'),
                             'p99_us': median(results, 'latency_us.p99')}

        poll('alone')
        stuck = {'users': n, 'user': 64, 'messages': 1, 'octets': octets, 'any_content': True}
        with run.holding(server, 'stuck', n, **stuck):
            poll(f'beside {n} that never read')
        with run.holding(server, 'stuck', n, read_octets=65536, **stuck):
            poll(f'beside {n} that read 64 KiB a second')
        poll('alone again')
    calm = max(numbers['alone']['p99_us'], numbers['alone again']['p99_us'])
    worst = max(x['p99_us'] for x in numbers.values())
    yield Row('p99 of polls beside slow readers and clients that never read', 'not moved',
              '; '.join(f'{name}: {x["p99_us"] / 1e3:.2f} ms (p50 {x["p50_us"] / 1e3:.2f})'
                        for name, x in numbers.items()),
              worst <= 1.5 * calm, numbers)


ALL = [polls, fetches, large_polls, deliveries_into_large, cold_opens_and_lists, large_messages,
       memory, deliveries, start, stuck_clients]
