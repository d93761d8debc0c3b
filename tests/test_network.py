import keras
import numpy as np

from lungcare.network import Network, compiled
from train.networks import reader


def test_the_compiled_network_gives_what_keras_gives(tmp_path):
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
    seen = Network(tmp_path / "network.keras", 64).look(films)
    np.testing.assert_allclose(seen.probabilities, network(films), atol=1e-4)
    np.testing.assert_allclose(seen.features, features(films), rtol=1e-3, atol=1e-4)
    logits = seen.influence.sum(axis=(1, 2)) + network.layers[-1].bias
    np.testing.assert_allclose(keras.ops.softmax(logits), seen.probabilities, atol=1e-4)
    np.testing.assert_allclose(compiled(tmp_path / "network.keras", 64, 4)(films), seen.probabilities, atol=1e-5)
