# SPDX-License-Identifier: MIT
"""One run of the bench: its folder, its servers, and one measurement after the other.

Servers that are compared are all there at the same time, and take turns in short rounds: whatever
else the machine does meanwhile, it does to each of them. Which one begins changes from round to round.
"""
import contextlib
import json
import resource
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

import servers as s

USERS = 20000


class Failed(Exception):
    """A server gave a wrong answer, or none."""


class Run:
    def __init__(self, quick, folder, only, say):
        self.quick = quick
        self.only = only
        self.say = say
        self.top = Path(tempfile.mkdtemp(prefix='restante-bench-', dir=folder))
        self.top.chmod(0o755)
        self.n = 0
        s.make_certificate(self.top / 'tls.pem')
        self.users = s.Users(self.top, USERS)
        # Descriptors for thousands of sessions, here and in all servers.
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def close(self):
        shutil.rmtree(self.top, ignore_errors=True)

    def pick(self, full, quick):
        """How much: in a full run, and in a quick one."""
        return quick if self.quick else full

    @contextlib.contextmanager
    def servers(self, *classes, fill=(), users=None, start=True, **options):
        """Fresh ones with maildrops as fill says (bench-fill's options), started."""
        self.n += 1
        folder = self.top / str(self.n)
        folder.mkdir()
        folder.chmod(0o755)
        all_of_them = [c(folder, self.top / 'tls.pem', users or self.users, **options)
                       for c in classes]
        try:
            for server in all_of_them:
                if server.has_mail:
                    for one in fill:
                        server.fill(**one)
                if start:
                    server.start()
            yield all_of_them
        finally:
            for server in all_of_them:
                server.stop()
            shutil.rmtree(folder, ignore_errors=True)

    def load(self, server, mode, tls=None, lmtp=False, **options):
        """One run of bench-load; its result, and in it the CPU seconds of the server."""
        command = load_command(server, mode, tls, lmtp, options)
        before = server.meter.cpu()
        done = subprocess.run(command, input='', capture_output=True, text=True, check=False)
        server.meter.settle()
        cpu = server.meter.cpu() - before
        if done.returncode != 0:
            raise Failed(f'{server.name}: {" ".join(map(str, command[1:]))}\n'
                         f'{done.stdout}{done.stderr}')
        result = json.loads(done.stdout)
        result['cpu'] = cpu
        result['cpu_each'] = cpu / result['done']
        result['rate'] = result['done'] / result['seconds'] if result['seconds'] else 0
        return result

    def rounds(self, servers, n, measure):
        """measure(server) n times for each, in turns. Per server a list of results."""
        results = {server.name: [] for server in servers}
        for i in range(n):
            for at in range(len(servers)):
                server = servers[(at + i) % len(servers)]
                results[server.name].append(measure(server))
        return results

    @contextlib.contextmanager
    def holding(self, server, mode, n, tls=None, **options):
        """While bench-load holds n sessions."""
        command = load_command(server, mode, tls, False, {'connections': n, **options})
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as process:
            try:
                line = json.loads(process.stdout.readline() or '{}')
                if line.get('held') != n:
                    raise Failed(f'{server.name}: {n} sessions cannot be held: {line}')
                yield line
            finally:
                process.stdin.close()
                result = process.stdout.read()
        if process.returncode != 0:
            raise Failed(f'{server.name}: held sessions broke: {result}')


def load_command(server, mode, tls, lmtp, options):
    target = server.lmtp if lmtp else server.target(bool(tls))
    command = [str(s.LOAD), mode, target, f'--password={s.PASSWORD}']
    if tls:
        command.append(f'--tls={tls}')
    for name, value in options.items():
        name = name.replace('_', '-')
        if value is True:
            command.append(f'--{name}')
        elif value is not None:
            command.append(f'--{name}={value}')
    return command


def median(results, key):
    """Of one value of each result; 'latency_us.p50' is two steps."""
    return statistics.median(value(r, key) for r in results)


def value(result, key):
    for step in key.split('.'):
        result = result[step]
    return result


def peak(server):
    """The largest resident memory that each process of a server ever had, in all, in bytes."""
    total = 0
    for pid in server.meter.pids():
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f'/proc/{pid}/status').read_text('utf-8', 'replace').splitlines()
            total += int(next(x for x in lines if x.startswith('VmHWM')).split()[1]) * 1024
    return total
