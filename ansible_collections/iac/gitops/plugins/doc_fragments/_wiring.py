# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change at any time.

from __future__ import annotations


class ModuleDocFragment:
    """Options that say which controller is meant, and where it is; their specs are in module_utils/_wiring.py."""

    DOCUMENTATION = r"""
options:
  namespace:
    description: Namespace of the controller. Default is that of its standard installation, V(argocd) or V(flux-system).
    type: str
"""

    ANY_CONTROLLER = r"""
options:
  controller:
    description: Which controller.
    type: str
    choices: [argocd, flux]
    default: argocd
"""

    ARGOCD = r"""
options:
  controller:
    description: Which controller; only Argo CD has this.
    type: str
    choices: [argocd]
    default: argocd
"""

    FLUX = r"""
options:
  controller:
    description: Which controller; only Flux has this.
    type: str
    choices: [flux]
    default: flux
"""
