# SPDX-License-Identifier: MIT
"""tools/check-man notices when a page, an example and a program don't agree.

Arguments, as they were built: config_table, restanted.conf.5, restanted.conf, restantectl.8,
restantectl.
"""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CHECK = Path(__file__).resolve().parents[2] / 'tools' / 'check-man'
TABLE, PAGE, EXAMPLE, CTL_PAGE, CTL = (sys.argv.pop(1) for _ in range(5))


def check(*args):
    done = subprocess.run([sys.executable, CHECK, *args], capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout + done.stderr


class Config(unittest.TestCase):
    def changed(self, page=('', ''), example=('', '')):
        """The check's result with one text replaced in each file."""
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for source, (old, new) in ((PAGE, page), (EXAMPLE, example)):
                text = Path(source).read_text(encoding='utf-8')
                self.assertIn(old, text)
                files.append(Path(folder, Path(source).name))
                files[-1].write_text(text.replace(old, new, 1) if old else text,
                                     encoding='utf-8')
            return check('config', TABLE, *files)

    def assert_found(self, words, **changes):
        code, output = self.changed(**changes)
        self.assertEqual(code, 1)
        self.assertIn(words, output)

    def test_as_they_are(self):
        self.assertEqual(self.changed(), (0, ''))

    def test_in_sections(self):
        self.assertEqual(self.changed(example=('#idle_timeout', '\t#idle_timeout')), (0, ''))
        self.assert_found('idle_timeout has the default "10m", not "9m"',
                          example=('#idle_timeout = 10m', '\t#idle_timeout = 9m'))
        self.assert_found('with everything switched on',
                          example=('#idle_timeout = 10m', '\t#idle_timeout = 10m\n\t#idle_timeout = 10m'))

    def test_missing(self):
        self.assert_found('restanted.conf.5: idle_timeout is missing',
                          page=('.It Ic idle_timeout', '.It Ic wait_timeout'))
        self.assert_found('restanted.conf: idle_timeout is missing',
                          example=('#idle_timeout = 10m\n', ''))

    def test_unknown(self):
        self.assert_found('restanted.conf.5: wait_timeout is unknown',
                          page=('.It Ic idle_timeout', '.It Ic wait_timeout'))
        self.assert_found('restanted.conf: wait_timeout is unknown',
                          example=('#idle_timeout', '#wait_timeout = 1\n#idle_timeout'))

    def test_default(self):
        self.assert_found('idle_timeout has the default "10m", not "9m"',
                          page=('.Ql 10m\n', '.Ql 9m\n'))
        self.assert_found('idle_timeout has the default "10m", not "9m"',
                          example=('#idle_timeout = 10m', '#idle_timeout = 9m'))
        self.assert_found('hostname has the default ""',
                          page=('Default: empty, which stands', 'Default: x, which stands'))
        self.assert_found('tls_ciphers has the default', page=('AES128-GCM', 'AES127-GCM'))

    def test_the_example_loads(self):
        self.assert_found('needs', example=('#default_domain', 'idle_timeout = soon\n#default_domain'))
        self.assert_found('with everything switched on',
                          example=('#lmtp_socket_group = "postfix"', '#lmtp_socket_group = "a" b'))


class Program(unittest.TestCase):
    def assert_found(self, words, old, new):
        with tempfile.TemporaryDirectory() as folder:
            text = Path(CTL_PAGE).read_text(encoding='utf-8')
            self.assertIn(old, text)
            page = Path(folder, 'restantectl.8')
            page.write_text(text.replace(old, new, 1), encoding='utf-8')
            code, output = check('program', page, CTL)
            self.assertEqual(code, 1)
            self.assertIn(words, output)

    def test_as_it_is(self):
        self.assertEqual(check('program', CTL_PAGE, CTL), (0, ''))

    def test_options(self):
        self.assert_found('--scheme is missing', '.It Fl -scheme', '.It Fl -schema')
        self.assert_found('--schema is unknown', '.It Fl -scheme', '.It Fl -schema')
        self.assert_found('-c is missing', '.It Fl c Ar file , Fl -config', '.It Fl -config')

    def test_commands(self):
        self.assert_found('user list is missing', '.It Cm user list', '.It Cm user lost')
        self.assert_found('user lost is unknown', '.It Cm user list', '.It Cm user lost')


class Lint(unittest.TestCase):
    @unittest.skipIf(subprocess.run(['sh', '-c', 'command -v mandoc'], check=False,
                                    capture_output=True).returncode, 'no mandoc')
    def test_a_broken_page(self):
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder, 'x.5')
            page.write_text(Path(PAGE).read_text(encoding='utf-8') + '.Bl -tag\n.It x\n',
                            encoding='utf-8')
            code, output = check('lint', page)
            self.assertEqual(code, 1)
            self.assertIn('x.5', output)


if __name__ == '__main__':
    unittest.main()
