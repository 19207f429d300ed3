# SPDX-License-Identifier: Apache-2.0
"""A push-style deployment from a Pulumi program, by the real engine on a real API server."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.deploy import read_release
from pulumi_gitops.core.errors import NotFoundError
from pulumi_gitops.core.objects import ObjectRef

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

SERVICE = """
release = gitops.Release("shop", {{
    "namespace": "{namespace}",
    "wait_timeout": {timeout},
    "images": {{"web": "registry.example.com/web:{tag}"}},
    "definition": [
        {{
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {{"name": "web"}},
            "spec": {{
                "replicas": {replicas},
                "selector": {{"matchLabels": {{"app": "web"}}}},
                "template": {{
                    "metadata": {{"labels": {{"app": "web"}}}},
                    "spec": {{
                        "nodeSelector": {nodes},
                        "containers": [{{"name": "web", "image": "registry.example.com/web:0"}}],
                    }},
                }},
            }},
        }},
        {{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "web"}}, "data": {{"color": "{color}"}}}},
        {{
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {{"name": "web"}},
            "stringData": {{"key": "canary-4711-secret"}},
        }},
    ],
}})
pulumi.export("revision", release.revision)
"""


def service(namespace: str, *, tag="1", replicas=2, color="blue", nodes="{}", timeout=60) -> str:
    return SERVICE.format(namespace=namespace, tag=tag, replicas=replicas, color=color, nodes=nodes, timeout=timeout)


def test_a_release_is_deployed_continued_healed_and_removed(stack, cluster, namespace):
    stack.program(service(namespace))
    stack.up()
    assert stack.outputs()["revision"] == 1
    web = ObjectRef("apps", "v1", "Deployment", namespace, "web")
    container = cluster.get(web)["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.example.com/web:1"

    second = stack.up()
    assert "2 unchanged" in second
    assert stack.outputs()["revision"] == 1

    stack.program(service(namespace, tag="2"))
    preview = stack.pulumi("preview", "--diff")
    assert f"apps/Deployment/{namespace}/web" in preview
    assert f"ConfigMap/{namespace}/web" not in preview, "only what changes is shown"
    stack.up()
    assert stack.outputs()["revision"] == 2

    config = ObjectRef("", "v1", "ConfigMap", namespace, "web")
    cluster.patch(config, {"data": {"color": "red"}})
    stack.pulumi("refresh", "--yes")
    drifted = stack.pulumi("preview", "--diff")
    assert f"ConfigMap/{namespace}/web" in drifted
    assert "drifted" in drifted
    stack.up()
    assert cluster.get(config)["data"] == {"color": "blue"}

    for text in (preview, drifted, second, stack.state()):
        assert "canary-4711-secret" not in text
    stack.pulumi("destroy", "--yes")
    assert read_release(cluster, "shop", namespace) is None
    with pytest.raises(NotFoundError):
        cluster.get(web)


def test_a_release_that_does_not_get_ready_is_kept_in_state_and_tried_again(stack, cluster, namespace):
    stack.program(service(namespace, nodes='{"no": "such-node"}', timeout=4))
    failed = stack.up(check=False)
    assert f"Deployment {namespace}/web" in failed
    assert "not ready after 4 s" in failed
    assert "didn't match Pod's node affinity" in failed, "the events of the pods say why"
    assert "gitops:index:Release" in stack.state(), "what was applied is not forgotten"

    stack.program(service(namespace))
    stack.up()
    assert read_release(cluster, "shop", namespace).status == "deployed"


def test_a_mistake_in_the_program_is_an_error_of_its_property(stack, namespace):
    stack.program(f'gitops.Release("shop", {{"namespace": "{namespace}", "definition": []}})')
    said = stack.up(check=False)
    assert "property definition" in said
    assert "has a problem: the definition holds no objects" in said


def test_an_object_of_another_release_is_refused_before_anything_is_applied(stack, cluster, namespace):
    stack.program(service(namespace))
    stack.up()
    stack.program(
        service(namespace)
        + f"""
gitops.Release("thief", {{
    "namespace": "{namespace}",
    "definition": {{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "web"}}, "data": {{"mine": "1"}}}},
}}, opts=pulumi.ResourceOptions(depends_on=[release]))
"""
    )
    said = stack.up(check=False)
    assert "belongs to another release" in said
    assert cluster.get(ObjectRef("", "v1", "ConfigMap", namespace, "web"))["data"] == {"color": "blue"}
