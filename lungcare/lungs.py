"""Where the lungs lie on a film, as a small network sees it."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

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
