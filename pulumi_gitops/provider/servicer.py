# SPDX-License-Identifier: Apache-2.0
"""The provider's gRPC service: components by Pulumi's own servicer, custom resources by ours."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi import InputPropertiesError, RunError
from pulumi.errors import InputPropertyErrorDetails
from pulumi.provider.server import ComponentInitError, ProviderServicer
from pulumi.runtime.proto import plugin_pb2, status_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from ..components.options import camel
from ..core import redact
from ..core.cluster import Cluster, ConnectionOptions, connect
from ..core.errors import GitOpsError, InputError
from .inputs import DERIVED, problems
from .progress import EngineLog
from .resources import RESOURCES
from .resources.base import ADD, DELETE, UPDATE, Context, PartialFailureError, Resource, Values, differences
from .values import UNKNOWN, Properties, decode, encode, secret_texts

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
        schema: dict[str, Any] = json.loads(provider.schema)
        self._schemas, self._types = schema["resources"], schema.get("types", {})
        self._log = EngineLog(engine_address)
        self._connection = ConnectionOptions()
        self._cancelled = asyncio.Event()

    # --- configuration -----------------------------------------------------------------------------------------------

    async def Attach(self, request: plugin_pb2.PluginAttach, context: Any) -> empty_pb2.Empty:  # noqa: N802  # gRPC
        """Talk to the engine at another address (a provider started by hand, for debugging)."""
        self.engine_address = request.address
        self._log = EngineLog(request.address)
        return empty_pb2.Empty()

    async def CheckConfig(self, request: pb.CheckRequest, context: Any) -> pb.CheckResponse:  # noqa: N802  # gRPC
        """Keep the kubeconfig secret; whether it is right shows when it is used."""
        return pb.CheckResponse(inputs=encode(decode(request.news).values, {("kubeconfig",)}))

    async def DiffConfig(self, request: pb.DiffRequest, context: Any) -> pb.DiffResponse:  # noqa: N802  # gRPC
        """Leave it to the engine: another kubeconfig is a change, but no reason to replace what is deployed."""
        return pb.DiffResponse(changes=pb.DiffResponse.DIFF_UNKNOWN)

    async def Configure(self, request: pb.ConfigureRequest, context: Any) -> pb.ConfigureResponse:  # noqa: N802  # gRPC
        """Remember which cluster to use."""
        given = decode(request.args).values
        kubeconfig = given.get("kubeconfig") or None
        if isinstance(kubeconfig, str) and kubeconfig.lstrip().startswith("{"):
            kubeconfig = json.loads(kubeconfig)
        self._connection = ConnectionOptions(kubeconfig=kubeconfig, context=given.get("context") or None)
        return pb.ConfigureResponse(acceptSecrets=True, acceptResources=True, acceptOutputs=True, supportsPreview=True)

    async def Cancel(self, request: empty_pb2.Empty, context: Any) -> empty_pb2.Empty:  # noqa: N802  # gRPC
        """Wait for nothing any more."""
        self._cancelled.set()
        return empty_pb2.Empty()

    # --- components --------------------------------------------------------------------------------------------------

    async def _construct(self, request: pb.ConstructRequest, context: Any) -> pb.ConstructResponse:
        """Construct a component; report what is wrong with its inputs as such, where Pulumi prints a traceback."""
        try:
            given = self._decoded(request.inputs).values
            wrong = problems(given, self._schemas[request.type], self._types)
            if wrong:
                raise InputPropertiesError("", [_wrong(name, reason) for name, reason in wrong])
            return await self._constructed(request, context)
        except (GitOpsError, RunError) as error:
            refused = error if isinstance(error, GitOpsError) else error.__cause__
            if not isinstance(refused, GitOpsError):
                raise
            option = refused.details.get("property")
            if option:
                raise InputPropertiesError("", [_wrong(camel(str(option)), str(error))]) from error
            raise InputPropertiesError(str(error), []) from error

    async def _constructed(self, request: pb.ConstructRequest, context: Any) -> pb.ConstructResponse:
        try:
            answer: pb.ConstructResponse = await super()._construct(request, context)
            return answer
        except ComponentInitError as error:
            raise error.inner from error

    # --- custom resources --------------------------------------------------------------------------------------------

    async def Check(self, request: pb.CheckRequest, context: Any) -> pb.CheckResponse:  # noqa: N802  # gRPC
        """Validate inputs and fill in what is derived from them."""
        resource = self._resource(request.urn)
        try:
            news = self._decoded(request.news)
            news.values.pop(DERIVED, None)
            wrong = problems(news.values, self._schemas[_token(request.urn)], self._types)
            if wrong:
                failures = [pb.CheckFailure(property=name, reason=f"{name} {reason}") for name, reason in wrong]
                return pb.CheckResponse(inputs=request.news, failures=failures)
            checked = await asyncio.to_thread(resource.check, news.values, self._context(request.urn))
        except InputError as error:
            name = camel(str(error.details.get("property") or ""))
            return pb.CheckResponse(inputs=request.news, failures=[pb.CheckFailure(property=name, reason=str(error))])
        except Exception as error:  # noqa: BLE001  # every error becomes a message of the engine
            await self._fail(context, request.urn, error)
        return pb.CheckResponse(inputs=encode(checked, news.secrets | resource.secrets(checked)))

    async def Diff(self, request: pb.DiffRequest, context: Any) -> pb.DiffResponse:  # noqa: N802  # gRPC
        """Compare, entry by entry."""
        resource = self._resource(request.urn)
        state, old, new = (decode(part).values for part in (request.olds, request.old_inputs, request.news))
        if DERIVED in state:
            # What is deployed may be something else than what the inputs said: after a rollback.
            old = {**old, DERIVED: state[DERIVED]}
        found = differences(resource, *resource.compared(old, new))
        replaces = [path for path in found if path in resource.replaces]
        detailed = {
            path: pb.PropertyDiff(
                kind=(_REPLACE_KINDS if path in replaces else _KINDS)[kind],
                # Where the engine finds the old value that it shows: in the inputs, or in the state.
                inputDiff=path.partition("[")[0] != DERIVED,
            )
            for path, kind in found.items()
        }
        return pb.DiffResponse(
            changes=pb.DiffResponse.DIFF_SOME if found else pb.DiffResponse.DIFF_NONE,
            diffs=sorted({path.partition("[")[0] for path in found}),
            replaces=replaces,
            # Two releases can not have one object, and two sets of files can not have one path.
            deleteBeforeReplace=bool(replaces),
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    async def Create(self, request: pb.CreateRequest, context: Any) -> pb.CreateResponse:  # noqa: N802  # gRPC
        """Create a resource."""
        resource, inputs = self._resource(request.urn), self._decoded(request.properties)
        if request.preview:
            return pb.CreateResponse(id="", properties=await self._preview(resource, inputs, request.urn))

        def work() -> Values:
            return resource.create(_limited(inputs, request.timeout), self._context(request.urn))

        outputs = await self._change(work, resource, inputs, {}, request.urn, context)
        identity = resource.identity(inputs.values)
        return pb.CreateResponse(id=identity, properties=_state(inputs, outputs))

    async def Update(self, request: pb.UpdateRequest, context: Any) -> pb.UpdateResponse:  # noqa: N802  # gRPC
        """Update a resource."""
        resource, inputs = self._resource(request.urn), self._decoded(request.news)
        if request.preview:
            return pb.UpdateResponse(properties=await self._preview(resource, inputs, request.urn))
        state = self._decoded(request.olds).values

        def work() -> Values:
            return resource.update(_limited(inputs, request.timeout), state, self._context(request.urn))

        outputs = await self._change(work, resource, inputs, state, request.urn, context)
        return pb.UpdateResponse(properties=_state(inputs, outputs))

    async def Read(self, request: pb.ReadRequest, context: Any) -> pb.ReadResponse:  # noqa: N802  # gRPC
        """Read a resource as it is in the world."""
        resource = self._resource(request.urn)
        inputs, state = self._decoded(request.inputs), self._decoded(request.properties)

        def work() -> tuple[Values, Values] | None:
            return resource.read(request.id, inputs.values, state.values, self._context(request.urn))

        def marked(values: Values) -> Properties:
            return Properties(values, inputs.secrets | state.secrets | resource.secrets(values))

        try:
            found = await self._uncancelled(work)
        except PartialFailureError as error:
            read = marked(inputs.values if error.inputs is None else error.inputs)
            await context.abort_with_status(_init_failed(request.id, read, error.outputs, str(error.cause)))
            raise AssertionError("abort raises") from error
        except Exception as error:  # noqa: BLE001  # every error becomes a message of the engine
            await self._fail(context, request.urn, error)
        if found is None:
            return pb.ReadResponse(id="")
        read = marked(found[0])
        return pb.ReadResponse(
            id=request.id, inputs=encode(read.values, read.secrets), properties=_state(read, found[1])
        )

    async def Delete(self, request: pb.DeleteRequest, context: Any) -> empty_pb2.Empty:  # noqa: N802  # gRPC
        """Delete a resource."""
        resource, state = self._resource(request.urn), self._decoded(request.properties)

        def work() -> None:
            resource.delete(request.id, _limited(state, request.timeout), self._context(request.urn))

        await self._run(work, request.urn, context)
        return empty_pb2.Empty()

    # --- plumbing ----------------------------------------------------------------------------------------------------

    async def _change(
        self, work: Callable[[], Values], resource: Resource, inputs: Properties, state: Values, urn: str, context: Any
    ) -> Values:
        """Run a creation or update; what it began is kept in the state when it does not complete."""
        try:
            made: Values = await self._uncancelled(work)
            return made
        except PartialFailureError as error:
            outputs, cause = error.outputs, str(error.cause)
        except _CancelledError as error:
            if not resource.resumable:
                await self._fail(context, urn, error)
            outputs, cause = {name: state.get(name) for name in resource.outputs}, str(error)
        except Exception as error:  # noqa: BLE001  # every error becomes a message of the engine
            await self._fail(context, urn, error)
        await context.abort_with_status(_init_failed(resource.identity(inputs.values), inputs, outputs, cause))
        raise AssertionError("abort raises")

    async def _run(self, work: Callable[[], Any], urn: str, context: Any) -> Any:
        try:
            return await self._uncancelled(work)
        except Exception as error:  # noqa: BLE001  # every error becomes a message of the engine
            await self._fail(context, urn, error)

    async def _uncancelled(self, work: Callable[[], Any]) -> Any:
        """Run blocking work in a thread; give up waiting for it when the engine cancels.

        The thread may go on until the engine ends the process, which is soon.
        """
        running = asyncio.ensure_future(asyncio.to_thread(work))
        cancelled = asyncio.ensure_future(self._cancelled.wait())
        try:
            await asyncio.wait({running, cancelled}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            cancelled.cancel()
        if running.done():
            return running.result()
        raise _CancelledError("cancelled; the next update continues")

    async def _fail(self, context: Any, urn: str, error: Exception) -> NoReturn:
        if isinstance(error, GitOpsError):
            message = str(error)
        else:
            message = redact.redact(f"{type(error).__name__}: {error}")
            self._log.debug(urn, "".join(traceback.format_exception(error)))
        await context.abort(grpc.StatusCode.UNKNOWN, message)
        raise AssertionError("abort raises")

    def _resource(self, urn: str) -> Resource:
        return RESOURCES[_token(urn)]

    def _context(self, urn: str) -> Context:
        return Context(
            urn.rpartition("::")[2],
            self._connect,
            lambda progress: self._log.status(urn, progress),
            lambda message: self._log.warning(urn, message),
            lambda message: self._log.info(urn, message),
        )

    def _connect(self) -> Cluster:
        return connect(self._connection)

    def _decoded(self, struct: struct_pb2.Struct) -> Properties:
        properties = decode(struct)
        redact.register(*secret_texts(properties))
        return properties

    async def _preview(self, resource: Resource, inputs: Properties, urn: str) -> struct_pb2.Struct:
        known = await asyncio.to_thread(resource.preview, inputs.values, self._context(urn))
        return _state(inputs, {**dict.fromkeys(resource.outputs, UNKNOWN), **known})


class _CancelledError(GitOpsError):
    """The engine asked to stop."""

    code = "provider.cancelled"


def _wrong(option: str, reason: str) -> InputPropertyErrorDetails:
    return InputPropertyErrorDetails(property_path=option, reason=reason)


def _token(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _limited(given: Properties, timeout: float) -> Values:
    """Return the values; the resource option ``customTimeouts`` holds where no ``waitTimeout`` is given."""
    return {"waitTimeout": timeout, **given.values} if timeout > 0 else given.values


def _state(inputs: Properties, outputs: Values) -> struct_pb2.Struct:
    return encode({**inputs.values, **outputs}, inputs.secrets)


def _init_failed(identity: str, inputs: Properties, outputs: Values, cause: str) -> grpc.Status:
    """Return the status that keeps the state of a resource whose creation or update began but did not complete."""
    details = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=cause)
    kept = pb.ErrorResourceInitFailed(
        id=identity,
        properties=_state(inputs, outputs),
        reasons=[cause],
        inputs=encode(inputs.values, inputs.secrets),
    )
    details.details.add().Pack(kept)
    status = grpc.Status()
    status.code = grpc.StatusCode.UNKNOWN
    status.details = cause
    status.trailing_metadata = (("grpc-status-details-bin", details.SerializeToString()),)
    return status
