# SPDX-License-Identifier: MIT
"""Clients that want to break something: the server, its other sessions, or its log."""
import pytest


@pytest.mark.parametrize('command', ['USER ', 'APOP ', 'PASS ', 'XXXX '])
def test_long_command_behind_the_rest_of_a_long_line(shared, command):
    """AUTH may be longer than other lines. What only looks like AUTH mustn't make others so."""
    wire = shared.wire()
    wire.ok('USER nobody')
    wire.send(b'A' * 255 + b'AUTH x\r\n' + command.encode() + b'u' * 9000 + b'\r\n')
    assert 'too long' in wire.err()
    assert 'too long' in wire.err()
    wire.ok('CAPA')
    wire.octets()
    wire.quit()
