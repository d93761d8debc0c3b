"""How well the class map of pneumothorax points at what radiologists outlined: influence held against location."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from lungcare import influence
from lungcare.conditions import CODES
from train.look import Looked
from train.measure import Readings, with_interval

CONDITION = "pneumothorax"
# The side of the outlines, and how far beside one a point may lie (the pointing game's 15 pixels: Zhang et al., 2018).
SIDE = 512
TOLERANCE = 15
# Without a look at the film: the middle of each lung as it usually lies, in shares of the side, from left and top.
LUNG_CENTRES = ((0.28, 0.45), (0.72, 0.45))


def point(looked: Looked, data: Path) -> dict | None:
    """The pointing game on the films that have an outline; None where there are none, or the network has no map.

    pointing: share of films in which the strongest place of the map lies in the outline, or within 15 of 512 pixels.
    random: the same for a point drawn anywhere on the film. lung_centres: for the middle of either lung, as it usually
    lies, each counting half. weight_inside: mean share of the map's weight that lies in the outline; area: mean share
    of the film that does.
    """
    some = looked.where(lambda p: bool(p.film.mask) and p.film.label == CONDITION)
    if some.influence is None or not some.films:
        return None
    hits, centres, areas, tolerant, weights = [], [], [], [], []
    disc = np.hypot(*np.mgrid[-TOLERANCE : TOLERANCE + 1, -TOLERANCE : TOLERANCE + 1]) <= TOLERANCE
    for placed, own in zip(some.films, some.influence, strict=True):
        outline = _outline(data / placed.film.mask)
        near = ndimage.binary_dilation(outline, disc)
        shares = influence.class_map(own, CODES.index(CONDITION))
        scaled = influence.over_square(shares, SIDE)
        hits.append(near[np.unravel_index(scaled.argmax(), scaled.shape)])
        centres.append(np.mean([near[int(top * SIDE), int(left * SIDE)] for left, top in LUNG_CENTRES]))
        tolerant.append(near.mean())
        areas.append(outline.mean())
        weights.append(influence.share_inside(shares, outline))
    told = {"pointing": hits, "random": tolerant, "lung_centres": centres, "weight_inside": weights, "area": areas}
    readings = some.readings(1)
    return {name: _mean(readings, np.array(values, float)) for name, values in told.items()}


def _mean(readings: Readings, values: np.ndarray) -> dict:
    return with_interval(readings, lambda _, weight: float(np.average(values, weights=weight)))


def _outline(path: Path) -> np.ndarray:
    """A mask's file -> bool (SIDE, SIDE) on the square that the network sees."""
    with Image.open(path) as mask:
        mask = mask.convert("L")
        scale = SIDE / max(mask.size)
        scaled = mask.resize([max(1, round(length * scale)) for length in mask.size], Image.Resampling.NEAREST)
    square = np.zeros((SIDE, SIDE), bool)
    left, top = ((SIDE - length) // 2 for length in scaled.size)
    square[top : top + scaled.height, left : left + scaled.width] = np.asarray(scaled) > 0
    return square
