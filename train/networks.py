"""The networks: the thesis's four blocks, and the reader. All take (films, size, size, 1), grey levels 0 to 255."""

import keras
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

# Widths of the stages after which styles are mixed.
STYLED = (16, 24, 40)


def build(recipe: Recipe, size: int | None, training: bool = False) -> keras.Model:
    """The recipe's network for squares of `size` px (None: any size, not for the thesis's network).

    training: with the layers that only training needs; they have no weights.
    """
    if recipe.network == "thesis":
        return thesis(size, recipe.blocks)
    return reader(size, recipe.mix_styles if training else 0)


def thesis(size: int, blocks: int) -> keras.Model:
    """Blocks of convolution 3x3, batch normalisation and pooling 2x2, flattened into 128 units, then 4."""
    inputs = keras.Input((size, size, 1), name="film")
    x = layers.Rescaling(1 / 255)(inputs)
    for _ in range(blocks):
        x = layers.Conv2D(FILTERS, 3, padding="same", activation="relu")(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu", name="features")(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(inputs, layers.Dense(len(CODES), activation="softmax", name="probabilities")(x), name="thesis")


def reader(size: int | None, mix_styles: float = 0) -> keras.Model:
    """EfficientNet-Lite0 with one channel: each film standardised by its own mean and deviation, pooled at the end."""
    inputs = keras.Input((size, size, 1), name="film")
    x = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False, epsilon=1.0, name="standardise")(inputs)
    x = lite0(x, mix_styles)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, layers.Dense(len(CODES), activation="softmax", name="probabilities")(x), name="reader")


@keras.saving.register_keras_serializable("lungcare")
class MixStyle(layers.Layer):
    """In training some films get channel means and deviations between their own and those of the film before them.

    After Zhou et al., "Domain Generalization with MixStyle", ICLR 2021, with even weights in place of a Beta law.
    x: (films, rows, columns, channels). share: probability that a film is mixed.
    """

    def __init__(self, share: float, **options):
        super().__init__(**options)
        self.share = share
        self.seed = keras.random.SeedGenerator()

    def call(self, x, training=False):
        """The maps, mixed in training and as they are elsewhere."""
        if not training:
            return x
        mean, variance = keras.ops.moments(keras.ops.stop_gradient(x), axes=(1, 2), keepdims=True)
        deviation = keras.ops.sqrt(variance + 1e-6)
        shape = (*keras.ops.shape(mean)[:1], 1, 1, 1)
        mixed = keras.random.uniform(shape, seed=self.seed) < self.share
        other = keras.ops.where(mixed, keras.random.uniform(shape, seed=self.seed), 0.0)
        new_mean = mean + other * (keras.ops.roll(mean, 1, axis=0) - mean)
        new_deviation = deviation + other * (keras.ops.roll(deviation, 1, axis=0) - deviation)
        return (x - mean) / deviation * new_deviation + new_mean

    def get_config(self):
        """What the layer is made again from."""
        return super().get_config() | {"share": self.share}


def lite0(x: keras.KerasTensor, mix_styles: float = 0) -> keras.KerasTensor:
    """EfficientNet-Lite0 without its classifier: (films, size, size, channels) -> (films, size/32, size/32, 1280).

    mix_styles: share of the films whose styles are mixed after each of the stages of 1/2, 1/4 and 1/8 of the size.
    """
    x = _convolve(x, 32, 3, 2, "stem")
    channels = 32
    number = 0
    for expansion, kernel, stride, width, repeats in LITE0:
        for repeat in range(repeats):
            x = _block(x, channels, expansion, kernel, stride if repeat == 0 else 1, width, f"block{number}")
            channels = width
            number += 1
        if mix_styles and width in STYLED:
            x = MixStyle(mix_styles, name=f"mix{width}")(x)
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
