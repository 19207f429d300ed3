# SPDX-License-Identifier: Apache-2.0
"""The chart of Weave GitOps, from wherever it comes: checked, remembered, and rendered by the real helm."""

from __future__ import annotations

import hashlib
import json

import pytest

from pulumi_gitops.core.controllers import ControllerSpec, controller_release
from pulumi_gitops.core.controllers.lockfile import Lock
from pulumi_gitops.core.controllers.presence import DIGEST_FACT
from pulumi_gitops.core.errors import ChecksumMismatchError, InputError, SourceUnavailableError
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import bin_dir
from tests.support.weave import VERSION, chart, packed

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """Helm on PATH, and an empty cache; the tool is found or built before."""
    chart()
    monkeypatch.setenv("PATH", str(bin_dir(["helm"])), prepend=":")
    monkeypatch.setenv("PULUMI_GITOPS_CACHE", str(tmp_path / "cache"))


def rendered(**options):
    release, version = controller_release(ControllerSpec(name="weave_gitops", **options))
    assert (release.name, version) == ("weave-gitops", "0.38.0")
    return release


def names(release):
    return {str(ObjectRef.of(obj)) for obj in release.objects}


def test_a_registry_serves_the_chart_and_the_lock_file_remembers_it(registry, monkeypatch, tmp_path):
    registry.login = None
    registry.add_chart("charts/weave-gitops", VERSION, packed_once(tmp_path))
    monkeypatch.setenv("HELM_CONFIG_HOME", str(tmp_path / "nothing"))
    options = {"mirror": f"oci://{registry.address}/charts/", "lock_file": str(tmp_path / "gitops.lock")}
    first = rendered(**options)
    assert {"Deployment flux-system/weave-gitops", "ClusterRole weave-gitops"} <= names(first)
    digest = hashlib.sha256(packed_once(tmp_path)).hexdigest()
    assert first.facts[DIGEST_FACT] == digest
    url = f"oci://{registry.address}/charts/weave-gitops:{VERSION}"
    lock = Lock(tmp_path / "gitops.lock")
    assert not lock.path.exists(), "it is an installation that writes it"
    lock.put(url, digest)

    # The second time it needs no network, and the digest is a pinned one.
    registry.requests.clear()
    again = rendered(**options)
    assert (again.objects, registry.requests) == (first.objects, [])
    assert again.facts[DIGEST_FACT] == ""

    # Somebody replaces it under the same tag.
    registry.add_chart("charts/weave-gitops", VERSION, packed_once(tmp_path) + b"\0")
    monkeypatch.setenv("PULUMI_GITOPS_CACHE", str(tmp_path / "other-cache"))
    with pytest.raises(ChecksumMismatchError):
        rendered(**options)


def packed_once(tmp_path):
    """The chart as an archive; packing it twice would give two digests."""
    file = tmp_path / "chart.tgz"
    if not file.exists():
        file.write_bytes(packed())
    return file.read_bytes()


def test_a_helm_repository_over_http_serves_the_chart_that_its_checksum_says(web, tmp_path):
    archive = packed_once(tmp_path)
    web.content[f"/charts/weave-gitops-{VERSION}.tgz"] = ("application/gzip", archive)
    checksum = hashlib.sha256(archive).hexdigest()
    mirror = f"http://{web.address}/charts"
    assert names(rendered(mirror=mirror, checksum=checksum)) == names(rendered(manifests=str(chart())))
    with pytest.raises(ChecksumMismatchError):
        rendered(mirror=mirror, checksum="0" * 64)
    with pytest.raises(SourceUnavailableError, match="HTTP 404"):
        rendered(mirror=f"http://{web.address}/nothing")
    url = f"{mirror}/weave-gitops-{VERSION}.tgz"
    assert names(rendered(manifests=url, checksum=checksum)) == names(rendered(manifests=str(chart())))
    with pytest.raises(InputError, match="no checksum was given"):
        rendered(manifests=url)


def test_an_archive_beside_the_playbook_is_rendered_with_values_and_the_user_s_rights(tmp_path):
    packed_once(tmp_path)
    values = {"fullnameOverride": "", "replicaCount": 3, "networkPolicy": {"create": False}}
    release = rendered(
        manifests=str(tmp_path / "chart.tgz"),
        values=values,
        admin_secret="dashboard",
        namespace="dashboards",
        patches=[{"target": {"kind": "Deployment"}, "patch": {"metadata": {"annotations": {"team": "platform"}}}}],
    )
    found = {str(ObjectRef.of(obj)): obj for obj in release.objects}
    deployment = found["Deployment dashboards/weave-gitops"]
    assert deployment["spec"]["replicas"] == 3
    assert deployment["metadata"]["annotations"] == {"team": "platform"}
    assert not [name for name in found if name.startswith(("NetworkPolicy", "Secret"))]
    binding = found["ClusterRoleBinding admin-user-read-resources-cr"]
    assert [subject["name"] for subject in binding["subjects"]] == ["admin"]
    assert found["ClusterRoleBinding weave-gitops"]["subjects"][0]["namespace"] == "dashboards"


def test_what_is_no_chart_is_said_with_its_place(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is not a Helm chart"):
        rendered(manifests=str(tmp_path / "folder"))
    (tmp_path / "chart.tgz").write_bytes(json.dumps({"kind": "Deployment"}).encode())
    with pytest.raises(InputError, match="chart"):
        rendered(manifests=str(tmp_path / "chart.tgz"))
    with pytest.raises(SourceUnavailableError, match="can not be read"):
        rendered(manifests=str(tmp_path / "nothing.tgz"))
