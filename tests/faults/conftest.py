# SPDX-License-Identifier: MIT
"""The black-box tests' harness, for tests that break what it starts."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'blackbox'))

# pylint: disable=wrong-import-position,unused-import
from fixtures import bad_server, certificate, client, make_daemon
