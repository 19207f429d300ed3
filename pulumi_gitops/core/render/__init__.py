# SPDX-License-Identifier: Apache-2.0
"""From what the user names to a list of objects."""

from __future__ import annotations

from .images import repository_of, set_images
from .sources import as_objects, load_sources

__all__ = ["as_objects", "load_sources", "repository_of", "set_images"]
