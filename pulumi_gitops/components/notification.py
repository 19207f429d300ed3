# SPDX-License-Identifier: Apache-2.0
"""The component ``Notification``."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, Optional, TypedDict

import pulumi

from ..core.controllers import NotificationSpec
from .options import given, plain, require_gitops_provider
from .wiring import secret_credentials, wire


class NotificationArgs(TypedDict):
    """Inputs of Notification."""

    type: pulumi.Input[str]
    """Type of the provider (slack, generic, github, ...), or of the sender that a receiver listens to."""
    controller: NotRequired[str]
    """Which controller: flux. Default: flux."""
    address: NotRequired[pulumi.Input[str]]
    """Provider: URL that events are sent to; kept as a secret."""
    channel: NotRequired[pulumi.Input[str]]
    """Provider: channel there."""
    username: NotRequired[pulumi.Input[str]]
    """Provider: name that messages are sent under."""
    token: NotRequired[pulumi.Input[str]]
    """Secret of the provider or receiver; kept as a secret."""
    severity: NotRequired[pulumi.Input[str]]
    """Provider: info or error. Default: info."""
    sources: NotRequired[pulumi.Input[Sequence[pulumi.Input[Mapping[str, pulumi.Input[Any]]]]]]
    """Objects whose events are sent, or that a receiver makes Flux look at: {kind, name}; for a provider all when
    absent."""
    exclude: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Provider: expressions; events that match one are not sent."""
    receiver: NotRequired[bool]
    """Make a Receiver instead of a Provider and an Alert. Default: false."""
    events: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Receiver: events of the sender that count, for example push."""
    namespace: NotRequired[pulumi.Input[str]]
    """Namespace of Flux. Default: flux-system."""


class Notification(pulumi.ComponentResource):
    """Where events of Flux go, or a webhook that makes it look at a repository at once.

    The first is a Provider with an Alert, the second a Receiver.
    """

    name: pulumi.Output[str]
    """Name of the objects."""

    def __init__(self, name: str, args: NotificationArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        require_gitops_provider(opts)
        values = secret_credentials(given(args, NotificationArgs), NotificationSpec)
        shape = plain(values, "controller", "receiver")
        super().__init__("gitops:index:Notification", name, values, opts)
        wired = wire(self, name, NotificationSpec, NotificationSpec.objects, values, shape)
        self.resources = wired.resources
        self.name = wired.after(name)
        self.register_outputs({"name": self.name})
