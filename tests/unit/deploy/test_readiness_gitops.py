# SPDX-License-Identifier: Apache-2.0
"""When objects of Argo CD and Flux count as ready: a status of an earlier spec, write or revision never does."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.deploy import State, readiness

C, P, F = State.CURRENT, State.IN_PROGRESS, State.FAILED
SHA = "738dff9000000000000000000000000000000000"
SOURCE = {"repoURL": "https://git.example.com/config.git", "path": "shop", "targetRevision": "main"}
PLACE = {"server": "https://kubernetes.default.svc", "namespace": "shop"}
WRITTEN = {
    "manager": "pulumi-gitops",
    "operation": "Apply",
    "apiVersion": "argoproj.io/v1alpha1",
    "time": "2026-11-25T07:00:10Z",
}
THEIRS = {"manager": "argocd-application-controller", "operation": "Update", "time": "2026-11-25T09:00:00Z"}


def condition(kind: str, status: str = "True", reason: str = "", message: str = "", **more: object) -> dict:
    return {"type": kind, "status": status, "reason": reason, "message": message, **more}


def app(spec: dict | None = None, *, operation: dict | None = None, annotations: dict | None = None, **status: object):
    good = {
        "sync": {"status": "Synced", "revision": SHA, "comparedTo": {"source": SOURCE, "destination": PLACE}},
        "health": {"status": "Healthy"},
        "reconciledAt": "2026-11-25T07:00:12Z",
        "operationState": {"phase": "Succeeded", "finishedAt": "2026-11-25T07:00:12Z"},
    }
    made = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "shop",
            "generation": 7,  # every write of the controller raises it: the CRD has no status subresource
            "managedFields": [WRITTEN, THEIRS],
            "annotations": annotations or {},
        },
        "spec": {"source": SOURCE, "destination": PLACE, "project": "default", **(spec or {})},
        "status": {**good, **status},
    }
    return {**made, "operation": operation} if operation else made


def sync(status: str = "Synced", **more: object) -> dict:
    return {"status": status, "revision": SHA, "comparedTo": {"source": SOURCE, "destination": PLACE}, **more}


def pinned(revision: str) -> dict:
    return {**SOURCE, "targetRevision": revision}


OLD = {"source": {**SOURCE, "path": "old"}, "destination": PLACE}
FAILED_NOW = {
    "phase": "Failed",
    "message": "one or more objects failed",
    "finishedAt": "2026-11-25T07:00:13Z",
    "syncResult": {"revision": SHA, "source": SOURCE},
}
HELM = {**SOURCE, "helm": {"valuesObject": {"a": 1}, "parameters": []}}

APPLICATIONS = [
    ("synced and healthy", app(), C, ""),
    ("new", {**app(), "status": {}}, P, "NotReconciled"),
    ("compared with the spec before our change", app(sync=sync(comparedTo=OLD)), P, "NotReconciled"),
    ("compared with another place", app({"destination": {**PLACE, "namespace": "b"}}), P, "NotReconciled"),
    ("what Go leaves out of the comparison", app({"source": HELM}, sync=sync(comparedTo={
        "source": {**SOURCE, "helm": {"valuesObject": {"a": 1}}}, "destination": PLACE})), C, ""),
    ("several sources", app({"source": None, "sources": [SOURCE, HELM]}, sync=sync(comparedTo={
        "sources": [SOURCE, HELM], "destination": PLACE})), C, ""),
    ("several sources, an earlier one", app({"source": None, "sources": [SOURCE, HELM]}, sync=sync(comparedTo={
        "sources": [SOURCE], "destination": PLACE})), P, "NotReconciled"),
    ("hydrated, looked at before our write", app({"source": None, "sourceHydrator": {}},
                                                 reconciledAt="2026-11-25T07:00:05Z"), P, "NotReconciled"),
    ("hydrated, looked at since", app({"source": None, "sourceHydrator": {}}), C, ""),
    ("a refresh is asked for", app(annotations={"argocd.argoproj.io/refresh": "normal"}), P, "NotReconciled"),
    ("a sync is asked for", app(operation={"sync": {}}), P, "Syncing"),
    ("syncing", app(operationState={"phase": "Running", "message": "waiting for hooks"}), P, "Syncing"),
    ("ending a sync", app(operationState={"phase": "Terminating"}), P, "Syncing"),
    ("out of sync", app(sync=sync("OutOfSync")), P, "OutOfSync"),
    ("sync failed", app(sync=sync("OutOfSync"), operationState=FAILED_NOW), F, "OperationFailed"),
    ("sync had an error", app(sync=sync("OutOfSync"), operationState={**FAILED_NOW, "phase": "Error"}), F,
     "OperationFailed"),
    ("an earlier sync failed, all is well now", app(operationState=FAILED_NOW), C, ""),
    ("a sync failed before our write", app(sync=sync("OutOfSync"), operationState={
        **FAILED_NOW, "finishedAt": "2026-11-25T07:00:01Z"}), P, "OutOfSync"),
    ("a sync of another revision failed", app(sync=sync("OutOfSync"), operationState={
        **FAILED_NOW, "syncResult": {"revision": "0" * 40, "source": SOURCE}}), P, "OutOfSync"),
    ("a sync of another source failed", app(sync=sync("OutOfSync"), operationState={
        **FAILED_NOW, "syncResult": {"revision": SHA, "source": OLD["source"]}}), P, "OutOfSync"),
    ("progressing", app(health={"status": "Progressing"}), P, "Progressing"),
    ("pinned to the commit that it is at", app({"source": pinned(SHA[:10])}, sync=sync(comparedTo={
        "source": pinned(SHA[:10]), "destination": PLACE})), C, ""),
    ("pinned to another commit", app({"source": pinned("1" * 40)}, sync=sync(comparedTo={
        "source": pinned("1" * 40), "destination": PLACE})), P, "OtherRevision"),
    ("wrong spec", app(conditions=[condition("InvalidSpecError", message="no such project")]), P, "InvalidSpecError"),
]  # fmt: skip


def named(rows):
    return pytest.mark.parametrize(("live", "state", "reason"), [r[1:] for r in rows], ids=[r[0] for r in rows])


@named(APPLICATIONS)
def test_application(live, state, reason):
    found = readiness(live, generation=5)
    assert (found.state, found.reason) == (state, reason)


def test_what_argo_cd_complains_about_fails_only_when_it_lasts():
    wrong = readiness(app(conditions=[condition("ComparisonError", message="repository not found")]))
    assert (wrong.trouble.reason, wrong.trouble.message) == ("ComparisonError", "repository not found")
    resources = [{"kind": "Deployment", "name": "web", "health": {"status": "Degraded", "message": "deadline"}}]
    degraded = readiness(app(health={"status": "Degraded"}, resources=resources))
    assert degraded.trouble.message == "Deployment web is Degraded: deadline"
    assert degraded.trouble.grace > 10


def app_set(*conditions: dict) -> dict:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "all", "generation": 1},
        "status": {"conditions": list(conditions)} if conditions else {},
    }


SETS = [
    ("new", app_set(), P, "NotReconciled"),
    ("up to date", app_set(condition("ErrorOccurred", "False"), condition("ResourcesUpToDate")), C, ""),
    ("error", app_set(condition("ErrorOccurred", reason="CreateApplicationError"), condition("ResourcesUpToDate")), P,
     "CreateApplicationError"),
    ("rolling", app_set(condition("RolloutProgressing", reason="Step1"), condition("ResourcesUpToDate")), P, "Step1"),
    ("not up to date", app_set(condition("ResourcesUpToDate", "False", "ErrorOccurred")), P, "ErrorOccurred"),
]  # fmt: skip


@named(SETS)
def test_application_set(live, state, reason):
    found = readiness(live)
    assert (found.state, found.reason) == (state, reason)


def flux(kind: str, *conditions: dict, group: str = "source.toolkit.fluxcd.io/v1", spec=None, observed=2, **status):
    return {
        "apiVersion": group,
        "kind": kind,
        "metadata": {"name": "x", "generation": 2},
        "spec": spec or {},
        "status": {"observedGeneration": observed, "conditions": list(conditions), **status},
    }


def kustomization(*conditions: dict, **more) -> dict:
    return flux("Kustomization", *conditions, group="kustomize.toolkit.fluxcd.io/v1", **more)


def helm(*conditions: dict, **more) -> dict:
    return flux("HelmRelease", *conditions, group="helm.toolkit.fluxcd.io/v2", **more)


READY = condition("Ready", reason="Succeeded", observedGeneration=2)
ARTIFACT = {"artifact": {"revision": f"main@sha1:{SHA}"}}
RETRYING = condition("Reconciling", reason="ProgressingWithRetry", message="retrying")
FLUX = [
    ("repository fetched", flux("GitRepository", READY, **ARTIFACT), C, ""),
    ("as applied, nobody has seen it", flux("GitRepository", observed=-1), P, "LatestGenerationNotObserved"),
    ("a CRD without the default", {**flux("GitRepository"), "status": {}}, P, "NotReconciled"),
    ("status of the spec before", flux("GitRepository", READY, observed=1, **ARTIFACT), P,
     "LatestGenerationNotObserved"),
    ("Ready of the spec before", flux("GitRepository", {**READY, "observedGeneration": 1}, **ARTIFACT), P,
     "Succeeded"),
    ("nothing fetched", flux("OCIRepository", READY), P, "NoArtifact"),
    ("the pinned commit", flux("GitRepository", READY, spec={"ref": {"commit": SHA}}, **ARTIFACT), C, ""),
    ("not yet the pinned commit", flux("GitRepository", READY, spec={"ref": {"commit": "1" * 40}}, **ARTIFACT), P,
     "OtherRevision"),
    ("not yet the pinned digest", flux("OCIRepository", READY, spec={"ref": {"digest": "sha256:11"}}, **ARTIFACT), P,
     "OtherRevision"),
    ("Helm repository", flux("HelmRepository", READY, **ARTIFACT), C, ""),
    ("OCI Helm repository: nothing reconciles it", {**flux("HelmRepository", spec={"type": "oci"}), "status": {}}, C,
     ""),
    ("access refused", flux("GitRepository", condition("Ready", "False", "AuthenticationFailed"), RETRYING), P,
     "AuthenticationFailed"),
    ("access refused to the present spec", flux("GitRepository", condition(
        "Ready", "False", "AuthenticationFailed", observedGeneration=2), RETRYING, observed=1, **ARTIFACT), P,
     "AuthenticationFailed"),
    ("access was refused to the spec before", flux("GitRepository", condition(
        "Ready", "False", "AuthenticationFailed", observedGeneration=1), RETRYING, observed=1, **ARTIFACT), P,
     "LatestGenerationNotObserved"),
    ("given up on the present spec", flux("GitRepository", condition("Ready", "False", observedGeneration=2),
                                          condition("Stalled", reason="InvalidURL"), observed=1), F, "InvalidURL"),
    ("given up", flux("GitRepository", condition("Ready", "False"), condition("Stalled", reason="InvalidURL")), F,
     "InvalidURL"),
    ("suspended", flux("GitRepository", observed=1, spec={"suspend": True}), C, "Suspended"),
    ("applied", kustomization(READY, lastAppliedRevision="main@sha1:a", lastAttemptedRevision="main@sha1:a"), C, ""),
    ("tried, not applied", kustomization(READY, lastAppliedRevision="main@sha1:a", lastAttemptedRevision="main@sha1:b"),
     P, "OtherRevision"),
    ("applying", kustomization(condition("Ready", "Unknown", "Progressing"),
                               condition("Reconciling", reason="Progressing")), P, "Progressing"),
    ("applied, looking again", kustomization(READY, condition("Reconciling", reason="Progressing")), P, "Succeeded"),
    ("waits for another", kustomization(condition("Ready", "False", "DependencyNotReady"), RETRYING), P,
     "DependencyNotReady"),
    ("does not build", kustomization(condition("Ready", "False", "BuildFailed", "no such file"), RETRYING), P,
     "BuildFailed"),
    ("released", helm(READY, lastAttemptedRevision="1.2.3"), C, ""),
    ("release failed", helm(condition("Ready", "False", "InstallFailed", "timed out")), P, "InstallFailed"),
    ("release given up", helm(condition("Ready", "False", "InstallFailed"), condition(
        "Stalled", reason="RetriesExceeded")), F, "RetriesExceeded"),
    ("receiver", flux("Receiver", READY, group="notification.toolkit.fluxcd.io/v1"), C, ""),
    ("alert, which has no status", {**flux("Alert", group="notification.toolkit.fluxcd.io/v1beta3"), "status": {}}, C,
     ""),
]  # fmt: skip


@named(FLUX)
def test_flux(live, state, reason):
    found = readiness(live)
    assert (found.state, found.reason) == (state, reason)


def test_a_failure_that_flux_goes_on_trying_fails_only_when_it_lasts_and_one_of_a_dependency_does_not():
    broken = readiness(kustomization(condition("Ready", "False", "BuildFailed", "no such file"), RETRYING))
    assert (broken.trouble.reason, broken.trouble.message) == ("BuildFailed", "no such file")
    waiting = readiness(kustomization(condition("Ready", "False", "DependencyNotReady"), RETRYING))
    assert waiting.trouble is None


NO_CHART = "invalid chart reference: failed to get chart version for remote reference: no 'web' chart with version"


@pytest.mark.parametrize("observed", [-1, 1, 2])
def test_a_chart_that_is_not_to_be_had_fails_when_it_lasts_as_nobody_else_waits_for_it(observed):
    message = f"HelmChart 'flux-system/flux-system-web' is not ready: {NO_CHART} matching '9.9.9' found"
    without = readiness(
        helm(condition("Ready", "False", "SourceNotReady", message, observedGeneration=2), RETRYING, observed=observed)
    )
    assert (without.state, without.trouble.message) == (P, message)
    soon = "HelmChart 'flux-system/flux-system-web' is not ready: no artifact available for HelmRepository source 'web'"
    waiting = readiness(helm(condition("Ready", "False", "SourceNotReady", soon, observedGeneration=2), RETRYING))
    assert (waiting.message, waiting.trouble) == (soon, None)
