"""Is a drawn film a copy? How near it comes to the training films, beside how near these come to each other."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from lungcare.bundle import open_bundle
from lungcare.conditions import CODES
from lungcare.film import decode, network_input
from lungcare.network import Network
from train.appearance import SIDE, Appearance
from train.examples import Pooled, read_pool
from train.examples_page import LIKENESS, write_page
from train.manifest import DataError
from train.prepare import open_prepared
from train.synthesize import SHOWN, aligned_films, draw

log = logging.getLogger(__name__)

# Films are compared in pixels at this side: details and grain, which no two films share, do not count.
PIXELS = 64
# Films whose nearest neighbour is as near as that of the nearest hundredth of real films would be suspect.
SUSPECT = 0.99
# Mean difference in grey levels, 0 to 255, up to which a film counts as the same.
SAME = 1


def likeness(prepared: Path, run: Path, pool: Path, model: str, looked_at: int, record: Path | None) -> dict:
    """Compare the pool with the training films that each class was learned from.

    Likeness is the correlation of aligned pixels, and the cosine of the network's features; 1 is a copy. Of real films,
    the likeness to the nearest film of another group counts. run: that of `python -m train synthesize`.
    looked_at: films of each class of which the network's features are compared; 0 compares pixels alone.
    record: folder that takes likeness.json; the page of the pool, README.md, is then written anew.
    Raises DataError where there is no pool, no such run, or a film of the pool is not what its seed draws.
    """
    drawn = read_pool(pool)
    if not drawn:
        raise DataError(f"{pool} holds no drawn films. Run `python -m train synthesize` first.")
    split, data = open_prepared(prepared)
    groups = {p.film.file: p.group for p in split.films}
    bundle = open_bundle(model)
    network = Network(bundle.network, bundle.card.input.size) if looked_at else None

    told = {"model": bundle.card.tag, "classes": {}}
    for code in CODES:
        own = [film for film in drawn if film.condition == code]
        real, pixels = _learned_from(run, code)
        by_group = np.array([groups[file] for file in real])
        appearance = Appearance.load(run / f"{code}.npz")
        with ThreadPoolExecutor(2) as threads:
            shown = np.stack(list(threads.map(partial(aligned_in_pool, appearance, pool), own)))
        figures = {"pixels": compared(_normed(shown), _normed(pixels), by_group)}
        if network:
            of_pool = _features(network, [pool / film.file for film in own])
            of_real = _features(network, [data / file for file in real[:looked_at]])
            figures["features"] = compared(of_pool, of_real, by_group[:looked_at])
        told["classes"][code] = figures
        log.info("%s: %s", code, figures)
    if record:
        (record / LIKENESS).write_text(json.dumps(told, indent=1) + "\n")
        write_page(record, pool)
    return told


def compared(drawn: np.ndarray, real: np.ndarray, groups: np.ndarray) -> dict:
    """The likeness of each drawn film to its nearest real one, and that of real films to each other.

    drawn, real: unit vectors, float (n, length). groups: str (n,), the patient or group of each real film.
    """
    nearest = (drawn @ real.T).max(axis=1)
    between = real @ real.T
    between[groups[:, np.newaxis] == groups] = -1
    among = between.max(axis=1)
    limit = float(np.quantile(among, SUSPECT))
    return {
        "drawn_largest": round(float(nearest.max()), 4),
        "drawn_median": round(float(np.median(nearest)), 4),
        "real_median": round(float(np.median(among)), 4),
        "real_99": round(limit, 4),
        "suspect": int((nearest > limit).sum()),
        "drawn": len(drawn),
        "real": len(real),
    }


def as_text(told: dict) -> str:
    """The figures as a table."""
    lines = [
        f"{'nearest training film':<26}{'drawn: median':>14}{'largest':>9}{'real: median':>14}{'99 %':>8}{'suspect':>9}"
    ]
    for code, measures in told["classes"].items():
        for name, own in measures.items():
            lines.append(
                f"{f'{code}, {name}':<26}{own['drawn_median']:>14.3f}{own['drawn_largest']:>9.3f}"
                f"{own['real_median']:>14.3f}{own['real_99']:>8.3f}{own['suspect']:>9}"
            )
    return "\n".join(lines)


def _learned_from(run: Path, code: str) -> tuple[list[str], np.ndarray]:
    """The films that a class was learned from: names, and what the pool shows of them, small. Raises DataError."""
    path = aligned_films(run, code)
    if not path.is_file():
        raise DataError(f"{path} is missing. Run `python -m train synthesize` first.")
    left, top, right, bottom = (round(share * SIDE) for share in SHOWN)
    with np.load(path) as kept:
        return kept["files"].tolist(), np.stack([_small(film[top:bottom, left:right]) for film in kept["films"]])


def aligned_in_pool(appearance: Appearance, pool: Path, film: Pooled) -> np.ndarray:
    """A film of the pool on the mean outlines, small. Raises DataError where its seed draws another one."""
    anew, kept = draw(appearance, film.condition, film.seed), 255 * decode((pool / film.file).read_bytes()).pixels
    if anew.shape != kept.shape or np.abs(anew - kept).mean() > SAME:
        raise DataError(
            f"{pool / film.file} is not what its seed draws. Make the pool anew: python -m train synthesize"
        )
    return _small(draw(appearance, film.condition, film.seed, shapes=0))


def _small(film: np.ndarray) -> np.ndarray:
    return cv2.resize(film.astype(np.float32), (PIXELS, PIXELS), interpolation=cv2.INTER_AREA).ravel()


def _normed(rows: np.ndarray) -> np.ndarray:
    """Rows without their mean, of length 1: their products are correlations."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _features(network: Network, films: list[Path]) -> np.ndarray:
    """The network's features of films, of length 1."""
    seen = [
        network.look(network_input(decode(film.read_bytes()), network.size)[np.newaxis]).features.reshape(1, -1)
        for film in films
    ]
    rows = np.concatenate(seen)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
