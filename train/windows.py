"""`python -m train windows`: prepared films -> the same, each shown by a window around its lungs."""

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lungcare.film import cut
from lungcare.lungs import SIDE, box_of, window_around
from train.inputs import network_inputs
from train.lungs import PUBLISHED, finder
from train.manifest import DataError
from train.pack import FILMS, NAMES, PackedLungs, grey_levels, open_pack
from train.prepare import ORIGIN, SPLIT, WINDOWS, open_prepared
from train.segment import find
from train.split import Placed

PIECE = 512


def show_lungs(prepared: Path, folder: Path, size: int, segmenter: Path = PUBLISHED) -> None:
    """Prepare the films of `prepared` anew in `folder`, for networks that are shown the lungs.

    size: side of the packed squares, in pixels. segmenter: as for `train.lungs.lungs_on`.
    Writes what `prepare` does; where the lungs lie in each window; and windows.npy, float64 (films, 4), the left, top,
    right and bottom of each window in shares of the film's square.
    Raises DataError where nothing finds the lungs, or `prepared` holds windows itself.
    """
    split, data = open_prepared(prepared, shows="film")
    network = _finder(segmenter)
    pack, rows = open_pack(prepared)
    row_of = [rows[p.film.file] for p in split.films]
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"unfinished-{FILMS}"
    shown = np.lib.format.open_memmap(unfinished, "w+", np.uint8, (len(row_of), size, size))
    windows, lungs = [], []
    for start in tqdm(range(0, len(row_of), PIECE), "showing the lungs", unit=f"{PIECE} films", disable=None):
        piece = slice(start, start + PIECE)
        found = list(find(network, pack[row_of[piece]]))
        films = _windowed(split.films[piece], found)
        shown[piece] = grey_levels(network_inputs(data, films, size)[..., 0] / 255)
        windows += [p.window for p in films]
        lungs += [cut(own, p.window, SIDE) > 0.5 for own, p in zip(found, films, strict=True)]
    shown.flush()
    PackedLungs.of(lungs).save(folder)
    unfinished.replace(folder / FILMS)
    (folder / NAMES).write_text(json.dumps([p.film.file for p in split.films]))
    np.save(folder / WINDOWS, np.array([astuple(window) for window in windows]))
    for name in (SPLIT, ORIGIN):
        shutil.copyfile(prepared / name, folder / name)


def windows_on(prepared: Path, films: list[Placed], segmenter: Path = PUBLISHED) -> list[Placed]:
    """The films with the windows that show their lungs. Raises as `show_lungs`."""
    pack, rows = open_pack(prepared)
    return _windowed(films, find(_finder(segmenter), pack[[rows[p.film.file] for p in films]]))


def _finder(segmenter: Path) -> Callable[[np.ndarray], np.ndarray]:
    network = finder(segmenter)
    if network is None:
        raise DataError(f"Neither {segmenter} nor {PUBLISHED} holds a network that finds the lungs.")
    return network


def _windowed(films: Iterable[Placed], found: Iterable[np.ndarray]) -> list[Placed]:
    """found: float (128, 128) of each film, the probability to be lung."""
    return [replace(p, window=window_around(box_of(lungs))) for p, lungs in zip(films, found, strict=True)]
