# SPDX-License-Identifier: Apache-2.0
"""``gitops:index:Sync``: make a controller sync an application, and wait for a revision."""

from __future__ import annotations

from typing import ClassVar

from ...core.controllers import SyncSpec, sync
from ...core.errors import SyncFailedError, SyncTimeoutError
from ..values import Path
from .base import Context, PartialFailureError, Values, option


class Sync:
    """Runs when it is created and whenever an input changes; deleting it does nothing.

    One that failed is kept as such and runs again with the next update, whatever its inputs are then: the change that
    it was to wait for may have been taken back.
    """

    outputs: ClassVar[tuple[str, ...]] = ("revision", "sync", "health")
    replaces: ClassVar[frozenset[str]] = frozenset({"application", "kind", "namespace", "controller"})
    keyed: ClassVar[frozenset[str]] = frozenset()
    ignored: ClassVar[frozenset[str]] = frozenset({"waitTimeout"})
    resumable: ClassVar[bool] = True

    def secrets(self, inputs: Values) -> frozenset[Path]:
        """Nothing is secret in any case."""
        return frozenset()

    def check(self, inputs: Values, context: Context) -> Values:
        """Fill in the controller."""
        return {"controller": "argocd", **inputs}

    def compared(self, old: Values, new: Values) -> tuple[Values, Values]:
        """Compare the inputs."""
        return old, new

    def preview(self, inputs: Values, context: Context) -> Values:
        """Nothing is known before the controller has looked: a branch is not the commit that it leads to."""
        return {}

    def identity(self, inputs: Values) -> str:
        """Return ``controller/application``."""
        return f"{inputs['controller']}/{inputs['application']}"

    def create(self, inputs: Values, context: Context) -> Values:
        """Sync and wait."""
        spec = SyncSpec(
            controller=inputs["controller"],
            name=inputs["application"],
            kind=option(inputs, "kind", "application"),
            revision=inputs.get("revision"),
            namespace=inputs.get("namespace"),
            wait_timeout=float(option(inputs, "waitTimeout", 300)),
        )
        with context.connect() as cluster:
            try:
                result = sync(cluster, spec, progress=context.progress)
            except (SyncFailedError, SyncTimeoutError) as error:
                raise PartialFailureError(dict.fromkeys(self.outputs, ""), error) from error
        return {"revision": result.revision, "sync": str(result.sync), "health": str(result.health)}

    def update(self, inputs: Values, state: Values, context: Context) -> Values:
        """Sync and wait."""
        return self.create(inputs, context)

    def read(self, identity: str, inputs: Values, state: Values, context: Context) -> tuple[Values, Values] | None:
        """Keep the state: a sync is something that happened. There is nothing to import."""
        if not inputs:
            return None
        outputs = {name: state.get(name) for name in self.outputs}
        if not outputs["sync"]:
            what = f"{option(inputs, 'kind', 'application').replace('_', ' ')} {inputs['application']}"
            failed = SyncFailedError(f"{what} was not synced", hint="The next update tries again.")
            raise PartialFailureError(outputs, failed, inputs)
        return inputs, outputs

    def delete(self, identity: str, state: Values, context: Context) -> None:
        """Do nothing."""
