# SPDX-License-Identifier: Apache-2.0
"""What Flux's objects say: a stale Ready never passes, Stalled ends a wait at once, the revision is the commit."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.controllers.flux.status import Outcome, digest_of, hint_for, is_transient, read

COMMIT = "1f3c9a2" + "0" * 33


def kustomization(*, generation=2, observed=2, handled="", ready="True", message="", seen=None, **more):
    conditions = [{"type": "Ready", "status": ready, "message": message, "observedGeneration": seen or observed}]
    status = {
        "observedGeneration": observed,
        "lastHandledReconcileAt": handled,
        "lastAppliedRevision": f"main@sha1:{COMMIT}",
        "conditions": [*conditions, *more.pop("conditions", [])],
    }
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "shop", "namespace": "flux-system", "generation": generation},
        "spec": more,
        "status": status,
    }


def test_ready_of_the_newest_generation_is_ready_at_its_commit():
    status = read(kustomization())
    assert (status.outcome, status.revision, status.source) == (Outcome.READY, COMMIT, f"main@sha1:{COMMIT}")


@pytest.mark.parametrize(
    ("obj", "token", "outcome"),
    [
        (None, "", Outcome.WAIT),
        (kustomization(observed=1), "", Outcome.WAIT),
        (kustomization(observed=-1, ready="Unknown"), "", Outcome.WAIT),
        (kustomization(handled="before"), "now", Outcome.WAIT),
        (kustomization(handled="now"), "now", Outcome.READY),
        (kustomization(ready="False", message="build failed"), "", Outcome.TROUBLE),
        # While an attempt fails the controller leaves observedGeneration behind; the condition tells.
        (kustomization(observed=1, ready="False", seen=2), "", Outcome.TROUBLE),
        (kustomization(observed=1, ready="False", seen=1), "", Outcome.WAIT),
        (
            kustomization(ready="False", conditions=[{"type": "Stalled", "status": "True", "message": "bad spec"}]),
            "",
            Outcome.FAILED,
        ),
    ],
)
def test_what_a_status_means(obj, token, outcome):
    assert read(obj, token=token).outcome is outcome


def test_a_chart_is_at_the_digest_of_the_artifact_that_is_deployed_and_not_of_one_that_failed():
    obj = kustomization()
    failed, deployed = "sha256:" + 64 * "b", "sha256:" + 64 * "a"
    del obj["status"]["lastAppliedRevision"]
    obj["status"] |= {
        "lastAttemptedRevision": "1.1.0+bbbbbbbbbbbb",
        "lastAttemptedRevisionDigest": failed,
        "history": [
            {"status": "failed", "ociDigest": failed},
            {"status": "deployed", "ociDigest": deployed},
            {"status": "superseded", "ociDigest": "sha256:" + 64 * "c"},
        ],
    }
    status = read(obj)
    assert (status.revision, status.attempted) == (64 * "a", 64 * "b")


def test_a_chart_of_a_helm_repository_has_a_version_and_no_digest():
    obj = kustomization()
    del obj["status"]["lastAppliedRevision"]
    obj["status"] |= {"lastAttemptedRevision": "1.1.0", "history": [{"status": "deployed", "chartVersion": "1.1.0"}]}
    assert (read(obj).revision, read(obj).attempted) == ("", "")


def test_a_suspended_object_is_as_its_spec_wants_it():
    assert read(kustomization(ready="False", suspend=True)).outcome is Outcome.READY


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (f"main@sha1:{COMMIT}", COMMIT),
        (f"refs/heads/a@b@sha1:{COMMIT}", COMMIT),
        (f"sha1:{COMMIT}", COMMIT),
        ("latest@sha256:" + "a" * 64, "a" * 64),
        ("", ""),
        ("6.1.0", ""),
    ],
)
def test_the_commit_is_found_in_a_revision(text, digest):
    assert digest_of(text) == digest


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("failed to checkout and determine revision: unable to clone: authentication required", "credentials"),
        ("ssh: handshake failed: knownhosts: key mismatch", "another host key"),
        ("ssh: handshake failed: knownhosts: key is unknown", "Add the host key"),
        ("ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey]", "public key"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "ca_cert"),
        ("remote error: tls: certificate required", "client_cert"),
        ('Get "https://git.example.com/a.git": write tcp 192.0.2.1:4->192.0.2.2:443: write: broken pipe', "hung up"),
        ("failed to configure authentication options: POST x/access_tokens: 401 no JSON web token", "GitHub"),
        ("unable to clone: Get x: Proxy Authentication Required", "proxy"),
        ("unable to clone 'https://git.example.com/none.git': repository not found:", "URL"),
        ("signature verification of commit 'abc' failed: unable to verify", "verify"),
        ('configmaps "a" is forbidden: User "x" cannot patch resource', "service account"),
        ("couldn't find remote ref refs/heads/nope", "branch"),
        ("kustomization path not found: stat /tmp/x/apps/nope: no such file or directory", "path"),
        ("kustomize build failed: accumulating resources: no such file or directory", "kustomization"),
        ('namespaces "shop" not found', "create_namespace"),
        ("tags/list?n=1000: UNAUTHORIZED: authentication required", "registry refuses Flux: check the credentials"),
        ("failed to determine artifact digest: GET x/manifests/7.0.0: MANIFEST_UNKNOWN: manifest unknown", "version"),
        ("GET http://x/v2/charts/web/manifests/7.0.0: unexpected status code 404 Not Found: {}", "no such artifact"),
        ("failed to determine the artifact tag for 'oci://x': no match found for semver: 3.x", "version"),
        ("failed to find layer with media type 'x' in artifact", "helm push"),
        ('Could not load chart: chart illegally contains content outside the base directory: "a"', "helm push"),
        ("artifact revision 1.5.0 does not match chart version 1.4.0", "The tag has to be the version"),
        ("Helm upgrade failed for release a/b with chart c@1: execution error at (c/a.yaml:1:3): x", "helm template"),
    ],
)
def test_the_words_of_a_controller_come_with_what_to_do(message, said):
    assert said in hint_for(message)


def test_what_passes_by_itself_is_told_apart():
    assert is_transient("dependency 'flux-system/base' is not ready")
    assert not is_transient("kustomize build failed")
