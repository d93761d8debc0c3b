"""What a whole reading costs beside the bare network: python -m benchmarks.reading [--films N] [--model NAME]

Reads films of the test part, as they are and enlarged to 2,000 pixels, without and with the class map, and for each in
turn the bare network on the same film. Writes docs/results/reading-<name>.json: medians in milliseconds, and their
ratios. Run it on a quiet machine.
"""

import argparse
import io
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from lungcare.film import decode, network_input
from lungcare.network import Network
from lungcare.reader import Reader
from lungcare.reading import Reading
from train.manifest import read_films
from train.quality import SPLIT
from train.split import read as read_split

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
FILMS = Path(os.environ.get("LUNGCARE_FILMS", ROOT.parent / "shared" / "data"))
LARGE = 2000
LIMIT = 1.5
LIMIT_WITH_MAP = 2


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=int, default=100, help="how many films (default: %(default)s)")
    parser.add_argument("--model", default="lungcare", help="bundle in models/ (default: %(default)s)")
    options = parser.parse_args()
    reader = Reader.open(options.model)
    network = Network(reader.bundle.network, reader.bundle.card.input.size)
    test = [p.film.file for p in read_split(SPLIT, read_films(FILMS)).films if p.part == "test"]
    chosen = [test[i] for i in np.random.default_rng(0).permutation(len(test))[: options.films]]
    films = [(FILMS / name).read_bytes() for name in chosen]
    result = {
        "model": reader.tag,
        "films": len(films),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "limit": LIMIT,
        "limit_with_map": LIMIT_WITH_MAP,
        "as_they_are": beside(reader, network, films),
        "enlarged_to_2000_px": beside(reader, network, [_enlarged(film) for film in films]),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1) + "\n"
    (RESULTS / f"reading-{reader.bundle.card.name}.json").write_text(text, encoding="utf-8")
    print(text)


def beside(reader: Reader, network: Network, films: list[bytes]) -> dict:
    """Medians of the bare network, the whole reading and that with its map, in turns; refused films are left out."""
    seconds = {"bare": [], "whole": [], "with_map": []}
    for data in films:
        if not isinstance(reader.read(data), Reading):
            continue
        square = network_input(decode(data), network.size)[np.newaxis]
        seconds["bare"].append(seconds_of(lambda square=square: network(square)))
        seconds["whole"].append(seconds_of(lambda data=data: reader.read(data)))
        seconds["with_map"].append(seconds_of(lambda data=data: reader.read_with_map(data)))
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    return {
        "read": len(seconds["bare"]),
        **{f"{name}_ms": round(1000 * median, 2) for name, median in medians.items()},
        "ratio": round(medians["whole"] / medians["bare"], 2),
        "ratio_with_map": round(medians["with_map"] / medians["bare"], 2),
    }


def seconds_of(call: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _enlarged(data: bytes) -> bytes:
    """The film as a JPEG of 2,000 pixels."""
    image = Image.open(io.BytesIO(data)).convert("L")
    scale = LARGE / max(image.size)
    stream = io.BytesIO()
    image.resize((round(image.width * scale), round(image.height * scale))).save(stream, "JPEG", quality=90)
    return stream.getvalue()


if __name__ == "__main__":
    main()
