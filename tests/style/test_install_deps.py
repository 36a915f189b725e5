# SPDX-License-Identifier: MIT
"""tools/install-deps asks Debian for what is missing, once, and for nothing else.

Its commands come from a folder of our own: dpkg-query knows the packages that a file lists,
apt-get writes down how it was called, and who isn't there can't be found.
"""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'install-deps'
REAL = ('cat', 'chmod', 'env', 'fold', 'mktemp', 'rm', 'sed', 'sh', 'tail', 'tee', 'tr')

DPKG_QUERY = '''#!/bin/sh
shift 2
for package; do
	grep -qx "$package" "$STATE/installed" && echo "$package installed"
done
exit 1
'''
APT_GET = '''#!/bin/sh
echo "apt-get $*" >>"$STATE/called"
case "$*" in
*update*) touch "$STATE/lists" ;;
*install*) [ -e "$STATE/lists" ] || { echo "E: Unable to locate package" >&2; exit 100; } ;;
esac
'''


class InstallDeps(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = Path(folder.name)
        self.bin = self.state / 'bin'
        self.bin.mkdir()
        for name in (*REAL, 'grep', 'touch'):
            (self.bin / name).symlink_to(shutil.which(name))
        self.program('dpkg-query', DPKG_QUERY)
        self.program('apt-get', APT_GET)
        self.program('debconf-set-selections', '#!/bin/sh\ncat >>"$STATE/selections"\n')
        self.is_user(0)
        (self.state / 'installed').touch()
        (self.state / 'lists').touch()

    def program(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def is_user(self, uid):
        self.program('id', f'#!/bin/sh\necho {uid}\n')

    def run_it(self, *sets):
        return subprocess.run(['/bin/sh', TOOL, *sets], capture_output=True, text=True,
                              check=False, env={'PATH': str(self.bin), 'STATE': str(self.state),
                                                'TMPDIR': str(self.state)})

    def called(self):
        path = self.state / 'called'
        return path.read_text().splitlines() if path.exists() else []

    def packages(self, *sets):
        """All packages of these sets."""
        return self.run_it(*sets).stdout.split(':\n')[1].removesuffix('Installed.\n').split()

    def test_missing_ones_are_named_and_installed(self):
        names = self.packages('build')
        self.assertIn('libssl-dev', names)
        self.assertIn('gcc', names)
        call, = self.called()
        self.assertTrue(call.endswith('install -y --no-install-recommends ' + ' '.join(names)), call)

    def test_nothing_is_missing(self):
        names = self.packages('build', 'test', 'bench')
        (self.state / 'called').unlink()
        (self.state / 'installed').write_text('\n'.join(names) + '\n')
        for name in ('cc', 'meson', 'ninja', 'pkg-config', 'clang', 'llvm-symbolizer', 'mandoc',
                     'clang-format', 'python3', 'openssl', 'npm', 'curl', 'mpop', 'fetchmail',
                     'getmail', 'ip', 'doveadm'):
            self.program(name, '#!/bin/sh\n')
        done = self.run_it('build', 'test', 'bench')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, '', ''))
        self.assertEqual(self.called(), [])

    def test_only_what_is_missing(self):
        names = self.packages('build')
        (self.state / 'called').unlink()
        (self.state / 'installed').write_text('\n'.join(n for n in names if n != 'libuv1-dev'))
        self.program('cc', '#!/bin/sh\n') # of whatever package
        for name in ('meson', 'ninja', 'pkg-config'):
            self.program(name, '#!/bin/sh\n')
        self.assertEqual(self.packages('build'), ['libuv1-dev'])

    def test_a_name_is_not_the_beginning_of_another(self):
        (self.state / 'installed').write_text('libssl\nlibssl-dev-more\n')
        self.assertIn('libssl-dev', self.packages('build'))

    def test_lists_are_fetched_when_they_are_wanted(self):
        (self.state / 'lists').unlink()
        done = self.run_it('format')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([call.split()[4] for call in self.called()],
                         ['install', 'update', 'install'])

    def test_failure_shows_what_apt_said(self):
        self.program('apt-get', '#!/bin/sh\necho "E: no space" >&2\nexit 100\n')
        done = self.run_it('build')
        self.assertEqual(done.returncode, 1)
        self.assertIn('E: no space', done.stderr)

    def test_not_root(self):
        self.is_user(1000)
        done = self.run_it('format')
        self.assertEqual(done.returncode, 1)
        self.assertIn('apt-get install --no-install-recommends clang-format', done.stderr)
        self.assertEqual(self.called(), [])
        self.program('sudo', '#!/bin/sh\necho sudo >>"$STATE/called"\nexec "$@"\n')
        self.assertEqual(self.run_it('format').returncode, 0)
        self.assertEqual(self.called()[0], 'sudo')

    def test_not_debian(self):
        (self.bin / 'apt-get').unlink()
        done = self.run_it('build')
        self.assertEqual((done.returncode, done.stdout), (0, ''))
        self.assertIn("isn't Debian", done.stderr)
        self.assertIn('libseccomp-dev', done.stderr)

    def test_wrong_words(self):
        for words in ((), ('everything',)):
            self.assertEqual(self.run_it(*words).returncode, 64)

    @unittest.skipUnless(os.path.exists('/usr/sbin/policy-rc.d'), 'would write there')
    def test_no_mail_server_is_configured(self):
        self.assertEqual(self.run_it('servers').returncode, 0)
        self.assertIn('No configuration', (self.state / 'selections').read_text())


if __name__ == '__main__':
    unittest.main()
