# SPDX-License-Identifier: Apache-2.0
"""What a status of an Application means: nothing stale passes, errors are told from hiccups."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.controllers.argocd.status import Goal, Step, hint_for, judge, read

OLD, NEW = "a" * 40, "b" * 40


def app(
    *,
    revision=NEW,
    sync="Synced",
    health="Healthy",
    refreshing=False,
    conditions=(),
    operation=None,
    requested=None,
    automated=True,
    target="main",
    resources=(),
    **policy,
):
    block = {"prune": True, **policy} if automated else {"enabled": False, "prune": True, **policy}
    found = {
        "metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"} if refreshing else {}},
        "spec": {"source": {"targetRevision": target}, "syncPolicy": {"automated": block}},
        "status": {
            "sync": {"status": sync, "revision": revision},
            "health": {"status": health},
            "conditions": [{"type": kind, "message": message} for kind, message in conditions],
            "resources": list(resources),
        },
    }
    if operation:
        found["status"]["operationState"] = operation
    if requested:
        found["operation"] = requested
    return found


def ended(phase="Succeeded", revision=NEW, started="t1", message="", **more):
    return {"phase": phase, "startedAt": started, "message": message, "syncResult": {"revision": revision}, **more}


def verdict(goal=None, **options):
    return judge(read(app(**options)), goal or Goal())


def resource(status="OutOfSync", health="Healthy", **more):
    return {
        "kind": "Deployment",
        "namespace": "shop",
        "name": "web",
        "status": status,
        "health": {"status": health},
        **more,
    }


def test_synced_and_healthy_at_the_revision_is_done():
    assert verdict(Goal(NEW)).step is Step.DONE
    assert verdict(Goal(NEW[:7])).revision == NEW
    assert verdict(Goal("main")).revision == NEW
    assert verdict(Goal(None)).revision == NEW


def test_nothing_counts_while_a_refresh_is_pending():
    assert verdict(Goal(NEW), refreshing=True).step is Step.WAIT
    assert verdict(Goal(NEW), refreshing=True, conditions=[("ComparisonError", "boom")]).step is Step.WAIT


def test_synced_and_healthy_at_another_revision_is_not_done():
    found = verdict(Goal(NEW), revision=OLD)
    assert found.step is Step.TROUBLE
    assert f"main, which is at {OLD}, not at {NEW}" in found.message


def test_a_name_that_could_not_be_resolved_is_no_revision():
    assert read(app(revision="main")).revision == ""
    assert verdict(Goal(None), revision="main", sync="Unknown").step is not Step.DONE


def test_healthy_while_the_sync_runs_is_not_done():
    assert verdict(operation=ended("Running", message="waiting for healthy state")).step is Step.WAIT
    assert verdict(requested={"sync": {"revision": NEW}}).step is Step.WAIT


def test_progressing_waits_and_names_what_is_not_ready():
    progressing = resource("Synced", "Progressing")
    progressing["health"]["message"] = "1 of 2 updated"
    found = verdict(health="Progressing", resources=[progressing])
    assert found.step is Step.WAIT
    assert found.message == "Deployment shop/web is Progressing: 1 of 2 updated"


def test_degraded_counts_after_a_while():
    found = verdict(health="Degraded", resources=[resource("Synced", "Degraded")])
    assert found.step is Step.TROUBLE
    assert found.grace > 1
    assert "Deployment shop/web is Degraded" in found.message


def test_a_failed_sync_of_the_revision_is_final_with_the_controllers_words():
    found = verdict(sync="OutOfSync", operation=ended("Failed", message="Deployment.apps is invalid"))
    assert (found.step, found.message) == (Step.FAIL, "Deployment.apps is invalid")
    assert verdict(sync="OutOfSync", operation=ended("Error", message="x", syncResult=None)).step is Step.FAIL


def test_a_failure_from_before_the_wait_is_tried_once_more():
    conditions = [("SyncError", f"Failed last sync attempt to [{NEW}]: no quota")]
    options = {"sync": "OutOfSync", "operation": ended("Failed"), "conditions": conditions}
    assert verdict(Goal(None, ended="t1"), **options).step is Step.SYNC
    assert verdict(Goal(None, ended="t0"), **options).step is Step.FAIL


def test_a_failure_of_an_older_revision_does_not_count():
    found = verdict(Goal(NEW, ended="t1"), sync="OutOfSync", operation=ended("Failed", revision=OLD))
    assert found.step is Step.WAIT


def test_retries_of_an_older_revision_are_ended_because_they_hold_up_the_fix():
    failing = ended("Running", revision=OLD, retryCount=1, message="is invalid. Retrying attempt #1")
    assert verdict(Goal(NEW), sync="OutOfSync", operation=failing).step is Step.STOP
    first_attempt = ended("Running", revision=OLD)
    assert verdict(Goal(NEW), sync="OutOfSync", operation=first_attempt).step is Step.WAIT
    same_revision = ended("Running", retryCount=1)
    assert verdict(Goal(NEW), sync="OutOfSync", operation=same_revision).step is Step.WAIT


def test_a_status_older_than_the_newest_sync_is_asked_for_again():
    assert verdict(Goal(NEW, ended="t0"), sync="OutOfSync", operation=ended()).step is Step.REFRESH


def test_automated_sync_is_given_time_to_begin():
    assert verdict(sync="OutOfSync").step is Step.WAIT
    assert verdict(Goal(ended="t1"), sync="OutOfSync", operation=ended(revision=OLD)).step is Step.WAIT


def test_a_hand_edit_is_left_to_self_heal_and_synced_on_request_without_it():
    options = {"sync": "OutOfSync", "operation": ended(), "resources": [resource()]}
    assert verdict(Goal(ended="t1"), selfHeal=True, **options).step is Step.WAIT
    assert verdict(Goal(ended="t1"), **options).step is Step.SYNC
    again = verdict(Goal(ended="t1", syncs=1), **options)
    assert (again.step, again.message) == (Step.WAIT, "out of sync: Deployment shop/web")


def test_what_only_has_to_be_removed_is_no_obstacle_when_pruning_is_off():
    leftover = resource(requiresPruning=True)
    assert verdict(sync="OutOfSync", prune=False, resources=[leftover]).step is Step.DONE
    assert verdict(sync="OutOfSync", prune=True, resources=[leftover]).step is Step.WAIT
    assert verdict(sync="OutOfSync", prune=False, resources=[leftover, resource()]).step is Step.WAIT


def test_without_automation_a_sync_is_asked_for_and_its_revision_counts():
    assert verdict(Goal(), automated=False, sync="OutOfSync").step is Step.SYNC
    assert verdict(Goal(OLD), automated=False).step is Step.SYNC
    done = verdict(Goal(OLD, ended="t1", syncs=1), automated=False, sync="OutOfSync", operation=ended(revision=OLD))
    assert (done.step, done.revision) == (Step.DONE, OLD)
    named = verdict(Goal("v1", ended="t1", syncs=1), automated=False, sync="OutOfSync", operation=ended(revision=OLD))
    assert (named.step, named.revision) == (Step.DONE, OLD)


def test_a_hiccup_gets_more_time_than_an_error():
    error = verdict(conditions=[("ComparisonError", "apps/x: app path does not exist")])
    hiccup = verdict(conditions=[("ComparisonError", "rpc error: code = Unavailable desc = connection refused")])
    assert error.step is hiccup.step is Step.TROUBLE
    assert hiccup.grace > error.grace


def test_an_invalid_spec_hides_errors_of_an_earlier_one():
    conditions = [("ComparisonError", "old"), ("InvalidSpecError", "project none does not exist")]
    assert verdict(conditions=conditions).message == "project none does not exist"


def test_warnings_do_not_stop_a_wait():
    assert verdict(conditions=[("OrphanedResourceWarning", "1 orphaned")]).step is Step.DONE


def test_a_path_that_became_empty_is_explained():
    found = verdict(sync="OutOfSync", conditions=[("SyncError", "auto-sync will wipe out all resources")])
    assert found.step is Step.TROUBLE
    assert "Remove the application" in hint_for(found.message)


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("failed to list refs: authentication required: Unauthorized", "password"),
        ("unable to resolve 'none' to a commit SHA", "branch"),
        ("apps/none: app path does not exist", "path"),
        ("repository not found", "URL"),
        ("Application referencing project none which does not exist", "AppProject"),
        ('namespaces "shop" not found', "create_namespace"),
        ("dial tcp: lookup git.example.com: no such host", "inside the cluster"),
        ("ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey]", "public key"),
        ("Failed to fetch default: git@git.example.com: Permission denied (publickey).", "public key"),
        ("ssh: handshake failed: knownhosts: key is unknown", "Add the host key"),
        ("Failed to fetch default: Host key verification failed.", "Add the host key"),
        ("ssh: handshake failed: knownhosts: key mismatch", "another host key"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "tls_certificates"),
        ("SSL certificate problem: unable to get local issuer certificate", "tls_certificates"),
        ("remote error: tls: certificate required", "client_cert"),
        ('Get "https://git.example.com/a.git": write tcp 192.0.2.1:4->192.0.2.2:443: write: broken pipe', "hung up"),
        ("could not refresh installation id 2's token: non 2xx response status 401 Unauthorized", "GitHub"),
        ("Get https://git.example.com: Proxy Authentication Required", "proxy"),
        ("`kustomize build x` failed: accumulating resources: no such file or directory", "kustomization"),
        ("namespace 'a' do not match any of the allowed destinations in project 'b'", "AppProject"),
        ("GIT/GPG: Failed verifying revision 1a by 'Proxy Connect': unsigned (key_id=)", "signature_keys"),
        ("Target revision 1a in Git is not signed, but a signature is required", "signature_keys"),
        ("Found good signature made with RSA key 4A, but this key is not allowed in AppProject", "signature_keys"),
        ("Could not verify commit signature on revision '1a', check logs for more information.", "signature_keys"),
        ("something new", ""),
    ],
)
def test_known_messages_come_with_a_hint(message, word):
    assert word in hint_for(message)


def test_an_application_that_nobody_looked_at_has_no_status():
    status = read({"spec": {}, "metadata": {}})
    assert (status.revision, status.sync, status.health, status.automated) == ("", "", "", False)
