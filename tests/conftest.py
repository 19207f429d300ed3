# SPDX-License-Identifier: Apache-2.0
"""Fixtures that suites of all levels share: real control planes, and a clean slate of known secrets."""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pulumi_gitops.core import redact
from pulumi_gitops.core.cluster import Cluster, ConnectionOptions, connect
from pulumi_gitops.core.objects import ObjectRef

if TYPE_CHECKING:
    from pulumi_gitops.sandbox import Sandbox


def pytest_configure() -> None:
    """Let Ctrl-C have its usual meaning: who runs the tests in the background of a shell ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _forget_secrets() -> Iterator[None]:
    """Forget registered secrets after each test: the registry lives as long as the process."""
    yield
    redact.forget_all()


@pytest.fixture(scope="session")
def manifests() -> None:
    """The install manifest of Argo CD is in the cache: no network is needed for it."""
    from pulumi_gitops.sandbox import build

    build(["argocd"])


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for the whole session; the processes of Argo CD and Flux follow their manifests."""
    from pulumi_gitops.sandbox import Sandbox
    from tests.standins import gpg, ssh_client

    with pytest.MonkeyPatch.context() as patch:
        for name, standin in (("ssh", ssh_client), ("gpg", gpg)):
            if shutil.which(name) is None:
                folder = tmp_path_factory.mktemp(name)
                standin.install(folder)
                patch.setenv("PATH", str(folder), prepend=os.pathsep)
        started = Sandbox.start(argocd=True, flux=True)
    with started:
        yield started


@pytest.fixture(scope="session")
def cluster(sandbox: Sandbox) -> Iterator[Cluster]:
    """A connection to the session's sandbox with all rights."""
    with connect(ConnectionOptions(kubeconfig=str(sandbox.kubeconfig))) as connected:
        yield connected


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A name for a namespace that does not exist yet; it is deleted afterwards, without waiting."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield name
    cluster.delete(ObjectRef("", "v1", "Namespace", "", name))


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Write files; returns the folder that holds them."""

    def write(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / "tree" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "tree"

    return write
