"""What makes a network's figures probabilities, and how well they hold."""

import logging

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from sklearn.model_selection import GroupKFold

from lungcare.bundle import Calibration
from lungcare.calibration import calibrated

log = logging.getLogger(__name__)

BINS = 15
FOLDS = 5
_RANGE = (0.2, 5.0)
_LARGEST_OFFSET = 5.0


def choose_calibration(softmax: np.ndarray, labels: np.ndarray, groups: list[str]) -> tuple[Calibration, dict]:
    """The calibration of a network, and how both kinds do on films that they were not fitted on.

    Vector scaling where, over five folds of whole groups, its Brier score is lower than that of one temperature and its
    calibration error no higher; else the temperature.
    softmax: float (n, 4) of the validation part. labels: int (n,). groups: the group of each film.
    """
    kinds = {"temperature": fit_temperature, "vector": fit_vector}
    told = {}
    if len(set(groups)) >= FOLDS:
        folds = list(GroupKFold(FOLDS, shuffle=True, random_state=0).split(softmax, labels, groups))
        for name, fit in kinds.items():
            held = np.zeros_like(softmax)
            for own, rest in folds:
                held[rest] = calibrated(softmax[rest], fit(softmax[own], labels[own]))
            told[name] = {figure: value for figure, value in reliability(held, labels).items() if figure != "curve"}
    one, many = told.get("temperature"), told.get("vector")
    is_better = many is not None and many["brier"] < one["brier"] and many["ece"] <= one["ece"]
    return kinds["vector" if is_better else "temperature"](softmax, labels), told


def fit_temperature(softmax: np.ndarray, labels: np.ndarray) -> Calibration:
    """The temperature with the least log loss, every class weighing the same.

    softmax: float (n, 4). labels: int (n,).
    """

    def loss(log_temperature: float) -> float:
        return _log_loss(Calibration(temperature=np.exp(log_temperature)), softmax, labels)

    best = minimize_scalar(loss, bounds=np.log(_RANGE), method="bounded").x
    return Calibration(temperature=round(float(np.exp(best)), 4))


def fit_vector(softmax: np.ndarray, labels: np.ndarray) -> Calibration:
    """The slope and the offset of each condition with the least log loss, likewise. The first offset stays 0."""
    count = softmax.shape[1]
    # Its gradient is a difference of losses so small that those of rounded rows would drown it.
    softmax = softmax.astype(float) / softmax.sum(axis=1, keepdims=True, dtype=float)

    def made(numbers: np.ndarray) -> Calibration:
        return Calibration(slopes=tuple(numbers[:count].tolist()), offsets=(0, *numbers[count:].tolist()))

    start = np.concatenate([np.ones(count), np.zeros(count - 1)])
    bounds = [(1 / _RANGE[1], 1 / _RANGE[0])] * count + [(-_LARGEST_OFFSET, _LARGEST_OFFSET)] * (count - 1)
    best = minimize(lambda numbers: _log_loss(made(numbers), softmax, labels), start, method="L-BFGS-B", bounds=bounds)
    if not best.success:
        log.warning("the search for the vector scaling ended early: %s", best.message)
    return made(best.x.round(4))


def _log_loss(calibration: Calibration, softmax: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the classes of the mean log loss of their films."""
    own = calibrated(softmax, calibration)[np.arange(len(labels)), labels]
    losses = -np.log(np.maximum(own, 1e-12))
    return float(np.mean([losses[labels == label].mean() for label in np.unique(labels)]))


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
