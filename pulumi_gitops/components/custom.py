# SPDX-License-Identifier: Apache-2.0
"""What the Python classes of the provider's custom resources have in common."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import pulumi

from ..core import __version__
from ..core.render.boundary import is_remote
from .options import camel


class GitOpsResource(pulumi.CustomResource):
    """A resource of the provider.

    Names are translated here and not by the SDK, which would translate the keys of maps (paths, manifests) as well.
    """

    def __init__(
        self, name: str, args: Mapping[str, Any], outputs: Sequence[str], opts: Optional[pulumi.ResourceOptions]
    ) -> None:
        given = {camel(key): value for key, value in args.items() if value is not None}
        unknown_yet = dict.fromkeys(map(camel, outputs))
        super().__init__(f"gitops:index:{type(self).__name__}", name, {**unknown_yet, **given}, versioned(opts))
        for output in outputs:
            setattr(self, output, pulumi.get(self, camel(output)))


def versioned(opts: Optional[pulumi.ResourceOptions]) -> pulumi.ResourceOptions:
    """Return the options with the version of the plugin that this package needs."""
    return pulumi.ResourceOptions.merge(pulumi.ResourceOptions(version=__version__), opts)


def beside_the_program(args: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return the arguments that have a value, with paths that the provider's process can open.

    It runs in another folder than an inline program.

    Args:
        args: Arguments of a resource.
        names: Those that are paths, or lists of paths.
    """
    values = {key: value for key, value in args.items() if value is not None}
    for name in names:
        if name in values:
            values[name] = pulumi.Output.from_input(values[name]).apply(_absolute)
    return values


def _absolute(path: Any) -> Any:
    if isinstance(path, list | tuple):
        return [_absolute(one) for one in path]
    return path if not path or is_remote(str(path)) else str(Path(path).expanduser().absolute())
