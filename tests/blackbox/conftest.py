# SPDX-License-Identifier: MIT
"""What pytest looks here for."""
# pylint: disable=unused-import
from fixtures import bad_server, both, certificate, client, daemon, make_daemon, shared
