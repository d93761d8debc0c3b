"""Where the lungs lie on a film, as a small network sees it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lungcare.film import square

SIDE = 128
# Parts of less than this share of the film are taken for noise, and smaller boxes for a failure.
_SMALLEST = 0.005
_SMALLEST_BOX = 0.1


@dataclass(frozen=True)
class Box:
    """A rectangle on a square film, in shares of its side from the left and the top: 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float


def find_lungs(network: Callable[[np.ndarray], np.ndarray], films: np.ndarray) -> np.ndarray:
    """Where squared films are lung: float32 (n, 128, 128), the probability of each pixel.

    network: float32 (n, 128, 128, 1), grey levels 0 to 255 -> float32 (n, 128, 128, 1). films: (n, side, side) of any
    side, grey levels 0 to 255.
    """
    scaled = np.stack([square(film.astype(np.float32, copy=False), SIDE) for film in films])
    return network(scaled[..., np.newaxis])[..., 0]


def box_of(lungs: np.ndarray) -> Box | None:
    """The smallest box around both lungs; None where there are none, or next to none of them.

    lungs: float (side, side), probability of each pixel of a squared film to be lung. Of its connected parts above 0.5
    the two largest count.
    """
    parts, count = ndimage.label(lungs > 0.5)
    if not count:
        return None
    areas = np.bincount(parts.ravel())[1:]
    largest = [number + 1 for number in np.argsort(areas)[::-1][:2] if areas[number] > _SMALLEST * lungs.size]
    if not largest:
        return None
    rows, columns = np.nonzero(np.isin(parts, largest))
    side = len(lungs)
    box = Box(columns.min() / side, rows.min() / side, (columns.max() + 1) / side, (rows.max() + 1) / side)
    return box if (box.right - box.left) * (box.bottom - box.top) >= _SMALLEST_BOX else None
