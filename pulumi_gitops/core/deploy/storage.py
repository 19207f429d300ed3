# SPDX-License-Identifier: Apache-2.0
"""How the content of a release record is laid out in Secrets.

The content is a set of named blobs of gzipped JSON. As many as fit live in the record's own Secret; what does not fit
is cut into parts, Secrets of their own whose names are digests of what they hold. A part is written before the record
that names it and removed after the record that no longer does, so a run that is killed at any point leaves a record
that can be read.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..cluster import Cluster
from ..errors import AlreadyExistsError, NotFoundError
from ..objects import KubeObject, ObjectRef
from .parallel import each, each_or_raise

# A Secret holds at most 1 MiB of data (corev1.MaxSecretSize); leave room for names.
_LIMIT = 1_000_000
_PART = 900_000
_INDEX = "parts"
_PART_LABEL = "pulumi-gitops/record"
# What reading damaged content can raise.
DAMAGED = (ValueError, TypeError, KeyError, AttributeError, OSError, EOFError, binascii.Error)


@dataclass(frozen=True, slots=True)
class Blob:
    """Packed content: here, or in parts.

    Attributes:
        content: Gzipped JSON; empty when it is in parts.
        parts: Names of the Secrets that hold it, in order.
    """

    content: bytes = field(default=b"", repr=False)
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """Blobs, laid out.

    Attributes:
        data: ``data`` of the record's Secret.
        parts: Name -> content of the parts that have to exist and may not yet.
        blobs: The blobs as they lie now.
    """

    data: Mapping[str, str]
    parts: Mapping[str, bytes]
    blobs: Mapping[str, Blob]

    @property
    def names(self) -> set[str]:
        """Names of all parts that the record refers to."""
        return {name for blob in self.blobs.values() for name in blob.parts}


def pack(value: Any) -> Blob:
    """Pack any JSON value; the same value packs to the same bytes."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return Blob(gzip.compress(text, compresslevel=6, mtime=0))


def unpack(content: bytes) -> Any:
    """Return the value of :func:`pack` (one of :data:`DAMAGED` when it is none)."""
    return json.loads(gzip.decompress(content))


def lay_out(blobs: Mapping[str, Blob], release: str) -> Layout:
    """Lay blobs out: the first ones in the record itself as long as they fit, the others in parts.

    Args:
        blobs: Name -> blob, the most important first.
        release: Name of the release.
    """
    data: dict[str, str] = {}
    parts: dict[str, bytes] = {}
    placed: dict[str, Blob] = {}
    index: dict[str, list[str]] = {}
    room = _LIMIT
    for name, blob in blobs.items():
        if blob.content and len(blob.content) <= room:
            room -= len(blob.content)
            data[name] = base64.b64encode(blob.content).decode()
            placed[name] = blob
            continue
        cut = {_part_name(release, piece): piece for piece in _pieces(blob.content)}
        parts.update(cut)
        placed[name] = Blob(parts=tuple(cut) or blob.parts)
        index[name] = list(placed[name].parts)
    if index:
        data[_INDEX] = base64.b64encode(json.dumps(index).encode()).decode()
    return Layout(data, parts, placed)


def _pieces(content: bytes) -> list[bytes]:
    return [content[start : start + _PART] for start in range(0, len(content), _PART)]


def _part_name(release: str, piece: bytes) -> str:
    return f"pulumi-gitops.{release}.{hashlib.sha256(piece).hexdigest()[:16]}"


def blobs_of(data: Mapping[str, str]) -> dict[str, Blob]:
    """Return the blobs that a record's Secret holds or names (one of :data:`DAMAGED` when it is not readable)."""
    index = json.loads(base64.b64decode(data[_INDEX])) if _INDEX in data else {}
    blobs = {name: Blob(base64.b64decode(value)) for name, value in data.items() if name != _INDEX}
    return {**blobs, **{name: Blob(parts=tuple(parts)) for name, parts in index.items()}}


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one record in the cluster."""

    cluster: Cluster
    record: ObjectRef

    def value(self, blob: Blob | None, default: Any) -> Any:
        """Return the value of a blob, `default` for None (one of :data:`DAMAGED` when it is not readable)."""
        if blob is None:
            return default
        return unpack(b"".join(map(self._read, blob.parts)) if blob.parts else blob.content)

    def _read(self, name: str) -> bytes:
        try:
            secret = self.cluster.get(self._ref(name))
        except NotFoundError as error:
            raise ValueError(f"its part {name} is missing") from error
        return base64.b64decode(secret["data"]["part"])

    def create(self, parts: Mapping[str, bytes]) -> None:
        """Create parts; one that exists already holds the same."""
        each_or_raise(self._create, parts.items(), what="record")

    def _create(self, part: tuple[str, bytes]) -> None:
        name, content = part
        body: KubeObject = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "pulumi-gitops/release-part",
            "immutable": True,
            "metadata": {
                "name": name,
                "namespace": self.record.namespace,
                "labels": {_PART_LABEL: _label(self.record)},
            },
            "data": {"part": base64.b64encode(content).decode()},
        }
        try:
            self.cluster.create(body)
        except AlreadyExistsError:
            return

    def keep_only(self, names: Collection[str]) -> None:
        """Delete all parts but these."""
        found = self.cluster.list(
            "v1",
            "Secret",
            namespace=self.record.namespace,
            label_selector=f"{_PART_LABEL}={_label(self.record)}",
            metadata_only=True,
        )
        superfluous = [obj["metadata"]["name"] for obj in found if obj["metadata"]["name"] not in names]
        each(lambda name: self.cluster.delete(self._ref(name)), superfluous)

    def _ref(self, name: str) -> ObjectRef:
        return ObjectRef("", "v1", "Secret", self.record.namespace, name)


def _label(record: ObjectRef) -> str:
    # A label's value has at most 63 characters; the name of a release alone may have as many.
    return hashlib.sha256(record.name.encode()).hexdigest()[:32]
