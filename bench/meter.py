# SPDX-License-Identifier: MIT
"""What a server costs: CPU seconds and memory of all its processes, also of those that have ended.

A process is put into a cgroup of its own before it becomes the server; whatever that starts is in it
too and can't leave. The kernel adds up the cgroup's CPU time by the scheduler's clock, in
microseconds, and what a process has used stays counted when it has ended. Summing up /proc/*/stat
instead would lose processes that nobody waits for, count in ticks of 10 ms, and race with those that
end while one reads; it is only the way out where there is no cgroup to be had.
"""
import os
import re
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf('SC_CLK_TCK')


def how():
    """Where CPU seconds come from, for the report."""
    return 'cgroup' if cgroup_root() else '/proc, in ticks'


def cgroup_root():
    """Where cgroups of version 2 are made, or None."""
    for line in Path('/proc/mounts').read_text(encoding='ascii').splitlines():
        _, where, kind = line.split()[:3]
        if kind == 'cgroup2' and (Path(where) / 'cgroup.procs').exists() and os.access(where, os.W_OK):
            return Path(where)
    return None


class Meter:
    """The processes of one server."""

    def __init__(self, name):
        root = cgroup_root()
        self.cgroup = root and root / f'restante-bench-{os.getpid()}-{name}'
        self.pid = None

    def start(self, command, **popen):
        """Starts the server inside."""
        if self.cgroup:
            self.cgroup.mkdir()
            into = 'echo $$ > "$0" && exec "$@"'
            command = ['sh', '-c', into, str(self.cgroup / 'cgroup.procs'), *map(str, command)]
        process = subprocess.Popen([str(c) for c in command], **popen)
        self.pid = process.pid
        return process

    def pids(self):
        """Of all its processes, as far as they live."""
        if self.cgroup:
            return [int(p) for p in (self.cgroup / 'cgroup.procs').read_text('ascii').split()]
        parents = {}
        for stat in Path('/proc').glob('[0-9]*/stat'):
            try:
                fields = stat.read_text('utf-8', 'replace').rsplit(')', 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(stat.parent.name)] = int(fields[1])
        found = [self.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    def cpu(self):
        """CPU seconds of all its processes so far."""
        if self.cgroup:
            text = (self.cgroup / 'cpu.stat').read_text('ascii')
            return int(re.search(r'usage_usec (\d+)', text)[1]) / 1e6
        ticks = 0
        for pid in self.pids():
            try:
                fields = Path(f'/proc/{pid}/stat').read_text('utf-8', 'replace').rsplit(')', 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            ticks += sum(int(f) for f in fields[11:15]) # utime stime cutime cstime
        return ticks / TICKS

    def memory(self):
        """PSS of all its processes in bytes: what is shared among n counts an nth for each."""
        total = 0
        for pid in self.pids():
            try:
                text = Path(f'/proc/{pid}/smaps_rollup').read_text('ascii')
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            found = re.search(r'^Pss: +(\d+) kB', text, re.M)
            total += int(found[1]) * 1024 if found else 0
        return total

    def settle(self):
        """Waits until the server does nothing any more: what a session costs may come after it."""
        before = self.cpu()
        for _ in range(50):
            time.sleep(0.02)
            now = self.cpu()
            if now - before < 0.0005:
                return
            before = now

    def close(self):
        """When all its processes have ended."""
        if not self.cgroup or not self.cgroup.exists():
            return
        for _ in range(200):
            try:
                self.cgroup.rmdir()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f'processes are left in {self.cgroup}: {self.pids()}')
