"""Films that are abnormal, but none of the four conditions: what the network says of them."""

import numpy as np

from lungcare.bundle import Certainty
from lungcare.certainty import SCORES
from lungcare.conditions import CODES
from train.measure import NORMAL, Readings, with_interval


def other_figures(readings: Readings, rule: Certainty) -> dict:
    """Shares of such films that are read as each condition, as anything but normal, and as uncertain."""

    def abnormal(some: Readings, weight: np.ndarray) -> float:
        return float(np.average(some.findings != NORMAL, weights=weight))

    def uncertain(some: Readings, weight: np.ndarray) -> float:
        return float(np.average(SCORES[rule.score](some.probabilities) < rule.least, weights=weight))

    return {
        "films": len(readings.films),
        "read_as": {code: round(float(np.mean(readings.findings == i)), 4) for i, code in enumerate(CODES)},
        "abnormal": with_interval(readings, abnormal),
        "uncertain": with_interval(readings, uncertain),
    }
