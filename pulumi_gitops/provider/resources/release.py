# SPDX-License-Identifier: Apache-2.0
"""``gitops:index:Release``: a push-style deployment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from ...core.deploy import ForceConflicts, Ownership, ReleaseSpec, deploy, detect_origin, plan, read_release, remove
from ...core.errors import (
    ClusterConfigError,
    ClusterUnreachableError,
    EmptySetError,
    GitOpsError,
    InputError,
    UnknownKindError,
)
from ...core.objects import KubeObject
from ...core.render import as_objects, load_sources, set_images
from ..values import UNKNOWN, Path, has_unknown
from . import records
from .base import Context, Values, option

_SOURCES = frozenset({"definition", "src", "images"})
# How to work, not what to deploy.
_SETTINGS = frozenset({"wait", "waitTimeout", "createNamespace", "forceConflicts", "ownership"})


class Release:
    """Deploys objects, keeps their keys and digests (not their text, if it comes from ``src``), finds drift."""

    outputs: ClassVar[tuple[str, ...]] = ("revision", "digest", "inventory")
    replaces: ClassVar[frozenset[str]] = frozenset({"release", "namespace"})
    keyed: ClassVar[frozenset[str]] = frozenset({"objects"})
    ignored: ClassVar[frozenset[str]] = _SOURCES | _SETTINGS
    resumable: ClassVar[bool] = True

    def secrets(self, inputs: Values) -> frozenset[Path]:
        """Return where the values of Secrets stand in ``definition``, which is kept in the state."""
        return frozenset(_secret_values(inputs.get("definition"), ("definition",)))

    def check(self, inputs: Values, context: Context) -> Values:
        """Fill in the release's name and, for the diff, one line per object."""
        checked = {"release": context.name, **inputs}
        if ("definition" in checked) == ("src" in checked):
            raise InputError("give either definition or src", details={"property": "definition"})
        _force(checked)
        if any(has_unknown(checked.get(name)) for name in (*_SOURCES, "namespace")):
            return {**checked, "objects": UNKNOWN}
        objects = _objects(checked)
        if not objects:
            raise EmptySetError("the set of objects is empty", details={"property": "definition"})
        return {**checked, "objects": records.objects_of(objects, checked["namespace"])}

    def preview(self, inputs: Values, context: Context) -> Values:
        """Warn of what would fail now: an update before this one in the same run may put it right."""
        if not has_unknown(inputs):
            try:
                with context.connect() as cluster:
                    plan(cluster, _spec(inputs))
            except (ClusterConfigError, ClusterUnreachableError, UnknownKindError):
                pass  # the cluster or the CRD may be made by the same program
            except GitOpsError as error:
                context.warn(f"As things are now, this would fail: {error}")
        return {}

    def identity(self, inputs: Values) -> str:
        """Return ``namespace/release``."""
        return records.identity(inputs["release"], inputs["namespace"])

    def create(self, inputs: Values, context: Context) -> Values:
        """Deploy."""
        spec = _spec(inputs)
        with context.connect() as cluster:
            try:
                return records.outputs(deploy(cluster, spec, progress=context.progress))
            except GitOpsError as error:
                raise records.failed(cluster, spec.name, spec.namespace, error) or error from error

    def update(self, inputs: Values, state: Values, context: Context) -> Values:
        """Deploy again."""
        return self.create(inputs, context)

    def read(self, identity: str, inputs: Values, state: Values, context: Context) -> tuple[Values, Values] | None:
        """Compare the cluster with what was applied."""
        release, namespace = records.parse_identity(identity)
        with context.connect() as cluster:
            found = read_release(cluster, release, namespace)
        if found is None:
            return None
        objects = records.observed(found, inputs.get("objects") or {}, state.get("inventory") or {})
        return {"release": release, "namespace": namespace, **inputs, "objects": objects}, records.outputs(found)

    def delete(self, identity: str, state: Values, context: Context) -> None:
        """Remove what was applied."""
        release, namespace = records.parse_identity(identity)
        timeout = float(option(state, "waitTimeout", 300))
        with context.connect() as cluster:
            remove(cluster, release, namespace, wait_timeout=timeout, delete_namespace=True, progress=context.progress)


def _spec(inputs: Values) -> ReleaseSpec:
    return ReleaseSpec(
        name=inputs["release"],
        namespace=inputs["namespace"],
        objects=_objects(inputs),
        create_namespace=option(inputs, "createNamespace", True),
        prune=option(inputs, "prune", True),
        wait=option(inputs, "wait", True),
        wait_timeout=float(option(inputs, "waitTimeout", 300)),
        force_conflicts=_force(inputs),
        ownership=Ownership(option(inputs, "ownership", str(Ownership.ADOPT_IF_UNOWNED))),
        origin=detect_origin("pulumi"),
    )


def _objects(inputs: Values) -> list[KubeObject]:
    source = "definition" if "definition" in inputs else "src"
    try:
        objects = as_objects(inputs["definition"]) if source == "definition" else load_sources(inputs["src"])
    except InputError as error:
        error.details.setdefault("property", source)
        raise
    try:
        return set_images(objects, inputs.get("images") or {})
    except InputError as error:
        error.details.setdefault("property", "images")
        raise


def _force(inputs: Values) -> ForceConflicts:
    value = option(inputs, "forceConflicts", str(ForceConflicts.OWN_FIELDS))
    if has_unknown(value):
        return ForceConflicts.OWN_FIELDS
    try:
        return ForceConflicts(value)
    except ValueError as error:
        choices = ", ".join(ForceConflicts)
        raise InputError(f"{value!r} is none of {choices}", details={"property": "forceConflicts"}) from error


_SECRET_TEXT = re.compile(r"""["']?kind["']?\s*:\s*["']?Secret\b""")


def _secret_values(definition: Any, path: Path) -> Iterator[Path]:
    if isinstance(definition, str) and _SECRET_TEXT.search(definition):
        yield path
    elif isinstance(definition, list):
        for index, item in enumerate(definition):
            yield from _secret_values(item, (*path, index))
    elif isinstance(definition, dict):
        if definition.get("kind") == "Secret":
            yield from ((*path, part) for part in ("data", "stringData") if part in definition)
        yield from _secret_values(definition.get("items"), (*path, "items"))
