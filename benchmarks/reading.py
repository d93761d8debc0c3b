"""What a whole reading costs beside the bare network: python -m benchmarks.reading [--films N] [--model NAME]

Reads films of the test part, as they are and enlarged to 2,000 pixels, and for each in turn the bare network on the
same film. Writes docs/results/reading-<name>.json: medians in milliseconds, and their ratio. Run it on a quiet machine.
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
        "as_they_are": beside(reader, network, films),
        "enlarged_to_2000_px": beside(reader, network, [_enlarged(film) for film in films]),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1) + "\n"
    (RESULTS / f"reading-{reader.bundle.card.name}.json").write_text(text, encoding="utf-8")
    print(text)


def beside(reader: Reader, network: Network, films: list[bytes]) -> dict:
    """Medians of the whole reading and of the bare network, one after the other on each film; refused ones left out."""
    whole, bare = [], []
    for data in films:
        square = network_input(decode(data), network.size)[np.newaxis]
        seconds = _seconds(lambda square=square: network(square))
        start = time.perf_counter()
        answer = reader.read(data)
        if isinstance(answer, Reading):
            whole.append(time.perf_counter() - start)
            bare.append(seconds)
    milliseconds = {"whole_ms": statistics.median(whole) * 1000, "bare_ms": statistics.median(bare) * 1000}
    ratio = milliseconds["whole_ms"] / milliseconds["bare_ms"]
    return {
        "read": len(whole),
        **{name: round(value, 2) for name, value in milliseconds.items()},
        "ratio": round(ratio, 2),
    }


def _seconds(call: Callable[[], object]) -> float:
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
