# SPDX-License-Identifier: MIT
"""UTF8 (RFC 6856), and internationalised mail for clients that don't say it (RFC 6858)."""
import email
import email.policy
import poplib
import unicodedata

import pytest

from harness import PASSWORD, running
from lmtp_client import Lmtp
from wire import PATIENCE

NOBODY = 'invalid@internationalized-address.invalid'

PLAIN = b'Subject: plain\r\n\r\nbody \xc3\xa9\r\n'
MAIL = ('From: 鈴木一郎 <suzuki@example.jp>\r\n'
        'To: 佐藤@例え.jp, "Jörg, M." <j@example.org>,\r\n plain@example.org\r\n'
        'Subject: 郵便 for you: grün und schön\r\n'
        'Date: Wed, 25 Nov 2026 04:20:15 +0000\r\n'
        'Message-ID: <1@example.jp>\r\n'
        'X-Note: é\r\n'
        'MIME-Version: 1.0\r\n'
        'Content-Type: text/plain; charset=utf-8; name="é.txt"\r\n'
        'Content-Transfer-Encoding: 8bit\r\n'
        '\r\n'
        '本文です。\r\n.dot\r\n..\r\n').encode()
LATIN1 = b'Subject: gr\xfcn\r\nFrom: \xc3\xa9 <a@example.org>\r\n\r\nbody\r\n'


@pytest.fixture(scope='module')
def server():
    with running() as start:
        yield start(lmtp_delivered_to='never')


def retrieved(server, user, utf8):
    """All messages, after a look at everything that tells their sizes."""
    with server.wire(user, utf8=utf8) as wire:
        sizes = wire.sizes()
        assert wire.stat() == (len(sizes), sum(sizes.values()))
        texts = [wire.retr(n) for n in sizes]
        assert [len(text) for text in texts] == list(sizes.values())
        for n, text in enumerate(texts, 1):
            header, blank, body = text.partition(b'\r\n\r\n')
            assert wire.top(n, 0) == header + blank
            assert wire.top(n, 1) == header + blank + body[:body.find(b'\r\n') + 2]
            assert wire.top(n, 10_000) == text
        uidls = wire.uidls()
        wire.quit()
    return texts, uidls


def header_of(text):
    return text.partition(b'\r\n\r\n')[0]


def body_of(text):
    return text.partition(b'\r\n\r\n')[2]


# -- the command --

def test_capa_and_states(server):
    user = server.user()
    with server.wire() as wire:
        assert 'UTF8 USER' in wire.multi('CAPA')
        wire.err('UTF8 USER')
        wire.ok('utf8')
        wire.ok('UTF8')
        wire.login(user, PASSWORD)
        assert 'UTF8 USER' in wire.multi('CAPA')
        wire.err('UTF8')
        wire.quit()


def test_stls_forgets_it(server):
    user = server.user()
    server.deliver(user, MAIL)
    with server.wire() as wire:
        wire.ok('UTF8')
        wire.ok('STLS')
        wire.start_tls(server.context())
        wire.login(user, PASSWORD)
        assert header_of(wire.retr(1)).isascii()
        wire.quit()


# -- what is sent --

def test_who_says_utf8_gets_the_original(server):
    user = server.user()
    server.deliver(user, PLAIN, MAIL, LATIN1)
    texts, _ = retrieved(server, user, True)
    assert [text.partition(b'\r\n')[2] for text in texts] == [PLAIN, MAIL, LATIN1]


def test_who_does_not_gets_it_downgraded(server):
    user = server.user()
    server.deliver(user, PLAIN, MAIL, LATIN1)
    originals, uidls = retrieved(server, user, True)
    texts, same_uidls = retrieved(server, user, False)
    assert uidls == same_uidls
    # Only the one that is internationalised is touched.
    assert (texts[0], texts[2]) == (originals[0], originals[2])
    assert header_of(texts[1]).isascii()
    assert max(map(len, header_of(texts[1]).split(b'\r\n'))) <= 78
    assert body_of(texts[1]) == body_of(originals[1])
    mail = email.message_from_bytes(texts[1], policy=email.policy.default)
    assert mail.defects == []
    assert mail['Subject'] == '郵便 for you: grün und schön'
    sender, = mail['From'].addresses
    assert (sender.display_name, sender.addr_spec) == ('鈴木一郎', 'suzuki@example.jp')
    lost, kept, plain = mail['To'].addresses
    assert (lost.display_name, lost.addr_spec) == ('佐藤@例え.jp', NOBODY)
    assert (kept.display_name, kept.addr_spec) == ('Jörg, M.', 'j@example.org')
    assert plain.addr_spec == 'plain@example.org'
    assert mail['X-Note'] is None
    assert mail['Message-ID'] == '<1@example.jp>'
    assert mail.get_content_type() == 'text/plain'
    assert mail.get_filename() is None
    assert mail.get_content() == '本文です。\r\n.dot\r\n..\r\n'


def test_poplib(server):
    """Python's client, which asks for UTF8 by its own method."""
    user = server.user()
    server.deliver(user, MAIL)
    for utf8 in (False, True):
        pop = poplib.POP3('127.0.0.1', server.pop3.number, timeout=PATIENCE)
        if utf8:
            pop.utf8()
        pop.user(user)
        pop.pass_(PASSWORD)
        _, lines, octets = pop.retr(1)
        assert octets == pop.stat()[1]
        assert ('Subject: 郵便 for you: grün und schön'.encode() in lines) == utf8
        pop.quit()


@pytest.mark.parametrize('window', [None, 2048])
def test_many_and_slow(server, window):
    """Downgraded again from where the socket had taken it, whatever it takes at a time."""
    user = server.user()
    big = MAIL + ('長い本文 ' * 20 + '\r\n').encode() * 2000
    more = b''.join(b'X-Field-%d: ' % i + b'v' * 60 + b'\r\n' for i in range(300))
    server.deliver(user, *[more + big] * 3, MAIL)
    with server.wire(user, window=window, at_once=1000 if window else 1 << 20) as wire:
        sizes = wire.sizes()
        wire.send(b''.join(b'RETR %d\r\n' % n for n in sizes))
        for n, octets in sizes.items():
            assert wire.ok().startswith(f'{octets} ')
            text = wire.octets()
            assert len(text) == octets
            assert header_of(text).isascii()
            assert body_of(text) == body_of(MAIL if n == 4 else big)
        wire.quit()


def test_sizes_are_right_after_delete_and_rset(server):
    user = server.user()
    server.deliver(user, MAIL, PLAIN, MAIL)
    with server.wire(user) as wire:
        sizes = wire.sizes()
        wire.ok('DELE 1')
        assert wire.stat() == (2, sizes[2] + sizes[3])
        wire.ok('RSET')
        assert wire.stat() == (3, sum(sizes.values()))
        wire.ok('DELE 3')
        wire.quit()
    texts, _ = retrieved(server, user, False)
    assert [len(text) for text in texts] == [sizes[1], sizes[2]]
    retrieved(server, user, True)


# -- where it comes from --

FOREIGN = {
    'in LF': (MAIL.replace(b'\r\n', b'\n'), '1700000000.M1P1.other'),
    'in CRLF': (MAIL, '1700000000.M1P1.other'),
    'a header alone': ('Subject: é'.encode(), '1700000000.M1P1.other'),
}


@pytest.mark.parametrize('name', FOREIGN)
def test_delivered_by_another_program(server, name):
    """Counted when it is listed, and so looked at."""
    octets, file = FOREIGN[name]
    user = server.user()
    server.store(user, octets, file)
    [text], _ = retrieved(server, user, False)
    assert text.isascii() or header_of(text).isascii()
    assert b'=?UTF-8?B?' in text
    [original], _ = retrieved(server, user, True)
    wanted = octets.replace(b'\r\n', b'\n').replace(b'\n', b'\r\n')
    assert original == wanted + (b'' if wanted.endswith(b'\n') else b'\r\n')


def test_sizes_in_a_name_are_believed(server):
    """Nothing is read of it before it is sent, and so it is what it always was."""
    user = server.user()
    server.store(user, MAIL, f'1700000000.M1P1.other,S={len(MAIL)},W={len(MAIL)}')
    assert retrieved(server, user, False)[0] == [MAIL]


def test_index_made_anew(server):
    """From the names alone: what was found at delivery stands there."""
    user = server.user()
    server.deliver(user, MAIL, PLAIN)
    before = retrieved(server, user, False)
    (server.mail / user / 'restante.index').unlink()
    assert retrieved(server, user, False) == before
    for path in (server.mail / user / 'new').iterdir():
        path.rename(path.parent.parent / 'cur' / (path.name + ':2,S'))
    assert retrieved(server, user, False) == before


def test_smtputf8_addresses(make_daemon):
    """Return-Path and Delivered-To with UTF-8 are ours to leave out; in each copy its own."""
    daemon = make_daemon(lmtp_delivered_to='each')
    daemon.add_users('grün', 'plain')
    with Lmtp(daemon.lmtp) as client:
        client.hello()
        replies = client.deliver(PLAIN, 'grün@example.org', 'plain@example.org',
                                 sender='schön@example.net', parameters=' SMTPUTF8')
        assert [r.code for r in replies] == [250] * 2
    for user in ('grün', 'plain'):
        [original], _ = retrieved(daemon, user, True)
        assert original.startswith(f'Return-Path: <schön@example.net>\r\n'
                                   f'Delivered-To: {user}@example.org\r\n'.encode())
        [text], _ = retrieved(daemon, user, False)
        assert header_of(text).isascii()
        assert text.endswith(PLAIN)
        assert (b'Delivered-To: plain@example.org\r\n' in text) == (user == 'plain')


def test_switched_off(make_daemon):
    daemon = make_daemon(utf8_downgrade=False, lmtp_delivered_to='never')
    user = daemon.user()
    daemon.deliver(user, MAIL)
    assert retrieved(daemon, user, False) == retrieved(daemon, user, True)
    assert retrieved(daemon, user, False)[0][0].endswith(MAIL)


def test_in_memory(make_daemon):
    daemon = make_daemon(store_driver='mem')
    user = daemon.user()
    daemon.deliver(user, MAIL, PLAIN)
    assert header_of(retrieved(daemon, user, False)[0][0]).isascii()
    assert retrieved(daemon, user, True)[0][0].endswith(MAIL)


# -- names and passwords --

def test_names_and_passwords_in_utf8(make_daemon):
    """However they are composed: SASLprep makes one of them (RFC 6856 section 2.2)."""
    daemon = make_daemon()
    password = 'pässword-5'
    daemon.secrets.add(password)
    daemon.write_users({'grün': '{PLAIN}' + unicodedata.normalize('NFC', password)})
    for form in ('NFC', 'NFD'):
        with daemon.wire() as wire:
            wire.ok('UTF8')
            wire.login(unicodedata.normalize(form, 'Grün'), unicodedata.normalize(form, password))
            wire.quit()
