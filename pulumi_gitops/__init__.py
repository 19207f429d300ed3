# SPDX-License-Identifier: Apache-2.0
"""GitOps as a layer on the infrastructure as code that a team already runs."""
