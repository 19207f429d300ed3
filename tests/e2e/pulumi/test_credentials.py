# SPDX-License-Identifier: Apache-2.0
"""Every kind of login to a repository by a Pulumi program, at servers that check it, for both controllers."""

from __future__ import annotations

import json

import pytest

from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import flux_manifest
from tests.support.githosts import GitHosts

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

MARK = "canary-51f4aa"
PROGRAM = """
import json
config = pulumi.Config()
servers = json.loads(config.require("servers"))
controller = getattr(gitops, servers["component"])("controller", servers["options"])
logins = config.require_secret_object("logins")
applications = []
for kind, known in servers["kinds"].items():
    secrets = {name: logins[kind][name] for name in known.pop("secrets")}
    repository = gitops.Repository(
        kind, {**known, **secrets}, opts=pulumi.ResourceOptions(depends_on=[controller])
    )
    source = {"repository": repository.name} if known["controller"] == "flux" else {"url": known["url"]}
    application = gitops.Application(
        kind,
        {
            "controller": known["controller"],
            **source,
            "path": "app",
            "destination_namespace": servers["prefix"] + kind,
            "create_namespace": True,
            "wait_timeout": 60,
        },
        opts=pulumi.ResourceOptions(depends_on=[repository]),
    )
    pulumi.export(kind, application.revision)
    applications.append(application)
"""
SYNC = """
for kind, known in servers["kinds"].items():
    name = {"application": kind, "controller": known["controller"], "revision": config.require("head")}
    gitops.Sync(kind, {**name, "wait_timeout": 60}, opts=pulumi.ResourceOptions(depends_on=applications))
"""
NAMESPACES = {"argocd": "argocd", "flux": "flux-system"}
PLAIN = {"url", "username", "known_hosts", "ca_cert", "client_cert"}


@pytest.fixture
def hosts(tmp_path):
    with GitHosts(tmp_path, MARK) as running:
        yield running


@pytest.mark.parametrize("controller", ["argocd", "flux"])
def test_each_is_wired_synced_exchanged_and_kept_secret(stack, cluster, hosts, namespace, controller):
    options = hosts.controller_options(controller)
    if controller == "flux":
        options |= {"version": "2.9.2", "manifests": str(flux_manifest())}

    def configure():
        kinds = hosts.kinds(controller)
        logins = {kind: {k: v for k, v in given.items() if k not in PLAIN} for kind, given in kinds.items()}
        plain = {
            kind: {
                "controller": controller,
                **{key: value for key, value in given.items() if key in PLAIN},
                "secrets": list(logins[kind]),
            }
            for kind, given in kinds.items()
        }
        component = {"argocd": "ArgoCD", "flux": "Flux"}[controller]
        servers = {"component": component, "options": options, "kinds": plain, "prefix": f"{namespace}-"}
        stack.pulumi("config", "set", "servers", stdin=json.dumps(servers))
        stack.pulumi("config", "set", "--secret", "logins", stdin=json.dumps(logins))
        return kinds

    stack.program(PROGRAM)
    kinds = configure()
    head = hosts.commit("green")
    said = stack.up()
    assert stack.outputs() == dict.fromkeys(kinds, head)
    for kind in kinds:
        settings = cluster.get(ObjectRef("", "v1", "ConfigMap", f"{namespace}-{kind}", "settings"))
        assert settings["data"] == {"colour": "green"}
    assert hosts.ssh.used
    assert hosts.proxy.passed
    secrets = hosts.secrets

    # The servers take other passwords and keys: whoever waits for the next commit is told.
    hosts.rotate()
    stack.program(PROGRAM + SYNC)
    stack.pulumi("config", "set", "head", hosts.commit("red"))
    said += stack.up(check=False)
    assert "authentication required" in said
    assert "check" in said.partition("authentication required")[2]
    configure()
    said += stack.up()
    said += stack.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes", "--diff")
    state = stack.state()
    secrets += hosts.secrets
    assert not [secret for secret in secrets if secret in said + state]
    stack.pulumi("destroy", "--yes", "--skip-preview")
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", NAMESPACES[controller])) is None
