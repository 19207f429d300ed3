# SPDX-License-Identifier: Apache-2.0
"""``gitops:index:Release``: a push-style deployment."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, ClassVar

from ...core.deploy import DeployResult, ForceConflicts, ReleaseSpec, deploy, read_release, remove, summarize
from ...core.deploy.prepare import custom_kinds
from ...core.errors import GitOpsError, InputError
from ...core.objects import KubeObject, ObjectRef
from ...core.render import as_objects, load_sources, set_images
from ..values import UNKNOWN, has_unknown
from .base import Context, PartialFailureError, Values, option

_SOURCES = frozenset({"definition", "src", "images"})


class Release:
    """Deploys objects, keeps their keys and digests (not their text, if it comes from ``src``), finds drift."""

    outputs: ClassVar[tuple[str, ...]] = ("revision", "digest", "inventory")
    replaces: ClassVar[frozenset[str]] = frozenset({"release", "namespace"})
    represented: ClassVar[frozenset[str]] = _SOURCES
    keyed: ClassVar[frozenset[str]] = frozenset({"objects"})
    ignored: ClassVar[frozenset[str]] = frozenset({"wait", "waitTimeout", "createNamespace", "forceConflicts", "adopt"})

    def secret_inputs(self, inputs: Values) -> frozenset[str]:
        """Return ``definition`` if it holds a Secret: it is kept in the state."""
        return frozenset({"definition"}) if _holds_secret(inputs.get("definition")) else frozenset()

    def check(self, inputs: Values, context: Context) -> Values:
        """Fill in the release's name and, for the diff, one line per object."""
        checked = {"release": context.name, **inputs}
        if ("definition" in checked) == ("src" in checked):
            raise InputError("a Release needs either definition or src", details={"property": "src"})
        if not checked.get("namespace"):
            raise InputError("a Release needs a namespace", details={"property": "namespace"})
        if any(has_unknown(checked.get(name)) for name in (*_SOURCES, "namespace")):
            return {**checked, "objects": UNKNOWN}
        return {**checked, "objects": objects_of(_objects(checked), checked["namespace"])}

    def create(self, inputs: Values, context: Context) -> tuple[str, Values]:
        """Deploy."""
        return f"{inputs['namespace']}/{inputs['release']}", self._deploy(inputs, context)

    def update(self, identity: str, inputs: Values, state: Values, context: Context) -> Values:
        """Deploy again."""
        return self._deploy(inputs, context)

    def _deploy(self, inputs: Values, context: Context) -> Values:
        spec = ReleaseSpec(
            name=inputs["release"],
            namespace=inputs["namespace"],
            objects=_objects(inputs),
            create_namespace=option(inputs, "createNamespace", True),
            prune=option(inputs, "prune", True),
            wait=option(inputs, "wait", True),
            wait_timeout=float(option(inputs, "waitTimeout", 300)),
            force_conflicts=_force(option(inputs, "forceConflicts", "own_fields")),
            adopt=option(inputs, "adopt", False),
            source="pulumi",
        )
        with context.connect() as cluster:
            try:
                return result_outputs(deploy(cluster, spec, progress=context.progress))
            except GitOpsError as error:
                state = read_release(cluster, spec.name, spec.namespace, drift=False)
                if state is None:
                    raise  # nothing was begun
                outputs = {
                    "revision": state.revision,
                    "digest": state.digest,
                    "inventory": [item.ref.key for item in state.inventory],
                }
                raise PartialFailureError(f"{spec.namespace}/{spec.name}", outputs, error) from error

    def read(self, identity: str, inputs: Values, state: Values, context: Context) -> tuple[Values, Values] | None:
        """Compare the cluster with what was applied."""
        namespace, _, name = identity.partition("/")
        with context.connect() as cluster:
            found = read_release(cluster, name, namespace)
        if found is None:
            return None
        base = inputs or {"release": name, "namespace": namespace}
        known = base.get("objects") or {item.ref.key: "not compared" for item in found.inventory}
        objects = {**known, **{key: f"drifted: {how}" for key, how in found.drift.items()}}
        outputs = {
            "revision": found.revision,
            "digest": found.digest,
            "inventory": [item.ref.key for item in found.inventory],
        }
        return {**base, "objects": objects}, outputs

    def delete(self, identity: str, state: Values, context: Context) -> None:
        """Remove what was applied."""
        namespace, _, name = identity.partition("/")
        with context.connect() as cluster:
            remove(
                cluster,
                name,
                namespace,
                wait_timeout=float(option(state, "waitTimeout", 300)),
                delete_namespace=True,
                progress=context.progress,
            )


def _objects(inputs: Values) -> list[KubeObject]:
    objects = as_objects(inputs["definition"]) if "definition" in inputs else load_sources(inputs["src"])
    return set_images(objects, inputs.get("images") or {})


_SECRET_TEXT = re.compile(r"""["']?kind["']?\s*:\s*["']?Secret\b""")


def _holds_secret(definition: Any) -> bool:
    if isinstance(definition, str):
        return bool(_SECRET_TEXT.search(definition))
    if isinstance(definition, dict):
        return definition.get("kind") == "Secret" or _holds_secret(definition.get("items"))
    return isinstance(definition, list) and any(_holds_secret(item) for item in definition)


def _force(value: Any) -> ForceConflicts:
    try:
        return ForceConflicts(value)
    except ValueError as error:
        raise InputError(
            f"forceConflicts: {value!r} is none of {', '.join(ForceConflicts)}", details={"property": "forceConflicts"}
        ) from error


def objects_of(objects: list[KubeObject], namespace: str) -> dict[str, str]:
    """Return key -> summary of a set, with the default namespace where an object names none.

    Without asking the cluster: a cluster-scoped kind is recognised if it is built in or its CRD is in the set, which
    is enough for a key that stays the same between two runs.
    """
    custom = custom_kinds(objects)
    result = {}
    for obj in objects:
        ref = ObjectRef.of(obj)
        if not ref.namespace and custom.get((ref.group, ref.kind), ref.kind not in _CLUSTER_SCOPED):
            ref = dataclasses.replace(ref, namespace=namespace)
        result[ref.key] = summarize(obj)
    return result


def result_outputs(result: DeployResult) -> Values:
    """Return the outputs that a deployment gives."""
    return {
        "revision": result.revision,
        "digest": result.digest,
        "inventory": [item.ref.key for item in result.inventory],
    }


_CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "GatewayClass",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)
