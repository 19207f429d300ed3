# SPDX-License-Identifier: Apache-2.0
"""Stand-in for pulumi-resource-kubernetes, for machines that can not have the real plugin.

It knows enough for the wiring components (Secrets and custom resources) and works against a real API server. Where
the real plugin's behaviour matters to them, it does the same: create is a POST, so what exists already is an error;
a kind whose CRD is not there yet is waited for; update is a server-side apply with the field manager that the
annotation ``pulumi.com/patchFieldManager`` names; ``pulumi.com/waitFor`` (conditions, and paths of plain keys) and
``pulumi.com/timeoutSeconds`` hold; the data of a Secret or ConfigMap is replaced rather than changed; delete waits
until the object is gone; refresh brings hand edits back as drift. The tests use the real plugin wherever it is on PATH.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
import uuid
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as pb

from pulumi_gitops.core.cluster import Cluster, ConnectionOptions, connect
from pulumi_gitops.core.errors import GitOpsError, UnknownKindError
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.provider.values import decode, encode, has_unknown

VERSION = "4.34.2"
_MANAGER = "pulumi-kubernetes-stand-in"
_IDENTITY = ("apiVersion", "kind", "metadata.name", "metadata.namespace")
# Their data is not changed but replaced, unless the provider is configured otherwise.
_IMMUTABLE = ("ConfigMap", "Secret")
_KIND_ATTEMPTS, _KIND_PAUSE = 6, 0.5
_GONE_SECONDS, _WAIT_SECONDS = 300.0, 600.0


def manifest(values: dict[str, Any]) -> dict[str, Any]:
    """Return the object without Pulumi's own properties, plain text of Secrets encoded."""
    obj = {key: value for key, value in values.items() if not key.startswith("__") and key != "status"}
    if obj.get("kind") == "Secret" and "stringData" in obj:
        data = dict(obj.get("data") or {})
        data |= {k: base64.b64encode(str(v).encode()).decode() for k, v in obj.pop("stringData").items()}
        obj["data"] = data
    return obj


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return path -> leaf of nested maps."""
    if not isinstance(value, dict):
        return {path: value}
    found: dict[str, Any] = {}
    for key, item in value.items():
        found.update(flat(item, f"{path}.{key}" if path else key))
    return found


def meets(obj: dict[str, Any], expression: str) -> bool:
    """Tell whether an object meets ``condition=Type`` or ``jsonpath={.path}`` with or without ``=value``."""
    kind, _, wanted = expression.partition("=")
    if kind == "condition":
        conditions = (obj.get("status") or {}).get("conditions") or []
        return any(c.get("type") == wanted and c.get("status") == "True" for c in conditions)
    path, _, value = wanted.partition("}")
    found: Any = obj
    for key in path.removeprefix("{.").split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found is not None and value in ("", f"={found}")


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """The provider's service, as far as it goes."""

    def __init__(self) -> None:
        self._cluster: Cluster | None = None

    async def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version=VERSION)

    async def CheckConfig(self, request, context):
        return pb.CheckResponse(inputs=request.news)

    async def DiffConfig(self, request, context):
        return pb.DiffResponse(changes=pb.DiffResponse.DIFF_NONE)

    async def Configure(self, request, context):
        given = decode(request.args).values
        kubeconfig = given.get("kubeconfig") or os.environ.get("KUBECONFIG")
        self._cluster = connect(ConnectionOptions(kubeconfig=kubeconfig, context=given.get("context")))
        return pb.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=False)

    async def Check(self, request, context):
        news, olds = decode(request.news), decode(request.olds)
        metadata = news.values.setdefault("metadata", {})
        if isinstance(metadata, dict) and "name" not in metadata:
            before = (olds.values.get("metadata") or {}).get("name")
            metadata["name"] = before or f"{request.urn.rpartition('::')[2]}-{uuid.uuid4().hex[:8]}"
        secrets = news.secrets | ({("data",), ("stringData",)} if news.values.get("kind") == "Secret" else set())
        return pb.CheckResponse(inputs=encode(news.values, secrets))

    async def Diff(self, request, context):
        before, after = flat(decode(request.old_inputs).values), flat(decode(request.news).values)
        detailed, replaces = {}, []
        for path in sorted({*before, *after}):
            if before.get(path) == after.get(path):
                continue
            data = after.get("kind") in _IMMUTABLE and path.startswith(("data", "stringData", "binaryData", "type"))
            replace = path in _IDENTITY or data
            kind = "ADD" if path not in before else "DELETE" if path not in after else "UPDATE"
            value = getattr(pb.PropertyDiff, kind + ("_REPLACE" if replace else ""))
            detailed[path] = pb.PropertyDiff(kind=value, inputDiff=True)
            if replace:
                replaces.append(path)
        return pb.DiffResponse(
            changes=pb.DiffResponse.DIFF_SOME if detailed else pb.DiffResponse.DIFF_NONE,
            diffs=sorted({path.partition(".")[0] for path in detailed}),
            replaces=replaces,
            deleteBeforeReplace=bool(replaces),
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    async def Create(self, request, context):
        given = decode(request.properties)
        obj = manifest(given.values)
        if request.preview:
            return pb.CreateResponse(properties=encode(given.values, given.secrets))
        answer = await self._call(context, lambda o: self._awaited(self._post(o)), obj)
        ref = ObjectRef.of(answer)
        state = encode({**given.values, **answer}, self._secrets(given))
        return pb.CreateResponse(id=f"{ref.namespace}/{ref.name}".strip("/"), properties=state)

    def _post(self, obj: dict[str, Any]) -> dict[str, Any]:
        assert self._cluster is not None
        for attempt in range(_KIND_ATTEMPTS):
            try:
                return self._cluster.create(obj)
            except UnknownKindError:
                if attempt == _KIND_ATTEMPTS - 1:
                    raise
                time.sleep(_KIND_PAUSE * 2**attempt)
        raise AssertionError("the loop returns or raises")

    def _awaited(self, obj: dict[str, Any]) -> dict[str, Any]:
        """Return the object as it is when the annotation ``pulumi.com/waitFor`` is met."""
        assert self._cluster is not None
        annotations = obj["metadata"].get("annotations") or {}
        wanted = annotations.get("pulumi.com/waitFor")
        if not wanted:
            return obj
        seconds = float(annotations.get("pulumi.com/timeoutSeconds", _WAIT_SECONDS))
        expressions = json.loads(wanted) if wanted.startswith("[") else [wanted]
        deadline = time.monotonic() + seconds
        while not all(meets(obj, expression) for expression in expressions):
            if time.monotonic() > deadline:
                raise GitOpsError(f"{ObjectRef.of(obj)} did not meet {wanted} within {seconds:g} s")
            time.sleep(0.2)
            obj = self._cluster.get(ObjectRef.of(obj))
        return obj

    async def Update(self, request, context):
        given = decode(request.news)
        obj = manifest(given.values)
        if request.preview or has_unknown(obj):
            return pb.UpdateResponse(properties=encode(given.values, given.secrets))
        annotations = (obj.get("metadata") or {}).get("annotations") or {}
        manager = annotations.get("pulumi.com/patchFieldManager", _MANAGER)
        # What an earlier POST set belongs to another entry of managedFields; without force the values would conflict.

        def work(wanted: dict[str, Any]) -> dict[str, Any]:
            assert self._cluster is not None
            return self._awaited(self._cluster.apply(wanted, force=True, field_manager=manager))

        answer = await self._call(context, work, obj)
        return pb.UpdateResponse(properties=encode({**given.values, **answer}, self._secrets(given)))

    async def Read(self, request, context):
        state, inputs = decode(request.properties), decode(request.inputs)
        live = await self._call(context, lambda o: self._cluster.find(ObjectRef.of(o)), state.values)
        if live is None:
            return pb.ReadResponse(id="")
        read = _project(manifest(inputs.values), live)
        if "stringData" in inputs.values:
            read = {**read, **_string_data(read, inputs.values)}
        secrets = self._secrets(state)
        return pb.ReadResponse(
            id=request.id, inputs=encode(read, secrets), properties=encode({**read, **live}, secrets)
        )

    async def Delete(self, request, context):
        ref = ObjectRef.of(decode(request.properties).values)
        await self._call(context, self._remove, ref)
        return empty_pb2.Empty()

    def _remove(self, ref: ObjectRef) -> None:
        assert self._cluster is not None
        self._cluster.delete(ref)
        deadline = time.monotonic() + _GONE_SECONDS
        while self._cluster.find(ref) is not None:
            if time.monotonic() > deadline:
                raise GitOpsError(f"{ref} is still there after {_GONE_SECONDS:g} s")
            time.sleep(0.2)

    async def Cancel(self, request, context):
        return empty_pb2.Empty()

    def _secrets(self, given):
        return given.secrets | ({("data",), ("stringData",)} if given.values.get("kind") == "Secret" else set())

    async def _call(self, context, function, *arguments):
        try:
            return await asyncio.to_thread(function, *arguments)
        except GitOpsError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))


def _project(inputs: Any, live: Any) -> Any:
    """Return the live values of what the inputs set."""
    if isinstance(inputs, dict) and isinstance(live, dict):
        return {key: _project(value, live[key]) for key, value in inputs.items() if key in live}
    return live


def _string_data(read: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    data = read.pop("data", {})
    return {"stringData": {k: base64.b64decode(data[k]).decode() for k in inputs["stringData"] if k in data}}


async def _serve() -> None:
    server = grpc.aio.server()
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(StandIn(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


def main() -> None:
    """Serve until the engine ends the process."""
    try:
        asyncio.run(_serve())
    except KeyboardInterrupt:
        return
