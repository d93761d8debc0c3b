"""From start to ready: python -m benchmarks.start [--quick] [--turns 2]

The time from `scripts/serve.py`, which `make serve` runs, until /readyz says yes, beside a process that imports
TensorFlow and Gradio and ends, in turns. Cold: the model store is empty, and the files of the environment, of the
library, of its models and of Python are dropped from the memory of the system before either. Warm: both were run just
before. Linux only. Writes docs/results/bench/start.json.
"""

import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks import question
from lungcare.bundle import open_bundle
from tests import serving

TARGETS = {"cold": ("at most", 1.5), "warm": ("at most", 1.5)}
QUIETLY = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}


def main() -> None:
    """Measure and write the results."""
    parser = question.parser(__doc__)
    parser.add_argument("--turns", type=int, default=2, help="how often each is measured (default: %(default)s)")
    options = parser.parse_args()
    turns = 1 if options.quick else options.turns
    bundle = open_bundle(options.model)
    with question.measuring("start", options) as figures, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured = {"cold": [], "warm": []}
        for turn in range(turns):
            home = folder / f"home{turn}"
            home.mkdir()
            for kind, each in measured.items():
                each.append(_both(bundle.folder, folder / f"{kind}{turn}", home, kind == "cold"))
        figures["model"], figures["turns"] = bundle.card.tag, turns
        figures["starts"] = {
            kind: {field: round(statistics.median(one[field] for one in each), 2) for field in each[0]}
            for kind, each in measured.items()
        }
        figures["targets"] = TARGETS
        figures["reached"] = {
            kind: round(statistics.median(one["ready_seconds"] / one["imports_seconds"] for one in each), 2)
            for kind, each in measured.items()
        }


def _both(model: Path, folder: Path, home: Path, is_cold: bool) -> dict[str, float]:
    """Seconds of the imports and of a start, and the megabytes that each read from the disk."""
    folder.mkdir()
    told = {}
    for name, call in (("imports", _imports), ("ready", lambda: _ready(model, folder, home))):
        if is_cold:
            _forget_files()
        before = _read_from_disk()
        told[f"{name}_seconds"] = call()
        told[f"{name}_disk_mb"] = _read_from_disk() - before
    return told


def _imports() -> float:
    """Seconds that a process takes which imports TensorFlow and Gradio."""
    start = time.monotonic()
    command = [sys.executable, "-c", "import tensorflow, gradio"]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | QUIETLY)
    return time.monotonic() - start


def _ready(model: Path, folder: Path, home: Path) -> float:
    """Seconds until a server that is started with this model store takes films."""
    start = time.monotonic()
    with serving.serving(serving.from_source(model), folder, BENTOML_HOME=str(home)):
        return time.monotonic() - start


def _forget_files() -> None:
    """Have the system drop what it keeps in memory of the files that a start reads."""
    packages = {Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")}
    places = {*packages, *(question.ROOT / name for name in ("lungcare", "models", "scripts"))}
    for path in (path for place in places for path in place.rglob("*")):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def _read_from_disk() -> float:
    """Megabytes that this machine has read from its disks so far; 0 where it does not count them."""
    counters = psutil.disk_io_counters()
    return counters.read_bytes / 1e6 if counters else 0.0


if __name__ == "__main__":
    main()
