# SPDX-License-Identifier: Apache-2.0
"""Plans, approvals, rollbacks and the history that both faces share, by the provider's calls on a real API server."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import engine_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from pulumi_gitops.core.deploy import (
    Origin,
    ReleaseSpec,
    deploy,
    plan,
    read_release,
    rollback,
    write_plan_file,
)
from pulumi_gitops.core.objects import ObjectRef
from tests.contract.pulumi.harness import Provider, plain, secret, started, status_detail, urn, wire

pytestmark = pytest.mark.sandbox

ANSIBLE = Origin(face="ansible")
BROKEN = {"nodeSelector": {"no": "such-node"}}


def config_map(color: str, name: str = "web") -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"color": color}}


def deployment(**pod) -> dict:
    container = {"name": "web", "image": "registry.example.com/web:1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container], **pod}},
        },
    }


@dataclass
class Program:
    """A release of a program as the engine keeps it: inputs, state, and the errors that make it try again."""

    provider: Provider
    namespace: str
    inputs: struct_pb2.Struct = field(default_factory=struct_pb2.Struct)
    state: struct_pb2.Struct = field(default_factory=struct_pb2.Struct)
    identity: str = ""
    errors: tuple[str, ...] = ()

    def news(self, definition: list[dict], **options: Any) -> dict[str, Any]:
        return {"namespace": self.namespace, "definition": definition, **options}

    def diff(self, definition: list[dict], **options: Any) -> dict[str, str]:
        """Property path -> kind of the change."""
        news = self.provider.check("Release", self.news(definition, **options)).inputs
        request = pb.DiffRequest(
            urn=urn("Release", "shop"), id=self.identity, old_inputs=self.inputs, olds=self.state, news=news
        )
        found = self.provider.stub.Diff(request).detailedDiff
        return {path: pb.PropertyDiff.Kind.Name(entry.kind) for path, entry in found.items()}

    def preview(self, definition: list[dict], **options: Any) -> None:
        self.provider.create("Release", self.news(definition, **options), preview=True)

    def up(self, definition: list[dict], **options: Any) -> dict[str, Any]:
        """Create or update, keep what the engine would keep, and return the state."""
        news = self.news(definition, **options)
        try:
            if self.identity:
                self.state = self.provider.update("Release", self.identity, self.state, news).properties
            else:
                created = self.provider.create("Release", news)
                self.identity, self.state = created.id, created.properties
        except grpc.RpcError as error:
            if dict(error.trailing_metadata() or ()).get("grpc-status-details-bin"):
                kept = status_detail(error, pb.ErrorResourceInitFailed)
                self.identity, self.state, self.errors = kept.id, kept.properties, tuple(kept.reasons)
                self.inputs = self.provider.check("Release", news).inputs
            raise
        self.inputs, self.errors = self.provider.check("Release", news).inputs, ()
        return plain(self.state)

    def refresh(self) -> dict[str, Any]:
        """Read the release, keep what was read, and return the state."""
        answer = self.provider.read("Release", self.identity, self.inputs, self.state)
        self.inputs, self.state = answer.inputs, answer.properties
        return plain(answer.properties)

    def outputs(self) -> dict[str, Any]:
        return {name: plain(self.state)[name] for name in ("revision", "rolledBackTo")}


@pytest.fixture
def program(on_cluster: Provider, namespace: str) -> Program:
    return Program(on_cluster, namespace)


@pytest.fixture
def with_helm(sandbox) -> Iterator[Provider]:
    """A provider that finds helm on its PATH."""
    from pulumi_gitops.sandbox import bin_dir

    env = {
        "PATH": os.pathsep.join([str(bin_dir(["helm"])), os.environ["PATH"]]),
        "KUBECONFIG": sandbox.env()["KUBECONFIG"],
    }
    with started(env) as made:
        made.stub.Configure(pb.ConfigureRequest(acceptSecrets=True))
        yield made


def color(cluster, namespace: str, name: str = "web") -> str | None:
    found = cluster.find(ObjectRef("", "v1", "ConfigMap", namespace, name))
    return found["data"]["color"] if found else None


def logged(provider: Provider) -> str:
    return "\n".join(request.message for request in provider.engine.logged)


def digest_of_preview(provider: Provider, counts: str) -> str:
    """The digest that a preview shows under the resource."""
    shown = re.compile(rf"plan digest (sha256:[0-9a-f]+) \({counts}\)")
    provider.engine.wait_for(lambda r: r.severity == engine_pb2.INFO and not r.ephemeral and shown.match(r.message))
    return [match[1] for match in shown.finditer(logged(provider))][-1]


# --- rollback --------------------------------------------------------------------------------------------------------


def test_rollback_to_brings_a_revision_back_until_it_is_taken_out_again(program: Program, cluster, namespace):
    first = [config_map("blue"), config_map("blue", "left")]
    second = [config_map("red"), config_map("red", "new")]
    web, left, new = (f"ConfigMap/{namespace}/{name}" for name in ("web", "left", "new"))
    lines = program.up(first)["objects"]
    program.up(second)

    program.preview(second, rollbackTo=1)
    digest = digest_of_preview(program.provider, "1 to create, 1 to configure, 1 to prune")
    assert program.diff(second, rollbackTo=1) == {"rollbackTo": "ADD"}
    state = program.up(second, rollbackTo=1)
    assert program.outputs() == {"revision": 3, "rolledBackTo": 1}
    assert (state["objects"], state["planDigest"]) == (lines, digest)
    assert [color(cluster, namespace, name) for name in ("web", "left", "new")] == ["blue", "blue", None]

    assert program.diff(second, rollbackTo=1) == {}
    before = (program.inputs, program.state)
    program.refresh()
    assert (program.inputs, program.state) == before, "a refresh finds nothing"
    assert program.diff([config_map("green")], rollbackTo=1) == {}, "the declared set is not what counts"
    assert program.up(second, rollbackTo=1) == state, "nothing to do"

    cluster.patch(ObjectRef("", "v1", "ConfigMap", namespace, "web"), {"data": {"color": "by hand"}})
    program.refresh()
    assert program.diff(second, rollbackTo=1) == {f'objects["{web}"]': "UPDATE"}
    program.up(second, rollbackTo=1)
    assert color(cluster, namespace) == "blue"

    assert program.diff(second) == {
        "rollbackTo": "DELETE",
        f'objects["{web}"]': "UPDATE",
        f'objects["{left}"]': "DELETE",
        f'objects["{new}"]': "ADD",
    }
    program.up(second)
    assert program.outputs()["rolledBackTo"] == 0
    assert [color(cluster, namespace, name) for name in ("web", "left", "new")] == ["red", None, "red"]


def test_a_revision_that_is_not_there_fails_before_anything_is_touched(program: Program, cluster, namespace):
    program.up([config_map("blue")])
    program.preview([config_map("blue")], rollbackTo=7)
    program.provider.engine.wait_for(lambda r: r.severity == engine_pb2.WARNING and "no revision 7" in r.message)
    with pytest.raises(grpc.RpcError, match="has no revision 7") as caught:
        program.up([config_map("blue")], rollbackTo=7)
    assert not caught.value.trailing_metadata(), "the state of before holds"
    assert read_release(cluster, "shop", namespace).revision == 1


def test_rollback_on_failure_leaves_state_and_cluster_agreeing(program: Program, cluster, namespace):
    good, broken = [deployment(), config_map("blue")], [deployment(**BROKEN), config_map("red")]
    corrected = [deployment(), config_map("green")]
    options = {"rollbackOnFailure": True, "waitTimeout": 3}
    web, workload = f"ConfigMap/{namespace}/web", f"apps/Deployment/{namespace}/web"
    first = program.up(good)

    with pytest.raises(grpc.RpcError) as caught:
        program.up(broken, **options)
    for text in (caught.value.details(), *program.errors):
        assert "revision 2 failed; rolled back to revision 1 (now revision 3)" in text
        assert f"Deployment {namespace}/web" in text, "why it failed"
        assert "not ready after 3 s" in text
    assert program.outputs() == {"revision": 3, "rolledBackTo": 1}
    kept = plain(program.state)
    assert (kept["digest"], kept["objects"]) == (first["digest"], first["objects"])
    assert color(cluster, namespace) == "blue"

    again = {f'objects["{web}"]': "UPDATE", f'objects["{workload}"]': "UPDATE"}
    assert program.diff(broken, **options) == again
    assert program.refresh() == kept
    assert program.diff(broken, **options) == again, "a refresh does not hide that the set is not deployed"
    assert program.diff(good, **options) == {}

    with pytest.raises(grpc.RpcError, match="rolled back to revision"):
        program.up(broken, **options)
    assert color(cluster, namespace) == "blue"
    program.up(corrected, **options)
    assert color(cluster, namespace) == "green"
    found = read_release(cluster, "shop", namespace)
    assert (found.status, found.revision) == ("deployed", program.outputs()["revision"])


def test_a_first_deployment_that_fails_has_nothing_to_go_back_to(program: Program, cluster, namespace):
    with pytest.raises(grpc.RpcError, match="there is no earlier revision to go back to"):
        program.up([deployment(**BROKEN)], rollbackOnFailure=True, waitTimeout=2)
    assert program.errors
    assert program.outputs() == {"revision": 1, "rolledBackTo": 0}
    program.up([deployment()])
    assert read_release(cluster, "shop", namespace).status == "deployed"


def test_a_failed_revision_stays_a_failure_after_a_refresh(program: Program, namespace):
    with pytest.raises(grpc.RpcError):
        program.up([deployment(**BROKEN)], waitTimeout=2)
    with pytest.raises(grpc.RpcError) as caught:
        program.refresh()
    kept = status_detail(caught.value, pb.ErrorResourceInitFailed)
    assert "revision 1 failed" in kept.reasons[0]
    assert plain(kept.properties) == plain(program.state)
    assert plain(kept.inputs) == plain(program.inputs)


# --- plans and approvals ---------------------------------------------------------------------------------------------


def test_a_preview_tells_the_digest_and_the_update_deploys_exactly_that(program: Program, cluster, namespace):
    options: dict[str, Any] = {"requireApproval": True}
    program.preview([config_map("blue")], **options)
    digest = digest_of_preview(program.provider, "2 to create")
    spec = ReleaseSpec(name="shop", namespace=namespace, objects=[config_map("blue")])
    assert digest == plan(cluster, spec).digest, "every face makes the same plan"

    with pytest.raises(grpc.RpcError, match="deployed only with an approval") as caught:
        program.up([config_map("blue")], **options)
    assert not caught.value.trailing_metadata(), "nothing was begun, nothing is in the state"
    options |= {"planDigest": digest, "approvedBy": "ann"}
    with pytest.raises(grpc.RpcError, match="the plan of now is not the approved one"):
        program.up([config_map("red")], **options)
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", namespace)) is None

    assert program.up([config_map("blue")], **options)["planDigest"] == digest
    assert read_release(cluster, "shop", namespace).revisions[0].approved_by == "ann"
    assert program.diff([config_map("blue")], planDigest="sha256:other") == {}
    program.preview([config_map("red")], **options)
    program.provider.engine.wait_for(lambda r: r.severity == engine_pb2.WARNING and "not the approved one" in r.message)


def test_a_plan_file_of_another_face_says_what_moved(program: Program, cluster, namespace, tmp_path):
    program.up([config_map("blue"), config_map("blue", "same")])
    wanted = [config_map("red"), config_map("blue", "same")]
    approved = tmp_path / "plan.json"
    write_plan_file(plan(cluster, ReleaseSpec(name="shop", namespace=namespace, objects=wanted)), approved)
    cluster.patch(ObjectRef("", "v1", "ConfigMap", namespace, "web"), {"data": {"color": "by hand"}})

    before = program.state
    with pytest.raises(grpc.RpcError) as caught:
        program.up(wanted, planFile=str(approved))
    assert f"ConfigMap/{namespace}/web: it changed in the cluster meanwhile" in caught.value.details()
    assert f"{namespace}/same" not in caught.value.details()
    assert program.state == before
    assert color(cluster, namespace) == "by hand"

    cluster.patch(ObjectRef("", "v1", "ConfigMap", namespace, "web"), {"data": {"color": "blue"}})
    write_plan_file(plan(cluster, ReleaseSpec(name="shop", namespace=namespace, objects=wanted)), approved)
    program.up(wanted, planFile=str(approved))
    assert color(cluster, namespace) == "red"

    program.preview([config_map("green")], planFile=str(tmp_path / "no-such.json"))
    program.provider.engine.wait_for(lambda r: r.severity == engine_pb2.WARNING and "no-such.json" in r.message)


def test_a_preview_warns_of_each_object_that_would_be_refused_and_shows_the_rest(program: Program, cluster, namespace):
    program.up([config_map("blue"), config_map("blue", "other")])
    deploy(cluster, ReleaseSpec(name="another", namespace=namespace, objects=[config_map("x", "theirs")]))
    by_hand = {**config_map("by hand"), "metadata": {"name": "web", "namespace": namespace}}
    cluster.apply(by_hand, force=True, field_manager="somebody")

    wanted = [config_map("red"), config_map("red", "other"), config_map("red", "theirs")]
    program.preview(wanted, forceConflicts="never")
    digest_of_preview(program.provider, "1 to configure, 1 in conflict, 1 blocked")
    warnings = [r.message for r in program.provider.engine.logged if r.severity == engine_pb2.WARNING]
    assert len(warnings) == 2, warnings
    assert any(f"ConfigMap {namespace}/web" in text for text in warnings)
    assert any(f"{namespace}/theirs" in text and "another release" in text for text in warnings)


def test_a_refused_update_leaves_the_state_as_it_was(program: Program, cluster, namespace):
    program.up([config_map("blue", name) for name in ("a", "b", "c")])
    with pytest.raises(grpc.RpcError, match="2 objects would be removed, 1 are allowed") as caught:
        program.up([config_map("blue", "a")], pruneLimit=1)
    assert not caught.value.trailing_metadata()
    assert color(cluster, namespace, "c") == "blue"


# --- both faces ------------------------------------------------------------------------------------------------------


def test_a_release_of_the_other_face_is_planned_continued_and_rolled_back(program: Program, cluster, namespace):
    for wanted in ("blue", "red"):
        deploy(cluster, ReleaseSpec(name="shop", namespace=namespace, objects=[config_map(wanted)], origin=ANSIBLE))
    theirs = read_release(cluster, "shop", namespace).revisions[-1]

    state = program.up([config_map("red")])
    assert program.outputs() == {"revision": 2, "rolledBackTo": 0}
    assert state["planDigest"] == theirs.plan_digest
    program.preview([config_map("green")])
    digest_of_preview(program.provider, "1 to configure")
    program.up([config_map("green")])
    program.up([config_map("green")], rollbackTo=1)
    assert color(cluster, namespace) == "blue"
    found = read_release(cluster, "shop", namespace)
    assert [revision.face for revision in found.revisions] == ["ansible", "ansible", "pulumi", "pulumi"]
    assert found.revisions[-1].rolled_back_to == 1

    rollback(cluster, "shop", namespace, to=3, origin=ANSIBLE)
    program.refresh()
    assert program.outputs() == {"revision": 5, "rolledBackTo": 3}
    assert program.diff([config_map("green")], rollbackTo=1) == {f'objects["ConfigMap/{namespace}/web"]': "UPDATE"}


# --- secrets ---------------------------------------------------------------------------------------------------------

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "values.yaml": "color: blue\npassword: ''\n",
    "templates/all.yaml": """
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {color: {{ .Values.color | quote }}, release: {{ .Release.Name }}}
---
apiVersion: v1
kind: Secret
metadata: {name: web}
stringData: {password: {{ .Values.password | quote }}}
{{- if eq .Values.color "wrong" }}{{ fail (printf "no such color, password %s" .Values.password) }}{{ end }}
""",
}


def test_values_of_a_chart_are_in_clear_in_no_state_no_message_and_no_record(with_helm, cluster, namespace, tmp_path):
    for name, text in CHART.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def chart(color: str) -> dict[str, Any]:
        values = {"color": color, "password": secret("canary-84-secret"), "plain": "canary-85-secret"}
        return {"namespace": namespace, "helm": {"chart": str(tmp_path), "releaseName": "w", "values": values}}

    with_helm.create("Release", chart("blue"), preview=True)
    created = with_helm.create("Release", chart("blue"))
    assert color(cluster, namespace) == "blue"
    state = plain(created.properties)
    assert state["helm"]["values"][0] == "secret"
    del state["helm"]["values"]
    wrong = with_helm.failures("Release", chart("wrong"))
    assert "no such color" in str(wrong)
    read = with_helm.read("Release", created.id, with_helm.check("Release", chart("blue")).inputs, created.properties)
    assert plain(read.properties) == plain(created.properties)
    record = cluster.get(ObjectRef("", "v1", "Secret", namespace, "pulumi-gitops.shop"))
    for text in (json.dumps(state), str(wrong), logged(with_helm), json.dumps(record["metadata"])):
        assert "canary-8" not in text


def test_an_imported_release_has_all_outputs(on_cluster: Provider, cluster, namespace):
    deploy(cluster, ReleaseSpec(name="shop", namespace=namespace, objects=[config_map("blue")], origin=ANSIBLE))
    read = on_cluster.read("Release", f"{namespace}/shop", wire({}), wire({}))
    state = plain(read.properties)
    assert state["planDigest"].startswith("sha256:")
    assert (state["revision"], state["rolledBackTo"]) == (1, 0)
