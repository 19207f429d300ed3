# SPDX-License-Identifier: Apache-2.0
"""Objects of the engine as pulumi-kubernetes children of a component."""

from __future__ import annotations

import contextlib
import types
import typing
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from ..core.controllers import catalog
from ..core.errors import GitOpsError, InputError
from ..core.objects import KubeObject
from .options import credentials_of

Build = Callable[[Any], list[KubeObject]]
"""Makes the objects of a specification of the engine."""


@dataclass(frozen=True, slots=True)
class Wired:
    """The children of a component.

    Attributes:
        resources: In the order in which they are made; each depends on those before it.
        outline: The objects behind them, as far as they are known while the program runs: kinds and names.
        objects: The objects, without the content of Secrets. Secret if an option is secret that is no credential.
    """

    resources: tuple[pulumi.CustomResource, ...]
    outline: tuple[KubeObject, ...]
    objects: pulumi.Output[list[KubeObject]]

    def after(self, value: str) -> pulumi.Output[str]:
        """Return a value that is known at once; what it is given to depends on the children."""
        return pulumi.Output.all(*(resource.urn for resource in self.resources)).apply(lambda _: value)

    def has(self, kind: str, name: str) -> bool:
        """Tell whether there is an object of this kind and name."""
        return any((obj["kind"], obj["metadata"]["name"]) == (kind, name) for obj in self.outline)


def secret_credentials(values: Mapping[str, Any], spec: type) -> dict[str, Any]:
    """Return the arguments of a component with the credentials among them marked secret."""
    hidden = credentials_of(spec)
    return {key: pulumi.Output.secret(value) if key in hidden else value for key, value in values.items()}


def wire(
    parent: pulumi.ComponentResource,
    name: str,
    spec: type,
    build: Build,
    values: Mapping[str, Any],
    shape: Mapping[str, Any],
) -> Wired:
    """Make the objects of a specification as children of a component.

    Args:
        parent: The component.
        name: Its name, which is the name in the specification too.
        spec: Class of the specification.
        build: Makes its objects.
        values: Options; outputs may stand anywhere, except in what `shape` says.
        shape: What decides over which objects there are, beside which options are given.

    Raises:
        RunError: The controller is unknown. Other wrong values show when the outputs are known.
    """
    what = f"{type(parent).__name__} {name}"
    outlined = _Outlined(spec, build, {**_stand_ins(spec, values), **shape, "name": name})
    with _told(what):
        outline = outlined.objects({})

    def made(known: Mapping[str, Any]) -> list[KubeObject]:
        with _told(what):
            return _as_outlined(build(spec(name=name, **_given(known))), outline)

    def metadata(index: int) -> pulumi.Output[KubeObject]:
        decides = _IN_METADATA if "namespace" in outline[index]["metadata"] else _IN_NAMESPACE
        told = {key: value for key, value in public.items() if key in decides}
        return pulumi.Output.from_input(told).apply(lambda known: outlined.objects(known)[index]["metadata"])

    # Only stringData of Secrets holds credentials; the rest may be seen in previews and policies.
    hidden = credentials_of(spec)
    public = {key: _unsecret(value) if key in hidden else value for key, value in values.items()}
    shown = pulumi.Output.from_input(public).apply(made)
    full = pulumi.Output.from_input(dict(values)).apply(made)
    resources: list[pulumi.CustomResource] = []
    for index, obj in enumerate(outline):
        opts = pulumi.ResourceOptions(parent=parent, depends_on=list(resources))
        described = _metadata(obj, metadata(index), values.get("namespace"))
        resources.append(_child(obj, name, described, _nth(shown, index), _nth(full, index), opts))
    return Wired(tuple(resources), tuple(outline), shown)


@contextlib.contextmanager
def _told(what: str) -> Generator[None]:
    """Turn what the engine refuses into an error that Pulumi shows without a traceback."""
    try:
        yield
    except GitOpsError as error:
        raise pulumi.RunError(f"{what}: {error}") from error


def _unsecret(value: Any) -> pulumi.Output[Any]:
    return pulumi.Output.unsecret(pulumi.Output.from_input(value))


def _given(known: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _whole(value) for key, value in known.items() if value is not None}


def _whole(value: Any) -> Any:
    """Return a value as the program gave it: on its way from another language a whole number becomes a float."""
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# --- what is known while the program runs ----------------------------------------------------------------------------

_STAND_INS: Mapping[Any, Any] = {str: "x", int: 1, float: 1.0, bool: True, Mapping: {}, Sequence: ()}


# What shows in the metadata of objects with and without a namespace. An identity that depends on other options would
# make Pulumi replace an object when that is replaced which these come from.
_IN_METADATA = frozenset({"labels", "metadata", "sync_wave", "template", "wait_timeout"})
_IN_NAMESPACE = frozenset({"destination_namespace"})


class _Outlined:
    """Makes objects with stand-ins for options that are not known: of these only kinds and names count.

    Args:
        spec: Class of the specification.
        build: Makes its objects.
        stand_ins: Options.
    """

    def __init__(self, spec: type, build: Build, stand_ins: Mapping[str, Any]) -> None:
        self._spec, self._build, self._stand_ins = _unchecked(spec), build, stand_ins

    def objects(self, known: Mapping[str, Any]) -> list[KubeObject]:
        """Return the objects; `known` are options that are known.

        Raises:
            InputError: The controller is unknown, or has nothing that is wired.
        """
        made = self._spec(**{**self._stand_ins, **_given(known)})
        catalog.wiring_controller(made.controller)
        return self._build(made)


def _unchecked(spec: type) -> Any:
    """Return the class of a specification without the checks of values, which come when the values are known."""

    def no_checks(_: Any) -> None:
        """Take all values."""

    return type(spec.__name__, (spec,), {"__post_init__": no_checks})


def _stand_ins(spec: type, values: Mapping[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(spec)
    return {key: _stand_in(hints[key], value) for key, value in values.items()}


def _stand_in(hint: Any, value: Any) -> Any:
    if not isinstance(value, pulumi.Output) and not value:
        return value  # given, but empty
    kind = typing.get_args(hint)[0] if isinstance(hint, types.UnionType) else hint
    return _STAND_INS[typing.get_origin(kind) or kind]


def _as_outlined(objects: list[KubeObject], outline: Sequence[KubeObject]) -> list[KubeObject]:
    """Return the objects if they are those that the component has children for."""
    missing = [obj["kind"] for obj in outline]
    for obj in objects:
        if obj["kind"] in missing:
            missing.remove(obj["kind"])
    if missing:
        raise InputError(
            f"there is nothing to put into its {missing[0]}: an input is an output without a value",
            hint="Leave the input out when there is no value.",
        )
    return objects


# --- children --------------------------------------------------------------------------------------------------------


def _metadata(obj: KubeObject, made: pulumi.Output[KubeObject], namespace: Any) -> dict[str, Any]:
    """Return the metadata of the child for an object.

    Args:
        obj: Its outline.
        made: Its metadata from the options that decide over them.
        namespace: Namespace that the program gives, None for that of the outline.
    """
    outlined = obj["metadata"]
    metadata: dict[str, Any] = {"labels": made.apply(lambda m: m["labels"]), "annotations": made.apply(_annotations)}
    if "finalizers" in outlined:
        metadata["finalizers"] = outlined["finalizers"]
    if "namespace" not in outlined:
        return {"name": made.apply(lambda m: m["name"]), **metadata}
    place = outlined["namespace"] if namespace is None else namespace
    return {"name": outlined["name"], "namespace": place, **metadata}


def _annotations(metadata: Mapping[str, Any]) -> dict[str, str]:
    return {**(metadata.get("annotations") or {}), "pulumi.com/patchFieldManager": "pulumi-gitops"}


def _child(
    obj: KubeObject,
    name: str,
    metadata: Any,
    content: pulumi.Output[KubeObject],
    full: pulumi.Output[KubeObject],
    opts: pulumi.ResourceOptions,
) -> pulumi.CustomResource:
    """Register the child for an object.

    Args:
        obj: Its outline.
        name: Name of the component.
        metadata: Metadata of the child.
        content: The object, of a Secret without what it holds.
        full: The object with credentials.
        opts: Options of the child.
    """
    from pulumi_kubernetes.apiextensions import CustomResource
    from pulumi_kubernetes.core.v1 import ConfigMap, Namespace, Secret

    outlined = obj["metadata"]
    if obj["kind"] == "Namespace":
        return Namespace(name, metadata=metadata, opts=opts)
    if obj["kind"] == "Secret":
        data = full.apply(lambda o: o["stringData"])
        return Secret(outlined["name"], metadata=metadata, type=obj["type"], string_data=data, opts=opts)
    if obj["kind"] == "ConfigMap":
        return ConfigMap(outlined["name"], metadata=metadata, data=content.apply(lambda o: o["data"]), opts=opts)
    return CustomResource(
        outlined["name"],
        api_version=obj["apiVersion"],
        kind=obj["kind"],
        metadata=metadata,
        spec=content.apply(lambda o: o["spec"]),
        opts=opts,
    )


def _nth(objects: pulumi.Output[list[KubeObject]], index: int) -> pulumi.Output[KubeObject]:
    return objects.apply(lambda made: made[index])
