# SPDX-License-Identifier: MIT
"""Mails that stand in for a corpus where there is no network.

Few, but each has something that programs have got wrong: character sets, long lines,
dots, folded and encoded headers, parts in parts, nothing at all. Written as Python, for
octets like these don't survive every editor and version control. Lines end in LF.
"""
import base64
import zlib

ALICE = 'Alice Example <alice@example.org>'
BOB = '"Bob B. Example" <bob@example.org>'
MONDAY = 'Mon, 23 Nov 2026 08:05:12 +0900'


def headers(subject, more='', sender=ALICE, to=BOB):
    return (f'From: {sender}\nTo: {to}\nSubject: {subject}\nDate: {MONDAY}\n'
            f'Message-ID: <{zlib.crc32(subject.encode()):08x}@example.org>\n{more}')


def plain(subject, body):
    """No MIME at all."""
    return (headers(subject) + '\n' + body).encode('ascii')


def text(subject, body, charset, encoding='8bit', codec=None, **more):
    octets = body.encode(codec or charset)
    if encoding == 'base64':
        octets = base64.encodebytes(octets)
    mime = (f'MIME-Version: 1.0\nContent-Type: text/plain; charset={charset}\n'
            f'Content-Transfer-Encoding: {encoding}\n')
    return (headers(subject, mime, **more) + '\n').encode('ascii') + octets


def word(words, charset, codec=None):
    """An encoded word (RFC 2047)."""
    return f'=?{charset}?B?{base64.b64encode(words.encode(codec or charset)).decode()}?='


def part(kind, body, more=''):
    octets = body if isinstance(body, bytes) else body.encode('utf-8')
    return f'Content-Type: {kind}\n{more}\n'.encode('utf-8') + octets


def parts(kind, boundary, *inside):
    line = f'\n--{boundary}'.encode('ascii')
    return (f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\nThis is in MIME.'
            .encode('ascii') + b''.join(line + b'\n' + p for p in inside) + line + b'--\n')


def multipart(subject, kind, boundary, *inside):
    return (headers(subject, 'MIME-Version: 1.0\n').encode('ascii') +
            parts(kind, boundary, *inside))


def attached(name, kind, octets):
    return part(kind, base64.encodebytes(octets),
                f'Content-Disposition: attachment; filename="{name}"\n'
                'Content-Transfer-Encoding: base64\n')


def png(width, height, rows):
    """A picture, from rows of '#' and ' '."""
    def chunk(kind, data):
        return (len(data).to_bytes(4, 'big') + kind + data +
                zlib.crc32(kind + data).to_bytes(4, 'big'))

    raw = b''.join(b'\0' + bytes(0 if c == '#' else 255 for c in row.ljust(width)) for row in rows)
    size = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', size + b'\x08\0\0\0\0') +
            chunk(b'IDAT', zlib.compress(raw)) + chunk(b'IEND', b''))


ENVELOPE = png(16, 9, [
    '################', '##            ##', '# ##        ## #', '#   ##    ##   #',
    '#     ####     #', '#              #', '#              #', '#              #',
    '################'])

JAPANESE = """\
局留めの郵便物をお預かりしています。

 窓口へお越しの際は、ご本人を確認できるものをお持ちください。
 保管期間は到着の翌日から十日間です。

ソ連・表示・能力(二バイト目が 0x5C になる文字)
〒100-0001 東京都千代田区
"""

EVERY_OCTET = bytes(i for i in range(256) if i not in b'\r\n')


def ascii_mails():
    yield 'plain', plain('The counter opens at nine', 'Bring something with your name on it.\n')
    yield 'empty-body', plain('No news', '')
    yield 'no-body-at-all', headers('Not even an empty line').encode('ascii')
    yield 'no-headers', b'\nA body, and nothing in front of it.\n'
    yield 'no-line-end', plain('Cut off', 'The last line has no end')
    yield 'one-octet', b'x'
    yield 'blank-lines', plain('Room to breathe', '\n' * 40 + 'There.\n' + '\n' * 40)
    yield 'trailing-space', plain('Spaces', 'two at the end  \n\ttab\t\n \n  \n')
    yield 'dots', plain('Dots', '.\n..\n...\n.one\n..two\n \n.\n...\n. \nno.dot\n.')
    yield 'dot-at-first', b'.Subject: begins with a dot\n\n.\n'
    yield 'only-dots', b'.\n' * 200
    yield 'commands', plain('Not for you', 'QUIT\nDELE 1\nRSET\n+OK\n-ERR no\n250 OK\nDATA\n')
    yield 'from-lines', plain('From', 'From me to you\n>From the counter\nFrom: nobody\n')
    yield 'long-line', plain('One long line', 'word ' * 4000 + '\n')
    yield 'very-long-line', plain('One very long line', 'x' * 300_000 + '\n')
    yield 'lines-around-1000', plain('998 and 1000', ''.join(
        '.' * n + '\n' for n in (997, 998, 999, 1000, 1001)))
    yield 'many-lines', plain('Counting', ''.join(f'{i} of 9999\n' for i in range(1, 10_000)))
    yield 'folded', plain('Folded', 'See above.\n').replace(
        b'Subject: Folded', b'Subject: This subject\n goes on\n\there,\n  and here')
    yield 'long-header', plain('References', 'A long talk.\n').replace(
        b'Date: ', b'References:' + b''.join(b'\n <%04d@example.org>' % i for i in range(400)) +
        b'\nDate: ')
    yield 'many-recipients', (headers('To all', to=',\n '.join(
        f'user{i} <user{i}@example.org>' for i in range(200))) + '\nHello.\n').encode('ascii')
    yield 'odd-headers', (headers('Odd', 'X-Empty:\nX-Space: \nx-LoWeR: Yes\nX-Colon: a: b: c\n')
                          + '\nA header may be empty.\n').encode('ascii')
    yield 'not-a-header', b'Subject: broken\nthis line is no header\nTo: bob\n\nBut mail it is.\n'
    yield 'bounce', multipart(
        'Undelivered', 'report; report-type=delivery-status', 'bounce',
        part('text/plain', 'Nobody called for it in time.\n'),
        part('message/delivery-status', 'Reporting-MTA: dns; mx.example.org\n\n'
             'Final-Recipient: rfc822; carol@example.org\nAction: failed\nStatus: 4.4.7\n'),
        part('text/rfc822-headers', 'Subject: still waiting\n'))


def charset_mails():
    title = '局留めのお知らせ'
    yield 'iso-2022-jp', text(word(title, 'ISO-2022-JP'), JAPANESE, 'ISO-2022-JP', '7bit')
    yield 'shift-jis', text(word(title, 'Shift_JIS'), JAPANESE, 'Shift_JIS')
    yield 'cp932', text(word('髙島屋 ①', 'Windows-31J', 'cp932'), '髙島屋 ① ㈱ 〜\n', 'Windows-31J',
                        codec='cp932')
    yield 'euc-jp', text(word(title, 'EUC-JP'), JAPANESE, 'EUC-JP')
    yield 'utf-8', text(word(title, 'UTF-8'), JAPANESE, 'UTF-8')
    yield 'utf-8-base64', text(word(title, 'UTF-8'), JAPANESE, 'UTF-8', 'base64')
    yield 'half-width-kana', text('ISO-2022-JP with kana', 'ハンカク\n', 'ISO-2022-JP', '7bit',
                                  codec='iso2022_jp_ext')
    yield 'raw-utf-8-headers', text('placeholder', JAPANESE, 'UTF-8').replace(
        b'Subject: placeholder', f'Subject: {title}'.encode('utf-8'))
    yield 'long-subject', text(
        '\n '.join(word(f'第{i}号', 'ISO-2022-JP') for i in range(1, 20)), '長い件名\n', 'UTF-8')
    yield 'latin-1', text('=?ISO-8859-1?Q?Gr=FC=DFe_aus_K=F6ln?=', 'Grüße aus Köln\n', 'ISO-8859-1')
    yield 'koi8-r', text(word('До востребования', 'KOI8-R'), 'До востребования\n', 'KOI8-R')
    yield 'gb2312', text(word('存局候领', 'GB2312'), '存局候领\n', 'GB2312')
    yield 'big5', text(word('存局候領', 'Big5'), '存局候領\n', 'Big5')
    yield 'quoted-printable', text('Quoted', 'Caf=E9 =3D coffee, and this line =\ngoes on=20\n',
                                   'ISO-8859-1', 'quoted-printable')
    yield 'emoji', text(word('📮 → 📬', 'UTF-8'), '📮 → 📬 👩‍👩‍👧\n', 'UTF-8')
    yield 'no-charset', plain('Which one?', '').replace(b'\n\n', b'\n\n' + EVERY_OCTET + b'\n')
    yield 'every-octet-begins-a-line', plain('Every octet', '') + b''.join(
        bytes([c]) + b'\n' for c in EVERY_OCTET)


def part_mails():
    yield 'alternative', multipart(
        'Two ways to say it', 'alternative', 'either-or',
        part('text/plain; charset=UTF-8', 'Your parcel is here.\n'),
        part('text/html; charset=UTF-8', '<p>Your <b>parcel</b> is here.</p>\n'))
    yield 'attachment', multipart(
        'A picture of an envelope', 'mixed', '=_outer',
        part('text/plain', 'As promised.\n'), attached('envelope.png', 'image/png', ENVELOPE))
    yield 'japanese-file-name', multipart(
        'A file', 'mixed', 'file', part('text/plain', 'See the file.\n'),
        part('text/plain; name="' + word('封筒.txt', 'ISO-2022-JP') + '"', 'Hello.\n',
             "Content-Disposition: attachment;\n filename*=UTF-8''%E5%B0%81%E7%AD%92.txt\n"))
    yield 'nested', multipart(
        'Parts in parts', 'mixed', 'a',
        parts('alternative', 'ab', part('text/plain', 'plain\n'),
              parts('related', 'abc', part('text/html', '<img src="cid:e">\n'),
                    attached('e.png', 'image/png', ENVELOPE))),
        attached('octets.bin', 'application/octet-stream', bytes(range(256)) * 40))
    yield 'forwarded', multipart(
        'Fwd: forwarded', 'mixed', 'fwd', part('text/plain', 'For your files.\n'),
        part('message/rfc822', plain('forwarded', 'The letter itself.\n.\n')))
    yield 'boundary-in-text', multipart(
        'Nearly a boundary', 'mixed', 'x', part('text/plain', '--\n--xy\n -- x\n--x-\n'))
    yield 'never-closed', multipart('Cut', 'mixed', 'open', part('text/plain', 'Where is\n')
                                    ).replace(b'\n--open--\n', b'')


def all_mails():
    """(name, octets) of each."""
    yield from ascii_mails()
    yield from charset_mails()
    yield from part_mails()
