"""Films that are abnormal, but none of the four conditions: whether they can be told, and what is said of them."""

from collections.abc import Callable

import numpy as np
from sklearn.decomposition import PCA

from lungcare.bundle import Certainty
from lungcare.certainty import SCORES
from lungcare.conditions import CODES
from train.look import Looked
from train.measure import NORMAL, Readings, auc, with_interval
from train.split import Placed

# A rule for such films is worth having from this AUC on, by its lower bound.
WORTH = 0.80


def choose_other(known: Looked, others: Looked) -> dict:
    """How well scores tell films of none of the four conditions from known ones of the same collections: AUC of each.

    scores: those of certainty, the energy (Liu et al., NeurIPS 2020) where the network has a map, and the distance to
    the nearest class in the features (Lee et al., NeurIPS 2018), fitted on one half of the known films and taken of the
    other. supported: whether one of them is worth a rule. Empty where there are no such films.
    """
    sources = {p.film.source for p in others.films}
    near = np.array([p.film.source in sources for p in known.films], bool)
    if not others.films or not near.any():
        return {}
    films = [p for p, yes in zip(known.films, near, strict=True) if yes] + others.films
    told = {}
    for name, (of_known, of_others) in _strangeness(known, others).items():
        values = np.concatenate([of_known[near], of_others])
        told[name] = _auc_with_interval(films, np.arange(len(films)) >= near.sum(), values)
    return {"auc": told, "supported": max(figure["low"] for figure in told.values()) >= WORTH}


def _strangeness(known: Looked, others: Looked) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """How strange each score finds the known films and the others, the stranger the higher: name -> (n,), (m,)."""
    scores = {name: (-score(known.softmax), -score(others.softmax)) for name, score in SCORES.items()}
    if known.influence is not None:
        scores["energy"] = _energy(known), _energy(others)
    halves = np.unique([p.group for p in known.films], return_inverse=True)[1] % 2
    of_known, of_others = np.zeros(len(known.films)), np.zeros(len(others.films))
    for half in (0, 1):
        distance = _class_distance(known.features[halves == half], known.labels[halves == half])
        of_known[halves != half] = distance(known.features[halves != half])
        of_others += distance(others.features) / 2
    return scores | {"distance": (of_known, of_others)}


def _energy(looked: Looked) -> np.ndarray:
    """-log of the sum of the exponentials of the logits, but for a constant. float (n,)."""
    logits = looked.influence[..., NORMAL].astype(np.float32).sum(axis=(1, 2))
    return np.log(np.maximum(looked.softmax[:, NORMAL], np.finfo(np.float32).tiny)) - logits


def _class_distance(features: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Mahalanobis distance to the nearest class mean, on the first 64 principal components."""
    parts = PCA(min(64, *features.shape), random_state=0).fit(features.astype(np.float32))
    own = parts.transform(features.astype(np.float32))
    means = np.stack([own[labels == label].mean(axis=0) for label in np.unique(labels)])
    rest = own - means[np.searchsorted(np.unique(labels), labels)]
    spread = np.linalg.pinv(np.cov(rest.T) + 1e-3 * rest.var() * np.eye(rest.shape[1]))

    def distance(others: np.ndarray) -> np.ndarray:
        gaps = parts.transform(others.astype(np.float32))[:, np.newaxis] - means
        return np.einsum("ncp,pq,ncq->nc", gaps, spread, gaps).min(axis=1)

    return distance


def _auc_with_interval(films: list[Placed], is_other: np.ndarray, values: np.ndarray) -> dict:
    readings = Readings(films, np.zeros((len(films), len(CODES))))
    return with_interval(readings, lambda _, weight: auc(is_other, values, weight))


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
