# SPDX-License-Identifier: Apache-2.0
"""``gitops:index:Sync``: make a controller sync an application, and wait for a revision."""

from __future__ import annotations

from typing import ClassVar

from ...core.controllers import SyncResult, SyncSpec, sync
from ...core.errors import InputError
from .base import Context, Values, option


class Sync:
    """Runs when it is created and whenever an input changes; deleting it does nothing."""

    outputs: ClassVar[tuple[str, ...]] = ("revision", "sync", "health")
    replaces: ClassVar[frozenset[str]] = frozenset({"application", "namespace", "controller"})
    represented: ClassVar[frozenset[str]] = frozenset()
    keyed: ClassVar[frozenset[str]] = frozenset()
    ignored: ClassVar[frozenset[str]] = frozenset({"waitTimeout"})

    def secret_inputs(self, inputs: Values) -> frozenset[str]:
        """Return the inputs that are secret in any case."""
        return frozenset()

    def check(self, inputs: Values, context: Context) -> Values:
        """Fill in the controller."""
        if "application" not in inputs:
            raise InputError("Sync needs application", details={"property": "application"})
        return {"controller": "argocd", **inputs}

    def create(self, inputs: Values, context: Context) -> tuple[str, Values]:
        """Sync and wait."""
        return f"{inputs['controller']}/{inputs['application']}", self._sync(inputs, context)

    def update(self, identity: str, inputs: Values, state: Values, context: Context) -> Values:
        """Sync and wait."""
        return self._sync(inputs, context)

    def _sync(self, inputs: Values, context: Context) -> Values:
        spec = SyncSpec(
            controller=inputs["controller"],
            name=inputs["application"],
            revision=inputs.get("revision"),
            namespace=inputs.get("namespace"),
            wait_timeout=float(option(inputs, "waitTimeout", 300)),
        )
        with context.connect() as cluster:
            result: SyncResult = sync(cluster, spec, progress=context.progress)
        return {"revision": result.revision, "sync": str(result.sync), "health": str(result.health)}

    def read(self, identity: str, inputs: Values, state: Values, context: Context) -> tuple[Values, Values] | None:
        """Keep the state: a sync is something that happened."""
        return inputs, {name: state.get(name) for name in self.outputs}

    def delete(self, identity: str, state: Values, context: Context) -> None:
        """Do nothing."""
