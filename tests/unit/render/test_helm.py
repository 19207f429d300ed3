# SPDX-License-Identifier: Apache-2.0
"""Charts: what is refused before helm is started, how it is started, and what becomes of what it prints."""

from __future__ import annotations

import base64
import os
import tarfile
from pathlib import Path

import pytest

from pulumi_gitops.core import process, redact
from pulumi_gitops.core.errors import (
    EmptySetError,
    InputError,
    ManifestError,
    ProcessError,
    SourceUnavailableError,
)
from pulumi_gitops.core.render import HelmChart, ToolMissingError, UnsafeSourceError, render_helm
from pulumi_gitops.core.render import helm as helm_module

CANARY = "canary-5150-helm"
CONFIG = "---\n# Source: shop/templates/web.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"


@pytest.fixture
def chart(tree) -> Path:
    return tree({"charts/shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.2.3\n"}) / "charts/shop"


@pytest.fixture
def helm(program):
    return program("helm", "v3.22.0+gabcdef0", CONFIG)


@pytest.fixture
def render(chart, helm):
    def render(binary=helm, timeout=60, allow_network=False, root=None, **options):
        given = {"chart": str(chart), "release_name": "shop", "namespace": "shop", **options}
        return render_helm(
            HelmChart(**given), binary=str(binary.path), timeout=timeout, allow_network=allow_network, root=root
        )

    return render


def hook(kind: str, name: str, events: str, weight: str = "") -> str:
    annotations = f"helm.sh/hook: '{events}'" + (f", helm.sh/hook-weight: '{weight}'" if weight else "")
    metadata = f"metadata: {{name: {name}, annotations: {{{annotations}}}}}"
    return f"---\n# Source: shop/templates/{name}.yaml\napiVersion: batch/v1\nkind: {kind}\n{metadata}\n"


def names(rendered) -> list[str]:
    return [obj["metadata"]["name"] for obj in rendered.objects]


def test_objects_come_with_a_label_of_their_template_for_errors(render, program):
    text = (
        "Pulled: registry.example.com/shop\n"
        + CONFIG
        + "---\n# Source: shop/crds/a.yaml\n"
        + "---\n".join(f"apiVersion: v1\nkind: Thing\nmetadata: {{name: {name}}}\n" for name in "ab")
    )
    assert names(render(program("helm-a", "v4.3.1", text))) == ["web", "a", "b"]
    broken = CONFIG + "---\n# Source: shop/templates/bad.yaml\na: 1\nb: 2\na: 3\n"
    with pytest.raises(ManifestError, match=r"^shop/templates/bad\.yaml, rendered:3:1: duplicate key 'a'"):
        render(program("helm-b", "v3.22.0", broken))


def test_hooks_before_an_installation_come_first_by_weight_tests_go_and_others_are_told_of(render, program):
    text = CONFIG + "".join(
        (
            hook("Pod", "smoke", "test"),
            hook("Pod", "old-smoke", "test-success, test-failure"),
            hook("Job", "migrate", "pre-install, pre-upgrade", "5"),
            hook("ServiceAccount", "migrator", " Pre-Upgrade ", "-5"),
            hook("Job", "check", "pre-install,post-install", "odd"),
            hook("Job", "seed", "post-install"),
            hook("Job", "cleanup", "pre-delete, test"),
        )
    )
    rendered = render(program("helm-hooks", "v3.22.0", text))
    assert names(rendered) == ["migrator", "check", "migrate", "web"]
    assert rendered.objects[0]["metadata"]["annotations"] == {
        "helm.sh/hook": " Pre-Upgrade ",
        "helm.sh/hook-weight": "-5",
    }
    seed, cleanup = rendered.warnings
    assert seed.startswith("Job seed (shop/templates/seed.yaml) is left out: it is a Helm hook for post-install")
    assert "pre-delete, test" in cleanup


def test_what_helm_warns_of_is_passed_on_without_values(render, program):
    said = (
        f"coalesce.go:237: warning: skipped value for shop.x: {CANARY} is not a table.\n"
        '2026/01/01 10:00:00 manifest_sorter.go:199: info: skipping unknown hook: "crd-install"\n'
        "walk.go:75: found symbolic link in path\n"
        'level=WARN msg="this chart is deprecated"\n'
        'level=WARN msg="this chart is deprecated"\n'
    )
    rendered = render(program("helm-warns", "v3.22.0", CONFIG, stderr=said), values={"x": CANARY})
    assert rendered.warnings == (
        "helm: warning: skipped value for shop.x: *** is not a table.",
        'helm: info: skipping unknown hook: "crd-install"',
        "helm: this chart is deprecated",
    )


def test_values_reach_helm_by_its_standard_input_and_by_nothing_else(render, helm, chart, tmp_path, monkeypatch):
    private = tmp_path / "temporary"
    private.mkdir()
    monkeypatch.setenv("TMPDIR", str(private))
    monkeypatch.setattr("tempfile.tempdir", None)
    file = tmp_path / "a,b.yaml"
    file.write_text("a: 1\n")
    options = {"kube_version": "1.36.3", "api_versions": ["example.com/v1"], "include_crds": True}
    render(values={"password": CANARY, "n": 1.5, "off": None}, value_files=[file], **options)
    seen = helm.run()
    assert seen["stdin"] == f'password: {CANARY}\n"n": 1.5\n"off": null\n'
    assert seen["argv"][1:] == [
        *("template", "shop", str(chart), "--namespace=shop", "--include-crds"),
        *(f'--values="{file}"', "--values=-", "--kube-version=1.36.3", "--api-versions=example.com/v1"),
    ]
    assert CANARY not in f"{seen['argv']} {seen['env']}"
    assert list(private.iterdir()) == []


def test_helm_runs_without_the_users_plugins_and_settings_and_without_a_way_out(render, helm, monkeypatch):
    for name in ("HELM_PLUGINS", "HELM_REPOSITORY_CONFIG", "HELM_KUBETOKEN", "HELM_REGISTRY_CONFIG"):
        monkeypatch.setenv(name, f"/home/someone/{CANARY}")
    render()
    env = helm.run()["env"]
    assert CANARY not in str(env)
    assert env["HELM_NO_PLUGINS"] == "1"
    assert env["HTTPS_PROXY"] == "http://127.0.0.1:0"
    assert env["KUBECONFIG"] == os.devnull
    for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_PLUGINS"):
        assert env[name].startswith(env["HOME"])
    assert not Path(env["HOME"]).exists()


@pytest.mark.parametrize("how", ["HELM_REGISTRY_CONFIG", "HELM_CONFIG_HOME", "XDG_CONFIG_HOME", "HOME"])
def test_a_chart_of_a_registry_is_fetched_with_the_users_login(render, helm, monkeypatch, tmp_path, how):
    for name in ("HELM_REGISTRY_CONFIG", "HELM_CONFIG_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    below = {"HELM_CONFIG_HOME": "", "XDG_CONFIG_HOME": "helm", "HOME": ".config/helm"}
    config = tmp_path / "user" / below.get(how, "") / "registry/config.json"
    config.parent.mkdir(parents=True)
    config.write_text("{}")
    monkeypatch.setenv(how, str(config if how == "HELM_REGISTRY_CONFIG" else tmp_path / "user"))
    render(chart="oci://registry.example.com:5000/team/shop", version="1.2.3", allow_network=True)
    seen = helm.run()
    assert seen["argv"][3] == "oci://registry.example.com:5000/team/shop"
    assert "--version=1.2.3" in seen["argv"]
    assert seen["env"]["HELM_REGISTRY_CONFIG"] == str(config)
    assert "HTTPS_PROXY" not in seen["env"]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"chart": ""}, InputError, "chart is empty"),
        ({"chart": "nothing"}, SourceUnavailableError, "the chart nothing does not exist"),
        ({"chart": "bitnami/redis"}, SourceUnavailableError, "does not exist"),
        ({"chart": "https://charts.example.com/shop.tgz"}, InputError, "neither a local chart nor"),
        ({"chart": "{folder}/charts"}, InputError, "is not a Helm chart"),
        ({"chart": "oci://registry.example.com/shop", "version": "1"}, InputError, "is on the network"),
        ({"chart": "oci://registry.example.com/shop", "allow_network": True}, InputError, "has no version"),
        ({"chart": f"oci://ci:{CANARY}@registry.example.com/shop:1"}, InputError, "holds credentials"),
        ({"chart": "oci://registry.example.com/shop --debug"}, InputError, "is not an oci:// reference"),
        ({"version": "1.2.4"}, InputError, r"has version 1\.2\.3, not 1\.2\.4"),
        ({"release_name": ""}, InputError, "not a name that Helm accepts"),
        ({"release_name": "--debug"}, InputError, "not a name that Helm accepts"),
        ({"release_name": "a" * 54}, InputError, "not a name that Helm accepts"),
        ({"namespace": "--debug"}, InputError, "not the name of a namespace"),
        ({"value_files": ["nothing.yaml"]}, SourceUnavailableError, r"nothing\.yaml does not exist"),
        ({"value_files": ["https://example.com/v.yaml"]}, InputError, "not a local file"),
        ({"value_files": ["{folder}"]}, InputError, "is not a file"),
        ({"values": [CANARY]}, InputError, "has to be a mapping"),
        ({"values": {"a": {CANARY}}}, InputError, "values: a value of type set can not be written"),
        ({"values": {"a": float("nan")}}, InputError, "values: nan can not be written"),
        ({"values": {8080: "a"}}, InputError, "values: the key 8080 can not be written"),
    ],
)
def test_what_is_wrong_before_helm_is_started(render, helm, chart, options, error, said):
    def filled(value):
        return value.replace("{folder}", str(chart.parent.parent)) if isinstance(value, str) else value

    options = {k: [filled(v[0])] if k == "value_files" else filled(v) for k, v in options.items()}
    with pytest.raises(error, match=said) as caught:
        render(**options)
    assert not helm.was_started
    assert CANARY not in f"{caught.value} {caught.value.as_dict()}"


def test_an_archive_has_to_be_of_the_version_that_is_asked_for(render, helm, chart, tmp_path):
    archive = tmp_path / "shop.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(chart, arcname="shop")
    render(chart=str(archive), version="v1.2.3")
    assert helm.run()["argv"][3] == str(archive)
    with pytest.raises(InputError, match=r"has version 1\.2\.3, not 2"):
        render(chart=str(archive), version="2")
    archive.write_bytes(archive.read_bytes()[:40])
    with pytest.raises(InputError, match="is not a chart archive"):
        render(chart=str(archive), version="2")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(chart, arcname="a/b/shop")
    with pytest.raises(InputError, match=r"has no Chart\.yaml|not a chart archive"):
        render(chart=str(archive), version="2")


@pytest.mark.parametrize("link", ["files/passwd", "charts/common/files/hosts"])
def test_a_link_that_leads_out_of_the_root_is_refused(render, helm, chart, link, tmp_path):
    """helm would make /etc/passwd a part of the chart, and .Files.Get prints it into a ConfigMap."""
    (chart / link).parent.mkdir(parents=True)
    (chart / link).symlink_to("/etc/passwd")
    with pytest.raises(UnsafeSourceError, match="leads to /etc/passwd") as caught:
        render()
    assert caught.value.source == str(chart / link)
    assert not helm.was_started


def test_a_link_through_a_folder_that_is_linked_is_found_and_a_loop_ends(render, helm, chart, tmp_path):
    shared = chart.parent / "common"
    shared.mkdir()
    (chart / "charts").mkdir()
    (chart / "charts/common").symlink_to("../../common")
    (shared / "again").symlink_to(".")
    render()  # a shared subchart is what links are used for
    assert helm.was_started
    helm.record.unlink()
    (shared / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(UnsafeSourceError, match="outside"):
        render()
    (shared / "passwd").unlink()
    with pytest.raises(UnsafeSourceError, match="outside"):
        render(root=chart)
    assert not helm.was_started


INCLUDED = (
    'Error: template: shop/templates/a.yaml:1:3: executing "x" at <include "x" .>: error calling include: '
    "template: shop/charts/common/templates/_h.tpl:2:10: nil pointer\n\nUse --debug flag to render out invalid YAML"
)
DEPENDENCIES = (
    "walk.go:1: found symbolic link\nError: An error occurred while checking for chart dependencies. You may need to "
    "run `helm dependency build`: found in Chart.yaml, but missing in charts/ directory: cache"
)
UNCLOSED = "Error: parse error at (shop/templates/a.yaml:2): unclosed action"
MAPPING = "Error: YAML parse error on shop/templates/a.yaml: yaml: line 2: mapping values are not allowed"


@pytest.mark.parametrize(
    ("said", "error", "shown"),
    [
        (INCLUDED, ManifestError, r"^shop/charts/common/templates/_h\.tpl:2:10: .*nil pointer$"),
        (UNCLOSED, ManifestError, r"^shop/templates/a\.yaml:2: .*unclosed action"),
        (MAPPING, ManifestError, r"^shop/templates/a\.yaml: .*line 2"),
        (DEPENDENCIES, InputError, "^helm can not render .*directory: cache\nFetch them once: helm dependency build"),
        ("Error: values don't meet the schema", InputError, "meet the schema\nCheck the chart and the values"),
        ("", InputError, "exit code 1"),
    ],
)
def test_a_failure_names_the_innermost_template_and_what_to_do(render, program, said, error, shown):
    with pytest.raises(error, match=shown) as caught:
        render(program("helm-fails", "v3.22.0", stderr=said, returncode=1))
    assert type(caught.value) is error


def test_a_registry_that_can_not_be_reached_is_a_source_that_is_not_available(render, program):
    failing = program("helm-fails", "v3.22.0", stderr='Error: Get "https://x/v2/": connection refused\n', returncode=1)
    with pytest.raises(SourceUnavailableError, match="connection refused") as caught:
        render(failing, chart="oci://registry.example.com/shop:1", allow_network=True)
    assert "helm registry login" in caught.value.hint


def test_values_are_hidden_in_errors_and_places_are_not(render, program, tmp_path):
    file = tmp_path / "values.yaml"
    file.write_text(f"8080: {CANARY}-file\nlist: [&a '{CANARY}-list', *a]\na: 1\na: {CANARY}-last\n")
    values = {"name": "shop", "deep": [{"key": f'{CANARY}\n"quoted"'}], "short": "web"}
    encoded = base64.b64encode(values["deep"][0]["key"].encode()).decode()
    said = (
        f"Error: execution error at (shop/templates/web.yaml:12:3): shop {CANARY}-file {CANARY}-list {CANARY}-last "
        f'%!t(string={CANARY}\\n\\"quoted\\") {encoded} {CANARY}'
    )
    with pytest.raises(ManifestError) as caught:
        render(program("helm-fails", "v3.22.0", stderr=said, returncode=1), values=values, value_files=[file])
    shown = f"{caught.value} {caught.value.as_dict()}"
    assert CANARY not in shown
    assert encoded not in shown
    assert "web.yaml:12:3): *** *** *** *** %!t(string=***) *** ***" in caught.value.message
    assert caught.value.source == "shop/templates/web.yaml"
    assert redact.redact("shop") == "shop", "values are hidden in these errors, not in all texts"


def test_values_are_hidden_when_helm_does_not_end(render, program, monkeypatch):
    masks = []

    def run(argv, **options):
        masks.append(options["mask"])
        return process.run(argv, **options)

    monkeypatch.setattr(helm_module, "run", run)
    with pytest.raises(ProcessError, match="did not end within"):
        render(program("helm-slow", "v3.22.0", seconds=600), values={"x": CANARY}, timeout=0.5)
    assert [mask(f"got {CANARY}") for mask in masks] == ["got ***"]


def test_a_chart_that_yields_nothing_is_an_error(render, program):
    with pytest.raises(EmptySetError, match="yields no objects"):
        render(program("helm-none", "v3.22.0", "\n"))


def test_helm_that_is_missing_or_too_old_or_too_new_is_named(render, program, monkeypatch, tmp_path, chart):
    for version in ("v2.17.0", "v5.0.0", "unknown"):
        with pytest.raises(ToolMissingError, match="is not helm 3 or 4") as caught:
            render(program(f"helm-{version}", version))
        assert "Install Helm 3 or 4" in caught.value.hint
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(ToolMissingError, match="helm is not installed"):
        render_helm(HelmChart(chart=str(chart), release_name="shop", namespace="shop"))


def test_a_chart_can_be_printed_without_its_values():
    chart = HelmChart(chart="x", release_name="x", namespace="x", values={"password": CANARY})
    assert CANARY not in repr(chart)
