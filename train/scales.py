"""`python -m train scales`: a network that looks at each film larger and smaller, or two that do so side by side."""

import json
from pathlib import Path

import keras
import numpy as np
from keras import layers

from lungcare.bundle import CARD, record_of
from lungcare.bundle import NETWORK as PUBLISHED
from train.evaluate import opened
from train.fit import NETWORK, RUN, save_made
from train.manifest import DataError

SCALES = (1.12, 0.9)


def scale(run: Path, out: Path, beside: Path | None = None, scales: tuple[float, ...] = SCALES) -> None:
    """Make the run `out`: the network of `run` looking at each film at several scales.

    beside: a run, or the folder of a published bundle, whose network sees the last of two scales instead.
    out/run.json is that of `run`, names the scales and says what is beside.
    Raises DataError when a network is no reader or sees several scales already, or when the two were trained on other
    films or for another size.
    """
    recipe, split = opened(run)
    if recipe.network != "reader":
        raise DataError(f"{run} is no run of a reader. Others do not see films at several scales.")
    made: dict[str, object] = {"scales": scales}
    files = [run / NETWORK]
    if beside:
        trained_on, file, made["beside"] = _published(beside) if (beside / CARD).is_file() else _trained(beside)
        if trained_on != ("reader", split, list(recipe.leave_out), recipe.size):
            raise DataError(f"{beside} is no reader, or of other films or another size than {run}.")
        files.append(file)
    networks = [keras.models.load_model(file, compile=False) for file in files]
    for file, network in zip(files, networks, strict=True):
        if any(isinstance(layer, keras.Model) for layer in network.layers):
            raise DataError(f"{file} sees films at several scales already.")
    save_made(at_scales(networks, scales), run, out, **made)


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


def _trained(run: Path) -> tuple[tuple, Path, dict]:
    """What the network of a run was trained on, its file, and how it was made."""
    recipe, split = opened(run)
    described = json.loads((run / RUN).read_text())
    made = {name: described.get(name) for name in ("recipe", "start", "commit", "blend")}
    return (recipe.network, split, list(recipe.leave_out), recipe.size), run / NETWORK, made


def _published(folder: Path) -> tuple[tuple, Path, dict]:
    """The same of the network of a published bundle, of whatever version: its card says how it was made."""
    card = json.loads((folder / CARD).read_text())
    network = folder / PUBLISHED
    training = card["training"]
    trained_on = training["network"], card["data"]["split"], training["leave_out"], card["input"]["size"]
    return trained_on, network, {"model": f"{card['name']}:{card['version']}", "network": record_of(network).sha256}


def _body(network: keras.Model, name: str) -> keras.Model:
    return keras.Model(network.inputs, network.get_layer("features").input, name=name)


def _resized(film: keras.KerasTensor, size: int) -> keras.KerasTensor:
    # Not by the layer of that name: a network with one in it takes every call for one of its training.
    return keras.ops.image.resize(film, (size, size), data_format="channels_last")
