# SPDX-License-Identifier: Apache-2.0
"""``gitops:index:Controller``: an installed GitOps controller."""

from __future__ import annotations

from typing import ClassVar

from ...core.controllers import ControllerSpec, controller_release, install, uninstall
from ...core.controllers.install import VERSION_FACT
from ...core.deploy import read_release
from ...core.errors import GitOpsError
from ..values import UNKNOWN, Path, has_unknown
from . import records
from .base import Context, PartialFailureError, Values, option

# What the manifests are rendered from; ``objects`` tells what it leads to.
_RENDERING = frozenset({"manifests", "checksum", "patches", "registry", "imagePullSecret"})


class Controller:
    """Installs by the engine: one resource for the whole manifest, with a difference per object."""

    outputs: ClassVar[tuple[str, ...]] = ("version", "revision", "digest", "inventory")
    replaces: ClassVar[frozenset[str]] = frozenset({"controller", "namespace"})
    keyed: ClassVar[frozenset[str]] = frozenset({"objects"})
    ignored: ClassVar[frozenset[str]] = _RENDERING | {"wait", "waitTimeout"}
    resumable: ClassVar[bool] = True

    def secrets(self, inputs: Values) -> frozenset[Path]:
        """Nothing is secret in any case."""
        return frozenset()

    def check(self, inputs: Values, context: Context) -> Values:
        """Render the manifests: fill in version, namespace and one line per object, and forget their text."""
        checked = {"controller": "argocd", **inputs}
        if any(has_unknown(checked.get(name)) for name in (*_RENDERING, "version", "namespace", "controller")):
            return {**checked, "objects": UNKNOWN}
        release, version = controller_release(_spec(checked))
        objects = records.objects_of(release.objects, release.namespace)
        filled = {**checked, "namespace": release.namespace, "objects": objects}
        return {**filled, "version": version} if version else filled

    def compared(self, old: Values, new: Values) -> tuple[Values, Values]:
        """Compare the inputs."""
        return old, new

    def preview(self, inputs: Values, context: Context) -> Values:
        """Return the version, which Check has filled in."""
        return {"version": inputs["version"]} if "version" in inputs else {}

    def identity(self, inputs: Values) -> str:
        """Return ``namespace/controller``."""
        return records.identity(inputs["controller"], inputs["namespace"])

    def create(self, inputs: Values, context: Context) -> Values:
        """Install, or take over what is installed."""
        spec = _spec(inputs)
        with context.connect() as cluster:
            try:
                result = install(cluster, spec, progress=context.progress)
            except GitOpsError as error:
                failed = records.failed(cluster, spec.name, spec.target_namespace, error)
                if failed is None:
                    raise
                failed.outputs["version"] = spec.version or ""
                raise failed from error
        return {"version": result.version, **records.outputs(result)}

    def update(self, inputs: Values, state: Values, context: Context) -> Values:
        """Upgrade, or repair."""
        return self.create(inputs, context)

    def read(self, identity: str, inputs: Values, state: Values, context: Context) -> tuple[Values, Values] | None:
        """Compare the cluster with what was installed."""
        name, namespace = records.parse_identity(identity)
        with context.connect() as cluster:
            found = read_release(cluster, name, namespace)
        if found is None:
            return None
        objects = records.observed(found, inputs.get("objects") or {}, state.get("inventory") or {})
        read = {"controller": name, "namespace": namespace, **inputs, "objects": objects}
        outputs = {"version": found.facts.get(VERSION_FACT, ""), **records.outputs(found)}
        problem = records.problem(found)
        if problem is not None:
            raise PartialFailureError(outputs, problem, read)
        return read, outputs

    def delete(self, identity: str, state: Values, context: Context) -> None:
        """Remove the controller, its CRDs, and the namespace if it was created for it."""
        name, namespace = records.parse_identity(identity)
        timeout = float(option(state, "waitTimeout", 300))
        with context.connect() as cluster:
            uninstall(
                cluster,
                ControllerSpec(name=name, namespace=namespace, wait_timeout=timeout, source="pulumi"),
                progress=context.progress,
            )


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
