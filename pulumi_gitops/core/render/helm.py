# SPDX-License-Identifier: Apache-2.0
"""Render a Helm chart with the helm program."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..errors import EmptySetError, InputError, SourceUnavailableError
from ..process import run
from ..redact import redact
from ..yamlio import dump
from .boundary import is_file, is_folder, is_remote, resolved
from .helm_chart import OCI, check_chart
from .helm_output import failure, notices, read_output, value_mask
from .rendering import HelmChart, Rendered
from .tools import find_helm, offline_env, online_env

_RELEASE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_LONGEST_RELEASE = 53
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")


def render_helm(
    chart: HelmChart,
    *,
    timeout: float = 120.0,
    allow_network: bool = False,
    binary: str = "",
    root: str | Path | None = None,
) -> Rendered:
    """Return the objects of a chart: what ``helm template`` prints, made fit for a release that is not Helm's.

    A release of ours has no moments at which Helm would run hooks. What becomes of them:

    - ``pre-install`` and ``pre-upgrade`` hooks of every kind (a migration Job, and the ServiceAccount that it uses) are
      objects of the set like all others, before the rest and in the order of their weights. They keep their
      annotations. Deletion policies have no effect, and a hook for upgrades only is there from the first release on.
    - ``test`` hooks are left out: nobody expects a test Pod in a deployment.
    - All other hooks (``post-install``, ``pre-delete``, ...) are left out, with a warning for each: a chart that relies
      on one is not complete without it.

    Templates see an installation (``.Release.IsInstall``) each time, and ``lookup`` finds nothing: no cluster is asked.
    A chart that makes up passwords or certificates makes up new ones at every run, so that no two runs are the same;
    give it the values.

    Values go to helm by its standard input: they are in no argument and in no file. helm runs without the user's
    plugins and settings. For ``oci://`` it sees the credentials of ``helm registry login`` and ``docker login``.

    Args:
        chart: The chart.
        timeout: Seconds that helm may take.
        allow_network: Needed for ``oci://``.
        binary: helm, by name or path; by default on PATH.
        root: Folder that links in a chart's folder may not leave. By default the Git work tree around it, without one
            the folder two levels above it.

    Raises:
        ManifestError: A template fails, or yields something that is not an object; says the template's file and line.
        UnsafeSourceError: A link in the chart leads outside the root.
        InputError: A name, version or value is not valid, an ``oci://`` chart without `allow_network`, dependencies
            that are not in the chart, values that its schema refuses.
        SourceUnavailableError: The chart or a value file does not exist, or can not be fetched.
        EmptySetError: It yields no objects.
        ToolMissingError: Neither Helm 3 nor Helm 4 is installed.
        ProcessError: helm did not end in time.
    """
    import tempfile

    _check_names(chart)
    files = [_value_file(file) for file in chart.value_files]
    values = _values_text(chart.values)
    located = check_chart(chart.chart, chart.version, allow_network=allow_network, root=root)
    tool = find_helm(binary)
    mask = value_mask(chart.values, files)
    with tempfile.TemporaryDirectory(prefix="pulumi-gitops-") as private:
        result = run(
            [tool.path, *_arguments(chart, located, files, has_values=bool(values))],
            timeout=timeout,
            env=_environment(Path(private), allow_network=allow_network),
            input=values,
            check=False,
            mask=mask,
        )
    if result.returncode != 0:
        raise failure(located, mask(result.stderr), result.returncode)
    objects, left_out = read_output(result.stdout)
    if not objects:
        raise EmptySetError(f"the chart {located} yields no objects", hint="Check the values that enable its parts.")
    return Rendered(objects, (*left_out, *notices(mask(result.stderr))))


def pull_chart(reference: str, *, timeout: float = 120.0, binary: str = "") -> bytes:
    """Return the archive of a chart in a registry, with the credentials that :func:`render_helm` sees too.

    Args:
        reference: ``oci://registry/repository`` with a tag, a digest, or both.
        timeout: Seconds that helm may take.
        binary: helm, by name or path; by default on PATH.

    Raises:
        InputError: It is no such reference.
        SourceUnavailableError: It can not be fetched.
        ToolMissingError: Neither Helm 3 nor Helm 4 is installed.
        ProcessError: helm did not end in time.
    """
    import tempfile

    located = check_chart(reference, "", allow_network=True, root=None)
    tool = find_helm(binary)
    with tempfile.TemporaryDirectory(prefix="pulumi-gitops-") as private:
        target = Path(private) / "chart"
        target.mkdir()
        result = run(
            [tool.path, "pull", located, f"--destination={target}"],
            timeout=timeout,
            env=_environment(Path(private), allow_network=True),
            check=False,
        )
        if result.returncode != 0:
            raise SourceUnavailableError(
                f"the chart {located} can not be fetched: {redact(result.stderr).strip()}",
                hint="Check reference, version and network; a private registry needs helm registry login.",
                details={"returncode": result.returncode},
            )
        (archive,) = target.iterdir()
        return archive.read_bytes()


def _check_names(chart: HelmChart) -> None:
    if not _RELEASE.match(chart.release_name) or len(chart.release_name) > _LONGEST_RELEASE:
        raise InputError(
            f"release_name: {chart.release_name!r} is not a name that Helm accepts",
            hint=f"Lower case letters, digits, '-' and '.', at most {_LONGEST_RELEASE} characters.",
        )
    if not _NAMESPACE.match(chart.namespace):
        raise InputError(
            f"namespace: {chart.namespace!r} is not the name of a namespace",
            hint="Lower case letters, digits and '-', at most 63 characters.",
        )


def _value_file(file: str | Path) -> Path:
    path = Path(file).expanduser()
    if is_file(path):
        return resolved(path)
    if is_folder(path):
        raise InputError(f"value_files: {path} is not a file")
    if is_remote(str(file)):
        raise InputError(f"value_files: {file} is not a local file", hint="Download it, and check what is in it.")
    raise SourceUnavailableError(f"value_files: {path} does not exist", hint="Relative paths start at the base folder.")


def _values_text(values: object) -> bytes:
    if not isinstance(values, Mapping):
        raise InputError(f"values has to be a mapping, not {type(values).__name__}")
    try:
        return dump(values).encode() if values else b""
    except InputError as error:
        raise InputError(f"values: {error.message}", hint=error.hint) from error


def _arguments(chart: HelmChart, located: str, files: Sequence[Path], *, has_values: bool) -> list[str]:
    # "--name=value", so that nothing a user gives can be taken for another option.
    arguments = ["template", chart.release_name, located, f"--namespace={chart.namespace}"]
    if chart.include_crds:
        arguments.append("--include-crds")
    if located.startswith(OCI) and chart.version:
        arguments.append(f"--version={chart.version}")
    arguments += [f"--values={_one_of_a_list(str(file))}" for file in files]
    if has_values:
        arguments.append("--values=-")
    if chart.kube_version:
        arguments.append(f"--kube-version={chart.kube_version}")
    return arguments + [f"--api-versions={_one_of_a_list(version)}" for version in chart.api_versions]


def _one_of_a_list(text: str) -> str:
    """Quote a text for a flag that Helm splits as CSV."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n') else text


def _environment(private: Path, *, allow_network: bool) -> dict[str, str]:
    env = online_env() if allow_network else offline_env(private)
    homes = {f"HELM_{name}_HOME": str(private / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
    env |= homes | {"HELM_PLUGINS": str(private / "plugins"), "HELM_NO_PLUGINS": "1"}
    if allow_network:
        config = _registry_config(os.environ.get, Path.home())
        if config.is_file():
            env["HELM_REGISTRY_CONFIG"] = str(config)
    return env


def _registry_config(variable: Callable[[str], str | None], home: Path) -> Path:
    """Return where ``helm registry login`` keeps credentials (helmpath: lazyPath)."""
    if chosen := variable("HELM_REGISTRY_CONFIG"):
        return Path(chosen)
    folder = variable("HELM_CONFIG_HOME")
    if not folder:
        folder = str(Path(variable("XDG_CONFIG_HOME") or home / ".config") / "helm")
    return Path(folder) / "registry" / "config.json"
