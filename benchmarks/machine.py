"""What was measured, where: the machine, its load, and what a server's processes take of it."""

import json
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results" / "bench"
PACKAGES = ("tensorflow-cpu", "keras", "bentoml", "gradio", "flask", "openvino")
# Above this share of the cores in use by others before it begins, a measurement says so and is worth little.
QUIET = 0.1


@contextmanager
def measuring(question: str, command: str, folder: Path = RESULTS) -> Iterator[dict]:
    """A table to fill; afterwards it is written to <folder>/<question>.json, with machine, load and command.

    command: module that measures, as it was called with the arguments of this process.
    """
    figures: dict = {}
    before = _busy()
    print(f"{question}: others use {before:.0%} of the cores.", file=sys.stderr, flush=True)
    yield figures
    told = {
        "question": question,
        "command": shlex.join(["python", "-m", command, *sys.argv[1:]]),
        "machine": machine(),
        "busy_before": round(before, 3),
        "is_quiet": before <= QUIET,
        "load_after": round(os.getloadavg()[0], 2),
        **figures,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{question}.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def machine() -> dict:
    """Processor, cores, memory and versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


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


def _busy() -> float:
    """Share of the cores that is in use just now, over a second."""
    return psutil.cpu_percent(interval=1) / 100


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    names = [line for line in path.read_text().splitlines() if line.startswith("model name")] if path.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
