# SPDX-License-Identifier: MIT
"""tools/check-layers finds what it is there to find: each rule, broken in a small tree."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CHECK = Path(__file__).resolve().parents[2] / 'tools' / 'check-layers'

# A tree that keeps every rule.
TREE = {
    'base/span.h': [],
    'base/err.h': [],
    'codec/dot.h': ['"base/span.h"'],
    'codec/dot.c': ['"codec/dot.h"', '<string.h>'],
    'codec/sasl/frame.h': [],
    'net/tls.h': ['"base/err.h"'],
    'net/tls.c': ['"net/tls.h"', '<openssl/ssl.h>'],
    'net/loop.h': ['<uv.h>'],
    'auth/scheme.h': [],
    'auth/scheme_priv.h': ['"auth/scheme.h"'],
    'auth/scheme_crypt.c': ['"auth/scheme_priv.h"', '<crypt.h>', '"base/err.h"'],
    'store/store.h': ['"base/err.h"'],
    'store/store.c': ['"store/store.h"', '<errno.h>', '"base/span.h"', '"codec/dot.h"',
                      '"store/mem/mem.h"'],
    'store/store_priv.h': ['<openssl/evp.h>'],
    'store/mem/mem.h': [],
    'store/mem/mem.c': ['"store/mem/mem.h"', '"store/store_priv.h"'],
    'store/maildir/maildir.h': [],
    'server/config.h': [],
    'server/ipc.h': [],
    'server/main.c': ['"base/err.h"', '"restante-build.h"', '"server/listener/listener.h"'],
    'server/listener/listener.h': [],
    'server/listener/listener.c': ['"server/listener/listener.h"', '"net/tls.h"',
                                   '"server/ipc.h"'],
    'server/authd/authd.c': ['"auth/scheme.h"', '"server/ipc.h"'],
    'server/stored/stored.c': ['"net/loop.h"', '"store/store.h"', '"server/ipc.h"'],
    'client/fetch.c': ['<sqlite3.h>', '"codec/dot.h"', '"net/tls.h"'],
    'ctl/main.c': ['<stdio.h>', '"auth/scheme.h"', '"server/config.h"', '"server/ipc.h"'],
}


class CheckLayers(unittest.TestCase):
    def run_on(self, changes, archive=None, tests=None):
        """The check's exit status and lines for TREE with some files' includes replaced."""
        with tempfile.TemporaryDirectory() as root:
            for folder, files in (('src', {**TREE, **changes}), ('tests/unit', tests or {})):
                for name, headers in files.items():
                    path = Path(root, folder, name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text('/* one line */\n' + ''.join(
                        f'#include {header}\n' for header in headers), encoding='utf-8')
            extra = [archive] if archive else []
            done = subprocess.run([sys.executable, CHECK, root, *extra], capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.stderr, '')
            return done.returncode, done.stdout.splitlines()

    def assert_found(self, name, headers, where):
        code, lines = self.run_on({name: headers})
        self.assertEqual(code, 1)
        self.assertTrue(any(line.startswith(f'src/{name}:{where}: ') for line in lines), lines)

    def test_a_tree_that_keeps_the_rules(self):
        self.assertEqual(self.run_on({}), (0, []))

    def test_an_arrow_never_points_up_or_sideways(self):
        self.assert_found('base/err.h', ['"codec/dot.h"'], 2)
        self.assert_found('codec/dot.c', ['"codec/dot.h"', '"net/loop.h"'], 3)
        self.assert_found('net/tls.h', ['"codec/dot.h"'], 2)
        self.assert_found('auth/scheme.h', ['"net/tls.h"'], 2)
        self.assert_found('store/store.h', ['"auth/scheme.h"'], 2)
        self.assert_found('client/fetch.c', ['"server/config.h"'], 2)
        self.assert_found('client/fetch.c', ['"store/store.h"'], 2)
        self.assert_found('ctl/main.c', ['"net/tls.h"'], 2)

    def test_the_servers_inner_walls(self):
        self.assert_found('server/listener/listener.c',
                          ['"server/listener/listener.h"', '"store/store.h"'], 3)
        self.assert_found('server/listener/listener.c',
                          ['"server/listener/listener.h"', '"auth/scheme.h"'], 3)
        self.assert_found('server/authd/authd.c', ['"store/store.h"'], 2)
        self.assert_found('server/stored/stored.c', ['"auth/scheme.h"'], 2)
        self.assert_found('server/stored/stored.c', ['"net/tls.h"'], 2)
        self.assert_found('server/stored/stored.c', ['"codec/sasl/frame.h"'], 2)
        self.assert_found('server/authd/authd.c', ['"server/listener/listener.h"'], 2)
        self.assert_found('ctl/main.c', ['"server/listener/listener.h"'], 2)

    def test_private_headers_and_drivers(self):
        self.assert_found('server/authd/authd.c', ['"auth/scheme_priv.h"'], 2)
        self.assert_found('server/stored/stored.c', ['"store/store_priv.h"'], 2)
        self.assert_found('server/stored/stored.c', ['"store/mem/mem.h"'], 2)
        self.assert_found('store/maildir/maildir.h', ['"store/mem/mem.h"'], 2)

    def test_libraries_have_their_place(self):
        self.assert_found('codec/dot.c', ['"codec/dot.h"', '<stdio.h>'], 3)
        self.assert_found('store/store.h', ['<uv.h>'], 2)
        self.assert_found('store/store.h', ['<openssl/ssl.h>'], 2)
        self.assert_found('server/listener/listener.c',
                          ['"server/listener/listener.h"', '<openssl/ssl.h>'], 3)
        self.assert_found('base/err.h', ['"restante-build.h"'], 2)

    def test_order(self):
        self.assert_found('codec/dot.c', ['<string.h>', '"codec/dot.h"'], 2)
        self.assert_found('net/tls.c', ['"net/tls.h"', '"base/err.h"', '<openssl/ssl.h>'], 4)
        self.assert_found('store/store.c', ['"store/store.h"', '"codec/dot.h"', '"base/span.h"'],
                          4)

    def test_an_include_names_its_layer(self):
        self.assert_found('codec/dot.c', ['"dot.h"'], 2)
        self.assert_found('codec/dot.c', ['"codec/dot.h"', '"base/nothing.h"'], 3)

    def test_a_unit_test_knows_only_what_is_below(self):
        tests = {'auth/test_scheme.c': ['"auth/scheme_priv.h"', '"base/err.h"']}
        self.assertEqual(self.run_on({}, tests=tests), (0, []))
        tests['auth/test_scheme.c'].append('"server/config.h"')
        code, lines = self.run_on({}, tests=tests)
        self.assertEqual(code, 1)
        self.assertTrue(lines[0].startswith('tests/unit/auth/test_scheme.c:4: '), lines)

    def test_symbols_of_the_codec(self):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, 'x.c')
            for body, bad in (('return (long)memchr("a", n, 1);', None),
                              ('return (long)time(0);', 'time'),
                              ('return (long)malloc(n);', 'malloc')):
                source.write_text('#include <stdlib.h>\n#include <string.h>\n#include <time.h>\n'
                                  f'long f(int n); long f(int n) {{ {body} }}\n', encoding='utf-8')
                archive = str(Path(folder, f'libcodec-{bad}.a'))
                subprocess.run(['cc', '-O0', '-c', source, '-o', f'{folder}/x.o'], check=True)
                subprocess.run(['ar', 'rc', archive, f'{folder}/x.o'], check=True)
                code, lines = self.run_on({}, archive=archive)
                self.assertEqual(code, 1 if bad else 0)
                self.assertEqual([line.split(': ')[1] for line in lines], [bad] if bad else [])


if __name__ == '__main__':
    unittest.main()
