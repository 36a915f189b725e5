# SPDX-License-Identifier: MIT
"""What "make run" shows: that it ends well, says so when it doesn't, and leaves nothing behind."""
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from harness import BUILD, ROOT
from wire import PATIENCE

DEMO = [str(ROOT / 'tools/demo'), '--mails', '12', '--build', str(BUILD)]


@pytest.fixture
def temporary():
    """Where it makes its folder; nothing is there afterwards."""
    # Not tmp_path: root's server is nobody, who can't go there.
    with tempfile.TemporaryDirectory(prefix='restante-') as path:
        os.chmod(path, 0o755)
        yield Path(path)
        assert os.listdir(path) == []


class Demo:
    """It, with what it has printed so far."""

    def __init__(self, *options, tmp):
        env = {**os.environ, 'TMPDIR': str(tmp)}
        self.process = subprocess.Popen([*DEMO, *options], env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.printed = ''

    def until(self, pattern):
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.printed)):
            ready, _, _ = select.select([self.process.stdout], [], [],
                                        deadline - time.monotonic())
            more = os.read(self.process.stdout.fileno(), 65536) if ready else b''
            assert more, self.printed
            self.printed += more.decode()
        return found

    def end(self):
        self.printed += self.process.communicate(timeout=PATIENCE)[0].decode()
        return self.process.returncode


def is_running(pid):
    return os.path.exists(f'/proc/{pid}')


def test_from_beginning_to_end(temporary):
    demo = Demo(tmp=temporary)
    assert demo.end() == 0, demo.printed
    assert '12 mails in, 12 mails out, nothing lost' in demo.printed
    counts = re.findall(r'ok  (\w+): (\d+) of (\d+) the same', demo.printed)
    assert counts == [('alice', '7', '7'), ('bob', '6', '6')]
    assert not is_running(demo.until(r'restanted +process (\d+)')[1])


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stays_until_it_is_told(temporary, number):
    demo = Demo('--stay', tmp=temporary)
    demo.until('Ctrl-C ends it')
    # Whoever reads it can connect as it says.
    server = demo.until(r'(?s)Now look at it.*127\.0\.0\.1, port (\d+).*'
                        r'alice, password (\w+).*it is (\S+)\n')
    if shutil.which('curl'):
        seen = subprocess.run(['curl', '-sS', '--cacert', server[3], '-u', f'alice:{server[2]}',
                               f'pop3s://127.0.0.1:{server[1]}/'], capture_output=True, text=True,
                              timeout=PATIENCE, check=True).stdout
        assert len(seen.splitlines()) == 7
    demo.process.send_signal(number)
    assert demo.end() == 0, demo.printed
    assert not is_running(demo.until(r'restanted +process (\d+)')[1])


def test_interrupted(temporary):
    demo = Demo(tmp=temporary)
    pid = demo.until(r'restanted +process (\d+)')[1]
    demo.process.send_signal(signal.SIGINT)
    assert demo.end() == 130, demo.printed
    assert 'Traceback' not in demo.printed
    assert not is_running(pid)


def test_server_dies(temporary):
    demo = Demo('--stay', tmp=temporary)
    demo.until('Ctrl-C ends it')
    os.kill(int(demo.until(r'restanted +process (\d+)')[1]), signal.SIGTERM)
    assert demo.end() == 1
    assert 'restanted ended by itself, with status 0' in demo.printed


def test_nothing_is_built(temporary):
    done = subprocess.run([*DEMO[:-1], str(temporary)], env={**os.environ, 'TMPDIR': str(temporary)},
                          capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith('\ndemo: ')
    assert 'Traceback' not in done.stderr
