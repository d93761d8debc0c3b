"""What the class map is worth: how well it points at outlined pneumothoraces, and how much of it lies in the lungs."""

from pathlib import Path

import numpy as np
from scipy import ndimage

from lungcare import influence
from lungcare.bundle import Calibration
from lungcare.conditions import CODES
from train.look import UNCALIBRATED, Looked
from train.lungs import lungs_on
from train.masks import mask_on_square
from train.measure import Readings, with_interval

CONDITION = "pneumothorax"
# The side of the outlines, and how far beside one a point may lie (the pointing game's 15 pixels: Zhang et al., 2018).
SIDE = 512
TOLERANCE = 15


def point(looked: Looked, data: Path, prepared: Path, segmenter: Path, calibration: Calibration = UNCALIBRATED) -> dict:
    """The pointing game on the films that have an outline, and the map's weight in the lungs of all films.

    pointing: share of films with an outline in which the strongest place of the map of pneumothorax lies in it, or
    within 15 of 512 pixels. random: the same for a point drawn anywhere on the film. lung_centres: for the middle of
    either lung, each counting half. weight_inside: mean share of the map's weight that lies in the outline; area: mean
    share of the film that does. in_lungs: mean share of the weight of the finding's map that lies in the lungs;
    lungs_area: mean share of the film that does.
    What cannot be had is left out: all of it where the network has no map.
    """
    if looked.influence is None:
        return {}
    some = looked.where(lambda p: bool(p.film.mask) and p.film.label == CONDITION)
    told = _pointing(some, data, prepared, segmenter) if some.films else {}
    lungs = lungs_on(prepared, looked.films, segmenter)
    if lungs is not None:
        readings = looked.readings(calibration)
        pairs = zip(looked.influence, readings.findings, strict=True)
        maps = [influence.class_map(own, finding) for own, finding in pairs]
        inside = [influence.share_inside(shares, mask) for shares, mask in zip(maps, lungs, strict=True)]
        told |= {"in_lungs": _mean(readings, inside), "lungs_area": _mean(readings, lungs.mean(axis=(1, 2)))}
    return told


def _pointing(some: Looked, data: Path, prepared: Path, segmenter: Path) -> dict:
    told = {"pointing": [], "random": [], "weight_inside": [], "area": []}
    disc = np.hypot(*np.mgrid[-TOLERANCE : TOLERANCE + 1, -TOLERANCE : TOLERANCE + 1]) <= TOLERANCE
    lungs = lungs_on(prepared, some.films, segmenter)
    if lungs is not None:
        told["lung_centres"] = []
    for index, placed in enumerate(some.films):
        outline = mask_on_square(data / placed.film.mask, SIDE) > 0.5
        near = ndimage.binary_dilation(outline, disc)
        shares = influence.class_map(some.influence[index], CODES.index(CONDITION))
        scaled = influence.over_square(shares, SIDE)
        told["pointing"].append(near[np.unravel_index(scaled.argmax(), scaled.shape)])
        told["random"].append(near.mean())
        told["weight_inside"].append(influence.share_inside(shares, outline))
        told["area"].append(outline.mean())
        if lungs is not None:
            told["lung_centres"].append(np.mean([near[place] for place in _centres(lungs[index])] or [0]))
    readings = some.readings()
    return {name: _mean(readings, values) for name, values in told.items()}


def _centres(lungs: np.ndarray) -> list[tuple[int, int]]:
    """The middle of the two largest parts of a mask, as rows and columns of SIDE."""
    parts, count = ndimage.label(lungs)
    largest = np.argsort(np.bincount(parts.ravel())[1:])[::-1][:2] + 1 if count else []
    centres = ndimage.center_of_mass(lungs, parts, largest) if count else []
    return [tuple(int((middle + 0.5) * SIDE / len(lungs)) for middle in centre) for centre in centres]


def _mean(readings: Readings, values: list[float] | np.ndarray) -> dict:
    """The mean of the values that are numbers, one a film, with its interval."""
    values = np.asarray(values, float)
    known = np.isfinite(values)

    def mean(_: Readings, weight: np.ndarray) -> float:
        return float(np.average(values[known], weights=weight[known])) if weight[known].any() else float("nan")

    return with_interval(readings, mean)
