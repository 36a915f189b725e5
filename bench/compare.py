#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""compare.py [--quick] [--only ROW,...] [--plots] [--output FOLDER] - measures restante beside Dovecot
and a null server, and says which of the aims in rows.py are reached.

Needs root: for Dovecot, for cgroups, and to run each server as somebody else. Writes results.json,
table.md and the plots (*.svg) into FOLDER. README.md beside this file says how it measures.
"""
import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import curves
import meter
import report
import rows
from run import Failed, Run
from servers import BUILD, CORES, LOAD

ROOT = Path(__file__).resolve().parents[1]


def first_line(path, key):
    for line in Path(path).read_text('utf-8', 'replace').splitlines():
        if line.startswith(key):
            return line.split(':', 1)[1].strip()
    return '?'


def version(command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split('\n')[0]


def circumstances(folder):
    """Where and with what."""
    return {
        'date': datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d %H:%M UTC'),
        'processor': f'{CORES} × {first_line("/proc/cpuinfo", "model name")}',
        'memory': first_line('/proc/meminfo', 'MemTotal'),
        'kernel': platform.release(),
        'file system': version(['stat', '-f', '-c', '%T', folder]),
        'CPU seconds from': meter.how(),
        'load before': ' '.join(f'{x:.2f}' for x in os.getloadavg()),
        'restante': version(['git', '-C', ROOT, 'describe', '--always', '--dirty']),
        'Dovecot': version(['dovecot', '--version']),
        'OpenSSL': version(['openssl', 'version']),
        'compiler': version(['cc', '--version']),
    }


def measure(run, functions, results):
    for function in functions:
        name = function.__name__
        if run.only and name not in run.only:
            continue
        begun = time.monotonic()
        try:
            for row in function(run):
                results.append(row)
                run.say(f'{"reached" if row.reached else "NOT reached"}: {row.what}\n'
                        f'    must: {row.must}\n    got:  {row.got}')
        except Failed as error:
            results.append(rows.Row(name, 'right answers', f'failed: {error}', False, {}))
            run.say(f'FAILED: {name}: {error}')
        run.say(f'    ({name}: {time.monotonic() - begun:.0f} s)')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--quick', action='store_true', help='two minutes: fewer rounds, less mail')
    parser.add_argument('--only', default='', help='names of functions in rows.py and curves.py')
    parser.add_argument('--output', default=BUILD / 'bench-results', type=Path)
    parser.add_argument('--dir', default='/var/tmp', help='where maildrops are made: a real disk')
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit('compare.py: needs root, see --help')
    if not LOAD.exists():
        sys.exit(f'compare.py: {LOAD} is not there; make bench builds it')
    options.output.mkdir(parents=True, exist_ok=True)
    about = circumstances(options.dir)
    run = Run(options.quick, options.dir, options.only.split(',') if options.only else [],
              lambda text: print(text, flush=True))
    table, plots = [], {}
    try:
        measure(run, rows.ALL, table)
        if not options.quick:
            curves.measure(run, plots)
    finally:
        run.close()
        about['load after'] = ' '.join(f'{x:.2f}' for x in os.getloadavg())
        results = {'about': about, 'quick': options.quick,
                   'rows': [row.__dict__ for row in table], 'curves': plots}
        (options.output / 'results.json').write_text(json.dumps(results, indent=1, default=str))
        report.write(results, options.output)
        print(f'results are in {options.output}')
    return 0 if table and not any(row.got.startswith('failed') for row in table) else 1


if __name__ == '__main__':
    sys.exit(main())
