"""`python -m train ensemble`: networks that were trained apart, side by side in one."""

import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from train.evaluate import opened, steps_of
from train.fit import NETWORK, save_made
from train.manifest import DataError


def ensemble(run: Path, others: Sequence[tuple[Path, float]], out: Path) -> None:
    """Make the run `out`: the network of `run` and those of the `others` side by side, which see the same film.

    Networks that began apart err apart, on films unlike those of their training above all (deep ensembles:
    Lakshminarayanan et al., NeurIPS 2017; elsewhere: Ovadia et al., NeurIPS 2019). others: runs, and how much each adds
    to the logits, above 0, together below 1. out/run.json names them, and is else that of `run`.
    Raises DataError when the shares are others, or when a run is no reader, is an ensemble, sees several scales, takes
    films of another size, was trained on another split or may have seen what `run` left out.
    """
    shares = [1 - math.fsum(share for _, share in others), *(share for _, share in others)]
    if not (others and all(share > 0 for share in shares)):
        told = ", ".join(f"{other}={share}" for other, share in others)
        raise DataError(f"The shares of the others must be above 0, and together below 1. Received: {told}.")
    runs = [run, *(other for other, _ in others)]
    recipes, splits = zip(*map(opened, runs), strict=True)
    for each, recipe, split in zip(runs, recipes, splits, strict=True):
        steps = steps_of(each)
        if recipe.network != "reader" or steps["ensemble"] or steps["scales"]:
            raise DataError(f"{each} is no run of one reader that sees each film once.")
        if (recipe.size, split) != (recipes[0].size, splits[0]):
            raise DataError(f"{each} takes films of another size than {run}, or was trained on another split.")
        if not set(recipes[0].leave_out) <= set(recipe.leave_out):
            raise DataError(f"{each} may have been trained on {', '.join(recipes[0].leave_out)}.")
    networks = [keras.models.load_model(each / NETWORK, compile=False) for each in runs]
    told = [
        {"run": str(other), "share": share, "recipe": recipe.model_dump(mode="json")}
        for (other, share), recipe in zip(others, recipes[1:], strict=True)
    ]
    save_made(side_by_side(networks, shares), run, out, ensemble=told)


def side_by_side(networks: Sequence[keras.Model], shares: Sequence[float]) -> keras.Model:
    """One reader whose logits are those of `networks`, each times its share. Its maps are theirs, one behind the other.

    networks: readers of one size. shares: one for each.
    """
    film = keras.Input(networks[0].input_shape[1:], name="film")
    bodies = [
        keras.Model(network.inputs, network.get_layer("features").input, name=f"network_{number}")
        for number, network in enumerate(networks)
    ]
    maps = layers.Concatenate(name="side_by_side")([body(film) for body in bodies])
    features = layers.GlobalAveragePooling2D(dtype="float32", name="features")(maps)
    last = networks[0].layers[-1]
    probabilities = layers.Dense(last.units, activation="softmax", dtype="float32", name=last.name)
    network = keras.Model(film, probabilities(features), name=networks[0].name)
    kernels, biases = zip(*(network.layers[-1].get_weights() for network in networks), strict=True)
    kernel = np.concatenate([share * own for share, own in zip(shares, kernels, strict=True)])
    probabilities.set_weights([kernel, np.tensordot(shares, biases, 1)])
    return network
