# SPDX-License-Identifier: Apache-2.0
"""What the components have in common: their inputs by name, and which cluster their children go to."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any, Optional

import pulumi


def camel(name: str) -> str:
    """Return the name that the schema has for an option: ``wait_timeout`` is ``waitTimeout``."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def uncamel(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return a mapping with the engine's names in place of the schema's, for the keys that are named.

    All other keys stay: in Python the engine's names are given, too.
    """
    known = {camel(name): name for name in names}
    return {known.get(key, key): value for key, value in values.items()}


def given(args: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Return the arguments of a component that have a value.

    Args:
        args: What the program gave.
        kind: TypedDict of the arguments.

    Raises:
        InputPropertyError: An argument is missing or unknown.
    """
    # A coroutine can be awaited once only, and its value goes to more than one child.
    values = {
        key: pulumi.Output.from_input(value) if inspect.isawaitable(value) else value
        for key, value in args.items()
        if value is not None
    }
    required: frozenset[str] = getattr(kind, "__required_keys__")  # noqa: B009  # type checkers do not know it
    for name in sorted(required - values.keys()):
        raise pulumi.InputPropertyError(name, "is required")
    for name in sorted(values.keys() - kind.__annotations__.keys()):
        raise pulumi.InputPropertyError(name, "is unknown")
    return values


def plain(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return those of the named arguments that are given.

    They decide over which resources a component has, so they have to be known when the program runs.

    Raises:
        InputPropertyError: One is an output.
    """
    for name in names:
        if isinstance(values.get(name), pulumi.Output):
            reason = "has to be a plain value, not an output: it decides over which resources there are"
            raise pulumi.InputPropertyError(name, reason)
    return {name: values[name] for name in names if name in values}


def credentials_of(spec: type) -> frozenset[str]:
    """Return the options of a specification of the engine that are credentials: those that it does not print."""
    return frozenset(field.name for field in dataclasses.fields(spec) if not field.repr)


def require_gitops_provider(opts: Optional[pulumi.ResourceOptions]) -> None:
    """Refuse a component whose pulumi-kubernetes children are led to a cluster, but not those of our provider.

    They would go to the default kubeconfig, silently.

    Raises:
        InputPropertyError: There is a ``kubernetes`` provider and no ``gitops`` provider.
    """
    names = _provider_names(opts)
    if "kubernetes" in names and "gitops" not in names:
        raise pulumi.InputPropertyError("providers", "a kubernetes provider needs a gitops provider beside it")


def _provider_names(opts: Optional[pulumi.ResourceOptions]) -> set[str]:
    if opts is None:
        return set()
    parent, packages = opts.parent, ("kubernetes", "gitops")
    names = {package for package in packages if parent is not None and parent.get_provider(f"{package}:index:Any")}
    if opts.provider is not None:
        names.add(opts.provider.package)
    if isinstance(opts.providers, Mapping):
        return names | set(opts.providers)
    return names | {provider.package for provider in opts.providers or ()}
