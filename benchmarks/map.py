"""What the class map costs: python -m benchmarks.map [MODEL]

Times the bare network, a reading, and a reading with its map on one drawn film of 1024 px, interleaved, and writes
docs/results/map.json: median seconds of each.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from lungcare.network import Network
from lungcare.reader import Reader
from tests import phantom

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results" / "map.json"
ROUNDS = 50


def main() -> int:
    """Time the three; returns the exit status."""
    reader = Reader.open(sys.argv[1] if len(sys.argv) > 1 else "lungcare")
    size = reader.bundle.card.input.size
    network = Network(reader.bundle.network, size)
    film = phantom.encode(phantom.chest("pneumonia", 1, 1024, 900), "JPEG", quality=90)
    square = reader.prepare(film)[np.newaxis]
    calls = {
        "network": lambda: network(square),
        "reading": lambda: reader.read(film),
        "reading_with_map": lambda: reader.read_with_map(film),
    }
    seconds = {name: [] for name in calls}
    for number in range(ROUNDS + 5):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if number >= 5:
                seconds[name].append(time.perf_counter() - start)
    result = {"model": reader.tag, "rounds": ROUNDS} | {
        name: round(statistics.median(times), 5) for name, times in seconds.items()
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
