"""`python -m train head`: the last layer of a run's network made anew, so that every source of a class counts alike."""

from pathlib import Path

import numpy as np

from lungcare.conditions import CODES
from lungcare.network import Network, load_network
from train.evaluate import check_step, opened_on
from train.feed import open_feed, training_films
from train.fit import NETWORK, save_made
from train.look import look
from train.manifest import DataError
from train.recipe import Recipe
from train.split import Placed

FILMS_OF_A_CELL = 160
VIEWS = 2
SHRINK = 20.0
SHARE = 0.85
_PIECE = 64


def refit(run: Path, prepared: Path, out: Path, shrink: float = SHRINK, share: float = SHARE) -> None:
    """Make the run `out`: the network of `run` with `share` of a discriminant in its last layer, the rest its own.

    The discriminant is made from training films alone, the same number of each class and source. A last layer fitted
    again on even groups leans less on what goes with the class by chance (Kirichenko et al., ICLR 2023).
    shrink: see `discriminant`. out/run.json says what was done. Raises DataError when a condition has no film to train
    on, or when that network went through this step or a later one.
    """
    recipe, split, data = opened_on(run, prepared)
    check_step("head", run)
    network = load_network(run / NETWORK)
    last = network.layers[-1]
    films = _some_of_each_cell(training_films(split, recipe.leave_out))
    missing = set(CODES) - {p.film.label for p in films}
    if missing:
        raise DataError(f"No film to train on shows {', '.join(sorted(missing))}: the last layer needs all conditions.")
    features = look(run / NETWORK, recipe.size, data, films).features.astype(np.float64)
    views = _features_of_views(recipe, run / NETWORK, prepared, films)
    labels = np.array([CODES.index(p.film.label) for p in films])
    sources = np.array([p.film.source for p in films])
    kernel, bias = discriminant(features, views, labels, sources, shrink)
    own_kernel, own_bias = (weights - weights.mean(axis=-1, keepdims=True) for weights in last.get_weights())
    scale = (features @ own_kernel + own_bias).std() / (features @ kernel + bias).std()
    last.set_weights(
        [
            share * scale * kernel + (1 - share) * own_kernel,
            share * scale * bias + (1 - share) * own_bias,
        ]
    )
    save_made(network, run, out, head={"shrink": shrink, "share": share, "films": len(films)})


def discriminant(
    features: np.ndarray, views: np.ndarray, labels: np.ndarray, sources: np.ndarray, shrink: float
) -> tuple[np.ndarray, np.ndarray]:
    """A linear discriminant in which each source of a class counts alike: kernel (length, classes), bias (classes,).

    features: float (n, length) of films as they are. views: float (number, n, length), of augmented views of each.
    labels: int (n,). sources: str (n,). The mean of a class is that of the means of its sources. The covariance is that
    of films and views about the mean of their source and class, and that between the sources of a class, which is as
    much a nuisance (after Hatch et al., Interspeech 2006), and `shrink` on the diagonal, in variances of a feature.
    The logits of each film add up to 0 over the classes.
    """
    everything = np.concatenate([features[np.newaxis], views])
    middle, deviation = everything.mean(axis=(0, 1)), everything.std(axis=(0, 1)) + 1e-6
    everything = (everything - middle) / deviation
    classes = [
        [everything[:, (labels == label) & (sources == source)] for source in np.unique(sources[labels == label])]
        for label in np.unique(labels)
    ]
    cells = sum(len(of_class) for of_class in classes)
    covariance = shrink * np.eye(features.shape[1])
    means = []
    for of_class in classes:
        centres = np.stack([cell[0].mean(axis=0) for cell in of_class])
        means.append(centres.mean(axis=0))
        between = centres - means[-1]
        covariance += between.T @ between / cells
        for cell, centre in zip(of_class, centres, strict=True):
            inside = (cell - centre).reshape(-1, len(centre))
            covariance += inside.T @ inside / len(inside) / cells
    means = np.stack(means)
    weights = np.linalg.solve(covariance, means.T)
    bias = -0.5 * (weights * means.T).sum(axis=0)
    weights, bias = weights - weights.mean(axis=1, keepdims=True), bias - bias.mean()
    kernel = weights / deviation[:, np.newaxis]
    return kernel, bias - middle @ kernel


def _features_of_views(recipe: Recipe, network_file: Path, prepared: Path, films: list[Placed]) -> np.ndarray:
    """What the last layer is given for films augmented as in training: float32 (VIEWS, films, length)."""
    network = Network(network_file, recipe.size)
    feed = open_feed(recipe, prepared, films)
    found = []
    for start in range(0, VIEWS * len(films), _PIECE):
        places = range(start, min(start + _PIECE, VIEWS * len(films)))
        views = np.stack([feed.view(place % len(films), place, recipe.size) for place in places])
        found.append(network.look(views[..., np.newaxis]).features)
    return np.concatenate(found).reshape(VIEWS, len(films), -1)


def _some_of_each_cell(films: list[Placed]) -> list[Placed]:
    """As many films of each class and source, or all where there are fewer; the same at each call."""
    cells: dict[tuple[str, str], list[Placed]] = {}
    for p in films:
        cells.setdefault((p.film.label, p.film.source), []).append(p)
    rng = np.random.default_rng(0)
    return [cell[i] for cell in cells.values() for i in rng.permutation(len(cell))[:FILMS_OF_A_CELL]]
