# SPDX-License-Identifier: Apache-2.0
"""The examples for Argo CD run as their README says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.objects import ObjectRef

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

EXAMPLES = Path(__file__).parents[3] / "examples/ansible"
CANARY = "canary-0f5c7712"


def argo(kind, name):
    return ObjectRef("argoproj.io", "v1alpha1", kind, "argocd", name)


def test_an_app_of_apps_brings_the_others_in_waves_and_takes_them_with_it(ansible, sandbox, cluster, namespace):
    url = sandbox.create_repository(namespace, username="ci", password=CANARY)
    where = {"config_url": url, "shop_namespace": namespace}
    environment = {"GIT_PASSWORD": CANARY}
    web = ObjectRef("apps", "v1", "Deployment", namespace, "web")

    done = ansible(str(EXAMPLES / "argocd-apps/bootstrap.yml"), "-vvv", environment=environment, **where)
    root = done["Application shop-apps"]
    assert (root["sync"], root["health"]) == ("Synced", "Healthy")
    # Healthy means: so are the applications in it, and what they deployed.
    assert cluster.get(web)["status"]["readyReplicas"] == 2
    settings, shop = (cluster.get(argo("Application", f"shop-{name}")) for name in ("settings", "web"))
    assert settings["metadata"]["creationTimestamp"] <= shop["metadata"]["creationTimestamp"]
    again = ansible(str(EXAMPLES / "argocd-apps/bootstrap.yml"), environment=environment, **where)
    assert again.changed == []
    assert CANARY not in done.output + again.output

    removed = ansible(str(EXAMPLES / "argocd-apps/remove.yml"))
    assert len(removed.changed) == 4
    assert cluster.find(web) is None
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", "argocd")) is None


def test_what_is_known_of_a_cluster_reaches_the_generators_of_argocd(ansible, cluster):
    playbook = str(EXAMPLES / "cluster-metadata/argocd.yml")
    entry = ObjectRef("", "v1", "Secret", "argocd", "cluster-production")
    remove = [
        {"name": "Remove the set", "iac.gitops.application_set": {"name": "addon", "state": "absent"}},
        {"name": "Remove the cluster", "iac.gitops.cluster": {"name": "production", "state": "absent"}},
    ]
    try:
        assert len(ansible(playbook).changed) == 3
        metadata = cluster.get(entry)["metadata"]
        assert metadata["annotations"]["vpc_id"] == "vpc-0a1b2c3d"
        assert {"addons": "true", "region": "eu-central-1"}.items() <= metadata["labels"].items()
        template = cluster.get(argo("ApplicationSet", "addon"))["spec"]["template"]
        assert template["spec"]["source"]["helm"]["valuesObject"]["vpc"] == '{{index .metadata.annotations "vpc_id"}}'
        assert ansible(playbook).changed == []
    finally:
        removed = ansible(remove)
        # Applications that the set made, should its controller run, go after it.
        kind = ("argoproj.io/v1alpha1", "Application")
        left = {application["metadata"]["name"] for application in cluster.list(*kind, namespace="argocd")}
        events = cluster.watch(*kind, namespace="argocd", timeout=60)
        while left:
            event = next(events)
            left -= {event.object["metadata"]["name"]} if event.type == "DELETED" else set()
        controllers.uninstall(cluster, controllers.ControllerSpec())
    assert len(removed.changed) == 2
