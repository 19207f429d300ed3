# SPDX-License-Identifier: Apache-2.0
"""What pods are stuck in: pure rules, with the time that each trouble may last."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .states import Trouble, View, dicts, mapping, number

# A registry that is restarted, or a tag that is pushed a moment after the manifest is applied, is back within the
# first two pulls (kubelet tries again after 10 s, then 20 s).
IMAGE_SECONDS = 10.0
# A container that waits for its database crashes once or twice while that comes up; two restarts are three crashes.
CRASHES = 2
# ConfigMaps and Secrets of the same set are applied before; operators (external-secrets, sealed-secrets) need a while.
CONFIG_SECONDS = 30.0
# kstatus has the same. Pods that are ending and nodes that are being added prolong it (podwatch.py).
UNSCHEDULABLE_SECONDS = 15.0
# "pod has unbound immediate PersistentVolumeClaims": a disk of a cloud is made within half a minute, at times two.
VOLUME_SECONDS = 120.0
# The API server refuses pods: quota, policy, webhook. Controllers try again within milliseconds at first, so what
# holds after this is no race with a ResourceQuota or a Role of the same set.
REJECTED_SECONDS = 10.0
# During a rollout old pods that end (30 s by default) give their share of the quota back.
REJECTED_ROLLING_SECONDS = 60.0

UNSCHEDULABLE = "unschedulable"
CRASH_LOOP = "crash loop"

_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"})
# Wrong as written: trying again does not help.
_IMAGE_FOR_GOOD = frozenset({"InvalidImageName", "ErrImageNeverPull"})
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError"})
_REJECTED = re.compile(r"is forbidden|is invalid|(exceeded|failed) quota|denied|violates|ValidatingAdmissionPolicy")


def containers(view: View) -> Iterator[Mapping[str, Any]]:
    """Yield the statuses of all containers of a pod, init containers first."""
    yield from dicts(view.status.get("initContainerStatuses"))
    yield from dicts(view.status.get("containerStatuses"))


def waiting_for(container: Mapping[str, Any]) -> tuple[str, str]:
    """Return reason and message of a container that waits, two empty texts for one that does not."""
    waiting = mapping(mapping(container.get("state")).get("waiting"))
    return str(waiting.get("reason") or ""), str(waiting.get("message") or "")


def last_exit(container: Mapping[str, Any]) -> str:
    """Return how a container ended the last time, "" when it did not: ``exit code 1 (Error)``."""
    for state in (container.get("state"), container.get("lastState")):
        ended = mapping(mapping(state).get("terminated"))
        if ended:
            reason = ended.get("reason")
            return f"exit code {number(ended, 'exitCode')}" + (f" ({reason})" if reason else "")
    return ""


def trouble_of(view: View) -> Trouble | None:
    """Return what a pod is stuck in, None when nothing speaks against it getting ready."""
    for container in containers(view):
        found = _container_trouble(container)
        if found is not None:
            return found
    scheduled = view.condition("PodScheduled")
    unschedulable = scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"
    # With a nominated node the scheduler is making room for it.
    if unschedulable and not view.status.get("nominatedNodeName"):
        message = str(scheduled.get("message") or "")
        seconds = VOLUME_SECONDS if "PersistentVolumeClaim" in message else UNSCHEDULABLE_SECONDS
        return Trouble(UNSCHEDULABLE, seconds, "PodUnschedulable", message)
    return None


def _container_trouble(container: Mapping[str, Any]) -> Trouble | None:
    reason, message = waiting_for(container)
    text = ": ".join(part for part in (f"container {container.get('name')}", reason, message) if part)
    if reason in _IMAGE_FOR_GOOD:
        return Trouble("image name", 0.0, reason, text)
    if reason in _IMAGE:
        return Trouble("image", IMAGE_SECONDS, reason, text)
    if reason in _CONFIG:
        return Trouble("config", CONFIG_SECONDS, reason, text)
    restarts = number(container, "restartCount")
    if reason == "CrashLoopBackOff" and restarts >= CRASHES:
        ended = last_exit(container)
        text = f"container {container.get('name')} crashed {restarts + 1} times" + (
            f", last with {ended}" * bool(ended)
        )
        return Trouble(CRASH_LOOP, 0.0, "CrashLoopBackOff", text)
    return None


def rejection(message: str, *, topic: str, rolling: bool = False) -> Trouble | None:
    """Return the trouble of a controller that can not create pods, None when trying again may help.

    Args:
        message: The API server's words, out of a condition or an event.
        topic: What has to stay the same for it to be the same trouble, for example how many pods there are.
        rolling: Whether pods of an older revision may still give their share of a quota back.
    """
    if "failed calling webhook" in message:
        # The webhook itself may be one of the set, and starting.
        return Trouble(f"rejected {topic}", REJECTED_ROLLING_SECONDS, "FailedCreate", message)
    if _REJECTED.search(message):
        seconds = REJECTED_ROLLING_SECONDS if rolling else REJECTED_SECONDS
        return Trouble(f"rejected {topic}", seconds, "FailedCreate", message)
    return None
