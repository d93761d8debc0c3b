"""What calculates a network: OpenVINO on a processor, TensorFlow on a GPU. Imports TensorFlow: import this module late.

Keras on TensorFlow is the reference: what it traces is what either calculates, in whole float32, and
tests/test_network.py holds them together.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from lungcare.cores import cores

try:
    import openvino
except ImportError:  # TensorFlow alone reads the same, more slowly
    openvino = None

TENSORFLOW, OPENVINO = "tensorflow", "openvino"
TOLERANCE, GPU_TOLERANCE = 1e-3, 5e-3

Outputs = dict[str, np.ndarray]


def fitting() -> str:
    """The runtime for this machine: TensorFlow where there is a GPU, or no OpenVINO."""
    return TENSORFLOW if openvino is None or tf.config.list_physical_devices("GPU") else OPENVINO


def frozen(
    call: Callable[[tf.Tensor], dict[str, tf.Tensor]], shape: tuple[int | None, ...], runtime: str
) -> Callable[[np.ndarray], Outputs]:
    """A call of Keras as one graph, whose weights are constants, so that batch norms fold into the convolutions.

    shape: that of the films, (None, size, size, 1). runtime: TENSORFLOW or OPENVINO. Returns a function from films to
    the named outputs, all NumPy arrays of float32; calls from several threads are safe.
    """
    traced = tf.function(call, input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False)
    concrete = traced.get_concrete_function()
    names = sorted(concrete.structured_outputs)  # the order in which a graph gives the values of a dictionary
    graph = convert_variables_to_constants_v2(concrete)
    values = {TENSORFLOW: _in_tensorflow, OPENVINO: _in_openvino}[runtime](graph)

    def run(films: np.ndarray) -> Outputs:
        return dict(zip(names, values(films), strict=True))

    run(np.zeros((1, *shape[1:]), np.float32))
    return run


def _in_tensorflow(graph) -> Callable[[np.ndarray], list[np.ndarray]]:
    return lambda films: [value.numpy() for value in graph(tf.convert_to_tensor(films, tf.float32))]


def _in_openvino(graph) -> Callable[[np.ndarray], list[np.ndarray]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.pb")
        path.write_bytes(graph.graph.as_graph_def().SerializeToString())
        model = openvino.Core().read_model(path)
    # One film a call: a fixed shape is quicker than a free one, and many films together are no quicker than one by one.
    model.reshape([1, *graph.inputs[0].shape[1:]])
    # A stream for each core: what waits beside others is read as fast as they are.
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_NUM_THREADS": cores(),
    }
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    outputs = [compiled.output(value.name) for value in graph.outputs]
    # A request holds the memory of one call. Twice as many as are calculated at a time, so that the next one is at hand
    # while Python still takes the outputs of the last; whoever comes then waits.
    places = threading.BoundedSemaphore(2 * compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
    idle = []

    def one(film: np.ndarray) -> list[np.ndarray]:
        with places:
            request = idle.pop() if idle else compiled.create_infer_request()
            try:
                found = request.infer([film[np.newaxis]])
                return [found[output] for output in outputs]
            finally:
                idle.append(request)

    def run(films: np.ndarray) -> list[np.ndarray]:
        found = [one(film) for film in np.ascontiguousarray(films, np.float32)]
        return [np.concatenate(values) for values in zip(*found, strict=True)]

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
