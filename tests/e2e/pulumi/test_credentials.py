# SPDX-License-Identifier: Apache-2.0
"""Every kind of login to a repository by a Pulumi program, at servers that check it, for both controllers at once."""

from __future__ import annotations

import json

import pytest

from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import flux_manifest
from tests.support.githosts import GitHosts

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

MARK = "canary-51f4aa"
NAMESPACES = {"argocd": "argocd", "flux": "flux-system"}
PROGRAM = """
import json
config = pulumi.Config()
logins = config.require_secret_object("logins")
applications = []
for controller, known in json.loads(config.require("servers")).items():
    component = {"argocd": gitops.ArgoCD, "flux": gitops.Flux}[controller]
    installed = pulumi.ResourceOptions(depends_on=[component(controller, known["options"])])
    for kind, plain in known["kinds"].items():
        name = f"{controller}-{kind}"
        secrets = {key: logins[name][key] for key in known["secrets"][kind]}
        repository = gitops.Repository(name, {"controller": controller, **plain, **secrets}, opts=installed)
        applications.append((controller, gitops.Application(
            name,
            {
                "controller": controller,
                **({"repository": repository.name} if controller == "flux" else {"url": plain["url"]}),
                "path": "app",
                "destination_namespace": config.require("prefix") + name,
                "create_namespace": True,
                "wait_timeout": 60,
            },
            opts=pulumi.ResourceOptions(depends_on=[repository]),
        )))
        pulumi.export(name, applications[-1][1].revision)
"""
SYNC = """
wired = pulumi.ResourceOptions(depends_on=[application for _, application in applications])
for number, (controller, application) in enumerate(applications):
    wanted = {"controller": controller, "revision": config.require("head"), "wait_timeout": 60}
    gitops.Sync(f"sync-{number}", {"application": application.name, **wanted}, opts=wired)
"""
PLAIN = {"url", "username", "known_hosts", "ca_cert", "client_cert"}


@pytest.fixture
def hosts(tmp_path):
    with GitHosts(tmp_path, MARK) as running:
        yield running


def configure(stack, hosts):
    """Give a stack what the servers take now."""
    options = {
        "argocd": hosts.controller_options("argocd"),
        "flux": {"version": "2.9.2", "manifests": str(flux_manifest())},
    }
    servers, logins = {}, {}
    for controller, given_options in options.items():
        kinds = hosts.kinds(controller)
        secrets = {kind: {k: v for k, v in given.items() if k not in PLAIN} for kind, given in kinds.items()}
        logins |= {f"{controller}-{kind}": given for kind, given in secrets.items()}
        servers[controller] = {
            "options": given_options,
            "kinds": {kind: {k: v for k, v in given.items() if k in PLAIN} for kind, given in kinds.items()},
            "secrets": {kind: list(given) for kind, given in secrets.items()},
        }
    stack.pulumi("config", "set", "servers", stdin=json.dumps(servers))
    stack.pulumi("config", "set", "--secret", "logins", stdin=json.dumps(logins))
    return list(logins)


def test_each_is_wired_synced_exchanged_and_kept_secret(stack, cluster, hosts, namespace):
    stack.program(PROGRAM)
    stack.pulumi("config", "set", "prefix", f"{namespace}-")
    names = configure(stack, hosts)
    assert len(names) == 14
    head = hosts.commit("green")
    said = stack.up()
    assert stack.outputs() == dict.fromkeys(names, head)
    for name in names:
        settings = cluster.get(ObjectRef("", "v1", "ConfigMap", f"{namespace}-{name}", "settings"))
        assert settings["data"] == {"colour": "green"}
    assert hosts.ssh.used
    assert hosts.proxy.passed
    secrets = hosts.secrets

    # The servers take other passwords and keys: whoever waits for the next commit is told, and by whom.
    hosts.rotate()
    stack.program(PROGRAM + SYNC)
    stack.pulumi("config", "set", "head", hosts.commit("red"))
    refused = stack.pulumi("up", "--yes", "--skip-preview", "--continue-on-error", check=False)
    for who, words in {
        "Application argocd-ssh": "public key",
        "Application argocd-bearer": "password or token",
        "GitRepository flux-ssh": "public key",
        "GitRepository flux-bearer": "credentials",
    }.items():
        assert words in refused.partition(f"* {who}: ")[2][:600]
    configure(stack, hosts)
    said += refused + stack.up()
    said += stack.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes", "--diff")
    secrets += hosts.secrets
    said += stack.state()
    assert not [secret for secret in secrets if secret in said]
    stack.pulumi("destroy", "--yes", "--skip-preview")
    for controller in NAMESPACES.values():
        assert cluster.find(ObjectRef("", "v1", "Namespace", "", controller)) is None
