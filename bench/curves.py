# SPDX-License-Identifier: MIT
"""How cost grows with what there is more of: for the plots."""
import time

from rows import KIB
from run import Failed
from servers import Dovecot, DovecotTuned, Null, Restante


def by_connections(run):
    """Sessions a second, and CPU for each, against connections at a time."""
    n = 8000
    rate, cpu = {}, {}
    with run.servers(Null, Restante, DovecotTuned, Dovecot,
                     fill=[{'users': n, 'messages': 1, 'octets': 512}]) as servers:
        run.load(servers[1], 'poll', connections=32, users=n, user=0, sessions=n, messages=1, octets=512)
        for connections in (1, 4, 16, 64, 256, 1000, 2000, 4000, 8000):
            for server in servers:
                if connections > {'dovecot': 64, 'dovecot-tuned': 1000}.get(server.name, n):
                    continue
                result = run.load(server, 'poll', connections=connections, users=n, seconds=3,
                                  any_content=True)
                rate.setdefault(server.name, []).append([connections, result['rate']])
                cpu.setdefault(server.name, []).append([connections, result['cpu_each'] * 1e3])
    x = 'connections at a time'
    return {'sessions-by-connections': {'title': 'Polls: login, STAT, QUIT', 'x': x,
                                        'y': 'sessions a second', 'log_x': True, 'log_y': True,
                                        'lines': rate},
            'cpu-by-connections': {'title': 'Polls: what one costs', 'x': x,
                                   'y': 'CPU of the server, ms a session', 'log_x': True,
                                   'log_y': True, 'lines': cpu}}


def by_maildrop(run):
    """CPU of a poll against the number of messages in the maildrop."""
    lines = {}
    sizes = [10, 100, 1000, 10000, 100000, 1000000]
    fill = [{'user': 16 + i, 'users': 1, 'messages': n, 'octets': 512, 'in_cur': 1, 'linked': 1}
            for i, n in enumerate(sizes)]
    for cls, most in ((Restante, 1000000), (DovecotTuned, 100000)):
        with run.servers(cls, fill=fill[:sizes.index(most) + 1]) as [server]:
            for i, n in enumerate(sizes):
                if n > most:
                    continue
                one = {'connections': 1, 'users': 1, 'user': 16 + i, 'messages': n,
                       'any_content': True}
                run.load(server, 'poll', sessions=5, **one)
                result = run.load(server, 'poll', seconds=2, **one)
                lines.setdefault(server.name, []).append([n, result['cpu_each'] * 1e3])
    return {'poll-by-maildrop': {'title': 'A poll that finds nothing new', 'x': 'messages in the maildrop',
                                 'y': 'CPU of the server, ms a session', 'log_x': True, 'log_y': True,
                                 'lines': lines}}


def by_sessions(run):
    """PSS against sessions that are held."""
    lines = {}
    for cls, counts in ((Restante, (0, 1000, 3000, 6000, 9000)), (DovecotTuned, (0, 100, 250, 500))):
        for tls in (None, 'full'):
            name = f'{cls.name}, TLS' if tls else cls.name
            for count in counts:
                with run.servers(cls, fill=[{'users': max(count, 256), 'messages': 1,
                                             'octets': 512}]) as [server]:
                    run.load(server, 'poll', tls=tls, connections=32, user=16, users=200,
                             sessions=400, octets=512)
                    if count == 0:
                        pss = server.meter.memory()
                    else:
                        with run.holding(server, 'idle', count, tls=tls, users=count, messages=1,
                                         octets=512):
                            server.meter.settle()
                            pss = server.meter.memory()
                lines.setdefault(name, []).append([count, pss / KIB / KIB])
    return {'memory-by-sessions': {'title': 'Memory for sessions that are logged in and idle',
                                   'x': 'sessions', 'y': 'PSS of all processes, MiB', 'lines': lines}}


def by_deliverers(run):
    """Deliveries a second against LMTP connections."""
    lines = {}
    with run.servers(Restante, DovecotTuned, Dovecot) as servers:
        for connections in (1, 2, 4, 8, 16, 32, 64):
            for server in servers:
                result = run.load(server, 'lmtp', lmtp=True, connections=connections, users=64,
                                  octets=8192, seconds=3)
                lines.setdefault(server.name, []).append([connections, result['rate']])
    return {'deliveries-by-connections': {'title': 'LMTP: messages of 8 KiB, each synced',
                                          'x': 'connections', 'y': 'deliveries a second',
                                          'log_x': True, 'lines': lines}}


ALL = [by_connections, by_maildrop, by_sessions, by_deliverers]


def measure(run, plots):
    for function in ALL:
        if run.only and function.__name__ not in run.only:
            continue
        begun = time.monotonic()
        try:
            plots.update(function(run))
        except Failed as error:
            run.say(f'FAILED: {function.__name__}: {error}')
        run.say(f'    ({function.__name__}: {time.monotonic() - begun:.0f} s)')

