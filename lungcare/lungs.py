"""Where the lungs lie on a film, as a small network sees it."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from lungcare.film import Box, square

SIDE = 128
# Parts of less than this share of the film are taken for noise, and smaller boxes for a failure.
_SMALLEST = 0.005
_SMALLEST_BOX = 0.1
# A window around the lungs has so many times their box, and each of its sides is no less than this share of the other.
_MARGIN, _NARROWEST = 1.12, 0.6
_WHOLE = Box(0.0, 0.0, 1.0, 1.0)
# A film of which a window is shown is first scaled to so many times the side of what shows it.
ENLARGED = 1.5


def find_lungs(network: Callable[[np.ndarray], np.ndarray], films: np.ndarray) -> np.ndarray:
    """Where squared films are lung: float32 (n, 128, 128), the probability of each pixel.

    network: float32 (n, 128, 128, 1), grey levels 0 to 255 -> float32 (n, 128, 128, 1). films: (n, height, width),
    grey levels 0 to 255; each is squared first.
    """
    scaled = np.stack([square(film.astype(np.float32, copy=False), SIDE) for film in films])
    return network(scaled[..., np.newaxis])[..., 0]


def box_of(lungs: np.ndarray) -> Box | None:
    """The smallest box around both lungs; None where there are none, or next to none of them.

    lungs: float (side, side), probability of each pixel of a squared film to be lung. Of its connected parts above 0.5
    the two largest count. Its edges lie between pixels, so that they hardly move where the probabilities hardly do.
    """
    parts, count = ndimage.label(lungs > 0.5)
    if not count:
        return None
    areas = np.bincount(parts.ravel())[1:]
    largest = [number + 1 for number in np.argsort(areas)[::-1][:2] if areas[number] > _SMALLEST * lungs.size]
    if not largest:
        return None
    kept = lungs * ndimage.binary_dilation(np.isin(parts, largest), np.ones((3, 3)))
    (left, right), (top, bottom) = (_span(kept.max(axis=axis)) for axis in (0, 1))
    return Box(left, top, right, bottom) if (right - left) * (bottom - top) >= _SMALLEST_BOX else None


def window_around(box: Box | None) -> Box:
    """The window of a film's square that shows the lungs, with a margin; the whole of it where they were not found.

    box: see `box_of`. Shown so, films differ less by how tube and patient stood, and by what their collector cut off or
    added. The window may reach beyond the film: `lungcare.film.cut` takes what there is.
    """
    if box is None:
        return _WHOLE
    width, height = box.right - box.left, box.bottom - box.top
    across = _MARGIN / 2 * max(width, _NARROWEST * height)
    down = _MARGIN / 2 * max(height, _NARROWEST * width)
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return Box(x - across, y - down, x + across, y + down)


def _span(profile: np.ndarray) -> tuple[float, float]:
    """From where to where a profile, float (side,), lies above 0.5, interpolated, in shares of its length."""
    side = len(profile)
    padded = np.concatenate([[0.0], profile, [0.0]])
    above = np.flatnonzero(padded > 0.5)
    first, last = above[0], above[-1]
    # Pixel i of the profile is i + 1 of the padded one; its middle lies at i + 0.5.
    start = first - 0.5 - (padded[first] - 0.5) / (padded[first] - padded[first - 1])
    end = last - 0.5 + (padded[last] - 0.5) / (padded[last] - padded[last + 1])
    return float(start / side), float(end / side)
