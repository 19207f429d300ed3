# SPDX-License-Identifier: Apache-2.0
"""A local control plane of real parts: no Docker, no root, no cluster needed."""

from __future__ import annotations

from .build import bin_dir, build, tool_path

__all__ = ["bin_dir", "build", "tool_path"]
