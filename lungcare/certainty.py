"""Probabilities of a film -> how sure the reading is. The score and its limit are chosen when a model is measured."""

import numpy as np


def highest(probabilities: np.ndarray) -> np.ndarray:
    """The highest probability (Hendrycks & Gimpel, ICLR 2017). float (n, 4) -> float (n,)."""
    return probabilities.max(axis=1)


def margin(probabilities: np.ndarray) -> np.ndarray:
    """What the highest probability is above the second. float (n, 4) -> float (n,)."""
    ordered = np.sort(probabilities, axis=1)
    return ordered[:, -1] - ordered[:, -2]


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """One less the entropy of the four, in units of its largest value. float (n, 4) -> float (n,)."""
    logs = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    return 1 + (probabilities * logs).sum(axis=1) / np.log(probabilities.shape[1])


SCORES = {"highest": highest, "margin": margin, "entropy": entropy}
