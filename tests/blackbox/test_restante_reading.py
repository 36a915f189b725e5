# SPDX-License-Identifier: MIT
"""What was fetched, read offline: restante show, save, search."""
import re
import subprocess
import sys

import pytest

import corpus
from harness import BUILD, ROOT
from restante_client import IOERR, USAGE

NOINPUT, CANTCREAT = 66, 73
sys.path.insert(0, str(ROOT / 'demo'))
import mails as demo  # noqa: E402  pylint: disable=wrong-import-position

REPORT = bytes(range(256)) * 40
MAIL = (b'From: =?utf-8?B?5bGx55Sw?= <yamada@example.org>\r\nTo: us@example.org\r\n'
        b'Date: Mon, 3 Jun 2024 10:00:00 +0000\r\n'
        b'Subject: =?windows-31j?B?h0A=?= report\r\nMIME-Version: 1.0\r\n'
        b'Content-Type: multipart/mixed; boundary=m\r\n\r\n'
        b'--m\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B2q5D\x1b(B\r\n'
        b'\x1b]0;title\x07 \x1b[2J\r\n'
        b'--m\r\nContent-Type: application/octet-stream; name="../../etc/.report.bin"\r\n'
        b'Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n' +
        subprocess.run(['base64'], input=REPORT, capture_output=True,
                       check=True).stdout.replace(b'\n', b'\r\n') +
        b'--m\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=report.bin\r\n\r\n'
        b'a,b\r\n--m--\r\n')


@pytest.fixture
def read(shared, client):
    """A client that has fetched MAIL, and has no server any more."""
    user = shared.user()
    client.at(shared.pop3s, user=user, cafile=shared.pem.with_suffix('.crt'))
    shared.deliver(user, MAIL)
    client.fetch()
    client.environment['TZ'] = 'UTC'
    return client


def test_show(read):
    shown = read.run('show', 1)
    assert shown.status == 0 and shown.err == ''
    lines = shown.out.splitlines()
    assert lines[:5] == ['From:    山田 <yamada@example.org>', 'To:      us@example.org',
                         'Date:    2024-06-03 10:00', 'Subject: ① report', '']
    assert lines[5] == '会議'
    assert '\x1b' not in shown.out and '\x07' not in shown.out
    assert '   1  ../../etc/.report.bin  (application/octet-stream, 10.2 kB)' in lines
    assert '   2  report.bin  (text/csv, 5 B)' in lines or '   2  report.bin  (text/csv, 3 B)' in lines


def test_show_raw(read):
    path, = read.paths()
    done = subprocess.run([str(BUILD / 'src/client/restante'), 'show', '--raw', '1'],
                          capture_output=True, env=read.environment, check=True)
    assert done.stdout == path.read_bytes()
    status, shown = read.on_terminal('show', '--raw', 1)
    assert status == 0 and b'\x1b' not in shown and b'\\x1b]0;title\\x07' in shown


def test_save(read):
    target = read.home / 'saved'
    target.mkdir()
    assert read.run('save', 1, '-d', target).out == 'report.bin\nreport-2.bin\n'
    assert (target / 'report.bin').read_bytes() == REPORT
    assert (target / 'report-2.bin').read_bytes().strip() == b'a,b'
    # Again, and nothing is written over.
    assert read.run('save', 1, 1, '-d', target).out == 'report-3.bin\n'
    (target / 'report-4.bin').symlink_to(read.home / 'elsewhere')
    assert read.run('save', 1, 1, '-d', target).out == 'report-5.bin\n'
    assert not (read.home / 'elsewhere').exists()
    assert sorted(p.name for p in target.iterdir()) == [
        'report-2.bin', 'report-3.bin', 'report-4.bin', 'report-5.bin', 'report.bin']


def test_save_fails(read):
    assert 'cannot save in' in read.run('save', 1, '-d', read.home / 'nowhere').err
    assert read.run('save', 1, '-d', read.home / 'nowhere').status == CANTCREAT
    missing = read.run('save', 1, 3)
    assert missing.status == NOINPUT and "no attachment '3'" in missing.err


def test_search(read):
    for words in (['会議'], ['REPORT'], ['from:山田', 'subject:①'], ['to:us@'], ['report.bin']):
        found = read.run('search', *words)
        assert found.status == 0 and found.out.startswith('     1  '), words
    for words in (['nowhere'], ['from:us@'], ['会議', 'nowhere']):
        assert read.run('search', *words).status == 1
        assert read.run('search', *words).out == ''


def test_what_is_not_there(read):
    for command in ('show', 'save'):
        assert read.run(command).status == USAGE
        assert read.run(command, 'x').status == USAGE
        wrong = read.run(command, 7)
        assert wrong.status == NOINPUT and 'there is no message 7' in wrong.err
        no_state = read.run(command, 1, '--state-file', read.home / 'none')
        assert no_state.status == NOINPUT and not (read.home / 'none').exists()
    assert read.run('search').status == USAGE
    read.paths()[0].unlink()
    gone = read.run('show', 1)
    assert gone.status == NOINPUT and "isn't where it was stored" in gone.err
    assert read.run('search', 'report').status == 1


def test_into_a_full_disk(read):
    with open('/dev/full', 'wb') as full:
        done = subprocess.run([str(BUILD / 'src/client/restante'), 'show', '1'], stdout=full,
                              stderr=subprocess.PIPE, env=read.environment, check=False)
    assert done.returncode == IOERR and b'cannot write' in done.stderr


def test_real_mail(shared, client):
    """Mails of all kinds: each can be shown, no control sequence among what is, text in Japanese is found."""
    user = shared.user()
    client.at(shared.pop3s, user=user, cafile=shared.pem.with_suffix('.crt'))
    every = [corpus.wire_form(octets) for _, octets in demo.all_mails()]
    every += [octets for _, octets in corpus.spread(150)]
    for i in range(0, len(every), 50):
        shared.deliver(user, *every[i:i + 50])
    client.fetch()
    numbers = [line.split()[0] for line in client.run('list').out.splitlines()]
    assert len(numbers) == len(every)
    shown = client.run('show', *numbers)
    assert shown.status == 0 and shown.err == ''
    assert not re.search('[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]', shown.out)
    assert len(re.findall('^Subject:', shown.out, re.M)) > len(every) * 0.9
    # ISO-2022-JP, Shift_JIS, EUC-JP and UTF-8, each as its charset has it.
    assert len(client.run('search', 'subject:局留めのお知らせ').out.splitlines()) >= 5
    assert len(client.run('search', 'subject:髙島屋 ①', 'text:㈱').out.splitlines()) == 1
    assert len(client.run('search', 'GRÜSSE AUS KÖLN').out.splitlines()) == 1
    assert '髙島屋' in client.run('list').out
