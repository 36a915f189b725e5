# SPDX-License-Identifier: MIT
"""Mail of a Dovecot that keeps it in a form of its own, by doveadm."""
import os
import poplib
import subprocess

import pytest

from harness import PASSWORD
from moving import ctl, daemon, message # pylint: disable=unused-import # a fixture
from old_servers import Dovecot, inspect, keepers
from wire import PATIENCE


def save(old, user, text):
    subprocess.run(['doveadm', '-c', str(old.conf), 'save', '-u', user], input=text, check=True,
                   timeout=PATIENCE, capture_output=True)


@pytest.mark.parametrize('form', ['sdbox', 'mdbox', 'maildir'])
def test_nothing_is_fetched_again(daemon, tmp_path, form):
    daemon.add_users('alice')
    boxes = daemon.dir / 'boxes'
    boxes.mkdir()
    daemon.give_to_nobody(boxes)
    old = Dovecot(daemon, location=f'{form}:{boxes}/%n', more='pop3_uidl_format = %g\n' if form == 'mdbox' else '')
    port = daemon.pop3.number
    try:
        for n in range(1, 6):
            save(old, 'alice', message(n))
        clients = keepers(port, 'alice', tmp_path)
        assert [c.fetch() for c in clients] == [5] * len(clients)
        said = ctl(daemon, 'import', 'doveadm', 'alice', '--from', str(old.conf))
        assert 'alice: 5 messages: 5 brought' in said
        # The last run: one is gone, one is new.
        pop = poplib.POP3('127.0.0.1', port, timeout=PATIENCE)
        pop.user('alice')
        pop.pass_(PASSWORD)
        pop.dele(2)
        pop.quit()
        save(old, 'alice', message(9))
        assert [c.fetch() for c in clients] == [1] * len(clients)
        said = ctl(daemon, 'import', 'doveadm', 'alice', '--from', str(old.conf), '--remove-gone')
        assert '1 brought, 4 here before, 1 gone from the old server (removed)' in said
        before = inspect(port, 'alice')
    finally:
        old.stop()
    daemon.start()
    assert [c.fetch() for c in clients] == [0] * len(clients)
    assert inspect(daemon.pop3.number, 'alice') == before


def test_errors(daemon):
    user = daemon.user()
    old = Dovecot(daemon)
    try:
        assert 'doveadm' in ctl(daemon, 'import', 'doveadm', user, '--from', '/nowhere', status=74)
    finally:
        old.stop()
    environment, os.environ['PATH'] = os.environ['PATH'], '/nowhere'
    try:
        assert 'cannot run doveadm: No such file' in ctl(daemon, 'import', 'doveadm', user, status=74)
    finally:
        os.environ['PATH'] = environment
