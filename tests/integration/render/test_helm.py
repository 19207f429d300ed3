# SPDX-License-Identifier: Apache-2.0
"""Real helm: a chart with a subchart, hooks and CRDs, values that stay secret, errors with their place, a registry."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from pulumi_gitops.core.errors import InputError, ManifestError, SourceUnavailableError
from pulumi_gitops.core.render import HelmChart, Overrides, Sources, pull_chart, render, render_helm

from .conftest import LOGIN

pytestmark = pytest.mark.sandbox

CANARY = "canary-1618-helm"
JOB = (
    "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}, annotations: {{helm.sh/hook: '{hook}'}}}}\nspec: {{}}\n"
)
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: all}\ndata: {}\n"
CRD = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\n"
SHOP = {
    "Chart.yaml": """
apiVersion: v2
name: shop
version: 1.2.3
dependencies: [{name: cache, version: 0.1.0, condition: cache.enabled}]
""",
    "values.yaml": "replicas: 1\nimage: registry.example.com/shop:1\ncache: {enabled: true, size: 1Gi}\npassword: ''\n",
    "crds/things.yaml": f"{CRD}---\n{CRD.replace('things', 'others')}",
    "charts/cache/Chart.yaml": "apiVersion: v2\nname: cache\nversion: 0.1.0\n",
    "charts/cache/templates/_helpers.tpl": '{{- define "cache.size" -}}\n{{ .Values.size }}\n{{- end }}\n',
    "charts/cache/templates/cache.yaml": """
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-cache}
data: {size: {{ include "cache.size" . | quote }}}
""",
    "templates/shop.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  annotations: {kube: {{ .Capabilities.KubeVersion.Version | quote }}, for: {{ .Release.Namespace }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: shop, image: {{ .Values.image | quote }}}]}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: {{ .Values.password | quote }}}
{{- if .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: {{ .Release.Name }}}
{{- end }}
""",
    "templates/hooks.yaml": "---\n".join(
        JOB.format(name=name, hook=hook)
        for name, hook in (("migrate", "pre-install,pre-upgrade"), ("seed", "post-install"), ("smoke", "test"))
    ),
}


@pytest.fixture
def chart(tree):
    return tree({f"charts/shop/{name}": text for name, text in SHOP.items()}) / "charts/shop"


@pytest.fixture
def rendered(chart, helm):
    def rendered(binary=helm, allow_network=False, **options):
        given = {"chart": str(chart), "release_name": "shop", "namespace": "pay", **options}
        return render_helm(HelmChart(**given), binary=binary, allow_network=allow_network)

    return rendered


def by_name(objects):
    return {f"{obj['kind']}/{obj['metadata']['name']}": obj for obj in objects}


def test_a_chart_with_subchart_hooks_and_crds(rendered):
    result = rendered(values={"password": CANARY}, kube_version="1.34.5", api_versions=["monitoring.coreos.com/v1"])
    objects = by_name(result.objects)
    assert list(objects) == [
        "Job/migrate",
        "CustomResourceDefinition/things.example.com",
        "CustomResourceDefinition/others.example.com",
        "Secret/shop",
        "ConfigMap/shop-cache",
        "Deployment/shop",
        "ServiceMonitor/shop",
    ]
    assert objects["Deployment/shop"]["metadata"]["annotations"] == {"kube": "v1.34.5", "for": "pay"}
    assert objects["Secret/shop"]["stringData"] == {"password": CANARY}
    assert objects["ConfigMap/shop-cache"]["data"] == {"size": "1Gi"}
    (warning,) = result.warnings
    assert warning.startswith("Job seed (shop/templates/hooks.yaml) is left out")
    assert "CustomResourceDefinition/things.example.com" not in by_name(rendered(include_crds=False).objects)


def test_inline_values_win_over_later_files_which_win_over_earlier_ones(rendered, tmp_path):
    for name, text in (("a,b.yaml", "replicas: 2\nimage: a:1\ncache: {size: 2Gi}\n"), ("c.yaml", "image: c:1\n")):
        (tmp_path / name).write_text(text)
    files = [tmp_path / "a,b.yaml", tmp_path / "c.yaml"]
    objects = by_name(rendered(value_files=files, values={"replicas": 3, "password": None}).objects)
    spec = objects["Deployment/shop"]["spec"]
    assert (spec["replicas"], spec["template"]["spec"]["containers"][0]["image"]) == (3, "c:1")
    assert objects["ConfigMap/shop-cache"]["data"] == {"size": "2Gi"}
    assert "ConfigMap/shop-cache" not in by_name(rendered(values={"cache": {"enabled": False}}).objects)


def test_texts_arrive_as_they_are(rendered, chart):
    controls = "".join(map(chr, (*range(32), *range(127, 160), 0x2028, 0x2029, 0xFEFF, 0xFFFD)))
    texts = [
        CANARY,
        "yes",
        "1e3",
        "a: b",
        "{{ .Values }}",
        "two\nlines\n",
        " x ",
        "\u00e9\U0001f600",
        "'\"\\",
        "",
        controls,
    ]
    text = CONFIG.replace("data: {}", "data: {all: {{ .Values.texts | toJson | quote }}}")
    (chart / "templates/all.yaml").write_text(text)
    objects = by_name(rendered(values={"texts": texts}).objects)
    assert json.loads(objects["ConfigMap/all"]["data"]["all"]) == texts


def test_values_are_in_no_argument_and_no_variable(rendered, helm, tmp_path):
    log = tmp_path / "log"
    wrapper = tmp_path / "helm"
    wrapper.write_text(f'#!/bin/sh\necho "$@" >>{log}\nexport >>{log}\nexec {helm} "$@"\n')
    wrapper.chmod(0o755)
    objects = by_name(rendered(str(wrapper), values={"password": CANARY}).objects)
    assert objects["Secret/shop"]["stringData"] == {"password": CANARY}
    assert "template shop" in log.read_text()
    assert CANARY not in log.read_text()


@pytest.mark.parametrize(
    ("path", "text", "shown"),
    [
        (
            "charts/cache/templates/_helpers.tpl",
            '{{ define "cache.size" }}\n\n{{ .Values.a.b }}{{ end }}',
            r":3:\d+: .*nil",
        ),
        ("templates/shop.yaml", "a: 1\n{{ if }}\n", r":2: .*missing value for if"),
        ("templates/shop.yaml", '\n{{ fail (printf "not %s" .Values.password) }}', r":2:\d+: .*not \*\*\*"),
        ("templates/shop.yaml", '{{ required "give an owner" .Values.owner }}', r":1:\d+: .*give an owner"),
        ("templates/shop.yaml", "kind: A\n b: [{{ .Values.password }}", r": .*YAML parse error"),
        ("templates/shop.yaml", "apiVersion: v1\nkind: A\nmetadata: {}\n", r", rendered:1:1: .*has no metadata\.name"),
        ("templates/shop.yaml", "apiVersion: v1\nkind: A\nkind: B\n", r", rendered:3:1: duplicate key 'kind'"),
    ],
)
def test_a_template_that_fails_is_named_with_its_line_and_without_values(rendered, chart, path, text, shown):
    (chart / path).write_text(text)
    with pytest.raises(ManifestError, match=f"(?s)^shop/{path}{shown}") as caught:
        rendered(values={"password": CANARY})
    assert CANARY not in f"{caught.value} {caught.value.as_dict()}"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"password": {"deep": CANARY}}, "password"),
        ({"cache": CANARY}, "cache"),
        ({"password": CANARY, "replicas": "many"}, "replicas"),
    ],
)
def test_values_that_the_schema_or_helm_refuses_are_not_shown(rendered, chart, values, shown):
    properties = {"password": {"type": "string"}, "replicas": {"enum": [1, 2]}, "cache": {"type": "object"}}
    (chart / "values.schema.json").write_text(json.dumps({"properties": properties}))
    with pytest.raises(InputError, match=shown) as caught:
        rendered(values=values)
    assert CANARY not in f"{caught.value} {caught.value.as_dict()}"


def test_a_value_that_helm_ignores_is_told_of_once_and_without_it(rendered):
    _, warning = rendered(values={"replicas": {"a": CANARY}}).warnings
    assert warning == "helm: warning: skipped value for shop.replicas: Not a table."


def test_dependencies_that_are_missing_have_a_way_to_get_them(rendered, chart):
    (chart / "charts/cache").rename(chart.parent / "cache")
    with pytest.raises(InputError, match="missing in charts/ directory: cache") as caught:
        rendered()
    assert f"helm dependency build {chart}" in caught.value.hint
    # A subchart of the same repository may be a link.
    (chart / "charts/cache").symlink_to("../../cache")
    assert "ConfigMap/shop-cache" in by_name(rendered().objects)


def test_a_schema_on_the_network_is_not_fetched_unless_that_is_allowed(rendered, chart):
    (chart / "values.schema.json").write_text('{"$ref": "https://schemas.example.com/shop.json"}')
    with pytest.raises(InputError, match=r"127\.0\.0\.1:0") as caught:
        rendered()
    assert "allow_network" in caught.value.hint


@pytest.fixture
def archive(chart, helm, tmp_path):
    subprocess.run([helm, "package", str(chart), "-d", str(tmp_path)], check=True, capture_output=True)
    return tmp_path / "shop-1.2.3.tgz"


def test_an_archive_gives_what_its_folder_gives(rendered, archive):
    assert rendered(chart=str(archive), version="1.2.3").objects == rendered().objects
    with pytest.raises(InputError, match=r"has version 1\.2\.3, not 1\.2\.4"):
        rendered(chart=str(archive), version="1.2.4")


@pytest.fixture
def logged_in(registry, monkeypatch, tmp_path):
    """The user's login to the registry."""
    monkeypatch.setenv("HELM_CONFIG_HOME", str(tmp_path / "helm-config"))
    config = tmp_path / "helm-config/registry/config.json"
    config.parent.mkdir(parents=True)
    token = base64.b64encode(":".join(LOGIN).encode()).decode()
    config.write_text(json.dumps({"auths": {registry.address: {"auth": token}}}))
    return registry


def test_a_chart_of_a_registry_is_fetched_with_the_users_login(rendered, archive, logged_in):
    logged_in.add_chart("team/shop", "1.2.3", archive.read_bytes())
    chart = f"oci://{logged_in.address}/team/shop"
    with pytest.raises(InputError, match="allow_network"):
        rendered(chart=chart, version="1.2.3")
    assert logged_in.requests == []
    result = rendered(chart=chart, version="1.2.3", allow_network=True)
    assert result.objects == rendered().objects
    assert rendered(chart=f"{chart}:1.2.3", allow_network=True).objects == result.objects
    with pytest.raises(SourceUnavailableError, match="not found"):
        rendered(chart=chart, version="9.9.9", allow_network=True)


def test_a_chart_of_a_registry_is_pulled_as_it_was_pushed(archive, helm, logged_in, monkeypatch, tmp_path):
    logged_in.add_chart("team/shop", "1.2.3", archive.read_bytes())
    chart = f"oci://{logged_in.address}/team/shop"
    assert pull_chart(f"{chart}:1.2.3", binary=helm) == archive.read_bytes()
    with pytest.raises(SourceUnavailableError, match=r"team/shop:9\.9\.9 can not be fetched: .*not found"):
        pull_chart(f"{chart}:9.9.9", binary=helm)
    with pytest.raises(InputError, match="has no version"):
        pull_chart(chart, binary=helm)
    monkeypatch.setenv("HELM_CONFIG_HOME", str(tmp_path / "nothing"))
    with pytest.raises(SourceUnavailableError) as caught:
        pull_chart(f"{chart}:1.2.3", binary=helm)
    assert "helm registry login" in caught.value.hint


def test_a_registry_that_refuses_is_named_with_what_to_do(rendered, archive, registry, monkeypatch, tmp_path):
    monkeypatch.setenv("HELM_CONFIG_HOME", str(tmp_path / "nothing"))
    registry.add_chart("team/shop", "1.2.3", archive.read_bytes())
    with pytest.raises(SourceUnavailableError, match=r"can not render the chart oci://") as caught:
        rendered(chart=f"oci://{registry.address}/team/shop", version="1.2.3", allow_network=True)
    assert "helm registry login" in caught.value.hint


def test_both_faces_render_a_chart_with_overrides(chart, helm, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(helm).parent), prepend=":")
    overrides = Overrides(
        images={"shop": "registry.example.com/shop:2"}, replicas={"billing": 4}, labels={"team": "pay"}
    )
    options = {"chart": "shop", "version": "1.2.3", "values": {"password": CANARY}}
    result = render(Sources(helm=options), overrides, release="billing", namespace="pay", base=chart.parent)
    deployment = by_name(result.objects)["Deployment/billing"]
    assert deployment["spec"]["replicas"] == 4
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.com/shop:2"
    assert all(obj["metadata"]["labels"]["team"] == "pay" for obj in result.objects)
