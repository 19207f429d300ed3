# SPDX-License-Identifier: Apache-2.0
"""A local control plane of real parts: no Docker, no root, no cluster needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

_WHERE = {
    "GitServer": "gitserver",
    "ProcessStatus": "sandbox",
    "Sandbox": "sandbox",
    "bin_dir": "builder",
    "build": "builder",
    "flux_crds": "flux_manifests",
    "flux_manifest": "flux_manifests",
    "flux_operator_manifest": "flux_operator_host",
    "tool_path": "builder",
}


def __getattr__(name: str) -> Any:
    """Import late: the processes of a sandbox are modules of this package, and start faster without the rest."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f".{_WHERE[name]}", __name__), name)
