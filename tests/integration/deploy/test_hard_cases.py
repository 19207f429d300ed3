# SPDX-License-Identifier: Apache-2.0
"""Sets at the edge of what is allowed, and an API server that goes away in the middle of a run."""

from __future__ import annotations

import random

import pytest

from pulumi_gitops.core.cluster import ConnectionOptions, connect
from pulumi_gitops.core.deploy import deploy, read_release, remove, rollback
from pulumi_gitops.core.errors import EmptySetError, GitOpsError, InvalidObjectError, ManifestError
from pulumi_gitops.core.render import as_objects
from tests.support.manifests import actions, config, config_ref, deployment, release

pytestmark = pytest.mark.sandbox


def noise(size: int, seed: int = 1) -> str:
    """Text that does not compress to nothing."""
    return random.Random(seed).randbytes(size // 2).hex()


def test_names_at_their_longest(cluster, namespace):
    name = "x" * 63
    objects = [config("c" * 253), config("a.b-c.example.com")]
    result = deploy(cluster, release(namespace, *objects, name=name))
    assert result.revision == 1
    deploy(cluster, release(namespace, config("c" * 253), name=name))
    assert rollback(cluster, name, namespace).rolled_back_to == 1
    assert remove(cluster, name, namespace).changed
    with pytest.raises(GitOpsError, match="is not a name for a release"):
        deploy(cluster, release(namespace, config(), name="x" * 64))


def test_names_that_are_too_long_or_not_allowed_are_refused_by_name(cluster, namespace):
    with pytest.raises(InvalidObjectError, match="must be no more than 253"):
        deploy(cluster, release(namespace, config("c" * 254)))


def test_objects_of_a_megabyte_with_their_history_in_parts(cluster, namespace):
    """etcd takes requests up to 1.5 MB; what the revisions sent is several times that."""
    big = [config(name, text=noise(1_000_000, seed)) for seed, name in enumerate("abc")]
    deploy(cluster, release(namespace, *big, config("d")))
    assert deploy(cluster, release(namespace, *big, config("d"))).changed is False
    changed = [config(name, text=noise(1_000_000, seed + 10)) for seed, name in enumerate("abc")]
    deploy(cluster, release(namespace, *changed, config("d", color="red")))
    result = rollback(cluster, "shop", namespace)
    assert set(actions(result).values()) == {"configure"}
    assert cluster.get(config_ref(namespace, "b"))["data"] == {"text": noise(1_000_000, 1)}
    remove(cluster, "shop", namespace)
    left = [s["metadata"]["name"] for s in cluster.list("v1", "Secret", namespace=namespace)]
    assert left == []


def test_an_object_that_is_too_large_for_the_cluster_is_named(cluster, namespace):
    with pytest.raises(GitOpsError, match="huge"):
        deploy(cluster, release(namespace, config("huge", text=noise(1_400_000))))


def test_text_of_every_sort_arrives_as_it_was_written(cluster, namespace):
    lines = [
        *("apiVersion: v1", "kind: ConfigMap", "metadata:", "  name: web", "data:"),
        *(
            "  greeting: 'Grüße, 世界 \U0001f600'",
            '  tab: "a\\tb"',
            "  lines: |",
            "    one",
            "    two",
            "  'yes': 'on'",
        ),
    ]
    text = "\r\n".join(lines)
    anchors = """
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: first}, data: &shared {a: '1', b: 'x: y # z'}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: second}, data: *shared}
"""
    objects = [*as_objects(text), *as_objects(anchors)]
    deploy(cluster, release(namespace, *objects))
    assert cluster.get(config_ref(namespace))["data"] == {
        "greeting": "Grüße, 世界 \U0001f600",
        "tab": "a\tb",
        "lines": "one\ntwo\n",
        "yes": "on",
    }
    assert cluster.get(config_ref(namespace, "second"))["data"] == {"a": "1", "b": "x: y # z"}
    assert deploy(cluster, release(namespace, *objects)).changed is False


def test_an_empty_set_is_refused_and_nothing_is_pruned(cluster, namespace):
    deploy(cluster, release(namespace, config()))
    with pytest.raises(EmptySetError):
        deploy(cluster, release(namespace))
    with pytest.raises(ManifestError, match="generateName"):
        deploy(
            cluster, release(namespace, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x-"}})
        )
    assert cluster.find(config_ref(namespace)) is not None


@pytest.mark.slow
def test_five_hundred_objects_of_many_kinds_are_one_release(cluster, namespace):
    objects = [config(f"c{i}", key=str(i)) for i in range(480)] + [deployment(f"d{i}") for i in range(20)]
    assert deploy(cluster, release(namespace, *objects)).revision == 1
    half = objects[::2]
    result = deploy(cluster, release(namespace, *half))
    assert sorted(actions(result).values()).count("prune") == 250
    state = read_release(cluster, "shop", namespace)
    assert (len(state.inventory), state.drift) == (250, {})


@pytest.mark.slow
def test_an_api_server_that_is_restarted_in_the_middle_is_waited_for():
    """On a sandbox of its own, as its API server is killed."""
    from pulumi_gitops.sandbox import Sandbox

    with Sandbox.start() as own, connect(ConnectionOptions(kubeconfig=str(own.kubeconfig))) as cluster:
        deploy(cluster, release("shop", config()))
        objects = [config(f"c{i}", key=str(i)) for i in range(200)]
        restarted = []

        def progress(step) -> None:
            if step.phase == "apply" and step.done >= 20 and not restarted:
                restarted.append(step)
                own.restart_process("kube-apiserver")

        result = deploy(cluster, release("shop", *objects), progress=progress)
        assert restarted
        assert result.revision == 2
        assert read_release(cluster, "shop", "shop").drift == {}
