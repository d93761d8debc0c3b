"""What each layer adds: python -m benchmarks.layers [--quick] [--rounds 300]

The same films over HTTP (one client), by `Reader.read`, by the compiled network alone in the runtime that serves it
(OpenVINO on a processor, the fastest that was tried), and by the same network in TensorFlow, in turns; each film goes
through all four before the next one comes. The stages of a reading are those of its trace. Writes
docs/results/bench/layers.json.
"""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import load, question
from benchmarks.reading import seconds_of
from lungcare.bundle import open_bundle
from lungcare.reader import Reader
from lungcare.reading import Reading
from lungcare.runtime import TENSORFLOW
from lungcare.trace import tracing
from tests import serving

LAYERS = ("http", "reading", "network", "network_in_tensorflow")
TARGETS = {"http_to_reading": ("at most", 1.3)}


def main() -> None:
    """Measure and write the results."""
    parser = question.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="films that are measured (default: %(default)s)")
    options = parser.parse_args()
    rounds = 5 if options.quick else options.rounds
    bundle = open_bundle(options.model)
    films = load.films()
    with question.measuring("layers", options) as figures, tempfile.TemporaryDirectory() as folder:
        reader = Reader(bundle)
        films = [film for film in films if isinstance(reader.read(film), Reading)]
        reference = _in_tensorflow(bundle.network, Path(folder) / "saved")
        squares = [reader.prepare(film).pixels[np.newaxis] for film in films]
        with serving.serving(serving.from_source(bundle.folder), Path(folder)) as server:
            client = load.Client(server.url)
            taken = {name: [] for name in LAYERS}
            stages: Counter = Counter()
            for number in range(rounds):
                film, square = films[number % len(films)], squares[number % len(films)]
                calls = {
                    "http": lambda film=film: client.send(film),
                    "reading": lambda film=film: _traced(reader, film, stages),
                    "network": lambda square=square: reader.network(square),
                    "network_in_tensorflow": lambda square=square: reference(square),
                }
                # Which one follows which changes, so that none always finds the caches that the same one left.
                for name in (*LAYERS[number % len(LAYERS) :], *LAYERS[: number % len(LAYERS)]):
                    taken[name].append(seconds_of(calls[name]))
            client.close()
        medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
        figures["model"], figures["rounds"] = reader.tag, rounds
        figures["layers"] = {name: load.milliseconds(seconds) for name, seconds in taken.items()}
        figures["stages_ms"] = {name: round(1000 * seconds / rounds, 2) for name, seconds in stages.items()}
        figures["ratios"] = {
            f"{outer}_to_{inner}": round(medians[outer] / medians[inner], 2)
            for outer, inner in itertools.pairwise(LAYERS)
        }
        figures["largest_difference"] = max(
            float(np.abs(reader.network(square) - reference(square)).max()) for square in squares
        )
        figures["targets"] = TARGETS
        figures["reached"] = {name: figures["ratios"][name] for name in TARGETS}


def _in_tensorflow(network: Path, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The call of a network in TensorFlow, whose graph another process saves in `folder`: Keras here is on OpenVINO."""
    code = "import keras, sys; keras.saving.load_model(sys.argv[1], compile=False).export(sys.argv[2], verbose=False)"
    command = [sys.executable, "-c", code, network, folder]
    subprocess.run(command, check=True, env=os.environ | {"KERAS_BACKEND": TENSORFLOW}, capture_output=True)
    import tensorflow as tf

    graph = tf.saved_model.load(folder)
    return lambda square: graph.serve(tf.convert_to_tensor(square)).numpy()


def _traced(reader: Reader, film: bytes, stages: Counter) -> None:
    """Read a film, and count how long each stage took."""
    with tracing("benchmark") as trace:
        reader.read(film)
    stages.update(trace.seconds)


if __name__ == "__main__":
    main()
