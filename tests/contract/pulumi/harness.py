# SPDX-License-Identifier: Apache-2.0
"""Drive the provider's process over gRPC, as the engine does, without an engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    errors_pb2,
    provider_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
    status_pb2,
)
from pulumi.runtime.proto import provider_pb2 as pb

ROOT = Path(__file__).resolve().parents[3]
FEATURES = {"secrets", "resourceReferences", "outputValues", "aliasSpecs"}
UNKNOWN = rpc.UNKNOWN


class FakeEngine(engine_pb2_grpc.EngineServicer):
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.logged: list[engine_pb2.LogRequest] = []
        self.seen = threading.Condition()

    def Log(self, request, context):  # noqa: N802  # gRPC
        with self.seen:
            self.logged.append(request)
            self.seen.notify_all()
        return empty_pb2.Empty()

    def wait_for(self, found: Callable[[engine_pb2.LogRequest], bool]) -> None:
        """Wait until something was logged."""
        with self.seen:
            assert self.seen.wait_for(lambda: any(found(request) for request in self.logged), timeout=30)


class FakeMonitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Keeps what components register; answers with the inputs."""

    def __init__(self) -> None:
        self.registered: dict[str, resource_pb2.RegisterResourceRequest] = {}

    def GetDeploymentInfo(self, request, context):  # noqa: N802  # gRPC
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "as engines before 3.250")

    def Invoke(self, request, context):  # noqa: N802  # gRPC
        """Answer ``getResource``, by which the SDK looks up the providers that a program names."""
        urn = request.args["urn"]
        found = wire({"urn": urn, "id": "id", "state": {}})
        return pb.InvokeResponse(**{"return": found})

    def SupportsFeature(self, request, context):  # noqa: N802  # gRPC
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in FEATURES)

    def RegisterResource(self, request, context):  # noqa: N802  # gRPC
        self.registered[request.type] = request
        urn = f"urn:pulumi:test::face::{request.type}::{request.name}"
        return resource_pb2.RegisterResourceResponse(urn=urn, id="id" if request.custom else "", object=request.object)

    def RegisterResourceOutputs(self, request, context):  # noqa: N802  # gRPC
        return empty_pb2.Empty()


@contextmanager
def serving(add: Callable[[Any, grpc.Server], None], servicer: Any) -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(8))
    add(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0)


def wire(values: dict[str, Any]) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update(values)
    return made


def secret(value: Any) -> dict[str, Any]:
    """The form of a secret on the wire."""
    return {rpc._special_sig_key: rpc._special_secret_sig, "value": value}


def plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    """What a struct holds, secrets as ``("secret", value)``."""

    def seen(value: Any) -> Any:
        if isinstance(value, dict):
            if rpc._special_sig_key in value:
                return ("secret", seen(value["value"]))
            return {key: seen(item) for key, item in value.items()}
        return [seen(item) for item in value] if isinstance(value, list) else value

    return seen(json_format.MessageToDict(struct))


@dataclass
class Provider:
    """The provider's process and what it talks to."""

    stub: provider_pb2_grpc.ResourceProviderStub
    engine: FakeEngine
    monitor: FakeMonitor
    monitor_address: str

    def schema(self) -> dict[str, Any]:
        return json.loads(self.stub.GetSchema(pb.GetSchemaRequest()).schema)

    def check(self, kind: str, news: dict[str, Any], name: str = "shop") -> pb.CheckResponse:
        return self.stub.Check(pb.CheckRequest(urn=urn(kind, name), news=wire(news)))

    def failures(self, kind: str, news: dict[str, Any]) -> dict[str, str]:
        """Property -> reason."""
        return {failure.property: failure.reason for failure in self.check(kind, news).failures}

    def checked(self, kind: str, news: dict[str, Any], name: str = "shop") -> dict[str, Any]:
        answer = self.check(kind, news, name)
        assert not answer.failures, answer.failures
        return plain(answer.inputs)

    def diff(self, kind: str, old: dict[str, Any], new: dict[str, Any]) -> pb.DiffResponse:
        """Compare two programs, as the engine does after Check."""
        before, after = (self.check(kind, values).inputs for values in (old, new))
        return self.stub.Diff(pb.DiffRequest(urn=urn(kind, "shop"), id="x", old_inputs=before, news=after, olds=before))

    def create(self, kind: str, news: dict[str, Any], *, name: str = "shop", preview: bool = False):
        inputs = self.check(kind, news, name).inputs
        return self.stub.Create(pb.CreateRequest(urn=urn(kind, name), properties=inputs, preview=preview))

    def update(self, kind: str, identity: str, olds: struct_pb2.Struct, news: dict[str, Any], *, preview: bool = False):
        inputs = self.check(kind, news).inputs
        request = pb.UpdateRequest(urn=urn(kind, "shop"), id=identity, olds=olds, news=inputs, preview=preview)
        return self.stub.Update(request)

    def read(self, kind: str, identity: str, inputs: struct_pb2.Struct, state: struct_pb2.Struct) -> pb.ReadResponse:
        return self.stub.Read(pb.ReadRequest(urn=urn(kind, "shop"), id=identity, inputs=inputs, properties=state))

    def delete(self, kind: str, identity: str, state: struct_pb2.Struct) -> None:
        self.stub.Delete(pb.DeleteRequest(urn=urn(kind, "shop"), id=identity, properties=state))

    def construct(self, kind: str, inputs: dict[str, Any], **more: Any) -> pb.ConstructResponse:
        request = pb.ConstructRequest(
            project="face",
            stack="test",
            monitorEndpoint=self.monitor_address,
            type=f"gitops:index:{kind}",
            name="shop",
            inputs=wire(inputs),
            **more,
        )
        return self.stub.Construct(request)


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:test::face::gitops:index:{kind}::{name}"


def status_detail(error: grpc.RpcError, message: Any) -> Any:
    """The message that a failed call carries."""
    raw = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    assert raw, error
    status = status_pb2.Status.FromString(raw)
    found = message()
    assert status.details[0].Unpack(found)
    return found


def property_errors(error: grpc.RpcError) -> dict[str, str]:
    """Property -> reason of a component that refuses its inputs."""
    found = status_detail(error, errors_pb2.InputPropertiesError)
    return {entry.property_path: entry.reason for entry in found.errors}


@contextmanager
def started(env: dict[str, str]) -> Iterator[Provider]:
    engine, monitor = FakeEngine(), FakeMonitor()
    with (
        serving(engine_pb2_grpc.add_EngineServicer_to_server, engine) as engine_address,
        serving(resource_pb2_grpc.add_ResourceMonitorServicer_to_server, monitor) as monitor_address,
        subprocess.Popen(
            [sys.executable, str(ROOT / "__main__.py"), engine_address],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
        ) as process,
    ):
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                made = Provider(provider_pb2_grpc.ResourceProviderStub(channel), engine, monitor, monitor_address)
                yield made
        finally:
            process.terminate()
