# SPDX-License-Identifier: MIT
"""Passwords that clients have sent are nowhere any more when they have been checked."""
import base64
import os
import re
import subprocess

import pytest

from harness import RESTANTED

# Octets that no program and no log has, so that what is found is what was sent.
PASSWORDS = {way: f'{os.urandom(9).hex()}-{way}' for way in (
    'right', 'wrong', 'pieces', 'tls', 'plain', 'answer', 'login', 'tls-plain', 'long', 'garbage',
    'refused', 'unfinished', 'cancelled')}


def plain(user, password):
    return base64.b64encode(f'\0{user}\0{password}'.encode()).decode()


def children(daemon):
    found = re.findall(r'event=child-started role=(\w+) id=\d+ pid=(\d+)', '\n'.join(daemon.lines))
    return {int(pid): role for role, pid in found} | {daemon.process.pid: 'master'}


def find_in_memory(pid, needles):
    """Which of these octets the process has in memory that it can write to."""
    found = set()
    with open(f'/proc/{pid}/maps', encoding='ascii') as maps, open(f'/proc/{pid}/mem', 'rb') as mem:
        for line in maps:
            where, rights, _, _, _, *name = line.split()
            if 'w' not in rights or name == ['[vvar]']:
                continue
            begin, end = (int(x, 16) for x in where.split('-'))
            try:
                mem.seek(begin)
                text = mem.read(end - begin)
            except (OSError, ValueError):
                continue
            found |= {needle for needle in needles if needle in text}
    return found


def say_them_all(daemon):
    """Every password in its way. Those that are to be right are the user's own."""
    def fresh(tls=False):
        return daemon.wire(tls=tls)

    def login(way, tls=False):
        wire = fresh(tls)
        wire.ok(f'USER {way}')
        return wire, wire.reply(f'PASS {PASSWORDS[way]}')

    open_wires = []
    for way, tls in (('right', False), ('tls', True)):
        wire, reply = login(way, tls)
        assert reply.startswith('+OK')
        open_wires.append(wire)
    login('wrong')[0].quit()
    wire = fresh()
    wire.ok('USER pieces')
    for piece in ('PASS ', PASSWORDS['pieces'][:7], PASSWORDS['pieces'][7:], '\r\n'):
        wire.send(piece.encode())
    assert wire.reply().startswith('+OK')
    open_wires.append(wire)
    for tls, way in ((False, 'plain'), (True, 'tls-plain')):
        wire = fresh(tls)
        assert wire.reply(f'AUTH PLAIN {plain(way, PASSWORDS[way])}').startswith('+OK')
        open_wires.append(wire)
    wire = fresh()
    wire.command('AUTH PLAIN')
    assert wire.line() == b'+ '
    assert wire.reply(plain('answer', PASSWORDS['answer'])).startswith('+OK')
    open_wires.append(wire)
    wire = fresh()
    wire.command('AUTH LOGIN')
    for word in ('login', PASSWORDS['login']):
        assert wire.line().startswith(b'+ ')
        wire.command(base64.b64encode(word.encode()))
    assert wire.reply().startswith('+OK')
    open_wires.append(wire)
    wire = fresh()
    wire.ok('USER unfinished')
    wire.send(f'PASS {PASSWORDS["unfinished"]}'.encode())
    wire.close()
    wire = fresh()
    wire.ok('USER cancelled')
    wire.command(f'PASS {PASSWORDS["cancelled"]}')
    wire.close()
    # Those that no later login can have overwritten come last.
    wire = fresh()
    wire.err('PASS ' + 'x' * 100 + PASSWORDS['long'] + 'x' * 300)
    open_wires.append(wire)
    wire = fresh()
    wire.err(f'PASS {PASSWORDS["refused"]}')
    open_wires.append(wire)
    wire = fresh()
    wire.err('AUTH PLAIN ' + plain('garbage', PASSWORDS['garbage'])[:-4] + '!!!!')
    wire.command('AUTH PLAIN')
    assert wire.line() == b'+ '
    wire.err(plain('garbage', PASSWORDS['garbage'])[:-4] + '!!!!')
    open_wires.append(wire)
    return open_wires


@pytest.mark.skipif(os.geteuid() != 0, reason='only root may look into the processes')
@pytest.mark.skipif(b'__asan_init' in RESTANTED.read_bytes(),
                    reason='AddressSanitizer keeps what libraries have freed')
def test_no_password_stays_in_memory(make_daemon):
    daemon = make_daemon()
    hashes = {}
    for way, password in PASSWORDS.items():
        made = subprocess.run(['openssl', 'passwd', '-6', '-stdin'], input=password, text=True,
                              capture_output=True, check=True).stdout.strip()
        hashes[way] = '{SHA512-CRYPT}' + ('$6$x$y' if way == 'wrong' else made)
    daemon.write_users(hashes)
    daemon.secrets |= set(PASSWORDS.values())
    wires = say_them_all(daemon)
    needles = {}
    for way, password in PASSWORDS.items():
        for form in (password, plain(way, password), base64.b64encode(password.encode()).decode()):
            # Its middle: what was cut off or overwritten at an end is a leak all the same.
            needles[form[8:20].encode()] = way
    assert len(needles) == 3 * len(PASSWORDS)
    found = {(role, needles[needle]) for pid, role in children(daemon).items()
             for needle in find_in_memory(pid, needles)}
    assert found == set()
    for wire in wires:
        wire.close()


def test_the_search_finds_what_is_there():
    secret = os.urandom(12).hex().encode()
    assert find_in_memory(os.getpid(), {secret[2:14]}) == {secret[2:14]}
