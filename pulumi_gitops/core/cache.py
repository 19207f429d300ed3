# SPDX-License-Identifier: Apache-2.0
"""Where downloaded manifests and built tools are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return the cache folder of this user; it may not exist yet.

    ``$PULUMI_GITOPS_CACHE`` when it is set; otherwise ``pulumi-gitops`` in ``$XDG_CACHE_HOME`` (default ``~/.cache``,
    as the XDG base directory specification has it). Everything in it can be deleted: it is made again when needed.
    """
    if chosen := os.environ.get("PULUMI_GITOPS_CACHE"):
        return Path(chosen).expanduser().absolute()
    # The specification tells to ignore a relative path.
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "pulumi-gitops"
