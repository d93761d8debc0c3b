"""Halves of films: one lung in the place of the other, or in a normal film of another source.

Of a film with a pneumothorax on one side, the halves differ by the pneumothorax, and by little that tells the archive.
After counterfactual samples, one with and one without what makes the class (Kaushik et al., ICLR 2020; for pictures
Chang et al., CVPR 2021).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lungcare.lungs import Box
from train.augment import Chest, Geometry, transplant
from train.masks import mask_on_square
from train.measure import NIH
from train.split import Placed

LEFT, RIGHT, NEITHER = -1, 1, 0
# Share of a mask that must lie in one half, so that the other half is free of what is masked.
_ONE_SIDED = 0.97
# Where the lungs may part, from the middle of their area, in shares of the side; and how few rows there are lung, of
# those at most.
_REACH, _PARTED = 0.15, 0.35
SMALLEST = 0.02
# Collections of films from the archive that all films with a pneumothorax come from.
ARCHIVE = (*NIH, "rsna_equalised", "rsna_128")
HOSTS = 3


def middle_of(lungs: np.ndarray) -> float | None:
    """Where the lungs part, in shares of the film's side; None where they do not. lungs: uint8 (side, side), 0 or 1."""
    side = len(lungs)
    columns = lungs.sum(axis=0).astype(np.float32)
    if not columns.any():
        return None
    centre = np.average(np.arange(side), weights=columns)
    low, high = round(centre - _REACH * side), round(centre + _REACH * side)
    if low < 0 or high > side:
        return None
    between = np.convolve(columns, np.full(5, 0.2), "same")[low:high]
    if between.min() > _PARTED * columns.max():
        return None
    least = np.flatnonzero(between <= between.min() + 0.5)
    return float((low + least.mean() + 0.5) / side)


def lung_in(lungs: np.ndarray, half: int) -> np.ndarray | None:
    """What is lung in one half, LEFT or RIGHT; None where the lungs do not part. Both uint8 (side, side), 0 or 1."""
    middle = middle_of(lungs)
    if middle is None:
        return None
    mask, cut = lungs.copy(), round(middle * len(lungs))
    mask[:, cut:] *= half == RIGHT
    mask[:, :cut] *= half == LEFT
    return mask


def mirrored(film: np.ndarray, middle: float, half: int) -> np.ndarray:
    """A film of which one half stands on both sides. film: uint8 (side, side). middle: where, in shares of its side.

    half: LEFT or RIGHT, as the picture is seen. What lies beyond the film is black.
    """
    side = film.shape[1]
    x = np.arange(side)
    opposite = np.round(2 * (middle * side - 0.5) - x).astype(int)
    other = half * (x - (middle * side - 0.5)) < 0
    columns = np.where(other, opposite, x)
    beyond = (columns < 0) | (columns >= side)
    both = film[:, np.clip(columns, 0, side - 1)]
    both[:, beyond] = 0
    return both


def graft(
    film: np.ndarray,
    lungs: np.ndarray,
    host: np.ndarray,
    its_lungs: np.ndarray,
    half: int,
    size: int,
    geometry: Geometry,
    rng: np.random.Generator,
    levels: bool = True,
) -> np.ndarray | None:
    """One lung of a film in the place of that of another film; None where a film has none on that side.

    film, host: uint8 (side, side). lungs, its_lungs: uint8 (128, 128), 1 where it is lung. half: LEFT or RIGHT.
    levels: whether the lung's grey levels are drawn towards those of the other film.
    Returns uint8 (size, size), the whole host moved as by `train.augment.move`.
    """
    one, other = _one_lung(film, lungs, half), _one_lung(host, its_lungs, half)
    if one is None or other is None:
        return None
    return transplant(one, other, size, replace(geometry, lungs=0), rng, levels)


def outlines_of(films: list[Placed], data: Path, side: int) -> dict[int, np.ndarray]:
    """What the masks of films outline, by their index: uint8 (side, side), 255 inside. Films without one have none."""
    outlines = {}
    for index, placed in enumerate(films):
        if placed.film.mask and (mask := mask_on_square(data / placed.film.mask, side)).any():
            outlines[index] = np.rint(255 * mask).astype(np.uint8)
    return outlines


def affected_half(outline: np.ndarray, lungs: np.ndarray) -> int:
    """Which half of a film alone shows what is outlined: LEFT, RIGHT, or NEITHER, also where the lungs do not part.

    outline: uint8 (side, side). lungs: uint8 (128, 128), 1 where it is lung.
    """
    if (middle := middle_of(lungs)) is None:
        return NEITHER
    left = outline[:, : round(middle * len(outline))].sum(dtype=float) / outline.sum(dtype=float)
    return LEFT if left > _ONE_SIDED else RIGHT if left < 1 - _ONE_SIDED else NEITHER


def graftable(films: list[Placed]) -> list[Placed]:
    """Films with a pneumothorax that was outlined, and normal films of other collections to take their lungs."""
    return [p for p in films if p.film.mask or _is_host(p)] if any(p.film.mask for p in films) else []


def _is_host(placed: Placed) -> bool:
    return placed.film.label == "normal" and placed.film.source not in ARCHIVE


def grafts(
    films: list[Placed], squares: np.ndarray, lungs: np.ndarray, data: Path, size: int
) -> tuple[list[Placed], np.ndarray]:
    """Both lungs of films with a pneumothorax on one side, set into normal films of other collections.

    squares: uint8 (n, side, side). lungs: uint8 (n, 128, 128), 1 where it is lung. Each goes into HOSTS of `films`,
    drawn evenly from their sources, the affected and the other lung of a film into the same ones in the same way.
    Returns the films grafted, those without a pneumothorax labelled normal, and uint8 (grafts, size, size).
    """
    rng = np.random.default_rng(0)
    hosts: dict[str, list[int]] = {}
    for index, p in enumerate(films):
        if _is_host(p):
            hosts.setdefault(p.film.source, []).append(index)
    named, made = [], []
    for index, outline in outlines_of(films, data, len(squares[0])).items():
        half = affected_half(outline, lungs[index])
        if half == NEITHER or not hosts:
            continue
        for source in rng.choice(list(hosts), HOSTS):
            host, seed = rng.choice(hosts[source]), rng.integers(2**32)
            for side, label in ((half, "pneumothorax"), (-half, "normal")):
                alike = np.random.default_rng(seed)
                film = graft(squares[index], lungs[index], squares[host], lungs[host], side, size, Geometry(), alike)
                if film is not None:
                    named.append(replace(films[index], film=replace(films[index].film, label=label)))
                    made.append(film)
    return named, np.array(made, np.uint8).reshape(-1, size, size)


def _one_lung(film: np.ndarray, lungs: np.ndarray, half: int) -> Chest | None:
    mask, side = lung_in(lungs, half), len(lungs)
    if mask is None or mask.mean() < SMALLEST:
        return None
    y, x = np.nonzero(mask)
    return Chest(film, mask, Box(x.min() / side, y.min() / side, (x.max() + 1) / side, (y.max() + 1) / side))
