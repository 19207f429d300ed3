# SPDX-License-Identifier: Apache-2.0
"""Weave GitOps: its chart, rendered here or handed to Flux, and the login of its user."""
