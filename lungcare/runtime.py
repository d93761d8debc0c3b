"""What calculates a network: Keras on OpenVINO on a processor, on TensorFlow on a GPU.

Keras on TensorFlow is the reference: tests/test_network.py holds what OpenVINO calculates, in whole float32, to it.
Import this module before Keras.
"""

import importlib.util
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lungcare.cores import cores

if TYPE_CHECKING:
    import keras

TENSORFLOW, OPENVINO = "tensorflow", "openvino"
TOLERANCE, GPU_TOLERANCE = 1e-3, 5e-3

Outputs = dict[str, np.ndarray]


def fitting() -> str:
    """The backend of Keras for this machine: TensorFlow where there is a GPU, or no OpenVINO."""
    if importlib.util.find_spec("openvino") is None:
        return TENSORFLOW
    if not any(Path("/dev").glob("nvidia[0-9]*")):
        return OPENVINO
    import tensorflow as tf

    return TENSORFLOW if tf.config.list_physical_devices("GPU") else OPENVINO


def choose() -> None:
    """Have Keras import the backend for this machine, unless KERAS_BACKEND names one or Keras is there already."""
    if "keras" in sys.modules:
        return
    # By itself TensorFlow uses these kernels on the newest processors only.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("KERAS_BACKEND", fitting())


def frozen(network: "keras.Model") -> Callable[[np.ndarray], Outputs]:
    """The call of a network as one graph whose weights are constants: batch norms fold into the convolutions.

    network: from films, float32, of one fixed size, to named outputs. Returns a function from n films, whose one
    channel may stand first or last, to these outputs, all NumPy arrays of float32; calls from several threads are safe.
    Raises RuntimeError where Keras has a backend that nothing here can run.
    """
    import keras

    backends = {TENSORFLOW: _in_tensorflow, OPENVINO: _in_openvino}
    name = keras.backend.backend()
    if name not in backends:
        raise RuntimeError(f"KERAS_BACKEND is {name}. It must be one of {', '.join(backends)}.")
    names = sorted(network.output)  # the order in which a graph gives the values of a dictionary
    shape = network.input_shape[1:]
    values = backends[name](network)

    def run(films: np.ndarray) -> Outputs:
        return dict(zip(names, values(films.reshape(-1, *shape)), strict=True))

    run(np.zeros(shape, np.float32))
    return run


def _in_tensorflow(network: "keras.Model") -> Callable[[np.ndarray], list[np.ndarray]]:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    shape = tf.TensorSpec(network.input_shape, tf.float32)
    traced = tf.function(lambda films: network(films, training=False), input_signature=[shape], autograph=False)
    graph = convert_variables_to_constants_v2(traced.get_concrete_function())
    return lambda films: [value.numpy() for value in graph(tf.convert_to_tensor(films, tf.float32))]


def _in_openvino(network: "keras.Model") -> Callable[[np.ndarray], list[np.ndarray]]:
    import openvino

    core = openvino.Core()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.xml")
        network.export(str(path), format="openvino", verbose=False)
        model = core.read_model(path)
    # One film a call: a fixed shape is quicker than a free one, and many films together are no quicker than one by one.
    model.reshape([1, *network.input_shape[1:]])
    # A stream for each core: what waits beside others is read as fast as they are.
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_NUM_THREADS": cores(),
    }
    compiled = core.compile_model(model, "CPU", settings)
    # A request holds the memory of one call. Twice as many as are calculated at a time, so that the next one is at hand
    # while Python still takes the outputs of the last; whoever comes then waits.
    places = threading.BoundedSemaphore(2 * compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
    idle = []

    def one(film: np.ndarray) -> list[np.ndarray]:
        with places:
            request = idle.pop() if idle else compiled.create_infer_request()
            try:
                found = request.infer([film[np.newaxis]])
                return [found[output] for output in compiled.outputs]
            finally:
                idle.append(request)

    def run(films: np.ndarray) -> list[np.ndarray]:
        found = [one(film) for film in np.ascontiguousarray(films, np.float32)]
        return [np.concatenate(values) for values in zip(*found, strict=True)]

    return run


@contextmanager
def exactly() -> Iterator[float]:
    """Calculate in whole float32 in the block, on a GPU too. Gives by how much two machines may then differ."""
    import keras

    if keras.backend.backend() != TENSORFLOW:
        yield TOLERANCE
        return
    import tensorflow as tf

    has_tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield GPU_TOLERANCE if tf.config.list_physical_devices("GPU") else TOLERANCE
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(has_tf32)
