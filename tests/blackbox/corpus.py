# SPDX-License-Identifier: MIT
"""Real mail to send about: tools/corpus's, in the form in which it crosses a wire."""
import functools
import re
import subprocess
from pathlib import Path

from harness import ROOT


@functools.cache
def folder():
    """Fetched when it is first wanted. Without a network, a few dozen mails stand in for it."""
    run = subprocess.run([str(ROOT / 'tools/corpus')], stdout=subprocess.PIPE, text=True, check=True)
    return Path(run.stdout.strip())


def is_whole():
    return len(list(folder().iterdir())) > 6000


def wire_form(octets):
    """
    Lines end in CRLF, the last one too. A CR that stands alone can't be in a mail on the wire: a
    handful of spam has some, and they become spaces, as Postfix does it.
    """
    lines = octets.replace(b'\r\n', b'\n').replace(b'\r', b' ').split(b'\n')
    if lines[-1] == b'':
        lines.pop()
    return b''.join(line + b'\r\n' for line in lines)


@functools.cache
def mails():
    """[(name, octets)], always in the same order."""
    return [(path.name, wire_form(path.read_bytes())) for path in sorted(folder().iterdir())]


def spread(n):
    """n mails from all over the corpus, or all there are."""
    every = mails()
    return every[::max(1, len(every) // n)][:n]


def has_odd_header(octets):
    """A line in the header that is none: an MTA mends that."""
    header = octets.split(b'\r\n\r\n', 1)[0]
    return any(not re.match(rb'[!-9;-~]+[ \t]*:|[ \t]', line) for line in header.split(b'\r\n'))
