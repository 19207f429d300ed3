# SPDX-License-Identifier: Apache-2.0
"""The engine: one implementation behind the Pulumi package, the Ansible collection and the CLI.

Importing it starts no process, opens no connection and imports neither pulumi nor ansible.
"""

from __future__ import annotations

__version__ = "0.1.0"
