# SPDX-License-Identifier: MIT
"""The black-box tests' harness, for tests that break what it starts."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'blackbox'))

from harness import running  # pylint: disable=wrong-import-position


@pytest.fixture
def make_daemon():
    with running() as start:
        yield start
