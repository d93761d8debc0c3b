import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from lungcare import lungs, runtime
from lungcare.bundle import open_bundle
from lungcare.examples import examples
from lungcare.film import decode, network_input
from lungcare.gate import columns
from lungcare.network import Network, compiled
from lungcare.runtime import OPENVINO, TENSORFLOW, choose, fitting
from tests.on_openvino import on_openvino
from train.networks import side_by_side
from train.scales import at_scales

LOOKS = {
    "one": lambda network: network,
    "two": lambda network: at_scales(network, (1.25, 0.8)),
    "of two": lambda network: side_by_side([network, at_scales(_like(network), (1.25, 0.8))], [0.7, 0.3]),
}


@pytest.mark.parametrize("looks", LOOKS)
@pytest.mark.parametrize("backend", [TENSORFLOW, OPENVINO])
def test_the_compiled_network_gives_what_keras_gives(tmp_path, trained_reader, backend, looks):
    network, films = trained_reader
    path = tmp_path / "network.keras"
    LOOKS[looks](network).save(path)
    network = keras.models.load_model(path)
    features = keras.Model(network.inputs, network.get_layer("features").output)
    seen = on_openvino(path, films) if backend == OPENVINO else vars(Network(path, 64).look(films))
    np.testing.assert_allclose(seen["probabilities"], network(films), atol=1e-4)
    np.testing.assert_allclose(seen["features"], features(films), rtol=1e-3, atol=1e-4)
    logits = seen["influence"].sum(axis=(1, 2)) + network.layers[-1].bias
    np.testing.assert_allclose(keras.ops.softmax(logits), seen["probabilities"], atol=1e-4)
    np.testing.assert_allclose(compiled(path, 64, 4)(films), seen["probabilities"], atol=1e-4)


@pytest.mark.parametrize("name", ["lungcare", "thesis-cnn4"])
def test_a_published_network_reads_the_same_on_openvino(name):
    bundle = open_bundle(name)
    films = shown(bundle.card.input.size)
    seen, reference = on_openvino(bundle.network, films), Network(bundle.network, films.shape[1]).look(films)
    np.testing.assert_allclose(seen["probabilities"], reference.probabilities, atol=1e-4)
    np.testing.assert_array_equal(seen["of_threads"], seen["probabilities"])
    if reference.influence is None:
        assert "influence" not in seen
    else:
        np.testing.assert_allclose(seen["influence"], reference.influence, atol=1e-4)


def test_the_gate_and_the_lungs_are_the_same_on_openvino():
    bundle = open_bundle("lungcare")
    gate = bundle.card.gate
    for path, size, output in (
        (bundle.gate, gate.size, (columns(gate.kinds),)),
        (bundle.lungs, lungs.SIDE, (lungs.SIDE, lungs.SIDE, 1)),
    ):
        films = shown(size)
        found, reference = on_openvino(path, films, output)["output"], compiled(path, size, *output)(films)
        assert found.shape == reference.shape
        np.testing.assert_allclose(found, reference, rtol=1e-3, atol=1e-4)


def _like(network):
    """Another network with the same weights, upside down in the last layer."""
    other = keras.models.clone_model(network)
    other.set_weights(network.get_weights())
    other.layers[-1].set_weights([-weights for weights in other.layers[-1].get_weights()])
    return other


def shown(size):
    """The published examples as a network of that size is given them."""
    bundle = open_bundle("lungcare")
    return np.stack([network_input(decode(example.path.read_bytes()), size) for example in examples(bundle, None)])


def test_without_openvino_tensorflow_reads_alone(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert fitting() == TENSORFLOW


def test_a_gpu_is_left_to_tensorflow(monkeypatch):
    assert fitting() == OPENVINO
    monkeypatch.setattr("pathlib.Path.glob", lambda folder, pattern: ["a card"])
    assert fitting() == OPENVINO
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a card"])
    assert fitting() == TENSORFLOW


def test_the_backend_is_chosen_before_keras_is_there_and_not_against_the_user(monkeypatch):
    environment = {}
    monkeypatch.setattr(runtime.os, "environ", environment)
    choose()
    assert not environment
    monkeypatch.delitem(sys.modules, "keras")
    choose()
    assert environment["KERAS_BACKEND"] == OPENVINO
    environment["KERAS_BACKEND"] = TENSORFLOW
    choose()
    assert environment["KERAS_BACKEND"] == TENSORFLOW


def test_a_backend_that_cannot_run_it_is_named(bundle_folder, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match="KERAS_BACKEND is jax"):
        Network(bundle_folder / "model.keras", 64)
