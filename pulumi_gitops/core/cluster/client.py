# SPDX-License-Identifier: Apache-2.0
"""A thin client for one cluster: objects are dicts, one request per call, errors are ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, Self

from ..errors import NotFoundError, UnknownKindError
from ..objects import KubeObject, ObjectRef
from .connection import resolve
from .discovery import Discovery, Resource
from .settings import ConnectionOptions
from .transport import Transport
from .watching import Event, Follower

FIELD_MANAGER = "pulumi-gitops"
# Large enough for one request in nearly all cases, small enough for the API server to bear.
_PAGE = 2500
# A log is read for an error message: little of it, and not for long.
_LOG_BYTES = 32768
_LOG_SECONDS = 10.0
_METADATA_OF_ONE = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


def connect(options: ConnectionOptions | None = None) -> Cluster:
    """Return a cluster for these settings. Sends no request yet.

    Raises:
        ClusterConfigError: The settings are incomplete or wrong.
    """
    return Cluster(Transport(resolve(options or ConnectionOptions())))


class Cluster:
    """One Kubernetes cluster. Thread-safe; use it as a context manager, or call :meth:`close`."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.discovery = Discovery(transport)

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    @property
    def server(self) -> str:
        """URL of the API server."""
        return self.transport.endpoint.server

    @property
    def namespace(self) -> str:
        """Default namespace of the connection."""
        return self.transport.endpoint.namespace

    def version(self) -> str:
        """Return the version of the API server, for example ``v1.36.3``."""
        return str(self.transport.json("GET", "/version", doing="read the version").get("gitVersion", ""))

    def resource(self, api_version: str, kind: str) -> Resource:
        """Return how the cluster serves a kind (UnknownKindError when it does not)."""
        return self.discovery.resource(api_version, kind)

    def serves(self, api_version: str, kind: str) -> bool:
        """Tell whether the cluster serves a kind; asks the cluster again when it was not known before."""
        try:
            self.discovery.resource(api_version, kind)
        except UnknownKindError:
            return False
        return True

    def get(self, ref: ObjectRef, *, metadata_only: bool = False) -> KubeObject:
        """Return one object.

        Args:
            ref: The object.
            metadata_only: Return only ``metadata`` (a fraction of the bytes).

        Raises:
            NotFoundError: It does not exist.
            UnknownKindError: The cluster does not serve the kind.
        """
        accept = _METADATA_OF_ONE if metadata_only else "application/json"
        answer: KubeObject = self.transport.json("GET", self._path(ref), doing=f"read {ref}", accept=accept)
        return answer

    def find(self, ref: ObjectRef, *, metadata_only: bool = False) -> KubeObject | None:
        """Return one object as :meth:`get` does, or None when it or its kind does not exist."""
        try:
            return self.get(ref, metadata_only=metadata_only)
        except (NotFoundError, UnknownKindError):
            return None

    def list(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        metadata_only: bool = False,
    ) -> list[KubeObject]:
        """Return the objects of a kind, page by page.

        Args:
            api_version: ``apps/v1``.
            kind: Kind.
            namespace: Namespace, "" for all.
            label_selector: Label selector.
            field_selector: Field selector.
            metadata_only: Return only ``metadata`` (a fraction of the bytes).
        """
        resource = self.resource(api_version, kind)
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": str(_PAGE),
            "continue": "",
        }
        where = f" in {namespace}" if namespace else ""
        items: list[KubeObject] = []
        while True:
            page = self.transport.json(
                "GET",
                resource.path(namespace),
                doing=f"list {resource.plural}{where}",
                query=query,
                accept=_METADATA_ONLY if metadata_only else "application/json",
            )
            items += [
                {**item, "apiVersion": resource.api_version, "kind": resource.kind} for item in page.get("items") or []
            ]
            query["continue"] = str((page.get("metadata") or {}).get("continue") or "")
            if not query["continue"]:
                return items

    def apply(
        self, obj: KubeObject, *, dry_run: bool = False, force: bool = False, field_manager: str = FIELD_MANAGER
    ) -> KubeObject:
        """Server-side apply one object, with strict field validation.

        Args:
            obj: The object, with apiVersion, kind and name; namespaced ones with their namespace.
            dry_run: Change nothing, return what would be.
            force: Take over fields of other managers.
            field_manager: Owner of the fields.

        Raises:
            ConflictError: Another manager owns a field with another value, or ``metadata.uid`` does not match.
            InvalidObjectError: A field is unknown, of the wrong type, or not allowed.
        """
        ref = ObjectRef.of(obj)
        answer: KubeObject = self.transport.json(
            "PATCH",
            self._path(ref),
            doing=f"{'dry-run apply' if dry_run else 'apply'} {ref}",
            query={
                "fieldManager": field_manager,
                "fieldValidation": "Strict",
                "force": "true" if force else "",
                "dryRun": "All" if dry_run else "",
            },
            body=obj,
            content_type="application/apply-patch+yaml",
            retry_server_errors=not dry_run,
        )
        return answer

    def create(self, obj: KubeObject, *, dry_run: bool = False) -> KubeObject:
        """Create one object (POST).

        Raises:
            AlreadyExistsError: It exists.
        """
        ref = ObjectRef.of(obj)
        resource = self.resource(ref.api_version, ref.kind)
        answer: KubeObject = self.transport.json(
            "POST",
            resource.path(ref.namespace),
            doing=f"create {ref}",
            query={"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", "dryRun": "All" if dry_run else ""},
            body=obj,
        )
        return answer

    def replace(self, obj: KubeObject) -> KubeObject:
        """Replace one object (PUT); with ``metadata.resourceVersion`` set, only if it did not change meanwhile.

        Raises:
            ConflictError: It changed meanwhile.
        """
        ref = ObjectRef.of(obj)
        answer: KubeObject = self.transport.json(
            "PUT",
            self._path(ref),
            doing=f"update {ref}",
            query={"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"},
            body=obj,
        )
        return answer

    def patch(
        self,
        ref: ObjectRef,
        body: Any,
        *,
        content_type: str = "application/merge-patch+json",
        subresource: str = "",
        dry_run: bool = False,
    ) -> KubeObject:
        """Patch one object: a merge patch (dict), or a JSON patch (list, with its content type)."""
        answer: KubeObject = self.transport.json(
            "PATCH",
            self._path(ref, subresource),
            doing=f"patch {ref}",
            query={"fieldManager": FIELD_MANAGER, "dryRun": "All" if dry_run else ""},
            body=body,
            content_type=content_type,
        )
        return answer

    def delete(self, ref: ObjectRef, *, uid: str = "", propagation: str = "Background", dry_run: bool = False) -> bool:
        """Delete one object; one that is gone already is fine.

        Args:
            ref: What to delete.
            uid: Delete only this very object; another one of the same name gives ConflictError.
            propagation: ``Background``, ``Foreground`` or ``Orphan``.
            dry_run: Delete nothing, check whether it would be allowed.

        Returns:
            Whether it is gone. False: it goes later (finalizers, a grace period).
        """
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
        }
        if uid:
            body["preconditions"] = {"uid": uid}
        if dry_run:
            body["dryRun"] = ["All"]
        try:
            answer = self.transport.json("DELETE", self._path(ref), doing=f"delete {ref}", body=body)
        except (NotFoundError, UnknownKindError):
            return True
        # The answer is a Status once the object is gone, and the object itself while it is still there.
        return bool(answer.get("kind") == "Status")

    def watch(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        timeout: float,
        stop: threading.Event | None = None,
    ) -> Iterator[Event]:
        """Follow the objects of a kind.

        Args:
            api_version: ``apps/v1``.
            kind: Kind.
            namespace: Namespace, "" for all.
            label_selector: Label selector.
            field_selector: Field selector.
            timeout: Seconds after which the iterator ends.
            stop: Ends the watch early when set.

        Yields:
            What exists as ADDED events, then each change. Survives disconnects and 410.
        """
        return Follower(
            self.transport,
            self.resource(api_version, kind),
            namespace,
            {"labelSelector": label_selector, "fieldSelector": field_selector},
            time.monotonic() + timeout,
            stop,
        ).events()

    def logs(self, namespace: str, pod: str, container: str, *, previous: bool = False, tail_lines: int = 10) -> str:
        """Return the last lines that a container wrote, as they are: redact them before anybody reads them.

        Args:
            namespace: Namespace.
            pod: Pod.
            container: Container.
            previous: Those of the container before its last restart.
            tail_lines: How many.

        Raises:
            ApiError: There is no such log, or the node does not answer.
        """
        return self.transport.text(
            self._path(ObjectRef("", "v1", "Pod", namespace, pod), "log"),
            doing=f"read the log of pod {namespace}/{pod}",
            query={
                "container": container,
                "previous": "true" if previous else "",
                "tailLines": str(tail_lines),
                "limitBytes": str(_LOG_BYTES),
            },
            read_timeout=_LOG_SECONDS,
            limit=_LOG_BYTES,
        )

    def _path(self, ref: ObjectRef, subresource: str = "") -> str:
        resource = self.resource(ref.api_version, ref.kind)
        return resource.path(ref.namespace or ("default" if resource.namespaced else ""), ref.name, subresource)
