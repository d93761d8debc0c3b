"""`python -m train head`: the last layer of a run's network made anew, so that every source of a class counts alike."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np

from lungcare.conditions import CODES
from train.evaluate import opened
from train.fit import HISTORY, NETWORK, RUN, training_films
from train.look import look
from train.manifest import DataError
from train.prepare import open_prepared
from train.split import Placed

FILMS_OF_A_CELL = 160
SHRINK = 10.0
SHARE = 0.75


def refit(run: Path, prepared: Path, out: Path, shrink: float = SHRINK, share: float = SHARE) -> None:
    """Make the run `out`: the network of `run` with `share` of a discriminant in its last layer, the rest its own.

    The discriminant is made from training films alone, the same number of each class and source. A last layer fitted
    again on even groups leans less on what goes with the class by chance (Kirichenko et al., ICLR 2023).
    shrink: see `discriminant`. out/run.json says what was done. Raises DataError where a condition
    has no film to train on.
    """
    recipe, _ = opened(run)
    network = keras.models.load_model(run / NETWORK, compile=False)
    last = network.layers[-1]
    split, data = open_prepared(prepared)
    films = _some_of_each_cell(training_films(split, recipe.leave_out))
    missing = set(CODES) - {p.film.label for p in films}
    if missing:
        raise DataError(f"No film to train on shows {', '.join(sorted(missing))}: the last layer needs all conditions.")
    features = look(run / NETWORK, recipe.size, data, films).features.astype(np.float64)
    labels = np.array([CODES.index(p.film.label) for p in films])
    kernel, bias = discriminant(features, labels, np.array([p.film.source for p in films]), shrink)
    own_kernel, own_bias = (weights - weights.mean(axis=-1, keepdims=True) for weights in last.get_weights())
    scale = (features @ own_kernel + own_bias).std() / (features @ kernel + bias).std()
    last.set_weights(
        [
            share * scale * kernel + (1 - share) * own_kernel,
            share * scale * bias + (1 - share) * own_bias,
        ]
    )
    out.mkdir(parents=True, exist_ok=True)
    network.save(out / NETWORK)
    described = json.loads((run / RUN).read_text()) | {"head": {"shrink": shrink, "share": share, "films": len(films)}}
    (out / RUN).write_text(json.dumps(described, indent=1))
    if out != run:
        shutil.copy(run / HISTORY, out / HISTORY)


def discriminant(
    features: np.ndarray, labels: np.ndarray, sources: np.ndarray, shrink: float
) -> tuple[np.ndarray, np.ndarray]:
    """A linear discriminant in which each source of a class counts alike: kernel (length, classes), bias (classes,).

    features: float (n, length). labels: int (n,). sources: str (n,). The mean of a class is that of the means of its
    sources; the covariance is that inside the sources and that between the sources of a class, which is as much a
    nuisance (after Hatch et al., Interspeech 2006), and `shrink` on the diagonal, in variances of a feature.
    The logits of each film add up to 0 over the classes.
    """
    middle, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    scaled = (features - middle) / deviation
    cells = [
        [scaled[(labels == label) & (sources == source)] for source in np.unique(sources[labels == label])]
        for label in np.unique(labels)
    ]
    centres = [np.stack([cell.mean(axis=0) for cell in of_class]) for of_class in cells]
    means = np.stack([of_class.mean(axis=0) for of_class in centres])
    number = sum(len(of_class) for of_class in cells)
    covariance = shrink * np.eye(features.shape[1])
    for of_class, own, mean in zip(cells, centres, means, strict=True):
        for cell, centre in zip(of_class, own, strict=True):
            covariance += (
                (cell - centre).T @ (cell - centre) / len(cell) + np.outer(centre - mean, centre - mean)
            ) / number
    weights = np.linalg.solve(covariance, means.T)
    bias = -0.5 * (weights * means.T).sum(axis=0)
    weights, bias = weights - weights.mean(axis=1, keepdims=True), bias - bias.mean()
    kernel = weights / deviation[:, np.newaxis]
    return kernel, bias - middle @ kernel


def _some_of_each_cell(films: list[Placed]) -> list[Placed]:
    """As many films of each class and source, or all where there are fewer; the same at each call."""
    cells: dict[tuple[str, str], list[Placed]] = {}
    for p in films:
        cells.setdefault((p.film.label, p.film.source), []).append(p)
    rng = np.random.default_rng(0)
    return [cell[i] for cell in cells.values() for i in rng.permutation(len(cell))[:FILMS_OF_A_CELL]]
