# SPDX-License-Identifier: Apache-2.0
"""The provider's gRPC service: components by Pulumi's own servicer, custom resources by ours."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.provider.server import ProviderServicer
from pulumi.runtime.proto import plugin_pb2, status_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from ..core import redact
from ..core.cluster import Cluster, ConnectionOptions, connect
from ..core.errors import GitOpsError, InputError
from .progress import EngineLog
from .resources import RESOURCES
from .resources.base import ADD, DELETE, UPDATE, Context, PartialFailureError, Resource, differences
from .values import UNKNOWN, Properties, decode, encode, has_unknown, strings_in

_KINDS = {
    ADD: pb.PropertyDiff.ADD,
    UPDATE: pb.PropertyDiff.UPDATE,
    DELETE: pb.PropertyDiff.DELETE,
}
_REPLACE_KINDS = {
    ADD: pb.PropertyDiff.ADD_REPLACE,
    UPDATE: pb.PropertyDiff.UPDATE_REPLACE,
    DELETE: pb.PropertyDiff.DELETE_REPLACE,
}


class Servicer(ProviderServicer):
    """Adds the custom resources to Pulumi's servicer for components.

    Args:
        provider: The components and the schema.
        engine_address: Address of the engine.
    """

    def __init__(self, provider: Any, engine_address: str) -> None:
        super().__init__(provider, [], engine_address=engine_address)
        self._log = EngineLog(engine_address)
        self._connection = ConnectionOptions()

    # --- configuration -----------------------------------------------------------------------------------------------

    async def Attach(self, request: plugin_pb2.PluginAttach, context: Any) -> empty_pb2.Empty:  # noqa: N802  # gRPC
        """Talk to the engine at another address (a provider started by hand, for debugging)."""
        self.engine_address = request.address
        self._log = EngineLog(request.address)
        return empty_pb2.Empty()

    async def CheckConfig(self, request: pb.CheckRequest, context: Any) -> pb.CheckResponse:  # noqa: N802  # gRPC
        """Accept the provider's configuration as it is; connecting will judge it."""
        return pb.CheckResponse(inputs=request.news)

    async def DiffConfig(self, request: pb.DiffRequest, context: Any) -> pb.DiffResponse:  # noqa: N802  # gRPC
        """Another kubeconfig is no reason to replace anything: the cluster may well be the same."""
        return pb.DiffResponse(changes=pb.DiffResponse.DIFF_NONE)

    async def Configure(self, request: pb.ConfigureRequest, context: Any) -> pb.ConfigureResponse:  # noqa: N802  # gRPC
        """Remember which cluster to use."""
        given = decode(request.args).values
        kubeconfig, kube_context = given.get("kubeconfig"), given.get("context")
        self._connection = ConnectionOptions(
            kubeconfig=kubeconfig if isinstance(kubeconfig, str) and kubeconfig else None,
            context=kube_context if isinstance(kube_context, str) and kube_context else None,
        )
        return pb.ConfigureResponse(acceptSecrets=True, acceptResources=True, acceptOutputs=True, supportsPreview=True)

    async def Cancel(self, request: empty_pb2.Empty, context: Any) -> empty_pb2.Empty:  # noqa: N802  # gRPC
        """Nothing to do: what runs is left to end, so that state and cluster agree."""
        return empty_pb2.Empty()

    # --- custom resources --------------------------------------------------------------------------------------------

    async def Check(self, request: pb.CheckRequest, context: Any) -> pb.CheckResponse:  # noqa: N802  # gRPC
        """Validate inputs and fill in what is derived from them."""
        resource, news = self._resource(request.urn), self._decoded(request.news)
        try:
            checked = await asyncio.to_thread(resource.check, news.values, self._context(request.urn))
        except InputError as error:
            name = str(error.details.get("property") or "")
            return pb.CheckResponse(inputs=request.news, failures=[pb.CheckFailure(property=name, reason=str(error))])
        except Exception as error:  # noqa: BLE001  # every error becomes a message of the engine
            await self._fail(context, request.urn, error)
        return pb.CheckResponse(inputs=encode(checked, self._secrets(resource, news)))

    async def Diff(self, request: pb.DiffRequest, context: Any) -> pb.DiffResponse:  # noqa: N802  # gRPC
        """Compare, entry by entry."""
        resource = self._resource(request.urn)
        old, new = decode(request.old_inputs).values, decode(request.news).values
        found = differences(resource, old, new)
        replaces = [path for path in found if path in resource.replaces]
        detailed = {
            path: pb.PropertyDiff(kind=(_REPLACE_KINDS if path in replaces else _KINDS)[kind], inputDiff=True)
            for path, kind in found.items()
        }
        return pb.DiffResponse(
            changes=pb.DiffResponse.DIFF_SOME if found else pb.DiffResponse.DIFF_NONE,
            diffs=sorted({path.partition("[")[0] for path in found}),
            replaces=replaces,
            deleteBeforeReplace=bool(replaces),
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    async def Create(self, request: pb.CreateRequest, context: Any) -> pb.CreateResponse:  # noqa: N802  # gRPC
        """Create a resource."""
        resource, inputs = self._resource(request.urn), self._decoded(request.properties)
        if request.preview:
            return pb.CreateResponse(id="", properties=self._preview(resource, inputs))

        def work() -> tuple[str, dict[str, Any]]:
            return resource.create(inputs.values, self._context(request.urn))

        identity, outputs = await self._run(work, resource, inputs, request.urn, context)
        return pb.CreateResponse(id=identity, properties=self._state(resource, inputs, outputs))

    async def Update(self, request: pb.UpdateRequest, context: Any) -> pb.UpdateResponse:  # noqa: N802  # gRPC
        """Update a resource."""
        resource, inputs = self._resource(request.urn), self._decoded(request.news)
        if request.preview:
            return pb.UpdateResponse(properties=self._preview(resource, inputs))
        state = self._decoded(request.olds)

        def work() -> dict[str, Any]:
            return resource.update(request.id, inputs.values, state.values, self._context(request.urn))

        outputs = await self._run(work, resource, inputs, request.urn, context)
        return pb.UpdateResponse(properties=self._state(resource, inputs, outputs))

    async def Read(self, request: pb.ReadRequest, context: Any) -> pb.ReadResponse:  # noqa: N802  # gRPC
        """Read a resource as it is in the world."""
        resource = self._resource(request.urn)
        inputs, state = self._decoded(request.inputs), self._decoded(request.properties)

        def work() -> tuple[dict[str, Any], dict[str, Any]] | None:
            return resource.read(request.id, inputs.values, state.values, self._context(request.urn))

        found = await self._run(work, resource, inputs, request.urn, context)
        if found is None:
            return pb.ReadResponse(id="")
        read, outputs = found
        secrets = self._secrets(resource, inputs) | state.secrets
        return pb.ReadResponse(
            id=request.id, inputs=encode(read, secrets), properties=encode({**read, **outputs}, secrets)
        )

    async def Delete(self, request: pb.DeleteRequest, context: Any) -> empty_pb2.Empty:  # noqa: N802  # gRPC
        """Delete a resource."""
        resource, state = self._resource(request.urn), self._decoded(request.properties)

        def work() -> None:
            resource.delete(request.id, state.values, self._context(request.urn))

        await self._run(work, resource, state, request.urn, context)
        return empty_pb2.Empty()

    # --- plumbing ----------------------------------------------------------------------------------------------------

    async def _run(
        self, work: Callable[[], Any], resource: Resource, inputs: Properties, urn: str, context: Any
    ) -> Any:
        try:
            return await asyncio.to_thread(work)
        except PartialFailureError as error:
            await context.abort_with_status(
                _init_failed(error, self._state(resource, inputs, error.outputs), encode(inputs.values, inputs.secrets))
            )
        except Exception as error:  # noqa: BLE001  # every error becomes a message of the engine
            await self._fail(context, urn, error)

    async def _fail(self, context: Any, urn: str, error: Exception) -> NoReturn:
        if isinstance(error, GitOpsError):
            message = str(error)
        else:
            message = redact.redact(f"{type(error).__name__}: {error}")
            self._log.debug(urn, "".join(traceback.format_exception(error)))
        await context.abort(grpc.StatusCode.UNKNOWN, message)
        raise AssertionError("abort raises")

    def _resource(self, urn: str) -> Resource:
        return RESOURCES[urn.split("::")[2].rpartition("$")[2]]

    def _context(self, urn: str) -> Context:
        return Context(urn.rpartition("::")[2], self._connect, lambda progress: self._log.status(urn, progress))

    def _connect(self) -> Cluster:
        return connect(self._connection)

    def _decoded(self, struct: struct_pb2.Struct) -> Properties:
        properties = decode(struct)
        for name in properties.secrets:
            value = properties.values.get(name)
            # Of manifests and files only what is secret in them may be hidden, or every word of them would be; the
            # engine registers the values of Secrets itself.
            if name not in ("definition", "files"):
                redact.register(*strings_in(value))
        return properties

    def _secrets(self, resource: Resource, given: Properties) -> frozenset[str]:
        return given.secrets | resource.secret_inputs(given.values)

    def _preview(self, resource: Resource, inputs: Properties) -> struct_pb2.Struct:
        outputs = {name: UNKNOWN for name in resource.outputs if has_unknown(inputs.values.get(name, UNKNOWN))}
        return self._state(resource, inputs, outputs)

    def _state(self, resource: Resource, inputs: Properties, outputs: dict[str, Any]) -> struct_pb2.Struct:
        return encode({**inputs.values, **outputs}, self._secrets(resource, inputs))


def _init_failed(error: PartialFailureError, state: struct_pb2.Struct, inputs: struct_pb2.Struct) -> grpc.Status:
    """Return the status that keeps the state of a resource whose creation or update began but did not complete."""
    details = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error.cause))
    details.details.add().Pack(
        pb.ErrorResourceInitFailed(id=error.identity, properties=state, reasons=[str(error.cause)], inputs=inputs)
    )
    status = grpc.Status()
    status.code = grpc.StatusCode.UNKNOWN
    status.details = str(error.cause)
    status.trailing_metadata = (("grpc-status-details-bin", details.SerializeToString()),)
    return status
