"""`python -m train blend`: weights averaged, of several runs and of what they went on from."""

import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from lungcare.network import load_network
from train.evaluate import check_step, opened
from train.feed import Feed, open_feed
from train.fit import HISTORY, NETWORK, left_out_of, save_made
from train.manifest import DataError
from train.recipe import Recipe

BATCHES = 48


def blend(runs: list[Path], prepared: Path, out: Path, starts: Sequence[tuple[Path, float]] = ()) -> None:
    """Make the run `out`: of the weights of each of the `starts` its share, the rest of the mean of those of `runs`.

    Networks that were fine-tuned from one start and then averaged often hold better elsewhere than each of them (model
    soups: Wortsman et al., ICML 2022; DiWA: Rame et al., NeurIPS 2022), and so do they averaged with that start
    (WiSE-FT: Wortsman et al., CVPR 2022) and with what came before it. What batch normalisation keeps of the films is
    made anew when there are several runs. starts: networks (.keras) and the share of each, above 0, together at most 1.
    out/run.json says what was blended, and is else that of the first run.
    Raises DataError when the shares are others, when a start is named twice, is another network than that of the runs
    or may have seen what they left out, or when these differ in more than their seed and the path of their start, or
    went through this step or a later one.
    """
    share_of = dict(starts)
    if len(share_of) < len(starts):
        raise DataError(f"A start is named twice. Received: {', '.join(str(start) for start, _ in starts)}.")
    of_starts = math.fsum(share_of.values())
    if not all(share > 0 for share in share_of.values()) or of_starts > 1:
        told = ", ".join(f"{start}={share}" for start, share in starts)
        raise DataError(f"The shares of the starts must be above 0, and together at most 1. Received: {told}.")
    recipes, splits = zip(*map(opened, runs), strict=True)
    for run in runs:
        check_step("blend", run)
    if len(set(splits)) > 1:
        raise DataError("The runs were trained on different splits.")
    if any(_unseeded(recipe) != _unseeded(recipes[0]) for recipe in recipes):
        raise DataError("The runs differ in more than their seed and the place of the network that they went on from.")
    network = load_network(runs[0] / NETWORK)
    weights = [network.get_weights(), *(_weights(run / NETWORK) for run in runs[1:])]
    shares = [(1 - of_starts) / len(runs)] * len(runs) + list(share_of.values())
    for start in share_of:
        if not set(recipes[0].leave_out) <= left_out_of(start):
            raise DataError(f"{start} may have been trained on {', '.join(recipes[0].leave_out)}.")
        weights.append(_weights(start))
        if [array.shape for array in weights[-1]] != [array.shape for array in weights[0]]:
            raise DataError(f"{start} is another network than that of {runs[0]}.")
    network.set_weights([np.tensordot(shares, arrays, 1) for arrays in zip(*weights, strict=True)])
    if len(runs) > 1:
        feed = open_feed(recipes[0], prepared)
        feed.start_epoch(recipes[0].epochs - 1)  # at the size that is published
        renew_averages(network, feed)
    blended = {
        "seeds": [recipe.seed for recipe in recipes],
        "epochs": [len((run / HISTORY).read_text().splitlines()) - 1 for run in runs],
        "starts": {str(start): share for start, share in share_of.items()},
    }
    save_made(network, runs[0], out, blend=blended)


def renew_averages(network: keras.Model, feed: Feed, batches: int = BATCHES) -> None:
    """Make the means and variances that batch normalisation keeps anew: those over the first batches of an epoch."""
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for step in range(min(batches, len(feed))):
        for layer in layers:
            layer.momentum = step / (step + 1)
        network(feed[step][0], training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _unseeded(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"seed": 0, "start_from": ""})


def _weights(network: Path) -> list[np.ndarray]:
    return load_network(network).get_weights()
