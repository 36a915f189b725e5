# SPDX-License-Identifier: MIT
"""LANG (RFC 6856 section 3): the server's words, in the language that the client asks for."""
import pytest

from harness import PASSWORD

LANGUAGES = ['i-default English', 'en English', 'ja 日本語']


class Talk:
    """Replies as UTF-8, which Wire's own take for ASCII: nothing else may hold any."""

    def __init__(self, wire):
        self.wire = wire

    def say(self, text):
        self.wire.command(text)
        line = self.wire.line()
        assert len(line) + 2 <= 512  # RFC 2449 section 4
        return line.decode('utf-8')

    def lines(self, text):
        first = self.say(text)
        assert first.startswith('+OK')
        return self.wire.octets().decode('utf-8').splitlines()


@pytest.fixture
def talk(shared):
    with shared.wire() as wire:
        yield Talk(wire)


def is_japanese(text):
    return any(ord(c) > 0x3000 for c in text)


def test_capa_announces_it(shared):
    user = shared.user()
    with shared.wire() as wire:
        assert 'LANG' in wire.multi('CAPA')
        wire.login(user, PASSWORD)
        assert 'LANG' in wire.multi('CAPA')
        wire.quit()


def test_list(talk):
    assert talk.lines('LANG') == LANGUAGES
    assert talk.say('LANG ja').startswith('+OK ja ')
    assert is_japanese(talk.say('CAPA'))
    talk.wire.octets()
    assert talk.lines('LANG') == LANGUAGES


@pytest.mark.parametrize('asked,tag', [('ja', 'ja'), ('JA', 'ja'), ('ja-JP', 'ja'), ('en', 'en'),
                                       ('en-GB', 'en'), ('i-default', 'i-default'),
                                       ('*', 'i-default')])
def test_change(talk, asked, tag):
    reply = talk.say(f'LANG {asked}')
    assert reply.startswith(f'+OK {tag} ')
    assert is_japanese(reply) == (tag == 'ja')
    assert is_japanese(talk.say('FROB')) == (tag == 'ja')


@pytest.mark.parametrize('asked', ['de', 'jam', 'i-klingon', 'ja_JP', '-', 'j' * 9, 'ja en', '日本語'])
def test_unknown(talk, asked):
    """-ERR, in the language that was spoken, which goes on."""
    assert talk.say(f'LANG {asked}').startswith('-ERR ')
    assert not is_japanese(talk.say('FROB'))
    assert talk.say('LANG ja').startswith('+OK ja ')
    reply = talk.say(f'LANG {asked}')
    assert reply.startswith('-ERR ') and is_japanese(reply)
    assert is_japanese(talk.say('FROB'))


def test_default_is_ascii(talk):
    for line in ('LANG', 'CAPA'):
        talk.wire.ok(line)
        talk.wire.octets()
    for line in ('FROB', 'PASS x', 'LIST', 'LANG de'):
        talk.wire.err(line)


def test_a_session_in_japanese(shared):
    """Every word, and the numbers and codes that programs read as they are in English."""
    user = shared.user()
    shared.deliver(user, b'Subject: x\r\n\r\ny\r\n', b'Subject: z\r\n\r\n')
    with shared.wire() as wire:
        talk = Talk(wire)
        talk.say('LANG ja')
        assert is_japanese(talk.say('PASS x'))
        assert is_japanese(talk.say(f'USER {user}'))
        wrong = talk.say('PASS wrong-password')
        assert wrong.startswith('-ERR [AUTH] ') and is_japanese(wrong)
        assert is_japanese(talk.say(f'USER {user}'))
        login = talk.say(f'PASS {PASSWORD}')
        assert login.startswith('+OK 2 ') and is_japanese(login)
        # RFC 6856: the language outlives login.
        with shared.wire() as other:
            other.ok(f'USER {user}')
            other.command(f'PASS {PASSWORD}')
            assert other.line().startswith(b'-ERR [IN-USE] another session')
        count, octets = map(int, talk.say('STAT').split()[1:])
        assert count == 2
        begin = talk.say('LIST')
        assert begin.startswith(f'+OK 2 通 ({octets} ')
        sizes = wire.octets().decode('ascii').split()
        assert talk.say('LIST 1') == f'+OK 1 {sizes[1]}'
        retr = talk.say('RETR 1')
        assert retr.startswith(f'+OK {sizes[1]} ') and is_japanese(retr)
        assert len(wire.octets()) == int(sizes[1])
        assert '1' in talk.say('DELE 1')
        for line in ('DELE 1', 'RETR 3', 'LIST 0', 'TOP 1', 'NOOP x', 'USER x', 'RETR 1'):
            reply = talk.say(line)
            assert reply.startswith('-ERR ') and is_japanese(reply), reply
        assert 'RETR' in talk.say('RETR 3')
        assert is_japanese(talk.say('RSET'))
        assert is_japanese(talk.say('QUIT'))
        assert wire.rest() == b''


def test_stls_forgets_it(shared):
    """As all that was said in clear (RFC 2595 section 4)."""
    with shared.wire() as wire:
        talk = Talk(wire)
        talk.say('LANG ja')
        assert is_japanese(talk.say('STLS'))
        wire.start_tls(shared.context())
        assert not is_japanese(talk.say('FROB'))


def test_pipelined(talk):
    talk.wire.send(b'LANG ja\r\nFROB\r\nLANG en\r\nFROB\r\nLANG\r\n')
    replies = [talk.wire.line().decode() for _ in range(5)]
    assert [is_japanese(reply) for reply in replies] == [True, True, False, False, False]
    assert talk.wire.octets().decode().splitlines() == LANGUAGES
