# SPDX-License-Identifier: Apache-2.0
"""Every kind of login to a repository by playbook, at servers that check it, for both controllers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import flux_manifest
from tests.e2e.ansible.playbooks import task
from tests.support.githosts import GitHosts

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

MARK = "canary-93be07"
# The module has options of these names for its connection to the cluster.
RENAMED = {name: f"repository_{name}" for name in ("ca_cert", "client_cert", "client_key", "proxy")}


@pytest.fixture
def hosts(tmp_path):
    with GitHosts(tmp_path, MARK) as running:
        yield running


@pytest.fixture
def cleared(cluster):
    """What a controller looks after is gone after the test, and the controller itself."""
    wired = []
    yield wired

    def clear(entry):
        controller, name = entry
        given = {"controller": controller, "name": name, "url": "https://git.example.com/a.git"}
        application = controllers.ApplicationSpec(**given, path="app", destination_namespace=name)
        controllers.remove_application(cluster, application)
        controllers.remove_repository(cluster, controllers.RepositorySpec(**given))
        cluster.delete(ObjectRef("", "v1", "Namespace", "", name))

    with ThreadPoolExecutor() as pool:
        list(pool.map(clear, wired))
    for controller in {controller for controller, _ in wired}:
        controllers.uninstall(cluster, controllers.ControllerSpec(name=controller))


@pytest.mark.parametrize("controller", ["argocd", "flux"])
def test_each_is_wired_synced_and_kept_secret_and_a_wrong_one_is_told(
    ansible, cluster, hosts, cleared, namespace, controller
):
    kinds = hosts.kinds(controller)
    named = {kind: f"{namespace}-{kind}" for kind in kinds}
    cleared += [(controller, name) for name in named.values()]

    def access(kind, **changed):
        options = {RENAMED.get(key, key): f"{{{{ kinds['{kind}'].{key} }}}}" for key in kinds[kind]} | changed
        return task("repository", f"access by {kind}", controller=controller, name=named[kind], **options)

    def application(kind, **keywords):
        url = kinds[kind]["url"]
        source = {"repository": named[kind]} if controller == "flux" else {"url": url, "revision": "main"}
        given = {"path": "app", "destination_namespace": named[kind], "create_namespace": True, "wait_timeout": 60}
        return task("application", kind, controller=controller, name=named[kind], **given, **source, **keywords)

    options = hosts.controller_options(controller)
    if controller == "flux":
        options |= {"version": "2.9.2", "manifests": str(flux_manifest())}
    install = task("controller", name=controller, **options)
    tasks = [install, *(entry for kind in kinds for entry in (access(kind), application(kind)))]
    head = hosts.commit("green")
    done = ansible(tasks, "--diff", "-vvv", kinds=kinds)
    assert len(done.changed) == len(tasks)
    assert {kind: done[kind]["revision"] for kind in kinds} == dict.fromkeys(kinds, head)
    for kind in kinds:
        settings = cluster.get(ObjectRef("", "v1", "ConfigMap", named[kind], "settings"))
        assert settings["data"] == {"colour": "green"}
    assert hosts.ssh.used
    assert hosts.proxy.passed
    assert hosts.github.tokens
    again = ansible([access(kind) for kind in kinds], "--diff", "-vvv", kinds=kinds)
    assert again.changed == []

    wrong = ansible(
        [
            access("bearer", bearer_token="{{ kinds.bearer.bearer_token }}-wrong"),
            application("bearer", _ignore_errors=True, labels={"tried": "again"}),
        ],
        "--diff", "-vvv", kinds=kinds,
    )  # fmt: skip
    assert wrong["bearer"]["code"] == "controller.sync_failed"
    assert "authentication required" in wrong["bearer"]["msg"]
    assert "check" in wrong["bearer"]["hint"]
    printed = done.output + again.output + wrong.output
    assert not [secret for secret in hosts.secrets if secret in printed]
