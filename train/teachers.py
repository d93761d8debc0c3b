"""What a network learns beside the labels: what others say of the same views."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import keras
import numpy as np

from lungcare.conditions import CODES
from lungcare.network import compiled
from train.feed import Targets

Teacher = Callable[[np.ndarray], np.ndarray]


def open_teacher(file: Path) -> Teacher:
    """The call of a network (.keras): uint8 (n, side, side, 1) -> float32 (n, 4). It sees views at its own size."""
    size = keras.saving.load_model(file, compile=False).input_shape[1]
    call = compiled(file, size, len(CODES))

    def teacher(views: np.ndarray) -> np.ndarray:
        side = views.shape[1]
        if side != size:
            by = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
            views = np.stack([cv2.resize(view, (size, size), interpolation=by) for view in views])
        return call(views.astype(np.float32))

    return teacher


def taught(
    batches: Iterable[tuple[np.ndarray, Targets]], teachers: list[Teacher]
) -> Iterator[tuple[np.ndarray, Targets]]:
    """Batches whose labels and priors are followed by the mean of the teachers' probabilities: float32 (batch, 12)."""
    for views, targets in batches:
        said = np.mean([teacher(views) for teacher in teachers], axis=0)
        if isinstance(targets, dict):
            yield views, targets | {"probabilities": np.concatenate([targets["probabilities"], said], axis=1)}
        else:
            yield views, np.concatenate([targets, said], axis=1)
