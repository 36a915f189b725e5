# SPDX-License-Identifier: MIT
"""A client that says to an LMTP server exactly what a test wants said, and no word of its own."""
import re

from wire import Wire

# RFC 2034 section 4: behind the code of every reply but these, its class the reply's.
ENHANCED = re.compile(rb'([245])\d\d[ -]\1\.\d{1,3}\.\d{1,3} .')


class Reply:
    """One reply: its code, its enhanced code ('' without one), and its lines without their ends."""

    def __init__(self, lines):
        self.lines = lines
        self.code = int(lines[-1][:3])
        self.enhanced = (lines[-1].split(b' ')[1].decode() if ENHANCED.match(lines[-1]) else '')

    def __repr__(self):
        return repr(self.lines)


class Lmtp(Wire):
    """A connection, to a UNIX socket (a path) or to TCP (host, port), whose greeting is read."""

    def __init__(self, address):
        super().__init__(address)
        self.greeting = self.reply()
        assert self.greeting.code == 220

    def reply(self):
        lines = []
        while not lines or lines[-1][3:4] == b'-':
            lines.append(self.line())
            assert re.match(rb'[2345]\d\d[ -]', lines[-1]), lines
            assert len(lines[-1]) + 2 <= 512  # RFC 5321 section 4.5.3.1.5
            assert lines[-1][:3] == lines[0][:3]
        return Reply(lines)

    def replies(self, n):
        return [self.reply() for _ in range(n)]

    def say(self, line):
        """Sends a command, and returns the reply."""
        self.command(line)
        return self.reply()

    def hello(self):
        reply = self.say('LHLO client.example')
        assert reply.code == 250
        return reply

    def begin(self, *recipients, sender='sender@example.net', parameters=''):
        """MAIL and RCPTs, each of which must succeed, in one packet; DATA, up to its 354."""
        self.send((f'MAIL FROM:<{sender}>{parameters}\r\n' +
                   ''.join(f'RCPT TO:<{r}>\r\n' for r in recipients) + 'DATA\r\n').encode())
        codes = [r.code for r in self.replies(len(recipients) + 2)]
        assert codes == [250] * (len(recipients) + 1) + [354]

    def deliver(self, message, *recipients, **how):
        """A whole transaction. message has CRLFs and no stuffing; the replies, one a recipient."""
        self.begin(*recipients, **how)
        self.send(stuff(message))
        return self.replies(len(recipients))


def stuff(message):
    """Dots doubled, and the end."""
    assert message == b'' or message.endswith(b'\r\n')
    stuffed = message.replace(b'\r\n.', b'\r\n..')
    return (b'.' if message.startswith(b'.') else b'') + stuffed + b'.\r\n'
