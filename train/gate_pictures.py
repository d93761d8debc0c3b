"""Pictures that are no frontal chest film -> packed squares, each with its kind and its part."""

import csv
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungcare.film import decode, square
from train.manifest import MANIFEST, DataError
from train.pack import grey_levels

FOLDER = "not_chest"
SIDE = 256
SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
LATERAL = "lateral_chest"


@dataclass(frozen=True)
class Picture:
    """file: path below the data folder. part: train, validation or test. radiograph: whether X-rays made it."""

    file: str
    kind: str
    part: str
    radiograph: bool


def read_pictures(data: Path) -> list[Picture]:
    """The pictures of data/not_chest/manifest.csv, in its order.

    Parts are runs of neighbours in each collection of a kind, since neighbours tend to be of one patient.
    Raises DataError when there is no such manifest.
    """
    manifest = data / FOLDER / MANIFEST
    if not manifest.is_file():
        raise DataError(f"There is no {manifest}: the gate cannot be trained without pictures that are no chest films.")
    with manifest.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    count: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        count[row["kind"], row["source"]] += 1
    seen: dict[tuple[str, str], int] = defaultdict(int)
    pictures = []
    for row in rows:
        own = row["kind"], row["source"]
        pictures.append(
            Picture(row["file"], row["kind"], _part((seen[own] + 0.5) / count[own]), row["radiograph"] == "yes")
        )
        seen[own] += 1
    return pictures


def pack_pictures(data: Path, pictures: list[Picture], folder: Path) -> np.ndarray:
    """All pictures decoded once: uint8 (pictures, 256, 256), squared as for a network, kept in `folder`."""
    names = [picture.file for picture in pictures]
    index, array = folder / "pictures.json", folder / "pictures.npy"
    if not (index.is_file() and json.loads(index.read_text()) == names):
        folder.mkdir(parents=True, exist_ok=True)
        packed = [grey_levels(square(decode((data / name).read_bytes()).pixels, SIDE)) for name in names]
        np.save(array, np.stack(packed))
        index.write_text(json.dumps(names))
    return np.load(array, mmap_mode="r")


def _part(place: float) -> str:
    """The part of a picture at `place`, 0 to 1, of its collection."""
    for part, share in SHARES.items():
        if place < share:
            return part
        place -= share
    return part
