"""The temperature that makes a network's figures probabilities, and how well they hold."""

import numpy as np
from scipy.optimize import minimize_scalar

from lungcare.calibration import calibrated

BINS = 15
_RANGE = (0.2, 5.0)


def fit_temperature(softmax: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the least log loss, every class weighing the same.

    softmax: float (n, 4) of the validation part. labels: int (n,).
    """
    count = np.bincount(labels, minlength=softmax.shape[1])
    weight = 1 / count[labels]

    def loss(log_temperature: float) -> float:
        own = calibrated(softmax, np.exp(log_temperature))[np.arange(len(labels)), labels]
        return float(-(weight * np.log(np.maximum(own, 1e-12))).sum())

    return round(float(np.exp(minimize_scalar(loss, bounds=np.log(_RANGE), method="bounded").x)), 4)


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> dict:
    """How well probabilities hold: expected calibration error, Brier score, and the curve behind the first.

    ece (Naeini et al. 2015): mean gap between the highest probability and how often it is right, over 15 even bins,
    weighted by films. brier: mean squared distance to the truth over all four conditions, 0 to 2.
    curve: for each bin that holds films: films, mean probability, share right.
    """
    highest, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((highest * BINS).astype(int), BINS - 1)
    curve = [
        {"films": int(inside.sum()), "said": float(highest[inside].mean()), "right": float(right[inside].mean())}
        for inside in (bins == number for number in np.unique(bins))
    ]
    truth = np.eye(probabilities.shape[1])[labels]
    return {
        "ece": round(sum(cell["films"] * abs(cell["said"] - cell["right"]) for cell in curve) / len(labels), 4),
        "brier": round(float(((probabilities - truth) ** 2).sum(axis=1).mean()), 4),
        "curve": [{name: round(value, 4) for name, value in cell.items()} for cell in curve],
    }
