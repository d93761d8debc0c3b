"""Margins of one grey level around a film, as screens, pages and scanners put there."""

from dataclasses import replace

import numpy as np

from lungcare.film import MIN_SIDE, Radiograph, scaled

WIDE_MARGINS = "wide_margins"
# Of the height or the width: less is what the films of the training part have too.
LEAST_MARGINS = 0.1
# Of the area: less is a page with something on it.
LEAST_FILM = 0.25

_SIDE = 256
# A line is margin where nearly all of it is of one level: JPEG blurs it, and there may be a small mark.
_LEVELS = 4 / 255
_NEARLY_ALL = 0.9


def framings(radiograph: Radiograph, side: int) -> tuple[Radiograph, ...]:
    """The film with its longest side brought to `side` pixels; where it has wide margins, first without them."""
    film = scaled(radiograph, side)
    inner = _cut(radiograph, film.pixels)
    return (film,) if inner is None else (scaled(inner, side), film)


def without_margins(radiograph: Radiograph) -> Radiograph:
    """The film without its wide margins, at its own size; the same film where it has none.

    What was cut has the correction "wide_margins".
    """
    return _cut(radiograph, scaled(radiograph, _SIDE).pixels) or radiograph


def _cut(radiograph: Radiograph, small: np.ndarray) -> Radiograph | None:
    """The film without its margins; None where they are not wide, or little is left. small: its pixels, scaled."""
    rows = _between(small)
    columns = _between(small[rows].T)
    scale = radiograph.height / small.shape[0], radiograph.width / small.shape[1]
    top, bottom, left, right = (
        round(place * factor)
        for lines, factor in zip((rows, columns), scale, strict=True)
        for place in (lines.start, lines.stop)
    )
    height, width = bottom - top, right - left
    shares = height / radiograph.height, width / radiograph.width
    if min(shares) > 1 - LEAST_MARGINS or shares[0] * shares[1] < LEAST_FILM or min(height, width) < MIN_SIDE:
        return None
    pixels = np.ascontiguousarray(radiograph.pixels[top:bottom, left:right])
    return replace(radiograph, pixels=pixels, corrections=(*radiograph.corrections, WIDE_MARGINS))


def _between(lines: np.ndarray) -> slice:
    """The lines between the margins at both ends; none where all are margin."""
    first, last = _margin(lines), _margin(lines[::-1])
    return slice(first, max(first, len(lines) - last))


def _margin(lines: np.ndarray) -> int:
    """How many of the first lines have the level of the first in nearly all pixels, and the next, blended with them.

    lines: float (n, length).
    """
    if not lines.size:
        return 0
    is_even = (np.abs(lines - np.median(lines[0])) <= _LEVELS).mean(axis=1) >= _NEARLY_ALL
    count = len(lines) if is_even.all() else int(np.argmin(is_even))
    return count + 1 if count else 0
