"""A smaller .keras file of the same network: weights of fewer bits, packed."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np

from lungcare.network import load_network

MANTISSA_BITS = (10, 11, 12, 14, 16)
FULL = 23
TOLERANCE = 1e-3


def save_compact(source: Path, target: Path, probabilities: Callable[[Path], np.ndarray]) -> dict:
    """Save the network of `source` as `target`, with the fewest mantissa bits that change no probability by over 1e-3.

    The weights stay single precision numbers, of which those of kernels use only the first bits (10 bits: the precision
    of half), so that the file packs well and any Keras reads it.
    probabilities: file of a network -> float (films, 4) on the films to compare.
    Returns the bits and the largest change of a probability.
    """
    exact = probabilities(source)
    for bits in MANTISSA_BITS:
        network = load_network(source)
        network.set_weights([rounded(w, bits) if w.ndim > 1 else w for w in network.get_weights()])
        _save_packed(network, target)
        change = float(np.abs(probabilities(target) - exact).max())
        if change <= TOLERANCE:
            return {"mantissa_bits": bits, "largest_change": round(change, 6)}
    _save_packed(load_network(source), target)
    return {"mantissa_bits": FULL, "largest_change": 0.0}


def rounded(weights: np.ndarray, bits: int) -> np.ndarray:
    """float32 of any shape -> the nearest float32 that uses only the first `bits` of its 23 mantissa bits."""
    if weights.dtype != np.float32:
        return weights
    drop = FULL - bits
    whole = np.ascontiguousarray(weights).view(np.uint32).astype(np.uint64) + (1 << (drop - 1))
    return (whole >> drop << drop).astype(np.uint32).view(np.float32)


def _save_packed(network: keras.Model, target: Path) -> None:
    """Save, then pack the archive anew, compressed and without times."""
    plain = target.with_name(f"plain-{target.name}")
    network.save(plain)
    with zipfile.ZipFile(plain) as stored, zipfile.ZipFile(target, "w") as packed:
        for name in sorted(stored.namelist()):
            content = stored.read(name)
            if name == "metadata.json":  # without the moment of saving
                content = json.dumps({"keras_version": json.loads(content)["keras_version"]}).encode()
            elif name == "model.weights.h5":
                content = _shuffled(content)
            packed.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, compresslevel=9)
    plain.unlink()


def _shuffled(weights: bytes) -> bytes:
    """The same HDF5 file, the first bytes of all numbers of an array together, then the second: these pack well."""
    packed = io.BytesIO()
    with h5py.File(io.BytesIO(weights)) as file, h5py.File(packed, "w") as target:

        def keep(name: str, found: h5py.Group | h5py.Dataset) -> None:
            if isinstance(found, h5py.Group):
                copy = target.require_group(name)
            elif found.shape:
                copy = target.create_dataset(name, data=found[()], chunks=found.shape, shuffle=True, compression=9)
            else:
                copy = target.create_dataset(name, data=found[()])
            copy.attrs.update(found.attrs)

        target.attrs.update(file.attrs)
        file.visititems(keep)
    return packed.getvalue()
