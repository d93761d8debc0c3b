"""`python -m train scales`: a network that looks at each film larger and smaller, and averages what it sees."""

from pathlib import Path

import keras
from keras import layers

from lungcare.network import load_network
from train.evaluate import check_step, opened
from train.fit import NETWORK, save_made
from train.manifest import DataError
from train.networks import body_of, reader_of

SCALES = (1.12, 0.9)


def scale(run: Path, out: Path, scales: tuple[float, ...] = SCALES) -> None:
    """Make the run `out`: the network of `run` looking at each film at several scales. out/run.json names them.

    Raises DataError when that network is no reader, or went through this step or a later one.
    """
    if opened(run)[0].network != "reader":
        raise DataError(f"{run} is no run of a reader. Others do not see films at several scales.")
    check_step("scales", run)
    network = load_network(run / NETWORK)
    save_made(at_scales(network, scales), run, out, scales=scales)


def at_scales(network: keras.Model, scales: tuple[float, ...]) -> keras.Model:
    """A reader of the same weights whose maps are the mean of those of a film at each of the scales.

    One look hangs on where the lines of a film happen to fall between the pixels; several looks hang on it less
    (multi-scale testing: Simonyan & Zisserman, ICLR 2015). Above 1 the rim of a film is cut off, below 1 it gets a
    black one, so that a place of the maps shows nearly the same of a film at each scale.
    """
    body = body_of(network, "body")
    film = keras.Input(network.input_shape[1:], name="film")
    maps = layers.Average(name="maps")([body(scaled(film, own)) for own in scales])
    return reader_of(film, maps, network.layers[-1].get_weights())


def scaled(film: keras.KerasTensor, scale: float) -> keras.KerasTensor:
    """Square films (n, size, size, 1) scaled about their middle, of the same size."""
    size = film.shape[1]
    rim = round((1 - min(scale, 1 / scale)) * size / 2)
    if scale > 1:
        return _resized(layers.Cropping2D(rim)(film), size)
    return layers.ZeroPadding2D(rim)(_resized(film, size - 2 * rim))


def _resized(film: keras.KerasTensor, size: int) -> keras.KerasTensor:
    # Not by the layer of that name: a network with one in it takes every call for one of its training.
    return keras.ops.image.resize(film, (size, size), data_format="channels_last")
