# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change at any time.

"""What the modules for push-style releases share; the documentation of the options is in doc_fragments/_release.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.iac.gitops.plugins.module_utils._common import EngineModule

NAMED = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "force_conflicts": {"type": "str", "default": "own_fields", "choices": ["never", "own_fields", "all"]},
}

SOURCE = {
    "definition": {"type": "raw"},
    "src": {"type": "list", "elements": "raw"},
    "kustomize": {"type": "path"},
    "helm": {
        "type": "dict",
        "options": {
            "chart": {"type": "str", "required": True},
            "version": {"type": "str"},
            "values": {"type": "dict"},
            "value_files": {"type": "list", "elements": "path"},
            "release_name": {"type": "str"},
        },
    },
    "remote_src": {"type": "bool", "default": False},
    "allow_network": {"type": "bool", "default": False},
    "images": {"type": "dict", "default": {}},
    "image_paths": {"type": "list", "elements": "str", "default": []},
    "replicas": {"type": "dict", "default": {}},
    "labels": {"type": "dict", "default": {}},
    "annotations": {"type": "dict", "default": {}},
    "set_namespace": {"type": "bool", "default": False},
    "create_namespace": {"type": "bool", "default": True},
    "prune": {"type": "bool", "default": True},
    "prune_kinds": {
        "type": "list",
        "elements": "str",
        "default": [],
        "choices": ["Namespace", "CustomResourceDefinition", "PersistentVolumeClaim"],
    },
    "prune_limit": {"type": "int"},
    "wait_for": {"type": "list", "elements": "raw", "default": []},
    "ownership": {
        "type": "str",
        "default": "adopt_if_unowned",
        "choices": ["must_match", "adopt_if_unowned", "adopt"],
    },
    "ignore_fields": {"type": "list", "elements": "str", "default": []},
    "recreate": {"type": "bool", "default": False},
}
SOURCES = ("definition", "src", "kustomize", "helm")

RUN = {
    "lock_timeout": {"type": "int", "default": 60},
    "plan_digest": {"type": "str"},
    "require_approval": {"type": "bool", "default": False},
    "approved_by": {"type": "str"},
}


class ReleaseModule(EngineModule):
    """A module that works on a release."""

    def request(self, **more: Any) -> Any:
        """Render the sources and return the engine's ReleaseSpec; shows what the rendering warned of.

        Args:
            more: Options of ReleaseOptions that win over the module's options of the same names.
        """
        from pulumi_gitops.core.delivery import ReleaseOptions, request

        found = request(self.spec(ReleaseOptions, **self._handed_over(), **more), face="ansible")
        self.warn_all(found.warnings)
        return found.spec

    def _handed_over(self) -> dict[str, Any]:
        """Return the objects in the texts that the action plugin has read on the controller."""
        from pulumi_gitops.core.errors import EmptySetError
        from pulumi_gitops.core.yamlio import load_manifests

        texts = [source for source in self.params["src"] or [] if isinstance(source, dict)]
        if not texts:
            return {}
        objects = [obj for text in texts for obj in load_manifests(text["content"], source=text["path"])]
        if not objects:
            raise EmptySetError(f"no manifests in {', '.join(text['path'] for text in texts)}")
        return {"src": None, "definition": objects}

    def outcome(self, result: Any) -> dict[str, Any]:
        """Return what a run of the engine did, as the result of the module."""
        from pulumi_gitops.core.deploy.model import counts

        self.warn_all(result.warnings)
        return self.report(
            result.changes,
            revision=result.revision,
            digest=result.digest,
            plan_digest=result.plan_digest,
            rolled_back_to=result.rolled_back_to,
            counts=counts(result.changes),
        )
