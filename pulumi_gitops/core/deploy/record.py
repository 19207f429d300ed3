# SPDX-License-Identifier: Apache-2.0
"""The release record: an ApplySet parent (KEP-3659) that also holds the inventory and the revisions.

One Secret per release, ``pulumi-gitops.<release>`` in the release's namespace. Labels and annotations follow the
ApplySet specification, so other ApplySet tools see who owns the members. How its content is laid out in one or several
Secrets is told in :mod:`.storage`.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from .. import __version__
from ..cluster import Cluster
from ..errors import AlreadyExistsError, ConflictError, NotFoundError, RecordError
from ..objects import KubeObject, ObjectRef, annotations_of, uid_of
from . import storage
from .model import InventoryItem

TOOL = "pulumi-gitops"
ID_LABEL = "applyset.kubernetes.io/id"
_TOOLING = "applyset.kubernetes.io/tooling"
_GROUP_KINDS = "applyset.kubernetes.io/contains-group-kinds"
_NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
_FIELD_MANAGER = f"{TOOL}-applyset"
_FACT_PREFIX = f"{TOOL}/"
APPLYING, DEPLOYED, FAILED = "applying", "deployed", "failed"
OMITTED = "omitted"
"""Marks a kept object whose values the record does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One deployment of a release.

    Attributes:
        number: 1, 2, ...
        digest: Digest of the set of objects.
        time: When it began, RFC 3339.
        status: ``applying``, ``deployed`` or ``failed``.
        face: Which face deployed it: ``ansible``, ``pulumi`` or ``cli``.
        message: Why it failed.
        seconds: How long it took; 0 while it runs.
        user: Who started it.
        pipeline: URL of the CI run.
        commit: Commit of the sources.
        images: Images of its containers, sorted.
        plan_digest: Digest of the plan that was carried out.
        approved_by: Who approved that plan; "" when nobody had to.
        rolled_back_to: The revision that it went back to; 0 when it is no rollback.
        ignore_fields: Fields that were left to others; a rollback leaves them too.
    """

    number: int
    digest: str
    time: str
    status: str
    face: str = ""
    message: str = ""
    seconds: float = 0.0
    user: str = ""
    pipeline: str = ""
    commit: str = ""
    images: tuple[str, ...] = ()
    plan_digest: str = ""
    approved_by: str = ""
    rolled_back_to: int = 0
    ignore_fields: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Revision:
        """Read the JSON form; what a newer version wrote beside it is passed over."""
        known = {f.name for f in dataclasses.fields(cls)}
        given = {name: value for name, value in values.items() if name in known}
        lists = {name: tuple(given.get(name) or ()) for name in ("images", "ignore_fields")}
        return cls(**{**given, **lists})

    def as_dict(self) -> dict[str, Any]:
        """JSON form, without what is empty."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value not in ("", 0, ())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of a release.

    Attributes:
        name: Release.
        namespace: Its namespace.
        inventory: Objects that belong to it, those of an interrupted run included.
        revisions: Oldest first.
        manifests: Revision number -> what it sent, packed; see :func:`manifests_of`.
        facts: Free facts, for example the version of a controller.
        created_namespace: Whether we created the namespace.
        resource_version: Of the Secret; "" before it exists.
        uid: Of the Secret; "" before it exists.
        has_parts: Whether the Secret refers to parts.
    """

    name: str
    namespace: str
    inventory: tuple[InventoryItem, ...] = ()
    revisions: tuple[Revision, ...] = ()
    manifests: Mapping[int, storage.Blob] = field(default_factory=dict, repr=False)
    facts: Mapping[str, str] = field(default_factory=dict)
    created_namespace: bool = False
    resource_version: str = ""
    uid: str = ""
    has_parts: bool = False

    @property
    def latest(self) -> Revision | None:
        """The newest revision."""
        return self.revisions[-1] if self.revisions else None

    @property
    def last_deployed(self) -> Revision | None:
        """The newest revision that was completely deployed."""
        return next((revision for revision in reversed(self.revisions) if revision.status == DEPLOYED), None)

    def revision(self, number: int) -> Revision | None:
        """Return a revision by its number, None when it is not (or no longer) there."""
        return next((revision for revision in self.revisions if revision.number == number), None)

    def trimmed(self, limit: int) -> Record:
        """Return the record with its `limit` newest revisions, the last deployed one always among them."""
        kept = self.revisions[-limit:]
        last = self.last_deployed
        if last is not None and last not in kept:
            kept = (last, *kept[1:]) if limit > 1 else (last, *kept)
        numbers = {revision.number for revision in kept}
        manifests = {number: blob for number, blob in self.manifests.items() if number in numbers}
        return dataclasses.replace(self, revisions=kept, manifests=manifests)


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


# --- reading ---------------------------------------------------------------------------------------------------------


def read(cluster: Cluster, name: str, namespace: str) -> Record | None:
    """Return the record of a release, or None.

    Raises:
        RecordError: The Secret is damaged or was written by another tool.
    """
    ref = record_ref(name, namespace)
    try:
        secret = cluster.get(ref)
    except NotFoundError:
        return None
    return decode(secret, name, namespace, storage.Parts(cluster, ref))


def decode(secret: KubeObject, name: str, namespace: str, parts: storage.Parts) -> Record:
    """Turn the Secret into a record.

    Raises:
        RecordError: It is not one of ours, or damaged.
    """
    ref = record_ref(name, namespace)
    annotations = annotations_of(secret)
    tooling = annotations.get(_TOOLING, "")
    if tooling.split("/")[0] != TOOL:
        raise RecordError(
            f"{ref} is not a release record of {TOOL} (tooling: {tooling or 'none'})",
            hint="Another tool owns this name; choose another release name.",
        )
    try:
        blobs = storage.blobs_of(secret.get("data") or {})
        inventory = tuple(_item(entry) for entry in parts.value(blobs.get("inventory"), []))
        revisions = tuple(Revision.from_dict(entry) for entry in parts.value(blobs.get("revisions"), []))
        release = parts.value(blobs.get("release"), {})
        created = bool(release.get("created_namespace"))
        manifests = {
            int(key.removeprefix("manifests-")): blob for key, blob in blobs.items() if key.startswith("manifests-")
        }
    except storage.DAMAGED as error:
        raise damaged(ref, error) from error
    return Record(
        name=name,
        namespace=namespace,
        inventory=inventory,
        revisions=revisions,
        manifests=manifests,
        facts={k.removeprefix(_FACT_PREFIX): v for k, v in annotations.items() if k.startswith(_FACT_PREFIX)},
        created_namespace=created,
        resource_version=str(secret["metadata"]["resourceVersion"]),
        uid=uid_of(secret),
        has_parts=any(blob.parts for blob in blobs.values()),
    )


def damaged(ref: ObjectRef, error: Exception) -> RecordError:
    """Return the error for a record that can not be read."""
    return RecordError(
        f"{ref} is damaged: {error}",
        hint="Restore it from a backup. Without it the release can be deployed anew, but nothing is pruned.",
    )


def manifests_of(cluster: Cluster, record: Record, number: int) -> list[KubeObject] | None:
    """Return the objects as a revision sent them, None when the record does not have them (any more).

    Raises:
        RecordError: They are damaged.
    """
    ref = record_ref(record.name, record.namespace)
    try:
        found: list[KubeObject] | None = storage.Parts(cluster, ref).value(record.manifests.get(number), None)
    except storage.DAMAGED as error:
        raise damaged(ref, error) from error
    return found


# --- writing ---------------------------------------------------------------------------------------------------------


def write(cluster: Cluster, record: Record) -> Record:
    """Write a record and return it with its new resourceVersion.

    Raises:
        ConflictError: Another run wrote it meanwhile.
    """
    ref = record_ref(record.name, record.namespace)
    laid_out = storage.lay_out(_blobs(record), record.name)
    parts = storage.Parts(cluster, ref)
    parts.create(laid_out.parts)
    body = encode(record, laid_out.data)
    if not record.resource_version:
        try:
            answer = cluster.create(body)
        except AlreadyExistsError as error:
            answer = _own_write(cluster, body) or _raced(record, error)
    else:
        body["metadata"]["resourceVersion"] = record.resource_version
        try:
            answer = cluster.apply(body, force=True, field_manager=_FIELD_MANAGER)
        except ConflictError as error:
            answer = _own_write(cluster, body) or _raced(record, error)
    if laid_out.parts or record.has_parts:
        parts.keep_only(laid_out.names)
    return dataclasses.replace(
        record,
        manifests={number: laid_out.blobs[f"manifests-{number}"] for number in record.manifests},
        resource_version=str(answer["metadata"]["resourceVersion"]),
        uid=uid_of(answer),
        has_parts=bool(laid_out.names),
    )


def _own_write(cluster: Cluster, body: KubeObject) -> KubeObject | None:
    """Return the Secret if it is what we wanted to write: an answer got lost, and the repetition met our own write."""
    found = cluster.find(ObjectRef.of(body))
    same = found is not None and found.get("data") == body["data"] and annotations_of(found) == annotations_of(body)
    return found if same else None


def _raced(record: Record, error: Exception) -> NoReturn:
    raise ConflictError(
        f"release {record.namespace}/{record.name} is being deployed by another run",
        hint="Wait until it has ended, then run again.",
        status=409,
    ) from error


def delete(cluster: Cluster, name: str, namespace: str) -> None:
    """Delete the record of a release with all its parts."""
    ref = record_ref(name, namespace)
    storage.Parts(cluster, ref).keep_only(())
    cluster.delete(ref)


def _blobs(record: Record) -> dict[str, storage.Blob]:
    """Return the content of a record, what is needed at every run first: that stays in the record itself."""
    return {
        "revisions": storage.pack([revision.as_dict() for revision in record.revisions]),
        "release": storage.pack({"name": record.name, "created_namespace": record.created_namespace}),
        "inventory": storage.pack([_entry(item) for item in record.inventory]),
        **{f"manifests-{number}": blob for number, blob in sorted(record.manifests.items(), reverse=True)},
    }


def encode(record: Record, data: Mapping[str, str]) -> KubeObject:
    """Return the Secret of a record with this data."""
    group_kinds = sorted({_group_kind(item.ref) for item in record.inventory})
    namespaces = sorted({item.ref.namespace for item in record.inventory} - {record.namespace, ""})
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
        "data": dict(data),
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


def merged(old: Iterable[InventoryItem], new: Iterable[InventoryItem]) -> tuple[InventoryItem, ...]:
    """Return the union of two inventories; where both have an object, the new item counts."""
    items = {item.ref.key: item for item in old}
    items.update({item.ref.key: item for item in new if item.uid or item.ref.key not in items})
    return tuple(sorted(items.values(), key=lambda item: item.ref.key))
