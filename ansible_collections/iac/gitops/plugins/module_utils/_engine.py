# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change at any time.

"""The one place that checks whether the engine is there and fits."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from ansible.module_utils.basic import missing_required_lib

if TYPE_CHECKING:
    from ansible_collections.iac.gitops.plugins.module_utils._common import EngineModule

try:
    from pulumi_gitops import core as engine
except ImportError:
    engine = None
    ENGINE_ERROR = traceback.format_exc()
else:
    ENGINE_ERROR = ""

NEEDED = "0.1"


def require_engine(module: EngineModule) -> None:
    """Fail with one clear message unless an engine of our own major.minor version is installed."""
    if engine is None:
        module.fail_json(
            msg=missing_required_lib(f"pulumi-gitops ~= {NEEDED}.0", reason="to talk to clusters and Git servers"),
            exception=ENGINE_ERROR,
            code="engine.missing",
            hint=f"pip install 'pulumi-gitops ~= {NEEDED}.0' for the Python interpreter of this host.",
        )
    if engine.__version__.split(".")[:2] != NEEDED.split("."):
        module.fail_json(
            msg=f"pulumi-gitops {engine.__version__} is installed, but this collection needs {NEEDED}.x.",
            code="engine.version",
            hint=f"pip install 'pulumi-gitops ~= {NEEDED}.0', or install the collection that came with the package.",
        )
