# SPDX-License-Identifier: Apache-2.0
"""Argo CD: the objects that wire it, what its status means, and how it is brought to sync."""
