# SPDX-License-Identifier: Apache-2.0
"""The options of commands, under the names of the other faces, and what they become.

An option that is not given is left to the dataclass of the engine; a test compares the defaults that the help names.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..core.errors import EmptySetError, InputError
from . import arguments

if TYPE_CHECKING:
    from ..core.delivery import ReleaseOptions

_STDIN = "-"
_HELM = {"helm_chart": "chart", "helm_version": "version", "helm_values": "value_files", "helm_release": "release_name"}


# --- groups of options -----------------------------------------------------------------------------------------------


def add_release(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add the release, its namespace, and how to reach the cluster."""
    if optional:
        parser.add_argument(
            "name", metavar="RELEASE", nargs="?", default="", help="name of the release; all of the namespace if absent"
        )
    else:
        parser.add_argument("name", metavar="RELEASE", help="name of the release")
    parser.add_argument(
        "-n",
        "--namespace",
        metavar="NAMESPACE",
        required=True,
        help="namespace of the release, and of objects that name none",
    )
    group = parser.add_argument_group("cluster")
    group.add_argument(
        "--kubeconfig",
        metavar="FILE",
        type=arguments.path,
        default=None,
        help="kubeconfig (default: $KUBECONFIG, ~/.kube/config)",
    )
    group.add_argument("--context", metavar="NAME", default=None, help="context of the kubeconfig (default: its own)")


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Add where the objects come from, and the overrides."""
    group = parser.add_argument_group("the objects, from one of")
    one = group.add_mutually_exclusive_group(required=True)
    one.add_argument(
        "-f",
        "--filename",
        dest="src",
        metavar="FILE",
        action="append",
        help="file, folder or glob with manifests, - for standard input (repeatable)",
    )
    one.add_argument("-k", "--kustomize", metavar="FOLDER", help="folder of a kustomization")
    one.add_argument("--helm-chart", metavar="CHART", help="chart: folder, archive or oci:// reference")
    helm = parser.add_argument_group("with a chart")
    helm.add_argument("--helm-version", metavar="VERSION", help="version of the chart")
    helm.add_argument("--helm-values", metavar="FILE", action="append", help="file with values (repeatable)")
    helm.add_argument("--helm-release", metavar="NAME", help="release name that the chart sees (default: RELEASE)")

    overrides = parser.add_argument_group("overrides (one that matches nothing is an error)")
    arguments.add_pairs(overrides, "--image", "images", "NAME=REF", "image of a container or repository")
    overrides.add_argument(
        "--image-path",
        dest="image_paths",
        metavar="PATH",
        action="append",
        help="one more place of images, for custom kinds: spec.image (repeatable)",
    )
    arguments.add_pairs(
        overrides, "--replicas", "replicas", "NAME=N", "number of replicas of a workload", arguments.number
    )
    arguments.add_pairs(overrides, "--label", "labels", "KEY=VALUE", "label for every object and pod template")
    arguments.add_pairs(
        overrides, "--annotation", "annotations", "KEY=VALUE", "annotation for every object and pod template"
    )
    arguments.add_flag(overrides, "--set-namespace", "move every object that names a namespace into NAMESPACE")
    arguments.add_flag(overrides, "--allow-network", "let kustomize and helm fetch what they refer to")


def add_treatment(parser: argparse.ArgumentParser) -> None:
    """Add how to treat what exists: this decides over the plan."""
    group = parser.add_argument_group("what exists already")
    arguments.add_switch(group, "--create-namespace", "create NAMESPACE if it does not exist (default: yes)")
    arguments.add_switch(group, "--prune", "remove objects of the release that left the set (default: yes)")
    add_prune_kinds(group, "kind that prune may remove too: Namespace, CustomResourceDefinition, PersistentVolumeClaim")
    group.add_argument(
        "--prune-limit",
        metavar="N",
        type=arguments.count,
        help="the most objects that prune may remove (default: any number)",
    )
    add_force(group)
    group.add_argument(
        "--ownership",
        choices=["must_match", "adopt_if_unowned", "adopt"],
        help="which existing objects to take in (default: adopt_if_unowned)",
    )
    group.add_argument(
        "--ignore-field",
        dest="ignore_fields",
        metavar="FIELD",
        action="append",
        help="field to leave to others: Deployment/web:/spec/replicas (repeatable)",
    )
    arguments.add_flag(group, "--recreate", "delete and create anew what can not be changed in place")


def add_prune_kinds(group: argparse._ActionsContainer, text: str) -> None:
    """Add ``--prune-kind``."""
    group.add_argument("--prune-kind", dest="prune_kinds", metavar="KIND", action="append", help=f"{text} (repeatable)")


def add_force(group: argparse._ActionsContainer) -> None:
    """Add ``--force-conflicts``."""
    group.add_argument(
        "--force-conflicts",
        choices=["never", "own_fields", "all"],
        help="when to take fields of other managers (default: own_fields)",
    )


def add_waiting(parser: argparse.ArgumentParser, *, text: str = "wait until all objects are ready") -> Any:
    """Add waiting and the lock; returns the group."""
    group = parser.add_argument_group("waiting")
    arguments.add_switch(group, "--wait", f"{text} (default: yes)")
    group.add_argument(
        "--timeout",
        "--wait-timeout",
        dest="wait_timeout",
        metavar="SECONDS",
        type=arguments.seconds,
        help="how long to wait (default: 300)",
    )
    group.add_argument(
        "--lock-timeout",
        metavar="SECONDS",
        type=arguments.seconds,
        help="how long to wait for another run of the release to end (default: 60)",
    )
    return group


def add_carrying_out(parser: argparse.ArgumentParser) -> None:
    """Add what only a deployment uses. ``plan`` takes and checks it too: both stages get the same arguments."""
    waiting = add_waiting(parser)
    waiting.add_argument(
        "--stall-timeout",
        metavar="SECONDS",
        type=arguments.seconds,
        help="end waiting when nothing has happened for so long (default: 0, no such limit)",
    )
    waiting.add_argument(
        "--wait-for",
        metavar="EXPR",
        action="append",
        type=arguments.expression,
        help="condition=Ready or jsonpath={.status.phase}=Running, with an object before it if need be: "
        "Database/main:condition=Ready (repeatable)",
    )
    group = parser.add_argument_group("failure and history")
    arguments.add_flag(
        group, "--rollback-on-failure", "go back to the last deployed revision when applying or waiting fails"
    )
    group.add_argument(
        "--history-limit", metavar="N", type=arguments.count, help="revisions that the record keeps (default: 10)"
    )
    arguments.add_switch(group, "--history-secrets", "keep what Secrets held, which a rollback needs (default: yes)")


def add_approval(parser: argparse.ArgumentParser, *, files: bool = True) -> None:
    """Add approval; without `files` only what goes by the digest."""
    group = parser.add_argument_group("approval")
    if files:
        group.add_argument(
            "--plan-file", metavar="FILE", help="plan that was approved: carry out exactly that or refuse"
        )
    group.add_argument("--plan-digest", metavar="DIGEST", help="digest of the plan that was approved")
    arguments.add_flag(
        group, "--require-approval", "refuse to change anything without an approved plan and --approved-by"
    )
    group.add_argument("--approved-by", metavar="WHO", help="who approved the plan; kept in the record")
    if files:
        group.add_argument(
            "--approval-max-age",
            metavar="SECONDS",
            type=arguments.seconds,
            help="how long a plan file holds (default: 0, for ever)",
        )


def add_output(parser: argparse.ArgumentParser, *forms: str) -> None:
    """Add the form of the result; text is the default."""
    parser.add_argument(
        "-o", "--output", choices=["text", *forms], default="text", help="form of the result (default: text)"
    )


# --- what they become ------------------------------------------------------------------------------------------------


def release_options(args: argparse.Namespace) -> ReleaseOptions:
    """Return the options of a deployment; standard input is read if a source is ``-``.

    Raises:
        InputError: Sources that do not go together, or standard input that is empty or no text.
    """
    from ..core.delivery import ReleaseOptions

    given = vars(args)
    options = {f.name: given[f.name] for f in dataclasses.fields(ReleaseOptions) if f.name in given}
    if _STDIN in options.get("src", ()):
        options["definition"] = _standard_input(options.pop("src"))
    helm = {name: given[option] for option, name in _HELM.items() if option in given}
    if helm:
        if "chart" not in helm:
            raise InputError("the options --helm-... need --helm-chart")
        options["helm"] = helm
    return ReleaseOptions(**options)


def _standard_input(src: Sequence[str]) -> str:
    if len(src) > 1:
        raise InputError("-f - stands alone: standard input goes with no other source")
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"standard input is not UTF-8 text: {error.reason} at byte {error.start}") from error
    if not text.strip():
        raise EmptySetError("standard input holds no manifests", hint="Did what writes to it fail?")
    return text
