"""The network behind one call. The only import of TensorFlow in this package: import this module late."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from lungcare.bundle import BundleError
from lungcare.conditions import CODES
from lungcare.trace import stage


class Network:
    """A compiled network: square films in, probabilities out. Calls from several threads are safe.

    path: the Keras file. size: side of the square that it takes, in pixels.
    Raises BundleError when the file is no network of this shape.

    ```python
    network = Network(bundle.network, bundle.card.input.size)
    network(np.zeros((1, 320, 320, 1), np.float32))  # float32 (1, 4)
    ```
    """

    def __init__(self, path: str | Path, size: int):
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except (ValueError, TypeError, OSError) as error:
            raise BundleError(f"{path} cannot be loaded: {error}") from error
        wanted = (None, size, size, 1), (None, len(CODES))
        if (model.input_shape, model.output_shape) != wanted:
            raise BundleError(
                f"{path} must map {wanted[0]} to {wanted[1]}. Received: {model.input_shape} to {model.output_shape}"
            )
        self.size = size
        self._call = tf.function(
            lambda films: model(films, training=False),
            input_signature=[tf.TensorSpec(wanted[0], tf.float32)],
        )
        self(np.zeros((1, size, size, 1), np.float32))

    @stage("network")
    def __call__(self, films: np.ndarray) -> np.ndarray:
        """Probabilities of the conditions, in their order.

        films: float32 (n, size, size, 1), grey levels 0 to 255. Returns float32 (n, 4); each row adds up to 1.
        """
        return self._call(films).numpy()
