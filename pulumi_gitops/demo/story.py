# SPDX-License-Identifier: Apache-2.0
"""The story: deploy push-style, bootstrap Argo CD, wire a repository, commit, heal a hand edit, revert."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core import redact
from ..core.cluster import Cluster, ConnectionOptions, connect
from ..core.controllers import SyncSpec, sync
from ..core.deploy import read_release, remove
from ..core.errors import InputError, NotReadyError
from ..core.git import Credentials, commit_files, read_tip
from ..core.objects import KubeObject, ObjectRef
from .programs import Tools
from .report import Report

_FILES = Path(__file__).parent
_SHOP = ObjectRef("apps", "v1", "Deployment", "shop", "shop")
_NAMESPACE = ObjectRef("", "v1", "Namespace", "", "shop")
_BRANCH = "main"
_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story takes place.

    Attributes:
        cluster: Connection of the demo itself.
        tools: Environment of the two faces.
        url: URL of the config repository.
        credentials: For it.
        where: For people.
    """

    cluster: Cluster
    tools: Tools
    url: str
    credentials: Credentials
    where: str


def run_demo(*, keep: bool = False, context: str = "", git_url: str = "") -> int:
    """Run the demo and return an exit code.

    Args:
        keep: Leave the sandbox running afterwards.
        context: Context of another cluster; "" for an embedded sandbox. Needs `git_url`.
        git_url: Base URL of a Git server that this cluster can reach; its repository ``config.git`` is used. User and
            password come from ``GIT_USERNAME`` and ``GIT_PASSWORD``.

    Raises:
        GitOpsError: A step failed.
    """
    if bool(context) != bool(git_url):
        raise InputError(
            "CONTEXT and GIT_URL go together",
            hint="make demo CONTEXT=staging GIT_URL=https://git.example.com/team, or neither for the embedded sandbox.",
        )
    report = Report()
    with _stage(report, keep=keep, context=context, git_url=git_url) as stage:
        report.say(f"The demo runs on {stage.where}; the config repository is {stage.url}.")
        if stage.tools.uses_stand_in:
            report.say("pulumi-resource-kubernetes is not on PATH: the tests' stand-in takes its place (wiring only).")
        try:
            _play(stage, report)
        finally:
            report.say("\n" + report.table())
        if keep and not context:
            report.say(" Look around: pulumi-gitops sandbox env --name demo   (pulumi-gitops sandbox down --name demo)")
        elif not keep and not context:
            report.say(" Look around: make demo KEEP=1 keeps it running.")
    return 0


@contextlib.contextmanager
def _stage(report: Report, *, keep: bool, context: str, git_url: str) -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="pulumi-gitops-demo-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if context:
            yield _elsewhere(stack, report, folder, context, git_url, keep=keep)
        else:
            yield _embedded(stack, report, folder, keep=keep)


def _elsewhere(
    stack: contextlib.ExitStack, report: Report, folder: Path, context: str, git_url: str, *, keep: bool
) -> Stage:
    cluster = stack.enter_context(connect(ConnectionOptions(context=context)))
    user, password = os.environ.get("GIT_USERNAME"), os.environ.get("GIT_PASSWORD")
    redact.register(password)
    tools = Tools(dict(os.environ), folder, context)
    had_namespace = cluster.find(_NAMESPACE) is not None

    def clean_up() -> None:
        report.say("\nRemoving what the demo has made (KEEP=1 leaves it there) ...")
        tools.pulumi_destroy(say=report.detail)
        remove(cluster, "billing", "billing", delete_namespace=True)
        if not had_namespace:
            cluster.delete(_NAMESPACE)

    if not keep:
        stack.callback(clean_up)
    url = f"{git_url.rstrip('/')}/config.git"
    return Stage(cluster, tools, url, Credentials(user, password), f"context {context} ({cluster.server})")


def _embedded(stack: contextlib.ExitStack, report: Report, folder: Path, *, keep: bool) -> Stage:
    from ..sandbox import Sandbox, bin_dir

    report.say("Starting a local control plane (the first time its tools are built, about 20 minutes on 2 cores) ...")
    tools_folder = bin_dir(["pulumi", "pulumi-language-python", "kubectl", "helm", "kustomize"])
    old = Sandbox.find("demo")
    if old is not None:
        old.stop()
    sandbox = Sandbox.start("demo", argocd=True, detach=keep)
    if keep:
        # A demo that fails or is interrupted leaves nothing behind; one that ends well stays for a look around.
        stack.push(lambda kind, *_: sandbox.stop() if kind is not None else None)
    else:
        stack.callback(sandbox.stop)
    password = secrets.token_urlsafe(18)
    redact.register(password)
    url = sandbox.create_repository("config", "ci", password)
    env = {**os.environ, **sandbox.env()}
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), str(tools_folder), env["PATH"]])
    cluster = stack.enter_context(connect(ConnectionOptions(kubeconfig=str(sandbox.kubeconfig))))
    return Stage(cluster, Tools(env, folder), url, Credentials("ci", password), "the embedded sandbox 'demo'")


def _play(stage: Stage, report: Report) -> None:
    with report.step("deploy billing push-style", "ansible") as step:
        variables = {"release": "billing", "namespace": "billing", "src": str(_FILES / "billing")}
        stage.tools.playbook("iac.gitops.deploy", variables, say=report.detail)
        state = read_release(stage.cluster, "billing", "billing")
        assert state is not None
        for item in state.inventory:
            report.detail(f"{item.ref}")
        step.result = f"revision {state.revision}, {len(state.inventory)} objects, ready"

    with report.step("bootstrap Argo CD", "pulumi") as step:
        outputs = stage.tools.pulumi_up({}, {}, say=report.detail)
        installed = read_release(stage.cluster, "argocd", "argocd")
        count = len(installed.inventory) if installed else 0
        step.result = f"Argo CD {outputs.get('argocd')}, {count} objects, ready"

    with report.step("wire the config repository", "pulumi") as step:
        shop = (_FILES / "shop" / "shop.yaml").read_text()
        _commit(stage, shop, "add the shop")
        config = {"url": stage.url, "username": stage.credentials.username or ""}
        outputs = stage.tools.pulumi_up(config, {"password": stage.credentials.password or ""}, say=report.detail)
        step.result = f"Synced, Healthy at {str(outputs.get('revision'))[:7]}"

    with report.step('commit "update replicas to 5"', "git") as step:
        commit = _commit(stage, shop.replace("replicas: 2", "replicas: 5"), "update replicas to 5")
        step.result = _applied(stage, commit, 5)

    with report.step("hand edit: scale the shop to 7", "argocd") as step:
        stage.cluster.patch(_SHOP, {"spec": {"replicas": 7}}, subresource="scale")
        report.detail("replicas set to 7 by hand, past Git")
        _await_replicas(stage.cluster, 5)
        step.result = "healed to 5"

    with report.step("revert the commit", "git") as step:
        commit = _commit(stage, shop, 'Revert "update replicas to 5"')
        step.result = _applied(stage, commit, 2)

    with report.step("deploy billing once more", "ansible") as step:
        variables = {"release": "billing", "namespace": "billing", "src": str(_FILES / "billing")}
        stage.tools.playbook("iac.gitops.deploy", variables, say=report.detail)
        state = read_release(stage.cluster, "billing", "billing")
        step.result = f"revision {state.revision}, nothing to do" if state else "no release"


def _commit(stage: Stage, shop: str, message: str) -> str:
    done = commit_files(
        stage.url,
        _BRANCH,
        files={"apps/shop/shop.yaml": shop},
        message=message,
        author="Demo <demo@example.com>",
        credentials=stage.credentials,
        create_branch=True,
    )
    return done.commit


def _applied(stage: Stage, commit: str, replicas: int) -> str:
    assert read_tip(stage.url, _BRANCH, credentials=stage.credentials) == commit
    sync(stage.cluster, SyncSpec(name="shop", revision=commit, wait_timeout=_SECONDS))
    _await_replicas(stage.cluster, replicas)
    return f"applied {commit[:7]}, {replicas}/{replicas} ready"


def _await_replicas(cluster: Cluster, wanted: int) -> None:
    """Wait until the shop's Deployment asks for so many replicas and has them all."""
    seen: KubeObject = {}
    for event in cluster.watch(
        _SHOP.api_version,
        _SHOP.kind,
        namespace=_SHOP.namespace,
        field_selector=f"metadata.name={_SHOP.name}",
        timeout=_SECONDS,
    ):
        seen = event.object
        status = seen.get("status") or {}
        if seen["spec"].get("replicas") == wanted == status.get("replicas") == status.get("readyReplicas"):
            return
    raise NotReadyError(
        f"{_SHOP} did not get to {wanted} ready replicas within {_SECONDS:g} s; it has {seen.get('status')}",
        hint="Look at the Application: kubectl -n argocd get application shop -o yaml",
    )
