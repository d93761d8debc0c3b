"""The network behind one call. Imports Keras: import this module late, after `lungcare.runtime.choose`."""

import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from lungcare.bundle import BundleError
from lungcare.conditions import CODES
from lungcare.layout import channels_first
from lungcare.runtime import OPENVINO, frozen
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
    call = frozen(keras.Model(model.inputs, {"output": model.outputs[0]}))
    return lambda films: call(films)["output"].reshape(-1, *output)


def load_network(path: str | Path) -> keras.Model:
    """The network of a Keras file, not compiled, its channels where the backend is quick with them.

    Raises BundleError when the file cannot be loaded.
    """
    try:
        if keras.backend.backend() == OPENVINO:
            return _with_channels_first(path)
        return keras.saving.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} cannot be loaded: {error}") from error


def _loaded(path: str | Path, size: int, *output: int) -> keras.Model:
    """The network of a Keras file, when it maps squares of `size` to such an output. Raises BundleError."""
    model = load_network(path)
    has_channels_first = keras.backend.backend() == OPENVINO
    wanted = (None, size, size, 1), (None, *output)
    found = tuple(
        (shape[0], *shape[2:], shape[1]) if has_channels_first and len(shape) == 4 else shape
        for shape in (model.input_shape, model.output_shape)
    )
    if found != wanted:
        raise BundleError(f"{path} must map {wanted[0]} to {wanted[1]}. Received: {found[0]} to {found[1]}")
    return model


def _with_channels_first(path: str | Path) -> keras.Model:
    """The network of a Keras file, its channels moved. Not by a model's get_config, which imports TensorFlow."""
    with zipfile.ZipFile(path) as file, tempfile.TemporaryDirectory() as folder:
        config = json.loads(file.read("config.json")) | {"compile_config": None}
        model = keras.models.model_from_json(json.dumps(channels_first(config)))
        # Unpacked: Keras would read it piece by piece, and unpack it anew for most of them.
        model.load_weights(file.extract("model.weights.h5", folder))
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
        looking = _looking(model)
        self.has_influence = "influence" in looking.output
        self._call = frozen(looking)

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


def _looking(model: keras.Model) -> keras.Model:
    """The network that gives what Seen holds, but for what this one does not have."""
    last = model.layers[-1]
    before = [layer for layer in model.layers[:-1] if not isinstance(layer, keras.layers.Dropout)][-1]
    outputs = {"probabilities": model.outputs[0], "features": last.input}
    if not (isinstance(last, keras.layers.Dense) and isinstance(before, keras.layers.GlobalAveragePooling2D)):
        return keras.Model(model.inputs, outputs)
    maps = before.input
    if before.data_format == "channels_first":
        maps = keras.layers.Permute((2, 3, 1), name=f"{last.name}_channels_last")(maps)
    # Class activation mapping (Zhou et al., CVPR 2016): the dense layer, taken at each place.
    at_each_place = keras.layers.Dense(len(CODES), use_bias=False, name=f"{last.name}_at_each_place")
    outputs["influence"] = at_each_place(maps)
    at_each_place.set_weights([last.get_weights()[0] / (maps.shape[1] * maps.shape[2])])
    return keras.Model(model.inputs, outputs)
