# SPDX-License-Identifier: Apache-2.0
"""What a pipeline changes in a set of objects without a template language. Nothing is changed in place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError
from ..objects import KubeObject, ObjectRef, is_crd, labels_of, pod_template_of
from .images import check_images, set_images

_NAME = re.compile(r"(?=.{1,63}\Z)[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_PREFIX = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# They have spec.replicas, 1 when it is left out. Other kinds count when they name it.
_SCALED = {"apps/Deployment", "apps/ReplicaSet", "apps/StatefulSet", "ReplicationController"}
_BINDINGS = {"rbac.authorization.k8s.io/ClusterRoleBinding", "rbac.authorization.k8s.io/RoleBinding"}
_MOST_REPLICAS = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What to change. Each entry has to match something.

    Attributes:
        images: Container or repository -> image reference, see :func:`.images.set_images`.
        image_paths: More places where images stand, for custom kinds: ``spec.image``, ``spec.workers[].image``.
        replicas: Workload -> number. The workload is a name, or ``Kind/name`` where several kinds have the name (all
            of them are meant otherwise). Deployments, StatefulSets, ReplicaSets, ReplicationControllers, and what else
            has ``spec.replicas``.
        labels: Labels for every object and every pod template, never for selectors: those can not change later, and
            would part a Service from Pods that lack the label.
        annotations: Annotations for every object and every pod template.
        namespace: Namespace for the objects that name one. Those that name none go where the release goes: which of
            them live in a namespace at all, only a cluster knows. Followed where other objects name a namespace that
            is left: subjects of RoleBindings and ClusterRoleBindings, Services of webhooks and APIServices, and the
            Namespace objects themselves.
    """

    images: Mapping[str, str] = field(default_factory=dict)
    image_paths: Sequence[str] = ()
    replicas: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""


def apply_overrides(objects: Sequence[KubeObject], overrides: Overrides) -> list[KubeObject]:
    """Return copies of the objects with the overrides in place.

    Raises:
        InputError: An override matches nothing (the hint lists what there is) or is not valid, a label would change
            what a selector in the set selects, or a namespace would make two objects one. All values are checked
            before anything else. ``details["property"]`` names the override.
    """
    _check(overrides)
    try:
        result = set_images(objects, overrides.images, overrides.image_paths)
    except InputError as error:
        error.details.setdefault("property", "images")
        raise
    _set_replicas(result, overrides.replicas)
    _set_labels(result, overrides.labels)
    for holder in _with_metadata(result):
        _add(holder, "annotations", overrides.annotations)
    if overrides.namespace:
        _set_namespace(result, overrides.namespace)
    return result


def _error(name: str, message: str, hint: str = "") -> InputError:
    return InputError(f"{name}: {message}", hint=hint, details={"property": name})


# --- checks ----------------------------------------------------------------------------------------------------------


def _check(overrides: Overrides) -> None:
    try:
        check_images(overrides.images, overrides.image_paths)
    except InputError as error:
        error.details.setdefault("property", "images")
        raise
    for workload, number in overrides.replicas.items():
        if _number(number) is None:
            raise _error(
                "replicas", f"{workload}: {number!r} is not a number of replicas", "Give a whole number from 0."
            )
    for name in ("labels", "annotations"):
        for key, value in getattr(overrides, name).items():
            if not isinstance(key, str) or not _is_key(key):
                hint = "A key is [prefix/]name: at most 63 letters, digits, '-', '_' and '.'; the prefix is a domain."
                raise _error(name, f"{key!r} is not a key that Kubernetes accepts", hint)
            if not isinstance(value, str):
                raise _error(name, f"the value of {key} is {value!r}, not a text", "Quote it.")
    for key, value in overrides.labels.items():
        if value and not _NAME.fullmatch(value):
            hint = "At most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends."
            raise _error("labels", f"{key}: {value!r} is not a value that Kubernetes accepts", hint)
    if overrides.namespace and not _NAMESPACE.fullmatch(overrides.namespace):
        hint = "Lower case letters, digits and '-', at most 63 characters."
        raise _error("namespace", f"{overrides.namespace!r} is not the name of a namespace", hint)


def _is_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return bool(_NAME.fullmatch(name)) and (not slash or bool(_PREFIX.fullmatch(prefix)))


def _number(value: Any) -> int | None:
    """Return a number of replicas, None when it is none; Ansible's templates make texts of numbers."""
    if isinstance(value, str) and re.fullmatch("[0-9]{1,10}", value):
        value = int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_REPLICAS
    return value if is_number else None


# --- replicas, labels, annotations -----------------------------------------------------------------------------------


def _set_replicas(objects: Sequence[KubeObject], replicas: Mapping[str, Any]) -> None:
    used: set[str] = set()
    workloads: list[str] = []
    for obj in objects:
        ref, spec = ObjectRef.of(obj), obj.get("spec")
        if not isinstance(spec, dict) or not (ref.group_kind in _SCALED or type(spec.get("replicas")) is int):
            continue
        workloads.append(f"{ref.kind}/{ref.name}")
        for name in (workloads[-1], ref.name):
            if name in replicas:
                spec["replicas"] = _number(replicas[name])
                used.add(name)
                break
    unused = sorted(set(replicas) - used)
    if unused:
        known = ", ".join(sorted(set(workloads))) or "none"
        raise _error("replicas", f"{', '.join(unused)} matches no workload", f"Workloads with replicas: {known}.")


def _set_labels(objects: Sequence[KubeObject], labels: Mapping[str, str]) -> None:
    selectors = {key: ref for obj in objects for key, ref in _selected(obj)} if labels else {}
    for pod in _with_metadata(objects, pods_only=True):
        has = labels_of(pod)
        for key, value in labels.items():
            if key in selectors and has.get(key) != value:
                message = f"{key}={value} would change what {selectors[key]} selects"
                raise _error("labels", message, "Choose a label that no selector uses.")
    for holder in _with_metadata(objects):
        _add(holder, "labels", labels)


def _with_metadata(objects: Sequence[KubeObject], *, pods_only: bool = False) -> Iterator[KubeObject]:
    """Yield objects and their pod templates."""
    for obj in objects:
        template = pod_template_of(obj)
        if not pods_only and template is not obj:
            yield obj
        if template is not None:
            yield template


def _add(holder: KubeObject, part: str, more: Mapping[str, str]) -> None:
    if more:
        metadata = holder.get("metadata") or {}
        holder["metadata"] = {**metadata, part: {**(metadata.get(part) or {}), **more}}


def _selected(obj: KubeObject) -> Iterator[tuple[str, ObjectRef]]:
    """Yield the label keys that an object's selectors use."""
    ref, spec = ObjectRef.of(obj), obj.get("spec")
    selector = spec.get("selector") if isinstance(spec, dict) else None
    if ref.group_kind in ("Service", "ReplicationController") and isinstance(selector, dict):
        yield from ((key, ref) for key in selector)
    todo = [] if is_crd(obj) else [spec]  # a CRD describes selectors
    while todo:
        value = todo.pop()
        if isinstance(value, list):
            todo += value
        elif isinstance(value, dict):
            todo += value.values()
            if isinstance(value.get("matchLabels"), dict):
                yield from ((key, ref) for key in value["matchLabels"])
            if isinstance(value.get("matchExpressions"), list):
                yield from ((str(rule.get("key")), ref) for rule in value["matchExpressions"] if isinstance(rule, dict))


# --- namespace -------------------------------------------------------------------------------------------------------


def _set_namespace(objects: Sequence[KubeObject], namespace: str) -> None:
    before = [ObjectRef.of(obj) for obj in objects]
    left = {ref.namespace for ref in before} - {""}
    if not left:
        hint = "They go where the release goes; leave the override out."
        raise _error("namespace", "no object of this set names a namespace", hint)
    for obj, ref in zip(objects, before, strict=True):
        if ref.namespace:
            obj["metadata"]["namespace"] = namespace
        elif ref.group_kind == "Namespace" and ref.name in left:
            obj["metadata"]["name"] = namespace
        for reference in _references(obj, ref):
            if reference.get("namespace") in left:
                reference["namespace"] = namespace
    moved: dict[str, ObjectRef] = {}
    for obj, ref in zip(objects, before, strict=True):
        other = moved.setdefault(ObjectRef.of(obj).key, ref)
        if other.key != ref.key:
            message = f"{other} and {ref} would become one object in {namespace}"
            raise _error("namespace", message, f"The set uses several namespaces: {', '.join(sorted(left))}.")


def _references(obj: KubeObject, ref: ObjectRef) -> Iterator[dict[str, Any]]:
    """Yield what names an object in a namespace: subjects of bindings, services behind webhooks and API services."""
    found: list[Any] = []
    if ref.group_kind in _BINDINGS:
        found = list(obj.get("subjects") or [])
    elif ref.group == "admissionregistration.k8s.io":
        found = [_at(webhook, "clientConfig", "service") for webhook in obj.get("webhooks") or []]
    elif ref.kind == "APIService":
        found = [_at(obj, "spec", "service")]
    elif is_crd(obj):
        found = [_at(obj, "spec", "conversion", "webhook", "clientConfig", "service")]
    return (reference for reference in found if isinstance(reference, dict))


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
