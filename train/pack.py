"""All films once, decoded, in one memory-mapped array: no training step decodes a file."""

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from lungcare.film import decode, square
from lungcare.lungs import Box
from lungcare.reading import FilmError
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


def write_lungs(folder: Path, boxes: list[Box | None]) -> None:
    """Keep where the lungs lie on each packed film."""
    sides = [astuple(box) if box else (np.nan,) * 4 for box in boxes]
    np.save(folder / LUNGS, np.array(sides, np.float32))


def open_lungs(folder: Path, count: int) -> list[Box | None]:
    """Where the lungs lie on each of the `count` packed films; None where that is not known."""
    if not (folder / LUNGS).is_file():
        return [None] * count
    return [None if np.isnan(sides[0]) else Box(*map(float, sides)) for sides in np.load(folder / LUNGS)]


def grey_levels(unit: np.ndarray) -> np.ndarray:
    """0...1 -> uint8 0...255, rounded."""
    return (unit * 255 + 0.5).astype(np.uint8)


def _one(data: Path, size: int, file: str) -> tuple[str, np.ndarray | None, np.ndarray | None, str]:
    try:
        content = (data / file).read_bytes()
        pixels = decode(content).pixels
    except (OSError, FilmError) as error:
        return "", None, None, str(error)
    thumbnail = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX)
    return (
        hashlib.sha256(content).hexdigest(),
        grey_levels(square(pixels, size)),
        grey_levels(np.asarray(thumbnail)),
        "",
    )
