# SPDX-License-Identifier: Apache-2.0
"""Serve the provider. The one module that uses Pulumi's experimental component hosting."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.runtime.proto import provider_pb2_grpc

from ..components import (
    Application,
    ApplicationSet,
    ArgoCD,
    Cluster,
    Controller,
    Flux,
    GitFiles,
    Notification,
    Project,
    Provider,
    Release,
    Repository,
    Sync,
    WeaveGitOps,
)
from ..components.controllers import ArgoCDArgs, FluxArgs, InstallArgs, WeaveGitOpsArgs
from ..components.options import camel
from ..core import __version__
from .schema import complete
from .servicer import Servicer

# The engine's own limit (400 MiB); gRPC's default of 4 MiB is too small for a large set.
_MESSAGE_SIZE = 400 * 1024 * 1024
_OPTIONS = [("grpc.max_receive_message_length", _MESSAGE_SIZE), ("grpc.max_send_message_length", _MESSAGE_SIZE)]
_COMPONENTS: list[Any] = [
    ArgoCD,
    Flux,
    WeaveGitOps,
    Repository,
    Application,
    Project,
    ApplicationSet,
    Cluster,
    Notification,
]
_RESOURCES: list[Any] = [Controller, Release, GitFiles, Sync, Provider]


class Components(ComponentProvider):
    """Constructs the components, and knows the whole schema."""

    def __init__(self) -> None:
        super().__init__([*_COMPONENTS, *_RESOURCES], "gitops", version=__version__)
        # An option of two controllers has a text for each.
        told: dict[str, list[str]] = {}
        for kind in (InstallArgs, ArgoCDArgs, FluxArgs, WeaveGitOpsArgs):
            for name in kind.__annotations__:
                text = self.analyzer.get_docstring(kind, name)
                if text and text not in told.setdefault(camel(name), []):
                    told[camel(name)].append(text)
        self.schema = complete(self.schema or "{}", {name: " ".join(texts) for name, texts in told.items()})


async def _serve(engine_address: str) -> None:
    server = grpc.aio.server(options=_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(Components(), engine_address), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    # The engine reads the port from the first line.
    print(port, flush=True)  # noqa: T201  # that is the protocol
    await server.wait_for_termination()


def serve(engine_address: str) -> None:
    """Serve until the engine ends the process."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(engine_address))
