"""Operating points: thresholds chosen on the validation part, and what they reach on other films."""

import math
from functools import partial

import numpy as np
from scipy.stats import norm

from lungcare.bundle import Point, Points
from lungcare.conditions import CODES
from train.measure import Readings, pairs, with_interval

# Of the films with a condition, screening finds at least so many (the WHO's target for tuberculosis triage, 2014).
SENSITIVITY = 0.90
_ONE_SIDED = norm.ppf(0.95)


def choose_points(readings: Readings) -> dict[str, Points]:
    """The operating points of each condition.

    screening: the highest threshold of which the sensitivity is at least 0.90 with its lower bound (Wilson 1927, one
    side, 95 %), so that it holds on other films too. balanced: the threshold of the largest sensitivity + specificity
    (Youden 1950). Screening is never above balanced, so that it misses no film which that one finds.
    """
    points = {}
    for index, code in enumerate(CODES):
        share, has = readings.probabilities[:, index], readings.labels == index
        screening = _highest_with(np.sort(share[has])[::-1], SENSITIVITY)
        balanced = _youden(share, has)
        points[code] = Points(screening=Point(threshold=min(screening, balanced)), balanced=Point(threshold=balanced))
    return points


def measure_points(readings: Readings, points: dict[str, Points]) -> dict:
    """Sensitivity and specificity at each point, {condition: {point: {"threshold", "sensitivity", "specificity"}}}.

    Over all films; and under "inside" for each disease against normal where both come from one source or archive.
    """
    table = {}
    for code, own in points.items():
        if any(p.film.label == code for p in readings.films):
            table[code] = {
                name: {"threshold": point["threshold"]} | _reached(readings, code, point["threshold"])
                for name, point in own.model_dump().items()
            }
    inside = {
        name: {
            point: _reached(some, code, threshold["threshold"])
            for point, threshold in points[code].model_dump().items()
        }
        for name, (code, some) in pairs(readings).items()
    }
    return table | {"inside": inside}


def _reached(readings: Readings, code: str, threshold: float) -> dict:
    index = CODES.index(code)
    with_it = readings.where(lambda p: p.film.label == code)
    without = readings.where(lambda p: p.film.label != code)
    flagged = partial(_share_flagged, index, threshold)
    told = {"sensitivity": with_interval(with_it, flagged)}
    if without.films:
        told["specificity"] = with_interval(without, lambda some, weight: 1 - flagged(some, weight))
    return told


def _share_flagged(index: int, threshold: float, readings: Readings, weight: np.ndarray) -> float:
    return float(np.average(readings.probabilities[:, index] >= threshold, weights=weight))


def _highest_with(falling: np.ndarray, sensitivity: float) -> float:
    """The highest of the probabilities that at least this share reaches, by the lower bound of the share."""
    if not len(falling):
        return 1.0
    count = np.arange(1, len(falling) + 1)
    enough = np.flatnonzero(wilson_lower(count, len(falling)) >= sensitivity)
    return rounded_down(falling[enough[0]] if len(enough) else falling[-1])


def wilson_lower(count: np.ndarray, total: np.ndarray | int) -> np.ndarray:
    """Lower bound of a share `count` / `total`, one-sided, 95 % (Wilson 1927). int (n,) -> float (n,)."""
    share, z2 = count / total, _ONE_SIDED**2
    centre = share + z2 / (2 * total)
    spread = _ONE_SIDED * np.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return (centre - spread) / (1 + z2 / total)


def _youden(share: np.ndarray, has: np.ndarray) -> float:
    order = np.argsort(-share)
    sensitivity = np.cumsum(has[order]) / max(has.sum(), 1)
    false_alarms = np.cumsum(~has[order]) / max((~has).sum(), 1)
    return rounded_down(share[order][np.argmax(sensitivity - false_alarms)])


def rounded_down(limit: float) -> float:
    """To six digits, so that the film whose score it was still reaches it."""
    return math.floor(float(limit) * 1e6) / 1e6
