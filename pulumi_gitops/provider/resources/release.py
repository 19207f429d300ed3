# SPDX-License-Identifier: Apache-2.0
"""``gitops:index:Release``: a push-style deployment."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from ...core.cluster import Cluster
from ...core.delivery import ReleaseOptions, approval, choice, request
from ...core.deploy import (
    DeployResult,
    ForceConflicts,
    Plan,
    ReleaseState,
    deploy,
    detect_origin,
    plan,
    read_release,
    remove,
    rollback,
)
from ...core.deploy.approving import check_approval
from ...core.deploy.report import summary
from ...core.errors import (
    ClusterConfigError,
    ClusterUnreachableError,
    GitOpsError,
    InputError,
    RolledBackError,
    UnknownKindError,
)
from ..values import UNKNOWN, Path, has_unknown
from . import records
from .base import Context, PartialFailureError, Values, option
from .options import OPTIONS, SET, release_options

_FACE = "pulumi"
# Beside what decides over the set these decide over the cluster: what an update of the same set removes.
_REMOVING = frozenset({"prune", "pruneKinds"})


class Release:
    """Deploys objects, keeps their keys and digests (not their text, if it comes from files), finds drift.

    The input ``objects`` tells what the program wants, the state's ``objects`` what is deployed. The two differ after a
    rollback: the difference is what the next update will do.
    """

    outputs: ClassVar[tuple[str, ...]] = ("revision", "digest", "inventory", "planDigest", "rolledBackTo")
    replaces: ClassVar[frozenset[str]] = frozenset({"release", "namespace"})
    keyed: ClassVar[frozenset[str]] = frozenset({"objects"})
    ignored: ClassVar[frozenset[str]] = frozenset(OPTIONS) - replaces - _REMOVING
    resumable: ClassVar[bool] = True

    def secrets(self, inputs: Values) -> frozenset[Path]:
        """Return where the values of Secrets stand in ``definition``, which is kept in the state, and Helm's values."""
        helm = inputs.get("helm")
        chart: tuple[Path, ...] = (("helm", "values"),) if isinstance(helm, dict) and "values" in helm else ()
        return frozenset((*_secret_values(inputs.get("definition"), ("definition",)), *chart))

    def check(self, inputs: Values, context: Context) -> Values:
        """Fill in the release's name and, for the diff, one line per object."""
        checked = {"release": context.name, **inputs}
        to = checked.get("rollbackTo")
        if isinstance(to, int) and to < 1:
            raise InputError(
                f"rollback_to is {to}, but revisions count from 1",
                hint="Leave it out to deploy the declared set.",
                details={"property": "rollback_to"},
            )
        if any(has_unknown(checked.get(name)) for name in (*SET, "namespace", "release")):
            return {**checked, "objects": UNKNOWN}
        made = request(release_options(checked, approval=False), face=_FACE)
        return {**checked, "objects": records.objects_of(made.spec.objects, made.spec.namespace)}

    def compared(self, old: Values, new: Values) -> tuple[Values, Values]:
        """Compare what is wanted with what is deployed; while a rollback is wanted, only drift counts."""
        deployed = old.get("objects")
        if "rollbackTo" not in new or not isinstance(deployed, dict):
            return old, new
        drifted = {key: text for key, text in deployed.items() if records.MARK in text}
        wanted = {key: text.partition(records.MARK)[0] for key, text in drifted.items()}
        return {**old, "objects": drifted}, {**new, "objects": wanted}

    def preview(self, inputs: Values, context: Context) -> Values:
        """Tell the digest of the plan, and warn of what would fail now.

        Only warn: an update before this one in the same run may put it right.
        """
        if not has_unknown(inputs):
            try:
                with context.connect() as cluster:
                    _foresee(cluster, inputs, context)
            except (ClusterConfigError, ClusterUnreachableError, UnknownKindError):
                pass  # the cluster or the CRD may be made by the same program
            except GitOpsError as error:
                _warn(error, context)
        return {"objects": UNKNOWN} if "rollbackTo" in inputs else {}

    def identity(self, inputs: Values) -> str:
        """Return ``namespace/release``."""
        return records.identity(inputs["release"], inputs["namespace"])

    def create(self, inputs: Values, context: Context) -> Values:
        """Deploy or roll back; the release may exist already, whichever face made it."""
        return self._bring_about(inputs, {}, context)

    def update(self, inputs: Values, state: Values, context: Context) -> Values:
        """Deploy again or roll back."""
        return self._bring_about(inputs, state, context)

    def _bring_about(self, inputs: Values, state: Values, context: Context) -> Values:
        options = release_options(inputs)
        spec = None
        if "rollbackTo" not in inputs:
            made = request(options, face=_FACE)
            for warning in made.warnings:
                context.warn(warning)
            spec = made.spec
        with context.connect() as cluster:
            before = read_release(cluster, options.name, options.namespace, drift=False)
            try:
                if spec is not None:
                    result = deploy(cluster, spec, progress=context.progress)
                else:
                    result = _roll_back(cluster, options, inputs["rollbackTo"], context)
            except GitOpsError as error:
                raise self._failed(cluster, options, before, inputs, state, error) from error
            outputs = _outputs(result, before)
            if spec is None:
                outputs["objects"] = _deployed_objects(cluster, options, state)
        return outputs

    def _failed(
        self,
        cluster: Cluster,
        options: ReleaseOptions,
        before: ReleaseState | None,
        inputs: Values,
        state: Values,
        error: GitOpsError,
    ) -> Exception:
        """Return the error that keeps what has become of the release; `error` itself when nothing was begun."""
        try:
            after = read_release(cluster, options.name, options.namespace, drift=False)
            if after is None or (before is not None and after.revisions == before.revisions):
                return error
            outputs = _outputs_of(after)
            if isinstance(error, RolledBackError):
                outputs["objects"] = _deployed_objects(cluster, options, state)
        except GitOpsError:  # the connection is lost: something may have been begun
            outputs = {name: state.get(name) for name in self.outputs}
        return PartialFailureError(outputs, error)

    def read(self, identity: str, inputs: Values, state: Values, context: Context) -> tuple[Values, Values] | None:
        """Compare the cluster with what was applied."""
        release, namespace = records.parse_identity(identity)
        with context.connect() as cluster:
            found = read_release(cluster, release, namespace)
        if found is None:
            return None
        known = state.get("objects") or inputs.get("objects") or {}
        objects = records.observed(found, known, state.get("inventory") or {})
        if "rollbackTo" in inputs:
            # The program does not tell that these are wanted, so what was removed has to stay to be missed.
            gone = {key: text.partition(records.MARK)[0] for key, text in known.items() if key not in objects}
            objects |= {key: f"{text}{records.MARK}removed in revision {found.revision}" for key, text in gone.items()}
        read = {"release": release, "namespace": namespace, **inputs}
        if objects != known or "objects" not in inputs:
            read["objects"] = objects
        outputs = {**_outputs_of(found), "objects": objects}
        problem = records.problem(found)
        if problem is not None:
            raise PartialFailureError(outputs, problem, read)
        return read, outputs

    def delete(self, identity: str, state: Values, context: Context) -> None:
        """Remove what was applied."""
        release, namespace = records.parse_identity(identity)
        with context.connect() as cluster:
            remove(
                cluster,
                release,
                namespace,
                wait_timeout=float(option(state, "waitTimeout", 300)),
                lock_timeout=float(option(state, "lockTimeout", 60)),
                delete_namespace=True,
                progress=context.progress,
            )


# --- preview ---------------------------------------------------------------------------------------------------------


def _foresee(cluster: Cluster, inputs: Values, context: Context) -> None:
    """Plan, and show what the diff per object does not tell."""
    if "rollbackTo" in inputs:
        made = _planned_rollback(cluster, release_options(inputs, approval=False), inputs["rollbackTo"], context)
    else:
        wanted = request(release_options(inputs, approval=False), face=_FACE)
        made = plan(cluster, wanted.spec)
        for warning in wanted.warnings:
            context.warn(warning)
    for warning in made.warnings:
        context.warn(warning)
    for change in made.refused:
        if change.error is not None:
            _warn(change.error, context)
    if not made.changed:
        return
    context.info(f"plan digest {made.digest} ({summary(made)})")
    approved = approval(release_options(inputs))
    if not made.objects:  # a rollback, whose plan does not tell what its digest is made of
        approved = dataclasses.replace(approved, objects={})
    if approved.plan_digest:
        check_approval(approved, f"{made.namespace}/{made.release}", made.digest, made.objects)


def _warn(error: GitOpsError, context: Context) -> None:
    context.warn(f"As things are now, this would fail: {error}")


# --- rolling back ----------------------------------------------------------------------------------------------------


def _roll_back(
    cluster: Cluster, options: ReleaseOptions, to: int, context: Context, *, check: bool = False
) -> DeployResult:
    return rollback(
        cluster,
        options.name,
        options.namespace,
        to=to,
        wait=options.wait,
        wait_timeout=float(options.wait_timeout),
        lock_timeout=float(options.lock_timeout),
        force_conflicts=choice("force_conflicts", options.force_conflicts, ForceConflicts),
        approval=approval(options),
        origin=detect_origin(_FACE),
        check=check,
        progress=context.progress,
    )


def _planned_rollback(cluster: Cluster, options: ReleaseOptions, to: int, context: Context) -> Plan:
    result = _roll_back(cluster, options, to, context, check=True)
    return result.as_plan(options.name, options.namespace)


# --- outputs ---------------------------------------------------------------------------------------------------------


def _outputs(result: DeployResult, before: ReleaseState | None) -> Values:
    """Return the outputs after a run; one that found nothing to do leaves them as they were."""
    if before is not None and before.revision == result.revision and records.problem(before) is None:
        return _outputs_of(before)
    return {**records.outputs(result), "planDigest": result.plan_digest, "rolledBackTo": result.rolled_back_to}


def _outputs_of(found: ReleaseState) -> Values:
    latest = found.revisions[-1] if found.revisions else None
    return {
        **records.outputs(found),
        "planDigest": latest.plan_digest if latest else "",
        "rolledBackTo": latest.rolled_back_to if latest else 0,
    }


def _deployed_objects(cluster: Cluster, options: ReleaseOptions, state: Values) -> dict[str, str]:
    return records.deployed_objects(cluster, options.name, options.namespace, state.get("objects") or {})


_SECRET_TEXT = re.compile(r"""["']?kind["']?\s*:\s*["']?Secret\b""")


def _secret_values(definition: Any, path: Path) -> Iterator[Path]:
    if isinstance(definition, str) and _SECRET_TEXT.search(definition):
        yield path
    elif isinstance(definition, list):
        for index, item in enumerate(definition):
            yield from _secret_values(item, (*path, index))
    elif isinstance(definition, dict):
        if definition.get("kind") == "Secret":
            yield from ((*path, part) for part in ("data", "stringData") if part in definition)
        yield from _secret_values(definition.get("items"), (*path, "items"))
