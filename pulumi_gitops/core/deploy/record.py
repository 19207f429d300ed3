# SPDX-License-Identifier: Apache-2.0
"""The release record: an ApplySet parent (KEP-3659) that also holds the inventory and the revisions.

One Secret per release, ``pulumi-gitops.<release>`` in the release's namespace. Labels and annotations follow the
ApplySet specification, so other ApplySet tools see who owns the members. Its data holds gzipped JSON: ``inventory``,
``revisions`` and the sent objects of each revision (``manifests-N``), as long as they fit.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime as dt
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import __version__
from ..cluster import Cluster
from ..errors import AlreadyExistsError, ConflictError, NotFoundError, RecordError
from ..objects import KubeObject, ObjectRef, annotations_of
from .model import InventoryItem

TOOL = "pulumi-gitops"
ID_LABEL = "applyset.kubernetes.io/id"
_TOOLING = "applyset.kubernetes.io/tooling"
_GROUP_KINDS = "applyset.kubernetes.io/contains-group-kinds"
_NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
_FIELD_MANAGER = f"{TOOL}-applyset"
_FACT_PREFIX = f"{TOOL}/"
_HISTORY_LIMIT = 10
# A Secret holds at most 1 MiB of data (corev1.MaxSecretSize); leave room for names and base64 padding.
_DATA_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Revision:
    """One deployment of a release.

    Attributes:
        number: 1, 2, ...
        digest: Digest of the set of objects.
        time: When it began, RFC 3339.
        status: ``applying``, ``deployed`` or ``failed``.
        source: Which face deployed it.
        message: Why it failed.
    """

    number: int
    digest: str
    time: str
    status: str
    source: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a release.

    Attributes:
        name: Release.
        namespace: Its namespace.
        inventory: Objects that belong to it, those of an interrupted run included.
        revisions: Oldest first.
        manifests: Revision number -> objects as sent.
        facts: Free facts, for example the version of a controller.
        created_namespace: Whether we created the namespace.
        resource_version: Of the Secret; "" before it exists.
    """

    name: str
    namespace: str
    inventory: tuple[InventoryItem, ...] = ()
    revisions: tuple[Revision, ...] = ()
    manifests: Mapping[int, Sequence[KubeObject]] = field(default_factory=dict, repr=False)
    facts: Mapping[str, str] = field(default_factory=dict)
    created_namespace: bool = False
    resource_version: str = ""

    @property
    def latest(self) -> Revision | None:
        """The newest revision."""
        return self.revisions[-1] if self.revisions else None

    def sent(self, key: str) -> KubeObject | None:
        """Return the object of this key as the newest revision sent it, if the record still has it."""
        latest = self.latest
        objects = self.manifests.get(latest.number, ()) if latest else ()
        return next((obj for obj in objects if ObjectRef.of(obj).key == key), None)


def record_ref(name: str, namespace: str) -> ObjectRef:
    """Return the identity of a release's record."""
    return ObjectRef("", "v1", "Secret", namespace, f"{TOOL}.{name}")


def apply_set_id(name: str, namespace: str) -> str:
    """Return the ApplySet id of a release: ``applyset-<base64url(sha256(name.namespace.kind.group))>-v1``."""
    ref = record_ref(name, namespace)
    digest = hashlib.sha256(f"{ref.name}.{ref.namespace}.{ref.kind}.{ref.group}".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


def now() -> str:
    """Return the time in RFC 3339, whole seconds, UTC."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(cluster: Cluster, name: str, namespace: str) -> Record | None:
    """Return the record of a release, or None.

    Raises:
        RecordError: The Secret is damaged or was written by another tool.
    """
    try:
        secret = cluster.get(record_ref(name, namespace))
    except NotFoundError:
        return None
    return decode(secret, name, namespace)


def decode(secret: KubeObject, name: str, namespace: str) -> Record:
    """Turn the Secret into a record (RecordError when it is not one of ours)."""
    ref = record_ref(name, namespace)
    annotations = annotations_of(secret)
    tooling = annotations.get(_TOOLING, "")
    if tooling.split("/")[0] != TOOL:
        raise RecordError(
            f"{ref} is not a release record of {TOOL} (tooling: {tooling or 'none'})",
            hint="Another tool owns this name; choose another release name.",
        )
    data = secret.get("data") or {}
    try:
        inventory = tuple(_item(entry) for entry in _unpack(data.get("inventory"), []))
        revisions = tuple(Revision(**entry) for entry in _unpack(data.get("revisions"), []))
        manifests = {
            int(key.removeprefix("manifests-")): _unpack(value, [])
            for key, value in data.items()
            if key.startswith("manifests-")
        }
        created = bool(_unpack(data.get("release"), {}).get("created_namespace"))
    except (ValueError, TypeError, KeyError, OSError, EOFError, binascii.Error) as error:
        raise RecordError(
            f"{ref} is damaged: {error}",
            hint="Restore it from a backup. Without it the release can be deployed anew, but nothing is pruned.",
        ) from error
    return Record(
        name=name,
        namespace=namespace,
        inventory=inventory,
        revisions=revisions,
        manifests=manifests,
        facts={k.removeprefix(_FACT_PREFIX): v for k, v in annotations.items() if k.startswith(_FACT_PREFIX)},
        created_namespace=created,
        resource_version=str(secret["metadata"]["resourceVersion"]),
    )


def write(cluster: Cluster, record: Record) -> Record:
    """Write a record and return it with its new resourceVersion.

    Raises:
        ConflictError: Another run wrote it meanwhile.
    """
    body = encode(record)
    if not record.resource_version:
        try:
            answer = cluster.create(body)
        except AlreadyExistsError as error:
            raise _raced(record) from error
    else:
        body["metadata"]["resourceVersion"] = record.resource_version
        try:
            answer = cluster.apply(body, force=True, field_manager=_FIELD_MANAGER)
        except ConflictError as error:
            raise _raced(record) from error
    return dataclasses.replace(record, resource_version=str(answer["metadata"]["resourceVersion"]))


def _raced(record: Record) -> ConflictError:
    return ConflictError(
        f"release {record.namespace}/{record.name} is being deployed by another run",
        hint="Wait until it has ended, then run again.",
        status=409,
    )


def encode(record: Record) -> KubeObject:
    """Return the Secret of a record; manifests of old revisions are dropped when they do not fit."""
    group_kinds = sorted({_group_kind(item.ref) for item in record.inventory})
    namespaces = sorted({item.ref.namespace for item in record.inventory} - {record.namespace, ""})
    kept = record.revisions[-_HISTORY_LIMIT:]
    data = {
        "inventory": _pack([_entry(item) for item in record.inventory]),
        "revisions": _pack([dataclasses.asdict(revision) for revision in kept]),
        "release": _pack({"name": record.name, "created_namespace": record.created_namespace}),
    }
    room = _DATA_LIMIT - sum(len(value) * 3 // 4 for value in data.values())
    for revision in reversed(kept):
        if revision.number not in record.manifests:
            continue
        packed = _pack(list(record.manifests[revision.number]))
        room -= len(packed) * 3 // 4
        if room < 0:
            break
        data[f"manifests-{revision.number}"] = packed
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": f"{TOOL}/release",
        "metadata": {
            "name": f"{TOOL}.{record.name}",
            "namespace": record.namespace,
            "labels": {
                ID_LABEL: apply_set_id(record.name, record.namespace),
                "app.kubernetes.io/managed-by": TOOL,
            },
            "annotations": {
                _TOOLING: f"{TOOL}/v{__version__}",
                _GROUP_KINDS: ",".join(group_kinds),
                _NAMESPACES: ",".join(namespaces),
                **{f"{_FACT_PREFIX}{key}": value for key, value in record.facts.items()},
            },
        },
        "data": data,
    }


def _group_kind(ref: ObjectRef) -> str:
    return f"{ref.kind}.{ref.group}" if ref.group else ref.kind


def _entry(item: InventoryItem) -> dict[str, str]:
    # Flux's inventory format: {"id": "<namespace>_<name>_<group>_<kind>", "v": version}, and what we need beyond it.
    # RBAC names may hold a colon, which that format writes as two underscores (cli-utils object.ObjMetadata).
    ref = item.ref
    name = ref.name.replace(":", "__")
    entry = {"id": f"{ref.namespace}_{name}_{ref.group}_{ref.kind}", "v": ref.version}
    return {**entry, **{k: v for k, v in (("uid", item.uid), ("digest", item.digest)) if v}}


def _item(entry: Mapping[str, str]) -> InventoryItem:
    namespace, _, rest = entry["id"].partition("_")
    name, group, kind = rest.rsplit("_", 2)
    ref = ObjectRef(group, entry["v"], kind, namespace, name.replace("__", ":"))
    return InventoryItem(ref, entry.get("uid", ""), entry.get("digest", ""))


def _pack(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    # Without a time stamp the same content packs to the same bytes.
    return base64.b64encode(gzip.compress(text, mtime=0)).decode()


def _unpack(packed: str | None, default: Any) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(packed))) if packed else default


def merged(old: Iterable[InventoryItem], new: Iterable[InventoryItem]) -> tuple[InventoryItem, ...]:
    """Return the union of two inventories; where both have an object, the new item counts."""
    items = {item.ref.key: item for item in old}
    items.update({item.ref.key: item for item in new if item.uid or item.ref.key not in items})
    return tuple(sorted(items.values(), key=lambda item: item.ref.key))
