# SPDX-License-Identifier: Apache-2.0
"""``gitops:index:Controller``: an installed GitOps controller."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Final

from ...components.options import camel
from ...core.cluster import Cluster
from ...core.controllers import ControllerSpec, controller_release, install, uninstall
from ...core.controllers.argocd.admin import ensure_password, settings_ref
from ...core.controllers.catalog import controller as known_controller
from ...core.controllers.presence import DIGEST_FACT, OPERATOR_FACT, VERSION_FACT
from ...core.controllers.weave_gitops.admin import ensure_login, secret_ref
from ...core.deploy import read_release
from ...core.errors import ChecksumMismatchError, GitOpsError, InputError
from ...core.objects import ObjectRef
from ..values import UNKNOWN, Path, has_unknown
from . import records
from .base import Context, PartialFailureError, Values, option

# Input -> option. `name` is the name of the resource, `source` is not for the program to say.
_OPTIONS: Final = {
    camel(name): name
    for name in (field.name for field in dataclasses.fields(ControllerSpec))
    if name not in ("name", "source")
} | {"controller": "name"}
_WAITING: Final = frozenset({"wait", "waitTimeout"})
# Who applies the manifests of Argo CD, which are the same either way, and what is done beside them.
_DELIVERY: Final = frozenset({"selfManage", "adminSecret"})
# What the manifests are rendered from; ``objects`` tells what it leads to.
_RENDERING: Final = frozenset(_OPTIONS) - _WAITING - _DELIVERY - {"controller", "namespace", "version", "method"}


class Controller:
    """Installs by the engine: one resource for the whole manifest, with a difference per object."""

    outputs: ClassVar[tuple[str, ...]] = ("version", "revision", "digest", "inventory", "manifestsDigest")
    replaces: ClassVar[frozenset[str]] = frozenset({"controller", "namespace", "method"})
    keyed: ClassVar[frozenset[str]] = frozenset({"objects"})
    ignored: ClassVar[frozenset[str]] = _RENDERING | _WAITING
    resumable: ClassVar[bool] = True

    def secrets(self, inputs: Values) -> frozenset[Path]:
        """Return where the password of the config repository stands, and the values of a chart."""
        return frozenset({("selfManage", "password"), ("values",)})

    def check(self, inputs: Values, context: Context) -> Values:
        """Render the manifests: fill in version, namespace and one line per object, and forget their text."""
        checked = {"controller": "argocd", **inputs}
        beside = _DELIVERY if checked["controller"] == "argocd" else frozenset[str]()
        if any(has_unknown(checked.get(name)) for name in _OPTIONS.keys() - _WAITING - beside):
            return {**checked, "objects": UNKNOWN}
        known = {name: value for name, value in checked.items() if name not in beside or not has_unknown(value)}
        release, version = controller_release(_spec(known))
        objects = records.objects_of(release.objects, release.namespace)
        told = {"version": version, "operatorVersion": release.facts[OPERATOR_FACT]}
        filled = {**checked, "namespace": release.namespace, "objects": objects}
        return filled | {name: value for name, value in told.items() if value}

    def compared(self, old: Values, new: Values) -> tuple[Values, Values]:
        """Compare the inputs. Of Flux the objects tell how it is installed, which can be changed in place."""
        if new.get("controller") == "flux":
            old, new = ({name: value for name, value in part.items() if name != "method"} for part in (old, new))
        return old, new

    def preview(self, inputs: Values, context: Context) -> Values:
        """Return the version, which Check has filled in."""
        return {"version": inputs["version"]} if "version" in inputs else {}

    def identity(self, inputs: Values) -> str:
        """Return ``namespace/controller``."""
        return records.identity(inputs["controller"], inputs["namespace"])

    def create(self, inputs: Values, context: Context) -> Values:
        """Install, or take over what is installed."""
        return self._install(inputs, "", context)

    def update(self, inputs: Values, state: Values, context: Context) -> Values:
        """Upgrade, or repair."""
        decide = ("version", "method", "operatorVersion")
        same = all(inputs.get(name) == state.get(name) for name in decide) and not inputs.get("checksum")
        return self._install(inputs, state.get("manifestsDigest", "") if same else "", context)

    def _install(self, inputs: Values, expected: str, context: Context) -> Values:
        """Install; `expected` is the digest of manifests that have to be those of an earlier update."""
        spec = _spec(inputs)
        if expected:
            _refuse_other_manifests(spec, expected)
        with context.connect() as cluster:
            try:
                result = install(cluster, spec, progress=context.progress)
            except GitOpsError as error:
                failed = records.failed(cluster, known_controller(spec.name).release, spec.target_namespace, error)
                if failed is None:
                    raise
                failed.outputs["version"] = spec.version or ""
                raise failed from error
            found = read_release(cluster, known_controller(spec.name).release, result.namespace, drift=False)
        digest = found.facts.get(DIGEST_FACT, "") if found else ""
        return {"version": result.version, **records.outputs(result), "manifestsDigest": digest}

    def read(self, identity: str, inputs: Values, state: Values, context: Context) -> tuple[Values, Values] | None:
        """Compare the cluster with what was installed."""
        name, namespace = records.parse_identity(identity)
        with context.connect() as cluster:
            found = read_release(cluster, known_controller(name).release, namespace)
            login, password = _login_problem(cluster, name, inputs.get("adminSecret"), namespace)
        if found is None:
            return None
        objects = records.observed(found, inputs.get("objects") or {}, state.get("inventory") or {})
        if password:
            key = login.key
            objects[key] = f"{objects.get(key, '').partition(records.MARK)[0]}{records.MARK}{password}"
        read = {"controller": name, "namespace": namespace, **inputs, "objects": objects}
        facts = {"version": found.facts.get(VERSION_FACT, ""), "manifestsDigest": found.facts.get(DIGEST_FACT, "")}
        outputs = {**facts, **records.outputs(found)}
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
    given: dict[str, Any] = {name: inputs[key] for key, name in _OPTIONS.items() if inputs.get(key) is not None}
    return ControllerSpec(**given, source="pulumi")


def _login_problem(cluster: Cluster, name: str, secret: str | None, namespace: str) -> tuple[ObjectRef, str]:
    """Return the Secret with the administrator's hash, and why the next update has to write it, "" when it has not."""
    ref = settings_ref(namespace) if name == "argocd" else secret_ref(namespace)
    if secret is None:
        return ref, ""
    try:
        if name == "argocd":
            changes = ensure_password(cluster, secret, namespace, check=True)
        else:
            changes = ensure_login(cluster, secret, namespace, check=True).changes
    except InputError as error:  # the update will say so
        return ref, error.message
    return ref, next((change.reason for change in changes if change.ref == ref and change.changed), "")


def _refuse_other_manifests(spec: ControllerSpec, expected: str) -> None:
    """Refuse manifests of the version in the state that are not those which were installed.

    The record in the cluster tells the same, but not after the cluster was built anew.
    """
    release, version = controller_release(spec)
    found = release.facts.get(DIGEST_FACT)
    if found and found != expected:
        raise ChecksumMismatchError(
            f"the manifests of {spec.name} {version} have sha256 {found}, but {expected} were installed",
            hint="Nothing was applied. If the new content is wanted, look at it and give its checksum.",
            details={"expected": expected, "found": found},
        )
