# SPDX-License-Identifier: Apache-2.0
"""Patches as in a kustomization: ``{"target": {...}, "patch": ...}``.

Semantics follow kustomize (api/types/patch.go and selector.go): the fields of a target are regular expressions that
have to match as a whole; an empty target takes the identity that the patch names. Merge patches of built-in kinds are
strategic merges, those of custom kinds are JSON merge patches (RFC 7386); a list of operations is a JSON patch
(RFC 6902).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InputError
from ..objects import KubeObject, ObjectRef
from ..yamlio import dump, load_documents

_TARGET_FIELDS = ("group", "version", "kind", "name", "namespace")

# patchMergeKey of k8s.io/api, by field name; where a name has two meanings, the first key that all items carry counts.
_MERGE_KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "secrets": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "port"),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "ownerReferences": ("uid",),
}


def apply_patches(objects: Sequence[KubeObject], patches: Sequence[Mapping[str, Any]]) -> list[KubeObject]:
    """Return the objects with all patches applied, one after the other.

    Args:
        objects: Objects.
        patches: Each ``{"target": {"group", "version", "kind", "name", "namespace"}, "patch": PATCH}``; PATCH is a
            merge patch (mapping), a JSON patch (list of operations), or the YAML text of either.

    Raises:
        InputError: A patch is not of this form, matches no object, or can not be applied; the message has its number.
    """
    result = list(objects)
    for number, entry in enumerate(patches, start=1):
        target, patch = check_patch(entry, number)
        matching = [index for index, obj in enumerate(result) if _matches(target, ObjectRef.of(obj))]
        if not matching:
            wanted = ", ".join(f"{field} {pattern}" for field, pattern in target.items())
            raise InputError(
                f"patches[{number}] matches no object ({wanted})", hint="Its target names nothing in the manifests."
            )
        for index in matching:
            before = ObjectRef.of(result[index])
            try:
                result[index] = _patched(result[index], patch)
            except (KeyError, IndexError, ValueError, TypeError) as e:
                reason = e.args[0] if e.args else e
                raise InputError(f"patches[{number}] can not be applied to {before}: {reason}") from e
            if ObjectRef.of(result[index]) != before:
                raise InputError(f"patches[{number}] changes the identity of {before}")
    return result


def check_patch(entry: Any, number: int) -> tuple[dict[str, str], Any]:
    """Return target and patch of an entry of `patches`.

    Args:
        entry: What the user gave.
        number: Its number in the list, from 1.

    Raises:
        InputError: It is not of this form.
    """
    hint = 'Expected {"target": {"kind": ..., "name": ...}, "patch": ...}.'
    if not isinstance(entry, Mapping) or not entry.get("patch") or set(entry) - {"target", "patch"}:
        raise InputError(f"patches[{number}] is not a patch with a target", hint=hint)
    patch = entry["patch"]
    if isinstance(patch, str):
        documents = load_documents(patch, source=f"patches[{number}]")
        if len(documents) != 1:
            raise InputError(f"patches[{number}] has {len(documents)} YAML documents instead of one")
        patch = documents[0]
    target = entry.get("target") or {}
    if not isinstance(target, Mapping) or set(target) - set(_TARGET_FIELDS):
        raise InputError(
            f"the target of patches[{number}] has other fields than {', '.join(_TARGET_FIELDS)}", hint=hint
        )
    if not isinstance(patch, Mapping | list):
        raise InputError(f"patches[{number}] is neither a mapping nor a list of operations", hint=hint)
    chosen = {field: str(value) for field, value in target.items() if value}
    if not chosen and isinstance(patch, Mapping):
        chosen = _own_target(patch)
    if not chosen:
        raise InputError(f"patches[{number}] has no target", hint=hint)
    for field, pattern in chosen.items():
        try:
            re.compile(pattern)
        except re.error as e:
            raise InputError(f"patches[{number}]: {field} {pattern!r} is not a regular expression: {e}") from e
    return chosen, patch


def for_kustomize(target: Mapping[str, str], patch: Any) -> dict[str, Any]:
    """Return a patch for kustomize, which wants a merge patch to be an object, whose name it then ignores.

    Args:
        target: Target, as :func:`check_patch` returns it.
        patch: A merge patch or a list of operations.
    """
    if isinstance(patch, Mapping):
        metadata = patch.get("metadata")
        named = {"name": "any", **(metadata if isinstance(metadata, Mapping) else {})}
        patch = {"apiVersion": "v1", "kind": "Any", **patch, "metadata": named}
    return {"target": dict(target), "patch": dump(patch)}


def _own_target(patch: Mapping[str, Any]) -> dict[str, str]:
    ref = ObjectRef.of(dict(patch))
    if not ref.kind or not ref.name:
        return {}
    fields = {field: getattr(ref, field) for field in _TARGET_FIELDS}
    return {field: re.escape(value) for field, value in fields.items() if value}


def _matches(target: Mapping[str, str], ref: ObjectRef) -> bool:
    return all(re.fullmatch(pattern, getattr(ref, field)) for field, pattern in target.items())


def _patched(obj: KubeObject, patch: Any) -> KubeObject:
    if isinstance(patch, list):
        return _json_patch(obj, patch)
    group = ObjectRef.of(obj).group
    strategic = "." not in group or group.endswith(".k8s.io")
    merged: KubeObject = _merge(obj, patch, strategic=strategic)
    return merged


# --- merge -----------------------------------------------------------------------------------------------------------


def _merge(old: Any, patch: Mapping[str, Any], *, strategic: bool) -> Any:
    if patch.get("$patch") == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None or (isinstance(value, Mapping) and value.get("$patch") == "delete"):
            result.pop(key, None)
        elif isinstance(value, Mapping):
            result[key] = _merge(result.get(key), value, strategic=strategic)
        elif isinstance(value, list) and strategic and isinstance(result.get(key), list):
            result[key] = _merge_list(key, result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def _merge_list(field: str, old: list[Any], patch: list[Any]) -> list[Any]:
    if {"$patch": "replace"} in patch:
        return [copy.deepcopy(item) for item in patch if item != {"$patch": "replace"}]
    key = next((k for k in _MERGE_KEYS.get(field, ()) if _all_have(k, old) and _all_have(k, patch)), None)
    if key is None:
        return copy.deepcopy(patch)
    # What the patch adds comes first, as with kubectl; what it changes stays in its place.
    result = list(old)
    added = []
    for item in patch:
        at = next((i for i, known in enumerate(result) if known[key] == item[key]), None)
        if item.get("$patch") == "delete":
            result = [known for known in result if known[key] != item[key]]
        elif at is None:
            added.append(copy.deepcopy(item))
        else:
            result[at] = _merge(result[at], item, strategic=True)
    return [*added, *result]


def _all_have(key: str, items: list[Any]) -> bool:
    return all(isinstance(item, Mapping) and key in item for item in items)


# --- JSON patch ------------------------------------------------------------------------------------------------------


def _json_patch(obj: KubeObject, operations: list[Any]) -> KubeObject:
    root: Any = copy.deepcopy(obj)
    for operation in operations:
        if not isinstance(operation, Mapping) or "op" not in operation or "path" not in operation:
            raise ValueError("an operation needs op and path")
        op, path = str(operation["op"]), _pointer(operation["path"])
        if op in ("add", "replace", "test"):
            _set(root, path, op, copy.deepcopy(operation["value"]))
        elif op == "remove":
            _remove(root, path)
        elif op in ("move", "copy"):
            source = _pointer(operation["from"])
            value = copy.deepcopy(_get(root, source))
            if op == "move":
                _remove(root, source)
            _set(root, path, "add", value)
        else:
            raise ValueError(f"unknown operation {op}")
    result: KubeObject = root
    return result


def _pointer(path: Any) -> list[str]:
    text = str(path)
    if not text.startswith("/"):
        raise ValueError(f"path {text!r} does not start with '/'")
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _get(root: Any, path: list[str]) -> Any:
    value = root
    for depth, part in enumerate(path):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise KeyError(f"path /{'/'.join(path[: depth + 1])} does not exist") from None
    return value


def _set(root: Any, path: list[str], op: str, value: Any) -> None:
    parent, last = _get(root, path[:-1]), path[-1]
    if op in ("replace", "test"):
        current = _get(root, path)
        if op == "test":
            if current != value:
                raise ValueError(f"test of /{'/'.join(path)} failed")
            return
    if isinstance(parent, list):
        index = len(parent) if last == "-" else int(last)
        if not 0 <= index <= len(parent):
            raise IndexError(f"index {last} is out of range")
        if op == "replace":
            parent[index] = value
        else:
            parent.insert(index, value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise TypeError(f"/{'/'.join(path[:-1])} is neither an object nor a list")


def _remove(root: Any, path: list[str]) -> None:
    _get(root, path)
    parent, last = _get(root, path[:-1]), path[-1]
    if isinstance(parent, list):
        del parent[int(last)]
    else:
        del parent[last]
