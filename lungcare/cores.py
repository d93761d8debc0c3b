"""The cores of a processor that are ours."""

import os
from pathlib import Path

_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def cores() -> int:
    """How many cores this process may use: fewer than the machine has where it is bound to some, or in a container.

    A container's limit is that of its control group (version 2), rounded up.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _CPU_MAX.read_text(encoding="ascii").split()
        return min(count, max(1, -(-int(quota) // int(period))))
    except (OSError, ValueError):  # no control group, or "max": no limit
        return count
