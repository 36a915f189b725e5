# SPDX-License-Identifier: MIT
"""restante, with a home of its own."""
import os
import pty
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness import BUILD, PASSWORD
from wire import PATIENCE

RESTANTE = BUILD / 'src/client/restante'

# sysexits.h, as restante(1) has them.
USAGE, DATAERR, NOUSER, NOHOST, UNAVAILABLE = 64, 65, 67, 68, 69
IOERR, TEMPFAIL, PROTOCOL, NOPERM, CONFIG = 74, 75, 76, 77, 78

CRASHED = re.compile(r'Sanitizer|runtime error:|Assertion')


class Result:
    """How a run ended."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err
        assert not CRASHED.search(err), err

    def __repr__(self):
        return f'Result({self.status}, {self.out!r}, {self.err!r})'


class Client:
    """Runs restante; what it fetches is in maildir and what it remembers in home."""

    def __init__(self):
        self.home = Path(tempfile.mkdtemp(prefix='restante-home-'))
        self.maildir = self.home / 'Mail'
        self.config = self.home / '.config/restante/restante.conf'
        self.state = self.home / '.local/state/restante/state.db'
        self.password = self.home / 'password'
        self.password.write_text(PASSWORD + '\n')
        self.password.chmod(0o600)
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith('XDG_')}
        self.environment['HOME'] = str(self.home)
        self.account = []

    def remove(self):
        shutil.rmtree(self.home)

    def at(self, port, *, user='alice', cafile=None, tls='implicit', host='localhost'):
        """The account that fetch() is about."""
        self.account = ['--host', host, '--port', str(port), '--user', user, '--maildir',
                        str(self.maildir), '--password-file', str(self.password), '--tls', tls]
        if cafile is not None:
            self.account += ['--cafile', str(cafile)]
        return self

    def without_password(self):
        at = self.account.index('--password-file')
        del self.account[at:at + 2]

    def configure(self, text):
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(text)
        self.config.chmod(0o600)

    # -- running it --

    def spawn(self, *args, **more):
        return subprocess.Popen([str(RESTANTE), *map(str, args)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=self.environment | more.pop('env', {}), cwd=self.home, **more)

    def run(self, *args, stdin=b'', **more):
        """restante ARGS, to its end."""
        done = subprocess.run([str(RESTANTE), *map(str, args)], input=stdin, capture_output=True,
                              env=self.environment | more.pop('env', {}), cwd=self.home,
                              timeout=PATIENCE, check=False, **more)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def fetch(self, *args, status=0, **more):
        """One session with the account, which must end with that status."""
        result = self.run('fetch', *self.account, *args, **more)
        assert result.status == status, result
        return result

    def on_terminal(self, *args, columns=80):
        """The same on a terminal: all that it shows."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.home)
            os.system(f'stty cols {columns}')
            os.execve(RESTANTE, [str(RESTANTE), *map(str, args)], self.environment)
        shown = b''
        try:
            while more := os.read(terminal, 65536):
                shown += more
        except OSError:  # so a terminal tells that nobody is at its other end
            pass
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown

    # -- what it has fetched --

    def paths(self):
        return sorted(p for folder in ('new', 'cur') for p in (self.maildir / folder).glob('*'))

    def mails(self):
        """The octets of all messages, sorted."""
        return sorted(p.read_bytes() for p in self.paths())

    def drafts(self):
        return list((self.maildir / 'tmp').glob('*'))

    def check(self, octets):
        """Exactly these, each once, and nothing half done."""
        assert self.mails() == sorted(octets)
        assert self.drafts() == []
