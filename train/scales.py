"""`python -m train scales`: a network that looks at each film larger and smaller, or two that do so side by side."""

import json
from pathlib import Path

import keras
import numpy as np
from keras import layers

from train.evaluate import opened
from train.fit import NETWORK, RUN, save_made
from train.manifest import DataError

SCALES = (1.12, 0.9)


def scale(runs: list[Path], out: Path, scales: tuple[float, ...] = SCALES) -> None:
    """Make the run `out`: the network of one run looking at each film at several scales, or of each run at its own.

    out/run.json is that of the first run, names the scales and, where there are several runs, how the others were made.
    Raises DataError when a network is no reader, when there is not a scale for each run, or when the runs were trained
    on other films or for another size than the first.
    """
    recipes, splits = zip(*(opened(run) for run in runs), strict=True)
    for run, recipe, split in zip(runs, recipes, splits, strict=True):
        if recipe.network != "reader":
            raise DataError(f"{run} is no run of a reader. Others do not see films at several scales.")
        if (split, recipe.leave_out, recipe.size) != (splits[0], recipes[0].leave_out, recipes[0].size):
            raise DataError(f"{run} was trained on other films or for another size than {runs[0]}.")
    if len(runs) not in (1, len(scales)):
        raise DataError(f"There are {len(scales)} scales: give one run, or {len(scales)}, not {len(runs)}.")
    networks = [keras.models.load_model(run / NETWORK, compile=False) for run in runs]
    beside = [_made(run) for run in runs[1:]]
    save_made(at_scales(networks, scales), runs[0], out, scales=scales, **({"beside": beside} if beside else {}))


def at_scales(networks: list[keras.Model], scales: tuple[float, ...]) -> keras.Model:
    """A reader whose logits are the mean of those at each of the scales: by one network, or by another at each.

    One look hangs on where the lines of a film happen to fall between the pixels; several looks hang on it less
    (multi-scale testing: Simonyan & Zisserman, ICLR 2015), and what networks err in that were trained apart differs
    (deep ensembles: Lakshminarayanan et al., NeurIPS 2017). Above 1 the rim of a film is cut off, below 1 it gets a
    black one, so that a place of the maps shows nearly the same of a film at each scale. The maps of one network are
    averaged, those of several lie side by side, the weights of whose last layers are divided by their number.
    """
    film = keras.Input(networks[0].input_shape[1:], name="film")
    bodies = [_body(network, f"body{number}") for number, network in enumerate(networks)]
    if len(networks) == 1:
        maps = layers.Average(name="maps")([bodies[0](scaled(film, own)) for own in scales])
    else:
        seen = [body(scaled(film, own)) for body, own in zip(bodies, scales, strict=True)]
        maps = layers.Concatenate(name="maps")(seen)
    last = layers.Dense.from_config(networks[0].layers[-1].get_config())
    read = last(layers.GlobalAveragePooling2D(dtype="float32", name="features")(maps))
    kernels, biases = zip(*(network.layers[-1].get_weights() for network in networks), strict=True)
    last.set_weights([np.concatenate(kernels) / len(networks), np.mean(biases, axis=0)])
    return keras.Model(film, read, name=networks[0].name)


def scaled(film: keras.KerasTensor, scale: float) -> keras.KerasTensor:
    """Square films (n, size, size, 1) scaled about their middle, of the same size."""
    size = film.shape[1]
    rim = round((1 - min(scale, 1 / scale)) * size / 2)
    if scale > 1:
        return _resized(layers.Cropping2D(rim)(film), size)
    return layers.ZeroPadding2D(rim)(_resized(film, size - 2 * rim))


def _made(run: Path) -> dict:
    """How the network of a run was made."""
    described = json.loads((run / RUN).read_text())
    return {name: described.get(name) for name in ("recipe", "start", "commit", "blend")}


def _body(network: keras.Model, name: str) -> keras.Model:
    return keras.Model(network.inputs, network.get_layer("features").input, name=name)


def _resized(film: keras.KerasTensor, size: int) -> keras.KerasTensor:
    # Not by the layer of that name: a network with one in it takes every call for one of its training.
    return keras.ops.image.resize(film, (size, size), data_format="channels_last")
