# SPDX-License-Identifier: Apache-2.0
"""Kustomizations: what is refused before kustomize is started, and how it is started."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pulumi_gitops.core import redact
from pulumi_gitops.core.errors import (
    EmptySetError,
    GitOpsError,
    InputError,
    ManifestError,
    ProcessError,
    SourceUnavailableError,
)
from pulumi_gitops.core.render import ToolMissingError, UnsafeSourceError, render_kustomize

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
PLUGIN = "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\n"


@pytest.fixture
def kustomize(program):
    return program("kustomize", "v5.8.1", CONFIG)


@pytest.fixture
def render(tree, kustomize):
    """Render a tree whose kustomization is in overlays/p."""

    def render(files, **options):
        folder = tree(files)
        return render_kustomize(folder / "overlays/p", binary=str(kustomize.path), **options)

    return render


def kustomization(text: str, **files: str) -> dict[str, str]:
    return {"overlays/p/kustomization.yaml": text, "overlays/p/web.yaml": CONFIG, **files}


def refused(render, kustomize, files, **options) -> UnsafeSourceError:
    with pytest.raises(UnsafeSourceError) as caught:
        render(files, **options)
    assert not kustomize.was_started
    return caught.value


ADDRESSES = [
    "https://git.example.com/team/base",
    "HTTP://git.example.com/base.yaml",
    "http:base.yaml",
    "git@git.example.com:team/base.git",
    "team@git.example.com/base//overlay",
    "ssh://git.example.com/team/base",
    "git::https://git.example.com/team/base",
    "github.com/team/base",
    "GitHub.com/team/base?ref=v1",
    "github.com:team/base",
    "gh:team/base",
    "base?ref=main",
    "s3::https://s3.example.com/base",
    "file:///srv/base",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("field", ["resources", "bases", "components", "Resources", "RE\u017fources"])
def test_a_base_on_the_network_is_refused_with_file_line_and_text(render, kustomize, field, address):
    base = {"base/kustomization.yaml": "resources: []"}
    text = f"namePrefix: a-\n{field}:\n- ../../base\n- {address}\n"
    error = refused(render, kustomize, kustomization(text, **base))
    assert error.details["text"] == address
    assert (Path(error.source).name, error.line) == ("kustomization.yaml", 4)
    assert repr(address) in error.message
    assert error.code == "input.unsafe_source"


URL = "https://git.example.com/x.yaml"


@pytest.mark.parametrize(
    "text",
    [
        f"crds: [{URL}]",
        f"configurations: [{URL}]",
        f"openapi: {{path: '{URL}'}}",
        f"patches: [{{path: '{URL}'}}]",
        f"patches: [{{Path: '{URL}'}}]",
        f"patchesJson6902: [{{target: {{kind: Pod, name: x}}, path: '{URL}'}}]",
        f"patchesStrategicMerge: [{URL}]",
        f"replacements: [{{path: '{URL}'}}]",
        f"configMapGenerator: [{{name: x, files: [{URL}]}}]",
        f"configMapGenerator: [{{name: x, files: ['key={URL}']}}]",
        f"configMapGenerator: [{{name: x, envs: [{URL}]}}]",
        f"configMapGenerator: [{{name: x, env: '{URL}'}}]",
        f"secretGenerator: [{{name: x, files: [{URL}]}}]",
        f"generators: [{URL}]",
        f"transformers: [{URL}]",
        f"validators: [{URL}]",
        f"transformers: ['{{apiVersion: builtin, kind: PatchTransformer, metadata: {{name: x}}, path: \"{URL}\"}}']",
        f"x: &x {{resources: [{URL}]}}\n<<: *x",
    ],
)
def test_an_address_is_refused_wherever_a_path_may_stand(render, kustomize, text):
    error = refused(render, kustomize, kustomization(text))
    assert error.source.endswith("kustomization.yaml")


def test_the_network_can_be_allowed_but_not_for_plugins_nor_for_paths_of_this_machine(render, kustomize):
    render(kustomization(f"resources: [web.yaml, '{URL}', 'git@git.example.com:a/b']"), allow_network=True)
    assert kustomize.was_started
    kustomize.record.unlink()
    refused(render, kustomize, kustomization("resources: ['file:///srv/base']"), allow_network=True)
    refused(render, kustomize, kustomization(f"generators: ['{URL}']"), allow_network=True)


def test_credentials_in_an_address_are_not_shown(render, kustomize):
    error = refused(render, kustomize, kustomization("resources: ['https://ci:canary-7@git.example.com/base']"))
    assert "canary-7" not in f"{error} {error.as_dict()}"


def test_a_local_name_with_an_at_sign_is_local(render, kustomize):
    render(kustomization("resources: [web@2.yaml]", **{"overlays/p/web@2.yaml": CONFIG}))
    assert kustomize.was_started


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("helmCharts: [{name: x, repo: 'https://charts.example.com'}]", "helm"),
        ("helmcharts: [{name: x}]", "helm"),
        ("helmGlobals: {chartHome: charts}", "helm"),
        ("helmChartInflationGenerator: [{chartName: x}]", "helm"),
        ("generators: ['{apiVersion: builtin, kind: HelmChartInflationGenerator, metadata: {name: x}}']", "helm"),
        ("generators: [gen.yaml]", "example.com/v1/Gen is not part of kustomize"),
        ("transformers: [gen.yaml]", "not part of kustomize"),
        ("validators: [plugins]", "not part of kustomize"),
        ("generators: [exec.yaml]", r"config\.kubernetes\.io/function"),
        ("transformers: [old.yaml]", r"config\.k8s\.io/function"),
        ("transformers: [patched]", "could turn one into another"),
        ("transformers: [list.yaml]", "v1/List is not part of kustomize"),
        ("futureField: [x]", "'futureField' is not known"),
    ],
)
def test_helm_and_plugins_that_are_programs_are_refused(render, kustomize, text, said):
    annotated = "apiVersion: builtin\nkind: PrefixTransformer\nmetadata:\n  name: x\n  annotations:\n    {}: |\n      exec: {{path: ./run}}\n"  # noqa: E501
    files = {
        "gen.yaml": "apiVersion: example.com/v1\nkind: Gen\nmetadata: {name: x}\n",
        "exec.yaml": annotated.format("config.kubernetes.io/function"),
        "old.yaml": annotated.format("config.k8s.io/function"),
        "list.yaml": f"apiVersion: v1\nkind: List\nitems: [{{{', '.join(PLUGIN.splitlines())}}}]\n",
        "plugins/kustomization.yaml": "resources: [nested]",
        "plugins/nested/kustomization.yaml": "resources: [gen.yaml]",
        "plugins/nested/gen.yaml": "apiVersion: example.com/v1\nkind: Gen\nmetadata: {name: x}\n",
        "patched/kustomization.yaml": "resources: [ok.yaml]\npatches: [{patch: 'x'}]",
        "patched/ok.yaml": PLUGIN,
    }
    error = refused(render, kustomize, kustomization(text, **{f"overlays/p/{k}": v for k, v in files.items()}))
    assert error.line > 0
    with pytest.raises(UnsafeSourceError, match=said):
        raise error


def test_plugins_that_are_part_of_kustomize_are_used_and_their_paths_are_checked(render, kustomize):
    files = {
        "overlays/p/t.yaml": PLUGIN + "path: web.yaml\n",
        "overlays/p/sub/kustomization.yaml": "resources: [t.yaml]",
    }
    files["overlays/p/sub/t.yaml"] = PLUGIN + "path: web.yaml\n"  # starts where the plugin is used
    inline = "|\n    " + (PLUGIN + "patch: '[{op: test, path: /a, value: \"https://example.com?ref=1\"}]'").replace(
        "\n", "\n    "
    )
    render(kustomization(f"resources: [web.yaml]\ntransformers:\n- t.yaml\n- sub\n- {inline}\n", **files))
    assert kustomize.was_started
    kustomize.record.unlink()
    files["overlays/p/sub/t.yaml"] = PLUGIN + "path: ../../secret\n"
    error = refused(render, kustomize, kustomization("transformers: [sub]", **files, secret="x"))
    assert (Path(error.source).name, error.line) == ("t.yaml", 4)


@pytest.mark.parametrize(
    ("kind", "rest"),
    [
        ("PatchJson6902Transformer", "path: /etc/hostname"),
        ("PatchStrategicMergeTransformer", "paths: [/etc/hostname]"),
        ("ReplacementTransformer", "replacements: [{path: /etc/hostname}]"),
        ("ValueAddTransformer", "targetFilePath: /etc/hostname"),
        ("ConfigMapGenerator", "files: [/etc/hostname]"),
        ("SecretGenerator", "envs: [/etc/hostname]"),
    ],
)
def test_every_built_in_plugin_with_paths_is_checked(render, kustomize, kind, rest):
    config = f"apiVersion: builtin\nkind: {kind}\nmetadata: {{name: x}}\n{rest}\n"
    error = refused(render, kustomize, kustomization("transformers: [t.yaml]", **{"overlays/p/t.yaml": config}))
    assert error.line == 4
    assert error.details["text"] == "/etc/hostname"


def test_text_that_kustomize_takes_for_a_path_is_judged_as_one(render, kustomize):
    # Without metadata.name it is no object to kustomize, so it looks for a file of that name.
    name = "{apiVersion: builtin, kind: PatchTransformer}"
    evil = {f"overlays/p/{name}": PLUGIN + "path: https://git.example.com/x\n"}
    error = refused(render, kustomize, kustomization(f"transformers: ['{name}']", **evil))
    assert error.details["text"] == "https://git.example.com/x"


@pytest.mark.parametrize("inside", ["path: https:/git.example.com/x", "path: web.yaml"])
def test_text_that_is_both_an_object_and_a_path_is_judged_as_both(render, kustomize, inside):
    # A file may be named like an object, with folders for its slashes.
    text = f"{{apiVersion: builtin, kind: PatchTransformer, metadata: {{name: x}}, {inside}}}"
    file = PLUGIN + ("path: web.yaml\n" if "https" in inside else "path: https://git.example.com/x\n")
    error = refused(render, kustomize, kustomization(f"transformers: ['{text}']", **{f"overlays/p/{text}": file}))
    assert "git.example.com/x" in error.details["text"]


def test_a_patch_that_is_both_is_judged_as_a_path_too(render, kustomize, tree):
    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}"
    folder = tree(kustomization(f"patchesStrategicMerge: ['{text}']")) / "overlays/p"
    render({})
    kustomize.record.unlink()
    (folder / text).symlink_to("/etc/hostname")
    assert refused(render, kustomize, {}).details["text"] == text


@pytest.mark.parametrize(
    "text",
    [
        "resources: [../../../outside]",
        "components: [../../../outside]",
        "resources: [sub/../../../../outside]",
        "resources: [out]",
        "resources: [out/deeper]",
    ],
)
def test_a_base_outside_the_root_is_refused_by_a_link_too(render, kustomize, tmp_path, tree, text):
    outside = tmp_path / "outside"
    (outside / "deeper").mkdir(parents=True)
    for folder in (outside, outside / "deeper"):
        (folder / "kustomization.yaml").write_text("resources: []")
    tree(kustomization(text))
    (tmp_path / "tree/overlays/p/out").symlink_to(outside)
    error = refused(render, kustomize, {})
    assert f"outside {tmp_path / 'tree'}" in error.message


@pytest.mark.parametrize(
    "text",
    [
        "resources: [../web.yaml]",
        "resources: [linked.yaml]",
        "configMapGenerator: [{name: x, files: [/etc/hostname]}]",
        "configMapGenerator: [{name: x, files: [key=../web.yaml]}]",
        "configMapGenerator: [{name: x, files: [folder/web.yaml]}]",
        "secretGenerator: [{name: x, envs: [linked.yaml]}]",
        "patches: [{path: linked.yaml}]",
        "openapi: {path: ../web.yaml}",
        "crds: [../web.yaml]",
        "replacements: [{path: ../web.yaml}]",
    ],
)
def test_a_file_outside_the_folder_of_its_kustomization_is_refused_by_a_link_too(render, kustomize, tree, text):
    folder = tree(kustomization(text, **{"overlays/web.yaml": CONFIG})) / "overlays/p"
    (folder / "linked.yaml").symlink_to("../web.yaml")
    (folder / "folder").symlink_to("..")
    error = refused(render, kustomize, {})
    assert "outside the folder of its kustomization" in error.message


def test_dots_behind_a_link_are_taken_off_the_text_as_kustomize_does_it(render, kustomize, tree, tmp_path):
    """Followed by the file system, the path would lead to a/b/outside, inside of the root."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kustomization.yaml").write_text("resources: []")
    inside = {"a/b/outside/kustomization.yaml": "resources: []", "a/b/c/d/e/x": ""}
    folder = tree(kustomization("resources: [link/../../../../outside]", **inside))
    (folder / "overlays/p/link").symlink_to(folder / "a/b/c/d/e")
    assert str(outside) in refused(render, kustomize, {}).message


def test_a_kustomization_that_is_a_link_to_the_outside_is_refused(render, kustomize, tree, tmp_path):
    folder = tree({"overlays/p/web.yaml": CONFIG, "elsewhere.yaml": "resources: []"})
    (folder / "overlays/p/kustomization.yaml").symlink_to(folder / "elsewhere.yaml")
    assert "elsewhere.yaml" in refused(render, kustomize, {}).message


def test_links_that_stay_inside_are_fine(render, kustomize, tree):
    folder = tree(kustomization("resources: [linked.yaml, base]", **{"base/kustomization.yaml": "resources: []"}))
    (folder / "overlays/p/linked.yaml").symlink_to("web.yaml")
    (folder / "overlays/p/base").symlink_to("../../base")
    render({})
    assert kustomize.was_started


def test_the_whole_tree_is_read_and_a_cycle_ends(render, kustomize):
    files = {
        "base/kustomization.yml": "resources: [../more]\ncomponents: [../overlays/p]",
        "more/Kustomization": "resources:\n- ../base\n- https://git.example.com/deep\n",
    }
    error = refused(render, kustomize, kustomization("resources: [../../base]", **files))
    assert error.source.endswith("more/Kustomization")
    assert error.line == 3


def test_the_root_is_the_git_work_tree_or_the_one_that_is_given(tmp_path, kustomize):
    binary = str(kustomize.path)
    overlay = tmp_path / "repo/a/b/c/overlay"
    base = tmp_path / "repo/base"
    for folder, text in ((overlay, "resources: [../../../../base]"), (base, "resources: []")):
        folder.mkdir(parents=True)
        (folder / "kustomization.yaml").write_text(text)
    with pytest.raises(UnsafeSourceError, match="outside"):
        render_kustomize(overlay, binary=binary)
    render_kustomize(overlay, binary=binary, root=tmp_path / "repo")
    (tmp_path / "repo/.git").write_text("gitdir: elsewhere")  # as in a linked work tree
    render_kustomize(overlay, binary=binary)
    with pytest.raises(UnsafeSourceError, match="outside"):
        render_kustomize(overlay, binary=binary, root=tmp_path / "repo/a")
    with pytest.raises(InputError, match="is not below root"):
        render_kustomize(overlay, binary=binary, root=base)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("resources: [nothing.yaml]", r"kustomization\.yaml:1:13: 'nothing\.yaml' does not exist"),
        ("resources: [empty]", "holds no kustomization"),
        ("components: [web.yaml]", "is not a folder"),
        ("resources: web.yaml: x", "not valid YAML"),
        ("resources: {a: b}", "has to be a list"),
        ("resources: ['']", "not empty"),
        ("resources: [1]", "has to hold texts"),
        ('resources: ["a\\0b"]', "has to hold texts"),
        ("patches: [x]", "has to be a mapping"),
        ("[]", "has to be a mapping"),
        ("a: 1\n---\nb: 1", "one YAML document"),
        ("", "one YAML document"),
        ("resources: [a]\nresources: [b]", "duplicate key"),
        ("resources: [!!binary aHR0cHM6Ly9leGFtcGxlLmNvbQ==]", "tag !!binary is not allowed"),
        ("patchesStrategicMerge:\n- |\n  a: 1\n  b: 2", "not a Kubernetes object"),
        (f"resources: [{'x' * 5000}]", "does not exist"),
        ("resources: [loop]", "does not exist"),
    ],
)
def test_what_can_not_be_read_or_found_is_named_with_its_line(render, kustomize, tree, text, said):
    folder = tree(kustomization(text)) / "overlays/p"
    (folder / "empty").mkdir()
    (folder / "loop").symlink_to("loop")
    with pytest.raises(ManifestError, match=said):
        render({})
    assert not kustomize.was_started


def test_a_folder_that_is_none_is_named(tmp_path, tree):
    folder = tree({"web.yaml": CONFIG})
    for given, error, said in (
        (folder / "nothing", SourceUnavailableError, "does not exist"),
        (folder, SourceUnavailableError, "holds no kustomization"),
        (folder / "web.yaml", InputError, "is a file"),
        ("https://git.example.com/base", InputError, "is not a folder"),
        (" ", InputError, "needs a folder"),
    ):
        with pytest.raises(error, match=said):
            render_kustomize(given)


def test_kustomize_runs_guarded_without_settings_without_other_programs_and_without_a_way_out(
    render, kustomize, monkeypatch, tmp_path
):
    monkeypatch.setenv("CI_JOB_TOKEN", "canary-1")
    monkeypatch.setenv("KUBECONFIG", "/home/someone/.kube/config")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    assert render(kustomization("resources: [web.yaml]")) == [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}
    ]
    seen = kustomize.run()
    folder = str(tmp_path / "tree/overlays/p")
    assert seen["argv"][1:] == ["build", folder, "--load-restrictor=LoadRestrictionsRootOnly"]
    env = seen["env"]
    assert "canary-1" not in str(env)
    assert env["KUBECONFIG"] == os.devnull
    assert env["HTTPS_PROXY"] == env["http_proxy"] == "http://127.0.0.1:0"
    assert env["PATH"] == env["HOME"] == env["XDG_CONFIG_HOME"]
    assert not Path(env["HOME"]).exists(), "the private folder is gone"


def test_with_the_network_kustomize_finds_git_and_asks_nobody(render, kustomize, monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    render(kustomization("resources: [web.yaml]"), allow_network=True)
    env = kustomize.run()["env"]
    assert env["PATH"] == os.environ["PATH"]
    assert env["SSH_AUTH_SOCK"] == "/run/agent"
    assert env["GIT_TERMINAL_PROMPT"] == "0"
    assert "file" not in env["GIT_ALLOW_PROTOCOL"]


def test_kubectl_serves_where_there_is_no_kustomize(program, tree, monkeypatch, tmp_path):
    version = json.dumps({"clientVersion": {"gitVersion": "v1.37.1"}, "kustomizeVersion": "v5.8.1"})
    kubectl = program("kubectl", version, CONFIG, folder=tmp_path / "path")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    folder = tree(kustomization("resources: [web.yaml]")) / "overlays/p"
    assert len(render_kustomize(folder)) == 1
    assert kubectl.run()["argv"][1] == "kustomize"
    kustomize = program("kustomize", "v5.0.0", CONFIG, folder=tmp_path / "path")
    render_kustomize(folder)
    assert kustomize.was_started, "kustomize comes first"


def test_a_program_that_is_missing_or_of_another_version_is_named(program, tree, monkeypatch, tmp_path):
    folder = tree(kustomization("resources: [web.yaml]")) / "overlays/p"
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(ToolMissingError, match="kustomize or kubectl is not installed") as caught:
        render_kustomize(folder)
    assert "Install kustomize 5" in caught.value.hint
    with pytest.raises(ToolMissingError, match="no such program"):
        render_kustomize(folder, binary="kustomise")
    old = json.dumps({"clientVersion": {"gitVersion": "v1.26.0"}, "kustomizeVersion": "v4.5.7"})
    older = json.dumps({"clientVersion": {"gitVersion": "v5.0.0"}})
    for name, version, said in (
        ("kustomize", "v4.5.7", r"kustomize 4\.5\.7"),
        ("kustomize-dev", "(devel)", r"'\(devel\)'"),
        ("kubectl", old, r"kustomize 4\.5\.7"),
        ("kubectl-ancient", older, "it says ''"),
    ):
        with pytest.raises(ToolMissingError, match=said):
            render_kustomize(folder, binary=str(program(name, version).path))


def test_the_version_is_asked_for_once(program, tree, monkeypatch, tmp_path):
    folder = tree(kustomization("resources: [web.yaml]")) / "overlays/p"
    kustomize = program("kustomize", "v5.8.1", CONFIG)
    render_kustomize(folder, binary=str(kustomize.path))
    program("kustomize", "v4.0.0", CONFIG)
    render_kustomize(folder, binary=str(kustomize.path))


def test_a_failure_says_what_kustomize_said_without_the_secrets_of_generators(program, tree):
    kustomize = program(
        "kustomize", "v5.8.1", stderr="Error: no canary-literal, canary-env, canary-odd\n", returncode=1
    )
    text = "secretGenerator:\n- name: x\n  literals: ['a=\"canary-literal\"', canary-odd]\n  envs: [x.env]"
    folder = tree(kustomization(text, **{"overlays/p/x.env": "TOKEN=canary-env\n"})) / "overlays/p"
    with pytest.raises(InputError, match=r"can not build .*: no \*\*\*, \*\*\*, \*\*\*") as caught:
        render_kustomize(folder, binary=str(kustomize.path))
    assert "canary" not in f"{caught.value} {caught.value.as_dict()}"
    assert redact.redact("canary-env") == "***"


def test_nothing_and_no_yaml_and_no_end_are_errors(program, tree):
    folder = tree(kustomization("resources: [web.yaml]")) / "overlays/p"
    for name, options, error, said in (
        ("kustomize", {"stdout": ""}, EmptySetError, "yields no objects"),
        ("kustomize-b", {"stdout": "a: 1\n"}, ManifestError, "kustomize build .*has no apiVersion"),
        ("kustomize-c", {"stdout": "", "seconds": 600}, ProcessError, "did not end within"),
    ):
        made = program(name, "v5.8.1", **options)
        with pytest.raises(error, match=said):
            render_kustomize(folder, binary=str(made.path), timeout=60 if "seconds" not in options else 0.5)


def test_every_refusal_is_an_input_error_of_the_engine():
    assert issubclass(UnsafeSourceError, ManifestError)
    assert issubclass(ToolMissingError, GitOpsError)
