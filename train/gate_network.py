"""The gate's network: the first blocks of EfficientNet-Lite0 with their ImageNet weights, and a small head that learns.

A trunk that never saw a film tells kinds apart that training never met, which one that is trained on the kinds at hand
need not; and its features are computed once for all heads.
"""

import keras
import numpy as np
from keras import layers

from lungcare.gate import TURNS
from train.gate_views import KINDS
from train.imagenet import load_lite0
from train.networks import lite0

SIZE = 96
LAST = "block7_project_norm"
EPOCHS = 12
BATCH = 128
RATE = 2e-3
# Of the mean of all variances: directions in which frontal films hardly differ count no more than this allows.
LEAST_VARIANCE = 0.01


def trunk() -> keras.Model:
    """(pictures, 96, 96, 1), grey levels 0 to 255 -> (pictures, 6, 6, 80). Each picture is standardised by itself."""
    inputs = keras.Input((SIZE, SIZE, 1), name="film")
    x = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False, epsilon=1.0, name="standardise")(inputs)
    whole = keras.Model(inputs, lite0(x))
    load_lite0(whole)
    return keras.Model(inputs, whole.get_layer(LAST).output, name="trunk")


def fitted_head(
    features: np.ndarray, kinds: np.ndarray, turns: np.ndarray, inverted: np.ndarray, seed: int
) -> keras.Model:
    """Train a head: features -> probabilities of KINDS, of the four quarter turns, and of an inverted film.

    features: float (views, 6, 6, 80). kinds, turns, inverted: int (views,); turns and inverted count for frontal
    chest films alone.
    """
    keras.utils.set_random_seed(seed)
    head = _head(features.shape[1:])
    rate = keras.optimizers.schedules.CosineDecay(RATE, EPOCHS * -(-len(features) // BATCH))
    head.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.01),
        [keras.losses.CategoricalCrossentropy(label_smoothing=0.02), "categorical_crossentropy", "binary_crossentropy"],
        loss_weights=[1, 0.5, 0.5],
    )
    answers = [_one_hot(kinds, len(KINDS)), _one_hot(turns, TURNS), inverted[:, np.newaxis].astype(np.float32)]
    is_frontal = (kinds == 0).astype(np.float32)
    weights = [np.ones_like(is_frontal), is_frontal, is_frontal]
    head.fit(features.astype(np.float32), answers, BATCH, EPOCHS, sample_weight=weights, verbose=0)
    bare = _head(features.shape[1:])  # without the optimiser, which would be saved with it
    bare.set_weights(head.get_weights())
    return bare


def with_distance(head: keras.Model, frontal: np.ndarray) -> keras.Model:
    """Features -> what the gate is told, as `lungcare.gate.columns` counts it.

    frontal: features of frontal chest films, float (views, 6, 6, 80), from which the distance is taken: Mahalanobis,
    of the means over the picture.
    """
    means = frontal.astype(np.float32).mean(axis=(1, 2))
    centre = means.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov((means - centre).T))
    scaled = directions / np.sqrt(variances + LEAST_VARIANCE * variances.mean())
    inputs = keras.Input(head.input_shape[1:], name="features")
    whiten = layers.Dense(len(variances), name="whiten")
    whitened = whiten(layers.GlobalAveragePooling2D()(inputs))
    whiten.set_weights([scaled, -centre @ scaled])
    distance = keras.ops.sqrt(keras.ops.mean(keras.ops.square(whitened), axis=-1, keepdims=True))
    return keras.Model(inputs, layers.Concatenate()([*head(inputs), distance]), name="told")


def whole(body: keras.Model, told: keras.Model) -> keras.Model:
    """The network of the bundle: trunk and what `with_distance` gave."""
    return keras.Model(body.inputs, told(body.outputs[0]), name="gate")


def _head(shape: tuple[int, ...]) -> keras.Model:
    inputs = keras.Input(shape, name="features")
    x = layers.BatchNormalization()(inputs)
    x = layers.SpatialDropout2D(0.1)(x)
    x = layers.Conv2D(64, 1, activation="relu")(x)
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    x = layers.Dense(96, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-4))(x)
    x = layers.Dropout(0.3)(x)
    kinds = layers.Dense(len(KINDS), activation="softmax", name="kinds")(x)
    turns = layers.Dense(TURNS, activation="softmax", name="turns")(x)
    inverted = layers.Dense(1, activation="sigmoid", name="inverted")(x)
    return keras.Model(inputs, [kinds, turns, inverted], name="head")


def _one_hot(numbers: np.ndarray, count: int) -> np.ndarray:
    return np.eye(count, dtype=np.float32)[numbers]
