"""One question of the benchmarks: how it is asked, and its answer as a file."""

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import machine

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results" / "bench"
QUICK_RESULTS = ROOT / "runs" / "bench-quick"
# Above this share of the cores in use by others before it begins, a measurement says so and is worth little.
QUIET = 0.1
_WAIT_SECONDS = 30


def parser(description: str) -> argparse.ArgumentParser:
    """The options that every question has. description: the doc of its module."""
    options = argparse.ArgumentParser(description=description.splitlines()[0])
    options.add_argument("--model", default="lungcare", help="the reader's bundle (default: %(default)s)")
    options.add_argument("--quick", action="store_true", help="small and worthless, to see that it works")
    options.add_argument(
        "--to", type=Path, help="folder of the result (default: docs/results/bench; with --quick: runs/bench-quick)"
    )
    return options


@contextmanager
def measuring(name: str, options: argparse.Namespace) -> Iterator[dict]:
    """A table to fill; afterwards it is written to <folder>/<name>.json, with machine, load and command.

    Waits a while for the machine to become quiet, and says when it does not. name: of the question and of its module.
    """
    figures: dict = {}
    before = _quiet(0 if options.quick else _WAIT_SECONDS)
    if before > QUIET:
        print(f"{name}: others use {before:.0%} of the cores. What is measured now is worth little.", file=sys.stderr)
    started = time.monotonic()
    yield figures
    told = {
        "question": name,
        "command": shlex.join(["python", "-m", f"benchmarks.{name}", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine.machine(),
        "busy_before": round(before, 3),
        "is_quiet": before <= QUIET,
        "load_after": round(os.getloadavg()[0], 2),
        "took_seconds": round(time.monotonic() - started),
        **figures,
    }
    folder = options.to or (QUICK_RESULTS if options.quick else RESULTS)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"{name}: {told['took_seconds']} s, {path}", flush=True)


def _quiet(patience: float) -> float:
    """Wait until the machine is quiet, or for so many seconds. Returns the share of the cores that is in use."""
    end = time.monotonic() + patience
    while (used := machine.busy()) > QUIET and time.monotonic() < end:
        time.sleep(1)
    return used
