# SPDX-License-Identifier: Apache-2.0
"""The options of a push-style deployment as every face takes them, and what the engine makes of them.

The Ansible module, the Pulumi resource and the command line have the options of :class:`ReleaseOptions`, with these
names and defaults; a test compares them. Values are plain JSON: what a playbook, a program and a shell can all say.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from .deploy import Approval, ForceConflicts, Ownership, ReleaseSpec, detect_origin, read_plan_file
from .deploy.wait_for import parse_wait_for
from .errors import InputError
from .render import Overrides, Sources, render

_E = TypeVar("_E", bound=enum.StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOptions:
    """A push-style deployment as a user describes it.

    Attributes:
        name: Name of the release, a DNS label of at most 63 characters.
        namespace: Namespace of the release, and of objects that name none.
        definition: The objects: one, a list of them, or YAML text. Exactly one of `definition`, `src`, `kustomize` and
            `helm` is needed.
        src: Files, folders and globs with manifests.
        kustomize: Folder of a kustomization.
        helm: A chart: ``chart`` (folder, archive or ``oci://``), ``version``, ``values``, ``value_files``,
            ``release_name``.
        allow_network: Let kustomize and helm fetch what they refer to.
        images: Container or repository -> image reference.
        image_paths: More places where images stand, for custom kinds: ``spec.image``.
        replicas: Workload -> number of replicas.
        labels: Labels for every object and pod template.
        annotations: Annotations for every object and pod template.
        set_namespace: Move every object that names a namespace into `namespace`.
        create_namespace: Create the namespace if it does not exist.
        prune: Remove objects of the release that are no longer in the set.
        prune_kinds: Namespace, CustomResourceDefinition, PersistentVolumeClaim: those that prune may remove too.
        prune_limit: The most objects that prune may remove in one run; any number when absent.
        wait: Wait until all objects are ready.
        wait_timeout: Seconds to wait.
        stall_timeout: Seconds without any progress after which waiting ends; 0 for no such limit.
        wait_for: More conditions for readiness: ``condition=Ready``, ``jsonpath={.status.phase}=Running``, or a mapping
            that limits one to an object (``kind``, ``name``, ``condition`` or ``jsonpath``).
        force_conflicts: ``never``, ``own_fields`` or ``all``: when to take fields of other managers.
        ownership: ``must_match``, ``adopt_if_unowned`` or ``adopt``: which existing objects to take in.
        ignore_fields: Fields to leave to others: ``Deployment/web:/spec/replicas``.
        recreate: Delete and create anew what can not be changed in place.
        rollback_on_failure: Go back to the last deployed revision when applying or waiting fails.
        history_limit: Revisions that the record keeps.
        history_secrets: Keep what Secrets held in the record, which a rollback needs to restore them.
        lock_timeout: Seconds to wait for another run of the release to end.
        plan_file: Plan that was approved: deploy exactly that or refuse.
        plan_digest: Digest of the plan that was approved, instead of `plan_file`.
        require_approval: Refuse to change anything without an approved plan and `approved_by`.
        approved_by: Who approved the plan; kept in the record.
        approval_max_age: Seconds for which a plan file holds; 0 for ever.
    """

    name: str
    namespace: str
    definition: Any = field(default=None, repr=False)
    src: Any = None
    kustomize: str = ""
    helm: Mapping[str, Any] | None = field(default=None, repr=False)
    allow_network: bool = False
    images: Mapping[str, str] = field(default_factory=dict)
    image_paths: Sequence[str] = ()
    replicas: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    set_namespace: bool = False
    create_namespace: bool = True
    prune: bool = True
    prune_kinds: Sequence[str] = ()
    prune_limit: int | None = None
    wait: bool = True
    wait_timeout: float = 300
    stall_timeout: float = 0
    wait_for: Sequence[Any] = ()
    force_conflicts: str = "own_fields"
    ownership: str = "adopt_if_unowned"
    ignore_fields: Sequence[str] = ()
    recreate: bool = False
    rollback_on_failure: bool = False
    history_limit: int = 10
    history_secrets: bool = True
    lock_timeout: float = 60
    plan_file: str | None = None
    plan_digest: str | None = None
    require_approval: bool = False
    approved_by: str = ""
    approval_max_age: float = 0


# What decides over the set of objects; the rest says how to work on it.
SET_OPTIONS = frozenset(
    {
        *("definition", "src", "kustomize", "helm", "allow_network"),
        *("images", "image_paths", "replicas", "labels", "annotations", "set_namespace"),
    }
)


@dataclass(frozen=True, slots=True)
class Request:
    """What the options stand for.

    Attributes:
        spec: What the engine deploys.
        warnings: What the rendering warned of.
    """

    spec: ReleaseSpec
    warnings: tuple[str, ...] = ()


def request(
    options: ReleaseOptions, *, face: str, base: Path | None = None, facts: Mapping[str, str] | None = None
) -> Request:
    """Render the set and translate the options. Needs no cluster.

    Args:
        options: What the user wants.
        face: ``ansible``, ``pulumi`` or ``cli``.
        base: Folder that relative paths start from; default the working directory.
        facts: Facts that the record keeps.

    Raises:
        InputError: An option is not valid; ``details["property"]`` names it where it can be told.
        GitOpsError: The set can not be rendered.
    """
    settings = _settings(options, face)
    rendered = render(
        Sources(
            definition=options.definition,
            src=options.src,
            kustomize=options.kustomize,
            helm=options.helm,
            allow_network=options.allow_network,
        ),
        Overrides(
            images=options.images,
            image_paths=options.image_paths,
            replicas=options.replicas,
            labels=options.labels,
            annotations=options.annotations,
            namespace=options.namespace if options.set_namespace else "",
        ),
        release=options.name,
        namespace=options.namespace,
        base=base,
    )
    return Request(ReleaseSpec(objects=rendered.objects, facts=facts or {}, **settings), rendered.warnings)


def _settings(options: ReleaseOptions, face: str) -> dict[str, Any]:
    """Check and translate what does not decide over the set, before anything is rendered."""
    same = (
        *("name", "namespace", "create_namespace", "prune", "prune_kinds", "prune_limit", "wait", "wait_timeout"),
        *("stall_timeout", "ignore_fields", "recreate", "rollback_on_failure", "history_limit", "history_secrets"),
        "lock_timeout",
    )
    settings = {name: getattr(options, name) for name in same}
    settings["force_conflicts"] = choice("force_conflicts", options.force_conflicts, ForceConflicts)
    settings["ownership"] = choice("ownership", options.ownership, Ownership)
    settings["wait_for"] = tuple(map(parse_wait_for, options.wait_for))
    settings["approval"] = approval(options)
    settings["origin"] = detect_origin(face)
    ReleaseSpec(objects=(), **settings).check()
    return settings


def choice(name: str, value: str, kind: type[_E]) -> _E:
    """Return the member of an enumeration that an option names.

    Raises:
        InputError: It names none.
    """
    try:
        return kind(value)
    except ValueError as error:
        raise InputError(f"{name}: {value!r} is none of {', '.join(kind)}", details={"property": name}) from error


def approval(options: Any) -> Approval:
    """Return the approval that options of the names above stand for.

    Args:
        options: Has ``plan_file``, ``plan_digest``, ``require_approval``, ``approved_by`` and ``approval_max_age``.

    Raises:
        InputError: A plan file and another digest are given, one of them is empty, or the file is no plan file.
        SourceUnavailableError: The plan file can not be read.
    """
    common = {
        "required": options.require_approval,
        "approved_by": options.approved_by,
        "max_age": options.approval_max_age,
    }
    for name in ("plan_file", "plan_digest"):
        if getattr(options, name) == "":
            # An unset variable of a CI stage must not turn the gate off.
            raise InputError(
                f"{name} is empty", hint="Leave it out, or hand the plan over.", details={"property": name}
            )
    if not options.plan_file:
        return Approval(plan_digest=options.plan_digest or "", **common)
    found = read_plan_file(options.plan_file, **common)
    if options.plan_digest and options.plan_digest != found.plan_digest:
        raise InputError(
            f"plan_digest is {options.plan_digest}, but the plan in {options.plan_file} has {found.plan_digest}",
            hint="Give one of the two.",
            details={"property": "plan_digest"},
        )
    return found
