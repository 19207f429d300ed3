# SPDX-License-Identifier: Apache-2.0
"""How wiring objects are marked as made by one of our faces."""

from __future__ import annotations

from ..objects import KubeObject, labels_of

MANAGED_BY = {"app.kubernetes.io/managed-by": "pulumi-gitops"}


def is_ours(obj: KubeObject) -> bool:
    """Tell whether one of our faces made a wiring object."""
    return MANAGED_BY.items() <= labels_of(obj).items()
