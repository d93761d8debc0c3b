"""Whether the films that come in differ from those that a model was measured on: a table of readings against a card."""

import csv
import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lungcare.batch import COLUMNS
from lungcare.conditions import CODES

# A population stability index from here on is a change worth looking at, by custom; below it, chance or small change.
NOTABLE = 0.1
# A change is only told from chance with so many films.
LEAST_FILMS = 50
_BINS = 10
_CERTAINTY = 0.99
# Share that an empty bin counts as, so that no logarithm is infinite.
_FLOOR = 1e-4


class DriftError(ValueError):
    """A card without a reference, or a table that cannot be compared."""


@dataclass(frozen=True)
class Change:
    """How the probabilities of one condition moved.

    index: population stability index, 0 for none. chance: what it stays below by chance, 99 times of 100.
    mean, reference_mean: the mean probability now, and of the reference.
    """

    condition: str
    index: float
    chance: float
    mean: float
    reference_mean: float

    @property
    def has_moved(self) -> bool:
        """Whether it moved by more than chance, and by enough to be looked at."""
        return self.index > max(NOTABLE, self.chance)


@dataclass(frozen=True)
class Drift:
    """A table of readings against a reference. films: that were read. refused: share that was not read."""

    model: str
    films: int
    refused: float
    reference_films: int
    changes: tuple[Change, ...]


def reference(probabilities: Sequence[Sequence[float]]) -> dict:
    """What a card keeps of the films that its model was measured on, for `compare`.

    probabilities: (n, 4), in the order of the conditions. For each condition: the edges of ten bins that hold about a
    tenth of the films each, the share in each bin, and the mean.
    """
    told = {}
    for code, column in zip(CODES, zip(*probabilities, strict=True), strict=True):
        edges = sorted({round(edge, 6) for edge in statistics.quantiles(column, n=_BINS, method="inclusive")})
        told[code] = {
            "edges": edges,
            "shares": [round(share, 6) for share in _shares(column, edges)],
            "mean": round(statistics.fmean(column), 6),
        }
    return {"films": len(probabilities), "probabilities": told}


def compare(card: Path, table: Path) -> Drift:
    """Hold a table of `python -m lungcare batch` against the reference in a card. Raises DriftError."""
    model, kept = _reference_of(card)
    rows = _rows(table, model)
    try:
        read = [_even(row) for row in rows if row["outcome"] == "read"]
    except (ValueError, ZeroDivisionError) as error:
        raise DriftError(f"{table} has probabilities that are none.") from error
    if len(read) < LEAST_FILMS:
        raise DriftError(f"{table} has {len(read)} films that were read; at least {LEAST_FILMS} are needed.")
    changes = []
    for code in CODES:
        column = [row[code] for row in read]
        expected = kept["probabilities"][code]
        found = _shares(column, expected["edges"])
        index = stability_index(expected["shares"], found)
        chance = _by_chance(len(found) - 1, kept["films"], len(read))
        changes.append(Change(code, index, chance, statistics.fmean(column), expected["mean"]))
    return Drift(model, len(read), 1 - len(read) / len(rows), kept["films"], tuple(changes))


def stability_index(expected: Iterable[float], found: Iterable[float]) -> float:
    """Population stability index of two distributions over the same bins: the sum of (b - a) ln(b / a).

    The symmetric form of Kullback and Leibler's divergence (1951).
    """
    pairs = [(max(a, _FLOOR), max(b, _FLOOR)) for a, b in zip(expected, found, strict=True)]
    return sum((b - a) * math.log(b / a) for a, b in pairs)


def _by_chance(freedom: int, films: int, others: int) -> float:
    """What the index of two samples of one distribution stays below, 99 times of 100.

    It is about chi-squared times (1/n + 1/m) (Yurdakul and Naranjo 2020, Statistical properties of the population
    stability index); the quantile is Wilson and Hilferty's.
    """
    z = statistics.NormalDist().inv_cdf(_CERTAINTY)
    spread = 2 / (9 * freedom)
    return freedom * (1 - spread + z * math.sqrt(spread)) ** 3 * (1 / films + 1 / others)


def _even(row: dict[str, str]) -> dict[str, float]:
    """The probabilities of a row as they are for conditions equally frequent, for which those of the reference are."""
    even = {code: float(row[code]) / float(part) for code, part in zip(CODES, row["prevalence"].split(), strict=True)}
    total = sum(even.values())
    if not 0 < total < math.inf or min(even.values()) < 0:
        raise ValueError("no probabilities")
    return {code: share / total for code, share in even.items()}


def _shares(column: Sequence[float], edges: Sequence[float]) -> list[float]:
    """Share of the values in each bin: up to the first edge, up to the next, and above the last."""
    counts = [0] * (len(edges) + 1)
    for value in column:
        counts[sum(value > edge for edge in edges)] += 1
    return [count / len(column) for count in counts]


def _reference_of(card: Path) -> tuple[str, dict]:
    """Tag of the model, and the reference that its card keeps."""
    try:
        told = json.loads(card.read_text(encoding="utf-8"))
        model, kept = f"{told['name']}:{told['version']}", told["metrics"].get("reference")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DriftError(f"{card} is no card of a model.") from error
    if kept is None:
        raise DriftError(f"{card} keeps no reference. Publish the model anew: python -m train evaluate, then publish.")
    return model, kept


def _rows(table: Path, model: str) -> list[dict[str, str]]:
    try:
        with table.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = list(reader)
    except (OSError, csv.Error) as error:
        raise DriftError(f"{table} cannot be read as a table.") from error
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise DriftError(f"{table} is no table of `python -m lungcare batch`.")
    if rows and None in rows[-1].values():  # it was stopped while it wrote that row
        rows.pop()
    if any(None in row or None in row.values() for row in rows):
        raise DriftError(f"{table} has a row that is longer or shorter than its heading.")
    others = sorted({row["model"] for row in rows} - {model})
    if others:
        raise DriftError(f"{table} has readings of {', '.join(others)}; the card is that of {model}.")
    return rows
