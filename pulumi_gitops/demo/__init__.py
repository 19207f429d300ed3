# SPDX-License-Identifier: Apache-2.0
"""The demo: one story on both faces, on a local control plane or on a cluster of the user's."""
