# SPDX-License-Identifier: Apache-2.0
"""Which controllers and versions we know, and what their manifests must look like.

The digests are of the files in the release tags of Argo CD, which are the released files byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import InputError


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A released manifest: the version it belongs to, and its path below the release's ``manifests`` folder."""

    version: str
    path: str


@dataclass(frozen=True, slots=True)
class Controller:
    """What the catalog knows of a controller.

    Attributes:
        name: ``argocd``, ``flux`` or ``weave_gitops``.
        title: Name for people.
        default_version: Version that is installed when none is asked for.
        default_namespace: Namespace that is used when none is asked for.
        base_url: Where the releases are; a mirror takes its place.
        url_path: Path below it, with ``{version}`` and ``{path}``.
        default_file: The file that is installed when no manifests are given.
        files: sha256 (hex) -> file, for every released manifest that we know; of Flux we know none.
        charts: Version -> version of its Helm chart, where that is what is released.
        wires: Whether it has repositories and applications of its own.
    """

    name: str
    title: str
    default_version: str
    default_namespace: str
    base_url: str
    url_path: str
    default_file: str
    files: Mapping[str, KnownFile]
    charts: Mapping[str, str] = field(default_factory=dict)
    wires: bool = True

    @property
    def release(self) -> str:
        """Name of the release that installs it: what can be the name of an object."""
        return self.name.replace("_", "-")

    @property
    def versions(self) -> tuple[str, ...]:
        """The known versions, newest first."""
        known = {file.version for file in self.files.values()} | set(self.charts)
        return tuple(sorted(known, key=lambda v: [int(part) for part in v.split(".")], reverse=True))

    def digest(self, version: str, path: str = "") -> str:
        """Return the sha256 of a file of a version (the default one); "" when no digests are known of this controller.

        Raises:
            InputError: The version is not in the catalog.
        """
        wanted = KnownFile(version, path or self.default_file)
        for digest, file in self.files.items():
            if file == wanted:
                return digest
        if not self.files:
            return ""
        raise InputError(
            self._unknown(version),
            hint="For another version give its install manifest as `manifests` (URL or file) and its sha256 as "
            "`checksum`.",
        )

    def chart_version(self, version: str) -> str:
        """Return the version of the Helm chart of a version.

        Raises:
            InputError: The version is not in the catalog.
        """
        if version not in self.charts:
            raise InputError(
                self._unknown(version), hint="For another version give its chart as `manifests`: oci://..., or a file."
            )
        return self.charts[version]

    def _unknown(self, version: str) -> str:
        return f"version {version} of {self.title} is not in the catalog; known: {', '.join(self.versions)}"

    def url(self, version: str, mirror: str | None = None, path: str = "") -> str:
        """Return the URL of a file of a version (the default one), below `mirror` if there is one."""
        base = (mirror or self.base_url).rstrip("/")
        return base + self.url_path.format(version=version, path=path or self.default_file)


def controller(name: str) -> Controller:
    """Return a controller of the catalog.

    Raises:
        InputError: There is none of this name.
    """
    try:
        return _CONTROLLERS[name]
    except KeyError:
        known = ", ".join(sorted(_CONTROLLERS))
        raise InputError(f"unknown controller {name!r}; known: {known}") from None


def wiring_controller(name: str) -> Controller:
    """Return a controller of the catalog that repositories and applications can be declared for.

    Raises:
        InputError: There is none of this name, or it has none of them.
    """
    known = controller(name)
    if not known.wires:
        raise InputError(
            f"{known.title} has no repositories and applications of its own",
            hint="It shows those of Flux: declare them with controller flux.",
            details={"property": "controller"},
        )
    return known


_ARGOCD_FILES = """
3.2.6 install.yaml 584d53e4155689b7ac7154f6e89206af8e9eae1db2e42784ca7d01bb122ceba8
3.2.6 ha/install.yaml 397a2bbdf7c32808e7f8a569d82f4d6b58c166ad6c113ca5b78d90830ed24b72
3.2.6 core-install.yaml 584769c256b096fabf16173308c8d95dd4c0042d89676638ae22624890a39d44
3.2.6 namespace-install.yaml ead75d342a6e02e8124e38083402f3e2313475b6a8c47c3a0e64df77846a00c9
3.2.6 ha/namespace-install.yaml 70ca34dfa6232ede63a08cad97f7f9a88a6724e5dd90b50f1c71a2b93c9676c8
3.2.11 install.yaml 6cdd269e07f27b50f9e481cc7e685443b26b79372001ff7868ff1543610417bd
3.2.11 ha/install.yaml 6f2ecbca976d88c2a615c019205df4c461119ef0f8a7dbc591c00fa10d045fdc
3.2.11 core-install.yaml a48ce0ab6ff5f7aac90a8bd0374434f4d15edeaa85f774672c8692c9819d2ae8
3.2.11 namespace-install.yaml 8e8df00a8c9d14a7d32112767ec3a4211bb591e93ffaec040bd18e5922042383
3.2.11 ha/namespace-install.yaml 1549be2e8959ff64cf211f9a9bb6905223daf3f18c87bfafc108c73e14772e91
3.3.19 install.yaml 383632a950f78e58b2354ad4dbe519d5d307b13d8b90562a0fc1352f50faf668
3.3.19 ha/install.yaml f922b75c40c77d87ff17e7475fa038815b506a6407e96db5110eacf40d7a9898
3.3.19 core-install.yaml ad184b6813789956d56d616da02af7861b9bb053a9a4d0a69da5e21fbd03bfdb
3.3.19 namespace-install.yaml 000fba3a7f345f3462404b99d49a2666e17e16951cfd55dc1c6163bb69f8799f
3.3.19 ha/namespace-install.yaml c929ffa84b68d1fcd26ded28afbc1f8b1a5b5cabe0daa6c60051915fb8b2a775
3.4.13 install.yaml 2904fe432572425803e6519d59ded69f79ce0b1da38c4952c5989b83051bb445
3.4.13 ha/install.yaml af4a0f123485881618199f3794b214c1c7ec6c6644c803383d09baa5e1df329d
3.4.13 core-install.yaml b39b88734965fe893ef914fa910a6410109c176b494244c0798b83eb9d7ef9a4
3.4.13 namespace-install.yaml 0e51a556d64810c2de2d658c7144653e04eb5400d28af0ea94100101b5c71a44
3.4.13 ha/namespace-install.yaml daa48463a0465520cae61e0c02b0289c3116534e10574166e622de8211278ab8
3.5.7 install.yaml 09bfbb9041b4a8503c6e4fa22cf41c403fa62be17526de353648a4551f5beb77
3.5.7 ha/install.yaml d7b75669da63dc218de0ea67ac00183783cebabd52147c3cf012250faa5ced85
3.5.7 core-install.yaml a7ab521e55a511af9274294afafc87cddf9621a34ac255b4b20cd31989e1ecbc
3.5.7 namespace-install.yaml 893effa995e4de3c97ec16578b1328a73064a301cbcf906835ec29286ed30b5a
3.5.7 ha/namespace-install.yaml 3e3c09ac95416ef0bf701882801b9625cfa8fe8b66ad13103e5e8b1050a765a5
3.6.1 install.yaml 7be23ca7d9ca3d3074dee8332f1ca92a933b990cee7c9cf22cf3843ee8c2913e
3.6.1 ha/install.yaml 37b0e8f5ff512017cda28578fecdb585267ec69e02954a67449296724635b05a
3.6.1 core-install.yaml 0b38189d6e1fd76ef5c3db10355026c48a02020d82bf21a1a1b5ab16dffe4f3c
3.6.1 namespace-install.yaml 310ff8e2cbef2c4b84dd8d353bddc4c9afcec551e62af30560b0aa80ff140382
3.6.1 ha/namespace-install.yaml a213fae33e5e886bd1fa890c2717d12521dc8440fb149fa6f7ad957b51201e6b
"""


def _files(table: str) -> dict[str, KnownFile]:
    rows = (line.split() for line in table.strip().splitlines())
    return {digest: KnownFile(version, path) for version, path, digest in rows}


_CONTROLLERS = {
    "argocd": Controller(
        name="argocd",
        title="Argo CD",
        default_version="3.5.7",
        default_namespace="argocd",
        base_url="https://raw.githubusercontent.com/argoproj/argo-cd",
        url_path="/v{version}/manifests/{path}",
        default_file="install.yaml",
        files=_files(_ARGOCD_FILES),
    ),
    "flux": Controller(
        name="flux",
        title="Flux",
        default_version="2.9.2",
        default_namespace="flux-system",
        base_url="https://github.com/fluxcd/flux2/releases/download",
        url_path="/v{version}/{path}",
        default_file="install.yaml",
        files={},
    ),
    "weave_gitops": Controller(
        name="weave_gitops",
        title="Weave GitOps",
        default_version="0.38.0",
        default_namespace="flux-system",
        base_url="oci://ghcr.io/weaveworks/charts",
        url_path="/weave-gitops",
        default_file="",
        files={},
        # Version and appVersion in Chart.yaml of the tag.
        charts={"0.38.0": "4.0.36"},
        wires=False,
    ),
}
