# SPDX-License-Identifier: Apache-2.0
"""The story: deploy push-style, bootstrap a controller, wire a repository, commit, heal a hand edit, revert."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..core import redact
from ..core.cluster import Cluster, ConnectionOptions, connect
from ..core.controllers import SyncSpec, installed, sync
from ..core.deploy import read_release, remove
from ..core.errors import InputError, NotReadyError
from ..core.git import Credentials, commit_files, read_tip
from ..core.objects import KubeObject, ObjectRef
from ..sandbox import Sandbox, bin_dir
from ..sandbox.cli import own_command
from ..sandbox.processes import MARK, direct, kill_all
from .programs import Tools, environment
from .pullers import ARGOCD, FLUX, Puller
from .report import Report

_FILES = Path(__file__).parent
_SHOP = ObjectRef("apps", "v1", "Deployment", "shop", "shop")
_NAMESPACE = ObjectRef("", "v1", "Namespace", "", "shop")
_NAME = "demo"
_BRANCH = "main"
_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story takes place.

    Attributes:
        puller: The controller.
        cluster: Connection of the demo itself.
        tools: Environment of the two faces.
        url: URL of the config repository.
        credentials: For it.
        where: For people.
        look_around: For people, when all of it stays.
        settings: Configuration of the Pulumi program that belongs to this place.
        sandbox: The embedded one; None on another cluster.
    """

    puller: Puller
    cluster: Cluster
    tools: Tools
    url: str
    credentials: Credentials
    where: str
    look_around: str
    settings: Mapping[str, str] = field(default_factory=dict)
    sandbox: Sandbox | None = None


def run_demo(*, flux: bool = False, keep: bool = False, context: str = "", git_url: str = "") -> int:
    """Run the demo and return an exit code. What it made is removed at its end, however it ends.

    Args:
        flux: Flux pulls in place of Argo CD.
        keep: Leave everything there when the story ended well.
        context: Context of another cluster; "" for an embedded sandbox. Needs `git_url`.
        git_url: Base URL of a Git server that this cluster can reach; its repository ``config.git`` is used. User and
            password come from ``GIT_USERNAME`` and ``GIT_PASSWORD``.

    Raises:
        GitOpsError: A step failed.
        KeyboardInterrupt: Ctrl-C.
    """
    if bool(context) != bool(git_url):
        raise InputError(
            "CONTEXT and GIT_URL go together",
            hint="make demo CONTEXT=staging GIT_URL=https://git.example.com/team, or neither for the embedded sandbox.",
        )
    report, puller = Report(), FLUX if flux else ARGOCD
    with contextlib.ExitStack() as made:
        stage = _elsewhere(made, report, puller, context, git_url) if context else _embedded(made, report, puller)
        report.say(f"The demo runs on {stage.where}; the config repository is {stage.url}.")
        if stage.tools.uses_stand_in:
            report.say("pulumi-resource-kubernetes is not on PATH: the tests' stand-in takes its place (wiring only).")
        try:
            _play(stage, report)
        finally:
            report.say("\n" + report.table())
        if keep:
            made.pop_all()  # drops what would remove it
            if stage.sandbox is not None:
                stage.sandbox.detach()
            report.say(stage.look_around)
        elif stage.sandbox is not None:
            report.say(f" Look around: make demo{' FLUX=1' if flux else ''} KEEP=1 keeps it running.")
    return 0


def _embedded(made: contextlib.ExitStack, report: Report, puller: Puller) -> Stage:
    report.say("Starting a local control plane (the first time its tools are built, about 20 minutes on 2 cores) ...")
    tools_folder = bin_dir(["pulumi", "pulumi-language-python", "kubectl", "helm", "kustomize"])
    old = Sandbox.find(_NAME)
    if old is not None and old.detached:
        report.say("The one that an earlier run has kept makes room for it.")
        old.stop()
    sandbox = Sandbox.start(_NAME, argocd=puller is ARGOCD, flux=puller is FLUX)
    made.callback(_stop, sandbox)
    # git and the engine take a proxy from the environment of this process; it does not lead to this machine.
    os.environ |= direct()
    password = secrets.token_urlsafe(18)
    redact.register(password)
    url = sandbox.create_repository("config", "ci", password)
    # What belongs to the demo goes with the sandbox: its files, and programs that carry the mark.
    folder = sandbox.folder / "demo"
    folder.mkdir(mode=0o700)
    env = environment({**sandbox.env(), MARK: str(sandbox.folder)})
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), str(tools_folder), env["PATH"]])
    tools = Tools(env, folder)
    cluster = made.enter_context(connect(ConnectionOptions(kubeconfig=str(sandbox.kubeconfig))))
    command = own_command()
    look_around = (
        f' Look around: eval "$({command} sandbox env --name {_NAME})"; '
        f"kubectl get {puller.applications},deployments -A\n"
        f"              The Pulumi program and its state are in {folder}\n"
        f" End it:      {command} sandbox down --name {_NAME}"
    )
    where = f"the embedded sandbox {_NAME!r}"
    credentials = Credentials("ci", password)
    return Stage(puller, cluster, tools, url, credentials, where, look_around, puller.embedded(), sandbox)


def _stop(sandbox: Sandbox) -> None:
    """Stop the sandbox, however often Ctrl-C is pressed meanwhile: it takes a second."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sandbox.stop()
    finally:
        signal.signal(signal.SIGINT, handler)


def _elsewhere(made: contextlib.ExitStack, report: Report, puller: Puller, context: str, git_url: str) -> Stage:
    cluster = made.enter_context(connect(ConnectionOptions(context=context)))
    _must_be_free(cluster, puller, context)
    user, password = os.environ.get("GIT_USERNAME"), os.environ.get("GIT_PASSWORD")
    redact.register(password)
    env = environment({})
    programs = [Path(sys.executable).parent, bin_dir(["pulumi", "pulumi-language-python"])]
    env["PATH"] = os.pathsep.join([*map(str, programs), env["PATH"]])
    folder = Path(tempfile.mkdtemp(prefix="pulumi-gitops-demo-"))
    tools = Tools({**env, MARK: str(folder)}, folder, context)

    def clean_up(failed: type[BaseException] | None, *_: object) -> None:
        report.say("\nRemoving what the demo has made (KEEP=1 leaves it there) ...")
        try:
            tools.pulumi_destroy(say=report.detail)
            remove(cluster, "billing", "billing", delete_namespace=True)
            cluster.delete(_NAMESPACE)
            shutil.rmtree(folder)
        except BaseException as e:
            report.say(f"Something is left; the Pulumi program and its state stay in {folder}")
            if not failed:
                raise
            report.say(f"Why: {e}")  # the error of the command is that of the story
        finally:
            kill_all(folder)  # programs that did not end when they were told to

    made.push(clean_up)
    kubectl = f"kubectl --context {shlex.quote(context)}"
    look_around = (
        f" Look around: {kubectl} get {puller.applications},deployments -A\n"
        f" End it:      cd {tools.program} && {tools.assignments} pulumi destroy --stack demo\n"
        f"              {kubectl} delete namespace billing {_NAMESPACE.name}"
    )
    url = f"{git_url.rstrip('/')}/config.git"
    where = f"context {context} ({cluster.server})"
    return Stage(puller, cluster, tools, url, Credentials(user, password), where, look_around)


def _must_be_free(cluster: Cluster, puller: Puller, context: str) -> None:
    """Refuse a cluster that holds what the demo makes: it would be taken over, and removed in the end."""
    namespaces = (ObjectRef("", "v1", "Namespace", "", "billing"), _NAMESPACE)
    there = [str(ref) for ref in namespaces if cluster.find(ref) is not None]
    found = installed(cluster, puller.name)
    if found is not None:
        there.append(f"{puller.title} in namespace {found.namespace}")
    if there:
        raise InputError(
            f"the demo makes these in context {context}, but they are there already: {', '.join(there)}",
            hint="It would take them over and remove them in the end. Give it another cluster, or remove them first.",
        )


def _play(stage: Stage, report: Report) -> None:
    puller = stage.puller
    with report.step("deploy billing push-style", "ansible") as step:
        variables = {"release": "billing", "namespace": "billing", "src": str(_FILES / "billing")}
        stage.tools.playbook("iac.gitops.deploy", variables, say=report.detail)
        state = read_release(stage.cluster, "billing", "billing")
        assert state is not None
        for item in state.inventory:
            report.detail(f"{item.ref}")
        step.result = f"revision {state.revision}, {len(state.inventory)} objects, ready"

    with report.step(f"bootstrap {puller.title}", "pulumi") as step:
        outputs = stage.tools.pulumi_up({"controller": puller.name, **stage.settings}, {}, say=report.detail)
        controller = read_release(stage.cluster, puller.name, puller.namespace)
        count = len(controller.inventory) if controller else 0
        step.result = f"{puller.title} {outputs.get('version')}, {count} objects, ready"

    with report.step("wire the config repository", "pulumi") as step:
        shop = (_FILES / "shop" / "shop.yaml").read_text()
        _commit(stage, shop, "add the shop")
        config = {"url": stage.url, "username": stage.credentials.username or ""}
        outputs = stage.tools.pulumi_up(config, {"password": stage.credentials.password or ""}, say=report.detail)
        step.result = f"{puller.settled} at {str(outputs.get('revision'))[:7]}"

    with report.step('commit "update replicas to 5"', "git") as step:
        commit = _commit(stage, shop.replace("replicas: 2", "replicas: 5"), "update replicas to 5")
        step.result = _applied(stage, commit, 5)

    with report.step("hand edit: scale the shop to 7", puller.name) as step:
        stage.cluster.patch(_SHOP, {"spec": {"replicas": 7}}, subresource="scale")
        report.detail("replicas set to 7 by hand, past Git")
        _await_replicas(stage, 5)
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
    sync(stage.cluster, SyncSpec(controller=stage.puller.name, name="shop", revision=commit, wait_timeout=_SECONDS))
    _await_replicas(stage, replicas)
    return f"applied {commit[:7]}, {replicas}/{replicas} ready"


def _await_replicas(stage: Stage, wanted: int) -> None:
    """Wait until the shop's Deployment asks for so many replicas and has them all."""
    seen: KubeObject = {}
    for event in stage.cluster.watch(
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
        hint=f"Look at it: kubectl -n {stage.puller.namespace} get {stage.puller.applications} shop -o yaml",
    )
