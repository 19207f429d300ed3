# SPDX-License-Identifier: Apache-2.0
"""How wiring objects are marked as made by one of our faces."""

from __future__ import annotations

from ..deploy.ownership import release_of
from ..deploy.prepare import MANAGED_BY
from ..objects import KubeObject, labels_of

__all__ = ["MANAGED_BY", "is_ours"]


def is_ours(obj: KubeObject) -> bool:
    """Tell whether one of our faces made a wiring object; what a release has made is the release's."""
    return MANAGED_BY.items() <= labels_of(obj).items() and not release_of(obj)
