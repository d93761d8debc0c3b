"""One pass of a network over films: what it makes of each, kept in the run folder for all that is measured on it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lungcare.bundle import Calibration, record_of
from lungcare.calibration import calibrated
from lungcare.network import Network
from train.inputs import network_inputs
from train.measure import Readings
from train.split import Placed

log = logging.getLogger(__name__)

LOOKED = "looked.npz"
UNCALIBRATED = Calibration()
BATCH = 32
_PIECE = 512


@dataclass(frozen=True)
class Looked:
    """What a network makes of n films, before any calibration.

    softmax: float32 (n, 4). features: float16 (n, length), what the last layer is given. influence: float16
    (n, rows, columns, 4), see lungcare.network; None where the network has none. brightness: float32 (n,), mean grey
    level of what is not black padding, 0 to 255.
    """

    films: list[Placed]
    softmax: np.ndarray
    features: np.ndarray
    influence: np.ndarray | None
    brightness: np.ndarray

    @cached_property
    def labels(self) -> np.ndarray:
        """int (n,): index of each film's class; -1 where it is none of ours."""
        return self.readings().labels

    def readings(self, calibration: Calibration = UNCALIBRATED) -> Readings:
        """Probabilities of the films, for four equally frequent conditions; the network's own without a calibration."""
        return Readings(self.films, calibrated(self.softmax, calibration))

    def where(self, keep: Callable[[Placed], bool]) -> "Looked":
        """What the network makes of the films that `keep` accepts."""
        chosen = np.array([keep(p) for p in self.films], bool)
        return Looked(
            [p for p, yes in zip(self.films, chosen, strict=True) if yes],
            self.softmax[chosen],
            self.features[chosen],
            None if self.influence is None else self.influence[chosen],
            self.brightness[chosen],
        )


def look(network_file: Path, size: int, data: Path, films: list[Placed]) -> Looked:
    """What a network makes of films, each taken through the library's own decoder."""
    network = Network(network_file, size)
    pieces = []
    for start in range(0, len(films), _PIECE):
        inputs = network_inputs(data, films[start : start + _PIECE], size)
        pieces.append(look_at(network, films[start : start + _PIECE], inputs))
        log.info("%d of %d films", min(start + _PIECE, len(films)), len(films))
    return Looked(
        films,
        np.concatenate([piece.softmax for piece in pieces]),
        np.concatenate([piece.features for piece in pieces]),
        None if pieces[0].influence is None else np.concatenate([piece.influence for piece in pieces]),
        np.concatenate([piece.brightness for piece in pieces]),
    )


def look_at(network: Network, films: list[Placed], inputs: np.ndarray) -> Looked:
    """The same for films that are squared already. inputs: float32 (n, size, size, 1), 0 to 255."""
    seen = [network.look(inputs[start : start + BATCH]) for start in range(0, len(inputs), BATCH)]
    return Looked(
        films,
        np.concatenate([s.probabilities for s in seen]),
        np.concatenate([s.features.reshape(len(s.features), -1) for s in seen]).astype(np.float16),
        None if seen[0].influence is None else np.concatenate([s.influence for s in seen]).astype(np.float16),
        np.array([film[film > 0].mean() if film.any() else 0 for film in inputs], np.float32),
    )


def looked(run: Path, network_file: Path, size: int, data: Path, films: list[Placed]) -> Looked:
    """`look`, kept in run/looked.npz: the same network and films are not looked at twice."""
    path = run / LOOKED
    checksum = record_of(network_file).sha256
    names = np.array([p.film.file for p in films])
    if path.is_file():
        with np.load(path) as kept:
            if str(kept["network"]) == checksum and np.array_equal(kept["films"], names):
                influence = kept.get("influence")
                return Looked(films, kept["softmax"], kept["features"], influence, kept["brightness"])
    told = look(network_file, size, data, films)
    arrays = {"softmax": told.softmax, "features": told.features, "brightness": told.brightness}
    if told.influence is not None:
        arrays["influence"] = told.influence
    unfinished = path.with_name(f"unfinished-{path.name}")
    np.savez(unfinished, network=checksum, films=names, **arrays)
    unfinished.replace(path)
    return told
