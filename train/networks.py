"""The networks: the thesis's four blocks, and the reader. All take (films, size, size, 1), grey levels 0 to 255."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from lungcare.conditions import CODES
from train.recipe import Recipe

FILTERS = 32

# EfficientNet-Lite0 (TensorFlow's release of 2020, after Tan & Le 2019): expansion, kernel, stride, channels, repeats.
LITE0 = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
EPSILON = 1e-3
PLACES = "places"
# In an ensemble: each of its networks up to the maps is called so, with its number.
MEMBER = "network_"


def build(recipe: Recipe, size: int | None) -> keras.Model:
    """The recipe's network for squares of `size` px (None: any size, not for the thesis's network)."""
    if recipe.network == "thesis":
        return thesis(size, recipe.blocks, recipe.norm_momentum)
    return reader(size)


def with_places(network: keras.Model) -> keras.Model:
    """A reader that tells too where the pneumothorax lies: "places", (films, size / 32, size / 32), 0 to 1 each."""
    maps = network.get_layer("features").input
    few = keras.initializers.Constant(-4.0)
    places = layers.Dense(1, activation="sigmoid", bias_initializer=few, dtype="float32", name=PLACES)(maps)
    places = keras.ops.squeeze(places, -1)
    return keras.Model(network.inputs, {"probabilities": network.outputs[0], PLACES: places}, name="reader")


def side_by_side(networks: Sequence[keras.Model], shares: Sequence[float]) -> keras.Model:
    """One reader whose logits are those of `networks`, each times its share. Its maps are theirs, one behind the other.

    networks: readers of one size. shares: one for each.
    """
    bodies = [body_of(network, f"{MEMBER}{number}") for number, network in enumerate(networks)]
    kernels, biases = zip(*(network.layers[-1].get_weights() for network in networks), strict=True)
    kernel = np.concatenate([share * own for share, own in zip(shares, kernels, strict=True)])
    return _behind(bodies, kernel, np.tensordot(shares, biases, 1))


def apart(network: keras.Model) -> list[keras.Model]:
    """The readers that `side_by_side` set so; of another network itself alone.

    The last layer of each is its part of the common one, times their number: the mean of their logits is those of all.
    """
    bodies = [layer for layer in network.layers if layer.name.startswith(MEMBER)]
    if not bodies:
        return [network]
    kernel, bias = network.layers[-1].get_weights()
    parts = np.split(kernel, len(bodies))
    return [_behind([body], len(bodies) * part, bias) for body, part in zip(bodies, parts, strict=True)]


def _behind(bodies: Sequence[keras.Model], kernel: np.ndarray, bias: np.ndarray) -> keras.Model:
    """A reader of the maps of `bodies`, one behind the other, with these weights in its last layer."""
    film = keras.Input(bodies[0].input_shape[1:], name="film")
    maps = [body(film) for body in bodies]
    return reader_of(film, layers.Concatenate(name="side_by_side")(maps) if len(maps) > 1 else maps[0], [kernel, bias])


def body_of(network: keras.Model, name: str) -> keras.Model:
    """A reader up to its maps."""
    return keras.Model(network.inputs, network.get_layer("features").input, name=name)


def thesis(size: int, blocks: int, norm_momentum: float = 0.99) -> keras.Model:
    """Blocks of convolution 3x3, batch normalisation and pooling 2x2, flattened into 128 units, then 4."""
    inputs = keras.Input((size, size, 1), name="film")
    x = layers.Rescaling(1 / 255)(inputs)
    for _ in range(blocks):
        x = layers.Conv2D(FILTERS, 3, padding="same", activation="relu")(x)
        x = layers.BatchNormalization(momentum=norm_momentum)(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu", name="features")(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(inputs, layers.Dense(len(CODES), activation="softmax", name="probabilities")(x), name="thesis")


def reader(size: int | None) -> keras.Model:
    """EfficientNet-Lite0 with one channel: each film standardised by its own mean and deviation, pooled at the end."""
    inputs = keras.Input((size, size, 1), name="film")
    x = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False, epsilon=1.0, name="standardise")(inputs)
    return reader_of(inputs, lite0(x))


def reader_of(
    film: keras.KerasTensor, maps: keras.KerasTensor, last: Sequence[np.ndarray] | None = None
) -> keras.Model:
    """A reader that makes these maps of a film, pooled at the end. last: kernel and bias of its last layer."""
    features = layers.GlobalAveragePooling2D(dtype="float32", name="features")(maps)
    kept = layers.Dropout(0.2, dtype="float32")(features)
    probabilities = layers.Dense(len(CODES), activation="softmax", dtype="float32", name="probabilities")
    network = keras.Model(film, probabilities(kept), name="reader")
    if last is not None:
        probabilities.set_weights(last)
    return network


def lite0(x: keras.KerasTensor) -> keras.KerasTensor:
    """EfficientNet-Lite0 without its classifier: (films, size, size, channels) -> (films, size/32, size/32, 1280)."""
    x = _convolve(x, 32, 3, 2, "stem")
    channels = 32
    number = 0
    for expansion, kernel, stride, width, repeats in LITE0:
        for repeat in range(repeats):
            x = _block(x, channels, expansion, kernel, stride if repeat == 0 else 1, width, f"block{number}")
            channels = width
            number += 1
    return _convolve(x, 1280, 1, 1, "head")


def _block(x, channels: int, expansion: int, kernel: int, stride: int, width: int, name: str):
    start = x
    if expansion > 1:
        x = _convolve(x, channels * expansion, 1, 1, f"{name}_expand")
    x = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}_depthwise")(x)
    x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_depthwise_norm")(x)
    x = layers.ReLU(6)(x)
    x = _convolve(x, width, 1, 1, f"{name}_project", activate=False)
    return layers.Add()([start, x]) if stride == 1 and channels == width else x


def _convolve(x, filters: int, kernel: int, stride: int, name: str, activate: bool = True):
    x = layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_norm")(x)
    return layers.ReLU(6)(x) if activate else x
