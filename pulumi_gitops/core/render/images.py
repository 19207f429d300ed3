# SPDX-License-Identifier: Apache-2.0
"""Override container images without a template language."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import InputError
from ..objects import KubeObject, ObjectRef, pod_template_of

# distribution/reference: no white space, upper case only in tags; the server-side parser is the judge of the rest.
_REFERENCE = re.compile(r"[a-z0-9]([a-zA-Z0-9._:/@-]*[a-zA-Z0-9])?\Z")


def set_images(objects: Sequence[KubeObject], images: Mapping[str, Any]) -> list[KubeObject]:
    """Return copies of the objects with images replaced.

    Every container, init container and ephemeral container of every kind that carries pods counts.

    Args:
        objects: The objects.
        images: Name -> reference. The name is that of a container, or the repository of the image it has now
            (``shop`` matches ``registry.example.com/shop:1.2`` too, by its last part).

    Raises:
        InputError: A name matches no container, or a reference is not valid.
    """
    for name, reference in images.items():
        if not isinstance(reference, str) or not _REFERENCE.match(reference):
            raise InputError(
                f"images[{name}]: {reference!r} is not an image reference",
                hint="Write registry/repository:tag or registry/repository@sha256:digest.",
            )
    result = [copy.deepcopy(obj) for obj in objects]
    used: set[str] = set()
    for container in _containers(result):
        for name in _names_of(container):
            if name in images:
                container["image"] = images[name]
                used.add(name)
                break
    unused = sorted(set(images) - used)
    if unused:
        known = sorted({str(c.get("name")) for c in _containers(result)})
        raise InputError(
            f"images: {', '.join(unused)} matches no container",
            hint=f"Containers of this set: {', '.join(known) or 'none'}.",
        )
    return result


def _containers(objects: Sequence[KubeObject]) -> Iterator[dict[str, Any]]:
    for obj in objects:
        template = pod_template_of(obj)
        if template is None:
            continue
        for part in ("initContainers", "containers", "ephemeralContainers"):
            for container in template["spec"].get(part) or []:
                if not isinstance(container, dict):
                    raise InputError(f"{ObjectRef.of(obj)}: {part} holds something that is not a container")
                yield container


def _names_of(container: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names that an override may use, the most specific first."""
    yield str(container.get("name") or "")
    repository = repository_of(str(container.get("image") or ""))
    yield repository
    yield repository.rpartition("/")[2]


def repository_of(reference: str) -> str:
    """Return an image reference without tag and digest: ``registry.example.com:5000/shop``."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]
