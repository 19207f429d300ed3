# SPDX-License-Identifier: Apache-2.0
"""Notifications of Flux: where events go, which ones, and webhooks that make it look at a repository at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import redact
from ..errors import InputError
from ..objects import KubeObject, ObjectRef
from . import catalog
from .argocd.wiring import wiring_object
from .names import check_name, check_namespace

GROUP = "notification.toolkit.fluxcd.io"
_SEVERITIES = ("info", "error")
_ALL_SOURCES = ("GitRepository", "Kustomization", "HelmRelease", "HelmRepository", "OCIRepository")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSpec:
    """A Provider with its Alert, or a Receiver.

    Attributes:
        controller: ``flux``.
        name: Name of the objects.
        type: Type of the provider (``slack``, ``generic``, ``github``, ...), or of the receiver's sender.
        address: Provider: URL that events are sent to.
        channel: Provider: channel there.
        username: Provider: name that messages are sent under.
        token: Secret of the provider or receiver; kept in a Secret.
        severity: Provider: ``info`` or ``error``.
        sources: Objects whose events are sent, or that a receiver makes Flux look at: ``{"kind": ..., "name": ...}``;
            for a provider all of them by default.
        exclude: Provider: expressions; events that match one are not sent.
        receiver: Make a Receiver instead of a Provider and an Alert.
        events: Receiver: events of the sender that count, for example ``push``.
        namespace: Namespace of Flux; its usual one when None.
    """

    controller: str = "flux"
    name: str
    type: str
    address: str | None = field(default=None, repr=False)
    channel: str | None = None
    username: str | None = None
    token: str | None = field(default=None, repr=False)
    severity: str = "info"
    sources: Sequence[Mapping[str, Any]] = ()
    exclude: Sequence[str] = ()
    receiver: bool = False
    events: Sequence[str] = ()
    namespace: str | None = None

    def __post_init__(self) -> None:
        if self.controller != "flux":
            title = catalog.wiring_controller(self.controller).title
            raise InputError(
                f"notifications of {title} are no objects of their own",
                hint="Configure them with the option config of the controller: argocd-notifications-cm.",
            )
        check_name("name", self.name)
        check_namespace(self.namespace)
        # The address of a webhook often holds its secret.
        redact.register(self.token, self.address)
        if self.severity not in _SEVERITIES:
            raise InputError(f"severity {self.severity!r} is none of {', '.join(_SEVERITIES)}")
        if self.receiver and not self.token:
            raise InputError(f"notification {self.name}: a receiver needs a token, which its address is made of")
        if self.receiver and not self.sources:
            raise InputError(f"notification {self.name}: a receiver needs sources to look at")

    @property
    def target_namespace(self) -> str:
        """The controller's namespace, with the default filled in."""
        return self.namespace or catalog.controller(self.controller).default_namespace

    def objects(self) -> list[KubeObject]:
        """Return the Secret, and the Receiver or Provider and Alert."""
        objects: list[KubeObject] = []
        secret = ObjectRef("", "v1", "Secret", self.target_namespace, f"notification-{self.name}")
        # A Secret may hold the address too: it is as secret as the token (fluxcd/notification-controller, Provider).
        data = {"token": self.token, "address": None if self.receiver else self.address}
        values = {key: value for key, value in data.items() if value is not None}
        reference = {"secretRef": {"name": secret.name}} if values else {}
        if values:
            objects.append({**wiring_object(secret), "type": "Opaque", "stringData": values})
        if self.receiver:
            spec: dict[str, Any] = {"type": self.type, "resources": [dict(s) for s in self.sources], **reference}
            if self.events:
                spec["events"] = list(self.events)
            return [*objects, {**wiring_object(self._ref("v1", "Receiver")), "spec": spec}]
        provider = {"type": self.type, "channel": self.channel, "username": self.username, **reference}
        alert: dict[str, Any] = {
            "providerRef": {"name": self.name},
            "eventSeverity": self.severity,
            "eventSources": [dict(s) for s in self.sources] or [{"kind": kind, "name": "*"} for kind in _ALL_SOURCES],
        }
        if self.exclude:
            alert["exclusionList"] = list(self.exclude)
        given = {key: value for key, value in provider.items() if value is not None}
        return [
            *objects,
            {**wiring_object(self._ref("v1beta3", "Provider")), "spec": given},
            {**wiring_object(self._ref("v1beta3", "Alert")), "spec": alert},
        ]

    def _ref(self, version: str, kind: str) -> ObjectRef:
        return ObjectRef(GROUP, version, kind, self.target_namespace, self.name)
