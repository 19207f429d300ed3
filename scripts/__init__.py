# SPDX-License-Identifier: Apache-2.0
"""Scripts for those who work on the code."""
