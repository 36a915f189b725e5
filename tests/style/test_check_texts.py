#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tools/check-texts finds what it is for, in a tree that has just that wrong."""
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools/check-texts'
TABLE = 'src/codec/pop3/pop3_text.c'
LOGIN = 'src/server/listener/pop3_login.c'


class CheckTexts(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp())
        for name in ('src/codec/pop3', 'src/server/listener'):
            shutil.copytree(ROOT / name, self.dir / name)

    def tearDown(self):
        shutil.rmtree(self.dir)

    def change(self, name, old, new):
        path = self.dir / name
        text = path.read_text(encoding='utf-8')
        self.assertEqual(text.count(old), 1)
        path.write_text(text.replace(old, new), encoding='utf-8')

    def check(self):
        result = subprocess.run([sys.executable, str(TOOL), str(self.dir)], capture_output=True,
                                text=True, check=False)
        self.assertEqual(result.returncode, 1 if result.stdout else 0)
        self.assertEqual(result.stderr, '')
        return result.stdout

    def test_all_is_well(self):
        self.assertEqual(self.check(), '')

    def test_a_text_without_a_row(self):
        self.change(LOGIN, 'pop3_ok(p, "now PASS");', 'pop3_ok(p, "now say PASS");')
        found = self.check()
        self.assertRegex(found, r'pop3_login\.c:\d+: "now say PASS" has no Japanese')
        self.assertRegex(found, r'pop3_text\.c:\d+: "now PASS" is said nowhere')

    def test_a_text_in_a_table_without_a_row(self):
        self.change(LOGIN, '"AUTH: the exchange went wrong"', '"AUTH: it went wrong"')
        self.assertIn('"AUTH: it went wrong" has no Japanese', self.check())

    def test_a_verbs_needs_without_a_row(self):
        self.change('src/codec/pop3/pop3_command.c', '"DELE needs a message number"',
                    '"DELE needs one message number"')
        self.assertIn('"DELE needs one message number" has no Japanese', self.check())

    def test_a_row_twice(self):
        self.change(TABLE, '\t{ "good bye",', '\t{ "good bye", "さようなら" },\n\t{ "good bye",')
        self.assertIn('"good bye" is there twice', self.check())

    def test_other_places_to_be_filled(self):
        self.change(TABLE, '"メッセージ {1} を削除しました"', '"メッセージを削除しました"')
        self.assertIn('"message {1} deleted" has other places', self.check())


if __name__ == '__main__':
    unittest.main()
