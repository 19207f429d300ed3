# SPDX-License-Identifier: Apache-2.0
"""Manifests are what was asked for, wherever they come from, or nothing happens."""

from __future__ import annotations

import hashlib
import re
import shutil

import pytest

from pulumi_gitops.core.controllers import ControllerSpec, catalog, controller_release, download
from pulumi_gitops.core.controllers.lockfile import Lock
from pulumi_gitops.core.controllers.presence import DIGEST_FACT
from pulumi_gitops.core.errors import ChecksumMismatchError, InputError, ManifestError, SourceUnavailableError

from .conftest import MANIFESTS

DIGEST = hashlib.sha256(MANIFESTS).hexdigest()


@pytest.fixture
def released(monkeypatch):
    """Let the catalog know the small manifests as version 9.9.9."""
    known = catalog.controller("argocd")
    monkeypatch.setitem(known.files, DIGEST, catalog.KnownFile("9.9.9", "install.yaml"))


def test_the_catalog_knows_six_versions_and_installs_3_5_7():
    known = catalog.controller("argocd")
    assert known.versions == ("3.6.1", "3.5.7", "3.4.13", "3.3.19", "3.2.11", "3.2.6")
    assert known.default_version == "3.5.7"
    assert known.url("3.5.7") == "https://raw.githubusercontent.com/argoproj/argo-cd/v3.5.7/manifests/install.yaml"
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in known.files)


def test_an_unknown_version_names_the_known_ones_and_the_way_out():
    with pytest.raises(InputError, match=r"version 2.0.0 .* known: 3.6.1, 3.5.7") as caught:
        controller_release(ControllerSpec(version="2.0.0"))
    assert "manifests" in caught.value.hint
    assert "checksum" in caught.value.hint


def test_a_mirror_serves_releases_and_the_second_time_needs_no_network(server, released):
    server.files["/argo/v9.9.9/manifests/install.yaml"] = MANIFESTS
    spec = ControllerSpec(version="9.9.9", mirror=f"{server.url}/argo/")
    release, version = controller_release(spec)
    assert version == "9.9.9"
    assert len(release.objects) == 7
    server.stop()
    assert controller_release(spec)[0].objects == release.objects


def test_a_mirror_with_other_content_is_refused(server, released):
    server.files["/v9.9.9/manifests/install.yaml"] = MANIFESTS + b"# changed\n"
    with pytest.raises(ChecksumMismatchError) as caught:
        controller_release(ControllerSpec(version="9.9.9", mirror=server.url))
    assert DIGEST in caught.value.message
    assert caught.value.details["expected"] == DIGEST


def test_a_damaged_cache_entry_is_downloaded_again(server, cache):
    server.files["/a.yaml"] = MANIFESTS
    spec = ControllerSpec(manifests=f"{server.url}/a.yaml", checksum=f"sha256:{DIGEST.upper()}")
    controller_release(spec)
    entry = cache / "manifests" / "sha256" / DIGEST
    entry.write_bytes(MANIFESTS[:100])
    controller_release(spec)
    assert entry.read_bytes() == MANIFESTS
    assert len(server.requests) == 2


def test_a_cache_that_can_not_be_written_is_no_obstacle(server, cache):
    cache.write_text("a file where the folder should be")
    server.files["/a.yaml"] = MANIFESTS
    release, _ = controller_release(ControllerSpec(manifests=f"{server.url}/a.yaml", checksum=DIGEST))
    assert release.objects


def test_a_url_needs_a_checksum_unless_the_catalog_knows_its_content(server, monkeypatch):
    server.files["/a.yaml"] = MANIFESTS
    spec = ControllerSpec(manifests=f"{server.url}/a.yaml?signature=s3cr3t-signature")
    server.files["/a.yaml?signature=s3cr3t-signature"] = MANIFESTS
    with pytest.raises(InputError, match="no checksum was given") as caught:
        controller_release(spec)
    assert "s3cr3t" not in str(caught.value)
    monkeypatch.setitem(catalog.controller("argocd").files, DIGEST, catalog.KnownFile("9.9.9", "install.yaml"))
    assert controller_release(spec)[1] == "9.9.9"


def test_known_content_under_another_version_is_refused(server, released):
    server.files["/a.yaml"] = MANIFESTS
    with pytest.raises(InputError, match=r"holds Argo CD 9.9.9, not 3.5.7"):
        controller_release(ControllerSpec(version="3.5.7", manifests=f"{server.url}/a.yaml"))


def test_a_file_and_a_folder_need_no_checksum_and_tell_their_version_by_the_images(tmp_path):
    file = tmp_path / "deploy" / "install.yaml"
    file.parent.mkdir()
    file.write_bytes(MANIFESTS)
    from_file, version = controller_release(ControllerSpec(manifests=str(file)))
    from_folder, _ = controller_release(ControllerSpec(manifests=str(file.parent)))
    assert version == "3.5.7"
    assert from_folder.objects == from_file.objects


def test_a_checksum_of_a_file_is_checked(tmp_path):
    file = tmp_path / "install.yaml"
    file.write_bytes(MANIFESTS)
    assert controller_release(ControllerSpec(manifests=str(file), checksum=DIGEST))
    file.write_bytes(MANIFESTS + b"\n")
    with pytest.raises(ChecksumMismatchError, match=re.escape(str(file))):
        controller_release(ControllerSpec(manifests=str(file), checksum=DIGEST))
    with pytest.raises(InputError, match="folder"):
        controller_release(ControllerSpec(manifests=str(tmp_path), checksum=DIGEST))


def test_rendering_leaves_the_lock_file_as_it_is_and_believes_it(server, tmp_path, cache):
    server.files["/v9.9.9/install.yaml"] = MANIFESTS
    lock = Lock(tmp_path / "gitops.lock")
    spec = ControllerSpec(name="flux", version="9.9.9", mirror=server.url, lock_file=str(lock.path))
    release, _ = controller_release(spec)
    assert release.facts[DIGEST_FACT] == DIGEST
    assert not lock.path.exists()
    lock.put(f"{server.url}/v9.9.9/install.yaml", DIGEST)
    server.files["/v9.9.9/install.yaml"] = MANIFESTS + b"# changed\n"
    assert controller_release(spec)[0].facts[DIGEST_FACT] == ""
    shutil.rmtree(cache)
    with pytest.raises(ChecksumMismatchError, match=f"expected {DIGEST}"):
        controller_release(spec)


def test_a_lock_file_needs_a_folder_and_nothing_is_downloaded_before(server, tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        controller_release(ControllerSpec(name="flux", mirror=server.url, lock_file=str(tmp_path / "a" / "b.lock")))
    assert not server.requests


def test_an_edited_file_of_this_machine_is_what_is_wanted(tmp_path):
    file = tmp_path / "install.yaml"
    file.write_bytes(MANIFESTS)
    assert controller_release(ControllerSpec(name="flux", manifests=str(file)))[0].facts[DIGEST_FACT] == ""


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceUnavailableError, match=r"nothing.yaml can not be read: No such file"):
        controller_release(ControllerSpec(manifests=str(tmp_path / "nothing.yaml")))


def test_something_that_is_no_manifest_is_refused(tmp_path):
    file = tmp_path / "page.html"
    file.write_text("<html>\n<body>sign in: here</body></html>")
    with pytest.raises(ManifestError, match=r"page.html"):
        controller_release(ControllerSpec(manifests=str(file)))


def test_a_password_in_a_url_is_sent_and_never_shown(server):
    server.files["/a.yaml"] = 403
    with pytest.raises(SourceUnavailableError, match="HTTP 403") as caught:
        download.download(f"http://bot:hunter2hunter2@{server.host}/a.yaml")
    assert server.requests[0][1]["authorization"].startswith("Basic ")
    assert "hunter2" not in str(caught.value)


def test_a_password_is_not_sent_on_to_another_host(server):
    server.files["/old.yaml"] = (302, {"Location": f"{server.url.replace('127.0.0.1', 'localhost')}/new.yaml"})
    server.files["/new.yaml"] = MANIFESTS
    download.download(f"http://bot:hunter2hunter2@{server.host}/old.yaml")
    assert ["authorization" in headers for _, headers in server.requests] == [True, False]


def test_a_redirect_is_followed_and_a_missing_file_says_so(server):
    server.files["/old.yaml"] = (302, {"Location": f"{server.url}/new.yaml"})
    server.files["/new.yaml"] = MANIFESTS
    assert download.download(f"{server.url}/old.yaml") == MANIFESTS
    with pytest.raises(SourceUnavailableError, match="HTTP 404") as caught:
        download.download(f"{server.url}/gone.yaml")
    assert "version" in caught.value.hint


def test_a_proxy_of_the_environment_is_used(server, monkeypatch):
    server.files["http://mirror.example.com/a.yaml"] = MANIFESTS
    monkeypatch.setenv("http_proxy", server.url)
    assert download.download("http://mirror.example.com/a.yaml") == MANIFESTS


def test_an_endless_answer_is_cut_off(server, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 1000)
    server.files["/a.yaml"] = b"x" * 2000
    with pytest.raises(SourceUnavailableError, match="MiB"):
        download.download(f"{server.url}/a.yaml")


def test_an_unreachable_server_is_named_without_our_innards(server):
    server.stop()
    with pytest.raises(SourceUnavailableError, match=r"127.0.0.1.*refused") as caught:
        download.download(f"{server.url}/a.yaml")
    assert "object at 0x" not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://mirror.example.com/a.yaml", "https://", "http://[bad/a.yaml"])
def test_other_urls_are_refused(url):
    with pytest.raises(InputError):
        controller_release(ControllerSpec(manifests=url))
