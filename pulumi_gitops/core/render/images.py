# SPDX-License-Identifier: Apache-2.0
"""Override container images without a template language."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..objects import KubeObject, ObjectRef, pod_template_of

# distribution/reference: no white space, upper case only in tags; the server-side parser is the judge of the rest.
_REFERENCE = re.compile(r"[a-z0-9]([a-zA-Z0-9._:/@-]*[a-zA-Z0-9])?\Z")
_PATH = re.compile(r"[^.\[\]\s]+(\[\])*(\.[^.\[\]\s]+(\[\])*)*\Z")
_STEP = re.compile(r"[^.\[\]]+|\[\]")
_EACH = "[]"
_MOST_LISTED = 10


def set_images(objects: Sequence[KubeObject], images: Mapping[str, Any], paths: Sequence[str] = ()) -> list[KubeObject]:
    """Return copies of the objects with images replaced.

    Every container, init container and ephemeral container of every kind that carries pods counts.

    Args:
        objects: The objects.
        images: Name -> reference. The name is that of a container, or the repository of the image it has now
            (``shop`` matches ``registry.example.com/shop:1.2`` too, by its last part).
        paths: More places of images, for custom kinds: ``spec.image``, or ``spec.workers[].image`` for every item of a
            list. They count in every object that has a text there; the name is the repository, or the ``name`` beside
            the image.

    Raises:
        InputError: A name matches no image, a path leads to no text in any object, a reference or a path is not valid.
    """
    check_images(images, paths)
    result = [copy.deepcopy(obj) for obj in objects]
    slots = [*_containers(result), *_at_paths(result, paths)]
    used: set[str] = set()
    for slot in slots:
        for name in slot.names():
            if name in images:
                slot.holder[slot.key] = images[name]
                used.add(name)
                break
    unused = sorted(set(images) - used)
    if unused:
        known = sorted({next(slot.names()) for slot in slots})
        raise InputError(
            f"images: {', '.join(unused)} matches no container",
            hint=f"Containers of this set: {', '.join(known) or 'none'}.",
        )
    return result


def check_images(images: Mapping[str, Any], paths: Sequence[str] = ()) -> None:
    """Check references and paths by themselves.

    Raises:
        InputError: One is not valid.
    """
    for name, reference in images.items():
        if not isinstance(reference, str) or not _REFERENCE.match(reference):
            raise InputError(
                f"images[{name}]: {reference!r} is not an image reference",
                hint="Write registry/repository:tag or registry/repository@sha256:digest.",
            )
    for path in paths:
        if not _PATH.match(str(path)):
            raise InputError(
                f"image_paths: {path!r} is not a path",
                hint="Write it like spec.image or spec.workers[].image.",
                details={"property": "image_paths"},
            )


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where an image stands: in a mapping under a key, or in a list."""

    holder: Any
    key: Any
    name: str

    def names(self) -> Iterator[str]:
        """Yield the names that an override may use, the most specific first."""
        image = self.holder.get(self.key) if isinstance(self.holder, dict) else self.holder[self.key]
        repository = repository_of(str(image or ""))
        if self.name:
            yield self.name
        yield repository
        yield repository.rpartition("/")[2]


def _containers(objects: Sequence[KubeObject]) -> Iterator[_Slot]:
    for obj in objects:
        template = pod_template_of(obj)
        if template is None:
            continue
        for part in ("initContainers", "containers", "ephemeralContainers"):
            for container in template["spec"].get(part) or []:
                if not isinstance(container, dict):
                    raise InputError(f"{ObjectRef.of(obj)}: {part} holds something that is not a container")
                yield _Slot(container, "image", str(container.get("name") or ""))


def _at_paths(objects: Sequence[KubeObject], paths: Sequence[str]) -> Iterator[_Slot]:
    for path in paths:
        found = [slot for obj in objects for slot in _follow(obj, _STEP.findall(path))]
        if not found:
            known = sorted({place for obj in objects for place in _likely_paths(obj)})[:_MOST_LISTED]
            raise InputError(
                f"image_paths: {path} leads to no text in any object",
                hint=f"Texts that may be images: {', '.join(known) or 'none'}.",
                details={"property": "image_paths"},
            )
        yield from found


def _follow(value: Any, steps: Sequence[str]) -> Iterator[_Slot]:
    step, *rest = steps
    keys: list[Any] = []
    if step == _EACH:
        keys = list(range(len(value))) if isinstance(value, list) else []
    elif isinstance(value, dict) and step in value:
        keys = [step]
    for key in keys:
        if rest:
            yield from _follow(value[key], rest)
        elif isinstance(value[key], str):
            name = value.get("name") if isinstance(value, dict) else ""
            yield _Slot(value, key, name if isinstance(name, str) else "")


def _likely_paths(value: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of texts whose key tells of an image."""
    if isinstance(value, dict):
        for key, item in value.items():
            place = f"{path}.{key}" if path else key
            if isinstance(item, str):
                if "image" in key.lower() and _PATH.match(place):
                    yield place
            else:
                yield from _likely_paths(item, place)
    elif isinstance(value, list):
        for item in value:
            yield from _likely_paths(item, path + _EACH)


def repository_of(reference: str) -> str:
    """Return an image reference without tag and digest: ``registry.example.com:5000/shop``."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]
