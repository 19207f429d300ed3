# SPDX-License-Identifier: Apache-2.0
"""Options of a controller change its manifests, and digests that nobody published are remembered."""

from __future__ import annotations

import json

import pytest

from pulumi_gitops.core.controllers import ControllerSpec
from pulumi_gitops.core.controllers.argocd import manifests as argocd
from pulumi_gitops.core.controllers.flux import manifests as flux
from pulumi_gitops.core.controllers.lockfile import Lock
from pulumi_gitops.core.errors import InputError


def deployment(name: str, *args: str) -> dict:
    pod = {"spec": {"containers": [{"name": "manager", "args": list(args)}]}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {"template": pod}}


def crd(group: str) -> dict:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {"group": group},
    }


FLUX = [
    deployment("source-controller", "--log-level=info"),
    deployment("kustomize-controller", "--log-level=info"),
    deployment("helm-controller"),
    deployment("notification-controller"),
    crd("helm.toolkit.fluxcd.io"),
    crd("source.toolkit.fluxcd.io"),
    {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "allow-egress"}},
]


def names(objects: list[dict]) -> set[str]:
    return {obj["metadata"]["name"] for obj in objects}


def args(objects: list[dict], name: str) -> list[str]:
    found = next(obj for obj in objects if obj["metadata"]["name"] == name and obj["kind"] == "Deployment")
    return found["spec"]["template"]["spec"]["containers"][0]["args"]


def test_components_that_are_not_wanted_go_with_their_definitions():
    spec = ControllerSpec(name="flux", components=["source-controller", "kustomize-controller"])
    assert names(flux.adjust(FLUX, spec)) == {
        "source-controller",
        "kustomize-controller",
        "things.source.toolkit.fluxcd.io",
        "allow-egress",
    }


def test_without_notification_controller_the_others_send_no_events():
    spec = ControllerSpec(name="flux", components=["source-controller", "kustomize-controller"])
    adjusted = flux.adjust(FLUX, spec)
    assert "--events-addr=" in args(adjusted, "source-controller")
    assert "--events-addr=" in args(adjusted, "kustomize-controller")
    everything = flux.adjust(FLUX, ControllerSpec(name="flux"))
    assert not [arg for arg in args(everything, "source-controller") if arg.startswith("--events-addr")]


def test_flags_take_the_place_of_those_in_the_manifests_and_lockdown_reaches_who_applies():
    spec = ControllerSpec(name="flux", log_level="debug", concurrency=20, multitenant=True, network_policies=False)
    adjusted = flux.adjust(FLUX, spec)
    assert args(adjusted, "source-controller") == ["--log-level=debug", "--concurrent=20"]
    assert {"--no-cross-namespace-refs=true", "--default-service-account=default", "--no-remote-bases=true"} <= set(
        args(adjusted, "kustomize-controller")
    )
    assert "allow-egress" not in names(adjusted)
    assert args(FLUX, "kustomize-controller") == ["--log-level=info"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"admin_secret": "Not a name"}, "admin_secret"),
        ({"admin_secret": "argocd-initial-admin-secret"}, "Argo CD's own"),
        ({"admin_secret": "argocd-admin", "profile": "core"}, "does not have"),
        ({"admin_secret": "argocd-admin", "config": {"argocd-cm": {"admin.enabled": "false"}}}, "does not have"),
        ({"name": "flux", "admin_secret": "argocd-admin"}, "Flux has no option admin_secret"),
    ],
)
def test_a_password_is_for_an_argo_cd_that_has_the_user_admin(options, message):
    with pytest.raises(InputError, match=message):
        ControllerSpec(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": ["shop"]}, "shop is none of"),
        ({"components": ["image-reflector-controller"]}, "do not hold image-reflector-controller"),
        ({"log_level": "loud"}, "none of debug, info, error"),
        ({"concurrency": 0}, "at least 1"),
    ],
)
def test_wrong_options_of_flux_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        flux.adjust(FLUX, ControllerSpec(name="flux", **options))


def config_map(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_configuration_is_merged_into_argo_cds_config_maps_and_missing_ones_are_made():
    manifests = [config_map("argocd-cm", url="x"), config_map("argocd-ssh-known-hosts-cm", ssh_known_hosts="a key\n")]
    spec = ControllerSpec(
        config={"argocd-cm": {"admin.enabled": "false"}, "argocd-rbac-cm": {"policy.default": "role:readonly"}},
        known_hosts="git.example.com ssh-ed25519 AAAA",
        tls_certificates={"git.example.com": "PEM"},
    )
    adjusted = {obj["metadata"]["name"]: obj["data"] for obj in argocd.adjust(manifests, spec)}
    assert adjusted["argocd-cm"] == {"url": "x", "admin.enabled": "false"}
    assert adjusted["argocd-rbac-cm"] == {"policy.default": "role:readonly"}
    assert adjusted["argocd-ssh-known-hosts-cm"]["ssh_known_hosts"] == "a key\ngit.example.com ssh-ed25519 AAAA\n"
    assert adjusted["argocd-tls-certs-cm"] == {"git.example.com": "PEM"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: argocd.file_of("huge"), "none of standard, ha"),
        (lambda: argocd.adjust([], ControllerSpec(config={"kube-proxy": {"a": "b"}})), "no ConfigMap of Argo CD"),
        (lambda: argocd.adjust([], ControllerSpec(config={"argocd-cm": {"a": True}})), "is not a text"),
        (lambda: ControllerSpec(name="flux", profile="ha"), "Flux has no option profile"),
        (lambda: ControllerSpec(multitenant=True), "Argo CD has no option multitenant"),
    ],
)
def test_wrong_options_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_what_is_given_empty_is_not_given():
    assert ControllerSpec(components=[], gpg_keys={}).name == "argocd"
    assert ControllerSpec(name="flux", config={}, tls_certificates={}, values={}).name == "flux"
    with pytest.raises(InputError, match="Flux has no option values"):
        ControllerSpec(name="flux", values={"a": None})


def test_a_lock_file_remembers_digests_and_is_refused_when_it_is_none(tmp_path):
    lock = Lock(tmp_path / "gitops.lock")
    assert lock.get("https://example.com/a") == ""
    lock.put("https://example.com/b", "2" * 64)
    lock.put("https://ci:hunter2hunter2@example.com/a", "1" * 64)
    assert lock.get("https://example.com/b") == "2" * 64
    assert lock.get("https://ci:hunter2hunter2@example.com/a") == "1" * 64
    text = lock.path.read_text()
    assert "hunter2" not in text
    assert json.loads(text)["format"] == 1
    lock.path.write_text("{}")
    with pytest.raises(InputError, match="not a lock file"):
        lock.get("https://example.com/a")
