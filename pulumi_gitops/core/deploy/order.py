# SPDX-License-Identifier: Apache-2.0
"""In which order objects are applied and removed.

Definitions (CRDs, Namespaces) always come first. The rest is cut into groups, each of which is applied and ready before
the next begins: by ``argocd.argoproj.io/sync-wave`` and hooks (Argo CD's and Helm's, read only: a set that is deployed
both ways keeps its order), and by ``config.kubernetes.io/depends-on`` (cli-utils). Within a group the stages of
fluxcd/pkg/ssa hold: what workloads refer to, workloads, webhook configurations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..errors import InputError
from ..objects import KubeObject, ObjectRef, annotations_of

_DEPENDS_ON = "config.kubernetes.io/depends-on"
_WAVE = "argocd.argoproj.io/sync-wave"
_HELM_WEIGHT = "helm.sh/hook-weight"
_BEFORE = frozenset({"PreSync", "pre-install", "pre-upgrade"})
_AFTER = frozenset({"PostSync", "post-install", "post-upgrade"})
_DURING = frozenset({"Sync", "crd-install"})
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,10}\Z")
# Hooks come before the lowest and after the highest wave, whatever their own.
_FAR = 10**11

_DEFINITIONS = frozenset({"CustomResourceDefinition", "Namespace"})
_REFERRED_TO = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "LimitRange",
        "PriorityClass",
        "ResourceQuota",
        "Role",
        "RoleBinding",
        "Secret",
        "ServiceAccount",
    }
)
_LAST = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})

STAGES = 4


def stage_of(kind: str) -> int:
    """Return 0 to 3: definitions, what others refer to, the rest, webhook configurations."""
    if kind in _DEFINITIONS:
        return 0
    if kind in _REFERRED_TO or kind.endswith("Class"):
        return 1
    return 3 if kind in _LAST else 2


Rank = tuple[int, int]
"""Wave and level of a group; sorts as the groups are applied."""


def ranks(objects: Sequence[KubeObject], *, strict: bool = True) -> dict[str, Rank]:
    """Return the group of every object, by key.

    Args:
        objects: The set.
        strict: Refuse what can not be ordered; otherwise it is passed over (for objects that are to be removed).

    Raises:
        InputError: A wave is not a number, a dependency is not in the set or not readable, a definition depends on
            something else, or dependencies go round.
    """
    waves = {ObjectRef.of(obj).key: _wave(obj, strict=strict) for obj in objects}
    dependencies = {ObjectRef.of(obj).key: _dependencies(obj, waves, strict=strict) for obj in objects}
    dependencies = {key: found for key, found in dependencies.items() if found}
    if strict:
        _check_definitions(objects, dependencies)
    if not dependencies:
        return {key: (wave, 0) for key, wave in waves.items()}
    return _Levels(waves, dependencies, strict=strict).all()


def _hooks(obj: KubeObject) -> set[str]:
    texts = (str(annotations_of(obj).get(name) or "") for name in ("argocd.argoproj.io/hook", "helm.sh/hook"))
    return {hook.strip() for text in texts for hook in text.split(",")} - {""}


def is_deployed(obj: KubeObject) -> bool:
    """Tell whether an object belongs to a deployment at all.

    Hooks that others run on other occasions do not: tests, what a failed sync or a removal triggers, and what Argo CD
    is told to skip.
    """
    hooks = _hooks(obj)
    return not hooks or bool(hooks & (_BEFORE | _AFTER | _DURING))


def _wave(obj: KubeObject, *, strict: bool) -> int:
    annotations, hooks = annotations_of(obj), _hooks(obj)
    base = -_FAR if hooks & _BEFORE else _FAR if hooks & _AFTER else 0
    name = _HELM_WEIGHT if base and not annotations.get(_WAVE) else _WAVE
    text = str(annotations.get(name) or "0")
    if _WHOLE_NUMBER.match(text):
        return base + int(text)
    if not strict:
        return base
    raise InputError(
        f"{ObjectRef.of(obj)}: {text!r} is not a wave",
        hint=f"The annotation {name} is a whole number of at most ten digits.",
    )


def _dependencies(obj: KubeObject, known: Mapping[str, int], *, strict: bool) -> list[str]:
    text = annotations_of(obj).get(_DEPENDS_ON)
    if not text:
        return []
    found = []
    for entry in str(text).split(","):
        key = _key_of(entry.strip())
        if key in known:
            found.append(key)
        elif strict:
            raise InputError(
                f"{ObjectRef.of(obj)} depends on {entry.strip()}, which is not in the set",
                hint=f"{_DEPENDS_ON} names objects as group/namespaces/NAMESPACE/KIND/NAME or group/KIND/NAME, with an "
                "empty group for core kinds (/namespaces/shop/ConfigMap/settings).",
            )
    return found


def _check_definitions(objects: Iterable[KubeObject], dependencies: Mapping[str, list[str]]) -> None:
    first = {ref.key for ref in map(ObjectRef.of, objects) if stage_of(ref.kind) == 0}
    for key in first & dependencies.keys():
        later = [dependency for dependency in dependencies[key] if dependency not in first]
        if later:
            raise InputError(
                f"{key} can not depend on {later[0]}: definitions come before everything else",
                hint=f"Remove its {_DEPENDS_ON}, or deploy what it depends on as a release of its own.",
            )


def _key_of(entry: str) -> str:
    """Return the key of an object as depends-on writes it, "" when it is not readable."""
    parts = entry.split("/")
    if len(parts) == 5 and parts[1] == "namespaces":
        group, _, namespace, kind, name = parts
    elif len(parts) == 3:
        (group, kind, name), namespace = parts, ""
    else:
        return ""
    return ObjectRef(group, "", kind, namespace, name).key


class _Levels:
    """Computes the level of each object: one more than the highest of those that it depends on."""

    def __init__(self, waves: Mapping[str, int], dependencies: Mapping[str, list[str]], *, strict: bool) -> None:
        self._waves, self._dependencies, self._strict = waves, dependencies, strict
        self._found: dict[str, Rank] = {}

    def all(self) -> dict[str, Rank]:
        for key in self._waves:
            if key not in self._found:
                self._visit(key)
        return self._found

    def _visit(self, start: str) -> None:
        # Not by recursion: a chain may be longer than Python's stack is deep.
        path = {start: self._of(start)}
        while path:
            key = next(reversed(path))
            dependency = next(path[key], None)
            if dependency is None:
                del path[key]
                self._found[key] = self._rank(key)
            elif dependency not in path and dependency not in self._found:
                path[dependency] = self._of(dependency)
            elif dependency in path and self._strict:
                keys = list(path)
                circle = " -> ".join([*keys[keys.index(dependency) :], dependency])
                raise InputError(f"dependencies go round: {circle}", hint=f"Remove one {_DEPENDS_ON} of these.")

    def _of(self, key: str) -> Iterator[str]:
        return iter(self._dependencies.get(key, ()))

    def _rank(self, key: str) -> Rank:
        before = [self._found[dependency] for dependency in self._of(key) if dependency in self._found]
        return max([(self._waves[key], 0), *((wave, level + 1) for wave, level in before)])


def removal_order(objects: Sequence[KubeObject]) -> dict[str, tuple[int, int, int]]:
    """Return key -> sort key for removing objects: the reverse of the order in which they are applied.

    Definitions go last, whatever wave they are in: with a CRD go all its objects.
    """
    placed = ranks(objects, strict=False)
    found = {}
    for obj in objects:
        ref = ObjectRef.of(obj)
        stage = stage_of(ref.kind)
        wave, level = placed[ref.key] if stage else (-2 * _FAR, 0)
        found[ref.key] = (-wave, -level, -stage)
    return found
