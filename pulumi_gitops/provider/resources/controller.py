# SPDX-License-Identifier: Apache-2.0
"""``gitops:index:Controller``: an installed GitOps controller."""

from __future__ import annotations

from typing import ClassVar

from ...core.controllers import ControllerSpec, controller_release, install, uninstall
from ...core.controllers.install import VERSION_FACT
from ...core.deploy import read_release
from ...core.errors import GitOpsError
from ..values import UNKNOWN, has_unknown
from .base import Context, PartialFailureError, Values, option
from .release import objects_of

_RENDERING = frozenset({"version", "manifests", "checksum", "patches", "registry", "imagePullSecret"})


class Controller:
    """Installs by the engine: one resource for the whole manifest, with a difference per object."""

    outputs: ClassVar[tuple[str, ...]] = ("version", "revision", "digest", "inventory")
    replaces: ClassVar[frozenset[str]] = frozenset({"controller", "namespace"})
    represented: ClassVar[frozenset[str]] = _RENDERING - {"version"}
    keyed: ClassVar[frozenset[str]] = frozenset({"objects"})
    ignored: ClassVar[frozenset[str]] = frozenset({"wait", "waitTimeout"})

    def secret_inputs(self, inputs: Values) -> frozenset[str]:
        """Return the inputs that are secret in any case."""
        return frozenset()

    def check(self, inputs: Values, context: Context) -> Values:
        """Render the manifests: fill in version, namespace and one line per object, and forget their text."""
        checked = {"controller": "argocd", **inputs}
        if any(has_unknown(checked.get(name)) for name in (*_RENDERING, "namespace", "controller")):
            return {**checked, "objects": UNKNOWN}
        release, version = controller_release(_spec(checked))
        filled = {
            **checked,
            "namespace": release.namespace,
            "objects": objects_of(list(release.objects), release.namespace),
        }
        return {**filled, "version": version} if version else filled

    def create(self, inputs: Values, context: Context) -> tuple[str, Values]:
        """Install, or take over what is installed."""
        spec = _spec(inputs)
        return f"{spec.target_namespace}/{spec.name}", self._install(spec, context)

    def update(self, identity: str, inputs: Values, state: Values, context: Context) -> Values:
        """Upgrade, or repair."""
        return self._install(_spec(inputs), context)

    def _install(self, spec: ControllerSpec, context: Context) -> Values:
        with context.connect() as cluster:
            try:
                result = install(cluster, spec, progress=context.progress)
            except GitOpsError as error:
                state = read_release(cluster, spec.name, spec.target_namespace, drift=False)
                if state is None:
                    raise  # nothing was begun
                outputs = {
                    "version": spec.version or "",
                    "revision": state.revision,
                    "digest": state.digest,
                    "inventory": [item.ref.key for item in state.inventory],
                }
                raise PartialFailureError(f"{spec.target_namespace}/{spec.name}", outputs, error) from error
        return {
            "version": result.version,
            "revision": result.revision,
            "digest": result.digest,
            "inventory": [item.ref.key for item in result.inventory],
        }

    def read(self, identity: str, inputs: Values, state: Values, context: Context) -> tuple[Values, Values] | None:
        """Compare the cluster with what was installed."""
        namespace, _, name = identity.partition("/")
        with context.connect() as cluster:
            found = read_release(cluster, name, namespace)
        if found is None:
            return None
        base = inputs or {"controller": name, "namespace": namespace}
        known = base.get("objects") or {item.ref.key: "not compared" for item in found.inventory}
        objects = {**known, **{key: f"drifted: {how}" for key, how in found.drift.items()}}
        outputs = {
            "version": found.facts.get(VERSION_FACT, ""),
            "revision": found.revision,
            "digest": found.digest,
            "inventory": [item.ref.key for item in found.inventory],
        }
        return {**base, "objects": objects}, outputs

    def delete(self, identity: str, state: Values, context: Context) -> None:
        """Remove the controller, its CRDs, and the namespace if it was created for it."""
        namespace, _, name = identity.partition("/")
        spec = ControllerSpec(
            name=name, namespace=namespace, wait_timeout=float(option(state, "waitTimeout", 300)), source="pulumi"
        )
        with context.connect() as cluster:
            uninstall(cluster, spec, progress=context.progress)


def _spec(inputs: Values) -> ControllerSpec:
    return ControllerSpec(
        name=inputs["controller"],
        version=inputs.get("version"),
        namespace=inputs.get("namespace"),
        manifests=inputs.get("manifests"),
        checksum=inputs.get("checksum"),
        patches=tuple(inputs.get("patches") or ()),
        registry=inputs.get("registry"),
        image_pull_secret=inputs.get("imagePullSecret"),
        wait=option(inputs, "wait", True),
        wait_timeout=float(option(inputs, "waitTimeout", 300)),
        source="pulumi",
    )
