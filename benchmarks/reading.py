"""What a whole reading costs beside its network: python -m benchmarks.reading [--quick] [--films 100]

Reads films, as they are and enlarged to 2,000 pixels, without and with the class map, and for each in turn the bare
network on the same film. The films are of the test part (LUNGCARE_FILMS or ../shared/data) where there are any, else
the drawn ones in examples/. Writes docs/results/bench/reading.json: medians in milliseconds, and their ratios.
"""

import io
import statistics
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from benchmarks import load, question
from benchmarks.batch import REAL
from lungcare.film import decode, network_input
from lungcare.reader import Reader
from lungcare.reading import Reading
from train.manifest import read_films
from train.split import RECORDED
from train.split import read as read_split

LARGE = 2000
WHOLE, WITH_MAP = ("at most", 1.5), ("at most", 2)
TARGETS = {"whole": WHOLE, "with_map": WITH_MAP, "whole_large": WHOLE, "with_map_large": WITH_MAP}


def main() -> None:
    """Measure and write the results."""
    parser = question.parser(__doc__)
    parser.add_argument("--films", type=int, default=100, help="how many films (default: %(default)s)")
    options = parser.parse_args()
    kind, films = _films(5 if options.quick else options.films)
    with question.measuring("reading", options) as figures:
        reader = Reader.open(options.model)
        small, large = beside(reader, films), beside(reader, [_enlarged(film) for film in films])
        figures["model"], figures["films_are"] = reader.tag, kind
        figures["as_they_are"], figures["enlarged"] = small, large
        figures["targets"] = TARGETS
        figures["reached"] = {
            f"{name}{size}": round(measured[f"{name}_ms"] / measured["network_ms"], 2)
            for size, measured in (("", small), ("_large", large))
            for name in ("whole", "with_map")
        }


def _films(count: int) -> tuple[str, list[bytes]]:
    """What the films are, and so many of them by chance: real ones of the test part where there are any."""
    if not (REAL / "manifest.csv").is_file():
        return "drawn", load.films()[:count]
    test = [p.film.file for p in read_split(RECORDED, read_films(REAL)).films if p.part == "test"]
    return "real", [(REAL / test[at]).read_bytes() for at in np.random.default_rng(0).permutation(len(test))[:count]]


def beside(reader: Reader, films: list[bytes]) -> dict[str, float]:
    """Medians of the network, the whole reading and that with its map, in turns; refused films are left out."""
    seconds = {"network": [], "whole": [], "with_map": []}
    for data in films:
        if not isinstance(reader.read(data), Reading):
            continue
        square = network_input(decode(data), reader.network.size)[np.newaxis]
        seconds["network"].append(seconds_of(lambda square=square: reader.network(square)))
        seconds["whole"].append(seconds_of(lambda data=data: reader.read(data)))
        seconds["with_map"].append(seconds_of(lambda data=data: reader.read_with_map(data)))
    medians = {f"{name}_ms": round(1000 * statistics.median(each), 2) for name, each in seconds.items()}
    return {"read": len(seconds["network"]), **medians}


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
