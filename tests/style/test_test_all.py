# SPDX-License-Identifier: MIT
"""tools/test-all counts what was tested, and doesn't call red green."""
import importlib.util
import io
import sys
import unittest
from contextlib import redirect_stdout
from importlib.machinery import SourceFileLoader
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / 'tools' / 'test-all'


def load():
    loader = SourceFileLoader('test_all', str(PATH))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader('test_all', loader))
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
test_all = load()

CMOCKA = """\
[==========] Running 3 test(s).
[ RUN      ] one
[       OK ] one
[==========] 3 test(s) run.
"""


class Counting(unittest.TestCase):
    def check(self, result, output, passed, failed, skipped=0):
        count = test_all.count_test(result, output)
        self.assertEqual((count.passed, count.failed, count.skipped), (passed, failed, skipped))

    def test_cmocka(self):
        self.check('OK', CMOCKA + '[  PASSED  ] 3 test(s).\n', 3, 0)
        self.check('FAIL', CMOCKA + '[  PASSED  ] 2 test(s).\n'
                   '[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] one\n', 2, 1)

    def test_several_groups_in_one_program(self):
        self.check('OK', '[  PASSED  ] 3 test(s).\n' + CMOCKA + '[  PASSED  ] 4 test(s).\n', 7, 0)

    def test_pytest(self):
        self.check('OK', '....\n4 passed in 2.10s\n', 4, 0)
        self.check('OK', '....ss\n4 passed, 2 skipped in 62.10s (0:01:02)\n', 4, 0, 2)
        self.check('FAIL', '1 failed, 12 passed, 1 warning in 4.65s\n', 12, 1)
        self.check('FAIL', '2 passed, 3 errors in 4.65s\n', 2, 3)
        self.check('FAIL', '===== 1 failed, 12 passed in 4.65s =====\n', 12, 1)

    def test_unittest(self):
        self.check('OK', '...\n---\nRan 10 tests in 0.001s\n\nOK\n', 10, 0)
        self.check('FAIL', 'Ran 10 tests in 0.001s\n\nFAILED (failures=1, errors=2)\n', 7, 3)

    def test_one_that_says_nothing(self):
        self.check('OK', '', 1, 0)
        self.check('FAIL', 'src/a.c:1: wrong\n', 0, 1)
        self.check('SKIP', '', 0, 0, 1)

    def test_crash_and_timeout_are_failures(self):
        self.check('FAIL', CMOCKA, 0, 1)
        self.check('TIMEOUT', CMOCKA + '[  PASSED  ] 3 test(s).\n', 3, 1)
        self.check('FAIL', '4 passed in 2.10s\n', 4, 1)
        self.check('ERROR', '', 0, 1)

    def test_reasons_for_skipping(self):
        count = test_all.count_test('OK', 'SKIPPED [9] ../tests/a.py:86: no doveadm to ask\n'
                                          '1 passed, 9 skipped in 1.00s\n')
        self.assertEqual(count.reasons, {'no doveadm to ask'})


class Building(unittest.TestCase):
    def test_what_is_wrong_is_shown_and_not_the_end(self):
        log = 'a.c:1:2: error: no such thing\n  here\n' + '[1/9] Compiling\n' * 100
        self.assertIn('no such thing\n  here', test_all.wrong(log))
        self.assertLess(len(test_all.wrong(log).splitlines()), 10)

    def test_something_else(self):
        self.assertEqual(test_all.wrong('x\n' * 100 + 'no space\n').splitlines()[-1], 'no space')


class Step:
    def __init__(self, name, passed, failed):
        self.name, self.what = name, 'whatever'
        self.count = test_all.Count()
        self.count.passed, self.count.failed = passed, failed

    def run(self):
        return self.count


class Scripted(test_all.Step):
    """A step whose test runs have been written down."""

    def __init__(self, *runs):
        super().__init__('gcc', 'whatever')
        self.runs, self.asked = list(runs), []

    def meson_test(self, *what):
        self.asked.append(what)
        return self.runs.pop(0)


class OnceMore(unittest.TestCase):
    GOOD = ('unit / a', 'OK', '3 passed in 0.10s\n')
    BAD = ('unit / b', 'FAIL', 'assert 1 == 2\n1 failed, 3 passed in 0.10s\n')
    AGAIN = ('unit / b', 'OK', '4 passed in 0.10s\n')

    def run_step(self, *runs):
        step = Scripted(*runs)
        with redirect_stdout(io.StringIO()):
            return step, step.test()

    def test_green_is_not_run_again(self):
        step, count = self.run_step((0, [self.GOOD], []))
        self.assertEqual((count.passed, count.failed, count.unsteady), (3, 0, []))
        self.assertEqual(len(step.asked), 1)

    def test_what_passes_alone_is_unsteady_and_says_so(self):
        step, count = self.run_step((1, [self.GOOD, self.BAD], []), (0, [self.AGAIN], []))
        self.assertEqual((count.passed, count.failed), (7, 0))
        self.assertEqual(count.unsteady, [('gcc: unit / b', self.BAD[2])])
        self.assertEqual(step.asked[1], ('b',))

    def test_what_fails_twice_has_failed(self):
        _, count = self.run_step((1, [self.GOOD, self.BAD], []), (1, [self.BAD], []))
        self.assertEqual((count.passed, count.failed), (6, 1))
        self.assertEqual(count.broken, [('gcc: unit / b', self.BAD[2])])

    def test_a_report_is_a_failure_whatever_passes(self):
        _, count = self.run_step((0, [self.GOOD], [('report.1', 'data race')]))
        self.assertEqual((count.passed, count.failed), (3, 1))
        _, count = self.run_step((1, [self.BAD], []), (0, [self.AGAIN], [('report.2', 'leak')]))
        self.assertEqual(count.failed, 1)

    def test_a_run_without_results_has_failed(self):
        self.assertEqual(self.run_step((0, [], []))[1].failed, 1)
        self.assertEqual(self.run_step((1, [self.GOOD], []))[1].failed, 1)
        self.assertEqual(self.run_step((1, [self.BAD], []), (1, [], []))[1].failed, 1)


class Ending(unittest.TestCase):
    def run_steps(self, *steps, argv=()):
        saved, test_all.STEPS = test_all.STEPS, steps
        try:
            with redirect_stdout(io.StringIO()) as out:
                return test_all.main(list(argv)), out.getvalue().splitlines()[-1]
        finally:
            test_all.STEPS = saved

    def test_green(self):
        self.assertEqual(self.run_steps(Step('a', 3, 0), Step('b', 4, 0)),
                         (0, '7 passed, 0 failed'))

    def test_red_anywhere_is_red(self):
        self.assertEqual(self.run_steps(Step('a', 3, 1), Step('b', 4, 0)),
                         (1, '7 passed, 1 failed'))

    def test_nothing_is_red(self):
        self.assertEqual(self.run_steps(Step('a', 0, 0)), (1, '0 passed, 0 failed'))

    def test_only_some_steps(self):
        self.assertEqual(self.run_steps(Step('a', 3, 1), Step('b', 4, 0), argv=['b']),
                         (0, '4 passed, 0 failed'))


if __name__ == '__main__':
    unittest.main()
