# SPDX-License-Identifier: Apache-2.0
"""From files and values to objects, and images by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_gitops.core.errors import EmptySetError, InputError, ManifestError, SourceUnavailableError
from pulumi_gitops.core.render import as_objects, load_sources, set_images

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in ("b.yaml", "a.yml", "sub/c.json", ".hidden/d.yaml", "notes.txt"):
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        name = file.stem
        text = CONFIG.format(name=name)
        if file.suffix == ".json":
            text = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}'
        file.write_text(text)
    return tmp_path


def names(objects) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects]


def test_a_folder_is_read_with_its_subfolders_and_without_hidden_ones(folder):
    assert names(load_sources(folder)) == ["a", "b", "c"]


def test_a_file_a_glob_and_a_list_of_them_are_read_once_each(folder):
    assert names(load_sources(["b.yaml", "*.y*ml", str(folder / "sub")], base=folder)) == ["b", "a", "c"]


def test_what_is_missing_or_holds_nothing_is_named(folder):
    with pytest.raises(SourceUnavailableError, match=r"nothing\.yaml does not exist"):
        load_sources("nothing.yaml", base=folder)
    (folder / "empty").mkdir()
    with pytest.raises(EmptySetError, match="holds no manifests"):
        load_sources("empty", base=folder)
    (folder / "bad.yaml").write_text("a: 1\n")
    with pytest.raises(ManifestError, match=r"bad\.yaml"):
        load_sources("bad.yaml", base=folder)


def test_a_definition_may_be_an_object_a_list_or_text():
    one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    assert names(as_objects(one)) == ["x"]
    assert names(as_objects([one, CONFIG.format(name="z")])) == ["x", "z"]
    assert names(as_objects({"apiVersion": "v1", "kind": "List", "items": [one]})) == ["x"]
    with pytest.raises(InputError, match="not int"):
        as_objects(7)


def pods(kind: str, api: str) -> dict:
    spec = {
        "initContainers": [{"name": "prepare", "image": "registry.example.com:5000/shop/prepare@sha256:" + "0" * 64}],
        "containers": [{"name": "shop", "image": "registry.example.com/shop:1"}],
    }
    obj = {"apiVersion": api, "kind": kind, "metadata": {"name": "x"}}
    if kind == "Pod":
        return {**obj, "spec": spec}
    template = {"template": {"spec": spec}}
    return {**obj, "spec": {"jobTemplate": {"spec": template}} if kind == "CronJob" else template}


KINDS = [
    ("Pod", "v1"),
    ("Deployment", "apps/v1"),
    ("StatefulSet", "apps/v1"),
    ("DaemonSet", "apps/v1"),
    ("ReplicaSet", "apps/v1"),
    ("Job", "batch/v1"),
    ("CronJob", "batch/v1"),
    ("Rollout", "argoproj.io/v1alpha1"),
]


@pytest.mark.parametrize(("kind", "api"), KINDS)
def test_images_are_set_in_every_kind_that_carries_pods(kind, api):
    original = pods(kind, api)
    images = {"shop": "registry.example.com/shop:2", "registry.example.com:5000/shop/prepare": "example.com/p:3"}
    text = str(set_images([original], images))
    assert "'image': 'registry.example.com/shop:2'" in text
    assert "'image': 'example.com/p:3'" in text
    assert "shop:1" in str(original), "what was given stays as it was"


def test_a_name_without_a_container_and_a_bad_reference_are_errors():
    with pytest.raises(InputError, match="shpo matches no container") as caught:
        set_images([pods("Pod", "v1")], {"shpo": "example.com/x:1"})
    assert "prepare, shop" in caught.value.hint
    with pytest.raises(InputError, match="is not an image reference"):
        set_images([pods("Pod", "v1")], {"shop": "two words"})
