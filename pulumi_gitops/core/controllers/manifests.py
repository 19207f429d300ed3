# SPDX-License-Identifier: Apache-2.0
"""Where a controller's manifests come from, and the proof that they are what was asked for.

They are a file of manifests, or a chart in an archive: both are content with a digest until that has been checked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ChecksumMismatchError, InputError, SourceUnavailableError
from ..objects import KubeObject, pod_template_of
from ..render import load_sources, pull_chart
from ..yamlio import load_manifests
from . import catalog, download
from .argocd import manifests as argocd
from .flux import operator
from .lockfile import Lock
from .specs import ControllerSpec
from .traits import traits
from .weave_gitops import chart

_CHECK_HINT = "Nothing was applied. If the new content is wanted, look at it and give its checksum."


@dataclass(frozen=True, slots=True)
class Manifests:
    """Verified manifests.

    Attributes:
        objects: The objects as they were written.
        version: Version of the controller; "" when neither the spec nor the content tells.
        digest: sha256 of what was downloaded, if no checksum, catalog or lock file knew it; "" otherwise. Files of
            this machine have none: who edits one wants what is in it.
        learned: URL -> sha256, for the lock file, of what it did not know.
    """

    objects: Sequence[KubeObject] = field(repr=False)
    version: str
    digest: str = ""
    learned: Mapping[str, str] = field(default_factory=dict)


def load(spec: ControllerSpec) -> Manifests:
    """Return the manifests that a spec asks for.

    The content is checked against a sha256 before it is read: the given one, else that of the catalog, else that of the
    lock file. A URL whose content has none is refused; of a controller whose digests the catalog does not know, it is
    what the lock file should learn, which is not written here. Content with a known digest comes from the cache when it
    is there, without network.

    Raises:
        InputError: The version is unknown, or a URL has no checksum.
        ChecksumMismatchError: The content is not what was asked for.
        SourceUnavailableError: It can not be read or downloaded.
        ManifestError: It is not YAML, or not Kubernetes objects.
    """
    known = catalog.controller(spec.name)
    if spec.method == "helm_release":
        return Manifests(chart.release_objects(spec), spec.version or ("" if spec.manifests else known.default_version))
    if spec.method == "operator":
        return _operator(spec, known)
    if spec.manifests is None:
        version = spec.version or known.default_version
        path = argocd.file_of(spec.profile) if spec.name == "argocd" else ""
        digest = spec.sha256 or known.digest(version, path)
        url = chart.chart_url(version, spec.mirror) if known.charts else known.url(version, spec.mirror, path)
        if not digest:
            return _locked(spec, url, version)
        return Manifests(_parse(spec, _cached_or_downloaded(url, digest), url), version)
    if "://" in spec.manifests:
        content = _from_url(spec, known)
        return _named(spec, _parse(spec, content, spec.manifests), download.sha256(content), known)
    return _from_path(spec, Path(spec.manifests).expanduser(), known)


def _operator(spec: ControllerSpec, known: catalog.Controller) -> Manifests:
    """Return the manifests of Flux Operator, with the version of Flux."""
    version = spec.version or known.default_version
    if spec.manifests is None:
        url = operator.manifest_url(spec)
        if spec.sha256 is None:
            return _locked(spec, url, version)
        return Manifests(_parse(spec, _cached_or_downloaded(url, spec.sha256), url), version)
    if "://" in spec.manifests:
        return Manifests(_parse(spec, _from_url(spec, known), spec.manifests), version)
    return dataclasses.replace(_from_path(spec, Path(spec.manifests).expanduser(), known), version=version)


def _parse(spec: ControllerSpec, content: bytes, source: str) -> list[KubeObject]:
    if catalog.controller(spec.name).charts:
        return chart.render_archive(content, spec)
    return load_manifests(content, source=download.shown_url(source) if "://" in source else source)


def _fetch(url: str) -> bytes:
    return pull_chart(url) if url.startswith(chart.OCI) else download.download(url)


def _from_url(spec: ControllerSpec, known: catalog.Controller) -> bytes:
    url = spec.manifests or ""
    if spec.sha256:
        return _cached_or_downloaded(url, spec.sha256)
    content = _fetch(url)
    if download.sha256(content) not in known.files:
        raise InputError(
            f"the content of {download.shown_url(url)} is no known release of {known.title}, and no checksum was given",
            hint="Look at the file, then give its sha256 as `checksum`.",
        )
    download.write_cache(content)
    return content


def _cached_or_downloaded(url: str, digest: str) -> bytes:
    cached = download.read_cache(digest)
    if cached is not None:
        return cached
    content = _fetch(url)
    _verify(content, digest, download.shown_url(url))
    download.write_cache(content)
    return content


def _locked(spec: ControllerSpec, url: str, version: str) -> Manifests:
    """Return the content of a URL whose digest the catalog does not know."""
    lock = Lock(Path(spec.lock_file)) if spec.lock_file else None
    known = lock.get(url) if lock else ""
    if known:
        return Manifests(_parse(spec, _cached_or_downloaded(url, known), url), version)
    content = _fetch(url)
    digest = download.sha256(content)
    download.write_cache(content)
    return Manifests(_parse(spec, content, url), version, digest, {url: digest} if lock else {})


def _verify(content: bytes, digest: str, source: str) -> None:
    found = download.sha256(content)
    if found != digest:
        raise ChecksumMismatchError(
            f"{source} has sha256 {found}, expected {digest}",
            hint=_CHECK_HINT,
            details={"source": source, "expected": digest, "found": found},
        )


def _from_path(spec: ControllerSpec, path: Path, known: catalog.Controller) -> Manifests:
    if path.is_dir():
        if spec.sha256:
            raise InputError(f"a checksum is for one file, {path} is a folder")
        objects = chart.render_chart(path, spec) if known.charts else load_sources(path)
        return _named(spec, objects, "", known)
    try:
        size = path.stat().st_size
        if size > download.MAX_BYTES:
            raise InputError(f"{path} has more than {download.MAX_BYTES // 2**20} MiB")
        content = path.read_bytes()
    except OSError as e:
        raise SourceUnavailableError(
            f"the manifests {path} can not be read: {e.strerror or e}",
            hint="Relative paths start at the working directory.",
        ) from e
    if spec.sha256:
        _verify(content, spec.sha256, str(path))
    return _named(spec, _parse(spec, content, str(path)), download.sha256(content), known)


def _named(spec: ControllerSpec, objects: list[KubeObject], digest: str, known: catalog.Controller) -> Manifests:
    """Find out the version: from the catalog by digest, else what the user says, else from the images."""
    file = known.files.get(digest)
    if file is not None and spec.version not in (None, file.version):
        raise InputError(
            f"{download.shown_url(spec.manifests or '')} holds {known.title} {file.version}, not {spec.version}",
            hint="Leave version out, or give the manifests of that version.",
        )
    return Manifests(objects, file.version if file else spec.version or version_of(objects, traits(spec.name).image))


def version_of(objects: Sequence[KubeObject], name: str) -> str:
    """Return the version that the images of a controller's workloads carry as tag, "" if they do not agree on one.

    Args:
        objects: Objects, workloads among them.
        name: Last part of the repository of the controller's own image: ``argocd``.
    """
    tags = set()
    for obj in objects:
        template = pod_template_of(obj)
        for container in (template or {}).get("spec", {}).get("containers") or []:
            repository, _, tag = str(container.get("image", "")).partition("@")[0].rpartition(":")
            if repository.rpartition("/")[2] == name:
                tags.add(tag.removeprefix("v"))
    return tags.pop() if len(tags) == 1 else ""
