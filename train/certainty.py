"""When a reading counts as certain: a score and its limit, chosen on the validation part, and what they are worth."""

import numpy as np

from lungcare.bundle import Certainty
from lungcare.certainty import SCORES
from train.measure import Readings, accuracy, with_interval
from train.operate import rounded_down, wilson_lower

# What the certain films are to reach, and the least share of films that is to stay certain.
ACCURACY = 0.96
COVERAGE = 0.75
_STEPS = 20


def choose_certainty(readings: Readings) -> Certainty:
    """The score with the smallest area under its risk-coverage curve (Geifman & El-Yaniv, NeurIPS 2017), and its limit.

    The limit leaves as many films certain as keep an accuracy of 0.96; but no fewer than three quarters of the films.
    Both by their lower bounds (Wilson, one side, 95 %), so that they hold on other films too.
    """
    right = readings.findings == readings.labels
    name = min(SCORES, key=lambda name: _risk(SCORES[name](readings.probabilities), right).mean())
    scores = SCORES[name](readings.probabilities)
    order = np.argsort(-scores)
    count = np.arange(1, len(order) + 1)
    lower = wilson_lower(np.cumsum(right[order]), count)
    many = np.flatnonzero(wilson_lower(count, len(order)) >= COVERAGE)
    enough = many[lower[many] >= ACCURACY]
    last = enough[-1] if len(enough) else many[0] if len(many) else len(order) - 1
    return Certainty(score=name, least=rounded_down(scores[order[last]]))


def measure_certainty(readings: Readings, rule: Certainty) -> dict:
    """Share of films that are certain (coverage), accuracy among them and among the others, and the whole curve.

    curve: for twentieths of the films, the surest first: share of the films, accuracy among them.
    """
    scores = SCORES[rule.score](readings.probabilities)
    certain = scores >= rule.least
    right = (readings.findings == readings.labels)[np.argsort(-scores)]
    ends = np.unique(np.ceil(np.arange(1, _STEPS + 1) / _STEPS * len(right)).astype(int))
    told = {
        "coverage": with_interval(
            readings, lambda some, weight: float(np.average(_certain(some, rule), weights=weight))
        ),
        "curve": [
            {"coverage": round(end / len(right), 4), "accuracy": round(float(right[:end].mean()), 4)} for end in ends
        ],
    }
    for name, chosen in (("certain", certain), ("uncertain", ~certain)):
        if chosen.any():
            told[name] = with_interval(readings.at(chosen), accuracy)
    return told


def _certain(readings: Readings, rule: Certainty) -> np.ndarray:
    return SCORES[rule.score](readings.probabilities) >= rule.least


def _risk(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Share of errors among the surest films, for every number of films. float (n,), bool (n,) -> float (n,)."""
    errors = np.cumsum(~right[np.argsort(-scores)])
    return errors / np.arange(1, len(right) + 1)
