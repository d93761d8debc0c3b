"""The cores of a processor that are ours."""

import os


def cores() -> int:
    """How many cores this process may use; that may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
