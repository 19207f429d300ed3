# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change at any time.

"""What the modules for what a controller is wired with share; their documentation is in doc_fragments/_wiring.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.iac.gitops.plugins.module_utils._common import CONTROLLER, STATE, EngineModule

if TYPE_CHECKING:
    from collections.abc import Sequence

IDENTITY = {
    "controller": CONTROLLER,
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str"},
    "state": STATE,
}
REMOVAL = {"wait_timeout": {"type": "int", "default": 60}}


def identity_for(controller: str) -> dict[str, Any]:
    """Return the options that name what only one controller has."""
    return {**IDENTITY, "controller": {"type": "str", "default": controller, "choices": [controller]}}


class WiringModule(EngineModule):
    """A module for what is wired: declared with all of its options, removed by its name."""

    def identified(self, kind: type, **more: Any) -> Any:
        """Make a dataclass of the engine from what names the object, and values for what it insists on besides."""
        given = {name: self.params[name] for name in ("controller", "name", "namespace")}
        return kind(**{name: value for name, value in given.items() if value is not None}, **more)


class ObjectsModule(WiringModule):
    """A module for what is nothing but a few objects: nothing is awaited but their removal."""

    # Name of its dataclass in pulumi_gitops.core.controllers.
    kind: str

    def unwanted(self, kind: type) -> Sequence[Any]:
        """Return what has to go: all that may have been made under this name, whatever its other options were."""
        return [self.identified(kind)]

    def work(self) -> dict[str, Any]:
        """Declare or remove it."""
        from pulumi_gitops.core import controllers
        from pulumi_gitops.core.cluster import connect

        kind = getattr(controllers, self.kind)
        if self.params["state"] == "present":
            spec = self.spec(kind)
            with connect(self.connection()) as cluster:
                return self.report(controllers.apply_wiring(cluster, spec, check=self.check_mode))
        specs, timeout = self.unwanted(kind), self.params["wait_timeout"]
        with connect(self.connection()) as cluster:
            return self.report(
                change
                for spec in specs
                for change in controllers.remove_wiring(cluster, spec, check=self.check_mode, wait_timeout=timeout)
            )
