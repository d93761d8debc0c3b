"""A folder on all cores beside one: python -m benchmarks.batch [--quick] [--films 2000]

Reads folders of films as `python -m lungcare batch` does, on all cores and on one, in turns; each turn is a process of
its own, whose reading alone is timed, without its start. The films are the real ones (LUNGCARE_FILMS or
../shared/data) where there are any, else the drawn ones in examples/, over and over. Linux only: it binds processes to
cores. Writes docs/results/bench/batch.json.
"""

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import question
from benchmarks.load import EXAMPLES
from lungcare.bundle import open_bundle

REAL = Path(os.environ.get("LUNGCARE_FILMS", question.ROOT.parent / "shared" / "data"))
TARGETS = {"share_of_ideal": ("at least", 0.85)}
# One core reads fewer films in a turn, so that both kinds of turn take about as long.
TURNS = ("all", "one", "one", "all")

_CHILD = """
import json, os, resource, sys, time
cores, model, folder, output = sys.argv[1:]
os.sched_setaffinity(0, json.loads(cores))
from lungcare.batch import read_folder
from lungcare.reader import Reader
reader = Reader.open(model)
start, used = time.perf_counter(), time.process_time()
tally = read_folder(reader, folder, output)
seconds = time.perf_counter() - start
print(json.dumps({
    "films": sum(tally.values()), "read": tally["read"], "seconds": seconds,
    "cores": (time.process_time() - used) / seconds,
    "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
}))
"""


def main() -> None:
    """Measure and write the results."""
    parser = question.parser(__doc__)
    parser.add_argument("--films", type=int, default=2000, help="films read on all cores (default: %(default)s)")
    options = parser.parse_args()
    bundle = open_bundle(options.model)
    cores = sorted(os.sched_getaffinity(0))
    turns = TURNS[:2] if options.quick else TURNS
    films = 16 if options.quick else options.films
    kind, paths = _films()
    with question.measuring("batch", options) as figures, tempfile.TemporaryDirectory() as name:
        measured = {"all": [], "one": []}
        for number, turn in enumerate(turns):
            count = films // turns.count(turn) // (1 if turn == "all" else 2 * len(cores))
            folder = linked(paths, count, Path(name) / str(number))
            own = cores if turn == "all" else cores[:1]
            command = [json.dumps(own), str(bundle.folder), str(folder), f"{folder}.csv"]
            measured[turn].append(_child(command))
        rates = {
            turn: sum(one["films"] for one in each) / sum(one["seconds"] for one in each)
            for turn, each in measured.items()
        }
        figures["model"], figures["films_are"], figures["cores"] = bundle.card.tag, kind, len(cores)
        figures["turns"] = {
            turn: {
                "films": sum(one["films"] for one in each),
                "read": sum(one["read"] for one in each),
                "films_a_second": round(rates[turn], 2),
                "cores_used": round(statistics.mean(one["cores"] for one in each), 2),
                "memory_mb": round(max(one["memory_mb"] for one in each)),
            }
            for turn, each in measured.items()
        }
        figures["targets"] = TARGETS
        figures["reached"] = {"share_of_ideal": round(rates["all"] / (len(cores) * rates["one"]), 3)}


def _films() -> tuple[str, list[Path]]:
    """What the films are, and their paths in an order of chance: the real ones where there are any."""
    if (REAL / "manifest.csv").is_file():
        paths = sorted(path for path in (REAL / "images").rglob("*") if path.is_file())
        return "real", [paths[at] for at in np.random.default_rng(0).permutation(len(paths))]
    return "drawn", sorted(EXAMPLES.glob("*/*.png"))


def linked(paths: list[Path], count: int, folder: Path) -> Path:
    """A folder with links to the first films, over again where there are too few."""
    folder.mkdir()
    for number, path in enumerate(itertools.islice(itertools.cycle(paths), count)):
        (folder / f"{number:05}{path.suffix}").symlink_to(path)
    return folder


def _child(arguments: list[str]) -> dict:
    """What one process that reads a folder says of itself."""
    command = [sys.executable, "-c", _CHILD, *arguments]
    done = subprocess.run(command, cwd=question.ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"reading a folder failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
