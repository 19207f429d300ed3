# SPDX-License-Identifier: Apache-2.0
"""A local control plane of real parts: no Docker, no root, no cluster needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.later import load_later

if TYPE_CHECKING:
    from .builder import bin_dir, build, tool_path
    from .flux_manifests import flux_crds, flux_manifest
    from .flux_operator_host import flux_operator_manifest
    from .gitserver import GitServer
    from .sandbox import ProcessStatus, Sandbox

__all__ = [
    "GitServer",
    "ProcessStatus",
    "Sandbox",
    "bin_dir",
    "build",
    "flux_crds",
    "flux_manifest",
    "flux_operator_manifest",
    "tool_path",
]

# The processes of a sandbox are modules of this package, and start faster without the rest.
__getattr__ = load_later(
    __name__,
    {
        "GitServer": "gitserver",
        "ProcessStatus": "sandbox",
        "Sandbox": "sandbox",
        "bin_dir": "builder",
        "build": "builder",
        "flux_crds": "flux_manifests",
        "flux_manifest": "flux_manifests",
        "flux_operator_manifest": "flux_operator_host",
        "tool_path": "builder",
    },
)
