"""Probabilities and labels -> figures with intervals."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.metrics import classification_report, confusion_matrix, roc_auc_score

from lungcare.conditions import CODES
from train.split import Placed

RESAMPLES = 1000
# Sources whose films come from one archive (see docs/ARCHITECTURE.md): comparing them does not compare archives.
NIH = ("siim", "nih", "rsna", "mixed_normals")
NORMAL = CODES.index("normal")


@dataclass(frozen=True)
class Readings:
    """What a network says of some films.

    films: n films. probabilities: float (n, 4).
    """

    films: list[Placed]
    probabilities: np.ndarray

    @cached_property
    def labels(self) -> np.ndarray:
        """int (n,): index of each film's class; -1 where it is none of ours."""
        return np.array([CODES.index(p.film.label) if p.film.label in CODES else -1 for p in self.films], int)

    @cached_property
    def findings(self) -> np.ndarray:
        """int (n,): index of the class with the highest probability."""
        return self.probabilities.argmax(axis=1)

    def where(self, keep: Callable[[Placed], bool]) -> "Readings":
        """The readings of the films that `keep` accepts."""
        return self.at(np.array([keep(p) for p in self.films], bool))

    def at(self, chosen: np.ndarray) -> "Readings":
        """The readings of some films. chosen: bool (n,)."""
        return Readings([p for p, yes in zip(self.films, chosen, strict=True) if yes], self.probabilities[chosen])


Statistic = Callable[[Readings, np.ndarray], float]


def with_interval(readings: Readings, statistic: Statistic, seed: int = 0) -> dict:
    """A figure with its 95 % interval: percentile bootstrap (Efron 1979), drawing whole groups, 1,000 times.

    statistic: (readings, weight of each film) -> figure; nan where a draw allows none.
    Returns {"value", "low", "high", "films"}, rounded to four digits.
    """
    count = len(readings.films)
    value = statistic(readings, np.ones(count))
    _, group = np.unique([p.group for p in readings.films], return_inverse=True)
    groups = group.max() + 1
    rng = np.random.default_rng(seed)
    drawn = [
        statistic(readings, np.bincount(rng.integers(groups, size=groups), minlength=groups)[group].astype(float))
        for _ in range(RESAMPLES)
    ]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return {"value": _figure(value), "low": _figure(low), "high": _figure(high), "films": count}


def as_interval(figure: dict) -> str:
    """A figure of `with_interval` as text: 0.914 (0.900 to 0.927)."""
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def accuracy(readings: Readings, weight: np.ndarray) -> float:
    """Share of films whose finding is their class."""
    return float(np.average(readings.findings == readings.labels, weights=weight))


def normal_or_not(readings: Readings, weight: np.ndarray) -> float:
    """Share of films of which the finding says rightly whether they are normal."""
    return float(np.average((readings.findings == NORMAL) == (readings.labels == NORMAL), weights=weight))


def balanced_accuracy(readings: Readings, weight: np.ndarray) -> float:
    """Mean over the classes of the share read as their class."""
    shares = []
    for label in np.unique(readings.labels):
        own = readings.labels == label
        shares.append(np.average(readings.findings[own] == label, weights=weight[own]) if weight[own].any() else np.nan)
    return float(np.mean(shares))


def auc_of(code: str) -> Statistic:
    """AUC of the probability of `code`, its films against all others."""
    index = CODES.index(code)
    return lambda readings, weight: auc(readings.labels == index, readings.probabilities[:, index], weight)


def auc_against_normal(code: str) -> Statistic:
    """AUC of p(code) / (p(code) + p(normal)), films of `code` against normal ones; others are to be left out."""
    index = CODES.index(code)

    def statistic(readings: Readings, weight: np.ndarray) -> float:
        own, normal = readings.probabilities[:, index], readings.probabilities[:, NORMAL]
        return auc(readings.labels == index, own / np.maximum(own + normal, 1e-12), weight)

    return statistic


def part_figures(readings: Readings) -> dict:
    """All figures of a part: overall, for each source, by class and source, and inside sources and archives."""
    sources = sorted({p.film.source for p in readings.films})
    return {
        **figures(readings),
        "sources": {
            source: figures(readings.where(lambda p, source=source: p.film.source == source)) for source in sources
        },
        "by_source": by_source(readings),
        "inside": inside(readings),
    }


def figures(readings: Readings) -> dict:
    """Accuracy, AUC of each class against the others, classification report and confusion of some films."""
    present = [code for i, code in enumerate(CODES) if (readings.labels == i).any()]
    return {
        "films": len(readings.films),
        "accuracy": with_interval(readings, accuracy),
        "balanced_accuracy": with_interval(readings, balanced_accuracy),
        "normal_or_not": with_interval(readings, normal_or_not),
        "auc": {code: with_interval(readings, auc_of(code)) for code in present if len(present) > 1},
        "report": report(readings),
        "confusion": confusion_matrix(readings.labels, readings.findings, labels=range(len(CODES))).tolist(),
    }


def report(readings: Readings) -> dict:
    """Precision, recall, F1 and films of each class, as in the thesis's classification report."""
    every = {"labels": range(len(CODES)), "target_names": CODES}
    told = classification_report(readings.labels, readings.findings, **every, output_dict=True, zero_division=0)
    return {
        row: {name: _figure(value) if name != "support" else int(value) for name, value in cells.items()}
        for row, cells in told.items()
        if isinstance(cells, dict)
    }


def by_source(readings: Readings) -> dict:
    """For each class and source: films, and the share of them that is read as each condition."""
    table = {}
    for label, source in sorted({(p.film.label, p.film.source) for p in readings.films}):
        own = readings.where(lambda p, label=label, source=source: (p.film.label, p.film.source) == (label, source))
        read_as = {code: _figure(np.mean(own.findings == i)) for i, code in enumerate(CODES)}
        cell = {"films": len(own.films), "read_as": read_as}
        if label in CODES:
            cell["accuracy"] = with_interval(own, accuracy)
        table[f"{label}/{source}"] = cell
    return table


def inside(readings: Readings) -> dict:
    """Each disease against normal where both come from one source or archive: AUC of p(a) / (p(a) + p(normal))."""
    return {name: with_interval(some, auc_against_normal(code)) for name, (code, some) in pairs(readings).items()}


def pairs(readings: Readings) -> dict[str, tuple[str, Readings]]:
    """The films of each disease and the normal ones of the same source or archive: name -> (disease, readings)."""
    found = {}
    cells = {(p.film.label, p.film.source) for p in readings.films}
    for label, source in sorted(cells):
        if label in CODES[1:] and ("normal", source) in cells:
            found[f"{label} in {source}"] = label, _pair(readings, label, (source,), (source,))
    partners = [source for source in NIH if ("normal", source) in cells]
    if ("pneumothorax", "siim") in cells and partners:
        for name, normals in [("the NIH archive", tuple(partners)), *((source, (source,)) for source in partners)]:
            some = _pair(readings, "pneumothorax", ("siim",), normals)
            found[f"pneumothorax of siim, normals of {name}"] = "pneumothorax", some
    return found


def is_child_of_kermany(placed: Placed) -> bool:
    """Whether a film of mixed_normals, the rest of which are NIH's adults, is one of kermany's children."""
    return placed.film.source == "mixed_normals" and placed.film.age_group == "child"


def _pair(readings: Readings, label: str, own: tuple[str, ...], normals: tuple[str, ...]) -> Readings:
    def keep(p: Placed) -> bool:
        return (p.film.label == label and p.film.source in own) or (
            p.film.label == "normal" and p.film.source in normals and not is_child_of_kermany(p)
        )

    return readings.where(keep)


def auc(positive: np.ndarray, score: np.ndarray, weight: np.ndarray) -> float:
    """Area under the ROC curve; nan where a side has no weight. bool (n,), float (n,), float (n,)."""
    if not weight[positive].any() or not weight[~positive].any():
        return float("nan")
    return float(roc_auc_score(positive, score, sample_weight=weight))


def _figure(value: float) -> float:
    return round(float(value), 4)
