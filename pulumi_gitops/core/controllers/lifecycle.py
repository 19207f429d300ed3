# SPDX-License-Identifier: Apache-2.0
"""What is particular to each controller while it is installed and removed.

Apart from :mod:`.traits`, as only an installation needs it: with it come rendering, Git and bcrypt.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ..cluster import Cluster
from ..deploy import Change, DeployResult, ProgressCallback, ReleaseSpec, deploy
from ..objects import ObjectRef
from .argocd import self_managed
from .argocd.admin import ensure_password
from .flux import operating
from .specs import ControllerSpec
from .weave_gitops.admin import ensure_login, own_secrets
from .weave_gitops.by_flux import deploy_chart
from .weave_gitops.chart import for_user


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """One installation or removal of a controller that has nothing particular.

    Attributes:
        cluster: Where.
        spec: What is asked for.
        namespace: Namespace of the controller.
        check: Change nothing, return what would be.
        progress: Called for each step.
    """

    cluster: Cluster
    spec: ControllerSpec
    namespace: str
    check: bool
    progress: ProgressCallback | None

    def log_in(self, release: ReleaseSpec) -> tuple[tuple[Change, ...], ReleaseSpec]:
        """Make sure of the administrator of `admin_secret`.

        Returns:
            What changed for it, and the release with rights for that user.
        """
        return (), release

    def leave(self) -> self_managed.Left:
        """End the management of the controller by itself; nothing to end is no change."""
        return self_managed.Left()

    def deploy(self, release: ReleaseSpec) -> DeployResult:
        """Deploy the release of the controller; errors as :func:`..deploy.deploy`."""
        return deploy(self.cluster, release, check=self.check, progress=self.progress)

    def own_secrets(self) -> list[ObjectRef]:
        """Return Secrets that we made beside the release, and that go with it."""
        return []

    def remove_first(self) -> tuple[Change, ...]:
        """Remove what has to go while the controller still runs."""
        return ()


class _ArgoCD(Lifecycle):
    __slots__ = ()

    def log_in(self, release: ReleaseSpec) -> tuple[tuple[Change, ...], ReleaseSpec]:
        if self.spec.admin_secret is None:
            return (), release
        return ensure_password(self.cluster, self.spec.admin_secret, self.namespace, check=self.check), release

    def leave(self) -> self_managed.Left:
        return self_managed.leave(
            self.cluster,
            self.spec.name,
            self.namespace,
            check=self.check,
            timeout=self.spec.wait_timeout,
            progress=self.progress,
        )


class _Flux(Lifecycle):
    __slots__ = ()

    def deploy(self, release: ReleaseSpec) -> DeployResult:
        by_operator = self.spec.method == "operator"
        deploy_flux = operating.deploy_operator if by_operator else operating.deploy_manifests
        return deploy_flux(self.cluster, release, check=self.check, progress=self.progress)

    def remove_first(self) -> tuple[Change, ...]:
        timeout = self.spec.wait_timeout
        return operating.remove_instance(
            self.cluster, self.namespace, check=self.check, timeout=timeout, progress=self.progress
        )


class _WeaveGitOps(Lifecycle):
    __slots__ = ()

    def log_in(self, release: ReleaseSpec) -> tuple[tuple[Change, ...], ReleaseSpec]:
        if self.spec.admin_secret is None:
            return (), release
        login = ensure_login(self.cluster, self.spec.admin_secret, self.namespace, check=self.check)
        return login.changes, dataclasses.replace(release, objects=for_user(release.objects, login.username))

    def deploy(self, release: ReleaseSpec) -> DeployResult:
        deploy_release = deploy_chart if self.spec.method == "helm_release" else deploy
        return deploy_release(self.cluster, release, check=self.check, progress=self.progress)

    def own_secrets(self) -> list[ObjectRef]:
        return own_secrets(self.cluster, self.namespace)


_LIFECYCLES = {"argocd": _ArgoCD, "flux": _Flux, "weave_gitops": _WeaveGitOps}


def lifecycle(
    cluster: Cluster, spec: ControllerSpec, namespace: str, *, check: bool, progress: ProgressCallback | None
) -> Lifecycle:
    """Return the installation or removal of a controller of the catalog; arguments as of :class:`Lifecycle`."""
    return _LIFECYCLES[spec.name](cluster, spec, namespace, check, progress)
