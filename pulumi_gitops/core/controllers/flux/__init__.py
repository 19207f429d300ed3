# SPDX-License-Identifier: Apache-2.0
"""Flux: the objects that wire it, what their status means, and how it is brought to a revision."""
