from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf

from lungcare.bundle import open_bundle
from lungcare.examples import examples
from lungcare.film import decode, network_input
from lungcare.network import Network, compiled
from lungcare.runtime import OPENVINO, TENSORFLOW, fitting
from train.networks import reader


@pytest.mark.parametrize("runtime", [TENSORFLOW, OPENVINO])
def test_the_compiled_network_gives_what_keras_gives(tmp_path, runtime):
    keras.utils.set_random_seed(0)
    network = reader(64)
    # Batch norms as after a training, so that folding them into the convolutions is put to the test.
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weights.shape) for weights in layer.get_weights()])
    network.save(tmp_path / "network.keras")
    films = rng.uniform(0, 255, (3, 64, 64, 1)).astype(np.float32)
    features = keras.Model(network.inputs, network.get_layer("features").output)
    seen = Network(tmp_path / "network.keras", 64, runtime).look(films)
    np.testing.assert_allclose(seen.probabilities, network(films), atol=1e-4)
    np.testing.assert_allclose(seen.features, features(films), rtol=1e-3, atol=1e-4)
    logits = seen.influence.sum(axis=(1, 2)) + network.layers[-1].bias
    np.testing.assert_allclose(keras.ops.softmax(logits), seen.probabilities, atol=1e-4)
    np.testing.assert_allclose(compiled(tmp_path / "network.keras", 64, 4)(films), seen.probabilities, atol=1e-5)


@pytest.mark.parametrize("name", ["lungcare", "thesis-cnn4"])
def test_a_published_network_reads_the_same_in_either_runtime(name):
    bundle = open_bundle(name)
    size = bundle.card.input.size
    shown = examples(open_bundle("lungcare"), None)
    films = np.stack([network_input(decode(example.path.read_bytes()), size) for example in shown])
    seen, reference = (Network(bundle.network, size, runtime).look(films) for runtime in (OPENVINO, TENSORFLOW))
    np.testing.assert_allclose(seen.probabilities, reference.probabilities, atol=1e-4)


def test_calls_of_many_threads_do_not_mix(bundle_folder):
    network = Network(bundle_folder / "model.keras", 64, OPENVINO)
    films = np.random.default_rng(0).uniform(0, 255, (40, 1, 64, 64, 1)).astype(np.float32)
    alone = [network(film) for film in films]
    with ThreadPoolExecutor(8) as pool:
        np.testing.assert_array_equal(list(pool.map(network, films)), alone)


def test_without_openvino_tensorflow_reads_alone(monkeypatch):
    monkeypatch.setattr("lungcare.runtime.openvino", None)
    assert fitting() == TENSORFLOW


def test_a_gpu_is_left_to_tensorflow(monkeypatch):
    assert fitting() == OPENVINO
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a card"])
    assert fitting() == TENSORFLOW
