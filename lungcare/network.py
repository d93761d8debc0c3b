"""The network behind one call. Imports TensorFlow: import this module late."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from lungcare.bundle import BundleError
from lungcare.conditions import CODES
from lungcare.runtime import fitting, frozen
from lungcare.trace import stage


@dataclass(frozen=True)
class Seen:
    """What a network makes of n films.

    probabilities: float32 (n, 4). features: float32 (n, length), what the last layer is given.
    influence: float32 (n, rows, columns, 4), what each place adds to the logit of each condition; None where the
    network does not end in average pooling and one dense layer. See lungcare.influence.
    """

    probabilities: np.ndarray
    features: np.ndarray
    influence: np.ndarray | None


def compiled(path: str | Path, size: int, *output: int) -> Callable[[np.ndarray], np.ndarray]:
    """The compiled call of a network: float32 (n, size, size, 1) -> float32 (n, *output).

    Raises BundleError when the file is no network of this shape.
    """
    model = _loaded(path, size, *output)
    call = frozen(lambda films: {"output": model(films, training=False)}, model.input_shape, fitting())
    return lambda films: call(films)["output"]


def _loaded(path: str | Path, size: int, *output: int) -> keras.Model:
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError) as error:
        raise BundleError(f"{path} cannot be loaded: {error}") from error
    wanted = (None, size, size, 1), (None, *output)
    if (model.input_shape, model.output_shape) != wanted:
        raise BundleError(
            f"{path} must map {wanted[0]} to {wanted[1]}. Received: {model.input_shape} to {model.output_shape}"
        )
    return model


class Network:
    """A compiled network: square films in, probabilities out. Calls from several threads are safe.

    path: the Keras file. size: side of the square that it takes, in pixels. runtime: one of lungcare.runtime; else that
    which fits this machine.
    Raises BundleError when the file is no network of this shape.

    ```python
    network = Network(bundle.network, bundle.card.input.size)
    network(np.zeros((1, 320, 320, 1), np.float32))  # float32 (1, 4)
    ```
    """

    def __init__(self, path: str | Path, size: int, runtime: str | None = None):
        model = _loaded(path, size, len(CODES))
        self.size = size
        self._call = frozen(_looking(model), model.input_shape, runtime or fitting())

    def __call__(self, films: np.ndarray) -> np.ndarray:
        """Probabilities of the conditions, in their order.

        films: float32 (n, size, size, 1), grey levels 0 to 255. Returns float32 (n, 4); each row adds up to 1.
        """
        return self.look(films).probabilities

    @stage("network")
    def look(self, films: np.ndarray) -> Seen:
        """Probabilities, features and influence in one pass. films: as for a call."""
        seen = self._call(films)
        return Seen(seen["probabilities"], seen["features"], seen.get("influence"))


def _looking(model: keras.Model):
    """A function from films to what Seen holds, but for what the network does not give."""
    last = model.layers[-1]
    before = [layer for layer in model.layers[:-1] if not isinstance(layer, keras.layers.Dropout)][-1]
    outputs = {"probabilities": model.outputs[0], "features": last.input}
    has_map = isinstance(last, keras.layers.Dense) and isinstance(before, keras.layers.GlobalAveragePooling2D)
    if has_map:
        outputs["maps"] = before.input
    inner = keras.Model(model.inputs, outputs)

    def look(films: tf.Tensor) -> dict[str, tf.Tensor]:
        seen = inner(films, training=False)
        if has_map:
            maps = seen.pop("maps")
            places = tf.cast(tf.shape(maps)[1] * tf.shape(maps)[2], tf.float32)
            # Class activation mapping (Zhou et al., CVPR 2016): the dense layer, taken at each place.
            seen["influence"] = tf.tensordot(maps, last.kernel, 1) / places
        return seen

    return look
