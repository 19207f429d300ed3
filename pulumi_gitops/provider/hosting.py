# SPDX-License-Identifier: Apache-2.0
"""Serve the provider. The one module that uses Pulumi's experimental component hosting."""

from __future__ import annotations

import asyncio
import contextlib

import grpc
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.runtime.proto import provider_pb2_grpc

from ..components import Application, ArgoCD, Repository
from ..core import __version__
from .schema import complete
from .servicer import Servicer

# The engine's own limit (400 MiB); gRPC's default of 4 MiB is too small for a large set.
_MESSAGE_SIZE = 400 * 1024 * 1024
_OPTIONS = [("grpc.max_receive_message_length", _MESSAGE_SIZE), ("grpc.max_send_message_length", _MESSAGE_SIZE)]


def component_provider() -> ComponentProvider:
    """Return the components with the whole schema."""
    provider = ComponentProvider([ArgoCD, Repository, Application], "gitops", version=__version__)
    provider.schema = complete(provider.schema or "{}")
    return provider


async def _serve(engine_address: str) -> None:
    server = grpc.aio.server(options=_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(component_provider(), engine_address), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    # The engine reads the port from the first line.
    print(port, flush=True)  # noqa: T201  # that is the protocol
    await server.wait_for_termination()


def serve(engine_address: str) -> None:
    """Serve until the engine ends the process."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(engine_address))
