# SPDX-License-Identifier: Apache-2.0
"""The tools that are compared, each as the commands that a user would run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pulumi_gitops.sandbox import bin_dir, tool_path

from . import provision, sets
from .measure import Command
from .sets import KubeObject, ObjectSet

_ROOT = Path(__file__).resolve().parents[2]
_PYTHON_BIN = Path(sys.executable).parent
_STAND_IN = _ROOT / "tests" / "standins" / "pulumi_resource_kubernetes"

API, ANSIBLE, PULUMI = OURS = ("ours", "ours-ansible", "ours-pulumi")
"""Names of our own contenders."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tool works in one round.

    Attributes:
        folder: Its own folder, empty at first.
        namespace: Its own namespace; exists, and is empty.
        kubeconfig: Leads to the API server.
        home: Its home folder, the same in all rounds: caches are as warm as on a machine that is used every day.
    """

    folder: Path
    namespace: str
    kubeconfig: Path
    home: Path

    def env(self, **more: str) -> dict[str, str]:
        """Return the environment of the tool: nothing of the user's own settings."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "KUBECONFIG": str(self.kubeconfig),
            **more,
        }

    def write(self, objects: Sequence[KubeObject]) -> Path:
        """Write what is to be deployed."""
        return sets.write(objects, self.folder / "objects.yaml")


@dataclass(frozen=True, slots=True)
class Contender:
    """A tool.

    Attributes:
        name: In options and in the JSON.
        title: In tables.
        against: Name of our contender that it is compared with: playbooks with playbooks.
        told: What it prints for a diff when it names neither the object that changes nor the change.
    """

    name: str
    title: str
    against: str = API
    told: str = ""

    def prepare(self, place: Place) -> None:
        """Do what is done once, before the first apply."""

    def apply(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command:
        """Return the command that deploys a set."""
        raise NotImplementedError

    def diff(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command | None:
        """Return the command that shows what a deployment would change; None when the tool has none."""
        raise NotImplementedError

    def prepare_prune(self, place: Place, full: ObjectSet) -> Command | None:
        """Return a command that is run, but not measured, before a prune."""
        return None

    def prune(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command | None:
        """Return the command that deploys a smaller set and removes the rest; None when the tool has none."""
        return self.apply(place, objects, wait=wait)


class OursApi(Contender):
    """A Python program that calls ``core.deploy``."""

    __slots__ = ()

    def _command(self, verb: str, place: Place, objects: Sequence[KubeObject], wait: bool) -> Command:
        program = str(Path(__file__).with_name("deploy_once.py"))
        path = str(place.write(objects))
        argv = [sys.executable, program, verb, place.namespace, path, "wait" if wait else "no-wait"]
        return Command(argv, place.env(PYTHONPATH=str(_ROOT)), place.folder)

    def apply(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command:
        return self._command("deploy", place, objects, wait)

    def diff(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command:
        return self._command("plan", place, objects, wait)


@dataclass(frozen=True, slots=True)
class Playbook(Contender):
    """A playbook with one task."""

    collections: Path = _ROOT

    def task(self, place: Place, path: Path, *, wait: bool) -> Mapping[str, object]:
        """Return the task."""
        raise NotImplementedError

    def _command(self, place: Place, objects: Sequence[KubeObject], wait: bool, *options: str) -> Command:
        path = place.write(objects)
        return playbook(place, [self.task(place, path, wait=wait)], *options, collections=self.collections)

    def apply(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command:
        return self._command(place, objects, wait)

    def diff(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command:
        return self._command(place, objects, wait, "--check", "--diff")


def playbook(place: Place, tasks: Sequence[object], *options: str, collections: Path = _ROOT) -> Command:
    """Return the command that runs a playbook of these tasks on this machine."""
    content = [{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}]
    (place.folder / "playbook.yml").write_text(json.dumps(content))
    (place.folder / "ansible.cfg").touch()
    env = place.env(
        ANSIBLE_CONFIG=str(place.folder / "ansible.cfg"),
        ANSIBLE_COLLECTIONS_PATH=str(collections),
        ANSIBLE_NOCOLOR="1",
        ANSIBLE_LOCALHOST_WARNING="false",
        ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
        PYTHONPATH=str(_ROOT),
    )
    return Command([str(_PYTHON_BIN / "ansible-playbook"), "playbook.yml", *options], env, place.folder)


class OursAnsible(Playbook):
    """One task of ``iac.gitops.deploy``."""

    __slots__ = ()

    def task(self, place: Place, path: Path, *, wait: bool) -> Mapping[str, object]:
        options = {"name": "bench", "namespace": place.namespace, "src": [str(path)], "wait": wait}
        return {"iac.gitops.deploy": options}


class KubernetesCore(Playbook):
    """One task of ``kubernetes.core.k8s``.

    It does not remove what is no longer in a file, and shows no diff when a file has several objects.
    """

    __slots__ = ()

    def task(self, place: Place, path: Path, *, wait: bool) -> Mapping[str, object]:
        options = {"src": str(path), "apply": True, "server_side_apply": {"field_manager": "bench"}, "wait": wait}
        return {"kubernetes.core.k8s": options}

    def prune(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> None:
        return None


class OursPulumi(Contender):
    """A Pulumi program with one ``Release``, by the CLI."""

    __slots__ = ()

    def prepare(self, place: Place) -> None:
        (place.folder / "Pulumi.yaml").write_text("name: bench\nruntime: python\n")
        (place.folder / "state").mkdir()
        stack = [*self.argv("stack", place), "init", "bench"]
        subprocess.run(stack, cwd=place.folder, env=self.environment(place), check=True, capture_output=True)

    def argv(self, verb: str, place: Place) -> list[str]:
        """Return the start of a command of the CLI."""
        path = self.environment(place)["PATH"]
        return [str(shutil.which("pulumi", path=path)), verb, "--non-interactive", "--color", "never"]

    def environment(self, place: Place) -> dict[str, str]:
        """Return the environment in which the CLI runs, with its plugins on PATH."""
        tools = bin_dir(["pulumi", "pulumi-language-python"])
        path = [str(_PYTHON_BIN), str(tools), place.env()["PATH"]]
        if shutil.which("pulumi-resource-kubernetes", path=os.pathsep.join(path)) is None:
            path.insert(0, str(_STAND_IN))
        return place.env(
            PATH=os.pathsep.join(path),
            PYTHONPATH=str(_ROOT),
            PULUMI_BACKEND_URL=(place.folder / "state").as_uri(),
            PULUMI_CONFIG_PASSPHRASE="bench",
            PULUMI_HOME=str(place.home / ".pulumi"),
            PULUMI_SKIP_UPDATE_CHECK="1",
            PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION="1",
        )

    def _command(self, place: Place, objects: Sequence[KubeObject], wait: bool, verb: str, *options: str) -> Command:
        inputs = {"namespace": place.namespace, "src": place.write(objects).name, "wait": wait}
        program = f'import pulumi_gitops as gitops\n\ngitops.Release("bench", {inputs!r})\n'
        (place.folder / "__main__.py").write_text(program)
        return Command([*self.argv(verb, place), *options], self.environment(place), place.folder)

    def apply(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command:
        return self._command(place, objects, wait, "up", "--yes", "--skip-preview")

    def diff(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command:
        return self._command(place, objects, wait, "preview", "--diff")


class Kubectl(Contender):
    """``kubectl apply --server-side``; its diff; pruning by an ApplySet, its only one for server-side apply."""

    __slots__ = ()

    def _command(self, place: Place, objects: Sequence[KubeObject], verb: str, *options: str, success: int) -> Command:
        argv = [str(tool_path("kubectl")), verb, "--server-side", "-f", str(place.write(objects)), *options]
        return Command(argv, place.env(KUBECTL_APPLYSET="true"), place.folder, (success,))

    def apply(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command:
        return self._command(place, objects, "apply", success=0)

    def diff(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command:
        return self._command(place, objects, "diff", success=1)

    def prepare_prune(self, place: Place, full: ObjectSet) -> Command:
        return self.prune(place, full.changed, wait=False)

    def prune(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command:
        applyset = ("--prune", "--applyset=bench", "--namespace", place.namespace)
        return self._command(place, objects, "apply", *applyset, success=0)


class Helm(Contender):
    """``helm upgrade --install`` of a chart that holds the objects as they are. It has no diff of its own."""

    __slots__ = ()

    def apply(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command:
        chart = place.folder / "chart"
        for folder in (chart / "templates", chart / "files"):
            folder.mkdir(parents=True, exist_ok=True)
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: bench\nversion: 0.1.0\n")
        # Not as a template: manifests may hold braces.
        (chart / "templates" / "all.yaml").write_text('{{ .Files.Get "files/objects.yaml" }}\n')
        sets.write(objects, chart / "files" / "objects.yaml")
        argv = [str(tool_path("helm")), "upgrade", "--install", "bench", str(chart), "--namespace", place.namespace]
        return Command([*argv, *(["--wait"] if wait else [])], place.env(), place.folder)

    def diff(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Kapp(Contender):
    """``kapp deploy``."""

    binary: Path = field(default_factory=provision.kapp)

    def _command(self, place: Place, objects: Sequence[KubeObject], *options: str, success: int = 0) -> Command:
        argv = [str(self.binary), "deploy", "-a", "bench", "-n", place.namespace, "-f", str(place.write(objects))]
        return Command([*argv, *options], place.env(), place.folder, (success,))

    def apply(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command:
        return self._command(place, objects, "--yes", f"--wait={'true' if wait else 'false'}")

    def diff(self, place: Place, objects: Sequence[KubeObject], *, wait: bool) -> Command:
        options = ("--diff-run", "--diff-changes", "--diff-exit-status")
        return self._command(place, objects, *options, success=3)


def _kubernetes_core(name: str) -> Contender:
    return KubernetesCore(name, "kubernetes.core.k8s task", ANSIBLE, "changed=1", provision.kubernetes_core())


_MAKERS = {
    API: lambda name: OursApi(name, "pulumi-gitops, Python API"),
    ANSIBLE: lambda name: OursAnsible(name, "iac.gitops.deploy task", ANSIBLE),
    PULUMI: lambda name: OursPulumi(name, "Pulumi Release", PULUMI),
    "kubectl": lambda name: Kubectl(name, "kubectl apply --server-side"),
    "kubernetes.core": _kubernetes_core,
    "helm": lambda name: Helm(name, "helm upgrade --install"),
    "kapp": lambda name: Kapp(name, "kapp deploy"),
}

NAMES = tuple(_MAKERS)
"""All contenders, in the order of the tables."""


def contender(name: str) -> Contender:
    """Return a contender; what it needs is built or downloaded first."""
    return _MAKERS[name](name)
