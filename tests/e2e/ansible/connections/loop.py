# SPDX-License-Identifier: Apache-2.0
"""A connection to this host that Ansible takes for one to another host."""

from __future__ import annotations

from ansible.plugins.connection.local import Connection as LocalConnection

DOCUMENTATION = """
name: loop
short_description: A remote host that is this one
description: For tests of what happens on managed nodes.
"""


class Connection(LocalConnection):
    """The local connection under another name."""

    transport = "loop"
