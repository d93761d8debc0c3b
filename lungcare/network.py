"""The network behind one call. The only import of TensorFlow in this package: import this module late."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from lungcare.bundle import BundleError
from lungcare.conditions import CODES
from lungcare.trace import stage

TOLERANCE, GPU_TOLERANCE = 1e-3, 5e-3


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
    call = _frozen(lambda films: {"output": model(films, training=False)}, model.input_shape)
    return lambda films: call(films)["output"]


def _frozen(call: Callable[[tf.Tensor], dict[str, tf.Tensor]], shape: tuple[int | None, ...]):
    """A call as one graph, warmed, whose weights are constants: TensorFlow folds the batch norms into the convolutions.

    shape: that of the films. Returns a function from films to the named outputs, all NumPy arrays of float32.
    """
    traced = tf.function(call, input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False)
    concrete = traced.get_concrete_function()
    names = sorted(concrete.structured_outputs)  # the order in which a graph gives the values of a dictionary
    graph = convert_variables_to_constants_v2(concrete)

    def run(films: np.ndarray) -> dict[str, np.ndarray]:
        values = graph(tf.convert_to_tensor(films, tf.float32))
        return {name: value.numpy() for name, value in zip(names, values, strict=True)}

    run(np.zeros((1, *shape[1:]), np.float32))
    return run


@contextmanager
def exactly() -> Iterator[float]:
    """Calculate in whole float32 in the block, on a GPU too. Gives by how much two machines may then differ."""
    has_tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield GPU_TOLERANCE if tf.config.list_physical_devices("GPU") else TOLERANCE
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(has_tf32)


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

    path: the Keras file. size: side of the square that it takes, in pixels.
    Raises BundleError when the file is no network of this shape.

    ```python
    network = Network(bundle.network, bundle.card.input.size)
    network(np.zeros((1, 320, 320, 1), np.float32))  # float32 (1, 4)
    ```
    """

    def __init__(self, path: str | Path, size: int):
        model = _loaded(path, size, len(CODES))
        self.size = size
        self._call = _frozen(_looking(model), model.input_shape)

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
