# SPDX-License-Identifier: Apache-2.0
"""Paths in ``src`` are found where users expect them, with the engine's idea of a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader

from ansible_collections.iac.gitops.plugins.plugin_utils import _sources
from pulumi_gitops.core.render import load_sources

OBJECT = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "%s"}}'  # JSON is YAML, too


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A role, a playbook's folder and a working directory, as Ansible would search them."""
    for name in ("role", "playbook", "work"):
        (tmp_path / name / "files").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def locate(places, pattern):
    return [
        str(path.relative_to(places))
        for path in _sources.locate(pattern, [str(places / "role"), str(places / "playbook")])
    ]


def test_the_role_wins_over_the_playbook_and_that_over_the_working_directory(places):
    order = ["work/a.yaml", "playbook/a.yaml", "playbook/files/a.yaml", "role/a.yaml", "role/files/a.yaml"]
    for place in order:
        (places / place).write_text("")
        assert locate(places, "a.yaml") == [place]


def test_a_glob_is_taken_from_the_first_place_that_has_a_match(places):
    (places / "work/deploy").mkdir()
    for name in ("b.yaml", "a.yaml", "c.txt"):
        (places / "work/deploy" / name).write_text("")
    assert locate(places, "deploy/*.yaml") == ["work/deploy/a.yaml", "work/deploy/b.yaml"]
    assert locate(places, "../work/deploy/a.*") == ["work/deploy/a.yaml"]


def test_absolute_paths_and_the_home_folder_work(places, monkeypatch):
    monkeypatch.setenv("HOME", str(places / "role"))
    (places / "role/a.yaml").write_text("")
    assert locate(places, str(places / "role/a.yaml")) == locate(places, "~/a.yaml") == ["role/a.yaml"]


def test_a_file_whose_name_looks_like_a_glob_is_found(places):
    (places / "work/a[1].yaml").write_text("")
    assert locate(places, "a[1].yaml") == ["work/a[1].yaml"]


@pytest.mark.parametrize(("folder", "name"), [("playbooks", "deploy.yml"), ("roles/deploy", "tasks")])
def test_the_playbooks_and_roles_of_the_collection_are_no_place_for_manifests(places, folder, name):
    own = _sources._OWN / folder
    assert (own / name).exists()
    with pytest.raises(AnsibleActionFail, match=f"{name} does not exist on the Ansible controller"):
        _sources.locate(name, [str(own)])


def test_what_is_missing_is_said_with_the_places_that_were_searched(places):
    with pytest.raises(AnsibleActionFail) as error:
        locate(places, "nothing/*.yaml")
    assert str(places / "role/files") in str(error.value)
    assert error.value.result["code"] == "input.unavailable"


def test_a_lock_file_is_beside_the_playbook_but_never_beside_one_of_the_collection(places):
    assert _sources.beside(str(places / "playbook"), "gitops.lock") == places / "playbook/gitops.lock"
    assert _sources.beside(str(places / "playbook"), "/etc/gitops.lock") == Path("/etc/gitops.lock")
    assert _sources.beside(str(_sources._OWN / "playbooks"), "gitops.lock") == places / "work/gitops.lock"


def test_a_folder_holds_the_files_that_the_engine_finds_in_it(tmp_path):
    for name in ("b.yml", "a.yaml", "sub/c.json", "readme.md", ".hidden.yaml", ".git/d.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(OBJECT % path.stem)
    found = [file.stem for file in _sources.manifest_files(tmp_path)]
    assert found == [obj["metadata"]["name"] for obj in load_sources(tmp_path)] == ["a", "b", "c"]


def test_a_folder_without_manifests_is_an_error(tmp_path):
    with pytest.raises(AnsibleActionFail, match="holds no manifests") as error:
        _sources.manifest_files(tmp_path)
    assert error.value.result["code"] == "input.empty_set"


def test_binary_files_and_huge_files_are_refused(tmp_path, monkeypatch):
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(AnsibleActionFail, match="is not UTF-8 text"):
        _sources.read_text(DataLoader(), tmp_path / "a.yaml")
    monkeypatch.setattr(_sources, "MAX_BYTES", 2)
    with pytest.raises(AnsibleActionFail, match="is larger than"):
        _sources.read_text(DataLoader(), tmp_path / "a.yaml")
