# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change at any time.

from __future__ import annotations


class ModuleDocFragment:
    """Options that say how to reach a Git repository."""

    DOCUMENTATION = r"""
options:
  url:
    description: HTTP(S) URL of the repository, without credentials.
    type: str
    required: true
  username:
    description: User name. Servers that take a token as password mostly ignore it.
    type: str
  password:
    description: Password or token. Without it the repository is accessed anonymously.
    type: str
  ca_cert:
    description: Path of the CA certificates (PEM) to verify the Git server with, instead of those of the system.
    type: path
requirements:
  - python >= 3.11
  - pulumi-gitops ~= 0.1.0
  - git >= 2.32
"""
