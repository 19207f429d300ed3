# SPDX-License-Identifier: Apache-2.0
"""Providers to drive over gRPC."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi.runtime.proto import provider_pb2 as pb

from tests.contract.pulumi.harness import Provider, secret, started, wire


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """A provider without a cluster: nobody listens where its kubeconfig leads."""
    nowhere = Path(__file__).parent / "nowhere.kubeconfig"
    with started({"KUBECONFIG": str(nowhere)}) as made:
        made.stub.Configure(pb.ConfigureRequest(acceptSecrets=True))
        yield made


@pytest.fixture
def on_cluster(sandbox) -> Iterator[Provider]:
    """A provider that works on the sandbox."""
    with started({"KUBECONFIG": "/dev/null"}) as made:
        config = {"kubeconfig": secret(Path(sandbox.kubeconfig).read_text())}
        made.stub.Configure(pb.ConfigureRequest(acceptSecrets=True, args=wire(config)))
        yield made
