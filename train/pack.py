"""All films once, decoded, in one memory-mapped array: no training step decodes a file."""

import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from lungcare.film import decode, square
from lungcare.lungs import SIDE as LUNGS_SIDE
from lungcare.lungs import Box, box_of
from lungcare.margins import without_margins
from lungcare.reading import FilmError
from train.augment import Geometry, move
from train.duplicates import SIDE
from train.manifest import Film

LUNGS = "lungs.npy"


def check_and_pack(data: Path, films: list[Film], size: int, folder: Path) -> tuple[np.ndarray, list[str], dict]:
    """Decode every film once.

    Writes folder/films.npy: uint8 (films, size, size), row i the film i of `films`, squared as for the network;
    unreadable films stay black and are to be left out by the caller.
    Returns thumbnails uint8 (films, 64, 64), stretched; checksums of the files; and {index: reason} of unreadable ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / "films.unfinished.npy"
    pack = np.lib.format.open_memmap(unfinished, "w+", np.uint8, (len(films), size, size))
    thumbnails = np.zeros((len(films), SIDE, SIDE), np.uint8)
    checksums, unreadable = [], {}
    with ProcessPoolExecutor() as pool:
        work = pool.map(partial(_one, data, size), [film.file for film in films], chunksize=32)
        for index, result in enumerate(tqdm(work, total=len(films), desc="reading films", unit="film", disable=None)):
            checksum, packed, thumbnail, reason = result
            checksums.append(checksum)
            if reason:
                unreadable[index] = reason
            else:
                pack[index], thumbnails[index] = packed, thumbnail
    pack.flush()
    unfinished.replace(folder / "films.npy")
    (folder / "films.json").write_text(json.dumps([film.file for film in films]))
    return thumbnails, checksums, unreadable


def open_pack(folder: Path) -> tuple[np.ndarray, dict[str, int]]:
    """The packed films, uint8 (films, size, size), memory-mapped read-only, and each film's row by its name."""
    names = json.loads((folder / "films.json").read_text())
    return np.load(folder / "films.npy", mmap_mode="r"), {name: row for row, name in enumerate(names)}


class PackedLungs:
    """Where the lungs lie on each packed film. packed: uint8 (films, 128, 16), eight pixels a byte."""

    def __init__(self, packed: np.ndarray):
        self.packed = packed

    @classmethod
    def none(cls, count: int) -> "PackedLungs":
        """Of `count` films on which nobody has looked for the lungs."""
        return cls(np.zeros((count, LUNGS_SIDE, LUNGS_SIDE // 8), np.uint8))

    @classmethod
    def of(cls, lungs: Iterable[np.ndarray]) -> "PackedLungs":
        """Of the probabilities to be lung, float (128, 128) for each film."""
        return cls(np.stack([np.packbits(film > 0.5, axis=1) for film in lungs]))

    def save(self, folder: Path) -> None:
        """Keep them beside the packed films."""
        np.save(folder / LUNGS, self.packed)

    def __bool__(self) -> bool:
        return bool(self.packed.any())

    def mask(self, row: int) -> np.ndarray:
        """uint8 (128, 128), 1 where the film of this row is lung."""
        return np.unpackbits(self.packed[row], axis=1)

    def box(self, row: int) -> Box | None:
        """The box around them; None where they were not found."""
        return box_of(self.mask(row))


def open_lungs(folder: Path, count: int) -> PackedLungs:
    """Where the lungs lie on the `count` packed films; on none where that is not known."""
    if not (folder / LUNGS).is_file():
        return PackedLungs.none(count)
    return PackedLungs(np.load(folder / LUNGS))


def squares(films: np.ndarray, size: int) -> np.ndarray:
    """Packed films, uint8 (n, side, side) -> float32 (n, size, size, 1), grey levels 0 to 255."""
    rng = np.random.default_rng(0)
    return np.stack([move(film, size, Geometry(), rng) for film in films])[..., np.newaxis].astype(np.float32)


def grey_levels(unit: np.ndarray) -> np.ndarray:
    """0...1 -> uint8 0...255, rounded."""
    return (unit * 255 + 0.5).astype(np.uint8)


def _one(data: Path, size: int, file: str) -> tuple[str, np.ndarray | None, np.ndarray | None, str]:
    try:
        content = (data / file).read_bytes()
        film = decode(content)
    except (OSError, FilmError) as error:
        return "", None, None, str(error)
    # Films are told apart with their margins, as they were when the recorded split was drawn.
    thumbnail = Image.fromarray(film.pixels).resize((SIDE, SIDE), Image.Resampling.BOX)
    return (
        hashlib.sha256(content).hexdigest(),
        grey_levels(square(without_margins(film).pixels, size)),
        grey_levels(np.asarray(thumbnail)),
        "",
    )
