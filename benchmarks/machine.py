"""The machine, how busy it is, and what a server's processes take of it."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

PACKAGES = ("tensorflow-cpu", "keras", "bentoml", "gradio", "flask", "openvino")


def machine() -> dict:
    """Processor, cores, memory and versions."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def busy() -> float:
    """Share of the machine's cores that is in use just now, over a second."""
    return psutil.cpu_percent(interval=1) / 100


def tree(pid: int) -> list[psutil.Process]:
    """A process and all that it started."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def memory(pid: int) -> float:
    """Resident memory of a process and all that it started, in megabytes."""
    return sum(_of(process, lambda one: one.memory_info().rss) for process in tree(pid)) / 1e6


def processor_seconds(pid: int) -> float:
    """Seconds of the processor that a process and all that it started have used."""
    return sum(_of(process, lambda one: sum(one.cpu_times()[:2])) for process in tree(pid))


def _of(process: psutil.Process, figure) -> float:
    try:
        return figure(process)
    except psutil.NoSuchProcess:
        return 0.0


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    names = [line for line in path.read_text().splitlines() if line.startswith("model name")] if path.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
