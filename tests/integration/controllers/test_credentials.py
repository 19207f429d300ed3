# SPDX-License-Identifier: Apache-2.0
"""Every kind of login at a server that checks it: exchanged, refused, and what the controller says reaches the user."""

from __future__ import annotations

import base64
import contextlib
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.cluster import Cluster
from pulumi_gitops.core.errors import ControllerError, SyncFailedError
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import flux_manifest
from tests.support.githosts import GitHosts
from tests.support.github_standin import new_app_key
from tests.support.gitssh import SshGitServer, new_key
from tests.support.pgpsig import PgpKey
from tests.support.signing import sign_head
from tests.support.sshsig import SshKey

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

MARK = "canary-6c1d02"
WAIT = 60.0
SERVER = "https://kubernetes.default.svc"
ROTATED = ("password", "bearer", "app", "ssh")
TEAM, OTHERS = PgpKey(), PgpKey("Others <others@example.com>")
# The repo-server of the sandbox verifies signatures only when it is told to.
REPO_SERVER = {"name": "argocd-repo-server", "env": [{"name": "ARGOCD_GPG_ENABLED", "value": "true"}]}
VERIFYING = {
    "target": {"kind": "Deployment", "name": "argocd-repo-server"},
    "patch": {"spec": {"template": {"spec": {"containers": [REPO_SERVER]}}}},
}


@dataclass
class Wired:
    """A controller with what the servers of a test need, and short ways to use it."""

    cluster: Cluster
    controller: str
    hosts: GitHosts
    others: GitHosts
    """Servers that the controller does not know."""
    moved: SshGitServer
    """Has another host key than the controller knows."""
    moved_known_hosts: str
    prefix: str = field(default_factory=lambda: f"t-{uuid.uuid4().hex[:6]}")

    def name(self, case: str) -> str:
        return f"{self.prefix}-{case}".replace(" ", "-").lower()

    def repository(self, case: str, options: Mapping[str, Any]) -> controllers.RepositorySpec:
        return controllers.RepositorySpec(controller=self.controller, name=self.name(case), **options)

    def application(self, case: str, url: str, **options: Any) -> controllers.ApplicationSpec:
        name = self.name(case)
        source = {"repository": name} if self.controller == "flux" else {"url": url, "revision": "main"}
        given = {"path": "app", "destination_namespace": name, "create_namespace": True, "wait_timeout": WAIT}
        return controllers.ApplicationSpec(controller=self.controller, name=name, **{**given, **source, **options})

    def sync(self, case: str, commit: str) -> controllers.SyncResult:
        spec = controllers.SyncSpec(
            controller=self.controller, name=self.name(case), revision=commit, wait_timeout=WAIT
        )
        return controllers.sync(self.cluster, spec)

    def commit(self, signer: SshKey | PgpKey | None) -> str:
        """Commit another colour, signed or not; return the commit id."""
        commit = self.hosts.commit(f"colour-{uuid.uuid4().hex}")
        return sign_head(self.hosts.root / "config.git", "main", signer.sign) if signer else commit

    @contextlib.contextmanager
    def applied(self, cases: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, controllers.ApplicationResult]]:
        """Connect a repository for each case and deliver an application from it; both are gone afterwards."""
        specs = {case: (self.repository(case, o), self.application(case, o["url"])) for case, o in cases.items()}

        def make(case: str) -> controllers.ApplicationResult:
            controllers.apply_repository(self.cluster, specs[case][0])
            return controllers.apply_application(self.cluster, specs[case][1])

        def remove(case: str) -> None:
            self.remove(*specs[case])

        try:
            yield at_once(make, cases)
        finally:
            at_once(remove, cases)

    def remove(self, repository: controllers.RepositorySpec, application: controllers.ApplicationSpec) -> None:
        controllers.remove_application(self.cluster, application)
        controllers.remove_repository(self.cluster, repository)
        self.cluster.delete(ObjectRef("", "v1", "Namespace", "", application.destination_namespace))


def at_once(work, cases):
    """Do something for every case, all at the same time: what is measured here is mostly patience."""
    with ThreadPoolExecutor(max_workers=32) as pool:
        return dict(zip(cases, pool.map(work, cases), strict=True))


@pytest.fixture(scope="module", params=["argocd", "flux"])
def wired(request, cluster, tmp_path_factory):
    """A controller that knows the servers of `hosts`, and not those of `others`; gone afterwards."""
    folders = [tmp_path_factory.mktemp(name) for name in ("hosts", "others")]
    with contextlib.ExitStack() as stack:
        hosts, others = (stack.enter_context(GitHosts(folder, MARK)) for folder in folders)
        moved = stack.enter_context(SshGitServer(hosts.root))
        moved.accepted = hosts.ssh.accepted
        hosts.commit(
            "blue",
            broken__kustomization="resources: [nowhere.yaml]\n",
            unreadable__kustomization="resources: [\n",
        )
        options = hosts.controller_options(request.param)
        known = moved.known_hosts
        if request.param == "argocd":
            options["known_hosts"] += known
            options |= {"gpg_keys": {key.id: key.public for key in (TEAM, OTHERS)}, "patches": [VERIFYING]}
            spec = controllers.ControllerSpec(**options)
        else:
            spec = controllers.ControllerSpec(name="flux", version="2.9.2", manifests=str(flux_manifest()))
        moved.change_host_key()
        controllers.install(cluster, spec)
        yield Wired(cluster, request.param, hosts, others, moved, known)
        controllers.uninstall(cluster, spec)


def test_other_passwords_tokens_and_keys_take_the_place_of_those_that_servers_refuse_from_now_on(wired):
    before = {kind: wired.hosts.kinds(wired.controller)[kind] for kind in ROTATED}
    with wired.applied(before) as done:
        assert {kind: (result.sync, result.health) for kind, result in done.items()} == dict.fromkeys(
            ROTATED, ("Synced", "Healthy")
        )
        secrets = wired.hosts.secrets
        wired.hosts.rotate()
        commit = wired.hosts.commit("green")

        def refused(kind):
            with pytest.raises(SyncFailedError) as caught:
                wired.sync(kind, commit)
            return caught.value

        said = at_once(refused, ROTATED)
        assert {kind: bool(error.hint) for kind, error in said.items()} == dict.fromkeys(ROTATED, True)
        assert not [secret for secret in secrets if secret in str(said)]

        after = {kind: wired.hosts.kinds(wired.controller)[kind] for kind in ROTATED}

        def exchanged(kind):
            changes = controllers.apply_repository(wired.cluster, wired.repository(kind, after[kind]))
            assert [change.ref.kind for change in changes if change.changed] == ["Secret"]
            return wired.sync(kind, commit).revision

        assert at_once(exchanged, ROTATED) == dict.fromkeys(ROTATED, commit)
        namespace = "argocd" if wired.controller == "argocd" else "flux-system"
        for kind in ROTATED:
            held = wired.cluster.get(ObjectRef("", "v1", "Secret", namespace, f"repo-{wired.name(kind)}"))["data"]
            values = {base64.b64decode(value).decode() for value in held.values()}
            old, new = (
                {value for option, value in options[kind].items() if "key" in option or "word" in option
                 or "token" in option} for options in (before, after)
            )  # fmt: skip
            assert new <= values
            assert not old & values


def wrong(wired):
    """What can be wrong: case -> options of the repository, of the application, the controller's words, our hint."""
    hosts, others, argocd = wired.hosts, wired.others, wired.controller == "argocd"
    kinds, strange = hosts.kinds(wired.controller), others.kinds(wired.controller)
    no_key, no_app_key = new_key()[0], new_app_key()[0]
    unknown_ca = {**strange["password"]}
    unknown_host = {**strange["ssh"]}
    moved = {**kinds["ssh"], "url": wired.moved.url("config")}
    if not argocd:
        unknown_ca["ca_cert"] = hosts.authority.certificate
        unknown_host["known_hosts"] = hosts.ssh.known_hosts
        moved["known_hosts"] = wired.moved_known_hosts
    no_login = {key: value for key, value in kinds["password"].items() if key not in ("username", "password")}
    without_certificate = {key: value for key, value in kinds["certificate"].items() if "client" not in key}
    right = kinds["password"]
    lost = (right, {"revision": "nowhere"}) if argocd else ({**right, "branch": "nowhere"}, {})
    denied = {"project": wired.prefix} if argocd else {"service_account": wired.prefix}
    refuses = "authentication required|access denied"
    return {
        "wrong password": ({**right, "password": f"{MARK}-wrong"}, {}, refuses, "password|credentials"),
        "wrong token": ({**kinds["bearer"], "bearer_token": f"{MARK}-wrong"}, {}, refuses, "token|credentials"),
        "no login": (no_login, {}, refuses, "token|credentials"),
        "other app key": ({**kinds["app"], "github_app_private_key": no_app_key}, {}, "401", "github_app_private_key"),
        "other app": ({**kinds["app"], "github_app_installation_id": "99"}, {}, "404", "installation_id"),
        "key not accepted": ({**kinds["ssh"], "ssh_private_key": no_key}, {}, "unable to authenticate", "public key"),
        "unknown host key": (unknown_host, {}, "key is unknown|key mismatch", "host key"),
        "changed host key": (moved, {}, "key mismatch", "another host key"),
        "unknown authority": (unknown_ca, {}, "unknown authority", "ca_cert|tls_certificates"),
        "no certificate": (without_certificate, {}, "certificate required|broken pipe|connection reset", "client_cert"),
        "wrong proxy password": (
            {**kinds["proxy"], "proxy": hosts.proxy.url.replace("-proxy@", "-wrong@")}, {},
            "(?i)proxy authentication required", "proxy",
        ),
        "no repository": ({**right, "url": right["url"].replace("password", "none")}, {}, "not found", "URL"),
        "missing branch": (*lost, "nowhere", "branch"),
        "missing path": (right, {"path": "nowhere"}, "nowhere", "path"),
        "broken kustomization": (right, {"path": "broken"}, "nowhere.yaml", "kustomization"),
        "unreadable kustomization": (right, {"path": "unreadable"}, "yaml: line", "kustomization"),
        "denied namespace": (
            right, denied, "allowed destinations|cannot patch resource", "AppProject|service account",
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def refusals(wired):
    """What was said of all that can be wrong: case -> error and seconds."""
    cases = wrong(wired)
    project = controllers.ProjectSpec(name=wired.prefix, destinations=[{"namespace": "elsewhere", "server": SERVER}])
    account = ObjectRef("", "v1", "ServiceAccount", "flux-system", wired.prefix)
    if wired.controller == "argocd":
        controllers.apply_wiring(wired.cluster, project)
    else:
        metadata = {"name": account.name, "namespace": account.namespace}
        wired.cluster.create({"apiVersion": "v1", "kind": account.kind, "metadata": metadata})

    def attempt(case):
        access, options, *_ = cases[case]
        if case != "no repository":
            access = (wired.others if case in STRANGE else wired.hosts).under(wired.name(case), access)
        repository = wired.repository(case, access)
        application = wired.application(case, access["url"], **options)
        began = time.monotonic()
        try:
            controllers.apply_repository(wired.cluster, repository)
            controllers.apply_application(wired.cluster, application)
        except ControllerError as error:
            return error, time.monotonic() - began
        finally:
            wired.remove(repository, application)
        return AssertionError(f"{case}: nothing was wrong"), 0.0

    yield at_once(attempt, cases)
    if wired.controller == "argocd":
        controllers.remove_wiring(wired.cluster, project)
    else:
        wired.cluster.delete(account)


STRANGE = ("unknown host key", "unknown authority")
CASES = (
    "wrong password",
    "wrong token",
    "no login",
    "other app key",
    "other app",
    "key not accepted",
    "unknown host key",
    "changed host key",
    "unknown authority",
    "no certificate",
    "wrong proxy password",
    "no repository",
    "missing branch",
    "missing path",
    "broken kustomization",
    "unreadable kustomization",
    "denied namespace",
)


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_said_in_the_controllers_words_with_what_to_do_long_before_the_timeout(wired, refusals, case):
    assert set(wrong(wired)) == set(CASES)
    _, _, words, hint = wrong(wired)[case]
    error, seconds = refusals[case]
    assert isinstance(error, SyncFailedError)
    assert re.search(words, error.message)
    assert re.search(hint, error.hint)
    assert seconds < WAIT / 2
    assert not [secret for secret in wired.hosts.secrets if secret in str(error.as_dict())]


@pytest.mark.parametrize("wired", ["flux"], indirect=True)
def test_what_flux_is_to_verify_is_delivered_when_it_is_signed_by_a_key_of_the_team_ssh_or_pgp(wired):
    ssh = SshKey()
    keys = ObjectRef("", "v1", "Secret", "flux-system", wired.name("keys"))
    metadata = {"name": keys.name, "namespace": keys.namespace}
    public = {"team.sshpub": ssh.public, "team.asc": TEAM.public}
    wired.cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": public})
    options = wired.hosts.kinds("flux")["password"] | {"verify": {"mode": "HEAD", "secret": keys.name}}
    repository = wired.repository("signed", options)
    application = wired.application("signed", options["url"])
    strangers = {
        "unsupported signature type": None,
        "SSH signature: unable to verify payload with any of the given authorized keys": SshKey(),
        "unable to verify payload with any of the given key rings": PgpKey(),
    }
    try:
        controllers.apply_repository(wired.cluster, repository)
        for words, stranger in strangers.items():
            commit = wired.commit(stranger)
            with pytest.raises(SyncFailedError, match="signature verification") as caught:
                controllers.apply_application(wired.cluster, application)
            assert words in caught.value.message
            assert commit in caught.value.message
            assert "verify" in caught.value.hint
        for key in (ssh, TEAM):
            commit = wired.commit(key)
            assert controllers.apply_application(wired.cluster, application).revision == commit
    finally:
        wired.remove(repository, application)
        wired.cluster.delete(keys)


@pytest.mark.parametrize("wired", ["argocd"], indirect=True)
def test_what_a_project_of_argocd_is_to_take_is_delivered_when_it_is_signed_by_a_key_of_the_team(wired):
    project = controllers.ProjectSpec(
        name=wired.name("signed"),
        destinations=[{"namespace": "*", "server": SERVER}],
        cluster_resources=[{"group": "", "kind": "Namespace"}],
        signature_keys=[TEAM.id],
    )
    access = wired.hosts.under(wired.name("signed"), wired.hosts.kinds("argocd")["password"])
    repository = wired.repository("signed", access)
    application = wired.application("signed", access["url"], project=project.name)
    try:
        controllers.apply_wiring(wired.cluster, project)
        controllers.apply_repository(wired.cluster, repository)
        refused = {"unsigned": None, "signed with key not in keyring": PgpKey(), "signed with unallowed key": OTHERS}
        for words, key in refused.items():
            commit = wired.commit(key)
            with pytest.raises(SyncFailedError, match=words) as caught:
                controllers.apply_application(wired.cluster, application)
            assert commit in caught.value.message
            assert "gpg_keys" in caught.value.hint
        commit = wired.commit(TEAM)
        assert controllers.apply_application(wired.cluster, application).revision == commit
    finally:
        wired.remove(repository, application)
        controllers.remove_wiring(wired.cluster, project)
