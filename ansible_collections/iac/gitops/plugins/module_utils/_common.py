# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change at any time.

"""What the modules share: options, the way to the engine, and the shape of results."""

from __future__ import annotations

import dataclasses
import json
import os
from itertools import islice
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleFallbackNotFound, heuristic_log_sanitize

from ansible_collections.iac.gitops.plugins.module_utils._engine import require_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

# A result goes through several queues and callbacks, into logs and into AWX's database, whole each time.
MOST_ENTRIES = 500
MOST_FIELDS = 100  # of one object
MOST_WARNINGS = 20
MOST_CHARACTERS = 1_000_000  # of a list, and of all differences together
LONGEST_DIFF = 100_000  # of one object; Ansible's own modules stop at the same size
HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"  # the words that Ansible itself uses
_URLS = frozenset({"url", "manifests", "mirror", "proxy", "server", "github_app_url"})
_CONTENTS = frozenset({"definition", "patches", "config", "values", "sources", "generators", "template", "exec_plugin",
                       "substitute", "kustomize"})  # fmt: skip
_CHART_CONTENTS = frozenset({"values", "parameters"})


def environment(*names: str) -> str:
    """Fallback of an option: the first of these variables that is set and not empty (as kubernetes.core reads them)."""
    for name in names:
        value = os.environ.get(name)
        if value:
            return value
    raise AnsibleFallbackNotFound


def _k8s_auth(*names: str) -> tuple[Callable[..., str], list[str]]:
    return environment, ["K8S_AUTH_" + name for name in names]


CONNECTION = {
    "kubeconfig": {"type": "raw", "fallback": _k8s_auth("KUBECONFIG")},
    "context": {"type": "str", "fallback": _k8s_auth("CONTEXT")},
    "host": {"type": "str", "fallback": _k8s_auth("HOST")},
    "api_key": {"type": "str", "no_log": True, "fallback": _k8s_auth("API_KEY")},
    "validate_certs": {
        "type": "bool",
        "aliases": ["verify_ssl"],
        "fallback": _k8s_auth("VALIDATE_CERTS", "VERIFY_SSL"),
    },
    "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"], "fallback": _k8s_auth("CA_CERT", "SSL_CA_CERT")},
    "client_cert": {"type": "path", "aliases": ["cert_file"], "fallback": _k8s_auth("CLIENT_CERT", "CERT_FILE")},
    "client_key": {
        "type": "path",
        "no_log": False,
        "aliases": ["key_file"],
        "fallback": _k8s_auth("CLIENT_KEY", "KEY_FILE"),
    },
    "proxy": {"type": "str", "fallback": _k8s_auth("PROXY")},
    "no_proxy": {"type": "str", "fallback": _k8s_auth("NO_PROXY")},
    "proxy_headers": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "proxy_basic_auth": {
                "type": "str",
                "no_log": True,
                "fallback": _k8s_auth("PROXY_HEADERS_PROXY_BASIC_AUTH"),
            },
            "basic_auth": {"type": "str", "no_log": True, "fallback": _k8s_auth("PROXY_HEADERS_BASIC_AUTH")},
            "user_agent": {"type": "str", "fallback": _k8s_auth("PROXY_HEADERS_USER_AGENT")},
        },
    },
    "impersonate_user": {"type": "str", "fallback": _k8s_auth("IMPERSONATE_USER")},
    "impersonate_groups": {"type": "list", "elements": "str", "fallback": _k8s_auth("IMPERSONATE_GROUPS")},
}

WAIT = {
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
}

CONTROLLER = {"type": "str", "default": "argocd", "choices": ["argocd", "flux"]}  # that repositories are wired to
INSTALLED = {"type": "str", "default": "argocd", "choices": ["argocd", "flux", "weave_gitops"]}
STATE = {"type": "str", "default": "present", "choices": ["present", "absent"]}


class EngineModule:
    """What our modules add to AnsibleModule: the way to the engine, and manifests kept out of logs and ``invocation``.

    A base beside AnsibleModule and not under it, as ansible-lint puts a class that never runs in the place of
    AnsibleModule that the module's own file imports. ``no_log`` is of no use for manifests: it would blank out every
    word of them (``v1``, ``true``) in all results.
    """

    # Before the name of an option of the module that the connection has an option of the same name for.
    prefix = ""
    params: dict[str, Any]
    argument_spec: dict[str, Any]
    _diff: bool

    def work(self) -> dict[str, Any]:
        """Do what the module is for and return its result; may raise any error of the engine."""
        raise NotImplementedError

    def run(self) -> None:
        """Work, then exit: with the result, or with the message, code, hint and details of an error."""
        require_engine(self)
        from pulumi_gitops.core.errors import GitOpsError

        result, failure = {}, None
        try:
            result = self.work()
        except GitOpsError as error:
            failure = error
        # Outside of the handler, as Ansible reports the exception that is being handled, with its causes.
        if failure is not None:
            self.fail_json(failure.message, code=failure.code, hint=failure.hint, details=presentable(failure.details))
        self.exit_json(**result)

    def log(self, msg: str, log_args: dict[str, Any] | None = None) -> None:
        """Write nothing to the system log: AnsibleModule would write every option, Secrets in manifests included."""

    def exit_json(self, **kwargs: Any) -> None:
        """Return a result, ``invocation`` without contents."""
        super().exit_json(invocation=self._invocation(), **kwargs)

    def fail_json(self, msg: str, **kwargs: Any) -> None:
        """Return an error, ``invocation`` without contents."""
        super().fail_json(msg=msg, invocation=self._invocation(), **kwargs)

    def _invocation(self) -> dict[str, Any]:
        return {"module_args": {name: _shown(name, value) for name, value in self.params.items()}}

    def connection(self) -> Any:
        """Return the engine's ConnectionOptions."""
        from pulumi_gitops.core.cluster import ConnectionOptions

        given = {name: self.params[name] for name in CONNECTION if self.params[name] is not None}
        headers = {name: value for name, value in given.pop("proxy_headers", {}).items() if value is not None}
        groups = tuple(given.pop("impersonate_groups", ()))
        return ConnectionOptions(proxy_headers=headers or None, impersonate_groups=groups, **given)

    def spec(self, kind: type, **more: Any) -> Any:
        """Make a dataclass of the engine from the options of the same names; what is not given keeps its default.

        ``ca_cert`` and its like are options of the connection; where the dataclass has a field of that name, the
        module's own option is ``<prefix>_ca_cert``.
        """
        taken = CONNECTION if "kubeconfig" in self.params else {}
        names = [field.name for field in dataclasses.fields(kind)]
        options = {name: f"{self.prefix}_{name}" if name in taken else name for name in names}
        given = {name: self.given(option) for name, option in options.items() if option in self.params}
        return kind(**{name: value for name, value in given.items() if value is not None} | more)

    def given(self, option: str) -> Any:
        """Return the value of an option, None for its default; of a dictionary with known keys only those given."""
        value, told = self.params[option], self.argument_spec[option]
        if isinstance(value, dict) and told.get("options"):
            value = {key: entry for key, entry in value.items() if entry is not None}
        # The engine has the same defaults, and refuses what was given of the options of another controller.
        return None if value == told.get("default") else value

    def report(self, changes: Iterable[Any], **values: Any) -> dict[str, Any]:
        """Return a result that names each changed object, with a diff of each in diff mode."""
        changes = list(changes)
        changed = [change for change in changes if change.changed]
        self.warn_all(
            f"{change.ref} was left alone: {change.reason}" for change in changes if change.action == "handed_over"
        )
        return {
            "changed": bool(changed),
            **bounded("changes", changed, lambda change: change.as_dict()),
            **self.diffs(changed, change_diff),
            **values,
        }

    def warn_all(self, texts: Iterable[str]) -> None:
        """Show warnings; when there are very many, the first ones and the number of the others."""
        texts = list(texts)
        for text in texts[:MOST_WARNINGS]:
            self.warn(text)
        if len(texts) > MOST_WARNINGS:
            self.warn(f"and {len(texts) - MOST_WARNINGS} more warnings like these")

    def diffs(self, items: Sequence[Any], show: Callable[[Any], dict[str, str]]) -> dict[str, Any]:
        """Return the part of a result that diff mode adds: one entry per object or file.

        Args:
            items: What changed.
            show: Makes the entry of one of them.
        """
        if not self._diff:
            return {}
        entries, room = [], MOST_CHARACTERS
        for item in islice(items, MOST_ENTRIES):
            entry = _short(show(item))
            room -= sum(map(len, entry.values()))
            if room < 0:
                break
            entries.append(entry)
        if len(entries) < len(items):
            entries.append({"prepared": f"{len(items) - len(entries)} more differences are not shown\n"})
        return {"diff": entries}


def change_diff(change: Any) -> dict[str, str]:
    """Return the entry of a change: both texts, or for a huge object the fields that differ."""
    entry = change.diff()
    if len(entry["before"]) + len(entry["after"]) <= LONGEST_DIFF or not change.fields:
        return entry
    fields = change.fields
    lines = [entry["after_header"], *(f"  {field}" for field in fields[:MOST_FIELDS])]
    if len(fields) > MOST_FIELDS:
        lines.append(f"  and {len(fields) - MOST_FIELDS} more fields")
    return {"prepared": "\n".join(lines) + "\n"}


def _short(entry: dict[str, str]) -> dict[str, str]:
    size = sum(map(len, entry.values()))
    if size <= LONGEST_DIFF:
        return entry
    header = entry.get("after_header", "")
    return {"prepared": f"{header}\n  {size} characters, too many to be shown\n"}


def bounded(name: str, items: Sequence[Any], entry: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a list of a result and ``<name>_omitted``, the number of items that would have made it too long.

    Args:
        name: Key of the list.
        items: What it is made of.
        entry: Makes the entry of one of them.
    """
    shown, room = [], MOST_CHARACTERS
    for item in islice(items, MOST_ENTRIES):
        shown.append(entry(item))
        room -= len(json.dumps(shown[-1]))
        if room < 0:
            shown.pop()
            break
    return {name: shown, f"{name}_omitted": len(items) - len(shown)}


def presentable(value: Any) -> Any:
    """Return the details of an error without known secrets, and with long lists cut (``<key>_omitted`` counts)."""
    from pulumi_gitops.core.redact import redact

    if isinstance(value, str):
        return redact(value)
    if isinstance(value, (list, tuple)):
        return [presentable(item) for item in value[:MOST_ENTRIES]]
    if isinstance(value, dict):
        return dict(_presentable_items(value))
    return value


def _presentable_items(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        yield key, presentable(value)
        if isinstance(value, (list, tuple)) and len(value) > MOST_ENTRIES:
            yield f"{key}_omitted", len(value) - MOST_ENTRIES


def _shown(name: str, value: Any) -> Any:
    """Hide what holds contents (manifests, files, a kubeconfig that is not a path) and the password in a URL."""
    if value is None:
        return None
    if name in _URLS and isinstance(value, str):
        return heuristic_log_sanitize(value)
    if name == "kubeconfig":
        return value if isinstance(value, str) and "\n" not in value else HIDDEN
    if name == "src":
        return [entry["path"] if isinstance(entry, dict) else entry for entry in value]
    if name == "self_manage":
        return {**value, "url": _shown("url", value.get("url"))} if isinstance(value, dict) else HIDDEN
    if name == "files":
        return dict.fromkeys(value, HIDDEN)
    if name == "helm":
        return {**value, **dict.fromkeys(_CHART_CONTENTS & set(value), HIDDEN)} if isinstance(value, dict) else HIDDEN
    # `template` of a repository is yes or no, `kustomize` of a release a path.
    plain = isinstance(value, bool) or (name == "kustomize" and isinstance(value, str))
    return HIDDEN if name in _CONTENTS and not plain else value
